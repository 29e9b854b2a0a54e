import asyncio
import logging
from typing import Any

import pytest
from aiohttp import web

from gateway.errors import DeliveryError, Flooded, Later, Refused, Unknown
from gateway.telegram import lines as lines_module
from gateway.telegram.answers import Conflict, InvalidToken, Migrated, NotFound, NotTheApi, Unreadable
from gateway.telegram.client import camel_case
from tests.telegram_stand_in import TOKEN, Failure, bot_api, client_of, raw


async def failure_of(answer: Any, *, silence: float = 5.0) -> DeliveryError:
    async with bot_api() as api, client_of(api.url) as client:
        api.script["sendMessage"] = [answer]
        with pytest.raises(DeliveryError) as caught:
            await client.call("send_message", {"text": "a"}, silence=silence)
    assert TOKEN not in repr(caught.value)
    return caught.value


async def test_a_call_brings_its_result() -> None:
    async with bot_api() as api, client_of(api.url) as client:
        api.script["sendMessage"] = [{"message_id": 7}]
        assert await client.call("send_message", {"text": "Tee ☕", "chat_id": 1}) == {"message_id": 7}
        assert api.calls == [("sendMessage", {"text": "Tee ☕", "chat_id": 1})]


async def test_a_lone_surrogate_and_a_huge_number_get_through() -> None:
    async with bot_api() as api, client_of(api.url) as client:
        await client.call("send_message", {"text": "a\ud83d\ude00\ud800b", "n": 2**70})
        assert api.calls == [("sendMessage", {"text": "a😀\ufffdb", "n": 2**70})]


async def test_answers_that_strict_readers_refuse_are_read() -> None:
    odd = b'{"ok":true,"result":["\\ud800",' + b"9" * 6000 + b',1e999,"\xff"]}'
    async with bot_api() as api, client_of(api.url) as client:
        api.script["getMe"] = [raw(200, odd)]
        result = await client.call("get_me")
    assert result == ["\ud800", "9" * 6000, "1e999", "\ufffd"]


def test_names_of_methods() -> None:
    assert [camel_case(name) for name in ("get_me", "send_message", "answer_web_app_query")] == [
        "getMe", "sendMessage", "answerWebAppQuery",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        (Failure(400), Refused),
        (Failure(401, "Unauthorized"), InvalidToken),
        (Failure(403, "Forbidden: bot can't initiate conversation with a user"), Refused),
        (Failure(404, "Not Found"), NotFound),
        (Failure(409, "Conflict: terminated by other getUpdates request"), Conflict),
        (Failure(429, "Too Many Requests", {"retry_after": 3}), Flooded),
        (Failure(408, "Request Timeout"), Later),
        (Failure(503, "Service Unavailable"), Later),
        (raw(503, b"<html>no server is up"), Later),
        (raw(413, b"<html>too large"), Refused),
        (raw(302, b"", Location="http://127.0.0.1:1/"), NotTheApi),
        (raw(400, b"<html>plain HTTP sent to a port of TLS"), NotTheApi),
        (raw(401, b"<html>the proxy wants a password"), NotTheApi),
        (raw(403, b"<html>a firewall"), NotTheApi),
        (raw(404, b"<html>no such page"), NotTheApi),
        (raw(404, b'{"detail": "Not Found"}'), NotTheApi),
        (raw(407, b""), NotTheApi),
        (raw(200, b"<html>a captive portal"), Unreadable),
        (raw(200, b'{"ok":true,"result":'), Unreadable),
        (raw(200, b"[" * 100_000), Unreadable),
        (raw(200, b"[1]"), Unreadable),
        (raw(200, b"{}"), Unknown),
        (raw(200, b'{"ok":"yes"}'), Unknown),
        (raw(200, b'{"ok":false,"error_code":400,"description":"Bad Request"}'), Refused),
        (raw(400, b'{"ok":false,"error_code":400,"description":7,"parameters":"x"}'), Refused),
    ],
)
async def test_what_an_answer_means(answer: Any, kind: type[DeliveryError]) -> None:
    assert type(await failure_of(answer)) is kind


@pytest.mark.parametrize(
    "answer",
    [
        Failure(500, "Internal Server Error"),
        raw(500, b""),
        raw(502, b"<html>bad gateway"),
        raw(504, b""),
        raw(524, b"<html>the origin took too long"),
        raw(200, b'{"ok":false,"error_code":502,"description":"Bad Gateway"}'),
    ],
)
async def test_what_was_passed_on_before_it_failed_may_have_been_done(answer: Any) -> None:
    assert type(await failure_of(answer)) is Unknown


@pytest.mark.parametrize(
    ("answer", "seconds"),
    [
        (Failure(429, "Too Many Requests", {"retry_after": 3}), 3),
        (raw(429, b"slow down", **{"Retry-After": "7"}), 7),
        (raw(429, b"slow down", **{"Retry-After": "Wed, 21 Oct 2015 07:28:00 GMT"}), None),
        (Failure(429, "Too Many Requests"), None),
        (Failure(429, "x", {"retry_after": -5}), None),
        (Failure(429, "x", {"retry_after": 10**30}), 86_400),
        (Failure(429, "x", {"retry_after": [1]}), None),
        (Failure(503), None),
    ],
)
async def test_how_long_to_wait(answer: Any, seconds: float | None) -> None:
    error = await failure_of(answer)
    assert isinstance(error, Later)
    assert error.seconds == seconds


