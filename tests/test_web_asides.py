"""What a visitor's socket can do beside talking: history, the newest words, typing, forms, the end, ratings."""

import asyncio
import json
from typing import Any
from uuid import UUID

import pytest
from django.contrib.auth.models import User
from hypothesis import given
from hypothesis import strategies as st

from gateway import hints
from gateway.models import Bot, Contact, Conversation, Message
from gateway.ring import Ring
from gateway.web import history
from gateway.web.frames import PUBLIC, BadFrame
from gateway.web.live import live_of
from gateway.web.models import Rating, WidgetOptions
from gateway.web.whispers import whispers_of
from tests.communicator import application, until
from tests.services import redis_database
from tests.web_sockets import Client, Parrot, Web, web

__all__ = ["web"]

pytestmark = pytest.mark.django_db(transaction=True)

FIELDS = "name*|Your name\nemail|E-mail|email\nwords|What is it?|textarea"


class Attentive(Parrot):
    """Types before it answers; says what a form and a rating told; says good-bye when it is closed."""

    def webchat_message(self, event: dict[str, Any]) -> None:
        self.send({"type": "chat.typing"})
        if event["text"] == "bye":
            self.send({"type": "chat.send_message", "text": "Bye!"})
            self.send({"type": "chat.close"})
        else:
            super().webchat_message(event)

    def chat_form(self, event: dict[str, Any]) -> None:
        self.send({"type": "chat.send_message", "text": f"Hello {event['values']['name']}"})

    def webchat_rating(self, event: dict[str, Any]) -> None:
        self.send({"type": "chat.send_message", "text": f"{event['score']}: {event['text']}"})


@pytest.fixture
async def attentive(web: Web) -> Web:
    application.application_mapping = {"webchat": Attentive.as_asgi()}
    web.engine.route.cache_clear()
    return web


@pytest.fixture
def ann(transactional_db: None) -> User:
    return User.objects.create_superuser("ann", first_name="Ann", last_name="Lee")


async def offering(**options: Any) -> None:
    bot, _ = await Bot.objects.aget_or_create(name="bot")
    await WidgetOptions.objects.acreate(bot=bot, **options)


async def talked(web: Web, count: int) -> Client:
    visitor = await web.visitor()
    for number in range(count):
        await visitor.send("message", id=str(number), text=f"word {number}")
        await visitor.expect("message", sender="bot")
    return visitor


# Looking back


async def test_history_comes_in_pages_upwards_without_gap_or_double(web: Web) -> None:
    visitor = await talked(web, 5)
    seqs: list[int] = []
    before, more = 2**63 - 1, True
    while more:
        await visitor.send("history", before=before, limit=3)
        page = await visitor.expect("history")
        seqs = [message["seq"] for message in page["messages"]] + seqs
        before, more = seqs[0], page["more"]
    assert seqs == list(range(1, 11))


async def test_a_page_of_history_holds_the_frames_as_they_are_shown(web: Web) -> None:
    visitor = await talked(web, 1)
    await visitor.send("history", before=100)
    assert await visitor.expect("history") == {"type": "history", "messages": visitor.messages, "more": False}


async def test_who_has_no_conversation_has_no_history(web: Web) -> None:
    visitor = await web.visitor()
    await visitor.send("history", before=100)
    assert await visitor.expect("history") == {"type": "history", "messages": [], "more": False}


