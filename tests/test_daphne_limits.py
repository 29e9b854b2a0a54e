"""The bounds of what Daphne takes in, on the real server process."""

import asyncio
import http.client
import json
import os
import socket
import time
from typing import Any

import pytest
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect

from tests.conftest import StartGateway
from tests.gateway_process import GatewayProcess

MEGABYTE = 1024 * 1024


@pytest.fixture
def gateway(start_gateway: StartGateway) -> GatewayProcess:
    return start_gateway()


def memory(gateway: GatewayProcess) -> int:
    """Bytes in RAM."""
    assert gateway.process is not None
    with open(f"/proc/{gateway.process.pid}/statm") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGESIZE")


@pytest.mark.parametrize("path", ["/telegram/bot/", "/console/login/", "/nope"])
def test_a_huge_body_is_refused_when_it_is_announced(gateway: GatewayProcess, path: str) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", gateway.port, timeout=10)
    connection.putrequest("POST", path)
    connection.putheader("Content-Length", str(5 * 1024 * MEGABYTE))
    connection.endheaders()
    assert connection.getresponse().status == 413


def test_a_body_that_grows_is_refused_and_not_kept(gateway: GatewayProcess) -> None:
    before = memory(gateway)
    with socket.create_connection(("127.0.0.1", gateway.port), timeout=10) as line:
        line.sendall(b"POST /telegram/bot/ HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n")
        chunk = b"10000\r\n" + b"x" * 0x10000 + b"\r\n"
        for _ in range(40 * 16):
            line.sendall(chunk)
        line.sendall(b"0\r\n\r\n")
        assert line.recv(12) == b"HTTP/1.1 413"
    assert memory(gateway) - before < 20 * MEGABYTE


@pytest.mark.parametrize("size", [70_000, 2 * MEGABYTE])
def test_a_huge_frame_ends_its_socket_with_our_code(gateway: GatewayProcess, size: int) -> None:
    with connect(f"ws://127.0.0.1:{gateway.port}/ws/chat/", origin=gateway.url) as line:  # type: ignore[arg-type]
        line.send(json.dumps({"type": "hello", "token": "x" * size}))
        with pytest.raises(ConnectionClosed) as closed:
            line.recv(timeout=10)
    assert closed.value.rcvd is not None
    assert closed.value.rcvd.code == 4009


def test_a_path_that_nobody_serves_is_refused_without_a_traceback(gateway: GatewayProcess) -> None:
    with pytest.raises(Exception, match="403"), connect(f"ws://127.0.0.1:{gateway.port}/ws/none/"):
        pass
    assert "Traceback" not in gateway.log_text()


async def test_a_lines_time_is_over_when_it_was_said_last(monkeypatch: pytest.MonkeyPatch) -> None:
    from gateway import daphne_limits  # Twisted's reactor is made by importing it.

    monkeypatch.setattr(daphne_limits, "HEADER_SECONDS", 0.1)
    channel: Any = daphne_limits.BoundedChannel()
    over = asyncio.Event()
    channel.timeoutConnection = over.set
    channel.setTimeout(0.2)
    await asyncio.sleep(0.05)
    assert channel.setTimeout(None) == 0.2
    await asyncio.sleep(0.4)
    assert not over.is_set(), "nothing was waited for"
    channel.setTimeout(0.2)
    for _ in range(10):
        channel.setTimeout(0.3)
        await asyncio.sleep(0.05)
    assert not over.is_set(), "it was put off each time"
    channel.setTimeout(0.05)
    began = time.monotonic()
    await asyncio.wait_for(over.wait(), 5)
    assert time.monotonic() - began >= 0.04


async def test_a_line_that_has_ended_leaves_no_timer() -> None:
    from gateway import daphne_limits  # As above.

    channel: Any = daphne_limits.BoundedChannel()
    channel.setTimeout(60)
    timer = channel._timer
    channel.end_timer()
    assert timer.cancelled()
