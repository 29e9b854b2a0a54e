"""Threads for bots, and a serial place in them for each conversation.

Channels runs every sync consumer of a process on one thread. `ThreadSensitiveContext(executor=Place)` around an
application gives each conversation its own, from the outside, so that plain consumers profit.
"""

import contextlib
import logging
import threading
import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from queue import Empty, SimpleQueue
from typing import Any, Protocol

from django.db import connections
from django.db.backends.signals import connection_created

from gateway.connections import Allowance, on_connected
from gateway.logs import event

logger = logging.getLogger(__name__)

HANDLER_THREADS = 64
HOP_THREADS = 16
OTHER_THREADS = 16
READER_THREADS = 4

WAITED_SECONDS = 0.05
BLOCKED_SECONDS = 0.25
BUSY_BLOCKED_SECONDS = 2.0
BUSY_SHARE = 0.8
STUCK_SECONDS = 1.0
UNUSED_CONNECTION_SECONDS = 1.0
SURPLUS_SECONDS = 10.0


class Work:
    """A call on its way to a thread. `at`: when it was asked for; `future`: where somebody waits for what it gives."""

    __slots__ = ("at", "call", "future")

    def __init__(self, call: Callable[[], Any], future: "Future[Any] | None" = None) -> None:
        self.at = time.monotonic()
        self.call = call
        self.future = future

    def run(self) -> None:
        """Never raises where somebody waits; a call for which nobody waits must not raise."""
        future = self.future
        if future is None:
            self.call()
        elif future.set_running_or_notify_cancel():
            try:
                result = self.call()
            except BaseException as error:
                future.set_exception(bearable(error))
            else:
                future.set_result(result)

    def cancel(self) -> None:
        if self.future is not None:
            self.future.cancel()


def bearable(error: BaseException) -> BaseException:
    """asyncio's futures refuse StopIteration, and whoever waits would wait for ever."""
    if not isinstance(error, StopIteration):
        return error
    stopped = RuntimeError("A handler raised StopIteration: next() had nothing to give")
    stopped.__cause__ = error
    return stopped


class Bell:
    """A semaphore made of a queue, whose waiting is the interpreter's own: `threading`'s takes several locks for it."""

    __slots__ = ("_rings",)

    def __init__(self) -> None:
        self._rings: SimpleQueue[None] = SimpleQueue()

    def ring(self) -> None:
        self._rings.put(None)

    def wait(self, seconds: float | None) -> bool:
        """Whether it rang within that time."""
        try:
            self._rings.get(timeout=seconds)
        except Empty:
            return False
        return True


class Worker(threading.Thread):
    """One thread of a pool. `since`: when its call began; None between calls. `has_connected`: to the database, since
    it last closed its connections."""

    def __init__(self, pool: "Pool") -> None:
        super().__init__(name=pool.name, daemon=True)  # A handler that hangs must not hang the end of the process.
        self.since: float | None = None
        self.bell = Bell()
        self.work: Work | None = None
        self.dismissed = self.has_connected = False
        self.allowance = pool.allowance
        self._pool = pool

    def run(self) -> None:
        while self._wait():
            work, self.work = self.work, None
            if work is not None:
                self.since = time.monotonic()
                work.run()
                self.since = None
                if self.has_connected:
                    self.allowance.give_back()
            del work  # Nobody's result is kept alive by a thread that waits.
        self._close_connections()

    def _wait(self) -> bool:
        """Whether it goes on, with work or without. A thread without any gives its database connections back, then
        itself."""
        if self._pool.next_for(self):
            return True
        if self.bell.wait(UNUSED_CONNECTION_SECONDS):
            return not self.dismissed
        self._close_connections()
        while not self.bell.wait(SURPLUS_SECONDS if self._pool.has_surplus else None):
            if self._pool.leaves(self):
                return False
        return not self.dismissed

    def _close_connections(self) -> None:
        # Whatever ails the database, the thread is needed.
        with contextlib.suppress(Exception):
            connections.close_all()
            self.has_connected = False
        self.allowance.give_back()

    def blocked_for(self, now: float) -> float:
        since = self.since
        return 0.0 if since is None else now - since


