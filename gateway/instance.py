"""One run of a bot's application: its scope, its `receive`, its `send`, and what became of the row in its hands.

Asking for the next event acknowledges the last one. With a channel layer, Channels asks for an event before it is free
to handle it, so a row counts as begun only when the application looks at its type.
"""

import asyncio
import contextvars
import json
import time
import traceback
from collections import deque
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any

from asgiref.sync import ThreadSensitiveContext
from channels.routing import get_default_application
from msgspec import Struct

from gateway.bot_tasks import harmless, of_a_bot
from gateway.dialect import Close
from gateway.early import Early
from gateway.errors import NotReady, Unsendable
from gateway.fields import dump
from gateway.logs import about
from gateway.logs import row as logs_row
from gateway.pool import Place
from gateway.traces import task_stands_at, thread_stands_at
from gateway.transcript import InRow
from gateway.types import Application, Event, Outbound, Scope

if TYPE_CHECKING:
    from gateway.direct import Serving

Asked = Close | Outbound

LARGEST_SESSION = 64 * 1024
SENDS_A_TURN = 16
MINUTE_SECONDS = 60.0
REFUSED_SECONDS = 1.0
NAMED = (("conversation", "conversation"), ("bot", "bot"), ("protocol", "type"))


class Outcome(Struct, frozen=True):
    """`begun` False: the instance ended before its handler looked at the row. `ended`: the application returned."""

    begun: bool
    ended: bool = False
    error: BaseException | None = None
    session: dict[str, Any] | None = None


class Fed:
    """A row on its way through one instance. `said`: what its handler has said in a thread and the loop has not taken
    yet; `tells`: it is to be told of every word."""

    __slots__ = ("_ordinal", "begun", "event", "outcome", "row", "said", "sends", "tells")

    def __init__(self, row: InRow, event: Event, outcome: "asyncio.Future[Outcome]") -> None:
        self.row = row
        self.event = event
        self.outcome = outcome
        self.begun = self.tells = False
        # The same one for good: the thread may hold it at the moment in which the loop takes what is in it.
        self.said: deque[Asked] = deque()
        self.sends = self._ordinal = 0

    def begin(self) -> None:
        self.begun = True
        in_hand.set(self)
        logs_row.set(self.row.pk)

    def next_ordinal(self) -> int:
        self._ordinal += 1
        return self._ordinal

    def settle(self, outcome: Outcome) -> None:
        if not self.outcome.done():
            self.outcome.set_result(outcome)


in_hand: contextvars.ContextVar[Fed | None] = contextvars.ContextVar("in_hand", default=None)
"""The row whose handler runs in this context: it reaches sync handlers, their `send` and the tasks they start."""


class ChatEventType(str):
    """An event's type as Channels' dispatch looks at it. It goes along where a middleware copies the event."""

    fed: Fed

    def replace(self, *arguments: Any) -> str:
        self.fed.begin()
        return super().replace(*arguments)

    def __deepcopy__(self, memo: Any) -> "ChatEventType":
        return self

    def __reduce__(self) -> Any:
        return str, (str(self),)


class ChatEvent(dict[str, Any]):
    """An event that notes when a handler begins: whoever dispatches it first looks at its type.

    Pickled, it is a plain dict.
    """

    def __init__(self, fed: Fed) -> None:
        kind = ChatEventType(fed.event["type"])
        kind.fed = self.fed = fed
        super().__init__(fed.event, type=kind)

    def __getitem__(self, key: str) -> Any:
        if key == "type":
            self.fed.begin()
        return super().__getitem__(key)

    def get(self, key: str, default: Any = None) -> Any:
        return self[key] if key in self else default  # noqa: SIM401  # through __getitem__

    def __reduce_ex__(self, protocol: Any) -> Any:
        return dict, (dict(self),)


