"""The public socket, on the real engine."""

import asyncio
import gc
import json
import logging
from typing import Any
from uuid import UUID

import pytest
from channels.routing import URLRouter
from django.contrib.auth.models import User
from django.urls import path

from gateway.errors import NotReady
from gateway.models import Bot, Conversation, Message
from gateway.web import socket as socket_module
from gateway.web import tokens
from gateway.web.live import Reader
from gateway.web.public_socket import PublicChatConsumer, Talk
from gateway.web.socket import open_sockets
from tests import communicator
from tests.communicator import until
from tests.web_sockets import OFFERS, ORIGIN, Client, Parrot, Web, web

__all__ = ["web"]

pytestmark = pytest.mark.django_db(transaction=True)


async def rows(web: Web, **query: Any) -> list[Message]:
    found = Message.objects.filter(**query).order_by("seq").select_related("conversation__contact")
    return await web.engine.read(lambda: list(found))


# Hello


async def test_a_new_visitor_has_no_row_until_the_first_word(web: Web) -> None:
    visitor = await web.visitor()
    welcome = visitor.welcome
    assert set(welcome) == {"type", "token", "conversation", "seq", "rev", "bot", "options"}
    assert (welcome["seq"], welcome["rev"], welcome["bot"]) == (0, 0, "bot")
    assert await web.engine.read(Conversation.objects.count) == 0
    await visitor.send("message", id="1", text="hush")
    await visitor.expect("ack")
    (row,) = await rows(web)
    assert str(row.conversation.uuid) == row.conversation.key == welcome["conversation"]


async def test_words_are_acknowledged_shown_and_answered(web: Web) -> None:
    visitor = await web.visitor()
    await visitor.send("message", id="m1", text="hello 😀 שלום\0\ud800")
    ack = await visitor.expect("ack")
    own, answer = await visitor.expect("message", sender="visitor"), await visitor.expect("message", sender="bot")
    assert ack == {"type": "ack", "id": "m1", "seq": 1, "rev": own["rev"]}
    at = own.pop("at")
    assert at.endswith("Z")
    assert own == {
        "type": "message", "seq": 1, "rev": 1, "id": "m1", "from": "visitor", "name": "",
        "text": "hello 😀 שלום\ufffd\ufffd", "buttons": [],
    }  # fmt: skip
    assert (answer["seq"], answer["text"]) == (2, f"You said: {own['text']}")
    assert set(answer) == {"type", "seq", "rev", "from", "name", "text", "buttons", "at"}


async def test_what_the_application_gets(web: Web) -> None:
    user = await web.engine.read(lambda: User.objects.create_user("ann", first_name="Ann", last_name="Lee"))
    language = [(b"accept-language", b"pt-BR,en;q=0.5")]
    visitor = await web.visitor(user=user, headers=language)
    await visitor.send("message", id="m1", text="hush", more=[1])
    await visitor.expect("ack")
    (row,) = await rows(web)
    payload = row.payload
    assert abs(payload.pop("date") - row.at.timestamp()) < 5
    frame = {"type": "message", "id": "m1", "text": "hush"}
    assert payload == {"text": "hush", "message_id": "m1", "update": frame}
    assert (row.name, row.client_id, row.method, row.kind) == ("Ann Lee", "v:m1", "message", "message")
    uuid = visitor.welcome["conversation"]
    assert row.conversation.chat == {"id": uuid, "type": "web", "title": "", "thread_id": None}
    contact = row.conversation.contact
    assert contact is not None
    assert (contact.external_id, contact.name, contact.username, contact.language, contact.user_id) == (
        uuid, "Ann Lee", "ann", "pt-br", user.pk,
    )  # fmt: skip


async def test_the_same_id_again_gets_the_same_ack(web: Web) -> None:
    visitor = await web.visitor()
    await visitor.send("message", id="1", text="hush")
    first = await visitor.expect("ack")
    await visitor.send("message", id="1", text="hush")
    assert await visitor.expect("ack") == first
    other = await web.visitor(visitor.welcome["token"])
    await other.send("message", id="1", text="hush")
    assert await other.expect("ack") == first
    assert len(await rows(web)) == 1


