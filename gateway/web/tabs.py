"""The sockets of one visitor: the tabs that show the same conversation, also before it has a row."""

from collections import defaultdict
from typing import Protocol
from uuid import UUID


class Tab(Protocol):
    def born(self, conversation: int) -> None:
        """The conversation has its row now."""

    def offer_lightly(self, text: str) -> None:
        """Takes a frame that may be lost."""


class Tabs:
    def __init__(self) -> None:
        self._open: defaultdict[UUID, set[Tab]] = defaultdict(set)

    def join(self, visitor: UUID, tab: Tab) -> None:
        self._open[visitor].add(tab)

    def leave(self, visitor: UUID, tab: Tab) -> None:
        self._open[visitor].discard(tab)
        if not self._open[visitor]:
            del self._open[visitor]

    def born(self, visitor: UUID, conversation: int) -> None:
        for tab in tuple(self._open.get(visitor, ())):
            tab.born(conversation)

    def forward(self, visitor: UUID, sender: Tab, text: str) -> None:
        for tab in self._open.get(visitor, set()) - {sender}:
            tab.offer_lightly(text)