async def test_long_pages_are_cut(web: Web, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(history, "PAGE_CHARACTERS", 500)
    visitor = await talked(web, 3)
    await visitor.send("history", before=100)
    page = await visitor.expect("history")
    assert page["more"]
    assert 0 < len(page["messages"]) < 6
    assert page["messages"][-1]["seq"] == 6


@pytest.mark.parametrize(
    "keys", [{}, {"before": -1}, {"before": 2**63}, {"before": 1, "limit": 0}, {"before": 1, "limit": 101}]
)
async def test_history_that_cannot_be(web: Web, keys: dict[str, int]) -> None:
    visitor = await web.visitor()
    await visitor.send("history", **keys)
    assert (await visitor.expect("error"))["code"] == "bad_frame"


async def test_only_the_newest_words_come_where_the_client_asks_for_few(web: Web) -> None:
    visitor = await talked(web, 5)
    later = await web.socket()
    await later.send("hello", token=visitor.welcome["token"], since=0, recent=3)
    await visitor.send("message", id="new", text="news")
    await later.expect("message", id="new")
    await later.expect("message", text="You said: news")
    seqs = [message["seq"] for message in later.messages]
    assert seqs == sorted(set(seqs))
    assert seqs[-2:] == [11, 12]
    # The new words may have been there already when the newest three were looked for.
    assert len(seqs) <= 5
    assert seqs[0] >= 8


async def test_recent_counts_from_since(web: Web) -> None:
    visitor = await talked(web, 3)
    later = await web.socket()
    await later.send("hello", token=visitor.welcome["token"], since=visitor.rev, recent=50)
    await later.expect("welcome")
    await later.send("message", id="new", text="hush")
    await later.expect("message", id="new")
    assert [message["seq"] for message in later.messages] == [7]


@pytest.mark.parametrize("recent", [0, 201, "many"])
async def test_recent_that_cannot_be(web: Web, recent: Any) -> None:
    client = await web.socket()
    await client.send("hello", recent=recent)
    assert (await client.expect("error"))["code"] == "bad_frame"


# Operators and typing


async def test_the_visitor_is_told_who_has_come_and_gone(web: Web, ann: User) -> None:
    visitor = await talked(web, 1)
    uuid = visitor.welcome["conversation"]
    operator = await web.operator(ann)
    await operator.send("take", conversation=uuid)
    assert await visitor.expect("operator") == {"type": "operator", "name": "Ann Lee"}
    later = await web.visitor(visitor.welcome["token"])
    assert await later.expect("operator") == {"type": "operator", "name": "Ann Lee"}
    await operator.send("release", conversation=uuid)
    for client in (visitor, later):
        assert await client.expect("operator") == {"type": "operator", "name": None}


async def test_an_operator_is_seen_typing_by_the_visitor_once_they_have_it(web: Web, ann: User) -> None:
    visitor = await talked(web, 1)
    uuid = visitor.welcome["conversation"]
    bea = await User.objects.acreate(username="bea", is_staff=True)
    operator, other = await web.operator(ann), await web.operator(bea)
    await other.send("watch", conversation=uuid)
    await other.expect("message", seq=1)
    await operator.send("typing", conversation=uuid)
    seen = {"type": "typing", "from": "operator", "name": "Ann Lee", "conversation": uuid}
    assert await other.expect("typing") == seen
    await operator.send("take", conversation=uuid)
    await visitor.expect("operator")
    assert "typing" not in [frame["type"] for frame in visitor.frames]
    await operator.send("typing", conversation=uuid)
    assert await visitor.expect("typing") == {"type": "typing", "from": "operator", "name": "Ann Lee"}


async def test_operators_see_the_visitor_type(web: Web, ann: User) -> None:
    visitor = await talked(web, 1)
    uuid = visitor.welcome["conversation"]
    operator = await web.operator(ann)
    await operator.send("watch", conversation=uuid)
    await operator.expect("message", seq=1)
    await visitor.send("typing")
    assert await operator.expect("typing") == {"type": "typing", "from": "visitor", "conversation": uuid}
    await visitor.send("message", id="last", text="hush")
    await visitor.expect("ack", id="last")
    assert "typing" not in [frame["type"] for frame in visitor.frames]


async def test_a_bot_can_type(attentive: Web) -> None:
    visitor = await talked(attentive, 1)
    await visitor.send("message", id="more", text="more")
    assert await visitor.expect("typing") == {"type": "typing", "from": "bot"}


async def test_whether_an_operator_is_there_is_said_at_the_welcome(web: Web, ann: User) -> None:
    assert (await web.visitor()).welcome["options"]["online"] is False
    await (await web.operator(ann)).send("hello")
    await until(lambda: bool(whispers_of(live_of(web.engine))._seen), "an operator")
    assert (await web.visitor()).welcome["options"]["online"] is True


async def test_an_operator_who_may_not_answer_at_this_bot_is_not_there_for_its_visitors(web: Web, ann: User) -> None:
    other = await User.objects.acreate(username="ben", is_staff=True)
    await (await Bot.objects.aget_or_create(name="bot"))[0].operators.aadd(ann)
    await (await web.operator(other)).send("hello")
    await until(lambda: bool(whispers_of(live_of(web.engine))._seen), "a console")
    assert (await web.visitor()).welcome["options"]["online"] is False
    await (await web.operator(ann)).send("hello")
    await until(lambda: len(whispers_of(live_of(web.engine))._seen) == 2, "an operator of the bot")
    assert (await web.visitor()).welcome["options"]["online"] is True


# What the widget offers


async def test_a_bot_without_options_offers_nothing(web: Web) -> None:
    expected = {"uploads": None, "form": None, "rating": False, "online": False, "room": None}
    assert (await web.visitor()).welcome["options"] == expected


async def test_a_form_tells_the_bot_and_names_the_person(attentive: Web) -> None:
    await offering(form="before", form_fields=FIELDS)
    visitor = await attentive.visitor()
    form = visitor.welcome["options"]["form"]
    assert form["when"] == "before"
    assert form["fields"][0] == {"name": "name", "label": "Your name", "type": "text", "required": True}
    await visitor.send("form", id="f", values={"name": " Ann ", "email": "ann@shop.example"})
    ack = await visitor.expect("ack", id="f")
    assert ack["seq"] is None
    assert (await visitor.expect("message", sender="bot"))["text"] == "Hello Ann"
    await visitor.send("form", id="f", values={"name": "Ann", "email": "ann@shop.example"})
    assert await visitor.expect("ack", id="f") == ack
    later = await attentive.visitor(visitor.welcome["token"])
    await later.send("message", id="m", text="hi")
    assert (await later.expect("message", id="m"))["name"] == "Ann"
    contact = await Contact.objects.aget()
    assert (contact.name, contact.details) == ("Ann", {"email": "ann@shop.example"})


async def test_a_form_while_nobody_is_there_waits_for_a_human(web: Web) -> None:
    await offering(form="offline", form_fields=FIELDS)
    visitor = await web.visitor()
    await visitor.send("form", id="f", values={"name": "Ann", "words": "Call me"})
    await visitor.expect("ack", id="f")
    conversation = await Conversation.objects.aget(uuid=UUID(visitor.welcome["conversation"]))
    assert conversation.state == "waiting"
    note = await Message.objects.aget(method="ask_human")
    assert note.text == "Your name: Ann\nWhat is it?: Call me"


@pytest.mark.parametrize(
    "values",
    [
        {},
        {"name": " "},
        {"name": "x" * 257},
        {"name": "Ann", "email": "nobody"},
        {"name": "Ann", "email": "a b@c.d"},
        {"name": "Ann", "admin": "1"},
    ],
)
async def test_a_form_that_is_not_right_says_why(web: Web, values: dict[str, str]) -> None:
    await offering(form="before", form_fields=FIELDS)
    visitor = await web.visitor()
    await visitor.send("form", id="f", values=values)
    error = await visitor.expect("error", id="f")
    assert error["code"] == "bad_form"
    assert not await Message.objects.aexists()


async def test_there_is_no_form_where_none_is_offered(web: Web) -> None:
    visitor = await web.visitor()
    await visitor.send("form", id="f", values={"name": "Ann"})
    assert (await visitor.expect("error", id="f"))["code"] == "bad_form"


# The end


async def test_a_visitor_ends_the_conversation(web: Web) -> None:
    await offering(rating=True)
    visitor = await talked(web, 1)
    await visitor.send("end")
    assert await visitor.expect("ended") == {"type": "ended", "rate": True}
    conversation = await Conversation.objects.aget()
    assert conversation.state == "ended"
    await visitor.send("message", id="again", text="again")
    assert (await visitor.expect("message", text="You said: again"))["seq"] == 4


async def test_who_waited_for_a_human_and_leaves_waits_no_more(web: Web) -> None:
    visitor = await talked(web, 1)
    await Conversation.objects.aupdate(waiting=True)
    await visitor.send("end")
    await visitor.expect("ended")
    assert not (await Conversation.objects.aget()).waiting


async def test_the_visitor_is_told_that_the_bot_has_ended_it(attentive: Web) -> None:
    visitor = await talked(attentive, 1)
    await visitor.send("message", id="bye", text="bye")
    assert await visitor.expect("ended") == {"type": "ended", "rate": False}


async def test_there_is_nothing_to_end_before_the_first_word(web: Web) -> None:
    visitor = await web.visitor()
    await visitor.send("end")
    assert (await visitor.expect("error"))["code"] == "bad_frame"


async def test_a_rating_is_kept_once_for_what_was_said(attentive: Web) -> None:
    await offering(rating=True)
    visitor = await talked(attentive, 1)
    await visitor.send("end")
    await visitor.expect("ended")
    await visitor.send("rate", id="r", score=4, text="fine")
    await visitor.expect("ack", id="r")
    assert (await visitor.expect("message", text="4: fine"))["from"] == "bot"
    rating = await Rating.objects.aget()
    assert (rating.score, rating.text, rating.seq) == (4, "fine", 2)


async def test_a_rating_can_be_corrected_until_the_next_word(web: Web) -> None:
    await offering(rating=True)
    visitor = await talked(web, 1)
    for number, score in enumerate((1, 5)):
        await visitor.send("rate", id=f"rating {number}", score=score)
        await visitor.expect("ack", id=f"rating {number}")
    assert (await Rating.objects.aget()).score == 5
    await visitor.send("message", id="m", text="hush")
    await visitor.expect("ack", id="m")
    await visitor.send("rate", id="next", score=2)
    await visitor.expect("ack", id="next")
    assert await Rating.objects.acount() == 2


@pytest.mark.parametrize("keys", [{"score": 0}, {"score": 6}, {"score": "5"}, {"score": 4.5}, {}])
async def test_ratings_that_cannot_be(web: Web, keys: dict[str, Any]) -> None:
    await offering(rating=True)
    visitor = await talked(web, 1)
    await visitor.send("rate", id="r", **keys)
    assert (await visitor.expect("error", id="r"))["code"] == "bad_frame"


async def test_there_is_nothing_to_rate_where_nobody_asks(web: Web) -> None:
    visitor = await talked(web, 1)
    await visitor.send("rate", id="r", score=5)
    assert (await visitor.expect("error", id="r"))["code"] == "bad_frame"
    assert not await Rating.objects.aexists()


# Whatever comes

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=10,
)
KEYS = st.sampled_from(["id", "text", "values", "score", "before", "limit", "recent", "token", "language", "since"])


