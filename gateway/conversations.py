"""Which conversations are live: a lane each, and lanes never wait for each other."""

import time
from typing import TYPE_CHECKING

from gateway.lane import Lane
from gateway.models import Conversation

if TYPE_CHECKING:
    from gateway.engine import Engine

NOTICE_PAUSE_SECONDS = 60.0


class OnceAMinute:
    """Which conversations may be told something now: once a minute each. Lanes come and go in that time."""

    def __init__(self) -> None:
        self.count = 0
        self._told: dict[int, float] = {}

    def may(self, pk: int) -> bool:
        """Says yes only once; then the words are to be said. `count` is how often it did."""
        now = time.monotonic()
        while self._told and now - next(iter(self._told.values())) >= NOTICE_PAUSE_SECONDS:
            del self._told[next(iter(self._told))]
        if pk in self._told:
            return False
        self._told[pk] = now
        self.count += 1
        return True


class Lanes:
    """The lanes by conversation. A lane that holds nothing is forgotten; the rows make it again.

    `errors`: how many handlers have raised.
    """

    def __init__(self, engine: "Engine") -> None:
        self._engine = engine
        self._lanes: dict[int, Lane] = {}
        self.apologies, self.slow_notices = OnceAMinute(), OnceAMinute()
        self.errors = 0

    def __len__(self) -> int:
        return len(self._lanes)

    def all(self) -> list[Lane]:
        return list(self._lanes.values())

    def get(self, conversation: Conversation) -> Lane:
        lane = self._lanes.get(conversation.pk)
        if lane is None:
            route = self._engine.route(conversation.protocol, conversation.bot.name)
            lane = self._lanes[conversation.pk] = Lane(self._engine, conversation, route)
        return lane

    def parts(self) -> set[int]:
        return {lane.part for lane in self._lanes.values()}

    def forget(self, lane: Lane) -> None:
        """Another process runs it now."""
        if self._lanes.get(lane.pk) is lane:
            del self._lanes[lane.pk]

    def known(self, pk: int) -> Lane | None:
        return self._lanes.get(pk)

    def forget_idle(self, lane: Lane) -> None:
        if lane.idle and self._lanes.get(lane.pk) is lane:
            del self._lanes[lane.pk]
