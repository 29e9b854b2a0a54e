from django.apps import AppConfig


class WebConfig(AppConfig):
    """The web chat: its pages, its files, and what it keeps of them."""

    name = "gateway.web"
    label = "gateway_web"

    def ready(self) -> None:
        from gateway.web import files  # noqa: F401  # files go with their rows, whoever deletes those
