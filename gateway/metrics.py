"""What has happened, as plain numbers: counted where rows are committed, and read by `/metrics`.

Nothing here knows Prometheus, and nothing is counted by who somebody is: a protocol and a bot are all the labels.
"""

import logging
import time
from bisect import bisect_left
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import TYPE_CHECKING, Any

from gateway.logs import event
from gateway.models import Conversation, Direction, Sender, Status
from gateway.types import Inbound, Receipt

if TYPE_CHECKING:
    from gateway.transcript import Group

logger = logging.getLogger(__name__)

SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)
OPERATIONS = (1.0, 2.0, 5.0, 10.0, 20.0, 50.0, 100.0, 200.0, 500.0)
# A map may route any name; a page of figures must stay one.
MOST_BOTS = 200
AWAITED_ROWS = 10_000
# Plain texts: an enumeration's members are looked up at a cost that the writer's loop would feel.
OUT, VISITOR = Direction.OUT.value, Sender.VISITOR.value
RECEIVED, IN_HAND, DEAD = Status.RECEIVED.value, Status.IN_HAND.value, Status.DEAD.value
QUEUED, SENDING, SENT, FAILED = Status.QUEUED.value, Status.SENDING.value, Status.SENT.value, Status.FAILED.value

refusals: Counter[tuple[str, str]] = Counter()
"""What this process has turned away, by (door, reason). Both are words of our own."""


def refused(door: str, reason: str) -> None:
    refusals[door, reason] += 1


class Histogram:
    """How often a figure was at most each of `bounds`, and how often it was more."""

    __slots__ = ("bounds", "counts", "total")

    def __init__(self, bounds: tuple[float, ...] = SECONDS) -> None:
        self.bounds = bounds
        self.counts = [0] * (len(bounds) + 1)
        self.total = 0.0

    def observe(self, figure: float) -> None:
        self.counts[bisect_left(self.bounds, figure)] += 1
        self.total += figure


@dataclass(slots=True)
class Counts:
    """Of one bot on one protocol."""

    accepted: int = 0
    duplicates: int = 0
    fed: int = 0
    failed: int = 0
    dead: int = 0
    said: int = 0
    delivered: int = 0
    retried: int = 0
    unknown: int = 0
    undeliverable: int = 0
    answers: Histogram = field(default_factory=Histogram)
    handlers: Histogram = field(default_factory=Histogram)


class Metrics:
    """Of one engine, for its loop's thread. `answers` begins with the commit of what somebody wrote and ends with the
    commit that the first thing said to it is out."""

    def __init__(self) -> None:
        self.counts: dict[tuple[str, str], Counts] = {}
        self.commits = Histogram()
        self.groups = Histogram(OPERATIONS)
        self._known: dict[tuple[str, int], Counts] = {}
        self._asked: dict[int, float] = {}
        self._answers: dict[int, float] = {}
        self._in_hand: set[int] = set()

    def of(self, protocol: str, bot: str) -> Counts:
        counts = self.counts.get((protocol, bot))
        if counts is None:
            key = (protocol, bot if len(self.counts) < MOST_BOTS else "other")
            counts = self.counts.setdefault(key, Counts())
        return counts

    def _of(self, conversation: Conversation) -> Counts:
        counts = self.of(conversation.protocol, conversation.bot.name)
        return self._known.setdefault((conversation.protocol, conversation.bot_id), counts)

    def received(self, inbounds: Sequence[Inbound], receipts: Sequence[Receipt]) -> None:
        for inbound, receipt in zip(inbounds, receipts, strict=True):
            if receipt.duplicate:
                self.of(inbound.protocol, inbound.bot).duplicates += 1

    def committed(self, group: "Group") -> None:
        now = time.monotonic()
        self.commits.observe(group.seconds)
        self.groups.observe(group.operations)
        known = self._known
        for message in group.added:
            conversation = message.conversation
            counts = known.get((conversation.protocol, conversation.bot_id)) or self._of(conversation)
            if message.direction == OUT:
                self._said(counts, message, now)
            elif message.sender == VISITOR:
                counts.accepted += 1
                if message.status in (RECEIVED, IN_HAND):
                    remember(self._asked, message.pk, now)
                if message.status == IN_HAND:
                    counts.fed += 1
                    self._in_hand.add(message.pk)
                elif message.status == DEAD:
                    counts.dead += 1
                    tell_dead(conversation, message.pk)
        for conversation, pk, status, unknown in group.moved:
            counts = known.get((conversation.protocol, conversation.bot_id)) or self._of(conversation)
            self._moved(counts, pk, status, now)
            counts.unknown += unknown

    def _said(self, counts: Counts, message: Any, now: float) -> None:
        counts.said += 1
        asked = self._asked.pop(message.cause_id, None)
        if message.status == SENT:
            counts.delivered += 1
            if asked is not None:
                counts.answers.observe(now - asked)
        elif message.status == FAILED:
            counts.undeliverable += 1
        elif asked is not None and message.status in (QUEUED, SENDING):
            remember(self._answers, message.pk, asked)

    def _moved(self, counts: Counts, pk: int, status: str, now: float) -> None:
        if status == IN_HAND:
            counts.fed += 1
            self._in_hand.add(pk)
        elif status == SENT:
            counts.delivered += 1
            asked = self._answers.pop(pk, None)
            if asked is not None:
                counts.answers.observe(now - asked)
        elif status == QUEUED:
            counts.retried += 1
        elif status != SENDING:
            self._ended(counts, pk, status)

    def _ended(self, counts: Counts, pk: int, status: str) -> None:
        """A failed row is a handler's where it was in its hands, else a send's."""
        counts.dead += status == DEAD
        if status == FAILED and pk in self._in_hand:
            counts.failed += 1
        elif status == FAILED:
            counts.undeliverable += 1
        self._in_hand.discard(pk)
        self._asked.pop(pk, None)
        self._answers.pop(pk, None)


def remember(times: dict[int, float], pk: int, when: float) -> None:
    """What is never answered is forgotten, oldest first."""
    if len(times) >= AWAITED_ROWS:
        for old in list(islice(times, AWAITED_ROWS // 10)):
            del times[old]
    times[pk] = when


def tell_dead(conversation: Conversation, pk: int) -> None:
    logger.error(
        "Row %s, conversation %s, bot %s: a dead letter, since nobody understands it. It is kept as it came.",
        pk,
        conversation.uuid,
        conversation.bot.name,
        extra=event("dead_letter", row=pk, conversation=str(conversation.uuid), bot=conversation.bot.name),
    )
