"""One live conversation: strict order, one instance at a time, its scope's beginning and ends."""

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Coroutine
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

from gateway import dialect, failures, hints
from gateway.errors import Deleted, NotReady
from gateway.handlers import Route
from gateway.instance import Fed, Instance, Outcome
from gateway.logs import about
from gateway.models import UNSETTLED, Conversation, Kind, Message, Sender, Status
from gateway.pool import Place
from gateway.scope import make_scope
from gateway.transcript import Begin, Begun, End, InRow, Say, Settle
from gateway.transcript.feeding import PutBack, Tell, in_row
from gateway.types import Event, Outbound

if TYPE_CHECKING:
    from gateway.engine import Engine

logger = logging.getLogger(__name__)

LONGEST_QUEUE = 1000
RELOADED_ROWS = 500
MOST_INSTANCES = 3
ASKING = (Kind.MESSAGE, Kind.BUTTON)
"""Somebody waits for what becomes of these."""
RETRY_SECONDS = 1.0
SHUTDOWN_SECONDS = 2.0
LOOK_SECONDS = 0.01
SHUTDOWN = InRow(0, 0, Kind.DISCONNECT, "disconnect", {"code": "shutdown"}, "", 0)
"""The one event that is no row: it ends the instance, and the scope goes on in the next process."""


class Ahead(NamedTuple):
    """The row that is being taken in hand while the one before it ends. `ends`: how often the scope had ended then."""

    row: InRow
    ends: int
    begin: "asyncio.Future[Begun]"


