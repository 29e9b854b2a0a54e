from contextlib import suppress
from datetime import datetime
from io import BytesIO
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.errors import Unsendable
from gateway.telegram.compose import compose
from gateway.types import Outbound
from tests.telegram_stand_in import unhurried

CHAT = {"chat_id": 11}
TOPIC = {"chat_id": -100, "message_thread_id": 3}
BUSINESS = {"chat_id": 11, "business_connection_id": "bc"}
DIRECT = {"chat_id": -100, "direct_messages_topic_id": 8}
PRESSED = {"update": {"update_id": 1, "callback_query": {"id": "c1"}}}


def composed(method: str, params: dict[str, Any], address: Any = CHAT, event: Any = None) -> Outbound:
    return compose(method, params, address=address, event=event)


@pytest.mark.parametrize(
    ("method", "params", "address", "expected"),
    [
        ("send_message", {"text": "a"}, CHAT, {"text": "a", "chat_id": 11}),
        ("send_message", {"text": "a"}, TOPIC, {"text": "a", "chat_id": -100, "message_thread_id": 3}),
        ("send_message", {"text": "a"}, BUSINESS, {"text": "a", "chat_id": 11, "business_connection_id": "bc"}),
        ("send_photo", {"photo": "u"}, DIRECT, {"photo": "u", "chat_id": -100, "direct_messages_topic_id": 8}),
        ("send_message", {"text": "a", "chat_id": 5}, TOPIC, {"text": "a", "chat_id": 5}),
        ("send_message", {"text": "a", "message_thread_id": None}, TOPIC, {"text": "a", "chat_id": -100}),
        ("send_message", {"text": "a", "message_thread_id": 9}, TOPIC,
         {"text": "a", "chat_id": -100, "message_thread_id": 9}),
        ("send_chat_action", {"action": "typing"}, TOPIC, {"action": "typing", **TOPIC}),
        ("copy_message", {"from_chat_id": 1, "message_id": 2}, TOPIC, {"from_chat_id": 1, "message_id": 2, **TOPIC}),
        ("delete_message", {"message_id": 2}, TOPIC, {"message_id": 2, "chat_id": -100}),
        ("edit_message_text", {"text": "a", "message_id": 2}, BUSINESS, {"text": "a", "message_id": 2, **BUSINESS}),
        ("edit_message_text", {"text": "a", "inline_message_id": "i"}, CHAT, {"text": "a", "inline_message_id": "i"}),
        ("pin_chat_message", {"message_id": 2}, BUSINESS, {"message_id": 2, **BUSINESS}),
        ("get_me", {}, CHAT, {}),
        ("set_my_commands", {"commands": []}, CHAT, {"commands": []}),
        ("get_my_name", {}, CHAT, {}),
        ("delete_my_commands", {}, CHAT, {}),
        ("get_file", {"file_id": "f"}, CHAT, {"file_id": "f"}),
        ("answer_inline_query", {"inline_query_id": "q", "results": []}, CHAT, {"inline_query_id": "q", "results": []}),
        ("send_gift", {"gift_id": "g", "user_id": 5}, CHAT, {"gift_id": "g", "user_id": 5}),
        ("brand_new_method", {"x": 1.5}, CHAT, {"x": 1.5, "chat_id": 11}),
    ],
)  # fmt: skip
def test_chat_topic_and_connection_come_from_the_conversation(
    method: str, params: dict[str, Any], address: dict[str, Any], expected: dict[str, Any]
) -> None:
    got = composed(method, params, address)
    assert (got.method, got.params, got.error) == (method, expected, "")


@given(st.text(), st.sampled_from([CHAT, TOPIC, BUSINESS, {}]))
def test_a_mere_text_is_composed_at_once_as_it_is_at_length(text: str, address: dict[str, Any]) -> None:
    at_length = composed("send_message", {"text": text, "ref": None}, address)
    assert composed("send_message", {"text": text}, address) == at_length