@pytest.mark.parametrize(
    ("description", "blocked", "gone"),
    [
        ("Forbidden: bot was blocked by the user", True, True),
        ("Forbidden: user is deactivated", True, True),
        ("Forbidden: bot was kicked from the supergroup chat", False, True),
        ("Forbidden: bot is not a member of the channel chat", False, True),
        ("Forbidden: bot can't initiate conversation with a user", False, False),
    ],
)
async def test_who_does_not_want_the_bot(description: str, blocked: bool, gone: bool) -> None:
    error = await failure_of(Failure(403, description))
    assert isinstance(error, Refused)
    assert (error.blocked, error.gone) == (blocked, gone)
    assert description in str(error)


async def test_a_group_that_moved_says_where_to() -> None:
    error = await failure_of(Failure(400, "Bad Request: group chat was upgraded", {"migrate_to_chat_id": -1009}))
    assert isinstance(error, Migrated)
    assert error.chat_id == -1009


async def hang(request: web.Request) -> web.StreamResponse:
    await asyncio.sleep(30)
    raise AssertionError("nobody waits that long")


async def cut(request: web.Request) -> web.StreamResponse:
    assert request.transport is not None
    request.transport.abort()
    return web.Response()


async def cut_in_the_middle(request: web.Request) -> web.StreamResponse:
    response = web.StreamResponse(headers={"Content-Length": "1000"})
    await response.prepare(request)
    await response.write(b'{"ok":true,')
    assert request.transport is not None
    request.transport.close()
    return response


async def endless(request: web.Request) -> web.StreamResponse:
    response = web.StreamResponse()
    await response.prepare(request)
    for _ in range(100):
        await response.write(b" " * 4096)
    return response


@pytest.mark.parametrize("answer", [hang, cut, cut_in_the_middle, raw(200, b"{}", **{"Content-Encoding": "gzip"})])
async def test_a_line_that_breaks_under_a_call_leaves_it_unknown(answer: Any) -> None:
    assert isinstance(await failure_of(answer, silence=0.3), Unknown)


async def test_an_answer_without_end_is_not_read_to_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lines_module, "MAX_ANSWER", 64 * 1024)
    assert isinstance(await failure_of(endless), Unknown)


@pytest.mark.parametrize("url", ["http://127.0.0.1:9", "http://no-such-host.invalid", "https://127.0.0.1:9"])
async def test_no_connection_is_surely_not_done(url: str) -> None:
    async with client_of(url) as client:
        with pytest.raises(Later) as caught:
            await client.call("get_me")
    assert TOKEN not in str(caught.value)


async def test_an_address_that_is_none_is_not_the_words_fault() -> None:
    async with client_of("nonsense") as client:
        with pytest.raises(NotTheApi, match="TELEGRAM_API_URL"):
            await client.call("get_me")


async def test_a_token_is_proven_by_what_is_done_for_it_and_another_one_is_not() -> None:
    async with bot_api() as api, client_of(api.url) as client:
        api.script["getMe"] = [Failure(404, "Not Found"), True]
        with pytest.raises(NotFound):
            await client.call("get_me")
        assert not client.is_proven
        await client.call("get_me")
        assert client.is_proven
        client.token = "2:another"
        assert not client.is_proven


async def test_what_is_no_json_is_refused_before_anything_is_sent() -> None:
    async with bot_api() as api, client_of(api.url) as client:
        with pytest.raises(Refused):
            await client.call("send_photo", {"photo": object()})
        assert api.calls == []


async def test_redirects_are_not_followed() -> None:
    async with bot_api() as api, client_of(api.url) as client:
        api.script["getMe"] = [raw(307, b"", Location=f"{api.url}/bot{TOKEN}/logOut")]
        with pytest.raises(Later):
            await client.call("get_me")
        assert [method for method, _ in api.calls] == ["getMe"]


async def test_the_token_is_in_no_error_and_no_log(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    told = await failure_of(Failure(400, f"Bad Request: your token is {TOKEN}"))
    assert "<token>" in str(told)
    errors = [await failure_of(answer, silence=0.3) for answer in (hang, cut, cut_in_the_middle)]
    assert all(error.__context__ is None or TOKEN not in repr(error.__context__) for error in errors)
    assert TOKEN not in caplog.text


async def test_many_calls_go_at_once() -> None:
    together = asyncio.Barrier(50)

    async def meet(request: web.Request) -> web.StreamResponse:
        await together.wait()
        return web.json_response({"ok": True, "result": 1})

    async with bot_api() as api, client_of(api.url) as client:
        api.script["getMe"] = [meet] * 50
        assert await asyncio.gather(*(client.call("get_me") for _ in range(50))) == [1] * 50