@given(st.sampled_from(sorted(PUBLIC.tags)), st.dictionaries(KEYS, JSON, max_size=6))
def test_any_frame_is_taken_or_refused_in_words(kind: str, keys: dict[str, Any]) -> None:
    refusal, frame = "", None
    try:
        frame = PUBLIC.decode(json.dumps({**keys, "type": kind}))
    except BadFrame as bad:
        refusal = bad.code
    assert refusal in ("bad_frame", "too_long") or frame is not None
    assert frame is None or frame.__struct_config__.tag == kind


# Between processes


@pytest.mark.services
async def test_a_hint_reaches_the_other_processes(settings: Any) -> None:
    config = {"hosts": [{"address": redis_database(), "socket_timeout": 15}]}
    settings.CHANNEL_LAYERS = {"default": {"BACKEND": "gateway.redis_layer.RedisLayer", "CONFIG": config}}
    here, there = Ring(nothing_new), Ring(nothing_new)
    heard: list[tuple[int, dict[str, Any]]] = []
    there.subscribe_hints(lambda pk, hint: heard.append((pk, hint)))
    there.subscribe(7, lambda rev, written: None)
    here.start(1, lambda: [2])
    there.start(2, lambda: [1])
    hint = hints.typing("bot", "uuid")
    try:
        while not heard:  # The other one may not listen yet: what is lost then nobody misses.
            here.hint(7, hint)
            await asyncio.sleep(0.02)
    finally:
        await here.stop()
        await there.stop()
    assert heard[0] == (7, hint)


async def nothing_new(*_: Any) -> dict[int, int]:
    return {}
