"""Which application answers for a bot, and which handlers it has: looked up on the class, through `as_asgi()`,
`URLRouter` and middleware, without running anything."""

from typing import Any

from channels.consumer import SyncConsumer
from channels.routing import get_default_application
from django.urls.exceptions import Resolver404
from msgspec import Struct


class Route(Struct, frozen=True):
    """`consumer` is None where the application is no Channels consumer: it gets everything."""

    consumer: type | None

    @property
    def sync(self) -> bool:
        return self.consumer is not None and issubclass(self.consumer, SyncConsumer)

    @property
    def state_in_session(self) -> bool:
        """Whether the consumer says that all it keeps is in `scope["session"]`, so that it may be let go while idle."""
        return bool(getattr(self.consumer, "state_in_session", False))

    def handles(self, event_type: str) -> bool:
        return self.consumer is None or hasattr(self.consumer, event_type.replace(".", "_"))

    def methods(self, prefix: str) -> set[str]:
        """What follows `<prefix>_` in the names of the consumer's handlers."""
        start = f"{prefix}_"
        return {name.removeprefix(start) for name in dir(self.consumer) if name.startswith(start)}


def find_route(scope_type: str, path: str, application: Any = None) -> Route | None:
    """The application for that path in the given map, or ASGI_APPLICATION's; None where the map has none."""
    application = application or get_default_application()
    mapping = getattr(application, "application_mapping", None)
    if mapping is None:
        return Route(None)
    if scope_type not in mapping:
        return None
    return _resolve(mapping[scope_type], path.lstrip("/"))


def _resolve(application: Any, path: str) -> Route | None:
    consumer = getattr(application, "consumer_class", None)
    if consumer is not None:
        return Route(consumer)
    if hasattr(application, "routes"):
        return _resolve_routes(application.routes, path)
    for name in ("inner", "application"):  # Channels' BaseMiddleware, its OriginValidator
        if hasattr(application, name):
            return _resolve(getattr(application, name), path)
    return Route(None)


def _resolve_routes(routes: Any, path: str) -> Route | None:
    for route in routes:
        try:
            match = route.pattern.match(path)
        except Resolver404:
            continue
        if match:
            return _resolve(route.callback, match[0].lstrip("/"))
    return None
