"""Who floods is held back before a row is written, and nobody else is."""

import asyncio
import json
import logging
from collections.abc import Iterator
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client as Browser

from gateway import limits
from gateway.models import Conversation, Message
from gateway.telegram.webhook import Webhook
from tests.web_sockets import Client, Web, web

__all__ = ["web"]

pytestmark = pytest.mark.django_db(transaction=True)
FLOODING = 4008


@pytest.fixture(autouse=True)
def limited(settings: Any) -> Iterator[Any]:
    settings.RATE_LIMITS = True
    limits.current.cache_clear()
    yield settings
    limits.current.cache_clear()


def from_address(address: str) -> dict[str, Any]:
    return {"client": (address, 50_000)}


async def stored(web: Web) -> int:
    return await web.engine.read(Message.objects.filter(direction="in").count)


# Messages


async def test_a_burst_is_warned_and_then_closed(web: Web) -> None:
    visitor = await web.visitor()
    for n in range(40):
        await visitor.send("message", id=str(n), text="hush")
    assert await visitor.ended() == FLOODING
    refused = [frame["id"] for frame in visitor.frames if frame["type"] == "error" and frame["code"] == "rate_limited"]
    # The hello was the first of the ten frames of this second.
    assert refused == [str(n) for n in range(9, 19)]
    # They are heard evenly, and all of them, though the socket was to end.
    assert await stored(web) == 9
    back = await web.socket()
    await back.send("hello", token=visitor.welcome["token"], since=0)
    assert (await back.expect("error"))["code"] == "rate_limited"
    assert await back.ended() == FLOODING


async def test_who_goes_on_in_a_moment_is_heard(web: Web, limited: Any) -> None:
    limited.MESSAGES_PER_SECOND = 2
    limits.current.cache_clear()
    visitor = await web.visitor()
    for n in range(3):
        await visitor.send("message", id=str(n), text="hush")
    error = await visitor.expect("error", id="1")
    assert error["code"] == "rate_limited"
    await asyncio.sleep(1.05)
    await visitor.send("message", id="1", text="hush")
    await visitor.expect("ack", id="1")


async def test_a_minute_has_its_own_limit(web: Web, limited: Any) -> None:
    limited.MESSAGES_PER_SECOND, limited.MESSAGES_PER_MINUTE = 0, 20
    limits.current.cache_clear()
    visitor = await web.visitor()
    for n in range(60):
        await visitor.send("message", id=str(n), text="hush")
    assert await visitor.ended() == FLOODING
    assert await stored(web) == 19


@pytest.mark.parametrize("raw", ['{"type":"typing"}', '{"type":"hello"}', "{", '{"type":"button","id":"b","data":"x"}'])
async def test_every_kind_of_frame_counts(web: Web, raw: str) -> None:
    visitor = await web.visitor()
    for _ in range(40):
        await visitor.raw(raw)
    assert await visitor.ended() == FLOODING


async def test_frames_before_the_hello_count(web: Web) -> None:
    client = await web.socket()
    for _ in range(40):
        await client.send("hello", bot="nobody")
    assert await client.ended() == FLOODING


async def test_tabs_share_one_pace(web: Web) -> None:
    first = await web.visitor()
    tabs = [first, *[await web.visitor(first.welcome["token"]) for _ in range(3)]]
    for n in range(80):
        await tabs[n % 4].send("message", id=str(n), text="hush")
    assert [await tab.ended() for tab in tabs] == [FLOODING] * 4
    assert await stored(web) <= 6


# Sockets, and beginnings


async def test_a_visitor_has_so_many_sockets(web: Web, caplog: pytest.LogCaptureFixture) -> None:
    first = await web.visitor()
    token = first.welcome["token"]
    others = [await web.visitor(token) for _ in range(4)]
    sixth = await web.socket()
    await sixth.send("hello", token=token)
    assert (await sixth.expect("error"))["code"] == "rate_limited"
    assert await sixth.ended() == FLOODING
    assert "SOCKETS_PER_VISITOR" in caplog.text
    assert token not in caplog.text
    await others[0].leave()
    await web.visitor(token)


