"""Stock clients: a WebSocket, and forms sent by POST."""

import json
import time
import urllib.parse
import urllib.request
from collections.abc import Callable
from typing import Any

from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection, connect

from tests.gateway_process import GatewayProcess

PATIENCE = 10.0


def socket(gateway: GatewayProcess, path: str, **how: Any) -> ClientConnection:
    """An open connection; a context manager. Raises websockets' InvalidStatus where the handshake is refused."""
    return connect(gateway.socket_url + path, compression=None, open_timeout=PATIENCE, **how)


def hears(connection: ClientConnection) -> str | bytes:
    return connection.recv(timeout=PATIENCE)


def says(connection: ClientConnection, *frames: str | bytes) -> list[str | bytes]:
    """Sends one frame after the other, each after the answer to the last; the answers."""
    answers = []
    for frame in frames:
        connection.send(frame)
        answers.append(hears(connection))
    return answers


def says_json(connection: ClientConnection, content: Any) -> Any:
    return json.loads(says(connection, json.dumps(content))[0])


def closing_code(connection: ClientConnection) -> int | None:
    """The code with which the other side closes, and nothing else before it."""
    try:
        unexpected = hears(connection)
    except ConnectionClosed as closed:
        return closed.rcvd.code if closed.rcvd else None
    raise AssertionError(f"heard {unexpected!r} instead of the end")


def post(gateway: GatewayProcess, path: str, *, cookie: str = "", **form: Any) -> Any:
    data = urllib.parse.urlencode(form, doseq=True).encode()
    request = urllib.request.Request(gateway.url + path, data, {"Cookie": cookie} if cookie else {})
    with urllib.request.urlopen(request, timeout=PATIENCE) as response:
        return json.loads(response.read())


def get(gateway: GatewayProcess, path: str) -> Any:
    return json.loads(gateway.body(path))


def wait(condition: Callable[[], object], within: float = PATIENCE) -> None:
    deadline = time.monotonic() + within
    while not condition():
        assert time.monotonic() < deadline, f"not within {within} s"
        time.sleep(0.02)
