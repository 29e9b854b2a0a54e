"""The front door of the engine: accept, say, take, release. Owns the writer, the live conversations, the outbox and the
rings; knows no protocol by name.

A message's trip: `accept` → writer (row committed) → `_committed` → Lane.put → Instance → `say_later` → writer →
`_committed` → Outbox.put → protocol.deliver → writer (sent). Everything here is for the loop's thread.
"""

import asyncio
import contextlib
import logging
import time
from collections.abc import Callable, Coroutine, Iterable, Sequence
from dataclasses import replace
from functools import lru_cache
from typing import Any, TypeVar
from uuid import UUID

from django.conf import settings
from django.db import DatabaseError, InterfaceError, OperationalError, connection
from django.utils import timezone

from gateway import __version__, bot_tasks, dialect, hints, layers, node, owners, queries, recovery
from gateway.announcer import Announcer
from gateway.conversations import Lanes
from gateway.deadlines import Deadlines
from gateway.direct import make_direct
from gateway.early import Early
from gateway.errors import Deleted, NotReady
from gateway.fields import clean
from gateway.figures import Figures
from gateway.handlers import Route, find_route
from gateway.hearing import Hearing
from gateway.housekeeping import Housekeeping
from gateway.logs import event
from gateway.members import Members
from gateway.metrics import Metrics, refused
from gateway.models import Conversation, Kind, Message, Node, Status
from gateway.outbox import Outbox
from gateway.pool import Pools
from gateway.protocols import ProtocolServer, find_protocols
from gateway.pulse import Pulse
from gateway.quarantine import Quarantine
from gateway.recorder import Recorder, last_words
from gateway.ring import Ring
from gateway.slow import Slow
from gateway.timeouts import Timeouts
from gateway.transcript import Accept, Adopt, Group, Mark, OperatorSay, Release, Say, Take
from gateway.transcript.feeding import PutBack, in_row
from gateway.transcript.mending import Drop, Replay, Resend, TakeUp
from gateway.transcript.noting import name_of
from gateway.transcript.rows import MessageRow
from gateway.transcript.saying import IMMEDIATE, out_row
from gateway.types import Application, Inbound, Receipt
from gateway.watch import Watch
from gateway.writer import LONGEST_QUEUE, Operation, Writer

logger = logging.getLogger(__name__)

T = TypeVar("T")

ACCEPT_SECONDS = 1.5
READ_SECONDS = 4.0
UNREAD_SECONDS = 1.0
DRAIN_SECONDS = 25.0
# A database that was away for so long at a stop is not waited for.
AWAY_SECONDS = 3.0
FAREWELL_SECONDS = 3.0
ENDING_AT_ONCE = 4
TICK_SECONDS = 0.25
# So much longer may a call that was answered be in doubt, should the process die.
COMPANY_SECONDS = 0.01
LOOK_SECONDS = 1.0

LOST = (
    "Another gateway process has taken over what this one had, because it stood still for seconds. It writes and "
    "delivers nothing more, and ends. What it had in hand is the other one's now."
)

_current: "Engine | None" = None


def current() -> "Engine":
    """The engine of this process. Raises NotReady before its start and after its stop."""
    if _current is None:
        raise NotReady("The gateway is not running in this process.")
    return _current


