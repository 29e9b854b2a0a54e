"""Whatever is thrown at the webhook gets the answer of the contract, and the good one after it is served."""

import http.client
import json
import random
from collections.abc import Iterator
from typing import Any

import pytest

from tests.conftest import StartGateway
from tests.fake_telegram import FakeTelegram
from tests.gateway_process import GatewayProcess
from tests.hostile_updates import hostile

pytestmark = pytest.mark.timeout(120)
SECRET = "only-telegram-knows_1"
MIB = 1024 * 1024
KEPT, REFUSED = {200}, {400}
EITHER = KEPT | REFUSED


def post(
    gateway: GatewayProcess, body: Any, *, secret: str | None = SECRET, bot: str = "bot", chunked: bool = False
) -> int:
    connection = http.client.HTTPConnection("127.0.0.1", gateway.port, timeout=20)
    headers = {"Content-Type": "application/json"}
    if secret is not None:
        headers["X-Telegram-Bot-Api-Secret-Token"] = secret
    try:
        payload = pieces(body) if chunked else body
        connection.request("POST", f"/telegram/{bot}/", payload, headers, encode_chunked=chunked)
        return connection.getresponse().status
    except (ConnectionError, http.client.HTTPException):
        # A server may answer and hang up before all of an oversized body has left; the answer can then be lost.
        return 0
    finally:
        connection.close()


def pieces(body: bytes) -> Iterator[bytes]:
    for start in range(0, len(body), 65_536):
        yield body[start : start + 65_536]


def message(update_id: Any, **changes: Any) -> dict[str, Any]:
    chat = {"id": 4242, "type": "private", "first_name": "Mallory"}
    sender = {"id": 4242, "is_bot": False, "first_name": "Mallory"}
    content = {"message_id": 1, "date": 1_790_000_000, "chat": chat, "from": sender, "text": "x", **changes}
    return {"update_id": update_id, "message": content}


def no_updates() -> list[tuple[bytes, set[int]]]:
    """Bodies without an object that has an `update_id`."""
    raw = [
        b"", b" ", b"null", b"true", b"7", b'"text"', b"[]", b"[{}]", b"{}", b"{", b"}", b'{"update_id"', b"\x00",
        b"\xff\xfe\xfd", b'{"a": 1}', b"update_id=1", b"<xml/>", b'{"update_id": }', b"{'update_id': 1}", b"NaN",
        b'{"Update_Id": 1}', b"[" * 5_000, b'{"a":' * 5_000, b'{"message": {"text": "x"}}',
        b"--boundary\r\nContent-Disposition: form-data\r\n", b'\xef\xbb\xbf"x"', b'{"update_id" 1}',
    ]  # fmt: skip
    return [(body, REFUSED) for body in raw]


def strange_ids() -> list[tuple[bytes, set[int]]]:
    ids: list[Any] = ["1", None, True, 1.5, [], {}, "x", -1, 0, 2**63, 2**70, -(2**63) - 1, 1e300]
    return [(json.dumps(message(id)).encode(), EITHER) for id in ids]


def strange_contents() -> list[tuple[bytes, set[int]]]:
    """Objects with a good `update_id`: kept, understood or not."""
    anything: list[Any] = [None, True, -1, 2**70, 1.5, "", "x", "\x00", "\ud800", [], [1], {}, {"id": {}}]
    updates = [{"update_id": 9_000 + n, "message": value} for n, value in enumerate(anything)]
    for field in ("chat", "from", "text", "message_id"):
        updates += [message(9_100 + len(updates), **{field: value}) for value in anything]
    updates += [
        {"update_id": 9_900},
        {"update_id": 9_901, "kind_of_the_future": {"id": "x"}},
        {"update_id": 9_902, "message": {}, "callback_query": {}},
        message(9_903, chat={"id": "4242", "type": "private"}),
        message(9_904, chat={"id": 2**80, "type": "private"}),
        message(9_905, text="\u202e" * 4096),
    ]
    return [(json.dumps(update).encode(), KEPT) for update in updates]


def broken_bytes() -> list[tuple[bytes, set[int]]]:
    """A good body with bytes changed at random; the same ones in every run."""
    chance = random.Random(2026)
    bodies = []
    for n in range(20):
        body = bytearray(json.dumps(message(9_950 + n)).encode())
        for _ in range(3):
            body[chance.randrange(len(body))] = chance.randrange(256)
        bodies.append((bytes(body), EITHER))
    return bodies


def spoilt_updates(count: int = 200) -> list[tuple[bytes, set[int]]]:
    """Of every kind, spoilt in places at random; the same ones in every run."""
    chance = random.Random(2026)
    return [(hostile(chance, 20_000 + n), KEPT) for n in range(count)]


HOSTILE = [*no_updates(), *strange_ids(), *strange_contents(), *broken_bytes(), *spoilt_updates()]


def test_hostile_bodies_are_answered_and_nothing_is_lost(
    telegram: FakeTelegram, start_gateway: StartGateway, server: str, backend: dict[str, str]
) -> None:
    webhook = {"TELEGRAM_WEBHOOK_URL": "{url}", "TELEGRAM_WEBHOOK_SECRET": SECRET}
    gateway = start_gateway({**webhook, **backend}, application="async_echo", server=server)
    ada = telegram.user(7)
    ada.says("before")
    wrong = [(body[:120], got) for body, allowed in HOSTILE if (got := post(gateway, body)) not in allowed]
    assert not wrong
    ada.says("after")
    telegram.wait(lambda: ada.answers == ["echo before", "echo after"])
    assert post(gateway, json.dumps(message(99_000)).encode()) == 200
    assert gateway.running
    assert "Traceback" not in gateway.log_text()
    unsettled = (
        "from gateway.models import *; print(Message.objects.filter(direction='in', status__in=UNSETTLED).count())"
    )
    assert gateway.manage("shell", "-v", "0", "-c", unsettled).split() == ["0"]


def test_there_are_many_hostile_bodies() -> None:
    assert len(HOSTILE) >= 310


def test_secrets_bots_and_sizes(start_gateway: StartGateway) -> None:
    gateway = start_gateway({"TELEGRAM_WEBHOOK_URL": "{url}", "TELEGRAM_WEBHOOK_SECRET": SECRET})
    good = json.dumps(message(1)).encode()
    for secret in (None, "", "wrong", SECRET[:-1], SECRET + "x", SECRET.upper(), "é"):
        assert post(gateway, good, secret=secret) == 401
    assert post(gateway, good, bot="nobody") == 401
    assert post(gateway, b"no json", secret="wrong") == 401
    oversized = json.dumps(message(2, text="x" * MIB)).encode()
    assert post(gateway, oversized) in {413, 0}
    assert post(gateway, oversized, chunked=True) in {413, 0}
    assert post(gateway, b"x" * (20 * MIB), chunked=True) in {413, 0}
    large = json.dumps(message(3, text="x" * (MIB - 1_000))).encode()
    assert len(large) < MIB
    assert post(gateway, large) == 200
    assert post(gateway, large) == 200
    assert post(gateway, good) == 200


def test_a_repeated_update_is_answered_once(telegram: FakeTelegram, start_gateway: StartGateway) -> None:
    gateway = start_gateway({"TELEGRAM_WEBHOOK_URL": "{url}", "TELEGRAM_WEBHOOK_SECRET": SECRET})
    mallory, ada = telegram.user(4242), telegram.user(7)
    for _ in range(5):
        assert post(gateway, json.dumps(message(77, text="once")).encode()) == 200
    ada.says("done")
    telegram.wait(lambda: ada.answers and mallory.answers)
    assert mallory.answers == ["You said: once"]
