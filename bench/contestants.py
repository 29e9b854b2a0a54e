"""Who is measured: the gateway on either server and database, and two libraries. One process each, on one processor."""

import contextlib
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar, Self

from tests.gateway_process import ROOT, GatewayProcess, Server, free_port, run_manage
from tests.services import postgres_database

PROCESSORS = sorted(os.sched_getaffinity(0))
# One for what is measured, another for all the rest; with a single one they disturb each other, and the table says so.
MEASURED, OTHERS = {PROCESSORS[0]}, {PROCESSORS[-1]}
START_SECONDS, STOP_SECONDS = 90.0, 15.0
# Ten million messages are written before the start.
FILL_SECONDS = 3600.0


class DriverFailed(Exception):
    """What the driver said."""


class Driver:
    """The process of bench.driver, and the commands it takes."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "bench.driver"], cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        os.sched_setaffinity(self._process.pid, OTHERS)
        self.api = f"http://127.0.0.1:{self._read()['port']}"

    def do(self, name: str, **arguments: Any) -> dict[str, Any]:
        """Raises DriverFailed."""
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps({"do": name, **arguments}) + "\n")
        self._process.stdin.flush()
        return self._read()

    def _read(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise DriverFailed("The driver has ended; what it said is above.")
        answer: dict[str, Any] = json.loads(line)
        if "error" in answer:
            raise DriverFailed(str(answer["error"]))
        return answer

    def close(self) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait(STOP_SECONDS)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class Gateway(GatewayProcess):
    """`manage.py serve`, or uvicorn with the application map, on the measured processor."""

    processors: ClassVar[set[int]] = MEASURED

    def _command(self) -> list[str]:
        # A line for each request would be measured too, and no peer writes one.
        return super()._command() + (["--no-access-log"] if self.server == "uvicorn" else [])

    def begin(self, past: str = "") -> float:
        """Starts it and waits for /readyz; the seconds that took. `past`: code that fills its database before."""
        self.prepare()
        if past:
            run_manage(self.env, "shell", "-v", "0", "-c", past, within=FILL_SECONDS)
        began = time.perf_counter()
        self.start(ready=False)
        assert self.process is not None
        os.sched_setaffinity(self.process.pid, self.processors)
        self.wait_until_ready(START_SECONDS)
        return time.perf_counter() - began

    def operator_cookie(self) -> str:
        """Of somebody of the staff who has signed in."""
        return self.manage("shell", "-v", "0", "-c", SIGN_IN).strip().splitlines()[-1]


@contextlib.contextmanager
def writing_beside(gateway: Gateway, rate: float) -> Iterator[None]:
    """Another process's transactions on the same database, so many a second."""
    command = [sys.executable, "manage.py", "shell", "-v", "0", "-c", WRITE_BESIDE.format(pause=1 / rate)]
    process = subprocess.Popen(command, cwd=ROOT, env=gateway.env, stdin=subprocess.DEVNULL)
    os.sched_setaffinity(process.pid, OTHERS)
    try:
        yield
    finally:
        process.kill()
        process.wait(STOP_SECONDS)


WRITE_BESIDE = """
import time
from gateway.models import Tag
while True:
    Tag.objects.update_or_create(name="bench", defaults={{"name": "bench"}})
    time.sleep({pause})
"""
SIGN_IN = """
from django.conf import settings
from django.contrib.auth import BACKEND_SESSION_KEY, HASH_SESSION_KEY, SESSION_KEY, get_user_model
from django.contrib.sessions.backends.db import SessionStore
user = get_user_model().objects.create_superuser("bench", password=None)
session = SessionStore()
session[SESSION_KEY], session[HASH_SESSION_KEY] = str(user.pk), user.get_session_auth_hash()
session[BACKEND_SESSION_KEY] = settings.AUTHENTICATION_BACKENDS[0]
session.create()
print(f"{settings.SESSION_COOKIE_NAME}={session.session_key}")
"""


@dataclass(frozen=True)
class Running:
    """A contestant that is ready. `start_seconds`: from its process's start."""

    name: str
    token: str
    pid: int
    start_seconds: float = 0.0
    gateway: Gateway | None = field(default=None, repr=False)


GATEWAYS: dict[str, tuple[Server, str]] = {
    "uvicorn": ("uvicorn", "sqlite"),
    "daphne": ("daphne", "sqlite"),
    "uvicorn postgres": ("uvicorn", "postgres"),
    "daphne postgres": ("daphne", "postgres"),
}
PEERS = {"python-telegram-bot": "bench.peer_ptb", "aiogram": "bench.peer_aiogram"}


@contextlib.contextmanager
def running(name: str, driver: Driver, way: str, past: str = "") -> Iterator[Running]:
    """A contestant whose bot takes its updates by `way`: webhook or polling. `past`: as Gateway.begin's."""
    token = f"{1_000_000_000 + free_port()}:{'A' * 35}"
    with ExitStack() as stack:
        if name in PEERS:
            found = stack.enter_context(peer(name, driver, way, token))
        else:
            found = stack.enter_context(gateway(name, driver, way, token, past=past))
        driver.do("arrived", token=token, way=way)
        yield found


def environment(driver: Driver, token: str) -> dict[str, str]:
    """Of a gateway that is measured."""
    return {
        "TELEGRAM_BOT_TOKEN": token,
        "TELEGRAM_API_URL": driver.api,
        "FLOOD_LIMITS": "off",
        "RATE_LIMITS": "off",
        "MAX_CONNECTIONS": "20000",
        "LOG_LEVEL": "WARNING",
    }


@contextlib.contextmanager
def gateway(
    name: str, driver: Driver, way: str, token: str, make: type[Gateway] = Gateway, past: str = ""
) -> Iterator[Running]:
    server, database = GATEWAYS[name]
    env = environment(driver, token)
    if way == "webhook":
        env["TELEGRAM_WEBHOOK_URL"] = "{url}"
    with ExitStack() as stack:
        if database == "postgres":
            env["DATABASE_URL"] = stack.enter_context(postgres_database())
        process = make(env, server=server)
        stack.callback(process.close)
        seconds = process.begin(past)
        assert process.process is not None
        yield Running(name, token, process.process.pid, seconds, process)


@contextlib.contextmanager
def peer(name: str, driver: Driver, way: str, token: str) -> Iterator[Running]:
    with tempfile.TemporaryDirectory(prefix="bench-") as folder, Path(folder, "log").open("wb") as log:
        command = [sys.executable, "-m", PEERS[name], way, token, driver.api, str(free_port())]
        process = subprocess.Popen(command, cwd=ROOT, stdout=log, stderr=log)
        os.sched_setaffinity(process.pid, MEASURED)
        try:
            yield Running(name, token, process.pid)
        except DriverFailed:
            print(Path(folder, "log").read_text()[-4000:], file=sys.stderr)
            raise
        finally:
            process.send_signal(signal.SIGKILL)
            process.wait(STOP_SECONDS)
