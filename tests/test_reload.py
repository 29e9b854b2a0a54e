"""`serve --reload`: the parent by itself over a small script, then the whole product over the web."""

import asyncio
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from threading import Thread

import pytest
from websockets.asyncio.client import connect

from gateway.reload import BROKEN_SOURCES, stamps
from tests.gateway_process import free_port
from tests.test_startbot import copy_product

ROOT = Path(__file__).resolve().parent.parent
DRIVER = """\
import sys
from pathlib import Path
from gateway import reload

reload.LOOK_SECONDS, reload.STOP_SECONDS = 0.05, 0.3
folder = Path(sys.argv[1])
command = [sys.executable, "-B", str(folder / "app.py")]
sys.exit(reload.Reloader(command, folder, lambda text: print(text, flush=True)).run())
"""
SERVING = """\
import signal, sys, time
from gateway.reload import follow_parent
follow_parent()
def stop(*_):
    print("stopping {0}", flush=True)
    sys.exit(0)
signal.signal(signal.SIGTERM, stop)
signal.signal(signal.SIGINT, stop)
print("serving {0}", flush=True)
while True:
    time.sleep(0.05)
"""
FAILING = "import sys\nprint('failing', flush=True)\nsys.exit({0})\n"
STUBBORN = """\
import os, signal, sys, time
asked = []
def stop(*_):
    asked.append(1)
    print("asked", len(asked), flush=True)
    if len(asked) == 2:
        os._exit(9)
signal.signal(signal.SIGTERM, stop)
print("serving stubbornly", flush=True)
while True:
    time.sleep(0.05)
"""


class Watched:
    """A process whose lines are read as they come."""

    def __init__(self, command: list[str], **how: object) -> None:
        self.lines: list[str] = []
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, **how)  # type: ignore[call-overload]
        self._reader = Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        for line in self.process.stdout:
            self.lines.append(line)

    def until(self, part: str, times: int = 1, within: float = 30) -> None:
        deadline = time.monotonic() + within
        while sum(part in line for line in self.lines) < times:
            assert time.monotonic() < deadline, f"no {part!r} in:\n{''.join(self.lines)}"
            time.sleep(0.02)

    def end(self, number: int = signal.SIGTERM) -> int:
        self.process.send_signal(number)
        code = self.process.wait(30)
        self._reader.join(10)
        return code


Start = Callable[[str], Watched]


@pytest.fixture
def app(tmp_path: Path) -> Path:
    return tmp_path / "app.py"


@pytest.fixture
def start(app: Path) -> Iterator[Start]:
    started: list[Watched] = []

    def begin(text: str) -> Watched:
        app.write_text(text)
        watched = Watched([sys.executable, "-c", DRIVER, str(app.parent)], env={**os.environ, "PYTHONPATH": str(ROOT)})
        started.append(watched)
        return watched

    yield begin
    for watched in started:
        watched.process.kill()
        watched.process.wait(10)


def test_a_change_starts_it_again(start: Start, app: Path) -> None:
    parent = start(SERVING.format("one"))
    parent.until("serving one")
    app.write_text(SERVING.format("number two"))
    parent.until("serving number two")
    assert [line.split(".")[0] for line in parent.lines] == [
        "serving one\n",
        "Changed: app",
        "stopping one\n",
        "serving number two\n",
    ]
    assert parent.end() == 0
    assert parent.lines[-1] == "stopping number two\n"


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_both(start: Start, number: int) -> None:
    parent = start(SERVING.format("one"))
    parent.until("serving one")
    assert parent.end(number) == 0
    assert parent.lines == ["serving one\n", "stopping one\n"]


def test_what_fails_waits_for_its_mend(start: Start, app: Path) -> None:
    parent = start(FAILING.format(BROKEN_SOURCES))
    parent.until("as soon as a file changes")
    app.write_text(FAILING.format(1) + "# another\n")
    parent.until("as soon as a file changes", 2)
    app.write_text(SERVING.format("mended"))
    parent.until("serving mended")
    assert parent.lines.count("failing\n") == 2, "and it was not tried in between"
    assert parent.end() == 0


def test_waiting_can_be_ended(start: Start) -> None:
    parent = start(FAILING.format(BROKEN_SOURCES))
    parent.until("as soon as a file changes")
    assert parent.end(signal.SIGINT) in (0, BROKEN_SOURCES)


def test_a_first_start_that_no_change_can_mend_ends(start: Start) -> None:
    parent = start(FAILING.format(1))
    assert parent.process.wait(30) == 1


