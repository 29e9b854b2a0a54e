from importlib import import_module
from pathlib import Path

from django.apps import AppConfig


class GatewayConfig(AppConfig):
    name = "gateway"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        """Registers the system checks: the engine's, and those of the protocols' folders."""
        import_module("gateway.checks")
        for path in sorted(Path(__file__).parent.glob("*/checks.py")):
            import_module(f"gateway.{path.parent.name}.checks")