class Engine:
    """One gateway in one process and loop. `start` and `stop` once each.

    `application` and `protocols`: instead of ASGI_APPLICATION's map and the protocols of gateway's folders.
    """

    def __init__(
        self, application: Application | None = None, protocols: Sequence[type[ProtocolServer]] | None = None
    ) -> None:
        self.application = application
        self._protocols = protocols
        self.timeout = float(settings.CONVERSATION_TIMEOUT)
        self.holder_timeout = float(settings.HOLDER_TIMEOUT)
        self.stopping = self.draining = False
        self.lost = asyncio.Event()
        """Set once another gateway has taken the database over: this process is to end."""
        self.pools = Pools(int(settings.HANDLER_THREADS_MAX), int(settings.HANDLER_CONNECTIONS_MAX))
        self.metrics = Metrics()
        self.figures = Figures(self.read)
        self.watch = Watch(self)
        self.lanes = Lanes(self)
        self.slow = Slow(self)
        self.most_sends = int(settings.HANDLER_SENDS_MAX)
        self.outbox = Outbox(self)
        self.announcer = Announcer(self, lambda: None if self._node is None else self._node.pk)
        self.housekeeping = Housekeeping(self)
        self.deadlines = Deadlines()
        self.early = Early(asyncio.get_running_loop())
        self.protocols: dict[str, ProtocolServer] = {}
        self.quarantine = Quarantine()
        self.bots = frozenset({"bot", *settings.TELEGRAM_BOTS})
        self._loop = asyncio.get_running_loop()
        self.time = self._loop.time
        self.writer = Writer(self._loop, self._committed)
        self.writer.memory.is_live = self.lanes.is_live
        self.ring = Ring(self.read)
        self.members = Members(self)
        self.hearing = Hearing(self)
        self.route = lru_cache(maxsize=10_000)(self._find_route)
        # By protocol, bot and method, which may be anything that comes from outside: every message asks several times.
        self.handles = lru_cache(maxsize=2000)(self._handles)
        self.is_neutral = lru_cache(maxsize=2000)(self._is_neutral)
        self.pulse = Pulse()
        self._accepting = Timeouts(self._loop)
        self._unread_until = 0.0
        # After a long absence thousands end at once: the readers have others to serve as well.
        self._ending = asyncio.Semaphore(ENDING_AT_ONCE)
        self._node: Node | None = None
        self._tasks: set[asyncio.Task[Any]] = set()
        self._operators: dict[int, float] = {}
        self._own_operators: dict[int, float] = {}
        self._held: set[UUID] = set()
        self._used = self.time(), time.process_time()

    # Start and stop

    async def start(self) -> None:
        """Takes the lease, puts right what a crash left, then lets the protocols in.

        Raises AlreadyRunning where another gateway has the database.
        """
        joined = await self.read_at_leisure(owners.join)
        mine = joined.node
        self._node, self.recorder = mine, Recorder(mine.pk)
        self.pulse.heard()
        self.writer.lease = mine.pk
        self.spawn(self._beat())  # From now on: however long the recovery takes, this process is alive.
        self.writer.start()
        bot_tasks.guard(self._loop)
        self._loop.set_default_executor(self.pools.others)
        for make in find_protocols() if self._protocols is None else self._protocols:
            self.protocols[make.scope_type] = make(self)
        IMMEDIATE.update(name for name, protocol in self.protocols.items() if protocol.immediate)
        layers.shelter_configured()
        self.ring.start(mine.pk, lambda: self.members.peers, self._called)
        await self._take_up_all(joined)
        if self.members.shared:
            self.spawn(self.members.run())
        for job in (
            self._tick(),
            self._look(),
            self.slow.watch(),
            self.watch.run(),
            self.announcer.run(),
            self.housekeeping.run(),
        ):
            self.spawn(job)
        _set_current(self)
        for protocol in self.protocols.values():
            await protocol.start()
        self.outbox.open()

    async def stop(self) -> None:
        """Takes nothing more in, lets what is in hand finish, then writes what is left and gives the lease back.

        All within DRAIN_SECONDS: what has not finished by then is fed again by the next process. A database that is
        away is not waited for.
        """
        deadline = self.time() + DRAIN_SECONDS
        logger.info("Stopping: nothing more is taken in; what is in hand is finished.")
        self.stopping = True
        await asyncio.gather(*(protocol.stop_accepting() for protocol in self.protocols.values()))
        await self._until(deadline - FAREWELL_SECONDS, [self.members.hand_over()])
        self.draining = True
        self.quarantine.end()
        await self._until(deadline - FAREWELL_SECONDS, [lane.until_settled() for lane in self.lanes.all()])
        await self._until(deadline, [lane.shut_down() for lane in self.lanes.all()])
        await self._until(deadline, [self.writer.written()])
        await self._until(deadline, [self.outbox.drain(max(deadline - self.time(), 0.1))])
        if self.is_cut_off:
            await self.outbox.drain(0.1)
        _set_current(None)
        for task in self._tasks:
            task.cancel()
        await self.writer.stop()
        for protocol in self.protocols.values():
            await protocol.stop()
        if self._node is not None and not self.is_cut_off:
            with contextlib.suppress(DatabaseError):  # Whoever comes next sees that this lease does not move.
                await self.read(owners.leave, self._node.pk, self.members.peers)
                for peer in self.members.peers:
                    self.ring.call(peer)
                self.recorder.close()
        await self.ring.stop()
        self.pulse.stop()
        self.pools.shutdown()

    async def _until(self, deadline: float, jobs: "list[Coroutine[Any, Any, None]]") -> None:
        late = {asyncio.ensure_future(job) for job in jobs}
        while late and self.time() < deadline and not self.is_cut_off:
            _, late = await asyncio.wait(late, timeout=max(min(deadline - self.time(), TICK_SECONDS), 0.01))
        for task in late:
            task.cancel()

    @property
    def is_cut_off(self) -> bool:
        """Nothing can be settled any more, or not soon."""
        return self.lost.is_set() or max(self.pulse.silent_for, self.writer.stuck_for) > AWAY_SECONDS

    async def _take_up_all(self, joined: owners.Joined) -> None:
        """What this process has from the start, and what those who had it before have not finished."""
        words = [last_words(dead) for dead in joined.dead]
        running = None if None in words else {row for known in words for row in known or ()}
        self.members.begin(joined.node.pk, joined.parts, shared=node.is_shared())
        await recovery.recover(self, joined.parts, running)
        await self.outbox.load()
        found = await recovery.look(self, joined.parts)
        recovery.begin(self, joined.parts, replace(found, queued=()))
        await self.adopt(found.orphans)

    @property
    def may_be_dead(self) -> bool:
        """To the others: for so long they may not have seen this process move."""
        return self.members.shared and (self.lost.is_set() or self.pulse.silent_for > node.DOUBT_SECONDS)

    # The front door

    async def accept(self, inbounds: Sequence[Inbound]) -> list[Receipt]:
        """Commits updates, in this order, and gives a receipt for each. Raises NotReady where they are not stored."""
        if self.draining or self.writer.waiting > LONGEST_QUEUE:
            refused("accept", "draining" if self.draining else "writer_full")
            raise NotReady("The gateway is stopping, or has more to write than it can.")
        jobs = [self.submit(self._accept_operation(inbound)) for inbound in inbounds]
        receipts: list[Receipt] = []
        self._accepting.begin(jobs, ACCEPT_SECONDS)
        try:
            for inbound, job in zip(inbounds, jobs, strict=True):
                try:
                    receipts.append((await job)())
                except (Exception, asyncio.CancelledError) as error:
                    receipts.append(await self._not_accepted(inbound, error))
        finally:
            self._accepting.end(jobs)
        self.metrics.received(inbounds, receipts)
        return receipts

    async def _not_accepted(self, inbound: Inbound, error: BaseException) -> Receipt:
        if isinstance(error, asyncio.CancelledError):
            if (task := asyncio.current_task()) is None or task.cancelling():
                raise error
            raise _too_slow() from None
        if isinstance(error, NotReady) or inbound.update_id is None:
            raise error
        logger.error("An update of bot %s could not be written (%s).", inbound.bot, type(error).__name__)
        return await self._without_words(inbound, error)

    async def _without_words(self, inbound: Inbound, error: BaseException) -> Receipt:
        """An update that cannot be written as it is becomes a dead letter: refused, it would come again for ever."""
        try:
            async with asyncio.timeout(ACCEPT_SECONDS):
                return (await self.submit(self._accept_operation(dead_letter(inbound, error))))()
        except TimeoutError:
            raise _too_slow() from None

    def _accept_operation(self, inbound: Inbound) -> Accept:
        protocol, bot = inbound.protocol, inbound.bot
        handled = not inbound.error and self.handles(protocol, bot, inbound.method)
        neutral = handled and self.is_neutral(protocol, bot, inbound.method)
        return Accept(inbound, handled, self.handles(protocol, bot, "disconnect"), self.quarantine.is_over, neutral)

    def methods(self, protocol: str, bot: str) -> set[str] | None:
        """The update kinds that the bot's application handles; None: it is no Channels consumer and takes all."""
        route = self.route(protocol, bot)
        return set() if route is None else dialect.handled_methods(protocol, route)

    def routes(self, protocol: str, bot: str) -> bool:
        return self.route(protocol, bot) is not None

    def _handles(self, protocol: str, bot: str, method: str) -> bool:
        route = self.route(protocol, bot)
        # Without any application the row is fed nonetheless: it fails, and says which entry of the map is missing.
        return route is None or dialect.feeding_name(protocol, method, route) is not None

    def _is_neutral(self, protocol: str, bot: str, method: str) -> bool:
        """Whether the application gets it under a name that has no words for what is a protocol's own."""
        route = self.route(protocol, bot)
        name = None if route is None else dialect.feeding_name(protocol, method, route)
        return name is not None and name.startswith("chat.")

    async def take(self, uuid: str, user: Any) -> None:
        pk = await self.submit(Take(uuid, user))
        self.deadlines.clear(pk)
        self.operator_seen(user.pk)

    async def release(self, uuid: str, user: Any) -> None:
        pk = await self.submit(Release(uuid, user, self._wants_resume, self.timeout))
        self.deadlines.set(pk, self.time() + self.timeout)

    async def say(self, uuid: str, user: Any, *, client_id: str, text: str, seen: int) -> Receipt:
        """An operator's words. Raises Denied with the admin socket's code, Unsendable for what cannot be said."""
        name, address = await self.read(queries.address, uuid)
        outbound = self.protocols[name].compose("send_message", {"text": text}, address=address, event=None)
        key = f"o:{user.pk}:{client_id}"
        receipt = await self.submit(OperatorSay(uuid, user, name_of(user), key, outbound, seen))
        return receipt()

    async def resend(self, row: int, user: Any, *, conversation: int | None = None) -> None:
        """Sends a `failed` or `unknown` row again. Raises Denied("unknown_row"), Denied("not_possible")."""
        await self.submit(Resend(row, name_of(user), conversation, user))

    async def drop(self, row: int, user: Any, *, conversation: int | None = None) -> None:
        """Gives a `failed`, `unknown` or `queued` row up. Raises as `resend`."""
        await self.submit(Drop(row, name_of(user), conversation, user))

    async def replay(self, row: int, user: Any, *, conversation: int | None = None) -> None:
        """Feeds a `dead` or `failed` row to the bot again. Raises as `resend`, and Denied("held")."""
        await self.submit(Replay(row, name_of(user), conversation, user))

    def operator_seen(self, user_pk: int) -> None:
        """The operator's socket is open. To be called at least every 30 s, or their conversations are released."""
        self._operators[user_pk] = self._own_operators[user_pk] = self.time()

    def operator_elsewhere(self, user_pk: int, ago: float) -> None:
        """The same, of a socket of another process, so many seconds ago."""
        self._operators[user_pk] = max(self._operators.get(user_pk, 0.0), self.time() - ago)

    def _told(self) -> dict[str, Any]:
        """What the other processes, and the console, are to know of this one."""
        now = self.time()
        ages = {user: round(now - at, 1) for user, at in self._own_operators.items()}
        return {
            "version": __version__,
            "operators": [[user, age] for user, age in ages.items() if age < self.holder_timeout],
            "conversations": len(self.lanes),
            "waiting": self.writer.waiting,
            "queued": len(self.outbox),
            "parked": self.outbox.parked(),
            "lag": round(max(self.watch.lag, 0.0), 3),
            "processor": round(self._processor_share(), 3),
            "intakes": [f"{name} {bot}" for name, server in self.protocols.items() for bot in server.intakes()],
        }

    def _processor_share(self) -> float:
        """How much of a core this process has used since it was last asked."""
        before, self._used = self._used, (self.time(), time.process_time())
        return (self._used[1] - before[1]) / max(self._used[0] - before[0], 0.001)

    def health(self) -> dict[str, str]:
        """What is wrong, part by part; empty when all is well."""
        database = self.writer.trouble or self.pulse.trouble
        ills = {"database": database, "layer": self.ring.trouble, "handlers": self.pools.trouble}
        ills = {part: trouble for part, trouble in ills.items() if trouble}
        for protocol in self.protocols.values():
            ills |= protocol.health()
        return ills

    def contact_ages(self) -> dict[str, float | None]:
        """Seconds since the last word of the database, and of the outside to each protocol's bots; None: never yet."""
        of_bots = {
            f"{name} {bot}": age
            for name, server in self.protocols.items()
            for bot, age in server.contact_ages().items()
        }
        return {"database": self.pulse.silent_for, **of_bots}

    # For the rooms inside

    def submit(self, operation: Operation[T]) -> "asyncio.Future[T]":
        return self.writer.submit(operation)

    def submit_later(self, operation: Operation[T]) -> "asyncio.Future[T]":
        """Queues what nobody need wait for; a failure is logged."""
        later = self.submit(operation)
        later.add_done_callback(_log_failure)
        return later

    def submit_in_company(self, operation: Operation[T]) -> "asyncio.Future[T]":
        """Of what nothing waits for: it is committed with whatever comes next, and alone after COMPANY_SECONDS."""
        return self.writer.submit_soon(operation, COMPANY_SECONDS)

    def say_later(self, say: Say) -> "asyncio.Future[Any]":
        """Its handler may be about to end: then both are one transaction."""
        said = self.writer.submit_soon(say)
        said.add_done_callback(_log_failure)
        return said

    async def read(self, function: Callable[..., T], *args: Any) -> T:
        """Runs a function that reads the database on a reader's thread.

        Raises OperationalError where no answer comes within READ_SECONDS; from then on for a moment at once.
        """
        if self.time() < self._unread_until:
            raise OperationalError("The database has just failed to answer.")
        try:
            async with asyncio.timeout(READ_SECONDS):
                return await self.read_at_leisure(function, *args)
        except (TimeoutError, OperationalError, InterfaceError) as error:
            self._unread_until = self.time() + UNREAD_SECONDS
            raise OperationalError(f"The database does not answer ({type(error).__name__}).") from error

    async def read_at_leisure(self, function: Callable[..., T], *args: Any) -> T:
        """The same, however long it takes."""
        return await self._loop.run_in_executor(self.pools.readers, _reading, function, args)

    def spawn(self, job: "Coroutine[Any, Any, Any] | asyncio.Future[Any]") -> None:
        task = asyncio.ensure_future(job)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        task.add_done_callback(_log_failure)

    def _find_route(self, protocol: str, bot: str) -> Route | None:
        route = find_route(protocol, f"/{bot}/", self.application)
        if route is not None and route.consumer is not None:
            make_direct(route.consumer)
        return route

    def _committed(self, group: Group) -> None:
        """Rows are safe: ring, feed and deliver."""
        self.metrics.committed(group)
        if group.heard:
            self.hearing.found(group.heard)
        for conversation, message in group.inbox:
            if self._goes_on_here(conversation, message):
                self.lanes.get(conversation).put_if_unknown(in_row(message))
        for conversation, message in group.again:  # Of what is in hand its lane knows.
            if self._goes_on_here(conversation, message):
                self.lanes.get(conversation).put_if_unknown(in_row(message, unfed=True))
        for conversation, message in group.outbox:
            if self._goes_on_here(conversation, message):
                self.outbox.put(out_row(conversation, message, group.now))
        if self.members.shared:
            for conversation in group.changed():
                self._tell_owner(conversation)
        self.ring.ring(group.news, group.written)  # Last: a listener that raises must not keep words from their way.
        for pk, hint in hints.of_group(group):
            self.ring.hint(pk, hint)

    def _goes_on_here(self, conversation: Conversation, message: Message) -> bool:
        """Otherwise its rows are read: by its owner, or here together with what others have left in it before."""
        if conversation.part not in self.members.mine:
            self.let_go(conversation, message)
            return False
        # What is marked already found nothing that waited.
        if message.status in (Status.IN_HAND, Status.SENDING) or self.hearing.has_heard(conversation):
            return True
        self.hearing.hear([conversation.pk])
        return False

    def let_go(self, conversation: Conversation, message: Message) -> None:
        """It was marked as this process's to go on with, which has given its part away since."""
        if message.status == Status.IN_HAND and isinstance(message, MessageRow):
            self.submit_later(PutBack(in_row(message)))
        elif message.status == Status.SENDING:
            self.submit_later(Mark(out_row(conversation, message, timezone.now()), Status.QUEUED))

    def _tell_owner(self, conversation: Conversation) -> None:
        owner = self.members.owner(conversation.part)
        if conversation.part not in self.members.mine and owner is not None:
            self.ring.call(owner, conversation.pk)

    def _called(self, conversations: set[int], look: bool) -> None:
        self.hearing.hear(conversations)
        if look:
            self.members.call()

    def _wants_resume(self, conversation: Conversation) -> bool:
        return self.handles(conversation.protocol, conversation.bot.name, "resume")

    # What happens by itself

    async def _beat(self) -> None:
        while True:
            await asyncio.sleep(node.BEAT_SECONDS)
            if self._node is not None and not await self.pulse.beat(self._node, self._told()):
                logger.critical(LOST, extra=event("lost_lease"))
                self._node = None
                _set_current(None)
                self.stopping = self.draining = True
                self.lost.set()

    async def _tick(self) -> None:
        while True:
            await asyncio.sleep(TICK_SECONDS)
            if self.writer.stuck_for > TICK_SECONDS:
                self.writer.drop_cancelled()
            for pk in self.deadlines.pop_due(self.time()):
                self.spawn(self.end_idle(pk))

    async def end_idle(self, pk: int) -> None:
        """Ends a scope whose time has come, unless somebody is attended to after all."""
        async with self._ending:
            try:
                lane = self.lanes.known(pk) or self.lanes.get(await self.read(queries.by_pk, pk))
            except (OperationalError, InterfaceError):
                self.deadlines.set(pk, self.time() + UNREAD_SECONDS)
                return
            if not lane.at_work and pk not in self.deadlines:  # Else it has been answered meanwhile.
                await lane.end("idle", idle=True)
            self.lanes.forget_idle(lane)

    async def _look(self) -> None:
        while True:
            try:
                await self.outbox.look()
                for pk in await self.read(queries.to_be_replayed, self.members.mine):
                    await self.submit(TakeUp(pk))
                if self.members.shared:
                    await self.hearing.look()
                await self._release_vanished()
            except Exception as error:
                logger.debug("Could not look at the rows: %s", type(error).__name__)
            await asyncio.sleep(LOOK_SECONDS)

    async def _release_vanished(self) -> None:
        held = await self.read(queries.held, self.members.mine)
        for uuid, holder in held:
            seen = self._operators.setdefault(holder, self.time())
            if self.time() - seen > self.holder_timeout:
                pk = await self.submit(Release(str(uuid), None, self._wants_resume, self.timeout, vanished=holder))
                self.deadlines.set(pk, self.time() + self.timeout)
        orphans = self._held - {uuid for uuid, _ in held}
        self._held = {uuid for uuid, _ in held}
        await self.adopt(orphans)

    async def adopt(self, uuids: Iterable[UUID]) -> None:
        """A holder who is deleted leaves no word: the conversation is simply nobody's, and its clock stands."""
        for uuid in uuids:
            pk = await self.submit(Adopt(uuid, self._wants_resume, self.timeout))
            if pk is not None:
                self.deadlines.set(pk, self.time() + self.timeout)


def _set_current(engine: Engine | None) -> None:
    global _current
    _current = engine


def _too_slow() -> NotReady:
    refused("accept", "too_slow")
    return NotReady(f"Could not be stored within {ACCEPT_SECONDS} s.")


def _log_failure(future: "asyncio.Future[Any]") -> None:
    error = None if future.cancelled() else future.exception()
    if error is not None and not isinstance(error, NotReady | Deleted):
        logger.error("Something could not be done (%s).", type(error).__name__, exc_info=error)


def _reading(function: Callable[..., T], args: tuple[Any, ...]) -> T:
    try:
        return function(*args)
    except (OperationalError, InterfaceError):
        # The connection may have died while nobody used it: once more, on a fresh one.
        connection.close()
        return function(*args)
    finally:
        if connection.errors_occurred:
            connection.close()


def dead_letter(inbound: Inbound, error: BaseException) -> Inbound:
    """The same update without anything that the database may have refused."""
    return Inbound(
        inbound.protocol,
        inbound.bot,
        key="unwritable",
        kind=Kind.UPDATE,
        method=clean(inbound.method)[:64],
        event={"update": repr(inbound.event)[:10_000]},
        update_id=inbound.update_id,
        error=f"Could not be written: {type(error).__name__}",
    )
