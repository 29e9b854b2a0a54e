"""The soft limit: a handler that is not done with its event by then. It goes on; the user and the log are told."""

import asyncio
import logging
import time
from typing import TYPE_CHECKING

from django.conf import settings

if TYPE_CHECKING:
    from gateway.engine import Engine
    from gateway.lane import Lane

logger = logging.getLogger(__name__)

LOOK_SECONDS = 0.25


class Slow:
    """What is in the hands of handlers, oldest first. `alarms` counts the events that went over the limit.

    The limit is SLOW_HANDLER_SECONDS; 0 switches it off.
    """

    def __init__(self, engine: "Engine") -> None:
        self.limit = float(settings.SLOW_HANDLER_SECONDS)
        self.alarms = 0
        self._engine = engine
        self._in_hand: dict[Lane, float] = {}
        self._over: dict[Lane, float] = {}

    def __len__(self) -> int:
        """How many are over the limit now."""
        return len(self._over)

    @property
    def in_hand(self) -> int:
        return len(self._in_hand) + len(self._over)

    @property
    def oldest(self) -> float:
        """Seconds for which the oldest event has been in its handler's hands; 0 where none is."""
        began = next(iter(self._over.values()), None) or next(iter(self._in_hand.values()), None)
        return 0.0 if began is None else time.monotonic() - began

    def began(self, lane: "Lane") -> None:
        self._in_hand[lane] = time.monotonic()

    def ended(self, lane: "Lane") -> None:
        now, late = time.monotonic(), self._over.pop(lane, None)
        seconds = now - (late or self._in_hand.pop(lane, now))
        self._engine.metrics.of(lane.protocol, lane.bot).handlers.observe(seconds)
        if late is not None:
            logger.warning(
                "Conversation %s, bot %s: the slow handler is done, or was left, after %.1f s.",
                lane.uuid,
                lane.bot,
                seconds,
            )

    async def watch(self) -> None:
        while True:
            await asyncio.sleep(LOOK_SECONDS)
            self._look()

    def _look(self) -> None:
        now = time.monotonic()
        while self.limit and self._in_hand:
            lane, began = next(iter(self._in_hand.items()))
            if now - began < self.limit:
                return
            self._over[lane] = self._in_hand.pop(lane)
            self.alarms += 1
            try:
                lane.tell_slow(now - began)
            except Exception as error:
                # The look goes on for the others, whatever ails this one.
                logger.error("Conversation %s: its slow handler was not told (%s).", lane.uuid, type(error).__name__)
