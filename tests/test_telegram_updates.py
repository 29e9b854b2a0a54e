import json
import random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from telegram import Update

from gateway.fields import clean, dump
from gateway.telegram import common, wire
from gateway.telegram.kinds import ALL_KINDS, RESERVED, allowed_updates
from gateway.telegram.updates import parse, parse_any
from gateway.types import Inbound
from tests.hostile_updates import hostile
from tests.telegram_stand_in import unhurried
from tests.telegram_updates import ANN, CHANNEL, EVERY_KIND, GROUP, PRIVATE, member, message

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)
FIELDS = st.sampled_from(
    ["chat", "from", "user", "message", "id", "type", "text", "caption", "data", "message_id", "date", "boost",
     "source", "voter_chat", "actor_chat", "business_connection_id", "is_topic_message", "message_thread_id",
     "reply_markup", "inline_keyboard", "direct_messages_topic", "topic_id", "new_chat_member", "status", "first_name",
     "title"]
)  # fmt: skip
NEAR_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=4),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(FIELDS, inner, max_size=6),
    max_leaves=20,
)


def inbound(kind: str, content: Any, update_id: Any = 7) -> Inbound:
    return parse("bot", {"update_id": update_id, kind: content})


def test_every_kind_of_the_client_library_and_of_ours_has_an_example() -> None:
    assert set(EVERY_KIND) == set(ALL_KINDS)
    assert {str(kind.value) for kind in Update.ALL_TYPES} <= set(ALL_KINDS)


@pytest.mark.parametrize("kind", ALL_KINDS)
def test_every_kind_has_its_place(kind: str) -> None:
    content, key, row_kind, text = EVERY_KIND[kind]
    got = inbound(kind, content)
    assert (got.error, got.key, got.kind, got.text, got.method) == ("", key, row_kind, text, kind)
    assert got.update_id == 7
    assert got.event["update"] == {"update_id": 7, kind: content}
    assert "type" not in got.event


@pytest.mark.parametrize("kind", ALL_KINDS)
def test_an_answer_goes_back_to_the_chat_or_to_the_user(kind: str) -> None:
    content, key, _, _ = EVERY_KIND[kind]
    got = inbound(kind, content)
    if key == "bot":
        assert (got.address, got.chat, got.person) == ({}, {}, None)
        return
    assert got.address["chat_id"] == got.chat["id"] == content.get("chat", PRIVATE)["id"]
    assert got.address.get("business_connection_id") == content.get("business_connection_id")


def test_a_message_has_exactly_the_promised_keys() -> None:
    got = inbound("message", message())
    assert {name: got.event[name] for name in got.event if name != "update"} == {
        "text": "hi", "message_id": 5, "date": 1_700_000_000,
    }  # fmt: skip
    assert (got.external_id, got.edits) == (5, None)


def test_who_talks_is_told_and_cut_to_size() -> None:
    got = inbound("message", message(**{"from": {**ANN, "first_name": "A" * 300, "language_code": "x" * 99}}))
    assert got.person is not None
    assert (got.person.id, got.person.username) == ("11", "ann")
    assert (len(got.person.name), len(got.person.language)) == (256, 35)
    title = inbound("message", message(chat={**GROUP, "title": "T" * 999})).chat["title"]
    assert len(title) == 256


def test_the_caption_is_the_text_of_a_photo() -> None:
    photo = message(photo=[], caption="look")
    del photo["text"]
    assert inbound("message", photo).event["text"] == "look"
    del photo["caption"]
    assert inbound("message", photo).event["text"] == ""


def test_an_edit_names_its_message() -> None:
    got = inbound("edited_message", message(text="new"))
    assert (got.edits, got.external_id, got.event["text"]) == (5, 5, "new")


def test_each_user_of_a_group_and_each_topic_is_a_conversation() -> None:
    bob = {**ANN, "id": 12}
    topic = {"chat": GROUP, "message_thread_id": 3, "is_topic_message": True}
    keys = [
        inbound("message", message(chat=GROUP)).key,
        inbound("message", message(chat=GROUP, **{"from": bob})).key,
        inbound("message", message(**topic)).key,
    ]
    assert len(set(keys)) == 3
    got = inbound("message", message(**topic))
    assert (got.address["message_thread_id"], got.chat["thread_id"]) == (3, 3)


def test_a_chain_of_replies_is_no_topic() -> None:
    got = inbound("message", message(chat=GROUP, message_thread_id=3))
    assert got.key == inbound("message", message(chat=GROUP)).key
    assert "message_thread_id" not in got.address


def test_a_topic_of_direct_messages() -> None:
    got = inbound("message", message(chat=GROUP, direct_messages_topic={"topic_id": 8, "user": ANN}))
    assert got.address == {"chat_id": -100200, "direct_messages_topic_id": 8}
    assert got.key == "chat:-100200/direct:8/user:11"