@pytest.mark.parametrize(
    ("method", "params", "kind", "text"),
    [
        ("send_message", {"text": "a"}, "message", "a"),
        ("send_photo", {"photo": "u"}, "message", "[photo]"),
        ("send_photo", {"photo": "u", "caption": "look"}, "message", "look"),
        ("send_video_note", {"video_note": "u"}, "message", "[video note]"),
        ("send_poll", {"question": "Tea?", "options": []}, "message", "Tea?"),
        ("send_dice", {"emoji": "🎲"}, "message", "🎲"),
        ("send_invoice", {"title": "Tea"}, "message", "Tea"),
        ("send_rich_message", {"rich_message": {"markdown": "# A"}}, "message", "# A"),
        ("send_rich_message", {"rich_message": {"blocks": []}}, "message", "[rich message]"),
        ("send_media_group", {"media": [{"media": "u"}, {"media": "v", "caption": "two"}]}, "message", "two"),
        ("send_media_group", {"media": [{"media": "u"}]}, "message", "[media group]"),
        ("copy_messages", {"from_chat_id": 1, "message_ids": [1]}, "message", "[copied messages]"),
        ("forward_message", {"from_chat_id": 1, "message_id": 1}, "message", "[forwarded message]"),
        ("edit_message_text", {"text": "b", "message_id": 1}, "edit", "b"),
        ("edit_message_caption", {"caption": "b", "message_id": 1}, "edit", "b"),
        ("edit_message_reply_markup", {"message_id": 1}, "edit", ""),
        ("send_chat_action", {"action": "typing"}, "call", ""),
        ("send_message_draft", {"draft_id": 1, "text": "…"}, "call", ""),
        ("delete_message", {"message_id": 1}, "call", ""),
        ("set_message_reaction", {"message_id": 1}, "call", ""),
    ],
)
def test_what_is_words_and_what_people_see(method: str, params: dict[str, Any], kind: str, text: str) -> None:
    got = composed(method, params)
    assert (got.kind, got.text, got.error) == (kind, text, "")


def test_neutral_buttons_become_an_inline_keyboard() -> None:
    buttons = [[{"text": "Yes", "data": "y"}, {"text": "No", "data": "n"}], [{"text": "Später", "data": "ü" * 32}]]
    got = composed("send_message", {"text": "Tea?", "buttons": buttons})
    assert got.buttons == buttons
    assert got.params["reply_markup"]["inline_keyboard"][0][0] == {"text": "Yes", "callback_data": "y"}
    assert "buttons" not in got.params


def test_an_inline_keyboard_shows_its_callback_buttons() -> None:
    keyboard = [[{"text": "Site", "url": "https://e.example"}, {"text": "Yes", "callback_data": "y"}], [{"text": "x"}]]
    got = composed("send_message", {"text": "a", "reply_markup": {"inline_keyboard": keyboard}})
    assert got.buttons == [[{"text": "Yes", "data": "y"}]]
    assert composed("send_message", {"text": "a", "reply_markup": {"remove_keyboard": True}}).buttons is None


@pytest.mark.parametrize(
    "buttons",
    [
        "yes",
        [{"text": "a", "data": "b"}],
        [["a"]],
        [[{"text": "a"}]],
        [[{"text": "a", "data": 5}]],
        [[{"text": "", "data": "b"}]],
        [[{"text": "a", "data": ""}]],
        [[{"text": "a", "data": "x" * 65}]],
        [[{"text": "a", "data": "ü" * 33}]],
        [[{"text": "a", "data": "b", "url": "c"}]],
    ],
)
def test_buttons_that_telegram_would_refuse(buttons: Any) -> None:
    with pytest.raises(Unsendable, match=r"[Bb]utton"):
        composed("send_message", {"text": "a", "buttons": buttons})


def test_either_buttons_or_a_reply_markup() -> None:
    both = {"text": "a", "buttons": [], "reply_markup": {"inline_keyboard": []}}
    with pytest.raises(Unsendable, match="not both"):
        composed("send_message", both)


@pytest.mark.parametrize(
    "params",
    [
        {"photo": b"png"},
        {"photo": bytearray(b"png")},
        {"photo": BytesIO(b"png")},
        {"media": [{"media": b"png"}]},
        {"media": ({"deep": {"er": memoryview(b"")}},)},
    ],
)
def test_bytes_are_refused_and_it_says_how_else(params: dict[str, Any]) -> None:
    with pytest.raises(Unsendable, match=r"bytes.*URL.*file_id"):
        composed("send_photo", params)


@pytest.mark.parametrize("value", [datetime(2026, 1, 1), object(), {1, 2}, float("nan"), float("inf"), {1: 2}, 1j])
def test_what_is_no_json_is_refused(value: Any) -> None:
    with pytest.raises(Unsendable, match=r"send_message: x"):
        composed("send_message", {"text": "a", "x": value})


def test_what_holds_itself_is_refused() -> None:
    loop: list[Any] = []
    loop.append(loop)
    with pytest.raises(Unsendable, match="deeply"):
        composed("send_message", {"text": "a", "x": loop})


def test_later_changes_of_the_bot_do_not_reach_the_row() -> None:
    markup: dict[str, Any] = {"inline_keyboard": [[{"text": "a", "callback_data": "b"}]]}
    got = composed("send_message", {"text": "a", "reply_markup": markup})
    markup["inline_keyboard"].clear()
    assert got.params["reply_markup"]["inline_keyboard"]


