"""Connections that are logged, that wait, and that have a task of their own."""

import time
from contextlib import ExitStack
from socket import SHUT_RDWR
from typing import Any

from websockets.sync.client import ClientConnection

from tests.gateway_process import GatewayProcess
from tests.notes.clients import get, hears, says, socket, wait


def log_of(gateway: GatewayProcess, connection: ClientConnection) -> list[str]:
    """What the table says of the client at this end."""
    here: list[Any] = list(connection.local_address)
    return [type for type, client in get(gateway, "/notes/log/")["log"] if client == here]


def test_a_connection_is_logged(gateway: GatewayProcess) -> None:
    with socket(gateway, "/log/sync/") as connection:
        assert log_of(gateway, connection) == ["connected"]
        address = connection.local_address
    wait(lambda: ["left with 1000", list(address)] in get(gateway, "/notes/log/")["log"])


def test_a_connection_is_logged_by_an_asynchronous_consumer(gateway: GatewayProcess) -> None:
    with socket(gateway, "/log/async/") as connection:
        assert says(connection, "how often?") == ["1"]
        address = connection.local_address
    wait(lambda: ["left with 1000", list(address)] in get(gateway, "/notes/log/")["log"])


def test_pings_that_wait_do_not_wait_for_each_other(gateway: GatewayProcess) -> None:
    with ExitStack() as stack:
        connections = [stack.enter_context(socket(gateway, "/ping/")) for _ in range(5)]
        began = time.monotonic()
        for connection in connections:
            connection.send("ping")
        assert [hears(connection) for connection in connections] == ["pong"] * 5
        took = time.monotonic() - began
    assert 1 <= took < 4  # one after the other they would take 5 s


def test_a_background_task_ends_with_its_connection(gateway: GatewayProcess) -> None:
    with socket(gateway, "/ticker/attic/") as connection:
        assert [hears(connection) for _ in range(3)] == ["tick"] * 3
        assert "ticker attic" in get(gateway, "/notes/tasks/")["tasks"]
    wait(lambda: "ticker attic" not in get(gateway, "/notes/tasks/")["tasks"])


def test_a_background_task_ends_with_a_connection_that_breaks(gateway: GatewayProcess) -> None:
    with socket(gateway, "/ticker/cellar/") as connection:
        assert hears(connection) == "tick"
        connection.socket.shutdown(SHUT_RDWR)
    wait(lambda: "ticker cellar" not in get(gateway, "/notes/tasks/")["tasks"])
