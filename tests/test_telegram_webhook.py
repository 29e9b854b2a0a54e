import asyncio
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import gateway.engine
from gateway.errors import NotReady
from gateway.telegram import bots, webhook
from gateway.telegram.webhook import Webhook
from tests.telegram_stand_in import TOKEN, StandInEngine, unhurried
from tests.telegram_updates import message

SECRET = "s3cret_-S"
UPDATE = json.dumps({"update_id": 7, "message": message()}).encode()


@pytest.fixture
def engine(monkeypatch: pytest.MonkeyPatch, settings: Any) -> StandInEngine:
    settings.TELEGRAM_BOT_TOKEN = TOKEN
    settings.TELEGRAM_WEBHOOK_SECRET = SECRET
    running = StandInEngine()
    monkeypatch.setattr(gateway.engine, "current", lambda: running)
    return running


async def post(
    *chunks: bytes,
    bot: str = "bot",
    secret: str | bytes | None = SECRET,
    method: str = "POST",
    headers: tuple[tuple[bytes, bytes], ...] = (),
    app: Webhook | None = None,
) -> tuple[int, dict[bytes, bytes], bytes]:
    shown = secret.encode() if isinstance(secret, str) else secret
    given_headers = [*headers] if shown is None else [(b"x-telegram-bot-api-secret-token", shown), *headers]
    scope = {"type": "http", "method": method, "headers": given_headers, "url_route": {"kwargs": {"bot": bot}}}
    waiting = [
        {"type": "http.request", "body": chunk, "more_body": index < len(chunks) - 1}
        for index, chunk in enumerate(chunks or (UPDATE,))
    ]
    sent: list[dict[str, Any]] = []

    async def receive() -> dict[str, Any]:
        return waiting.pop(0) if waiting else {"type": "http.disconnect"}

    async def send(event: dict[str, Any]) -> None:
        sent.append(event)

    await (app or Webhook())(scope, receive, send)
    if not sent:
        return 0, {}, b""
    return sent[0]["status"], dict(sent[0]["headers"]), sent[1]["body"]


async def test_an_update_is_answered_once_it_is_accepted(engine: StandInEngine) -> None:
    engine.hold = asyncio.Event()
    answer = asyncio.create_task(post())
    await asyncio.sleep(0.05)
    assert not answer.done()
    engine.hold.set()
    assert (await answer)[0] == 200
    assert [inbound.update_id for inbound in engine.accepted] == [7]
    assert engine.accepted[0].bot == "bot"


async def test_a_body_in_pieces_is_one_update(engine: StandInEngine) -> None:
    assert (await post(UPDATE[:10], b"", UPDATE[10:]))[0] == 200
    assert len(engine.accepted) == 1


@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT", "DELETE", "OPTIONS"])
async def test_only_post(engine: StandInEngine, method: str) -> None:
    status, headers, _ = await post(method=method)
    assert (status, headers[b"allow"]) == (405, b"POST")


@pytest.mark.parametrize(
    "bad",
    [
        {"secret": None},
        {"secret": ""},
        {"secret": "wrong"},
        {"secret": SECRET + "x"},
        {"secret": "é"},
        {"secret": b"\xff\xfe"},
        {"bot": "nobody"},
        {"bot": "nobody", "secret": None},
        {"bot": "../bot"},
        {"headers": ((b"x-telegram-bot-api-secret-token", b"two"),)},
    ],
)
async def test_a_wrong_secret_and_an_unknown_bot_look_the_same(engine: StandInEngine, bad: dict[str, Any]) -> None:
    assert await post(**bad) == await post(secret="wrong")
    assert (await post(**bad))[0] == 401
    assert engine.accepted == []


async def test_an_empty_secret_in_the_settings_opens_nothing(engine: StandInEngine, settings: Any) -> None:
    settings.TELEGRAM_WEBHOOK_SECRET = ""
    assert (await post(secret=""))[0] == 401
    assert (await post(secret=bots.webhook_secret("bot")))[0] == 200


def test_derived_secrets_are_each_bots_own_and_of_telegrams_alphabet(settings: Any) -> None:
    settings.TELEGRAM_WEBHOOK_SECRET = ""
    secrets = {bots.webhook_secret(name) for name in ("bot", "other")}
    assert len(secrets) == 2
    assert all(secret.isalnum() and 32 <= len(secret) <= 256 for secret in secrets)
    settings.SECRET_KEY = settings.SECRET_KEY + "x"
    assert bots.webhook_secret("bot") not in secrets


@pytest.mark.parametrize(
    "headers", [(), ((b"content-length", str(2**20 + 1).encode()),), ((b"content-length", b"9" * 99),)]
)
async def test_a_body_of_more_than_a_mebibyte(engine: StandInEngine, headers: Any) -> None:
    chunks = [b" " * 2**18] * 4 + [UPDATE]
    assert (await post(*chunks, headers=headers))[0] == 413
    assert engine.accepted == []