class Instance:
    """`compose(event, fed)` says what the application asks for with an event that it sends, on any thread;
    `say(instance, asked, fed)` does it. `over(instance, error)` is called when it has ended by itself (`error` None:
    it returned)."""

    def __init__(
        self,
        scope: Scope,
        place: Place,
        compose: Callable[[Event, Fed | None], Asked],
        say: Callable[["Instance", Asked, Fed | None], None],
        over: Callable[["Instance", BaseException | None], None],
        *,
        early: Early,
        is_consumer: bool,
        most_sends: int,
        application: Application | None = None,
    ) -> None:
        self.scope = scope
        self.closing = False
        self._session = dump(scope["session"])
        self.place = place
        self._loop = asyncio.get_running_loop()
        self._compose = compose
        self._say = say
        self._over = over
        self.early = early
        self._is_consumer = is_consumer
        self._most_sends = most_sends
        self._sends = 0
        self._sends_since = 0.0
        self._application = application
        self._asked: asyncio.Future[Event] | None = None
        self._serving: Serving | None = None
        self._offered: Fed | None = None
        self._fed: Fed | None = None
        self._disposed = False
        # An empty context: started inside a request it would inherit, and leak, that request's thread.
        self._task: asyncio.Task[None] | None = asyncio.create_task(self._run(), context=contextvars.Context())
        self._task.add_done_callback(self._done)

    async def _run(self) -> None:
        # Entered and never left: a background task that outlives the instance may still use its thread.
        threads = ThreadSensitiveContext(executor=self.place)
        await threads.__aenter__()
        threads.token = None  # It holds the context, which holds `threads`: neither would ever be free of the other.
        of_a_bot.set(True)
        about.set({name: self.scope[key] for name, key in NAMED})
        try:
            await (self._application or get_default_application())(self.scope, self.receive, self.send)
        except asyncio.CancelledError as error:
            # Its traceback holds the frames, and what they hold holds it: some fifteen kilobytes, which would wait for
            # the rarest of the garbage collector's rounds.
            traceback.clear_frames(error.__traceback__)
            raise
        except (SystemExit, KeyboardInterrupt) as error:
            raise harmless(error) from error

    # What the application calls

    def receive(self) -> Awaitable[Event]:
        fed, self._fed = self._fed, None
        if fed is not None:
            if fed.begun or self._is_consumer:
                fed.settle(self._outcome())
            else:
                self._offered = fed  # The application was cancelled at the very moment at which it came.
        in_hand.set(None)
        logs_row.set(None)
        self._asked = asyncio.get_running_loop().create_future()
        self._hand_over()
        return self._asked if self._is_consumer else self._take(self._asked)

    def serve(self, serving: "Serving") -> None:
        """What is fed goes there from now on; nobody asks for it."""
        self._serving = serving
        self._hand_over()

    def handled(self, fed: Fed) -> None:
        """Its handler has returned."""
        self._fed = None
        fed.settle(self._outcome())

    async def _take(self, asked: "asyncio.Future[Event]") -> Event:
        """A plain application has begun with an event as soon as it has it."""
        event = await asked
        if isinstance(event, ChatEvent):
            event.fed.begin()
        return event

    async def send(self, event: Event) -> None:
        """Returns as soon as the words are queued; never waits for the database or for the outside."""
        fed = in_hand.get()
        if fed is not self._fed:
            fed = None
        sends = self._count_sends(fed)
        if sends > self._most_sends:
            await asyncio.sleep(REFUSED_SECONDS)  # A loop that does not mind being refused must not stop everybody.
            within = "one event" if fed is not None else "a minute"
            raise Unsendable(
                f"The bot has sent {self._most_sends} things in {within}, as many as it may (HANDLER_SENDS_MAX)."
            )
        asked = self._compose(event, fed)
        if fed is not None:
            self.say_all(fed)
        self._say(self, asked, fed)
        if sends % SENDS_A_TURN == 0:
            await asyncio.sleep(0)  # Nothing else in here waits: a long answer would keep the loop from the others.

    def send_from_thread(self, event: Event, bounce: Callable[[Event], None]) -> None:
        """`send` of a sync handler. It does not wait for a turn of the loop, but for every sixteenth. `bounce` does."""
        fed = in_hand.get()
        if fed is None or fed is not self._fed or (fed.sends + 1) % SENDS_A_TURN == 0 or fed.sends >= self._most_sends:
            bounce(event)
            return
        fed.sends += 1
        asked = self._compose(event, fed)
        fed.said.append(asked)
        # Asked afterwards: whoever sets it looks at what has been said after that.
        if fed.tells:
            self._loop.call_soon_threadsafe(self.say_all, fed)

    def say_all(self, fed: Fed) -> None:
        """What its handler has said in a thread."""
        while fed.said:
            asked = fed.said.popleft()
            try:  # noqa: SIM105  # for every message
                self._say(self, asked, fed)
            except NotReady:
                pass  # Its handler is not settled either: the next process feeds it again.

    def _count_sends(self, fed: Fed | None) -> int:
        """How often it has sent within the event in hand; with nothing in hand, within a minute."""
        if fed is not None:
            fed.sends += 1
            return fed.sends
        now = time.monotonic()
        if now - self._sends_since > MINUTE_SECONDS:
            self._sends, self._sends_since = 0, now
        self._sends += 1
        return self._sends

    # What the lane calls

    def offer(self, row: InRow, event: Event) -> "asyncio.Future[Outcome]":
        """Feeds a row; the future says what became of it."""
        fed = Fed(row, event, asyncio.get_running_loop().create_future())
        if self._task is None or self._task.done():
            fed.settle(Outcome(begun=False, error=self._error()))
        else:
            self._offered = fed
            self._hand_over()
        return fed.outcome

    def dispose(self) -> None:
        """Ends the instance without a word."""
        self._disposed = True
        if self._task is not None:
            self._task.cancel()

    def _hand_over(self) -> None:
        fed = self._offered
        if fed is None:
            return
        if self._serving is not None:
            self._fed, self._offered = fed, None
            self._serving.take(fed.event, fed)
        elif self._asked is not None and not self._asked.done():
            self._fed, self._offered = fed, None
            self._asked.set_result(ChatEvent(fed))

    def _outcome(self, *, ended: bool = False) -> Outcome:
        """The row is handled. A session that cannot be kept is the handler's failure."""
        try:
            if not isinstance(self.scope.get("session"), dict):
                raise TypeError("scope['session'] is a dict to be changed in place, not to be replaced or removed")
            session = dump(self.scope["session"])
            if len(session) > LARGEST_SESSION:
                raise ValueError(f"scope['session'] takes {len(session)} bytes of JSON; the limit is {LARGEST_SESSION}")
        except (TypeError, ValueError, RecursionError) as error:
            return Outcome(begun=True, ended=ended, error=error)
        if session == self._session:
            return Outcome(begun=True, ended=ended)
        self._session = session
        return Outcome(begun=True, ended=ended, session=json.loads(session))

    def _error(self) -> BaseException | None:
        if self._task is None or self._task.cancelled():
            return asyncio.CancelledError("The handler was cancelled")
        return self._task.exception()

    def _done(self, _: "asyncio.Task[None]") -> None:
        error = self._error()
        for fed in (self._fed, self._offered):
            if fed is None:
                continue
            if not fed.begun:
                fed.settle(Outcome(begun=False, ended=error is None, error=error))
            elif error is None:
                fed.settle(self._outcome(ended=True))
            else:
                fed.settle(Outcome(begun=True, error=error))
        had_row = self._fed is not None or self._offered is not None
        self._fed = self._offered = self._serving = None
        if self._disposed:
            self._task = None
        elif not had_row:
            self._over(self, error)

    @property
    def stands_at(self) -> str:
        """Where its handler is now: file, line and function."""
        if self.place.thread is not None:
            return thread_stands_at(self.place.thread)
        if self.place.busy or self._task is None:
            return "a queue: no thread is free"
        handling = None if self._serving is None else self._serving.task
        return task_stands_at(handling or self._task)

    @property
    def is_settled(self) -> bool:
        """It has nothing in hand, and its session is as it was last settled."""
        if self.busy or self.place.busy or not self.alive:
            return False
        try:
            return dump(self.scope["session"]) == self._session
        except (KeyError, TypeError, ValueError, RecursionError):
            return False

    @property
    def busy(self) -> bool:
        return self._fed is not None or self._offered is not None

    @property
    def alive(self) -> bool:
        return self._task is not None and not self._task.done()
