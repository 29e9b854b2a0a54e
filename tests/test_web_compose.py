"""What a bot says → what the web chat shows."""

import io
from collections.abc import Mapping
from datetime import datetime
from types import SimpleNamespace
from typing import Any

import pytest
from django.utils.translation import gettext_lazy

from gateway.errors import Unsendable
from gateway.types import Outbound
from gateway.web.server import Server

server = Server(SimpleNamespace())  # type: ignore[arg-type]


def compose(method: str, **params: Any) -> Outbound:
    return server.compose(method, params, address={}, event=None)


def test_a_message() -> None:
    said = compose("send_message", text="Hello 😀", parse_mode="HTML", ref="r", at_most_once=True)
    assert (said.kind, said.text, said.buttons, said.ref, said.at_most_once) == ("message", "Hello 😀", None, "r", True)
    assert said.params == {"text": "Hello 😀", "parse_mode": "HTML"}
    assert said.error == ""


def test_neutral_buttons() -> None:
    said = compose("send_message", text="?", buttons=[[{"text": "Yes", "data": "y", "more": 1}], []])
    assert said.buttons == [[{"text": "Yes", "data": "y"}]]


KEYBOARD = {
    "inline_keyboard": [
        [{"text": "Yes", "callback_data": "y"}, {"text": "Site", "url": "https://x.example"}],
        [{"text": "Pay", "pay": True}],
    ]
}


@pytest.mark.parametrize("markup", [KEYBOARD, '{"inline_keyboard": [[{"text": "Yes", "callback_data": "y"}]]}'])
def test_the_callback_buttons_of_an_inline_keyboard_become_chips(markup: Any) -> None:
    assert compose("send_message", text="?", reply_markup=markup).buttons == [[{"text": "Yes", "data": "y"}]]


@pytest.mark.parametrize("markup", [{"keyboard": [["Yes"]]}, {"force_reply": True}, None])
def test_other_keyboards_are_nothing_on_the_web(markup: Any) -> None:
    said = compose("send_message", text="?", reply_markup=markup)
    assert (said.buttons, said.error) == (None, "")


MISTAKES: list[tuple[dict[str, Any], str]] = [
    ({}, "text"),
    ({"text": None}, "text"),
    ({"text": 5}, "text"),
    ({"text": b"x"}, "URL"),
    ({"text": "x", "photo": [b"x"]}, "URL"),
    ({"text": "x", "document": io.BytesIO(b"x")}, "URL"),
    ({"text": "x", "at": datetime(2026, 1, 1)}, "JSON"),
    ({"text": "x", "n": float("nan")}, "JSON"),
    ({"text": "x", "m": {1: 2}}, "key"),
    ({"text": "x", "buttons": "Yes"}, "rows"),
    ({"text": "x", "buttons": ["Yes"]}, "rows"),
    ({"text": "x", "buttons": [["Yes"]]}, "rows"),
    ({"text": "x", "buttons": [[{"text": "Yes"}]]}, "data"),
    ({"text": "x", "buttons": [[{"text": "", "data": "y"}]]}, "text"),
    ({"text": "x", "buttons": [[{"text": "Yes", "data": ""}]]}, "1 to 64"),
    ({"text": "x", "buttons": [[{"text": "Yes", "data": "é" * 33}]]}, "66"),
    ({"text": "x", "reply_markup": "{"}, "JSON"),
    ({"text": "x", "reply_markup": {"inline_keyboard": "rows"}}, "inline_keyboard"),
    ({"text": "x", "reply_markup": {"inline_keyboard": [[{"text": "Yes", "callback_data": "x" * 65}]]}}, "65"),
    ({"text": "x", "ref": "r" * 256}, "ref"),
    ({"text": "x", "ref": ["r"]}, "ref"),
]


@pytest.mark.parametrize(("params", "says"), MISTAKES, ids=range(len(MISTAKES)))
def test_a_bots_mistake_is_told_at_once(params: dict[str, Any], says: str) -> None:
    with pytest.raises(Unsendable, match=says):
        compose("send_message", **params)


def test_what_holds_itself_is_a_mistake_too() -> None:
    loop: list[Any] = []
    loop.append(loop)
    with pytest.raises(Unsendable, match="nested"):
        compose("send_message", text="x", loop=loop)


@pytest.mark.parametrize(("text", "error"), [("", "empty"), (" \n", "empty"), ("é" * 40_000, "too long")])
def test_what_cannot_be_shown_fails_with_its_reason(text: str, error: str) -> None:
    assert error in compose("send_message", text=text).error


def test_the_longest_text_fits_into_a_frame() -> None:
    assert compose("send_message", text="x" * 59_000).error == ""


def test_an_edit_needs_a_ref() -> None:
    edit = compose("edit_message_text", ref="r", text="new", buttons=[[{"text": "A", "data": "a"}]])
    assert (edit.kind, edit.text, edit.ref, edit.error) == ("edit", "new", "r", "")
    assert edit.buttons == [[{"text": "A", "data": "a"}]]
    assert "ref" in compose("edit_message_text", message_id=5, text="new").error
    with pytest.raises(Unsendable):
        compose("edit_message_text", ref="r")


def test_a_press_is_answered_by_nothing() -> None:
    answer = compose("answer_callback_query", callback_query_id="1", text="noted")
    assert (answer.kind, answer.error) == ("call", "")


@pytest.mark.parametrize("method", ["send_poll", "delete_message", "a_method_of_next_year"])
def test_what_the_web_cannot_do_is_a_failed_row(method: str) -> None:
    call = compose(method, photo="https://x.example/p.png", ref="r")
    assert (call.kind, call.method, call.ref) == ("call", method, "r")
    assert call.error == f"the web chat cannot do {method}"


def test_a_photo_by_its_address_is_shown() -> None:
    said = compose("send_photo", photo="https://x.example/a/p.png", caption="Look", ref="r")
    assert (said.kind, said.text, said.ref, said.error) == ("message", "Look", "r", "")
    assert said.rich is not None
    [file] = said.rich["files"]
    assert (file["url"], file["name"], file["image"]) == ("https://x.example/a/p.png", "p.png", True)
    assert compose("send_photo", photo="AgACAgIAAx").error == "the web chat cannot do send_photo"


@pytest.mark.parametrize("files", ["https://x.example", [1], [{}], ["ftp://x.example/f"], ["https://"], ["x"] * 11])
def test_what_is_no_list_of_files_is_a_mistake(files: Any) -> None:
    with pytest.raises(Unsendable):
        compose("send_message", text="x", files=files)


def test_bytes_are_a_mistake_whatever_the_method() -> None:
    with pytest.raises(Unsendable, match="URL"):
        compose("send_photo", photo=b"x")


def test_the_row_is_the_gateways_own() -> None:
    buttons = [[{"text": gettext_lazy("Yes"), "data": "y"}]]
    params: Mapping[str, Any] = {"text": "x", "buttons": buttons}
    said = compose("send_message", **params)
    buttons[0][0]["text"] = "No"
    assert said.buttons == [[{"text": "Yes", "data": "y"}]]
    assert said.params["buttons"] == [[{"text": "Yes", "data": "y"}]]


def test_what_no_database_takes_is_replaced() -> None:
    said = compose("send_message", text="a\0b\ud800", buttons=[[{"text": "\ud800", "data": "\0"}]])
    assert said.text == "a\ufffdb\ufffd"
    assert said.buttons == [[{"text": "\ufffd", "data": "\ufffd"}]]
