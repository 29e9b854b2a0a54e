"""The real product as a process: started, asked, killed, started again."""

import atexit
import contextlib
import functools
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Literal, Self

ROOT = Path(__file__).resolve().parent.parent
NAME = "switchboard.sqlite3"
Server = Literal["daphne", "uvicorn"]
OURS = {
    "HOST", "PORT", "SECRET_KEY", "DEBUG", "ALLOWED_HOSTS", "PUBLIC_URL", "WIDGET_ORIGINS", "TELEGRAM_BOT_TOKEN",
    "TELEGRAM_BOTS", "TELEGRAM_API_URL", "TELEGRAM_WEBHOOK_URL", "TELEGRAM_WEBHOOK_SECRET", "CONVERSATION_TIMEOUT",
    "FLOOD_BOT_PER_SECOND", "FLOOD_CHAT_PER_SECOND", "FLOOD_CHAT_BURST", "FLOOD_GROUP_PER_MINUTE", "FLOOD_GROUP_BURST",
    "ANNOUNCEMENTS_PER_SECOND", "HOLDER_TIMEOUT", "FLOOD_LIMITS", "RATE_LIMITS", "MESSAGES_PER_SECOND",
    "MESSAGES_PER_MINUTE", "SOCKETS_PER_VISITOR", "SOCKETS_PER_ADDRESS", "NEW_CHATS_PER_MINUTE", "LOGINS_PER_MINUTE",
    "TELEGRAM_BOT_TOKEN_FILE", "TELEGRAM_BOTS_FILE",
    "WEBHOOK_MISSES_PER_MINUTE", "TRUSTED_PROXIES", "LOG_LEVEL", "DATABASE_URL", "CHANNELS_URL", "DATA_DIR",
    "TEST_MAP", "DJANGO_SETTINGS_MODULE", "PAGES_ALLOW_PRIVATE",
    "MAX_CONNECTIONS", "SLOW_HANDLER_SECONDS", "HANDLER_THREADS_MAX", "HANDLER_SENDS_MAX", "HANDLER_CONNECTIONS_MAX",
    "IDLE_INSTANCES_MAX",
    "WIDGET_IDENTITY_SECRETS", "REMOTE_FILES_MAX_BYTES",
    "UPLOADS", "UPLOAD_MAX_BYTES", "UPLOAD_TYPES", "UPLOADS_MAX_BYTES", "UPLOADS_PER_MINUTE",
    "METRICS_TOKEN", "LOG_FORMAT",
    # Else every start compiles all modules again, which is two thirds of it.
    "PYTHONDONTWRITEBYTECODE",
}  # fmt: skip


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class GatewayProcess:
    """One gateway on a port and data of its own. `with GatewayProcess({...}) as gateway:` has it ready.

    `{url}` in a value of `env` stands for the gateway's own URL. `application`: a map of tests/maps.py. Where `env`
    brings no DATABASE_URL it gets a migrated SQLite file.
    """

    def __init__(
        self,
        env: Mapping[str, str] | None = None,
        *,
        application: str = "",
        server: Server = "daphne",
        data_dir: Path | None = None,
    ) -> None:
        self.server = server
        self.root = ROOT
        self.port = free_port()
        self.data_dir = data_dir or Path(tempfile.mkdtemp(prefix="gateway-"))
        self.log_file = self.data_dir / f"gateway-{self.port}.log"
        self.process: subprocess.Popen[bytes] | None = None
        self._own_data = data_dir is None
        self.env = self._environment(env or {}, application)

    def _environment(self, wanted: Mapping[str, str], application: str) -> dict[str, str]:
        inherited = {name: value for name, value in os.environ.items() if name not in OURS}
        place = {"HOST": "127.0.0.1", "PORT": str(self.port), "PUBLIC_URL": self.url, "DATA_DIR": str(self.data_dir)}
        # Whoever measures the gateway from one address measures its limits otherwise.
        place["RATE_LIMITS"] = "off"
        settings = "tests.outside.settings" if application else "config.settings"
        mine = {name: value.replace("{url}", self.url) for name, value in wanted.items()}
        chosen = {"DJANGO_SETTINGS_MODULE": settings, "TEST_MAP": application} if application else {}
        return {**inherited, "PYTHONUNBUFFERED": "1", "DJANGO_SETTINGS_MODULE": settings, **place, **chosen, **mine}

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def socket_url(self) -> str:
        return f"ws://127.0.0.1:{self.port}"

    # Life

    def start(self, *, ready: bool = True, within: float = 30) -> Self:
        """Starts the process; with `ready`, returns once /healthz and /readyz say 200."""
        self.prepare()
        with self.log_file.open("ab") as log:
            self.process = subprocess.Popen(
                self._command(), cwd=self.root, env=self.env, stdout=log, stderr=log, start_new_session=True
            )
        atexit.register(self.kill)
        if ready:
            self.wait_until_ready(within)
        return self

    def prepare(self) -> None:
        """Gives it tables, once: a copy of a migrated file, or `migrate` for a database that was brought."""
        self.data_dir.mkdir(parents=True, exist_ok=True)
        if "DATABASE_URL" in self.env:
            if not self.log_file.exists():
                self.manage("migrate")
        elif not (self.data_dir / NAME).exists():
            shutil.copyfile(migrated_file(), self.data_dir / NAME)

    def _command(self) -> list[str]:
        if self.server == "daphne":
            return [sys.executable, "manage.py", "serve"]
        application = f"tests.maps:{name}" if (name := self.env.get("TEST_MAP")) else "config.asgi:application"
        limits = ["--http", "gateway.uvicorn_patience:PatientHttp", "--ws", "gateway.uvicorn_sockets:BoundedSocket"]
        place = ["--host", "127.0.0.1", "--port", str(self.port)]
        return [sys.executable, "-m", "uvicorn", application, "--no-proxy-headers", *place, *limits]

    def wait_until_ready(self, within: float = 30) -> None:
        deadline = time.monotonic() + within
        while not self.is_ready():
            assert self.running, f"ended with {self.exit_code}:\n{self.log_text()[-4000:]}"
            assert time.monotonic() < deadline, f"/readyz is {self.body('/readyz')}:\n{self.log_text()[-4000:]}"
            time.sleep(0.05)

    def is_ready(self) -> bool:
        """Ready to answer, that is with or without its channel layer."""
        try:
            parts = json.loads(self.body("/readyz"))["parts"]
        except (ValueError, KeyError, TypeError):
            return False
        return all(state == "ok" for part, state in parts.items() if part != "layer")

    @property
    def running(self) -> bool:
        return self.process is not None and self.process.poll() is None

    @property
    def exit_code(self) -> int | None:
        return None if self.process is None else self.process.poll()

    def wait(self, within: float = 10) -> int:
        """The exit code, once it has ended by itself. Raises subprocess.TimeoutExpired."""
        assert self.process is not None
        return self.process.wait(within)

    def kill(self) -> None:
        """SIGKILL, to everything it started as well."""
        atexit.unregister(self.kill)
        if self.process is None:
            return
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait(10)

    def terminate(self, within: float = 20) -> int:
        """SIGTERM; the exit code."""
        assert self.process is not None
        self.process.terminate()
        return self.wait(within)

    def restart(self, *, ready: bool = True) -> Self:
        """Kills it if it still runs, and starts it over the same data and port."""
        self.kill()
        return self.start(ready=ready)

    def close(self) -> None:
        self.kill()
        if self._own_data:
            shutil.rmtree(self.data_dir, ignore_errors=True)

    def __enter__(self) -> Self:
        try:
            return self.start()
        except BaseException:
            self.close()
            raise

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is not None:
            print(f"--- the gateway's log ---\n{self.log_text()[-8000:]}")
        self.close()

    # Questions

    def log_text(self) -> str:
        return self.log_file.read_text(errors="replace") if self.log_file.exists() else ""

    def status(self, path: str) -> int | None:
        """The status of a GET; None where nobody answers."""
        try:
            with urllib.request.urlopen(self.url + path, timeout=5) as response:
                return int(response.status)
        except urllib.error.HTTPError as error:
            return error.code
        except OSError:
            return None

    def body(self, path: str) -> str:
        try:
            with urllib.request.urlopen(self.url + path, timeout=5) as response:
                return str(response.read().decode())
        except urllib.error.HTTPError as error:
            return error.read().decode(errors="replace")
        except OSError as error:
            return str(error)

    def manage(self, *arguments: str, **env: str) -> str:
        """Runs a management command in its environment; what it printed. AssertionError where it fails."""
        return run_manage({**self.env, **env}, *arguments)


def run_manage(env: Mapping[str, str], *arguments: str, within: float = 60) -> str:
    command = [sys.executable, "manage.py", *arguments]
    done = subprocess.run(command, cwd=ROOT, env=dict(env), capture_output=True, text=True, timeout=within, check=False)
    assert done.returncode == 0, f"{arguments[0]} ended with {done.returncode}:\n{done.stdout}{done.stderr}"
    return done.stdout


@functools.cache
def migrated_file() -> Path:
    """An empty database with all tables, made once in a test run."""
    folder = Path(tempfile.mkdtemp(prefix="gateway-template-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    kept = {name: value for name, value in os.environ.items() if name not in OURS}
    run_manage({**kept, "DATA_DIR": str(folder), "DJANGO_SETTINGS_MODULE": "config.settings"}, "migrate", "-v", "0")
    return folder / NAME