async def test_a_burst_is_taken_in_order_and_in_groups(web: Web, monkeypatch: pytest.MonkeyPatch) -> None:
    sizes: list[int] = []
    accept = web.engine.accept

    async def counted(inbounds: Any) -> Any:
        sizes.append(len(inbounds))
        return await accept(inbounds)

    monkeypatch.setattr(web.engine, "accept", counted)
    visitor = await web.visitor()
    for n in range(60):
        await visitor.send("message", id=str(n), text=f"word {n}")
    acks = [await visitor.expect("ack", id=str(n)) for n in range(60)]
    assert [ack["seq"] for ack in acks] == sorted(ack["seq"] for ack in acks)
    assert sum(sizes) == 60
    assert len(sizes) < 60
    await visitor.expect("message", text="You said: word 59")
    words = {frame["seq"]: frame["text"] for frame in visitor.messages}
    assert sorted(words) == list(range(1, 121))
    said = [text for _, text in sorted(words.items()) if text.startswith("word")]
    assert said == [f"word {n}" for n in range(60)]


# Where the conversation is deleted


async def delete_all(web: Web) -> None:
    await web.engine.read(lambda: Conversation.objects.all().delete())


async def test_a_visitor_whose_conversation_is_deleted_begins_anew(web: Web, caplog: pytest.LogCaptureFixture) -> None:
    visitor = await web.visitor()
    other_tab = await web.visitor(visitor.welcome["token"])
    for number in range(3):
        await visitor.send("message", id=f"a{number}", text="old")
        await visitor.expect("message", seq=2 * number + 2)
    await delete_all(web)
    await visitor.send("message", id="b", text="new")
    for tab in (visitor, other_tab):
        await tab.expect("error", code="bad_token")
        assert (await tab.expect("welcome", seq=0, rev=0))["conversation"] == visitor.welcome["conversation"]
        assert (await tab.expect("message", text="new", seq=1))["id"] == "b"
        await tab.expect("message", text="You said: new", seq=2)
    await other_tab.send("message", id="c", text="go on")
    await other_tab.expect("message", text="You said: go on", seq=4)
    await visitor.expect("message", text="You said: go on", seq=4)
    assert [frame["seq"] for frame in visitor.messages][-4:] == [1, 2, 3, 4]
    assert not [record for record in caplog.records if record.levelno >= logging.ERROR]


async def test_who_comes_back_to_a_conversation_that_was_deleted_begins_anew(web: Web) -> None:
    visitor = await web.visitor()
    await visitor.send("message", id="a", text="old")
    await visitor.expect("message", text="You said: old")
    since, token = visitor.rev, visitor.welcome["token"]
    await visitor.leave()
    await delete_all(web)
    back = await web.visitor(token, since)
    assert [frame["type"] for frame in back.frames] == ["error", "welcome"]
    await back.send("message", id="b", text="new")
    await back.expect("message", text="new", seq=1)
    await back.expect("message", text="You said: new", seq=2)
    later = await web.visitor(token, back.rev)
    assert [frame["type"] for frame in later.frames] == ["welcome"]


# Coming back


async def test_a_lost_connection_resumes_without_gap_or_double(web: Web) -> None:
    visitor = await web.visitor()
    for n in range(5):
        await visitor.send("message", id=str(n), text=str(n))
    await visitor.expect("message", text="You said: 2")
    since = visitor.rev
    await visitor.leave()
    tab = await web.visitor(visitor.welcome["token"])
    await tab.expect("message", text="You said: 4")
    again = await web.visitor(visitor.welcome["token"], since=since)
    assert again.welcome["conversation"] == visitor.welcome["conversation"]
    await again.send("message", id="last", text="last")
    await again.expect("message", text="You said: last")
    await tab.expect("message", text="You said: last")
    known = [frame["seq"] for frame in visitor.messages] + [frame["seq"] for frame in again.messages]
    assert sorted(known) == list(range(1, 13))
    assert sorted(frame["seq"] for frame in tab.messages) == list(range(1, 13))


