"""Which conversations are live: a lane each, and lanes never wait for each other."""

import time
from collections import OrderedDict
from typing import TYPE_CHECKING

from django.conf import settings

from gateway.lane import Lane
from gateway.models import Conversation

if TYPE_CHECKING:
    from gateway.engine import Engine

NOTICE_PAUSE_SECONDS = 60.0
# Two for each that comes: what could not go in its turn is made up for.
MOST_EVICTED_AT_ONCE = 2


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

    `errors`: how many handlers have raised; `evicted`: how many instances were let go while they were idle.
    """

    def __init__(self, engine: "Engine") -> None:
        self._engine = engine
        self._lanes: dict[int, Lane] = {}
        self._resting: OrderedDict[Lane, None] = OrderedDict()
        self._most_resting = int(settings.IDLE_INSTANCES_MAX)
        self.apologies, self.slow_notices = OnceAMinute(), OnceAMinute()
        self.errors = self.evicted = 0

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
        self._resting.pop(lane, None)

    def known(self, pk: int) -> Lane | None:
        return self._lanes.get(pk)

    def forget_idle(self, lane: Lane) -> None:
        if lane.idle:
            self.forget(lane)

    def is_live(self, pk: int) -> bool:
        """Whether an instance is there. Also for the writer's thread."""
        lane = self._lanes.get(pk)
        return lane is not None and lane.alive

    def rest(self, lane: Lane) -> None:
        """Nothing is fed to it any more. Those that have rested longest are let go where they are too many."""
        self.forget_idle(lane)
        if not lane.may_rest:
            return
        self._resting[lane] = None
        self._resting.move_to_end(lane)
        for _ in range(min(MOST_EVICTED_AT_ONCE, len(self._resting) - self._most_resting)):
            self._evict(next(iter(self._resting)))

    def _evict(self, lane: Lane) -> None:
        if lane.evict():
            self.evicted += 1
            self.forget_idle(lane)
        else:
            self._resting.move_to_end(lane)  # It is asked again when its turn comes.
