"""Queued rows → outside. One lane a chat: in order inside, never waiting for each other.

A call is marked durably before it is made. What was under way when the line or the process died is unknown: it is
made again unless the bot or the message asks for at most once.
"""

import asyncio
import logging
import random
from collections import deque
from typing import TYPE_CHECKING, Any

from django.db import DatabaseError
from django.utils import timezone

from gateway.errors import Later, NotReady, Refused, Unknown
from gateway.models import Direction, Kind, Message, Status
from gateway.protocols import ProtocolServer
from gateway.transcript import Mark, OutRow, PartSent
from gateway.transcript.saying import out_row
from gateway.types import Delivery, Sent

if TYPE_CHECKING:
    from gateway.engine import Engine

logger = logging.getLogger(__name__)

FIRST_PAUSE_SECONDS = 1.0
LONGEST_PAUSE_SECONDS = 60.0
LOOKED_AT_ROWS = 500
OVERLAP_ROWS = 1000
DRAIN_STEP_SECONDS = 0.05


class Outbox:
    def __init__(self, engine: "Engine") -> None:
        self._engine = engine
        self._rows: dict[int, OutRow] = {}
        self._lanes: dict[str, deque[int]] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._pausing: set[asyncio.Task[None]] = set()
        self._open = asyncio.Event()
        self._closed = False
        self._newest = 0
        self.unknown = 0

    def __len__(self) -> int:
        return len(self._rows)

    def open(self) -> None:
        """The protocols can deliver now."""
        self._open.set()

    def put(self, row: OutRow) -> None:
        """Takes a committed row. The same row again: its newest text counts."""
        if self._closed:
            return  # It stays queued in the rows, for the next process.
        known = row.pk in self._rows
        self._rows[row.pk] = row
        self._newest = max(self._newest, row.pk)
        if known:
            return
        key = f"{row.protocol} {row.bot} {self._protocol(row).lane(row.address)}"
        if key not in self._lanes:
            self._lanes[key] = deque()
            task = asyncio.create_task(self._run(key))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        self._lanes[key].append(row.pk)

    async def load(self) -> None:
        """Takes all that is queued, oldest first: nothing that is said from now on may overtake it."""
        await self._take_after(0)

    async def look(self) -> None:
        """Finds what others have queued (a command in a process of its own)."""
        # Two processes may commit in another order than that of their keys: look back a little.
        await self._take_after(self._newest - OVERLAP_ROWS)

    async def _take_after(self, pk: int) -> None:
        while rows := await self._engine.read(_queued_after, pk):
            pk = rows[-1].pk
            for row in rows:
                if row.protocol in self._engine.protocols and row.pk not in self._rows:
                    self.put(row)

    async def drain(self, seconds: float) -> None:
        """Delivers what can be delivered now; what has to wait for its time stays queued in its rows."""
        deadline = self._engine.time() + seconds
        while (busy := self._tasks - self._pausing) and self._engine.time() < deadline - seconds / 2:
            await asyncio.wait(busy, timeout=DRAIN_STEP_SECONDS)
        self._closed = True
        # A call that is cut off is one that nobody knows the outcome of: those under way may finish.
        if busy := self._tasks - self._pausing:
            await asyncio.wait(busy, timeout=max(deadline - self._engine.time(), 0))
        for task in self._tasks:
            task.cancel()

    def _protocol(self, row: OutRow) -> ProtocolServer:
        return self._engine.protocols[row.protocol]

    async def _run(self, key: str) -> None:
        lane = self._lanes[key]
        try:
            await self._open.wait()
            while lane and not self._closed:
                await self._pause(self._rows[lane[0]].due_in)
                pause = await self._send(self._rows[lane[0]])
                if pause is None:
                    self._rows.pop(lane.popleft(), None)
                else:
                    await self._pause(pause)
        except NotReady:
            pass  # The gateway stops: the rows stay queued.
        finally:
            del self._lanes[key]
            for pk in lane:
                self._rows.pop(pk, None)

    async def _pause(self, seconds: float) -> None:
        task = asyncio.current_task()
        if seconds <= 0 or task is None:
            return
        self._pausing.add(task)
        try:
            await asyncio.sleep(seconds)
        finally:
            self._pausing.discard(task)

    async def _send(self, row: OutRow) -> float | None:
        """Makes the call. Returns the seconds to wait before it is made again; None: the row has its end state."""
        submit = self._engine.submit
        target = await self._target_of(row)
        if not await submit(Mark(row, Status.SENDING)):
            return None
        row = self._rows.get(row.pk, row)  # Its words may have been replaced just before they were marked.
        try:
            sent = await self._protocol(row).deliver(self._delivery(row, target))
        except Refused as error:
            await submit(self._failed(row, str(error), blocked=error.blocked))
        except Later as error:
            return await self._again(row, str(error), error.seconds)
        except Unknown as error:
            return await self._unknown(row, str(error))
        except NotReady:
            raise
        except Exception as error:
            logger.exception("Message %s could not be delivered.", row.pk)
            await submit(self._failed(row, f"Could not be delivered ({type(error).__name__})"))
        else:
            await submit(self._sent(row, sent))
        return None

    def _sent(self, row: OutRow, sent: Sent) -> Mark:
        return Mark(row, Status.SENT, external_id=sent.id, result=sent.result, reports=self._handles(row, "result"))

    def _failed(self, row: OutRow, reason: str, *, blocked: bool = False) -> Mark:
        return Mark(
            row,
            Status.FAILED,
            reason,
            blocked=blocked,
            reports=self._handles(row, "result"),
            farewell=self._handles(row, "disconnect"),
        )

    def _handles(self, row: OutRow, method: str) -> bool:
        return self._engine.handles(row.protocol, row.bot, method)

    async def _target_of(self, row: OutRow) -> int | None:
        while row.kind == Kind.EDIT and row.ref:
            try:
                return await self._engine.read(_target, row)
            except DatabaseError as error:
                logger.warning("Message %s waits for the database (%s).", row.pk, type(error).__name__)
            await asyncio.sleep(FIRST_PAUSE_SECONDS)
        return None

    def _delivery(self, row: OutRow, target: int | None) -> Delivery:
        async def part_sent(external_id: int) -> None:
            row.parts.append(external_id)
            await self._engine.submit(PartSent(row, list(row.parts)))

        return Delivery(
            row.pk, row.bot, row.method, row.params, row.text, row.address, list(row.parts), target, part_sent
        )

    async def _again(self, row: OutRow, reason: str, seconds: float | None) -> float:
        if seconds is None:
            seconds = min(FIRST_PAUSE_SECONDS * 2 ** min(row.sends, 10), LONGEST_PAUSE_SECONDS)
            seconds *= random.uniform(0.75, 1.25)  # noqa: S311  # jitter
        row.sends += 1
        row.due_in = 0.0
        await self._engine.submit(Mark(row, Status.QUEUED, reason, due_in=seconds))
        return seconds

    async def _unknown(self, row: OutRow, reason: str) -> float | None:
        self.unknown += 1
        again = "it stays unknown" if row.at_most_once else "it is made again"
        logger.warning("Message %s: nobody knows whether the call was done (%s); %s.", row.pk, reason, again)
        if row.at_most_once:
            await self._engine.submit(Mark(row, Status.UNKNOWN, reason))
            return None
        return await self._again(row, reason, None)


def _queued_after(pk: int) -> list[OutRow]:
    rows = Message.objects.filter(direction=Direction.OUT, status=Status.QUEUED, pk__gt=pk).order_by("pk")
    now: Any = timezone.now()
    return [out_row(row.conversation, row, now) for row in rows.select_related("conversation__bot")[:LOOKED_AT_ROWS]]


def _target(row: OutRow) -> int | None:
    """The outside's id of the newest message that the bot calls by that name."""
    found = Message.objects.filter(
        conversation_id=row.conversation, ref=row.ref, kind=Kind.MESSAGE, external_id__isnull=False
    )
    return found.order_by("-pk").values_list("external_id", flat=True).first()
