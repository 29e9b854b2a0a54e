"""The thread that writes words: whatever is waiting when it is free goes into one transaction.

Durability then costs little under load, and the order of the rows is the order of the asking.
"""

import asyncio
import contextlib
import logging
import threading
import time
from collections import deque
from collections.abc import Callable
from queue import SimpleQueue
from typing import Any, Protocol, TypeVar, cast

from django.db import (
    DatabaseError,
    IntegrityError,
    InterfaceError,
    InternalError,
    OperationalError,
    connection,
)
from msgspec import Struct, field

from gateway import node, patience
from gateway.errors import LeaseLost, NotReady
from gateway.transcript import statements
from gateway.transcript.group import Group, Memory, Wants

logger = logging.getLogger(__name__)

T_co = TypeVar("T_co", covariant=True)
T = TypeVar("T")

LARGEST_GROUP = 500
LONGEST_QUEUE = 20_000
SOON_SECONDS = 0.001
# From so many operations a second on a group is waited for: it costs the less for each, the more they are.
CROWD_A_SECOND = 5000
GATHER_SECONDS = 0.004
PACE_SECONDS = 0.1
SQLITE_RETRY_SECONDS = 0.0003
SQLITE_BUSY_SECONDS = 30.0
LONGEST_PAUSE_SECONDS = 1.0
# A question to the database, a whole group, and the end of the thread when the gateway stops.
ANSWER_SECONDS = 5.0
SLOW_SECONDS = 3.0
STOP_SECONDS = 3.0


ELSEWHERE = {"25006", "25P03", "25P04"}
"""PostgreSQL's codes for a transaction that is read-only, or was ended for its age."""
PREPARED = {
    "sqlite": "PRAGMA busy_timeout=0",
    # Whoever has lost its line in the middle of a transaction must not keep others from its rows.
    "postgresql": "SET idle_in_transaction_session_timeout = '10s'",
}


NAMED = "SELECT set_config('application_name', %s, false)"


class Operation(Protocol[T_co]):
    """A change to the transcript. `needs` says what to load for it; `apply` makes it and returns what `submit` will."""

    def needs(self, wants: Wants) -> None: ...

    def apply(self, group: Group) -> T_co: ...


class Job(Struct, eq=False):
    operation: Operation[Any]
    future: "asyncio.Future[Any]"
    result: Any = None
    error: BaseException | None = None


class _Nothing:
    def needs(self, wants: Wants) -> None:
        """Nothing."""

    def apply(self, group: Group) -> None:
        """Does nothing, in its turn."""


class Attempt(Struct, eq=False):
    """A transaction that was begun. `group` is there from just before its commit."""

    transaction: str
    jobs: list[Job]
    group: Group | None = None
    results: list[Any] = field(default_factory=list)


def run_group(
    operations: list[Operation[Any]], memory: Memory, begin: Callable[[], Attempt] | None = None
) -> tuple[Group, list[Any]]:
    """Applies operations in one transaction on this thread's connection. Nothing is kept if any of them fails.

    `begin` is called first in the transaction; what it gives learns the outcome before the commit.
    """
    began = time.perf_counter()
    base = statements.database()
    with base.transaction():
        attempt = begin() if begin else None
        wants = Wants()
        for operation in operations:
            operation.needs(wants)
        group = Group(base, memory, wants, attempt.transaction if attempt else "")
        results = [operation.apply(group) for operation in operations]
        group.flush()
        if attempt is not None:
            attempt.group, attempt.results = group, results
    group.operations, group.seconds = len(operations), time.perf_counter() - began
    return group, results


