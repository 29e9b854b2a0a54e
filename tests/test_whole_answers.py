"""The webhook's 200 in one write, under both servers: on the line it is an answer as any other."""

import json
import socket
from email.utils import parsedate_to_datetime
from typing import Any

import pytest

from tests.conftest import StartGateway
from tests.gateway_process import GatewayProcess, Server

SECRET = "s" * 32


@pytest.fixture(params=["daphne", "uvicorn"])
def gateway(request: pytest.FixtureRequest, start_gateway: StartGateway) -> GatewayProcess:
    server: Server = request.param
    # Nobody answers there: what is said waits in its rows.
    env = {
        "TELEGRAM_BOT_TOKEN": "1:" + "A" * 35,
        "TELEGRAM_API_URL": "http://127.0.0.1:9",
        "TELEGRAM_WEBHOOK_URL": "{url}",
        "TELEGRAM_WEBHOOK_SECRET": SECRET,
    }
    return start_gateway(env, server=server)


def ask(number: int, *, method: str = "POST", version: str = "1.1", more: str = "") -> bytes:
    person = {"id": 1, "is_bot": False, "first_name": "A"}
    chat = {"id": 1, "type": "private", "first_name": "A"}
    message = {"message_id": number, "date": 1, "chat": chat, "from": person, "text": "hi"}
    body = json.dumps({"update_id": number, "message": message})
    head = f"{method} /telegram/bot/ HTTP/{version}\r\nHost: localhost\r\nX-Telegram-Bot-Api-Secret-Token: {SECRET}\r\n"
    return f"{head}{more}Content-Length: {len(body)}\r\n\r\n{body}".encode()


def answer(file: Any) -> tuple[bytes, dict[bytes, bytes]]:
    status = file.readline()
    headers = dict(line.rstrip().lower().split(b": ", 1) for line in iter(file.readline, b"\r\n"))
    assert file.read(int(headers[b"content-length"])) is not None
    return status, headers


def test_it_is_whole_and_keeps_the_line(gateway: GatewayProcess) -> None:
    with socket.create_connection(("127.0.0.1", gateway.port), timeout=10) as line, line.makefile("rb") as file:
        for number in range(3):
            line.sendall(ask(number))
            status, headers = answer(file)
            assert status.startswith(b"HTTP/1.1 200 ")
            assert headers[b"content-length"] == b"0"
            assert parsedate_to_datetime(headers[b"date"].decode()).year > 2000


def test_answers_to_what_was_asked_at_once_come_in_order(gateway: GatewayProcess) -> None:
    with socket.create_connection(("127.0.0.1", gateway.port), timeout=10) as line, line.makefile("rb") as file:
        line.sendall(
            ask(1) + ask(2, method="GET") + ask(3) + b"POST /telegram/nobody/ HTTP/1.1\r\nHost: a\r\n\r\n" + ask(4)
        )
        assert [answer(file)[0].split()[1] for _ in range(5)] == [b"200", b"405", b"200", b"401", b"200"]


@pytest.mark.parametrize(("version", "more"), [("1.0", ""), ("1.1", "Connection: close\r\n")])
def test_who_wants_no_more_is_let_go(gateway: GatewayProcess, version: str, more: str) -> None:
    with socket.create_connection(("127.0.0.1", gateway.port), timeout=10) as line, line.makefile("rb") as file:
        line.sendall(ask(1, version=version, more=more))
        assert answer(file)[0].split()[1] == b"200"
        assert file.read() == b""


def test_hundreds_are_answered_one_after_the_other(gateway: GatewayProcess) -> None:
    with socket.create_connection(("127.0.0.1", gateway.port), timeout=10) as line, line.makefile("rb") as file:
        for number in range(300):
            line.sendall(ask(number))
            assert answer(file)[0].split()[1] == b"200"
    assert "Traceback" not in gateway.log_text()
    assert gateway.status("/healthz") == 200