def test_what_does_not_stop_is_asked_twice(start: Start, app: Path) -> None:
    parent = start(STUBBORN)
    parent.until("serving stubbornly")
    app.write_text(SERVING.format("one"))
    parent.until("serving one")
    assert [line for line in parent.lines if line.startswith("asked")] == ["asked 1\n", "asked 2\n"]


def test_a_killed_parent_takes_its_child_along(start: Start) -> None:
    parent = start(SERVING.format("one"))
    parent.until("serving one")
    parent.process.kill()
    parent.until("stopping one")


def test_only_sources_are_watched(tmp_path: Path) -> None:
    for folder in ("bots/deep", "data", "tests", ".venv", "env", "elsewhere", "bots/__pycache__"):
        (tmp_path / folder).mkdir(parents=True)
        (tmp_path / folder / "one.py").write_text("")
    (tmp_path / "env" / "pyvenv.cfg").write_text("")
    (tmp_path / "bots" / "page.html").write_text("")
    for other in ("notes.txt", ".#lock.py"):
        (tmp_path / "bots" / other).write_text("")

    def seen() -> dict[str, object]:
        found = stamps(str(tmp_path), {str(tmp_path / "elsewhere")})
        return {os.path.relpath(path, tmp_path): stamp for path, stamp in found}

    before = seen()
    assert sorted(before) == ["bots/deep/one.py", "bots/page.html"]
    (tmp_path / "bots" / "deep" / "one.py").write_text("x = 1")
    assert seen()["bots/deep/one.py"] != before["bots/deep/one.py"]
    shutil.rmtree(tmp_path / "bots")
    assert seen() == {}


# The whole product


@pytest.fixture
def gateway(tmp_path: Path) -> Iterator[tuple[Path, str, Watched]]:
    port = free_port()
    here = {"HOST": "127.0.0.1", "PORT": str(port), "PUBLIC_URL": f"http://127.0.0.1:{port}", "PYTHONUNBUFFERED": "1"}
    environment = copy_product(tmp_path) | here
    command = [sys.executable, "manage.py", "serve", "--quickstart", "--reload"]
    watched = Watched(command, cwd=tmp_path, env=environment)
    yield tmp_path, f"ws://127.0.0.1:{port}/ws/chat/", watched
    print("".join(watched.lines))
    watched.end()


async def ask(url: str, bot: str, text: str) -> str:
    origin = url.replace("ws://", "http://").removesuffix("/ws/chat/")
    async with connect(url, origin=origin) as client:
        await client.send(json.dumps({"type": "hello", "token": None, "since": 0, "bot": bot}))
        await client.send(json.dumps({"type": "message", "id": "1", "text": text}))
        async with asyncio.timeout(10):
            while True:
                frame = json.loads(await client.recv())
                if frame["type"] == "message" and frame["from"] != "visitor":
                    return str(frame["text"])
                assert frame["type"] != "error", frame


READY = "  Stop: "


@pytest.mark.timeout(180)  # Seven starts of the server.
async def test_a_new_bot_answers_without_a_restart_by_hand(gateway: tuple[Path, str, Watched]) -> None:
    folder, url, serve = gateway
    serve.until(READY)
    assert await ask(url, "bot", "hi") == "You said: hi"
    command = [sys.executable, "manage.py", "startbot", "pizza"]
    await asyncio.to_thread(subprocess.run, command, cwd=folder, check=True, capture_output=True)
    serve.until(READY, 2)
    assert await ask(url, "pizza", "hi") == "You said: hi"
    bot = folder / "bots" / "pizza.py"
    made = bot.read_text()
    bot.write_text(made.replace("You said:", "One pizza with"))
    serve.until(READY, 3)
    assert await ask(url, "pizza", "olives") == "One pizza with olives"

    bot.write_text(made.replace("def received(self,", "def received(self"))
    serve.until("SyntaxError")
    serve.until("as soon as a file changes")
    said = "".join(serve.lines)
    assert 'bots/pizza.py", line' in said
    assert "importlib" not in said, "no frames but the author's own"
    bot.write_text(made.replace('self.reply(f"You said', 'raise ValueError(f"You said').replace(', [("More"', ") #"))
    serve.until(READY, 4)
    assert (await ask(url, "pizza", "olives")).startswith("Sorry")
    serve.until("ValueError: You said: olives")
    assert "Changed: bots/pizza.py" in "".join(serve.lines)


def test_a_busy_port_is_said_at_once(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        environment = os.environ | {"DATA_DIR": str(tmp_path)}
        command = [sys.executable, "manage.py", "serve", "--reload", "--host", "127.0.0.1", "--port", port]
        ended = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=30)
    assert ended.returncode == 1
    assert f"Port {port} on 127.0.0.1 is taken" in ended.stderr
