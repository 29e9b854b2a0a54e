from django.apps import AppConfig


class WebConfig(AppConfig):
    """The web chat: its pages, its files, and what it keeps of them."""

    name = "gateway.web"
    label = "gateway_web"
