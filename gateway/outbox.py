"""Queued rows → outside. One lane a chat, and one more for its announcements: in order inside, never waiting for each
other but for the clocks of flood.py.

A call is marked durably before it is made. Where nothing keeps it, it goes straight (straight.py); what has to wait, is
no single call, or is answered by anything but yes, is for a task with patience, here. What was under way when
the line or the process died is unknown: it is made again unless the bot or the message asks for at most once.
backlog.py holds what waits.
"""

import asyncio
import logging
import random
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import Context
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

from django.db import DatabaseError
from msgspec import Struct

from gateway import leaving
from gateway.backlog import Backlog, Lane
from gateway.doubts import Doubts
from gateway.errors import Flooded, Later, Moved, NotReady, Refused, Unknown
from gateway.flood import ANNOUNCEMENT, BOT, OPERATOR, Chat, Clocks
from gateway.logs import about, event
from gateway.logs import row as logs_row
from gateway.models import Kind, Sender, Status
from gateway.protocols import ProtocolServer
from gateway.straight import Straight
from gateway.transcript import Mark, MoveChat, OutRow, PartSent
from gateway.types import Delivery, Outbound, Sent
from gateway.writer import Operation

if TYPE_CHECKING:
    from gateway.engine import Engine

logger = logging.getLogger(__name__)

T = TypeVar("T")
Rest = Callable[[], Awaitable[float | None]]
"""What is left to be done for a row. Gives the seconds to wait then; None: the row has its end state."""

FIRST_PAUSE_SECONDS = 1.0
LONGEST_PAUSE_SECONDS = 60.0
RETRY_SECONDS = 1.0
DRAIN_STEP_SECONDS = 0.05


class Way(Struct, eq=False):
    """What the sends of one bot on one protocol go by."""

    server: ProtocolServer
    clocks: Clocks
    doubts: Doubts


