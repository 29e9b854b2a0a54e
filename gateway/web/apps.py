from django.apps import AppConfig


class WebConfig(AppConfig):
    """Only for its templates and static files; it has no models."""

    name = "gateway.web"
    label = "gateway_web"