def test_a_button_pressed_in_a_topic_stays_there() -> None:
    pressed = {"id": "c", "from": ANN, "data": "a", "message": {
        "chat": GROUP, "message_id": 1, "date": 0, "message_thread_id": 3, "is_topic_message": True}}  # fmt: skip
    assert inbound("callback_query", pressed).key == "chat:-100200/topic:3/user:11"


@pytest.mark.parametrize(
    ("query", "text"),
    [
        ({"data": "a"}, "a"),
        ({"data": "a", "message": {"chat": PRIVATE, "message_id": 1, "date": 0}}, "a"),
        ({"inline_message_id": "i", "game_short_name": "chess"}, ""),
    ],
)
def test_a_button_without_its_message_shows_its_data(query: dict[str, Any], text: str) -> None:
    got = inbound("callback_query", {"id": "c", "from": ANN, "chat_instance": "x"} | query)
    assert (got.text, got.key, got.error) == (text, "chat:11/user:11", "")
    assert got.event["data"] == query.get("data", "")
    assert got.courtesy is not None
    assert (got.courtesy.kind, got.courtesy.method) == ("call", "answer_callback_query")
    assert got.courtesy.params == {"callback_query_id": "c"}


@pytest.mark.parametrize(
    ("chat", "status", "blocked"),
    [(PRIVATE, "kicked", True), (PRIVATE, "member", False), (PRIVATE, "odd", None), (GROUP, "kicked", None)],
)
def test_only_a_private_chat_tells_of_a_block(chat: dict[str, Any], status: str, blocked: bool | None) -> None:
    assert inbound("my_chat_member", member(chat, status)).blocked is blocked


@pytest.mark.parametrize(
    ("chat", "business", "blocked"), [(PRIVATE, None, False), (PRIVATE, "b", None), (GROUP, None, None)]
)
def test_who_writes_to_the_bot_has_not_blocked_it(
    chat: dict[str, Any], business: str | None, blocked: bool | None
) -> None:
    content = {"message_id": 1, "date": 0, "chat": chat, "from": ANN, "text": "a"}
    if business is not None:
        content["business_connection_id"] = business
    assert inbound("message", content).blocked is blocked


@pytest.mark.parametrize(("chat", "told"), [(-5, {"migrate_to_chat_id": -1005}), (-1005, {"migrate_from_chat_id": -5})])
def test_a_group_that_moves_is_met_at_its_new_place(chat: int, told: dict[str, int]) -> None:
    content = {"message_id": 1, "date": 0, "chat": {"id": chat, "type": "group", "title": "Us"}, "from": ANN, **told}
    got = inbound("message", content)
    assert (got.key, got.address, got.chat["id"]) == ("chat:-1005/user:11", {"chat_id": -1005}, -1005)
    assert got.move is not None
    assert (got.move.old, got.move.new) == ("chat:-5", "chat:-1005")
    assert got.event["update"]["message"]["chat"]["id"] == chat


def test_who_acts_in_the_name_of_a_chat_is_that_chat() -> None:
    voted = inbound("poll_answer", {"poll_id": "1", "voter_chat": CHANNEL, "user": ANN, "option_ids": []})
    assert voted.person is not None
    assert (voted.person.id, voted.person.name) == ("-100300", "News")
    reacted = inbound("message_reaction", {"chat": GROUP, "message_id": 1, "actor_chat": CHANNEL})
    assert reacted.key == "chat:-100200/user:-100300"


def test_a_boost_of_nobody_belongs_to_the_chat() -> None:
    assert inbound("chat_boost", {"chat": GROUP, "boost": {"source": {"source": "giveaway"}}}).key == "chat:-100200"


def test_a_later_kind_has_a_way() -> None:
    got = inbound("brand_new_thing", {"user": ANN, "type": "x", "what": 1})
    assert (got.error, got.key, got.method) == ("", "chat:11/user:11", "brand_new_thing")
    assert got.event["what"] == 1
    assert "type" not in got.event


HUGE = 2**63


@pytest.mark.parametrize(
    ("kind", "content"),
    [
        ("message", None),
        ("message", []),
        ("message", "text"),
        ("message", {}),
        ("message", message(chat={})),
        ("message", message(chat=None)),
        ("message", message(chat={"id": "11"})),
        ("message", message(chat={"id": True})),
        ("message", message(chat={"id": 11.0})),
        ("message", message(chat={"id": HUGE})),
        ("message", message(chat=[1])),
        ("message", message(**{"from": {}})),
        ("message", message(**{"from": {"id": None}})),
        ("message", message(**{"from": {"id": -HUGE - 1}})),
        ("message", message(text={"a": 1})),
        ("message", message(message_id="5")),
        ("message", message(message_id=False)),
        ("message", message(is_topic_message=True, message_thread_id="1")),
        ("message", message(business_connection_id=5)),
        ("message", message(business_connection_id="a\0b")),
        ("message", message(business_connection_id="x" * 500)),
        ("message", message(direct_messages_topic=5)),
        ("message", message(direct_messages_topic={})),
        ("callback_query", {"from": ANN, "data": "a"}),
        ("callback_query", {"id": 1, "from": ANN, "data": "a"}),
        ("callback_query", {"id": "c", "from": ANN, "data": 5}),
        ("callback_query", {"id": "c", "from": ANN, "message": "m"}),
        ("inline_query", {"id": "q", "from": "Ann"}),
        ("Strange Kind!", {"chat": GROUP}),
        ("k" * 65, {"chat": GROUP}),
        ("", {"chat": GROUP}),
        *((kind, {"chat": GROUP}) for kind in sorted(RESERVED)),
    ],
)
def test_what_is_malformed_is_kept_as_a_dead_letter(kind: str, content: Any) -> None:
    got = inbound(kind, content)
    assert got.error
    assert (got.key, got.kind, got.update_id, got.address) == ("bot", "update", 7, {})
    assert got.method not in RESERVED
    assert len(got.method) <= 64
    assert got.event == {"update": {"update_id": 7, kind: content}}