class Outbox:
    """`floods`: waits that the outside has asked for; `unknown`: calls of which nobody knows whether they were done;
    `retried`: calls that were to be made again. `calls`: it is open, and not closed yet."""

    def __init__(self, engine: "Engine") -> None:
        self._engine = engine
        self._backlog = Backlog(engine, self._begin)
        self.rows = self._backlog.rows
        self._ways: dict[tuple[str, str], Way] = {}
        self._running: dict[Lane, asyncio.Task[None]] = {}
        self._pausing: set[asyncio.Task[None]] = set()
        self._straight = Straight(engine, self)
        self._open = asyncio.Event()
        self._promised: set[str] = set()
        self.calls, self._closed = False, False
        # Takes a committed row; takes what is queued, before anything else is said; finds what others have queued.
        self.put, self.load, self.look = self._backlog.put, self._backlog.load, self._backlog.look
        self.adopt, self.stay = self._backlog.adopt, self._backlog.stay
        self._share = 1.0
        self.floods = self.unknown = self.retried = 0

    def __len__(self) -> int:
        return len(self.rows)

    @property
    def waits(self) -> int:
        """How many calls had to wait for a clock."""
        return sum(way.clocks.waits for way in self._ways.values())

    def open(self) -> None:
        """The protocols can deliver now."""
        self._open.set()
        self.calls = not self._closed

    def pace(self, share: float) -> None:
        """This process has that share of every bot's limits."""
        self._share = share
        for way in self._ways.values():
            way.clocks.pace(share)

    def parked(self) -> list[tuple[str, str, float]]:
        """The bots that the outside has sent away as a whole, and for how long."""
        waits = [(protocol, bot, round(way.clocks.bot_parked, 1)) for (protocol, bot), way in self._ways.items()]
        return [wait for wait in waits if wait[2] > 0]

    def park(self, protocol: str, bot: str, seconds: float) -> None:
        """Another process was told so."""
        if protocol in self._engine.protocols:
            self.way(protocol, bot).clocks.park_bot(seconds)

    def parts(self) -> set[int]:
        return {lane.part for lane in self._backlog.lanes()}

    def at_once(
        self, protocol: str, bot: str, conversation: int, address: Mapping[str, Any], outbound: Outbound
    ) -> str:
        """Promises that what is to be said next can leave as soon as it is committed. Gives the place that is kept for
        it, "" where it cannot; until `withdraw` nothing else is promised there."""
        server = self._engine.protocols[protocol]
        if outbound.kind == Kind.EDIT or server.immediate or not self.calls:
            return ""
        key = f"{protocol} {bot} {(lane := server.lane(address))}"
        if key in self._promised or not self._backlog.is_free(protocol, bot, conversation, lane):
            return ""
        chat = server.chat(outbound.method, outbound.params, address)
        if self.way(protocol, bot).clocks.lets(chat, counts=outbound.kind != Kind.CALL) is None:
            return ""
        self._promised.add(key)
        return key

    def withdraw(self, key: str) -> None:
        """What was promised is committed, or never will be."""
        self._promised.discard(key)

    # Lanes

    async def let_go(self, parts: frozenset[int], seconds: float) -> frozenset[int]:
        """Begins no more calls for these parts. Returns those of which a call is still under way after that time."""
        lanes = [lane for lane in self._backlog.lanes() if lane.part in parts]
        for lane in lanes:
            lane.leaving = True
        for task in self._tasks(lanes) & self._pausing:
            task.cancel()
        deadline = self._engine.time() + seconds
        while (busy := self._tasks(lanes) | self._straight.until_over(lanes)) and self._engine.time() < deadline:
            await asyncio.wait(busy, timeout=max(deadline - self._engine.time(), 0))
        return frozenset(lane.part for lane in lanes if lane in self._running or lane in self._straight)

    def _tasks(self, lanes: Iterable[Lane]) -> set[asyncio.Task[None]]:
        return {self._running[lane] for lane in lanes if lane in self._running}

    async def drain(self, seconds: float) -> None:
        """Delivers what can be delivered now; what has to wait for its time stays queued in its rows."""
        deadline = self._engine.time() + seconds
        while (busy := self._busy()) and self._engine.time() < deadline - seconds / 2:
            await asyncio.wait(busy, timeout=DRAIN_STEP_SECONDS)
        self.calls, self._closed = False, True
        self._backlog.close()
        # A call that is cut off is one that nobody knows the outcome of: those under way may finish.
        while (busy := self._busy()) and self._engine.time() < deadline:
            await asyncio.wait(busy, timeout=max(deadline - self._engine.time(), 0))
        for lane in self._straight.give_up():
            self._backlog.forget(lane)
        tasks = list(self._running.values())
        for task in tasks:
            task.cancel()
        if tasks:  # What was marked and not called is put back.
            await asyncio.wait(tasks, timeout=DRAIN_STEP_SECONDS)

    def _busy(self) -> "set[asyncio.Task[None] | asyncio.Future[None]]":
        waiting = set(self._running.values()) - self._pausing
        return waiting | self._straight.until_over(self._backlog.lanes())

    def _begin(self, lane: Lane) -> None:
        try:
            goes_straight = self._straight.takes(lane)
        except Exception:  # Whoever tells of a commit has other lanes to tell.
            logger.exception("A call of bot %s could not be begun.", lane.stream.bot)
            goes_straight = False
        if not goes_straight:
            self._running[lane] = asyncio.create_task(self._run(lane), context=Context())

    def take_over(self, lane: Lane, row: OutRow, rest: Rest, chat: Chat | None) -> None:
        """From the straight way: `rest` is what is left to be done for its first row, with `chat` busy until then."""
        job = self._run(lane, partial(self._finish, row, rest, chat))
        self._running[lane] = asyncio.create_task(job, context=Context())

    def over(self, lane: Lane) -> None:
        """From the straight way: its first row has its end."""
        self._backlog.done(lane)
        if self._goes_on(lane):
            self._begin(lane)
        else:
            self._backlog.forget(lane)

    def _goes_on(self, lane: Lane) -> bool:
        return bool(lane.rows or lane.left) and not self._closed and not lane.leaving

    async def _run(self, lane: Lane, rest: Rest | None = None) -> None:
        about.set(lane.stream.about)
        straight = False
        try:
            if not self._open.is_set():
                await self._open.wait()
            while rest is not None or (self._goes_on(lane) and not straight):
                try:
                    await self._advance(lane, rest)
                except Exception as error:
                    await self._recover(lane, error)
                rest, straight = None, self._straight.takes(lane)
        finally:
            self._running.pop(lane, None)
            if not straight:
                self._backlog.forget(lane)

    async def _finish(self, row: OutRow, rest: Rest, chat: Chat | None) -> float | None:
        logs_row.set(row.pk)
        try:
            return await rest()
        except KeyError:  # Deleted with its conversation.
            return None
        finally:
            if chat is not None:
                chat.free()

    async def _recover(self, lane: Lane, error: Exception) -> None:
        """Its rows are in the table, and are read again."""
        if self._closed:
            return
        if not isinstance(error, NotReady | DatabaseError):
            logger.error("A lane of bot %s could not go on; its rows are read again.", lane.stream.bot, exc_info=error)
        lane.left = True
        self._backlog.put_back(lane)
        await self._pause(RETRY_SECONDS)

    async def _advance(self, lane: Lane, rest: Rest | None) -> None:
        if not lane.rows:
            await self._backlog.reload(lane)
            return
        row = self.rows[lane.rows[0]]
        pause: float | None = row.due_in
        if rest is not None:
            pause = await rest()
        elif row.due_in > 0:
            # It may be a wait that the outside has asked of a process before this one.
            self._clocks(row).park(self._chat(row), row.due_in)
            row.due_in = 0.0
        else:
            pause = await self._send(row)
        if pause is None:
            self._backlog.done(lane)
        else:
            await self._pause(pause)

    @contextmanager
    def _waiting(self) -> Iterator[None]:
        """Who waits for the time to come is not waited for by the end of the process."""
        task = asyncio.current_task()
        if task is None:
            raise RuntimeError("only a lane waits")
        self._pausing.add(task)
        try:
            yield
        finally:
            self._pausing.discard(task)

    async def _pause(self, seconds: float) -> None:
        if seconds > 0:
            with self._waiting():
                await asyncio.sleep(seconds)

    def _chat(self, row: OutRow) -> str:
        return self.way(row.protocol, row.bot).server.chat(row.method, row.params, row.address)

    def _clocks(self, row: OutRow) -> Clocks:
        return self.way(row.protocol, row.bot).clocks

    def way(self, protocol: str, bot: str) -> "Way":
        way = self._ways.get((protocol, bot))
        if way is None:
            server = self._engine.protocols[protocol]
            time = self._engine.time
            way = self._ways[protocol, bot] = Way(server, Clocks(time, server.limits), Doubts(time))
            way.clocks.pace(self._share)
        return way

    # One call

    async def _send(self, row: OutRow) -> float | None:
        """Waits for its turn and makes the call. Returns the seconds to wait then; None: the row has its end state."""
        logs_row.set(row.pk)
        target = await self._patiently(leaving.target, row) if row.kind == Kind.EDIT and row.ref else None
        clocks, chat = self._clocks(row), self._chat(row)
        await self._turn(row, clocks, chat)
        try:
            if self._closed or self._chat(self.rows[row.pk]) != chat:
                return 0.0  # It goes elsewhere meanwhile.
            asked = self._engine.time()
            if row.marked:
                row.marked = False
            elif not await self._engine.submit(Mark(row, Status.SENDING)):
                return None
            if self._engine.may_be_dead or self._engine.time() - asked > self._engine.members.patience:
                # Somebody else may have this row by now; whoever has not the lease any more cannot write this.
                await self.commit(Mark(row, Status.QUEUED))
                return 0.0
            row = self.rows[row.pk]  # Its words may have been replaced just before they were marked.
            if (seconds := clocks.parked(chat)) > 0:
                await self.commit(Mark(row, Status.QUEUED, due_in=seconds))
                return 0.0
            return await self._call(row, chat, target)
        except KeyError:  # Deleted with its conversation.
            return None
        finally:
            clocks.free(chat)

    async def _turn(self, row: OutRow, clocks: Clocks, chat: str) -> None:
        rank, counts = _rank(row), row.kind != Kind.CALL
        if clocks.take_at_once(chat, rank, counts=counts):
            return
        if row.marked:  # Something has come between: its call is not under way.
            await self.commit(Mark(row, Status.QUEUED))
            row.marked = False
        with self._waiting():
            await clocks.turn(chat, rank, counts=counts)

    async def _call(self, row: OutRow, chat: str, target: int | None) -> float | None:
        deliver = self.way(row.protocol, row.bot).server.deliver
        return await self.called(row, chat, partial(deliver, self.delivery(row, chat, target)))

    async def called(self, row: OutRow, chat: str, outcome: Callable[[], Awaitable[Sent]]) -> float | None:
        """Writes what becomes of its call. Returns as `_send`."""
        clocks = self._clocks(row)
        try:
            sent = await outcome()
        except Flooded as error:
            self.way(row.protocol, row.bot).doubts.answered(row.pk)
            self.floods += 1
            seconds = self._seconds(row, error)
            clocks.flooded(chat, seconds)
            await self._again(row, str(error), seconds)
            return 0.0  # The clocks know how long.
        except _NotYet:
            await self.commit(Mark(row, Status.QUEUED))
            return 0.0
        except Later as error:
            return await self._later(row, error)
        except Unknown as error:
            return await self._unknown(row, str(error))
        except Moved as error:
            return await self._move(row, error)
        except NotReady:
            raise
        except Refused as error:
            self._answered(row)
            await self._fail(row, str(error), blocked=error.blocked, gone=error.gone)
        except Exception as error:
            logger.exception("Message %s could not be delivered.", row.pk)
            await self._fail(row, f"Could not be delivered ({type(error).__name__})")
        else:
            mark = self.succeeded(row, sent)
            try:
                marking = self.submit_end(row, mark, chat)
            except NotReady:
                await self.commit(mark)
            else:
                await self.commit(mark, attempt=marking)
        return None

    def succeeded(self, row: OutRow, sent: Sent) -> Mark:
        self._answered(row)
        return Mark(row, Status.SENT, external_id=sent.id, result=sent.result, reports=self._handles(row, "result"))

    def submit_end(self, row: OutRow, mark: Mark, chat: str) -> "asyncio.Future[Any]":
        """What waits behind it is marked in the same transaction: with one of its own, each would wait for two."""
        waiting = self._next(row, chat)
        if waiting is not None:
            ahead = self._engine.submit_in_company(Mark(waiting, Status.SENDING))
            ahead.add_done_callback(partial(self._marked_ahead, waiting))
        elif not self._is_awaited(row):
            return self._engine.submit_in_company(mark)
        return self._engine.submit(mark)

    def _marked_ahead(self, row: OutRow, marking: "asyncio.Future[bool]") -> None:
        """Before the other one's end is heard of, which was asked for later. Where it fails, its turn marks it."""
        if marking.exception() is None and row.pk in self.rows:
            self.rows[row.pk].marked = marking.result()

    def _next(self, row: OutRow, chat: str) -> OutRow | None:
        """What can be called as soon as that row has its end. One that is sent at most once is in doubt for no longer
        than it must be."""
        found = self._backlog.behind(row)
        if found is None or found.marked or found.due_in > 0 or found.at_most_once or self._closed:
            return None
        if found.announcement or found.kind == Kind.EDIT or not chat or self._chat(found) != chat:
            return None
        lets = self._clocks(row).lets_another(chat, _rank(found), counts=found.kind != Kind.CALL)
        return found if lets and not self._engine.may_be_dead else None

    def _is_awaited(self, row: OutRow) -> bool:
        """Whether something waits for the end of this row: the next one, the bot's handler of its result, a stop."""
        return bool(row.ref) or self._closed or self._engine.stopping or not self._backlog.is_last(row)

    def _answered(self, row: OutRow) -> None:
        way = self.way(row.protocol, row.bot)
        way.clocks.let_in()
        way.doubts.answered(row.pk)

    async def _fail(self, row: OutRow, reason: str, *, blocked: bool = False, gone: bool = False) -> None:
        reports, farewell = self._handles(row, "result"), self._handles(row, "disconnect")
        mark = Mark(row, Status.FAILED, reason, reports=reports, blocked=blocked, gone=gone, farewell=farewell)
        await self.commit(mark)

    async def commit(self, operation: Operation[Any], *, attempt: "asyncio.Future[Any] | None" = None) -> None:
        """Of what has happened outside: it cannot be undone, so it is written however long that takes. `attempt`: the
        first one, where it was made already."""
        while True:
            try:
                await (attempt or self._engine.submit(operation))
                return
            except KeyError:
                raise
            except NotReady:
                if self._closed:
                    raise
            except Exception as error:
                logger.exception("What became of a message could not be written (%s).", type(error).__name__)
                operation = _plainer(operation)
            attempt = None
            await asyncio.sleep(RETRY_SECONDS)

    def _handles(self, row: OutRow, method: str) -> bool:
        return self._engine.handles(row.protocol, row.bot, method)

    async def _patiently(self, function: Callable[..., T], *args: Any) -> T:
        """Reads, however long the database is away."""
        while True:
            try:
                return await self._engine.read(function, *args)
            except DatabaseError as error:
                logger.warning("A send waits for the database (%s).", type(error).__name__)
            await asyncio.sleep(FIRST_PAUSE_SECONDS)

    def delivery(self, row: OutRow, chat: str, target: int | None = None) -> Delivery:
        async def part_sent(external_id: int) -> None:
            row.parts.append(external_id)
            await self.commit(PartSent(row, list(row.parts)))

        def next_call() -> None:
            if self._closed or not self._clocks(row).take_another(chat, _rank(row)):
                raise _NotYet("The next part waits for its turn.")

        return Delivery(
            row.pk,
            row.bot,
            row.method,
            row.params,
            row.text,
            row.address,
            list(row.parts),
            target,
            part_sent,
            next_call,
        )

    def _seconds(self, row: OutRow, error: Later) -> float:
        if error.seconds is not None:
            return error.seconds
        seconds: float = min(FIRST_PAUSE_SECONDS * 2 ** min(row.sends, 10), LONGEST_PAUSE_SECONDS)
        return seconds * random.uniform(0.75, 1.25)  # noqa: S311  # jitter

    async def _again(self, row: OutRow, reason: str, seconds: float, *, unknown: bool = False) -> float:
        self.retried += 1
        row.sends += 1
        await self.commit(Mark(row, Status.QUEUED, reason, due_in=seconds, unknown=unknown))
        row.unknowns += unknown
        return seconds

    async def _later(self, row: OutRow, error: Later) -> float | None:
        if not self._is_hopeless(row):
            return await self._again(row, str(error), self._seconds(row, error))
        reason = _given_up(row, str(error))
        if row.unknowns:
            await self.commit(Mark(row, Status.UNKNOWN, reason))
        else:
            await self._fail(row, reason)
        return None

    async def _unknown(self, row: OutRow, reason: str) -> float | None:
        self.unknown += 1
        stays = row.at_most_once or self._is_hopeless(row)
        logger.error(
            "Message %s: nobody knows whether the call was done (%s); %s.",
            row.pk,
            reason,
            "it stays unknown" if stays else "it is made again",
            extra=event("unknown_send"),
        )
        if not stays:
            return await self._again(row, reason, self._seconds(row, Later(reason)), unknown=True)
        if not row.at_most_once:
            reason = _given_up(row, reason)
        await self.commit(Mark(row, Status.UNKNOWN, reason, unknown=True))
        return None

    def _is_hopeless(self, row: OutRow) -> bool:
        way = self.way(row.protocol, row.bot)
        return way.doubts.is_hopeless(row.pk, way.server.contact_ages().get(row.bot))

    async def _move(self, row: OutRow, error: Moved) -> float | None:
        """The chat's conversations go along to its new id, and the row to its new address."""
        await self.commit(MoveChat(row.protocol, row.bot, error.to))
        for moved in await self._patiently(leaving.rows, [row.pk], Status.SENDING):
            if moved.params != row.params:
                self.rows[row.pk] = moved
                await self.commit(Mark(moved, Status.QUEUED))
                return 0.0
        await self._fail(row, str(error))
        return None


def _plainer(operation: Operation[Any]) -> Operation[Any]:
    """The same without what may be the reason why it cannot be written: what the outside says in answer."""
    if not isinstance(operation, Mark) or operation.status not in (Status.SENT, Status.FAILED):
        return operation
    return Mark(operation.row, operation.status, operation.error, external_id=operation.external_id)


class _NotYet(Later):
    """A text of several parts gives its turn back between two of them."""


def _given_up(row: OutRow, reason: str) -> str:
    """Why, in words for operators; it is told in the log as well."""
    calls = row.sends + 1
    logger.error(
        "Message %s is given up after %d calls without a clear answer, while its bot is answered otherwise (%s). What "
        "waits behind it goes on; it can be sent again.",
        row.pk,
        calls,
        reason,
        extra=event("given_up"),
    )
    return f"Given up after {calls} calls without a clear answer. The last: {reason}"


def _rank(row: OutRow) -> int:
    if row.announcement:
        return ANNOUNCEMENT
    return OPERATOR if row.sender == Sender.OPERATOR else BOT
