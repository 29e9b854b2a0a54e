"""Rooms, and visitors whom their site knows."""

import re
import time
from typing import Any

import pytest
from channels.layers import InMemoryChannelLayer
from channels.routing import URLRouter
from django.contrib.auth.models import User
from django.urls import path
from hypothesis import given
from hypothesis import strategies as st

from gateway.models import Bot, Contact, Conversation
from gateway.post import Post
from gateway.web import identity, rooms
from gateway.web.file_types import INVISIBLE
from gateway.web.frames import BadFrame
from gateway.web.models import WidgetOptions
from gateway.web.room_socket import RoomChatConsumer
from tests.communicator import application
from tests.web_sockets import Client, Parrot, Web, web

__all__ = ["web"]

pytestmark = pytest.mark.django_db(transaction=True)


class Host(Parrot):
    """Greets who speaks, by name."""

    def webchat_message(self, event: dict[str, Any]) -> None:
        self.send({"type": "chat.send_message", "text": f"Hello {event['sender']['name']}"})


@pytest.fixture
async def house(web: Web) -> Web:
    application.application_mapping = {"webchat": Host.as_asgi()}
    web.engine.route.cache_clear()
    return web


def to(web: Web, room: str) -> Client:
    route = URLRouter([path("ws/chat/room/<str:room>/", RoomChatConsumer.as_asgi())])
    return web.client(route, f"/ws/chat/room/{room}/")


async def enter(web: Web, room: str = "lobby", **hello: Any) -> Client:
    client = to(web, room)
    assert await client.open()
    await client.send("hello", **hello)
    client.welcome = await client.expect("welcome")
    return client


async def test_several_visitors_share_a_room_and_see_who_spoke(house: Web) -> None:
    ann, ben = await enter(house, name="Ann"), await enter(house, name="Ben")
    assert ann.welcome["options"]["room"] == "lobby"
    assert ann.welcome["conversation"] == ben.welcome["conversation"]
    await ann.send("message", id="a1", text="hi")
    own = await ann.expect("message", text="hi")
    seen = await ben.expect("message", text="hi")
    assert (own["id"], own["name"], own["from"]) == ("a1", "Ann", "visitor")
    assert seen == {key: value for key, value in own.items() if key != "id"}
    assert (await ben.expect("message", sender="bot"))["text"] == "Hello Ann"
    # The same id of somebody else is another word.
    await ben.send("message", id="a1", text="ho")
    assert (await ben.expect("message", text="ho"))["id"] == "a1"
    assert "id" not in await ann.expect("message", text="ho")
    assert [message["seq"] for message in ann.messages] == [1, 2, 3]
    conversation = await Conversation.objects.aget()
    assert (conversation.key, conversation.contact_id, conversation.chat["title"]) == ("room/lobby", None, "lobby")


async def test_who_comes_back_knows_their_own_words(house: Web) -> None:
    ann = await enter(house, name="Ann")
    await ann.send("message", id="a1", text="hi")
    await ann.expect("message", sender="bot")
    later = await enter(house, token=ann.welcome["token"], recent=10)
    assert (await later.expect("message", seq=1))["id"] == "a1"
    stranger = await enter(house)
    assert "id" not in await stranger.expect("message", seq=1)
    for client, knows in ((later, True), (stranger, False)):
        await client.send("history", before=100)
        [hi, _] = (await client.expect("history"))["messages"]
        assert ("id" in hi) is knows
    await later.send("message", id="a1", text="hi")
    assert (await later.expect("ack", id="a1"))["seq"] == 1


async def test_names_are_changed_by_frame_and_by_command(house: Web) -> None:
    ann = await enter(house)
    await ann.send("message", id="1", text="hi")
    assert (await ann.expect("message", id="1"))["name"].startswith("Guest ")
    await ann.send("name", name="  Ann \u202e  Lee ")
    assert await ann.expect("name") == {"type": "name", "name": "Ann Lee"}
    await ann.send("message", id="2", text="/name Bea")
    assert (await ann.expect("ack", id="2"))["seq"] is None
    await ann.send("message", id="3", text="hi")
    assert (await ann.expect("message", id="3"))["name"] == "Bea"
    for bad in ("", " \u200b ", "x" * 41):
        await ann.send("name", name=bad)
        assert (await ann.expect("error"))["code"] == "bad_name"


async def test_typing_tells_the_others_who(house: Web) -> None:
    ann, ben = await enter(house, name="Ann"), await enter(house, name="Ben")
    await ann.send("message", id="1", text="hi")
    await ben.expect("message", sender="bot")
    await ann.send("typing")
    assert await ben.expect("typing") == {"type": "typing", "from": "visitor", "name": "Ann"}


async def test_an_operator_takes_part(house: Web) -> None:
    ann, ben = await enter(house, name="Ann"), await enter(house, name="Ben")
    await ann.send("message", id="1", text="hi")
    await ann.expect("message", sender="bot")
    operator = await house.operator(await User.objects.acreate_superuser("olga"))
    uuid = ann.welcome["conversation"]
    await operator.send("watch", conversation=uuid)
    assert (await operator.expect("message", seq=1))["name"] == "Ann"
    await operator.send("take", conversation=uuid)
    for client in (ann, ben):
        assert (await client.expect("operator"))["name"] == "olga"