@pytest.mark.parametrize(("since", "count"), [(-5, 2), (0, 2), (10**30, 2)])
async def test_any_since_is_taken(web: Web, since: int, count: int) -> None:
    visitor = await web.visitor()
    await visitor.send("message", id="1", text="one")
    await visitor.expect("message", sender="bot")
    again = await web.visitor(visitor.welcome["token"], since=since)
    await again.send("message", id="2", text="hush")
    await again.expect("message", id="2")
    assert len(again.messages) == count + 1


async def test_a_long_history_comes_whole(web: Web, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gateway.web.rows.CHUNK", 7)
    monkeypatch.setattr("gateway.web.live.CHUNK", 7)
    visitor = await web.visitor()
    for n in range(25):
        await visitor.send("message", id=str(n), text=str(n))
    await visitor.expect("message", text="You said: 24")
    again = await web.visitor(visitor.welcome["token"])
    await again.expect("message", seq=50)
    assert [frame["seq"] for frame in again.messages] == list(range(1, 51))


async def test_a_tab_that_was_there_before_the_first_word_sees_it(web: Web) -> None:
    first = await web.visitor()
    second = await web.visitor(first.welcome["token"])
    await first.send("message", id="1", text="hello")
    assert (await second.expect("message", sender="visitor"))["id"] == "1"
    await second.expect("message", sender="bot")


# Tokens


async def test_a_forged_token_makes_a_new_visitor(web: Web) -> None:
    victim = await web.visitor()
    await victim.send("message", id="1", text="secret")
    await victim.expect("message", sender="bot")
    uuid = victim.welcome["conversation"]
    for token in ("nonsense", "", uuid, victim.welcome["token"][:-1], tokens.issue(UUID(uuid), "shop"), "\ud800"):
        thief = await web.socket()
        await thief.send("hello", token=token, since=0)
        await thief.expect("error", code="bad_token")
        welcome = await thief.expect("welcome")
        assert welcome["conversation"] != uuid
        await thief.send("message", id="1", text="hush")
        await thief.expect("message", id="1")
        assert len(thief.messages) == 1


async def test_visitors_never_see_each_other(web: Web) -> None:
    visitors = [await web.visitor() for _ in range(12)]
    for n, visitor in enumerate(visitors):
        await visitor.send("message", id="1", text=f"I am {n}")
    for n, visitor in enumerate(visitors):
        await visitor.expect("message", text=f"You said: I am {n}")
        assert [frame["text"] for frame in visitor.messages] == [f"I am {n}", f"You said: I am {n}"]


# Bots


@pytest.mark.parametrize("bot", ["nobody", "", "b" * 10_000, "../bot", "\0"])
async def test_an_unknown_bot_is_told_and_another_hello_is_heard(web: Web, bot: str) -> None:
    visitor = await web.socket()
    await visitor.send("hello", token=None, since=0, bot=bot)
    assert (await visitor.expect("error"))["code"] == "unknown_bot"
    await visitor.send("hello")
    await visitor.expect("welcome", bot="bot")
    assert not await web.engine.read(lambda: Bot.objects.exclude(name="bot").exists())


async def test_a_bot_that_the_map_spells_out_is_known(web: Web) -> None:
    routes = URLRouter([path("shop/", Parrot.as_asgi()), path("bot/", Parrot.as_asgi())])
    communicator.application.application_mapping = {"webchat": routes}
    visitor = await web.visitor(bot="shop")
    await visitor.send("message", id="1", text="hello")
    assert (await visitor.expect("message", sender="bot"))["text"] == "You said: hello"
    other = await web.socket()
    await other.send("hello", bot="nobody")
    await other.expect("error", code="unknown_bot")


# Buttons, edits, typing


async def test_a_press_says_what_the_button_said(web: Web) -> None:
    visitor = await web.visitor()
    await visitor.send("message", id="1", text="choose")
    offer = await visitor.expect("message", sender="bot")
    assert offer["buttons"] == OFFERS["choose"]["buttons"]
    await visitor.send("button", id="2", data="tea")
    press = await visitor.expect("message", id="2")
    assert (press["text"], press["from"]) == ("Tea please", "visitor")
    edited = await visitor.expect("message", seq=offer["seq"], text="You chose tea")
    assert edited["rev"] > press["rev"]
    assert edited["buttons"] == []
    (row,) = await rows(web, kind="button")
    assert row.payload.pop("date")
    update = {"type": "button", "id": "2", "data": "tea"}
    assert row.payload == {"data": "tea", "id": "2", "message_id": offer["seq"], "update": update}


async def test_a_press_on_what_is_not_there_is_told_by_its_data(web: Web) -> None:
    visitor = await web.visitor()
    await visitor.send("button", id="1", data="ghost")
    assert (await visitor.expect("message", id="1"))["text"] == "ghost"


async def test_typing_goes_to_the_other_tabs_alone(web: Web) -> None:
    first, stranger = await web.visitor(), await web.visitor()
    second = await web.visitor(first.welcome["token"])
    await first.send("typing")
    assert await second.expect("typing") == {"type": "typing", "from": "visitor"}
    for client in (first, stranger):
        await client.send("message", id="1", text="hush")
        await client.expect("ack")
        assert "typing" not in [frame["type"] for frame in client.frames]


# Bad input

HOSTILE: list[str | bytes] = [
    "", " ", "\0", "{", "[]", "nonsense", '"text"', "[" * 10_000, '{"a":' * 10_000, "9" * 5000, b"", b"\xff", b"{}",
    '{"type":"message","id":"x","text":"","more":' + "[" * 10_000 + "]" * 10_000 + "}",
    '{"type":"message","id":"x","text":"' + "x" * 5000 + '"}', '{"type":"hello"}', '{"type":null}', "\ud800",
    '{"type":"message","id":{"a":1},"text":"x"}', '{"type":"button","id":"\\ud800","data":"\\u0000"}',
]  # fmt: skip


async def test_a_socket_survives_whatever_is_said(web: Web) -> None:
    before = await web.socket()
    visitor = await web.visitor()
    for n in range(60):
        await visitor.raw(HOSTILE[n % len(HOSTILE)])
        await before.raw(HOSTILE[n % len(HOSTILE)] if n % len(HOSTILE) != 15 else "{}")
    await visitor.send("message", id="last", text="still here")
    await visitor.expect("message", text="You said: still here")
    assert {f["code"] for f in visitor.frames if f["type"] == "error"} == {"bad_frame", "too_long"}
    await before.send("hello")
    await before.expect("welcome")


@pytest.mark.parametrize(
    "frame",
    [{"type": "message", "id": "m", "text": "x"}, {"type": "typing"}, {"type": "button", "id": "m", "data": "d"}],
)
async def test_nothing_is_heard_before_hello(web: Web, frame: dict[str, Any]) -> None:
    visitor = await web.socket()
    await visitor.raw(json.dumps(frame))
    error = await visitor.expect("error")
    assert (error["code"], error.get("id")) == ("bad_frame", frame.get("id"))
    await visitor.send("hello")
    await visitor.expect("welcome")


async def test_a_frame_over_64_kib_ends_the_socket(web: Web) -> None:
    visitor = await web.visitor()
    await visitor.raw("x" * 65_537)
    assert await visitor.ended() == 4009
    assert await rows(web) == []


# Not ready


async def test_a_gateway_that_cannot_store_says_so(web: Web, monkeypatch: pytest.MonkeyPatch) -> None:
    visitor = await web.visitor()

    async def refuse(inbounds: Any) -> Any:
        raise NotReady("no")

    with monkeypatch.context() as patch:
        patch.setattr(web.engine, "accept", refuse)
        await visitor.send("message", id="1", text="hush")
        assert (await visitor.expect("error"))["code"] == "not_ready"
    await visitor.send("message", id="1", text="hush")
    assert (await visitor.expect("ack"))["seq"] == 1


async def test_a_hello_before_the_start_is_told_to_come_again(web: Web, monkeypatch: pytest.MonkeyPatch) -> None:
    visitor = await web.socket()
    with monkeypatch.context() as patch:
        patch.setattr("gateway.engine._current", None)
        await visitor.send("hello")
        assert (await visitor.expect("error"))["code"] == "not_ready"
    await visitor.send("hello")
    await visitor.expect("welcome")


async def test_words_are_kept_though_the_page_closes_at_once(web: Web) -> None:
    visitor = await web.visitor()
    for n in range(100):
        await visitor.send("message", id=str(n), text="hush")
    await visitor.leave()
    assert len(await rows(web)) == 100


async def test_a_stop_sends_everybody_away_and_keeps_their_words(web: Web) -> None:
    visitor, silent = await web.visitor(), await web.socket()
    await visitor.send("message", id="1", text="hush")
    await until(lambda: visitor.wire.input_queue.empty(), "the frame taken")
    await web.engine.stop()
    web.engine._node = None
    assert (await visitor.ended(), await silent.ended()) == (4012, 4012)
    assert not socket_module.open_sockets
    assert await asyncio.to_thread(Message.objects.filter(client_id="v:1").count) == 1


async def test_who_does_not_read_is_sent_away(web: Web, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(socket_module, "QUEUE_FRAMES", 4)
    released = asyncio.Event()

    async def stalled(scope: Any, receive: Any, send: Any) -> None:
        async def stall(event: Any) -> None:
            if '"from":"visitor"' in event.get("text", ""):
                await released.wait()
            await send(event)

        await PublicChatConsumer.as_asgi()(scope, receive, stall)

    visitor, slow = await web.visitor(), web.client(stalled, "/ws/chat/")
    assert await slow.open()
    await slow.send("hello", token=visitor.welcome["token"])
    await slow.expect("welcome")
    for n in range(10):
        await visitor.send("message", id=str(n), text="hush")
        await visitor.expect("ack")
    assert await slow.ended() == 4013
    await visitor.expect("message", id="9")


# Origins


@pytest.mark.parametrize("origin", [None, "null", "https://evil.example", "http://127.0.0.1:8001"])
async def test_a_foreign_page_is_refused_before_accept(
    web: Web, origin: str | None, caplog: pytest.LogCaptureFixture
) -> None:
    client = web.client_to_public(origin=origin)
    assert not await client.open()
    (record,) = [r for r in caplog.records if r.levelno == logging.WARNING]
    assert "WIDGET_ORIGINS" in record.getMessage()
    assert (repr(origin) if origin else "none at all") in record.getMessage()


async def test_a_page_of_another_bots_site_is_closed_after_hello(web: Web, caplog: pytest.LogCaptureFixture) -> None:
    await web.engine.read(lambda: Bot.objects.create(name="club", widget_origins="https://club.example"))
    visitor = await web.socket(origin="https://club.example")
    await visitor.send("hello", bot="bot")
    assert await visitor.ended() == 4003
    assert visitor.frames[-1]["code"] == "bad_origin"
    assert "'https://club.example' is not on the list of bot 'bot'" in caplog.text


async def test_a_bots_own_list_lets_its_site_in(web: Web) -> None:
    await web.engine.read(
        lambda: Bot.objects.update_or_create(name="bot", defaults={"widget_origins": "https://club.example"})
    )
    for origin in ("https://club.example", ORIGIN, "http://localhost:8000"):
        client: Client = await web.visitor(origin=origin)
        assert client.welcome["bot"] == "bot"


async def test_a_socket_that_has_closed_is_free_before_garbage_is_looked_for(web: Web) -> None:
    gc.collect()
    gc.disable()
    try:
        for _ in range(3):
            visitor = await web.visitor()
            await visitor.send("message", id="1", text="hi")
            await visitor.expect("message", sender="bot")
            await visitor.leave()
            del visitor
        await until(lambda: not open_sockets, "the ends")
        await asyncio.sleep(0.1)
        left = [one for one in gc.get_objects() if isinstance(one, Talk | Reader)]
        assert not left
    finally:
        gc.enable()
