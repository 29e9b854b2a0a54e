"""Which conversations are live: a lane each, and lanes never wait for each other."""

import time
from typing import TYPE_CHECKING

from gateway.lane import Lane
from gateway.models import Conversation

if TYPE_CHECKING:
    from gateway.engine import Engine

APOLOGY_PAUSE_SECONDS = 60.0


class Lanes:
    """The lanes by conversation. A lane that holds nothing is forgotten; the rows make it again."""

    def __init__(self, engine: "Engine") -> None:
        self._engine = engine
        self._lanes: dict[int, Lane] = {}
        self._apologies: dict[int, float] = {}

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

    def known(self, pk: int) -> Lane | None:
        return self._lanes.get(pk)

    def may_apologise(self, pk: int) -> bool:
        """Once a minute and conversation; lanes come and go in that time."""
        now = time.monotonic()
        while self._apologies and now - next(iter(self._apologies.values())) >= APOLOGY_PAUSE_SECONDS:
            del self._apologies[next(iter(self._apologies))]
        if pk in self._apologies:
            return False
        self._apologies[pk] = now
        return True

    def forget_idle(self, lane: Lane) -> None:
        if lane.idle and self._lanes.get(lane.pk) is lane:
            del self._lanes[lane.pk]