class Pool(ThreadPoolExecutor):
    """Threads as they are needed: `size` of them at once, and more, up to `most`, while some of them are blocked.

    A thread that merely has much to do is no reason for another one: that would only share the processor further. So
    work that has waited gets as many new threads as there are blocked ones. It is a ThreadPoolExecutor because asyncio
    takes nothing else as its default executor; its machinery is not used.
    """

    def __init__(self, name: str, size: int, most: int, allowance: Allowance | None = None) -> None:
        super().__init__(1, name)
        self.name, self.size, self.most = name, min(size, most), most
        self.allowance = allowance or Allowance(0)
        self.times_full = 0
        self._lock = threading.Lock()
        self._wanted = threading.Condition(self._lock)
        self._waiting: deque[Work] = deque()
        self._workers: set[Worker] = set()
        self._idle: dict[Worker, None] = {}
        self._waking: Worker | None = None
        self._grower: threading.Thread | None = None
        self._full = self._closed = False

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        future: Future[Any] = Future()
        self._put(Work(lambda: fn(*args, **kwargs), future))
        return future

    def start(self, call: Callable[[], None]) -> None:
        """The same for whom nobody waits. The call must not raise."""
        self._put(Work(call))

    def _put(self, work: Work) -> None:
        with self._lock:
            self._waiting.append(work)
            self._find_hands()

    def _find_hands(self) -> None:
        """For what waits."""
        if self._idle:
            self._wake_one()
        elif len(self._workers) < self.size:
            self._add_worker()
        else:
            self._want_more()

    def _wake_one(self) -> None:
        """One at a time, who wakes the next one if there is work for two: calls are short, and a thread that was woken
        for nothing only takes the interpreter from the one that would have done it all."""
        if not self._waking:
            # The last that fell idle: those that are not needed stay so, and leave.
            self._waking, _ = self._idle.popitem()
            self._waking.bell.ring()

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """Threads end as they fall idle. Waits for nobody: a handler that hangs must not hang the stop."""
        with self._lock:
            self._closed = True
            dropped = list(self._waiting) if cancel_futures else []
            if cancel_futures:
                self._waiting.clear()
            for worker in list(self._idle):
                self._dismiss(worker)
            self._wanted.notify()
        for work in dropped:
            work.cancel()

    # What it is seen by

    @property
    def threads(self) -> int:
        return len(self._workers)

    @property
    def waiting(self) -> int:
        """Calls that no thread has begun with."""
        return len(self._waiting)

    @property
    def busy(self) -> int:
        return len(self._workers) - len(self._idle)

    def blocked(self, seconds: float = STUCK_SECONDS) -> int:
        """The threads whose call takes longer than that."""
        now = time.monotonic()
        with self._lock:
            return sum(worker.blocked_for(now) > seconds for worker in self._workers)

    @property
    def trouble(self) -> str:
        """What is wrong with it; empty when all is well."""
        if len(self._workers) < self.most or (blocked := self.blocked()) * 4 <= self.most * 3:
            return ""
        return f"{blocked} of at most {self.most} threads are blocked by handlers; others wait (HANDLER_THREADS_MAX)"

    # For its workers

    def next_for(self, worker: Worker) -> bool:
        """Gives the worker what has waited longest, else notes it as idle."""
        with self._lock:
            if self._waking is worker:
                self._waking = None
            if self._waiting:
                worker.work = self._waiting.popleft()
                if self._waiting:
                    self._find_hands()
                return True
            self._full = False
            if self._closed:
                self._dismiss(worker)
            else:
                self._idle[worker] = None
            return False

    def _dismiss(self, worker: Worker) -> None:
        self._workers.discard(worker)
        self._idle.pop(worker, None)
        worker.dismissed = True
        worker.bell.ring()

    @property
    def has_surplus(self) -> bool:
        return len(self._workers) > self.size

    def leaves(self, worker: Worker) -> bool:
        """Whether an idle worker is one too many."""
        with self._lock:
            if worker not in self._idle or len(self._workers) <= self.size:
                return False
            del self._idle[worker]
            self._workers.discard(worker)
            return True

    # Growth

    def _add_worker(self) -> None:
        worker = Worker(self)
        self._workers.add(worker)
        try:
            worker.start()
        except RuntimeError as error:
            self._workers.discard(worker)
            logger.error("No thread could be added to the pool %r (%s): see the limit of processes.", self.name, error)
            self._want_more()

    def _want_more(self) -> None:
        if self._grower is None or not self._grower.is_alive():
            self._grower = threading.Thread(target=self._grow, name=f"{self.name}-grower", daemon=True)
            self._grower.start()
        self._wanted.notify()

    def _grow(self) -> None:
        """A thread of its own, since those of the pool and the loop may be what is blocked."""
        while not self._closed:
            with self._lock:
                while not self._waiting and not self._closed:
                    self._wanted.wait()
            used = self._processor_seconds()
            time.sleep(WAITED_SECONDS)
            # Where handlers compute, a call may well take longer, and more threads would make it no shorter.
            busy = self._processor_seconds() - used > BUSY_SHARE * WAITED_SECONDS
            blocked = self.blocked(BUSY_BLOCKED_SECONDS if busy else BLOCKED_SECONDS)
            with self._lock:
                self._add_workers(blocked)

    def _processor_seconds(self) -> float:
        """What its threads have computed so far; 0 where the system cannot tell."""
        if not hasattr(time, "pthread_getcpuclockid"):
            return 0.0
        with self._lock:  # Who is in the set is alive; the clock of another would be an invalid pointer.
            clocks = [time.pthread_getcpuclockid(worker.ident) for worker in self._workers if worker.ident]
            return sum(map(time.clock_gettime, clocks))

    def _add_workers(self, blocked: int) -> None:
        now = time.monotonic()
        late = sum(now - work.at >= WAITED_SECONDS for work in self._waiting)
        lacking = self.size + blocked - len(self._workers)
        room = self.most - len(self._workers)
        # A few to spare: whoever comes next need not wait first.
        wanted = max(late, self.size // 8) if late else 0
        for _ in range(min(wanted, lacking, room)):
            self._add_worker()
        if late and room <= 0 < lacking and not self._full:
            self._full = True
            self.times_full += 1
            logger.error(
                "All %d threads of the pool %r are taken, %d of them blocked: %d calls wait in order. Handlers that "
                "wait for the outside need a time-out; HANDLER_THREADS_MAX allows more threads.",
                self.most,
                self.name,
                blocked,
                len(self._waiting),
                extra=event("pool_full", part=self.name),
            )


def _with_sound_connections(fn: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
    """What has failed with a connection leaves none that fails for the next one on this thread."""
    try:
        return fn(*args, **kwargs)
    finally:
        for connection in connections.all(initialized_only=True):
            if connection.errors_occurred:
                connection.close_if_unusable_or_obsolete()


class Starts(Protocol):
    """What gives a call a thread, soon."""

    def start(self, call: Callable[[], None]) -> None: ...


class Place(Executor):
    """One call at a time, in order, on a shared pool. Outlives the instances of its conversation: a sync handler
    cannot be cancelled, and the next instance must not run beside what is left of the last.

    `thread`: the ident of the thread that runs a call of it now.
    """

    def __init__(self, pool: "Starts") -> None:
        self._pool = pool
        self._calls: list[Callable[[], None]] = []  # Hardly ever two: an empty deque takes ten times the room.
        self._lock = threading.Lock()
        self.busy = False
        self.thread: int | None = None

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        future: Future[Any] = Future()
        self.start(Work(lambda: _with_sound_connections(fn, *args, **kwargs), future).run)
        return future

    def start(self, call: Callable[[], None]) -> None:
        """The same for whom nobody waits. The call must not raise."""
        with self._lock:
            self._calls.append(call)
            start = not self.busy
            self.busy = True
        if start:
            self._pool.start(self._run_one)

    def _run_one(self) -> None:
        # One call a turn: a conversation with many calls does not keep a thread from the others.
        self.thread = threading.get_ident()
        self._calls[0]()
        self.thread = None
        with self._lock:
            self._calls.pop(0)
            more = self.busy = bool(self._calls)
        if more:
            self._pool.start(self._run_one)

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """The pool is shared: whoever made it shuts it down."""


class Pools:
    """Pools that do not wait for one another: sync handlers, what async consumers hop to, what asyncio itself and bots
    hand to the loop's own threads (looking up names among it), and readers of the database."""

    def __init__(self, most: int, most_connections: int) -> None:
        allowance = Allowance(most_connections)
        connection_created.connect(on_connected, dispatch_uid="gateway.connections")
        self.handlers = Pool("handler", HANDLER_THREADS, most, allowance)
        self.hops = Pool("hop", HOP_THREADS, most, allowance)
        self.others = Pool("other", OTHER_THREADS, most, allowance)
        self.readers = ThreadPoolExecutor(READER_THREADS, thread_name_prefix="reader")

    def place(self, *, sync: bool) -> Place:
        return Place(self.handlers if sync else self.hops)

    @property
    def trouble(self) -> str:
        """What is wrong with the pools that bots can block; empty when all is well."""
        return "; ".join(trouble for pool in (self.handlers, self.hops, self.others) if (trouble := pool.trouble))

    def shutdown(self) -> None:
        for pool in (self.handlers, self.hops):
            pool.shutdown(wait=False, cancel_futures=True)
        self.others.shutdown()
        self.readers.shutdown(wait=False, cancel_futures=True)  # Nor must a database that is away.
