"""The bounds of what Daphne takes in, on the real server process."""

import http.client
import json
import os
import socket

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
