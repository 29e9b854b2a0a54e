"""Tells the log, once, that a part of the gateway has fallen ill, and that it is well again: what `/readyz` says to
whoever asks, for those who are told by their logs."""

import asyncio
import logging
from typing import TYPE_CHECKING

from gateway.logs import event

if TYPE_CHECKING:
    from gateway.engine import Engine

logger = logging.getLogger(__name__)

LOOK_SECONDS = 1.0
# A part that comes and goes is ill all the time.
WELL_SECONDS = 10.0


class Watch:
    """`lag`: by how many seconds the loop was late when this was last woken. All of the process waited as long."""

    def __init__(self, engine: "Engine") -> None:
        self.lag = 0.0
        self._engine = engine
        self._ill: dict[str, float] = {}

    async def run(self) -> None:
        while True:
            due = self._engine.time() + LOOK_SECONDS
            await asyncio.sleep(LOOK_SECONDS)
            self.lag = self._engine.time() - due
            try:
                self.look(self._engine.health(), self._engine.time())
            except Exception:
                logger.exception("The state of the gateway could not be looked at.")

    def look(self, ills: dict[str, str], now: float) -> None:
        """`ills`: what is wrong, by part. An event is named after the part's first word, as in telegram_trouble."""
        for part, trouble in ills.items():
            if part not in self._ill:
                logger.error("%s: %s", part, trouble, extra=event(f"{part.split()[0]}_trouble", part=part))
            self._ill[part] = now
        for part, last in list(self._ill.items()):
            if now - last >= WELL_SECONDS:
                del self._ill[part]
                logger.warning("%s: well again.", part, extra=event(f"{part.split()[0]}_well", part=part))
