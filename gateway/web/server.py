"""The web chat as a protocol: its sockets bring words in, and come for the rows themselves."""

import asyncio
import logging
from collections.abc import Mapping
from typing import Any

from django.conf import settings
from django.db import DatabaseError

from gateway import flow
from gateway.protocols import ProtocolServer
from gateway.types import Outbound
from gateway.web import files, origins, socket, uploads
from gateway.web.compose import compose
from gateway.web.live import live_of
from gateway.web.whispers import whispers_of

logger = logging.getLogger(__name__)

CLOSING_SECONDS = 6.0
FORGET_SECONDS = 3600.0


class Server(ProtocolServer):
    scope_type = "webchat"
    immediate = True

    async def start(self) -> None:
        for entry in origins.mistaken(settings.WIDGET_ORIGINS):
            logger.warning("WIDGET_ORIGINS: %r is no origin such as https://shop.example; it allows nothing.", entry)
        flow.body_bytes[uploads.PATH] = uploads.most_bytes
        self.engine.spawn(self._forget_unused_files())
        whispers_of(live_of(self.engine))  # From now on it is known whether an operator is there.

    async def _forget_unused_files(self) -> None:
        while True:
            await asyncio.sleep(FORGET_SECONDS)
            try:
                await self.engine.read_at_leisure(files.forget_unused)
            except DatabaseError as error:
                logger.debug("Could not look for unused files: %s", type(error).__name__)

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