@pytest.mark.parametrize("update_id", [None, "7", True, 7.0, HUGE, [7]])
def test_an_update_without_a_valid_id_has_none(update_id: Any) -> None:
    got = inbound("message", message(), update_id)
    assert got.error
    assert got.update_id is None


def test_deep_nesting_is_a_dead_letter_that_can_be_stored() -> None:
    deep: Any = "x"
    for _ in range(20_000):
        deep = [deep]
    got = inbound("message", message(deep=deep))
    assert got.error
    assert json.dumps(got.event) == '{"update": {"update_id": 7}}'


def test_nul_and_lone_surrogates_pass() -> None:
    got = inbound("message", message(text="a\0\ud800b"))
    assert (got.error, got.text) == ("", "a\0\ud800b")


@unhurried
@given(JSON | NEAR_JSON, st.sampled_from([*ALL_KINDS, "later_kind"]))
def test_whatever_comes_an_inbound_comes_out(content: Any, kind: str) -> None:
    got = inbound(kind, content)
    assert isinstance(got, Inbound)
    assert len(got.key) <= 255
    assert bool(got.error) <= (got.key == "bot")


@unhurried
@given(st.dictionaries(FIELDS | st.sampled_from(["update_id", *ALL_KINDS]), NEAR_JSON, max_size=5))
def test_whatever_object_comes_an_inbound_comes_out(update: dict[str, Any]) -> None:
    assert isinstance(parse("bot", update), Inbound)


@unhurried
@given(st.randoms(use_true_random=False))
def test_a_spoilt_update_is_an_inbound_that_can_be_stored(chance: random.Random) -> None:
    got = parse("bot", wire.decode(hostile(chance, 7)))
    assert got.update_id == 7
    for stored in (dump(got.event), clean(got.text), got.key, dump(got.address)):
        stored.encode()
    assert bool(got.error) <= (got.key == "bot")


def test_what_is_asked_for() -> None:
    assert allowed_updates({"message"}) == ["message", "my_chat_member"]
    assert allowed_updates(set()) == ["message", "my_chat_member"]
    assert allowed_updates({"callback_query", "result", "resume", "disconnect"}) == [
        "message", "callback_query", "my_chat_member",
    ]  # fmt: skip
    assert allowed_updates({"later_kind"})[-1] == "later_kind"
    assert allowed_updates(None) == list(ALL_KINDS)


PLAIN_USER = st.fixed_dictionaries(
    {"id": st.integers(-(2**63), 2**63 - 1) | st.integers()},
    optional={name: st.text() | st.just("x" * 300) | st.none() for name in ("first_name", "last_name", "username")}
    | {"language_code": st.text(max_size=40), "is_bot": st.booleans(), "is_premium": st.just(True), "title": st.text()},
)
PLAIN_CHAT = st.fixed_dictionaries(
    {"id": st.integers(-(2**63), 2**63 - 1), "type": st.sampled_from(["private", "group", "", "x" * 300])},
    optional={"title": st.text(), "username": st.text(), "photo": st.just({})},
)
PLAIN = st.fixed_dictionaries(
    {"message_id": st.integers(-1, 2), "from": PLAIN_USER, "chat": PLAIN_CHAT, "text": st.text() | st.just("\ud800\0")},
    optional={"date": st.integers(), "caption": st.text(), "is_topic_message": st.booleans()},
)


@given(PLAIN, st.integers(-2, 2**64))
def test_what_is_read_in_one_step_is_what_it_is_at_length(content: dict[str, Any], update_id: int) -> None:
    update = {"update_id": update_id, "message": content}
    assert parse("bot", update) == parse_any("bot", update)


@given(st.randoms(use_true_random=False))
def test_no_spoilt_update_is_read_otherwise_in_one_step(chance: random.Random) -> None:
    update = wire.decode(hostile(chance, 7))
    assert parse("bot", update) == parse_any("bot", update)


def test_plain_words_are_read_in_one_step() -> None:
    """Else it would be of no use, and nothing else would tell."""
    assert common.parse("telegram", "bot", {"update_id": 7, "message": message()}) is not None
