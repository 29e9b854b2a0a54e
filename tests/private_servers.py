"""PostgreSQL and Redis of a test's own, on free ports: started, stopped, frozen and killed, and nobody else notices.

with PrivatePostgres() as postgres:
    GatewayProcess({"DATABASE_URL": postgres.url})
    postgres.freeze()       # SIGSTOP to every process of it: connections stay open, nobody answers
    postgres.thaw()
    postgres.kill()         # as in a power cut
    postgres.start()        # over the same data and port
"""

import atexit
import contextlib
import os
import shutil
import signal
import subprocess
import tempfile
import time
from abc import ABC, abstractmethod
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Self

import psycopg
import redis

from tests.gateway_process import free_port

POSTGRES_FOLDERS = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda folder: int(folder.parent.name))
START_WITHIN = 30.0  # seconds


def missing_private_servers() -> str:
    """What this machine lacks to run them, in words; empty when all is there."""
    missing = [] if POSTGRES_FOLDERS else ["PostgreSQL's server programs"]
    return " and ".join(missing if shutil.which("redis-server") else [*missing, "redis-server"])


class PrivateServer(ABC):
    """A server process over a folder that goes with it. Started by `start` or `with`; what it held outlives `stop`."""

    stop_signal = signal.SIGTERM

    def __init__(self) -> None:
        self.port = free_port()
        self.folder = Path(tempfile.mkdtemp(prefix="private-server-"))
        self.process: subprocess.Popen[bytes] | None = None
        self.user: str | None = None

    @abstractmethod
    def command(self) -> list[str]: ...

    @abstractmethod
    def answers(self) -> bool: ...

    def start(self) -> Self:
        with (self.folder / "log").open("ab") as log:
            self.process = subprocess.Popen(
                self.command(), cwd=self.folder, stdout=log, stderr=log, user=self.user, start_new_session=True
            )
        atexit.register(self.kill)
        until(self.answers, f"{type(self).__name__} does not answer; see {self.folder / 'log'}")
        return self

    def stop(self) -> None:
        """Ends it as its operator would; clients lose their connections."""
        self.thaw()
        self._end(self.stop_signal)

    def kill(self) -> None:
        """SIGKILL to all of its processes."""
        atexit.unregister(self.kill)
        self._end(signal.SIGKILL)

    def _end(self, wanted: signal.Signals) -> None:
        if self.process is None:
            return
        self._signal(wanted, everyone=wanted is signal.SIGKILL)
        self.process.wait(20)

    def restart(self) -> Self:
        self.stop()
        return self.start()

    def freeze(self) -> None:
        """SIGSTOP: the kernel still takes connections and bytes, nobody answers them."""
        self._signal(signal.SIGSTOP)

    def thaw(self) -> None:
        self._signal(signal.SIGCONT)

    def _signal(self, wanted: signal.Signals, *, everyone: bool = True) -> None:
        if self.process is None or self.process.poll() is not None:
            return
        for pid in [self.process.pid, *(children(self.process.pid) if everyone else [])]:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, wanted)

    def close(self) -> None:
        self.kill()
        shutil.rmtree(self.folder, ignore_errors=True)

    def __enter__(self) -> Self:
        try:
            return self.start()
        except BaseException:
            self.close()
            raise

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


class PrivatePostgres(PrivateServer):
    """A cluster of its own with one database, `gateway`. `settings`: of postgresql.conf (max_connections=5)."""

    stop_signal = signal.SIGINT  # "fast": ends the sessions instead of waiting for them

    def __init__(self, **settings: object) -> None:
        super().__init__()
        self.settings = {"listen_addresses": "127.0.0.1", "unix_socket_directories": self.folder, **settings}
        self.data = self.folder / "data"
        if os.getuid() == 0:  # the server refuses to run as root
            self.user = "postgres"
            shutil.chown(self.folder, "postgres", "postgres")
        initdb = [str(POSTGRES_FOLDERS[-1] / "initdb"), "-D", str(self.data), "-U", "postgres", "-A", "trust", "-N"]
        subprocess.run(initdb, check=True, capture_output=True, user=self.user, cwd=self.folder, timeout=60)

    @property
    def url(self) -> str:
        return self._url("gateway")

    def _url(self, database: str) -> str:
        return f"postgres://postgres@127.0.0.1:{self.port}/{database}"

    def command(self) -> list[str]:
        chosen = [part for name, value in self.settings.items() for part in ("-c", f"{name}={value}")]
        return [str(POSTGRES_FOLDERS[-1] / "postgres"), "-D", str(self.data), "-p", str(self.port), *chosen]

    def answers(self) -> bool:
        try:
            with psycopg.connect(self._url("postgres"), connect_timeout=2, autocommit=True) as connection:
                there = connection.execute("SELECT 1 FROM pg_database WHERE datname = 'gateway'").fetchone()
                if there is None:
                    connection.execute("CREATE DATABASE gateway")
        except psycopg.OperationalError:
            return False
        return True


class PrivateRedis(PrivateServer):
    """Keeps nothing on disk: what it held is gone after `stop`."""

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self.port}/0"

    def client(self) -> "redis.Redis":
        """For what Redis can do to itself: CLIENT PAUSE, DEBUG SLEEP, FLUSHALL."""
        return redis.Redis.from_url(self.url, socket_timeout=60)

    def command(self) -> list[str]:
        quiet = ["--save", "", "--appendonly", "no", "--enable-debug-command", "local"]
        return ["redis-server", "--port", str(self.port), "--bind", "127.0.0.1", *quiet]

    def answers(self) -> bool:
        try:
            with self.client() as client:
                return bool(client.ping())
        except redis.RedisError:
            return False


def children(parent: int) -> list[int]:
    """The processes that `parent` started and that still run."""
    found = []
    for status in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError, ValueError):
            if int(status.read_text().rpartition(")")[2].split()[1]) == parent:
                found.append(int(status.parent.name))
    return found


def until(holds: Callable[[], bool], otherwise: str, within: float = START_WITHIN) -> None:
    """Waits until it holds. Raises AssertionError with the words of `otherwise` after `within` seconds."""
    deadline = time.monotonic() + within
    while not holds():
        assert time.monotonic() < deadline, otherwise
        time.sleep(0.05)
