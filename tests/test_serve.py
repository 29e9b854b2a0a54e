"""`serve` as a process: it starts and stops the application, and finishes what is in hand."""

import asyncio
import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed

from gateway import lifespan_player
from gateway.lifespan_player import LifespanPlayer, StartFailed
from gateway.types import Receive, Scope, Send

ROOT = Path(__file__).resolve().parent.parent
Start = Callable[..., subprocess.Popen[str]]


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """A prepared SQLite of its own, whatever database the suite runs on."""
    made = os.environ | {
        "DATA_DIR": str(tmp_path_factory.mktemp("data")),
        "DJANGO_SETTINGS_MODULE": "tests.serve_settings",
        "PYTHONUNBUFFERED": "1",
    }
    made.pop("DATABASE_URL", None)
    made.pop("CHANNELS_URL", None)
    subprocess.run([sys.executable, "manage.py", "quickstart"], cwd=ROOT, env=made, check=True, capture_output=True)
    return made


@pytest.fixture
def start(environment: dict[str, str]) -> Iterator[Start]:
    started: list[subprocess.Popen[str]] = []

    def run(*options: str, **extra: str) -> subprocess.Popen[str]:
        command = [sys.executable, "manage.py", "serve", "--port", "0", *options]
        process = subprocess.Popen(
            command, cwd=ROOT, env=environment | extra, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        started.append(process)
        return process

    yield run
    for process in started:
        process.kill()
        process.communicate()


def port_of(process: subprocess.Popen[str]) -> int:
    assert process.stdout
    for line in process.stdout:
        if match := re.match(r"Switchboard listens on http://127\.0\.0\.1:(\d+)", line):
            return int(match[1])
    raise AssertionError(process.communicate()[1])


async def get(port: int, path: str) -> bytes:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(f"GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n".encode())
    answer = await reader.read()
    writer.close()
    return answer


async def begin_slow(process: subprocess.Popen[str], port: int) -> asyncio.Task[bytes]:
    """A request that the application has in hand."""
    request = asyncio.create_task(get(port, "/slow"))
    assert process.stdout
    while (line := await asyncio.to_thread(process.stdout.readline)) != "slow begun\n":
        assert line, "the gateway ended"
    return request


async def test_a_stop_finishes_what_is_in_hand(start: Start) -> None:
    process = start()
    port = port_of(process)
    assert b"served" in await get(port, "/")
    async with connect(f"ws://127.0.0.1:{port}/") as socket:
        await socket.send("hello")
        assert await socket.recv() == "hello"
        slow = await begin_slow(process, port)
        process.send_signal(signal.SIGTERM)
        assert b"served" in await slow
        with pytest.raises(ConnectionClosed) as closed:
            await socket.recv()
    assert closed.value.rcvd
    assert closed.value.rcvd.code == 4012
    rest, errors = await asyncio.to_thread(process.communicate)
    assert (process.returncode, "map stopped" in rest, "Traceback" in errors) == (0, True, False)


async def test_a_second_signal_stops_at_once(start: Start) -> None:
    process = start()
    port = port_of(process)
    slow = await begin_slow(process, port)
    process.send_signal(signal.SIGINT)
    assert process.stderr
    while "a second signal stops at once" not in (line := await asyncio.to_thread(process.stderr.readline)):
        assert line, "the gateway ended"
    process.send_signal(signal.SIGINT)
    assert await slow == b""
    assert await asyncio.to_thread(process.wait) == 128 + signal.SIGINT


@pytest.mark.parametrize(
    ("fault", "said"),
    [("refuse", "Another gateway runs over this database."), ("raise", "RuntimeError: no such table")],
)
def test_a_start_that_fails_is_said_without_a_traceback(start: Start, fault: str, said: str) -> None:
    process = start(FAULT=fault)
    out, errors = process.communicate()
    assert process.returncode == 1
    assert said in errors
    assert "Traceback" not in errors
    assert "listens" not in out


def test_an_unprepared_database_is_said_without_a_traceback(start: Start, tmp_path: Path) -> None:
    process = start(DATA_DIR=str(tmp_path))
    errors = process.communicate()[1]
    assert process.returncode == 1
    assert "manage.py quickstart" in errors
    assert "Traceback" not in errors


def test_a_first_run_prepares_everything_and_a_second_nothing(start: Start, tmp_path: Path) -> None:
    shown = []
    for _ in range(2):
        process = start("--quickstart", DATA_DIR=str(tmp_path))
        assert process.stdout
        shown.append("".join(iter(process.stdout.readline, "  Stop:               Ctrl-C\n")))
        process.send_signal(signal.SIGTERM)
        assert process.wait() == 0
    assert ["password" in text for text in shown] == [True, False]
    assert "Everything is prepared." in shown[1]


class Recorded:
    """A lifespan application that notes what it is asked."""

    def __init__(self) -> None:
        self.heard: list[str] = []

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        assert scope["type"] == "lifespan"
        for stage in ("startup", "shutdown"):
            self.heard.append((await receive())["type"])
            await send({"type": f"lifespan.{stage}.complete"})


async def test_player_plays_both_stages() -> None:
    application = Recorded()
    player = LifespanPlayer(application)
    await player.start()
    assert application.heard == ["lifespan.startup"]
    await player.stop(5)
    assert application.heard == ["lifespan.startup", "lifespan.shutdown"]


async def test_player_takes_the_gateways_own_where_the_map_has_none(monkeypatch: pytest.MonkeyPatch) -> None:
    async def no_entry(scope: Scope, receive: Receive, send: Send) -> None:
        raise ValueError("No application configured for scope type 'lifespan'")

    own = Recorded()
    monkeypatch.setattr(lifespan_player, "Lifespan", lambda: own)
    player = LifespanPlayer(no_entry)
    await player.start()
    await player.stop(5)
    assert own.heard == ["lifespan.startup", "lifespan.shutdown"]


async def test_player_does_not_hide_a_fault_behind_the_gateways_own(monkeypatch: pytest.MonkeyPatch) -> None:
    async def faulty(scope: Scope, receive: Receive, send: Send) -> None:
        await receive()
        raise ValueError("a fault of the start")

    own = Recorded()
    monkeypatch.setattr(lifespan_player, "Lifespan", lambda: own)
    with pytest.raises(StartFailed, match="a fault of the start"):
        await LifespanPlayer(faulty).start()
    assert own.heard == []


async def test_player_leaves_a_shutdown_that_hangs() -> None:
    async def hangs(scope: Scope, receive: Receive, send: Send) -> None:
        await receive()
        await send({"type": "lifespan.startup.complete"})
        await asyncio.Event().wait()

    player = LifespanPlayer(hangs)
    await player.start()
    await player.stop(0.05)
    assert player.running
    player.running.cancel()