class Lane:
    """One conversation while it is live. `put` a committed row; it is fed when those before it are settled."""

    def __init__(self, engine: "Engine", conversation: Conversation, route: Route | None) -> None:
        self.engine = engine
        self.pk = conversation.pk
        self.uuid = str(conversation.uuid)
        self.protocol = conversation.protocol
        self.bot = conversation.bot.name
        self.part = conversation.part
        self.address: dict[str, Any] = conversation.address
        self.route = route
        self.in_hand: InRow | None = None
        self._queue: list[InRow] = []
        self._left_in_rows = self._missed = False
        self._instance: Instance | None = None
        self._place: Place | None = None
        self._pump: asyncio.Task[None] | None = None
        self._ahead: Ahead | None = None
        self._ends = self._ending = 0
        self._taken: tuple[int, int] | None = None
        self._abandoned = self._leaving = False

    @property
    def idle(self) -> bool:
        """Nothing here that could not be made again from the rows."""
        still = not self.at_work and self._instance is None and not self._queue and not self._ending
        return still and not (self._place is not None and self._place.busy)

    @property
    def at_work(self) -> bool:
        """Rows are being fed: whoever settles the last one sets the clock."""
        return self._pump is not None or self.in_hand is not None

    @property
    def alive(self) -> bool:
        return self._instance is not None

    @property
    def may_rest(self) -> bool:
        """Its instance is there for the next event alone, and the session holds all that it keeps."""
        return self._instance is not None and self.route is not None and self.route.state_in_session

    def evict(self) -> bool:
        """Lets the instance go; the next row makes it again, as after a restart. False: something is under way."""
        if self.at_work or self._queue or self._ending or self._instance is None or not self._instance.is_settled:
            return False
        self.dispose()
        return True

    def put(self, row: InRow) -> None:
        if row.begun is not None:
            self._note_taken(row)
        if _comes_first(row):
            self._queue.insert(0, row)
        elif self._left_in_rows or len(self._queue) >= LONGEST_QUEUE:
            self._left_in_rows = self._missed = True
        else:
            self._queue.append(row)
        self.wake()

    def _note_taken(self, row: InRow) -> None:
        """It came while nothing waited: what it begins with holds, unless its scope ends before it is fed."""
        if self._is_ending:
            self.engine.submit_later(PutBack(row))
        elif not self._queue and not self._left_in_rows and not self._ending:
            self._taken = row.pk, self._ends

    def put_if_unknown(self, row: InRow) -> None:
        """A row that may be here already: delivered again, or read from the table before its commit was told."""
        in_hand = self.in_hand is not None and self.in_hand.pk == row.pk
        in_hand = in_hand or (self._ahead is not None and self._ahead.row.pk == row.pk)
        is_newest = not self._queue or self._queue[-1].pk < row.pk
        if not in_hand and (is_newest or all(row.pk != waiting.pk for waiting in self._queue)):
            self.put(row)

    def put_all_from_rows(self) -> None:
        self._left_in_rows = True
        self.wake()

    def wake(self) -> None:
        if not self.at_work and not self._has_to_wait:
            self._go_on()

    def _go_on(self) -> None:
        if self._queue and self._is_usual(self._queue[0]):
            row = self.in_hand = self._queue.pop(0)
            try:
                self._begin_straight(row)
            except Exception as error:
                self._go_patiently(_fail(error))
        else:
            self._pump = asyncio.create_task(self._run())

    def _go_on_or_rest(self) -> None:
        if (self._queue or self._left_in_rows) and not self._has_to_wait:
            self._go_on()
        else:
            self.engine.lanes.rest(self)

    @property
    def _is_ending(self) -> bool:
        return self._leaving or self.engine.draining

    @property
    def _has_to_wait(self) -> bool:
        """For the end of its scope that is being written: its farewell goes before whatever waits."""
        return self._is_ending or self._ending > 0

    def leave(self) -> None:
        """Its part goes to another process: what is in hand is finished, and nothing more begun."""
        self._leaving = True

    def stay(self) -> None:
        """Its part stays after all."""
        self._leaving = False

    # Feeding

    @property
    def ids(self) -> dict[str, str]:
        return {"conversation": self.uuid, "bot": self.bot, "protocol": self.protocol}

    # The common course: begun, handled, settled. It takes no task, which would be a good part of what the loop has to
    # do for a message. As soon as anything is not as usual, a task goes on from there.

    def _is_usual(self, row: InRow) -> bool:
        return not row.feedings and row.kind != Kind.DISCONNECT and self.engine.quarantine.is_over

    def _begin_straight(self, row: InRow) -> None:
        if begun := self._still_taken(row):
            self._offer_straight(row, begun)
        else:
            self.engine.submit(self._beginning(row)).add_done_callback(partial(self._has_begun, row, self._ends))

    def _has_begun(self, row: InRow, ends: int, begin: "asyncio.Future[Begun]") -> None:
        if begin.cancelled() or begin.exception() is not None:
            self._go_patiently(begin)
        elif not begin.result().fed:
            self.in_hand = None
            self._go_on_or_rest()
        elif ends != self._ends:
            self._go_patiently(self._feed(row))
        else:
            self.engine.deadlines.clear(self.pk)
            self._offer_straight(row, begin.result())

    def _offer_straight(self, row: InRow, begun: Begun) -> None:
        try:
            offered = self._hand_over(row, begun)
        except Exception as error:
            self._go_patiently(_fail(error))
            return
        if isinstance(offered, Outcome):
            self._go_patiently(self._feed(row, offered))
        else:
            offered.add_done_callback(self._handled)

    def _handled(self, offered: "asyncio.Future[Outcome]") -> None:
        row, outcome = self.in_hand, offered.result()
        if row is None or (self._abandoned and isinstance(outcome.error, asyncio.CancelledError)):
            self.in_hand = None
            return
        try:
            self._handed_back(row)
            if self._is_plain(outcome):
                settle = Settle(row, Status.DONE, self.engine.timeout, session=outcome.session)
                self.engine.submit(settle).add_done_callback(self._settled)
                self._begin_ahead()
            else:
                self._go_patiently(self._feed(row, outcome))
        except Exception as error:
            self._go_patiently(_fail(error))

    def _is_plain(self, outcome: Outcome) -> bool:
        closing = self._instance is not None and self._instance.closing
        return outcome.begun and outcome.error is None and not outcome.ended and not closing

    def _begin_ahead(self) -> None:
        """The next row is taken in hand with the end of this one, in one transaction."""
        if self._queue and self._is_usual(self._queue[0]) and not self._has_to_wait:
            row = self._queue[0]
            self._ahead = Ahead(row, self._ends, self.engine.submit(self._beginning(row)))
            del self._queue[0]

    def _settled(self, settled: "asyncio.Future[bool]") -> None:
        ahead, self._ahead = self._ahead, None
        if settled.cancelled() or settled.exception() is not None:
            if ahead is not None:
                ahead.begin.add_done_callback(partial(self._put_back, ahead.row))
            self._go_patiently(settled)
            return
        self._tick_if(settled.result())
        self.in_hand = None if ahead is None else ahead.row
        if ahead is None:
            self._go_on_or_rest()
        elif ahead.ends == self._ends and not self._is_ending:
            ahead.begin.add_done_callback(partial(self._has_begun, ahead.row, ahead.ends))
        else:
            ahead.begin.add_done_callback(partial(self._wait_again, ahead.row))

    def _wait_again(self, row: InRow, begin: "asyncio.Future[Begun]") -> None:
        """A farewell goes first, or the next process."""
        if self._put_back(row, begin):
            self._queue.insert(1 if self._queue and _comes_first(self._queue[0]) else 0, row)
        self.in_hand = None
        self._go_on_or_rest()

    def _put_back(self, row: InRow, begin: "asyncio.Future[Begun]") -> bool:
        """False where it has had its end without having been fed, or could not be taken in hand."""
        begun = not begin.cancelled() and begin.exception() is None and begin.result().fed
        if begun:
            with contextlib.suppress(NotReady):
                self.engine.submit_later(PutBack(row))
        return begun

    def _go_patiently(self, first: Awaitable[object]) -> None:
        self._pump = asyncio.create_task(self._run(first))

    # Everything else

    async def _run(self, first: Awaitable[object] | None = None) -> None:
        """`first`: what is left to do for the row in hand."""
        about.set(self.ids)
        try:
            if first is not None:
                await first
                self.in_hand = None
            while not self._has_to_wait:
                if not self._queue and self._left_in_rows:
                    await self._reload()
                if not self._queue:
                    break
                self.in_hand = self._queue.pop(0)
                await self._feed_in_turn(self.in_hand)
                self.in_hand = None
        except NotReady:
            pass  # The gateway stops: the row stays as it is, and the next process feeds it.
        except Deleted:
            logger.info("Conversation %s was deleted; what it had in hand is of no use any more.", self.pk)
            self._queue.clear()
            self.dispose()
        except Exception:
            logger.exception("Conversation %s: could not go on; its rows are read again.", self.pk)
            self._left_in_rows = True
            self._queue.clear()
            self.dispose()  # Its session is no longer the one that was last settled.
            await asyncio.sleep(RETRY_SECONDS)
        finally:
            self.in_hand = None
            self._pump = None
        self._go_on_or_rest()

    async def _reload(self) -> None:
        """More rows than fit in memory stayed where they are; the rows are the queue."""
        self._missed = False
        rows = await self.engine.read(_unsettled_rows, self.pk)
        known = {row.pk for row in self._queue}
        self._queue.extend(row for row in rows if row.pk not in known)
        # What came while the rows were read may or may not be among them.
        self._left_in_rows = self._missed or len(rows) == RELOADED_ROWS

    async def _feed_in_turn(self, row: InRow) -> None:
        if self.engine.quarantine.condemns(row):
            await self._bury(row)
            return
        async with self.engine.quarantine.turn(row):
            if not self._is_ending:
                await self._feed(row)

    async def _bury(self, row: InRow) -> None:
        """A dead letter: it stays in the rows, where it can be seen and replayed."""
        error = failures.report_dead(self.ids, row)
        apology = self._apology() if row.kind in ASKING else None
        self._tick_if(await self.engine.submit(Settle(row, Status.DEAD, self.engine.timeout, error, apology=apology)))

    async def _feed(self, row: InRow, outcome: Outcome | None = None) -> None:
        """`outcome`: of the first instance, if it has had it already."""
        error: BaseException | None = None
        for _ in range(MOST_INSTANCES):
            if outcome is None:
                begun = await self._begin(row)
                if not begun.fed:
                    if row.kind == Kind.DISCONNECT:
                        self.dispose()
                    return
                outcome = await self._offer(row, begun)
            if self._abandoned and isinstance(outcome.error, asyncio.CancelledError):
                return  # The process stops: the row stays in hand, and the next one feeds it again.
            if outcome.begun:
                await self._settle(row, outcome)
                return
            error = outcome.error or error
            await self._next_instance(outcome)
            outcome = None
        error = error or RuntimeError("The application ends before it takes an event")
        await self._settle(row, Outcome(begun=True, error=error))

    def _still_taken(self, row: InRow) -> Begun | None:
        """What it was taken in hand with as it came, unless its scope has ended since."""
        taken, self._taken = self._taken, None
        if row.begun is None or taken != (row.pk, self._ends):
            return None
        self.engine.deadlines.clear(self.pk)
        return row.begun

    async def _begin(self, row: InRow) -> Begun:
        if begun := self._still_taken(row):
            return begun
        while True:
            ends = self._ends
            begun = await self.engine.submit(self._beginning(row))
            if ends != self._ends and begun.fed:
                continue  # The scope ended while this was being written: the row opens the next one.
            self.engine.deadlines.clear(self.pk)
            return begun

    def _beginning(self, row: InRow) -> Begin:
        fresh = self._instance is None or not self._instance.alive
        # What was taken in hand as it came has had its courtesy.
        neutral = not row.begun and (self._name(row) or "").startswith("chat.")
        return Begin(row, fresh, self._courtesy(row), neutral)

    async def _offer(self, row: InRow, begun: Begun) -> Outcome:
        offered = self._hand_over(row, begun)
        if isinstance(offered, Outcome):
            return offered
        outcome = await offered
        self._handed_back(row)
        return outcome

    def _hand_over(self, row: InRow, begun: Begun) -> "Outcome | asyncio.Future[Outcome]":
        """To the instance, which is started if there is none."""
        if self.route is None:
            return Outcome(begun=True, error=self._no_application())
        name = self._name(row)
        if name is None:
            return Outcome(begun=True)
        self.address = begun.address
        if not begun.resumed:
            self.dispose()  # What is left of a scope that ended elsewhere: blocked, without a farewell.
        if not begun.uuid and (self._instance is None or not self._instance.alive):
            return Outcome(begun=False)  # It ended while the row was marked: the next one must know who is talking.
        if self._instance is None or not self._instance.alive:
            self._instance = self._start(begun, self.route)
        event = dialect.make_event(name, row.event, redelivered=row.feedings > 0)
        self.engine.slow.began(self)
        self.engine.recorder.begin(row.pk)
        return self._instance.offer(row, event)

    def _handed_back(self, row: InRow) -> None:
        self.engine.slow.ended(self)
        self.engine.recorder.end(row.pk)

    def _no_application(self) -> Exception:
        return LookupError(f"The application map has no {self.protocol!r} application for the path /{self.bot}/")

    def _name(self, row: InRow) -> str | None:
        return dialect.feeding_name(self.protocol, row.method, self.route) if self.route else None

    def _courtesy(self, row: InRow) -> Outbound | None:
        return self.engine.protocols[self.protocol].courtesy(row.method, row.event)

    async def _next_instance(self, outcome: Outcome) -> None:
        """The instance ended before it began with the row in hand: the row goes to the next one."""
        self._instance = None
        if outcome.ended:
            await self._submit_end(End(self.pk, "ended", farewell=False))
        elif outcome.error is not None:
            self._log(outcome.error, self.in_hand)

    def _start(self, begun: Begun, route: Route) -> Instance:
        if self._place is None:
            self._place = self.engine.pools.place(sync=route.sync)
        return Instance(
            make_scope(self.protocol, self.bot, begun),
            self._place,
            self._compose,
            self._say,
            self._over,
            early=self.engine.early,
            is_consumer=route.consumer is not None,
            most_sends=self.engine.most_sends,
            application=self.engine.application,
        )

    # Settling

    async def _settle(self, row: InRow, outcome: Outcome) -> None:
        instance, closing = self._instance, False
        if instance is not None:
            closing, instance.closing = instance.closing, False
        error = outcome.error
        if error is not None:
            self._log(error, row)
        farewell = self.engine.handles(self.protocol, self.bot, "disconnect")
        ticking = await self.engine.submit(
            Settle(
                row,
                Status.DONE if error is None else Status.FAILED,
                self.engine.timeout,
                error="" if error is None else failures.last_line(error),
                session=outcome.session,
                ended=outcome.ended,
                close=closing,
                farewell=farewell and error is None,
                apology=self._apology() if error is not None and row.kind in ASKING else None,
            )
        )
        self._tick_if(ticking)
        if error is not None or outcome.ended or row.kind == Kind.DISCONNECT or (closing and not farewell):
            self.dispose()
        closed = row.kind == Kind.DISCONNECT and row.event.get("code") == "closed"
        if error is None and (closed or outcome.ended or (closing and not farewell)):
            self.engine.ring.hint(self.pk, hints.ENDED)

    def _tick_if(self, ticking: bool) -> None:
        if ticking:
            self.engine.deadlines.set(self.pk, self.engine.time() + self.engine.timeout)

    def _apology(self) -> Outbound | None:
        return self._system_words(failures.apology_text()) if self.engine.lanes.apologies.may(self.pk) else None

    def _system_words(self, text: str) -> Outbound:
        protocol = self.engine.protocols[self.protocol]
        return protocol.compose("send_message", {"text": text}, address=self.address, event=None)

    def tell_slow(self, seconds: float) -> None:
        """The handler is over the soft limit. Nothing is done to it: its row stays in hand until it is back."""
        row, instance = self.in_hand, self._instance
        stands_at = "no instance" if instance is None else instance.stands_at
        failures.report_slow(self.ids, row, self._handler(row), seconds, stands_at)
        if row is not None and row.kind in ASKING and self.engine.lanes.slow_notices.may(self.pk):
            self.engine.submit_later(Tell(self.pk, self._system_words(failures.slow_text())))

    def _handler(self, row: InRow | None) -> str:
        name = "" if row is None else (self._name(row) or "").replace(".", "_")
        consumer = None if self.route is None else self.route.consumer
        return f"the application's {name}" if consumer is None else f"{consumer.__qualname__}.{name}"

    def dispose(self) -> None:
        instance, self._instance = self._instance, None
        if instance is not None:
            instance.dispose()

    def _log(self, error: BaseException, row: InRow | None) -> None:
        self.engine.lanes.errors += 1
        failures.report_error(self.ids, row, error)

    # What the instance does by itself

    def _compose(self, event: Event, fed: Fed | None) -> dialect.Close | Outbound:
        """What the bot asks for. Also for a handler's thread. Raises Unsendable."""
        asked = dialect.read_sent(self.protocol, event)
        if isinstance(asked, dialect.Call):
            protocol = self.engine.protocols[self.protocol]
            in_hand = fed.row.event if fed else None
            return protocol.compose(asked.method, asked.params, address=self.address, event=in_hand)
        return asked

    def _say(self, instance: Instance, asked: dialect.Close | Outbound, fed: Fed | None) -> None:
        if isinstance(asked, dialect.Close):
            self._close(instance)
            return
        reports = self.engine.handles(self.protocol, self.bot, "result")
        if fed is None or fed.row is SHUTDOWN:
            self.engine.say_later(Say(self.pk, asked, reports=reports))
        else:
            self._answer(asked, fed.row, fed.next_ordinal(), reports=reports)

    def _answer(self, asked: Outbound, row: InRow, ordinal: int, *, reports: bool) -> None:
        """Where nothing is in its way outside it is marked as it is written."""
        outbox, again = self.engine.outbox, row.feedings
        waits = again or self.engine.hearing.is_behind(self.pk)
        place = "" if waits else outbox.at_once(self.protocol, self.bot, self.pk, self.address, asked)
        heard = self.engine.hearing.mark(self.pk) if place else None
        say = Say(self.pk, asked, Sender.BOT, row.pk, ordinal, again, reports, at_once=heard)
        said = self.engine.say_later(say)
        if place:
            said.add_done_callback(lambda _: outbox.withdraw(place))

    def _close(self, instance: Instance) -> None:
        if instance is not self._instance:
            return  # Its scope has ended; the next one is not its to close.
        if instance.busy:
            instance.closing = True  # With the row in hand, in one transaction.
        else:
            self.engine.spawn(self.end("closed"))

    async def end(self, code: str, *, idle: bool = False) -> bool:
        """Ends the scope from outside a handler. Returns whether it has ended, or ends with its farewell."""
        farewell = self.engine.handles(self.protocol, self.bot, "disconnect")
        self._ends += 1
        try:
            ended = await self._submit_end(End(self.pk, code, farewell=farewell, idle=idle))
        except KeyError:  # Deleted with all its rows.
            ended, farewell = True, False
        if ended:
            self.engine.deadlines.clear(self.pk)
            if not farewell:
                self._dispose_when_free()
                if code == "closed":
                    self.engine.ring.hint(self.pk, hints.ENDED)
        self.engine.lanes.forget_idle(self)
        return ended

    def _submit_end(self, end: End) -> Coroutine[Any, Any, bool]:
        """Submits it at once: what comes from here on is behind it."""
        self._ending += 1
        return self._until_ended(self.engine.submit(end))

    async def _until_ended(self, end: "asyncio.Future[bool]") -> bool:
        try:
            return await end
        finally:
            self._ending -= 1
            if self._queue or self._left_in_rows:
                self.wake()
            self.engine.lanes.forget_idle(self)

    def _dispose_when_free(self) -> None:
        if self._instance is not None and self._instance.busy:
            self._instance.closing = True  # It has begun with a row: that one it finishes.
        else:
            self.dispose()

    def _over(self, instance: Instance, error: BaseException | None) -> None:
        """The application ended by itself with nothing in hand."""
        if self._instance is not instance:
            return
        self._instance = None
        if error is not None:
            self._log(error, None)
        elif not self.engine.draining:
            self._ends += 1
            self.engine.spawn(self._submit_end(End(self.pk, "ended", farewell=False)))
            self.engine.deadlines.clear(self.pk)
        self.engine.lanes.forget_idle(self)

    def ended_elsewhere(self) -> None:
        """Another process has ended the scope, without a farewell."""
        if not self.at_work:
            self.dispose()

    # The stop of the process, or of its part here

    async def shut_down(self) -> None:
        """The instance ends, the scope does not: its session stays as last settled."""
        instance = self._instance
        name = dialect.feeding_name(self.protocol, "disconnect", self.route) if self.route else None
        if instance is not None and instance.alive and name and not self.at_work:
            event = dialect.make_event(name, SHUTDOWN.event, redelivered=False)
            await asyncio.wait([instance.offer(SHUTDOWN, event)], timeout=SHUTDOWN_SECONDS)
        self._abandoned = True
        self.dispose()

    async def abandon(self) -> None:
        """As if the process died: what is in hand is not settled. Only while the engine is draining."""
        pump, self._abandoned = self._pump, True
        if pump is not None:
            pump.cancel()
            await asyncio.wait([pump])
        self.dispose()

    async def until_settled(self) -> None:
        while self.at_work:
            await (asyncio.sleep(LOOK_SECONDS) if self._pump is None else asyncio.wait([self._pump]))


async def _fail(error: Exception) -> None:
    raise error


def _unsettled_rows(conversation: int) -> list[InRow]:
    rows = Message.objects.filter(conversation_id=conversation, status__in=UNSETTLED).order_by("pk")
    return sorted(map(in_row, rows[:RELOADED_ROWS]), key=_comes_first, reverse=True)


def _comes_first(row: InRow) -> bool:
    """The farewell of a scope that was closed goes before what was already waiting for the next."""
    return row.kind == Kind.DISCONNECT and row.event.get("code") != "blocked"
