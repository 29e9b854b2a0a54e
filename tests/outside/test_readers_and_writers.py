"""Clients that do not read, or never stop writing, and what it costs the others: the real process."""

import asyncio
import contextlib
import json
import socket
import time
from collections.abc import Iterator

import pytest
from websockets.asyncio.client import connect

from gateway.flow import CUT_SECONDS
from tests.flow_process import MEGABYTE, FlowProcess, Peak, RawSocket, flooding, frame, p99, round_trips

pytestmark = pytest.mark.timeout(180)
ALLOWED = 2 * MEGABYTE
PATIENT = CUT_SECONDS + 15
# The machine's own hiccups, on a base of a few milliseconds.
HICCUP_MS = 25
# Empty frames, pings, and a message of endlessly many empty fragments.
SPLINTERS = (frame() * 1000, frame(first=0x89) * 1000, frame(first=0x01) + frame(first=0x00) * 100_000)


@pytest.fixture
def gateway(server: str) -> Iterator[FlowProcess]:
    with FlowProcess(server) as gateway:
        asyncio.run(round_trips(gateway, 1))  # What is made at first use is no growth.
        yield gateway
        assert "Traceback" not in gateway.log_text()


def wait_for(gateway: FlowProcess, text: str, within: float = PATIENT) -> None:
    deadline = time.monotonic() + within
    while text not in gateway.log_text():
        assert time.monotonic() < deadline, f"{text!r} is not in the log"
        time.sleep(0.05)


def test_a_reader_that_stops_is_dropped_and_costs_little(gateway: FlowProcess) -> None:
    base = p99(asyncio.run(round_trips(gateway, 3)))
    with Peak(gateway) as peak, RawSocket(gateway.port, "/ws/flood/"):
        begun = time.monotonic()
        beside = p99(asyncio.run(round_trips(gateway, 3)))
        wait_for(gateway, "flood ended")
        took = time.monotonic() - begun
    print(f"dropped after {took:.1f} s, +{peak.grown / MEGABYTE:.2f} MiB, p99 {base:.1f} -> {beside:.1f} ms")
    assert peak.grown <= ALLOWED
    assert took < PATIENT
    assert beside <= 2 * base + HICCUP_MS


def test_many_readers_that_stop_cost_less_than_a_mebibyte_each(gateway: FlowProcess) -> None:
    with Peak(gateway) as peak, contextlib.ExitStack() as stack:
        for _ in range(20):
            stack.enter_context(RawSocket(gateway.port, "/ws/flood/"))
        deadline = time.monotonic() + PATIENT
        while gateway.log_text().count("flood ended") < 20:
            assert time.monotonic() < deadline
            time.sleep(0.1)
    print(f"+{peak.grown / MEGABYTE / 20:.2f} MiB each")
    assert peak.grown <= 20 * MEGABYTE


def test_a_reader_that_wakes_up_in_time_is_told_why() -> None:
    with FlowProcess() as gateway, RawSocket(gateway.port, "/ws/flood/") as line:
        wait_for(gateway, "is dropped (code 4013)")
        assert line.closing_code() == 4013


def test_a_slow_reader_is_not_dropped_and_gets_all_of_it(gateway: FlowProcess) -> None:
    """8 KB/s for longer than our patience, with more on the way to it than it can take in that time."""
    frames, size = 60, 16 * 1024
    with RawSocket(gateway.port, f"/ws/flood/?frames={frames}&bytes={size}", receives=16 * 1024) as line:
        end = time.monotonic() + 2 * CUT_SECONDS + 3
        while time.monotonic() < end:
            line.prefetch(2048)
            time.sleep(0.25)
        for number in range(frames):
            found = line.read_words()
            assert found is not None, f"dropped before frame {number}"
            assert found.startswith(b"%d " % number)
    assert "is dropped" not in gateway.log_text()


