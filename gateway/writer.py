"""The thread that writes words: whatever is waiting when it is free goes into one transaction.

Durability then costs little under load, and the order of the rows is the order of the asking.
"""

import asyncio
import logging
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar, cast

from django.db import DatabaseError, IntegrityError, InterfaceError, OperationalError, connection, transaction

from gateway.errors import NotReady
from gateway.transcript.group import Group, Memory, Wants

logger = logging.getLogger(__name__)

T_co = TypeVar("T_co", covariant=True)
T = TypeVar("T")

LARGEST_GROUP = 500
LONGEST_QUEUE = 20_000
SQLITE_RETRY_SECONDS = 0.0003
SQLITE_BUSY_SECONDS = 30.0
LONGEST_PAUSE_SECONDS = 2.0


class Operation(Protocol[T_co]):
    """A change to the transcript. `needs` says what to load for it; `apply` makes it and returns what `submit` will."""

    def needs(self, wants: Wants) -> None: ...

    def apply(self, group: Group) -> T_co: ...


@dataclass(slots=True)
class Job:
    operation: Operation[Any]
    future: "asyncio.Future[Any]"
    result: Any = None
    error: BaseException | None = None

    def settle(self) -> None:
        if self.future.done():
            return
        if self.error is not None:
            self.future.set_exception(self.error)
        else:
            self.future.set_result(self.result)


class _Nothing:
    def needs(self, wants: Wants) -> None:
        """Nothing."""

    def apply(self, group: Group) -> None:
        """Does nothing, in its turn."""


def run_group(operations: list[Operation[Any]], memory: Memory) -> tuple[Group, list[Any]]:
    """Applies operations in one transaction on this thread's connection. Nothing is kept if any of them fails."""
    with transaction.atomic():
        wants = Wants()
        for operation in operations:
            operation.needs(wants)
        group = Group(memory, wants)
        results = [operation.apply(group) for operation in operations]
        group.flush()
    return group, results


class Writer:
    """`submit` from the loop; `committed(group)` is called on the loop after every commit, before any result is."""

    def __init__(self, loop: asyncio.AbstractEventLoop, committed: Callable[[Group], None]) -> None:
        self._loop = loop
        self._committed = committed
        self._jobs: deque[Job] = deque()
        self._wake = threading.Condition()
        self._stopping = self._given_up = False
        self._memory = Memory()
        self._thread = threading.Thread(target=self._run, name="writer", daemon=True)
        self.trouble = ""

    def start(self) -> None:
        self._thread.start()

    @property
    def waiting(self) -> int:
        return len(self._jobs)

    def submit(self, operation: Operation[T]) -> "asyncio.Future[T]":
        """Queues the operation; the future has its result once it is committed, or the error that undid it alone."""
        future: asyncio.Future[T] = self._loop.create_future()
        with self._wake:
            if self._stopping:
                raise NotReady("The gateway is stopping.")
            self._jobs.append(Job(operation, future))
            self._wake.notify()
        return future

    async def written(self) -> None:
        """Returns once everything that was submitted before is committed."""
        await self.submit(_Nothing())

    async def stop(self) -> None:
        """Writes what is waiting, then ends the thread."""
        with self._wake:
            self._stopping = True
            self._wake.notify()
        await self._loop.run_in_executor(None, self._thread.join)

    # The thread

    def _run(self) -> None:
        while jobs := self._take():
            self._commit(jobs)
        connection.close()

    def _take(self) -> list[Job]:
        with self._wake:
            while not self._jobs and not self._stopping:
                self._wake.wait()
            return [self._jobs.popleft() for _ in range(min(len(self._jobs), LARGEST_GROUP))]

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
            waited_for = [job for job in jobs if not job.future.cancelled()]
            try:
                group, results = self._attempt(waited_for)
            except (OperationalError, InterfaceError) as error:
                self._note_trouble(error)
                if self._stopping:
                    raise NotReady("The database cannot be written.") from error
                time.sleep(pause)
                pause = min(pause * 2, LONGEST_PAUSE_SECONDS)
            except IntegrityError:
                # Another process was first with the same key: now the row is there to be found.
                self._memory.forget()
                if collided:
                    raise
                collided = True
            except Exception:
                self._memory.forget()
                raise
            else:
                self._note_health()
                for job, result in zip(waited_for, results, strict=True):
                    job.result = result
                return group

    def _attempt(self, jobs: list[Job]) -> tuple[Group, list[Any]]:
        began = time.monotonic()
        while True:
            try:
                self._prepare_connection()
                return run_group([job.operation for job in jobs], self._memory)
            except OperationalError as error:
                # SQLite's own busy wait is unfair to whoever waits longest: ours asks again at once.
                patience = SQLITE_BUSY_SECONDS / 10 if self._stopping else SQLITE_BUSY_SECONDS
                if "locked" not in str(error) or time.monotonic() - began > patience:
                    raise
                self._memory.forget()
            time.sleep(SQLITE_RETRY_SECONDS)

    def _prepare_connection(self) -> None:
        if connection.connection is None and connection.vendor == "sqlite":
            with connection.cursor() as cursor:
                cursor.execute("PRAGMA busy_timeout=0")

    def _note_trouble(self, error: DatabaseError | InterfaceError) -> None:
        if not self.trouble:
            logger.error("The database cannot be written (%s). Words wait; nothing is acknowledged.", error)
        self.trouble = str(error) or type(error).__name__
        self._memory.forget()
        connection.close()

    def _note_health(self) -> None:
        if self.trouble:
            logger.warning("The database can be written again.")
            self.trouble = ""

    # The loop

    def _announce(self, group: Group | None, jobs: list[Job]) -> None:
        try:
            if group is not None:
                self._committed(group)
        finally:
            for job in jobs:
                job.settle()


def commit_here(operation: Operation[T]) -> T:
    """For commands in other processes: one operation, on this thread, committed when it returns."""
    for attempt in range(3):
        try:
            return cast("T", run_group([operation], Memory())[1][0])
        except IntegrityError:
            if attempt == 2:
                raise
    raise AssertionError