class Writer:
    """`submit` from the loop; `committed(group)` is called on the loop after every commit, before any result is.

    `lease`: the primary key of the process's node, without which nothing is written. Counters: `retries`, attempts that
    the database failed; `collisions`, groups in which another process was first, or an update came again that
    nobody here remembered; `recognised`, commits of which nothing was heard and which turned out to be done.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop, committed: Callable[[Group], None]) -> None:
        self._loop = loop
        self._committed = committed
        # The loop appends to the queue, the thread takes from it: only who puts others in its place needs the lock.
        self._jobs: deque[Job] = deque()
        self._taking = threading.Lock()
        self._bell: SimpleQueue[None] = SimpleQueue()
        self._rung = self._more = False
        self._soon: asyncio.Handle | None = None
        # uvloop's handles do not always know when they are due: what is due at once is no timer there.
        self._soon_at = 0.0
        self._stopping = self._given_up = False
        self.memory = self._memory = Memory()
        self._thread = threading.Thread(target=self._run, name="writer", daemon=True)
        self._ill = ""
        self._busy_since: float | None = None
        self._attempt_in_doubt: Attempt | None = None
        self.lease: int | None = None
        self.lost = False
        self.retries = self.collisions = self.recognised = 0

    def start(self) -> None:
        self._thread.start()

    @property
    def trouble(self) -> str:
        """What is wrong, in plain words without the database's own; "" when all is well."""
        if not self._ill and self.stuck_for < SLOW_SECONDS:
            return ""
        why = f" ({self._ill})" if self._ill else ""
        return f"takes no words for {self.stuck_for:.0f} s{why}; they wait, and nothing is acknowledged. See the log."

    @property
    def stuck_for(self) -> float:
        """Seconds for which the group in hand has waited for the database."""
        since = self._busy_since
        return 0.0 if since is None else time.monotonic() - since

    @property
    def waiting(self) -> int:
        return len(self._jobs)

    def submit(self, operation: Operation[T]) -> "asyncio.Future[T]":
        """Queues the operation; the future has its result once it is committed, or the error that undid it alone."""
        future = self._queue(operation)
        self._ring()
        if self._soon is not None:  # What could wait goes along.
            self._soon.cancel()
            self._soon = None
        return future

    def submit_soon(self, operation: Operation[T], within: float = SOON_SECONDS) -> "asyncio.Future[T]":
        """The same of what can wait for so many seconds: whatever comes in that time shares its transaction."""
        future = self._queue(operation)
        if not self._rung:  # Else it goes along with what was submitted before.
            self._ring_within(within)
        return future

    def _queue(self, operation: Operation[T]) -> "asyncio.Future[T]":
        if self._stopping:
            raise NotReady("The gateway is stopping.")
        future: asyncio.Future[T] = self._loop.create_future()
        self._jobs.append(Job(operation, future))
        return future

    def _ring(self) -> None:
        """Once for all that the thread has not taken yet."""
        if not self._rung:
            self._rung = True
            self._bell.put(None)

    def _ring_within(self, seconds: float) -> None:
        when = self._loop.time() + seconds
        if self._soon is not None:
            if self._soon_at <= when:
                return
            self._soon.cancel()
        self._soon, self._soon_at = self._loop.call_at(when, self._ring_now), when

    def _ring_now(self) -> None:
        self._soon = None
        self._ring()

    def drop_cancelled(self) -> None:
        """Forgets what nobody waits for any more: while the database is away that would fill the queue."""
        with self._taking:
            self._jobs = deque(job for job in self._jobs if not job.future.cancelled())

    async def written(self) -> None:
        """Returns once everything that was submitted before is committed."""
        await self.submit(_Nothing())

    async def stop(self) -> None:
        """Writes what is waiting, then ends the thread; where the database is away, without waiting for it."""
        self._stopping = True
        self._bell.put(None)
        await self._loop.run_in_executor(None, self._thread.join, STOP_SECONDS)
        left = sum(not job.future.done() for job in list(self._jobs))
        if left or self._thread.is_alive():
            logger.error("The database is away: %d changes are not written; the next process makes them again.", left)

    # The thread

    def _run(self) -> None:
        patience.of_this_thread(ANSWER_SECONDS)
        before, pace = 0.0, 0.0
        while jobs := self._take():
            since = self._busy_since = time.monotonic()
            self._commit(jobs)
            self._busy_since = None
            # Of some hundred milliseconds: a single group that happens to be full is no crowd, and its chats wait.
            elapsed, before = max(since - before, 1e-6), since
            pace += min(elapsed / PACE_SECONDS, 1.0) * (len(jobs) / elapsed - pace)
            if pace > CROWD_A_SECOND:
                time.sleep(GATHER_SECONDS)
        connection.close()

    def _take(self) -> list[Job]:
        """What waits once the bell has rung. Nothing: the writer stops, and nothing is left."""
        while not (self._more and self._jobs) and not self._stopping:
            self._bell.get()
            # Before the queue is looked at: whoever appends after that rings again.
            self._rung, self._more = False, True
        with self._taking:
            waiting = len(self._jobs)
            self._more = waiting > LARGEST_GROUP
            return [self._jobs.popleft() for _ in range(min(waiting, LARGEST_GROUP))]

    def _commit(self, jobs: list[Job]) -> None:
        try:
            group = self._try(jobs)
        except Exception as error:
            if isinstance(error, NotReady):
                self._give_up(jobs, error)
                return
            if len(jobs) > 1:
                # Something in it cannot be written: each alone, so that it fails alone.
                for job in jobs:
                    self._commit([job])
                return
            group, jobs[0].error = None, error
        self._loop.call_soon_threadsafe(self._announce, group, jobs)

    def _give_up(self, jobs: list[Job], error: NotReady) -> None:
        self._given_up = True
        for job in jobs:
            job.error = error
        self._loop.call_soon_threadsafe(self._announce, None, jobs)

    def _try(self, jobs: list[Job]) -> Group | None:
        """Commits the jobs that somebody still waits for. Waits itself for as long as the database is away."""
        if self._given_up:
            raise NotReady("The database cannot be written.")
        pause, collided = 0.05, False
        while True:
            jobs[:] = [job for job in jobs if not job.future.cancelled()]
            try:
                self._prepare_connection()
                group = self._recognise() or self._attempt(list(jobs))
            except (OperationalError, InterfaceError) as error:
                pause = self._wait_out(error, pause)
            except InternalError as error:
                # A server that is read-only since a failover, or that has cut us off, says nothing about the words.
                self._forget()
                if getattr(error.__cause__, "sqlstate", "") not in ELSEWHERE:
                    raise
                pause = self._wait_out(error, pause)
            except IntegrityError:
                # Another process was first with the same key: now the row is there to be found.
                self.collisions += 1
                self._forget()
                if collided:
                    raise
                collided = True
            except LeaseLost:
                self.lost = True
                raise
            except Exception:
                self._forget()
                raise
            else:
                self._note_health()
                return group

    def _wait_out(self, error: DatabaseError | InterfaceError, pause: float) -> float:
        """Sleeps before the next attempt. Returns how long to sleep before the one after it."""
        self.retries += 1
        self._note_trouble(error)
        if self._stopping:
            raise NotReady("The database cannot be written.") from error
        time.sleep(pause)
        return min(pause * 2, LONGEST_PAUSE_SECONDS)

    def _recognise(self) -> Group | None:
        """The group whose commit was not answered, where it was done nonetheless. It must not be written twice."""
        attempt = self._attempt_in_doubt
        if attempt is None:
            return None
        if attempt.transaction and node.was_committed(attempt.transaction) and attempt.group is not None:
            self.recognised += 1
            logger.warning("A commit that was not answered had been done: it is not made again.")
            return self._done(attempt)
        self._attempt_in_doubt = None
        return None

    def _done(self, attempt: Attempt) -> Group | None:
        self._attempt_in_doubt = None
        for job, result in zip(attempt.jobs, attempt.results, strict=True):
            job.result = result
        return attempt.group

    def _attempt(self, jobs: list[Job]) -> Group | None:
        def begin() -> Attempt:
            held = "" if self.lease is None else node.hold(self.lease)
            self._attempt_in_doubt = attempt = Attempt(held, jobs)
            return attempt

        began = time.monotonic()
        while True:
            try:
                group, results = run_group([job.operation for job in jobs], self._memory, begin)
            except OperationalError as error:
                # SQLite's own busy wait is unfair to whoever waits longest: ours asks again at once.
                longest = SQLITE_BUSY_SECONDS / 10 if self._stopping else SQLITE_BUSY_SECONDS
                if "locked" not in str(error) or time.monotonic() - began > longest:
                    raise
                self._forget()
            else:
                return self._done(Attempt("", jobs, group, results))
            time.sleep(SQLITE_RETRY_SECONDS)

    def _forget(self) -> None:
        self._memory.forget()
        self._attempt_in_doubt = None

    def _prepare_connection(self) -> None:
        if connection.connection is None:
            with connection.cursor() as cursor:
                cursor.execute(PREPARED[connection.vendor])
                if self.lease is not None and connection.vendor == "postgresql":
                    cursor.execute(NAMED, [node.name_of_connection(self.lease)])

    def _note_trouble(self, error: DatabaseError | InterfaceError) -> None:
        if not self._ill:
            logger.error("The database cannot be written (%s). Words wait; nothing is acknowledged.", error)
        self._ill = type(error).__name__
        self._memory.forget()
        if "full" in str(error):
            _shorten_log()
        connection.close()

    def _note_health(self) -> None:
        if self._ill:
            logger.warning("The database can be written again.")
            self._ill = ""

    # The loop

    def _announce(self, group: Group | None, jobs: list[Job]) -> None:
        try:
            if group is not None:
                self._committed(group)
        finally:
            for job in jobs:
                if job.future.done():
                    continue
                if job.error is None:
                    job.future.set_result(job.result)
                else:
                    job.future.set_exception(job.error)


def _shorten_log() -> None:
    """SQLite's write-ahead log may be what fills the disk; what it holds has its place in the file already."""
    with contextlib.suppress(DatabaseError), connection.cursor() as cursor:
        if connection.vendor == "sqlite":
            cursor.execute("PRAGMA wal_checkpoint(TRUNCATE)")


def commit_here(operation: Operation[T]) -> T:
    """For commands in other processes: one operation, on this thread, committed when it returns."""
    for attempt in range(3):
        try:
            return cast("T", run_group([operation], Memory())[1][0])
        except IntegrityError:
            if attempt == 2:
                raise
    raise AssertionError