@pytest.mark.parametrize(
    ("path", "raw"),
    [
        ("/ws/lazy/", frame(b"x" * 1000) * 50),
        ("/ws/lazy/", frame(b"x" * 65536)),
        ("/ws/echo/", frame(b"x" * 1000) * 50),
        *[("/ws/echo/", raw) for raw in SPLINTERS],
    ],
    ids=["small frames", "large frames", "echoes unread", "empty frames", "pings", "fragments"],
)
def test_a_flooding_writer_costs_little_and_holds_nobody_up(gateway: FlowProcess, path: str, raw: bytes) -> None:
    base = p99(asyncio.run(round_trips(gateway, 3)))
    with Peak(gateway) as peak, flooding(gateway, path, raw) as written:
        beside = p99(asyncio.run(round_trips(gateway, 5)))
    costs = f"+{peak.grown / MEGABYTE:.2f} MiB, p99 {base:.1f} -> {beside:.1f} ms"
    print(f"{written.value / MEGABYTE:.1f} MiB written, {costs}")
    assert written.value > 100_000
    assert peak.grown <= ALLOWED
    assert beside <= 2 * base + HICCUP_MS


def test_a_visitor_who_floods_and_never_reads_is_bounded(gateway: FlowProcess) -> None:
    """The product's own socket, its limits on visitors off: ten words a write, each committed and echoed."""
    hello = frame(b'{"type":"hello"}')
    with Peak(gateway) as peak, RawSocket(gateway.port, "/ws/chat/", receives=16 * 1024, within=1) as line:
        line.send(hello)
        begun = time.monotonic()
        number = 0
        with contextlib.suppress(OSError):
            while time.monotonic() - begun < 10:
                number += 1
                line.line.sendall(frame(json.dumps({"type": "message", "id": f"{number}", "text": "x" * 900}).encode()))
    print(f"{number} words, +{peak.grown / MEGABYTE:.2f} MiB")
    assert number > 64
    assert peak.grown <= 30 * MEGABYTE  # Mostly what the database and its threads take at first use.


def test_a_page_that_nobody_reads_is_cut_and_costs_little(gateway: FlowProcess) -> None:
    with Peak(gateway) as peak, socket.create_connection(("127.0.0.1", gateway.port)) as line:
        line.sendall(b"GET /page HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
        deadline = time.monotonic() + PATIENT
        while is_open(line):
            assert time.monotonic() < deadline, "still open"
            time.sleep(0.1)
    print(f"+{peak.grown / MEGABYTE:.2f} MiB")
    assert peak.grown <= ALLOWED


def is_open(line: socket.socket) -> bool:
    """Whether the other side has it open, without reading: the kernel's word for it."""
    established = 1
    return line.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 1)[0] == established


def test_a_page_that_is_read_comes_whole(gateway: FlowProcess) -> None:
    size, tail = 0, b""
    with Peak(gateway) as peak, socket.create_connection(("127.0.0.1", gateway.port), timeout=30) as line:
        line.sendall(b"GET /page HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n")
        while more := line.recv(2**20):
            size += len(more)
            tail = (tail + more)[-32:]
    assert size > 200 * MEGABYTE
    assert b"the end" in tail
    assert peak.grown <= ALLOWED


def test_a_body_that_grows_is_refused_and_costs_little(gateway: FlowProcess) -> None:
    head = b"POST /telegram/bot/ HTTP/1.1\r\nHost: 127.0.0.1\r\nTransfer-Encoding: chunked\r\n\r\n"
    with Peak(gateway) as peak, socket.create_connection(("127.0.0.1", gateway.port), timeout=10) as line:
        with contextlib.suppress(OSError):
            line.sendall(head)
            for _ in range(100 * 16):
                line.sendall(b"10000\r\n" + b"x" * 0x10000 + b"\r\n")
        with contextlib.suppress(ConnectionError):
            assert line.recv(12) in (b"HTTP/1.1 401", b"HTTP/1.1 413")
    print(f"+{peak.grown / MEGABYTE:.2f} MiB")
    assert peak.grown <= ALLOWED


