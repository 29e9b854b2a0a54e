"""One message's trip, step by step: what each costs in µs of processor time. Part of `make bench`."""

import json
import os
import signal
import tempfile
import time
from pathlib import Path
from threading import Thread
from typing import Any

from bench import contestants
from bench.contestants import Driver, Gateway

Figures = dict[str, Any]
FROM_HERE = {"loop": "the rest of the loop: uvloop, uvicorn's HTTP, tasks", "writer": "the rest of the writer"}


class TracedGateway(Gateway):
    def _command(self) -> list[str]:
        return [part.replace("config.asgi:", "bench.traced:") for part in super()._command()]


def trip(driver: Driver, seconds: float) -> Figures:
    """`{"threads": {name: µs an update}, "steps": [[thread, step, calls an update, µs an update]]}`, under uvicorn.

    The clocks take part of what they measure: `clocks_us` is how much dearer an update is with them.
    """
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        file = Path(folder, "trace.json")
        os.environ["TRACE_FILE"] = str(file)
        token = f"1000000001:{'A' * 35}"
        with contestants.gateway("uvicorn", driver, "webhook", token, make=TracedGateway) as one:
            driver.do("arrived", token=token, way="webhook")
            thread = Thread(target=watch, args=(one.pid, seconds))
            thread.start()
            load = {"chats": 100, "connections": 50, "window": 200, "delay": 0.0, "warm": 1.5, "seconds": seconds}
            figures = driver.do("flood", pid=one.pid, token=token, way="webhook", **load)
            thread.join()
            wait_for(file)
            return {**table(json.loads(file.read_text())), "us_with_clocks": figures["us"]}


def watch(pid: int, seconds: float) -> None:
    time.sleep(1.5)
    os.kill(pid, signal.SIGUSR1)
    time.sleep(seconds)
    os.kill(pid, signal.SIGUSR2)


def wait_for(file: Path) -> None:
    deadline = time.monotonic() + 10
    while not file.exists() and time.monotonic() < deadline:
        time.sleep(0.05)
    time.sleep(0.2)


def table(trace: Figures) -> Figures:
    steps, threads = trace["steps"], trace["threads"]
    updates = steps["webhook: the update read"][0]
    rows = [
        [thread_of(name), name, calls / updates, seconds / updates * 1e6] for name, (calls, seconds) in steps.items()
    ]
    for thread, rest in FROM_HERE.items():
        named = sum(row[3] for row in rows if row[0] == thread)
        rows.append([thread, rest, 0.0, threads[thread] / updates * 1e6 - named])
    handler = sum(threads.get(pool, 0.0) for pool in ("handler", "hop")) / updates * 1e6
    rows.append(
        ["handler", "the rest of the handlers' threads", 0.0, handler - sum(r[3] for r in rows if r[0] == "handler")]
    )
    rows.sort(key=lambda row: -row[3])
    return {
        "updates": updates,
        "threads": {name: round(seconds / updates * 1e6, 1) for name, seconds in threads.items()},
        "steps": [[thread, name, round(calls, 2), round(us, 1)] for thread, name, calls, us in rows],
    }


def thread_of(step: str) -> str:
    if step.startswith(("writer:", "database:")):
        return "writer"
    return "handler" if step.startswith("the handler") else "loop"
