"""How many rows are in which state, counted by the database. For `/metrics` and `doctor`: nothing else waits for it."""

import asyncio
import contextlib
import time
from collections.abc import Awaitable, Callable
from typing import Any

from django.db.models import Count, Min
from django.utils import timezone

from gateway.models import Conversation, Message, Status

GOING_ON = (Status.RECEIVED, Status.IN_HAND, Status.QUEUED, Status.SENDING)
DOUBTFUL = (Status.UNKNOWN, Status.DEAD)
STATES = ("open", "waiting", "held")
AGAIN_SECONDS = 10.0
PATIENCE_SECONDS = 1.0


def count_rows() -> dict[str, float]:
    """By status of GOING_ON and DOUBTFUL, by state of a conversation, and `oldest <status>`: seconds since then.

    Each query has an index of its own, but that of `waiting`, which looks at every conversation.
    """
    figures: dict[str, float] = {status.value: 0 for status in (*GOING_ON, *DOUBTFUL)}
    for statuses in (GOING_ON[:2], GOING_ON[2:], DOUBTFUL):
        rows = Message.objects.filter(status__in=[status.value for status in statuses])
        for status, count, oldest in rows.values_list("status").annotate(Count("pk"), Min("at")):
            figures[status] = count
            figures[f"oldest {status}"] = (timezone.now() - oldest).total_seconds()
    figures["open"] = Conversation.objects.filter(open=True).count()
    figures["held"] = Conversation.objects.filter(holder__isnull=False).count()
    figures["waiting"] = Conversation.objects.filter(waiting=True, holder__isnull=True).count()
    return figures


class Figures:
    """Those of `count_rows`, at most every ten seconds. While the database is away, the last that were known."""

    def __init__(self, read: Callable[..., Awaitable[Any]]) -> None:
        self.known: dict[str, float] = {}
        self.counted_at: float | None = None
        self._read = read
        self._counting: asyncio.Task[None] | None = None

    async def refresh(self) -> None:
        """Returns within a second. A count that takes longer goes on; nobody waits for it again, nor begins another."""
        if self._counting is None and (self.age is None or self.age >= AGAIN_SECONDS):
            self._counting = asyncio.create_task(self._count())
            await asyncio.wait({self._counting}, timeout=PATIENCE_SECONDS)

    @property
    def age(self) -> float | None:
        """Seconds since they were counted; None: never yet."""
        return None if self.counted_at is None else time.monotonic() - self.counted_at

    async def _count(self) -> None:
        # Whatever ails the database: the figures' age tells of it.
        with contextlib.suppress(Exception):
            self.known = await self._read(count_rows)
            self.counted_at = time.monotonic()
        self._counting = None