def test_headers_that_trickle_in_are_not_waited_for() -> None:
    with FlowProcess() as gateway, socket.create_connection(("127.0.0.1", gateway.port), timeout=10) as line:
        line.sendall(b"GET / HTTP/1.1\r\n")
        begun = time.monotonic()
        with contextlib.suppress(OSError):
            while time.monotonic() - begun < 60 and is_open(line):
                line.sendall(b"X-More: x\r\n")
                time.sleep(0.5)
        took = time.monotonic() - begun
    print(f"closed after {took:.1f} s")
    assert 15 < took < 30


def test_more_connections_than_allowed_are_refused_in_words() -> None:
    with FlowProcess(MAX_CONNECTIONS="20") as gateway, contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(RawSocket(gateway.port, "/ws/echo/")) for _ in range(20)]
        assert [line.status for line in sockets] == [101] * 18 + [503] * 2
        assert b"Retry-After" in sockets[-1].answer
        assert gateway.status("/healthz") == 200, "the last places are for pages"
        for line in sockets[18:]:
            line.close()
        idle = [stack.enter_context(socket.create_connection(("127.0.0.1", gateway.port))) for _ in range(4)]
        deadline = time.monotonic() + 10
        while gateway.status("/healthz") != 503:
            assert time.monotonic() < deadline
            time.sleep(0.1)
        assert "MAX_CONNECTIONS" in gateway.body("/healthz")
        for line in sockets:
            line.close()
        for other in idle:
            other.close()
        while gateway.status("/healthz") != 200:
            assert time.monotonic() < deadline + 10
            time.sleep(0.1)
        with RawSocket(gateway.port, "/ws/echo/") as back:
            assert back.status == 101


def test_nobody_who_is_there_is_put_out_by_those_who_come(gateway: FlowProcess) -> None:
    async def crowd() -> list[str | bytes]:
        url = gateway.socket_url + "/ws/chat/"
        async with contextlib.AsyncExitStack() as stack:
            first = await stack.enter_async_context(connect(url, origin=gateway.url, open_timeout=20))  # type: ignore[arg-type]
            await first.send('{"type":"hello"}')
            await first.recv()
            for _ in range(300):
                other = await stack.enter_async_context(connect(url, origin=gateway.url, open_timeout=20))  # type: ignore[arg-type]
                await other.send('{"type":"hello"}')
                await other.send('{"type":"message","id":"1","text":"hi"}')
            await first.send('{"type":"message","id":"1","text":"still here"}')
            return [await asyncio.wait_for(first.recv(), 30) for _ in range(3)]

    assert any("You said: still here" in str(frame) for frame in asyncio.run(crowd()))


def test_sigterm_ends_sockets_with_a_code_and_finishes_pages() -> None:
    with FlowProcess() as gateway:
        quiet = RawSocket(gateway.port, "/ws/echo/")
        visitor = RawSocket(gateway.port, "/ws/chat/")
        visitor.send(frame(b'{"type":"hello"}'))
        opcode, welcome = visitor.read() or (0, b"")
        assert (opcode, json.loads(welcome)["type"]) == (1, "welcome")
        stopped = RawSocket(gateway.port, "/ws/flood/")
        page = socket.create_connection(("127.0.0.1", gateway.port), timeout=30)
        page.sendall(b"GET /page HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
        assert page.recv(12) == b"HTTP/1.1 200"
        assert gateway.process is not None
        gateway.process.terminate()
        read, tail = 12, b""
        while more := page.recv(2**20):
            read += len(more)
            tail = (tail + more)[-32:]
        assert visitor.closing_code() == 4012
        assert quiet.closing_code() == 4012
        assert gateway.wait(30) == 0
        assert read > 200 * MEGABYTE
        assert b"the end" in tail
        assert "echo ended with 4012" in gateway.log_text()
        assert "flood ended" in gateway.log_text(), "its handler ran, though it never read"
        assert "Traceback" not in gateway.log_text()
        for line in (quiet, visitor, stopped, page):
            line.close()
