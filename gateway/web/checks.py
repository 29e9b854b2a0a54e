"""System checks of who may open the widget."""

from collections.abc import Sequence
from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage, Tags, Warning, register

from gateway.web import origins


@register(Tags.security)
def check_widget_origins(app_configs: Sequence[Any] | None, **kwargs: Any) -> list[CheckMessage]:
    hint = "WIDGET_ORIGINS lists whole origins, separated by commas: scheme, host and port, no *, no path."
    return [
        Warning(f"WIDGET_ORIGINS: {entry!r} is no origin; it allows nothing.", hint, id="switchboard.W010")
        for entry in origins.mistaken(settings.WIDGET_ORIGINS)
    ]
