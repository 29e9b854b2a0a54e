"""Which bots a visitor may name."""

import re
from typing import TYPE_CHECKING, Any

from channels.routing import get_default_application

if TYPE_CHECKING:
    from gateway.engine import Engine

NAME = re.compile(r"[A-Za-z0-9_-]{1,64}")


def is_known(engine: "Engine", bot: str) -> bool:
    """A name from the settings, or one that the application map itself spells out."""
    if bot in engine.bots:
        return engine.routes("webchat", bot)
    # A pattern that fits every path names no bot: a visitor must not be able to invent bots.
    return bot in spelled_out() and engine.routes("webchat", bot)


def spelled_out() -> list[str]:
    """The names in the map's "webchat" entry, in its order; none where one application answers for every name."""
    mapping = getattr(get_default_application(), "application_mapping", {})
    patterns = [str(route.pattern) for route in _routes(mapping.get("webchat"))]
    names = [pattern.removesuffix("/") for pattern in patterns if pattern.endswith("/")]
    return [name for name in names if NAME.fullmatch(name)]


def _routes(application: Any) -> list[Any]:
    """Those of a URLRouter, also where middleware is around it."""
    while application is not None and not hasattr(application, "routes"):
        application = getattr(application, "inner", None) or getattr(application, "application", None)
    return [] if application is None else list(application.routes)
