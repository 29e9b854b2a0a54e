"""The application map with a clock on every step of a message's trip: its thread's processor time, less that of steps
within it.

`uvicorn bench.traced:application`, with TRACE_FILE in the environment. SIGUSR1 begins; SIGUSR2 ends and writes
`{"steps": {name: [calls, seconds]}, "threads": {name: seconds}}`.
"""

import asyncio
import inspect
import json
import os
import signal
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Generator
from functools import partial, wraps
from pathlib import Path
from typing import Any

from bench.steps import STEPS, place_of
from config.asgi import application as real_application

POOLS = ("writer", "handler", "reader", "hop", "other")


class Steps(threading.local):
    """Of one thread: what is under way, as [name, seconds of the steps within]."""

    def __init__(self) -> None:
        self.under_way: list[list[Any]] = []
        self.spent: dict[str, list[float]] = {}
        everybody.append(self.spent)

    def enter(self, name: str) -> float:
        self.under_way.append([name, 0.0])
        return time.thread_time()

    def leave(self, began: float) -> None:
        used = time.thread_time() - began
        name, within = self.under_way.pop()
        if self.under_way:
            self.under_way[-1][1] += used
        calls_and_seconds = self.spent.setdefault(name, [0, 0.0])
        calls_and_seconds[0] += 1
        calls_and_seconds[1] += used - within


everybody: list[dict[str, list[float]]] = []
steps = Steps()


class Timed:
    """A coroutine, timed while it runs and not while it waits."""

    def __init__(self, name: str, inner: Any) -> None:
        self.name = name
        self.inner = inner

    def __await__(self) -> Generator[Any, Any, Any]:
        step = partial(self.inner.send, None)
        while True:
            began = steps.enter(self.name)
            try:
                waits_for = step()
            except StopIteration as end:
                return end.value
            finally:
                steps.leave(began)
            try:
                sent = yield waits_for
            except BaseException as error:
                step = partial(self.inner.throw, error)
            else:
                step = partial(self.inner.send, sent)


def timed(name: str, function: Callable[..., Any]) -> Callable[..., Any]:
    if inspect.iscoroutinefunction(function):

        @wraps(function)
        async def call_later(*arguments: Any, **named: Any) -> Any:
            return await Timed(name, function(*arguments, **named))

        return call_later

    @wraps(function)
    def call(*arguments: Any, **named: Any) -> Any:
        began = steps.enter(name)
        try:
            return function(*arguments, **named)
        finally:
            steps.leave(began)

    return call


def put_clocks() -> None:
    for name, module, owner, function in STEPS:
        place = place_of(module, owner)
        setattr(place, function, timed(name, getattr(place, function)))


def seconds_by_thread() -> dict[str, float]:
    """Processor seconds so far, the threads of a pool together."""
    names = {str(thread.native_id): thread.name for thread in threading.enumerate()}
    found: dict[str, float] = defaultdict(float)
    for task in Path("/proc/self/task").iterdir():
        name = "loop" if task.name == str(os.getpid()) else names.get(task.name, "other")
        pool = next((pool for pool in POOLS if name.startswith(pool)), name)
        found[pool] += int((task / "schedstat").read_text().split()[0]) / 1e9
    return found


before: dict[str, float] = defaultdict(float)


def begin() -> None:
    for spent in everybody:
        spent.clear()
    before.update(seconds_by_thread())


def end() -> None:
    sums: dict[str, list[float]] = {}
    for spent in everybody:
        for name, (calls, seconds) in spent.copy().items():
            total = sums.setdefault(name, [0, 0.0])
            total[0] += calls
            total[1] += seconds
    threads = {name: seconds - before[name] for name, seconds in seconds_by_thread().items()}
    Path(os.environ["TRACE_FILE"]).write_text(json.dumps({"steps": sums, "threads": threads}))


put_clocks()


async def application(scope: Any, receive: Any, send: Any) -> None:
    if scope["type"] == "lifespan":
        loop = asyncio.get_running_loop()
        loop.add_signal_handler(signal.SIGUSR1, begin)
        loop.add_signal_handler(signal.SIGUSR2, end)
    await real_application(scope, receive, send)