async def test_a_body_of_a_mebibyte_is_taken(engine: StandInEngine) -> None:
    length = ((b"content-length", str(2**20).encode()),)
    assert (await post(UPDATE, b" " * (2**20 - len(UPDATE)), headers=length))[0] == 200


async def test_what_is_too_large_is_not_read_to_its_end(engine: StandInEngine) -> None:
    read = 0

    async def receive() -> dict[str, Any]:
        nonlocal read
        read += 1
        return {"type": "http.request", "body": b" " * 2**18, "more_body": True}

    async def send(event: dict[str, Any]) -> None:
        pass

    headers = [(b"x-telegram-bot-api-secret-token", SECRET.encode())]
    scope = {"type": "http", "method": "POST", "headers": headers, "url_route": {"kwargs": {"bot": "bot"}}}
    await Webhook()(scope, receive, send)
    assert read == 5


DEEP = b'{"update_id": 7, "message": ' + b"[" * 400_000 + b"]" * 400_000 + b"}"


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"", 400),
        (b"not json", 400),
        (b"[]", 400),
        (b"null", 400),
        (b"7", 400),
        (b"{}", 400),
        (b'{"update_id": "7"}', 400),
        (b'{"update_id": true}', 400),
        (b'{"update_id": 7.5}', 400),
        (b'{"update_id": 1' + b"0" * 30 + b"}", 400),
        (b'{"update_id": ' + b"9" * 5000 + b"}", 400),
        (b'{"update_id": 7, "x": NaN}', 400),
        (b'{"update_id": 7, "message": {"text": "\xff"}}', 400),
        (UPDATE[:-1], 400),
        (b"[" * 500_000, 400),
        (DEEP, 400),
        (b'{"update_id": 7}', 200),
        (b'{"update_id": 7, "message": "?"}', 200),
        (b'{"update_id": 7, "message": ' + b"[" * 500 + b"]" * 500 + b"}", 200),
        (b'{"update_id": 6, "update_id": 7}', 200),
        (b'{"update_id": 7, "message": {"chat": {"id": ' + b"9" * 5000 + b"}}}", 200),
        (b'{"update_id": 7, "message": {"text": "\\ud800\\u0000"}}', 200),
        (b'{"update_id": 7, "later_kind": {"x": 1e999}}', 200),
    ],
)
async def test_broken_and_hostile_bodies(engine: StandInEngine, body: bytes, status: int) -> None:
    assert (await post(body))[0] == status
    assert [inbound.update_id for inbound in engine.accepted] == ([7] if status == 200 else [])
    for inbound in engine.accepted:
        json.dumps(inbound.event)


@unhurried
@given(st.binary(max_size=200))
async def test_whatever_bytes_come_the_answer_is_no_500(body: bytes) -> None:
    answer = webhook._decode(body)
    assert answer is None or isinstance(answer["update_id"], int)


async def test_what_cannot_be_stored_is_to_be_sent_again(engine: StandInEngine) -> None:
    engine.unready = 1
    status, headers, _ = await post()
    assert (status, headers[b"retry-after"]) == (503, b"1")
    assert (await post())[0] == 200


async def test_without_an_engine_nothing_is_taken(engine: StandInEngine, monkeypatch: pytest.MonkeyPatch) -> None:
    def nothing_runs() -> None:
        raise NotReady("not started")

    monkeypatch.setattr(gateway.engine, "current", nothing_runs)
    assert (await post())[0] == 503


async def test_a_client_that_goes_gets_no_answer(engine: StandInEngine) -> None:
    app = Webhook()
    headers = [(b"x-telegram-bot-api-secret-token", SECRET.encode())]
    scope = {"type": "http", "method": "POST", "headers": headers, "url_route": {"kwargs": {"bot": "bot"}}}
    events = iter([{"type": "http.request", "body": UPDATE, "more_body": True}, {"type": "http.disconnect"}])

    async def receive() -> dict[str, Any]:
        return next(events)

    async def send(event: dict[str, Any]) -> None:
        raise AssertionError("nobody is there")

    await app(scope, receive, send)
    assert engine.accepted == []


async def test_answers_are_counted(engine: StandInEngine) -> None:
    app = Webhook()
    await post(app=app)
    await post(app=app, secret="wrong")
    await post(b"?", app=app)
    assert app.answered == {200: 1, 401: 1, 400: 1}


async def test_no_secret_and_no_token_in_any_answer(engine: StandInEngine) -> None:
    for answer in (await post(), await post(secret="wrong"), await post(b"?")):
        assert SECRET.encode() not in repr(answer).encode()
        assert TOKEN.encode() not in repr(answer).encode()