async def test_rooms_are_apart_and_from_private_talks_too(house: Web) -> None:
    lobby, other = await enter(house), await enter(house, "garden")
    private = await house.visitor(lobby.welcome["token"])
    uuids = {client.welcome["conversation"] for client in (lobby, other, private)}
    assert len(uuids) == 3
    for frame in ({"type": "end"}, {"type": "rate", "id": "r", "score": 5}):
        await lobby.send(**frame)
        assert (await lobby.expect("error"))["code"] == "bad_frame"
    await private.send("name", name="Ann")
    assert (await private.expect("error"))["code"] == "bad_frame"


@pytest.mark.parametrize("room", ["a.b", "a b", "x" * 65, "%00", "a\u202eb", "room!"])
async def test_what_is_no_name_of_a_room_is_refused(house: Web, room: str) -> None:
    assert not await to(house, room).open()


async def test_a_room_may_be_called_in_any_script(house: Web) -> None:
    assert (await enter(house, "안녕")).welcome["options"]["room"] == "안녕"


class Spy(InMemoryChannelLayer):
    """Notes every name that is given to a layer."""

    def __init__(self) -> None:
        super().__init__()
        self.names: set[str] = set()

    def require_valid_channel_name(self, name: Any, receive: bool = False) -> bool:
        self.names.add(name)
        return bool(super().require_valid_channel_name(name, receive))

    def require_valid_group_name(self, name: Any) -> bool:
        self.names.add(name)
        return bool(super().require_valid_group_name(name))


async def test_nothing_that_people_wrote_is_a_name_in_the_layer(house: Web, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of rooms, people and words: with another process, which is rung, and a bot that listens to its layer."""
    spy = Spy()
    monkeypatch.setattr(
        house.engine.ring, "_post", post := Post(spy, 1, lambda: [2], lambda: ((), True), lambda _: None)
    )
    monkeypatch.setattr("channels.layers.channel_layers.backends", {"default": spy})
    post.start()
    hostile = "안녕" * 32
    ann, ben = await enter(house, hostile, name="no:name;/é"), await enter(house, hostile)
    await ann.send("message", id="é:;/", text="no name\u202e")
    await ben.expect("message", sender="bot")
    await ann.send("typing")
    await ben.expect("typing")
    await post.stop()
    assert any(".node." in name for name in spy.names), "nothing was rung"
    assert [name for name in spy.names if not re.fullmatch(r"[a-z0-9.]+(![A-Za-z0-9]+)?", name)] == []


@given(st.text(max_size=80))
def test_any_name_is_made_safe_or_refused(text: str) -> None:
    try:
        name = rooms.speaker(text)
    except BadFrame:
        return
    assert 0 < len(name) <= rooms.LONGEST_SPEAKER
    assert name == name.strip()
    assert not INVISIBLE.search(name)


# Visitors whom their site knows

SECRET = "a secret of the shop, thirty-two characters"


@pytest.fixture
async def shop(web: Web) -> Web:
    bot, _ = await Bot.objects.aget_or_create(name="bot")
    await WidgetOptions.objects.acreate(bot=bot, identity_secret=SECRET)
    return web


def who(**more: Any) -> dict[str, Any]:
    return {"id": "42", "name": "Ann Müller", "email": "ann@shop.example", "expires": int(time.time()) + 60, **more}


async def known(web: Web, told: dict[str, Any], signature: str = "", **hello: Any) -> Client:
    client = await web.socket()
    await client.send("hello", identity=told, signature=signature or identity.sign(told, SECRET), **hello)
    client.welcome = await client.expect("welcome")
    return client


async def test_who_is_known_comes_back_from_another_browser(shop: Web) -> None:
    first = await known(shop, who())
    await first.send("message", id="1", text="hush")
    assert (await first.expect("message", id="1"))["name"] == "Ann Müller"
    stranger = await shop.visitor()
    second = await known(shop, who(name="Ann"), token=stranger.welcome["token"], since=50)
    assert second.welcome["conversation"] == first.welcome["conversation"] != stranger.welcome["conversation"]
    assert (await second.expect("message", seq=1))["text"] == "hush"
    assert "error" not in [frame["type"] for frame in second.frames]
    contact = await Contact.objects.aget()
    assert contact.details == {"id": "42", "email": "ann@shop.example"}


@pytest.mark.parametrize(
    "told", [who(expires=1), who(expires=None), who(expires="never"), who(id=""), who(id="x" * 129), {"id": "1"}]
)
async def test_an_identity_that_is_none_is_nobodys(shop: Web, told: dict[str, Any]) -> None:
    client = await known(shop, told)
    assert (await client.expect("error"))["code"] == "bad_identity"


async def test_an_identity_must_be_signed_for_this_bot(shop: Web) -> None:
    for signature in ("0" * 64, "é", identity.sign(who(), SECRET + "x"), identity.sign(who(id="43"), SECRET)):
        client = await known(shop, who(), signature)
        assert (await client.expect("error"))["code"] == "bad_identity"
    await WidgetOptions.objects.aupdate(identity_secret="")
    client = await known(shop, who(), identity.sign(who(), ""))
    assert (await client.expect("error"))["code"] == "bad_identity"


def test_what_is_signed_is_plain_json() -> None:
    assert identity.canonical({"name": "Müller", "id": "4/2"}) == '{"id":"4/2","name":"Müller"}'.encode()