async def test_an_address_has_so_many_sockets(web: Web, limited: Any, caplog: pytest.LogCaptureFixture) -> None:
    limited.SOCKETS_PER_ADDRESS = 3
    limits.current.cache_clear()
    opened = [await web.socket(**from_address("8.8.4.4")) for _ in range(3)]
    fourth = web.client_to_public(**from_address("8.8.4.4"))
    assert not await fourth.open()
    assert "SOCKETS_PER_ADDRESS" in caplog.text
    await web.socket(**from_address("8.8.8.8"))
    await opened[0].leave()
    await web.socket(**from_address("8.8.4.4"))


async def test_a_place_is_free_once_its_client_has_left(
    web: Web, limited: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not only once its last words are committed: a page that is loaded anew comes back before that."""
    limited.SOCKETS_PER_ADDRESS = limited.SOCKETS_PER_VISITOR = 1
    limits.current.cache_clear()
    committed, accept = asyncio.Event(), web.engine.accept

    async def late(inbounds: Any) -> Any:
        await committed.wait()
        return await accept(inbounds)

    monkeypatch.setattr(web.engine, "accept", late)
    client = await web.socket(**from_address("8.8.4.4"))
    await client.send("hello", token=None)
    token = (await client.expect("welcome"))["token"]
    await client.send("message", id="last", text="hush")
    await client.wire.send_input({"type": "websocket.disconnect", "code": 1001})
    await asyncio.sleep(0.05)
    assert not client.wire.future.done()
    again = await web.socket(**from_address("8.8.4.4"))
    await again.send("hello", token=token)
    await again.expect("welcome")
    committed.set()


async def test_no_place_is_lost_however_sockets_end(web: Web, limited: Any) -> None:
    limited.SOCKETS_PER_ADDRESS = 2
    limits.current.cache_clear()
    for turn in range(6):
        client = await web.socket(**from_address("8.8.4.4"))
        if turn % 3 == 0:
            await client.raw("x" * 70_000)
            assert await client.ended() == 4009
        elif turn % 3 == 1:
            await client.send("hello", bot="bot")
            await client.expect("welcome")
            await client.leave()
        else:
            await client.leave()
    assert not limits.current().addresses_sockets._taken
    assert not limits.current().visitors_sockets._taken


async def test_an_address_begins_so_many_chats(web: Web, caplog: pytest.LogCaptureFixture) -> None:
    welcomed = [await web.visitor(**from_address("8.8.4.4")) for _ in range(10)]
    eleventh = await web.socket(**from_address("8.8.4.4"))
    await eleventh.send("hello")
    assert (await eleventh.expect("error"))["code"] == "rate_limited"
    assert await eleventh.ended() == FLOODING
    assert "NEW_CHATS_PER_MINUTE" in caplog.text
    forged = await web.socket(**from_address("8.8.4.4"))
    await forged.send("hello", token="forged")
    assert await forged.ended() == FLOODING
    # Who has a conversation comes back to it; and another address begins.
    await web.visitor(welcomed[0].welcome["token"], **from_address("8.8.4.4"))
    await web.visitor(**from_address("8.8.8.8"))
    assert await web.engine.read(Conversation.objects.count) == 0


async def test_who_is_signed_in_is_not_anonymous(web: Web, limited: Any) -> None:
    limited.NEW_CHATS_PER_MINUTE = 1
    limits.current.cache_clear()
    user = await web.engine.read(lambda: User.objects.create_user("eve"))
    for _ in range(3):
        await web.visitor(user=user, **from_address("8.8.4.4"))


async def test_a_log_line_of_a_flood_holds_no_word(web: Web, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    visitor = await web.visitor()
    for n in range(40):
        await visitor.send("message", id=str(n), text="canary word")
    assert await visitor.ended() == FLOODING
    assert "MESSAGES_PER_SECOND" in caplog.text
    ours = [record.getMessage() for record in caplog.records if record.name.startswith("gateway.web")]
    assert ours
    assert not any("canary word" in line for line in ours)


async def test_a_forwarded_address_counts_where_the_proxy_is_named(web: Web, limited: Any) -> None:
    limited.SOCKETS_PER_ADDRESS = 1
    limits.current.cache_clear()

    def behind(address: str) -> Client:
        header = (b"x-forwarded-for", address.encode())
        return web.client_to_public(client=("127.0.0.1", 1), headers=[header])

    assert await behind("8.8.4.4").open()
    assert not await behind("8.8.8.8").open()
    limited.TRUSTED_PROXIES = ["127.0.0.1"]
    assert await behind("8.8.8.8").open()
    assert not await behind("8.8.8.8").open()


# Signing in


def try_to_sign_in(browser: Browser, path: str, name: str = "ann", password: str = "wrong", **more: Any) -> Any:
    return browser.post(path, {"username": name, "password": password}, **more)


@pytest.mark.parametrize("path", ["/console/login/", "/admin/login/"])
def test_passwords_are_tried_five_times_a_minute(path: str, client: Browser) -> None:
    User.objects.create_user("ann", password="right and long", is_staff=True)
    answers = [try_to_sign_in(client, path) for _ in range(6)]
    assert [answer.status_code for answer in answers] == [200] * 5 + [429]
    assert 1 <= int(answers[5]["Retry-After"]) <= 60
    assert b"Too many attempts" in answers[5].content
    assert try_to_sign_in(client, path, password="right and long").status_code == 429
    assert client.get(path).status_code == 200


def test_one_name_from_many_addresses(client: Browser) -> None:
    tries = [try_to_sign_in(client, "/console/login/", "Ann", REMOTE_ADDR=f"8.8.4.{n}") for n in range(6)]
    assert [answer.status_code for answer in tries] == [200] * 5 + [429]
    assert try_to_sign_in(client, "/admin/login/", "ANN", REMOTE_ADDR="8.8.4.99").status_code == 429
    assert try_to_sign_in(client, "/console/login/", "bea", REMOTE_ADDR="8.8.4.99").status_code == 200


def test_many_names_from_one_address(client: Browser) -> None:
    tries = [try_to_sign_in(client, "/console/login/", f"name {n}") for n in range(6)]
    assert [answer.status_code for answer in tries] == [200] * 5 + [429]


# The webhook


async def miss(app: Webhook, address: str = "8.8.4.4", bot: str = "bot", secret: bytes = b"wrong") -> tuple[int, Any]:
    sent: list[dict[str, Any]] = []

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": b"{}"}

    async def send(event: dict[str, Any]) -> None:
        sent.append(event)

    headers = [(b"x-telegram-bot-api-secret-token", secret)]
    route = {"kwargs": {"bot": bot}}
    scope = {"type": "http", "method": "POST", "headers": headers, "url_route": route, "client": (address, 1)}
    await app(scope, receive, send)
    return sent[0]["status"], (sent[0]["headers"], sent[1]["body"])


async def test_wrong_secrets_are_told_twenty_times_a_minute(limited: Any) -> None:
    limited.TELEGRAM_BOT_TOKEN, limited.TELEGRAM_WEBHOOK_SECRET = "12345:abcdefghijklmnopqrstuvwxyz_abcdefg", "right"
    app = Webhook()
    answers = [await miss(app, bot=("bot", "nobody")[n % 2]) for n in range(21)]
    assert [status for status, _ in answers] == [401] * 20 + [429]
    assert len({json.dumps(repr(told)) for _, told in answers[:20]}) == 1
    waits = dict(answers[20][1][0])
    assert 1 <= int(waits[b"retry-after"]) <= 60
    assert (await miss(app, secret=b"right"))[0] == 400
    assert (await miss(app, address="8.8.8.8"))[0] == 401
