"""The web chat as a protocol: its sockets bring words in, and come for the rows themselves."""

import logging
from collections.abc import Mapping
from typing import Any

from django.conf import settings

from gateway.protocols import ProtocolServer
from gateway.types import Outbound
from gateway.web import origins, socket
from gateway.web.compose import compose
from gateway.web.live import live_of
from gateway.web.whispers import whispers_of

logger = logging.getLogger(__name__)

CLOSING_SECONDS = 6.0


class Server(ProtocolServer):
    scope_type = "webchat"
    immediate = True

    async def start(self) -> None:
        for entry in origins.mistaken(settings.WIDGET_ORIGINS):
            logger.warning("WIDGET_ORIGINS: %r is no origin such as https://shop.example; it allows nothing.", entry)
        whispers_of(live_of(self.engine))  # From now on it is known whether an operator is there.

    async def stop_accepting(self) -> None:
        """Every socket is told to come back, once what it brought is committed."""
        await socket.close_all(CLOSING_SECONDS)

    async def stop(self) -> None:
        """Nothing is left: the sockets have gone, and their readers with them."""

    @classmethod
    def compose(
        cls,
        method: str,
        params: Mapping[str, Any],
        *,
        address: Mapping[str, Any],
        event: Mapping[str, Any] | None,
    ) -> Outbound:
        return compose(method, params)