@pytest.mark.parametrize("text", ["", " \n"])
def test_a_blank_text_fails_its_row_and_not_the_handler(text: str) -> None:
    assert composed("send_message", {"text": text}).error == "the text is empty"


@pytest.mark.parametrize("params", [{}, {"text": None}, {"text": 5}, {"caption": "a"}])
def test_a_message_has_words(params: dict[str, Any]) -> None:
    with pytest.raises(Unsendable, match="text"):
        composed("send_message", params)


@pytest.mark.parametrize(
    "method", ["sendMessage", "send message", "", "send__message", "../getMe", "_send", "x" * 65, "é"]
)
def test_a_method_is_a_name_in_snake_case(method: str) -> None:
    with pytest.raises(Unsendable, match="snake case"):
        composed(method, {})


@pytest.mark.parametrize("method", ["get_updates", "set_webhook", "delete_webhook", "log_out", "close"])
def test_what_would_stop_the_intake_is_the_gateways_own(method: str) -> None:
    assert "the gateway's own" in composed(method, {}).error


def test_a_ref_stays_out_of_the_call() -> None:
    got = composed("send_message", {"text": "a", "ref": "order-7", "at_most_once": True})
    assert (got.ref, got.at_most_once) == ("order-7", True)
    assert got.params == {"text": "a", "chat_id": 11}


@pytest.mark.parametrize("more", [{"ref": 5}, {"ref": "x" * 256}, {"at_most_once": "yes"}])
def test_an_odd_ref_is_refused(more: dict[str, Any]) -> None:
    with pytest.raises(Unsendable):
        composed("send_message", {"text": "a"} | more)


def test_an_edit_must_name_its_message() -> None:
    assert "which message" in composed("edit_message_text", {"text": "a"}).error
    assert composed("edit_message_text", {"text": "a", "ref": "r"}).error == ""


def test_an_answer_answers_the_event_in_hand() -> None:
    assert composed("answer_callback_query", {"text": "ok"}, event=PRESSED).params == {
        "text": "ok", "callback_query_id": "c1",
    }  # fmt: skip
    assert composed("answer_callback_query", {"callback_query_id": "c2"}).params == {"callback_query_id": "c2"}
    guest = {"update": {"guest_message": {"guest_query_id": "g"}}}
    assert composed("answer_guest_query", {"result": {}}, event=guest).params == {"result": {}, "guest_query_id": "g"}


@pytest.mark.parametrize(
    "event", [None, {}, {"update": {"message": {}}}, {"update": None}, {"update": {"callback_query": 5}}]
)
def test_an_answer_to_nothing_is_refused(event: Any) -> None:
    with pytest.raises(Unsendable, match="callback_query_id"):
        composed("answer_callback_query", {}, event=event)


def test_a_conversation_without_a_chat_says_so() -> None:
    assert "no chat" in composed("send_message", {"text": "a"}, {}).error
    assert composed("send_message", {"text": "a", "chat_id": 5}, {}).error == ""


@unhurried
@given(
    st.text(max_size=20) | st.sampled_from(["send_message", "edit_message_text", "send_photo"]),
    st.dictionaries(
        st.sampled_from(["text", "buttons", "ref", "chat_id", "reply_markup", "media", "entities"]),
        st.recursive(
            st.none() | st.text(max_size=5) | st.integers() | st.binary(max_size=3),
            lambda inner: st.lists(inner) | st.dictionaries(st.text(max_size=3), inner),
            max_leaves=8,
        ),
    ),
)
def test_whatever_a_bot_sends_is_composed_or_refused_with_reason(method: str, params: dict[str, Any]) -> None:
    with suppress(Unsendable):
        assert composed(method, params).kind in ("message", "edit", "call")


def test_a_neutral_messages_files_go_as_telegram_sends_them() -> None:
    def files(*found: object, **more: object) -> tuple[str, dict[str, object]]:
        composed = compose("send_message", {"files": list(found), **more}, address={"chat_id": 7}, event=None)
        return composed.method, {name: value for name, value in composed.params.items() if name != "chat_id"}

    url = "https://shop.example/a/cat.jpg"
    assert files(url, text="Look") == ("send_photo", {"photo": url, "caption": "Look"})
    assert files({"url": "https://x.example/f", "type": "application/pdf", "name": "f"}) == (
        "send_document", {"document": "https://x.example/f"}
    )  # fmt: skip
    method, params = files(url, "https://x.example/b.pdf", text="Both")
    assert method == "send_media_group"
    assert params["media"] == [
        {"type": "document", "media": url, "caption": "Both"},
        {"type": "document", "media": "https://x.example/b.pdf"},
    ]
    for wrong in ("6f0c0000-0000-4000-8000-000000000000", "javascript:x", 5, {"id": "x"}):
        with pytest.raises(Unsendable):
            files(wrong, text="x")
