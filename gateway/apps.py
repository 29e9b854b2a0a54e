import gc
from importlib import import_module
from pathlib import Path

from django.apps import AppConfig

USUAL = 700, 10, 10
"""Python's own thresholds."""


class GatewayConfig(AppConfig):
    name = "gateway"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        """Registers the system checks: the engine's, and those of the protocols' folders."""
        import_module("gateway.checks")
        for path in sorted(Path(__file__).parent.glob("*/checks.py")):
            import_module(f"gateway.{path.parent.name}.checks")
        # Connections of threads that have ended are closed as garbage: rarely looked for, they fill the server.
        gc.set_threshold(*USUAL)
