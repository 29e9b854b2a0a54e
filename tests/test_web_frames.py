"""Client frames: whatever comes in, the outcome is a frame or a coded refusal."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.flow import is_too_large
from gateway.web import frames
from gateway.web.frames import PUBLIC, BadFrame, Button, Hello, Message, Say, Typing, Watch
from gateway.web.operator_frames import ADMIN

DEEP = "[" * 10_000 + "]" * 10_000

BAD = [
    ("", "bad_frame", None),
    ("nonsense", "bad_frame", None),
    ("[]", "bad_frame", None),
    ("null", "bad_frame", None),
    ("{}", "bad_frame", None),
    (DEEP, "bad_frame", None),
    ('{"type":"hello","more":' + DEEP + "}", "bad_frame", None),
    ('{"type":5,"id":"a"}', "bad_frame", "a"),
    ('{"type":"dance"}', "unknown_type", None),
    ('{"type":"dance","id":"a"}', "unknown_type", "a"),
    ('{"type":"watch","conversation":"x"}', "unknown_type", None),
    ('{"type":"hello","since":"1"}', "bad_frame", None),
    ('{"type":"hello","since":' + "9" * 5000 + "}", "bad_frame", None),
    ('{"type":"hello","since":NaN}', "bad_frame", None),
    ('{"type":"hello","token":1}', "bad_frame", None),
    ('{"type":"hello","bot":null}', "bad_frame", None),
    ('{"type":"message","text":"x"}', "bad_frame", None),
    ('{"type":"message","id":"","text":"x"}', "bad_frame", None),
    ('{"type":"message","id":7,"text":"x"}', "bad_frame", None),
    ('{"type":"message","id":"a\\u0000","text":"x"}', "bad_frame", None),
    (json.dumps({"type": "message", "id": "i" * 129, "text": "x"}), "bad_frame", None),
    ('{"type":"message","id":"a"}', "bad_frame", "a"),
    ('{"type":"message","id":"a","text":["x"]}', "bad_frame", "a"),
    ('{"type":"message","id":"a","text":""}', "bad_frame", "a"),
    ('{"type":"message","id":"a","text":" \\n\\u2003"}', "bad_frame", "a"),
    (json.dumps({"type": "message", "id": "a", "text": "x" * 4097}), "too_long", "a"),
    ('{"type":"button","id":"a"}', "bad_frame", "a"),
    ('{"type":"button","id":"a","data":""}', "bad_frame", "a"),
    (json.dumps({"type": "button", "id": "a", "data": "x" * 65}), "bad_frame", "a"),
]


@pytest.mark.parametrize(("text", "code", "frame_id"), BAD, ids=range(len(BAD)))
def test_a_bad_frame_is_refused_with_its_code_and_id(text: str, code: str, frame_id: str | None) -> None:
    with pytest.raises(BadFrame) as caught:
        PUBLIC.decode(text)
    assert (caught.value.code, caught.value.id) == (code, frame_id)
    assert 0 < len(caught.value.detail) < 300


GOOD: list[tuple[dict[str, Any], frames.Frame]] = [
    ({"type": "hello"}, Hello()),
    ({"type": "hello", "token": None, "since": 0, "bot": "bot"}, Hello()),
    ({"type": "hello", "token": "t", "since": 10**30, "bot": "shop"}, Hello("t", 10**30, "shop")),
    ({"type": "message", "id": "i" * 128, "text": "x" * 4096, "more": [1]}, Message("i" * 128, "x" * 4096)),
    ({"type": "message", "id": "a", "text": " kept as it is \n"}, Message("a", " kept as it is \n")),
    ({"type": "button", "id": "a", "data": "d" * 64}, Button("a", "d" * 64)),
    ({"type": "typing", "id": 5}, Typing()),
]


@pytest.mark.parametrize(("frame", "decoded"), GOOD, ids=range(len(GOOD)))
def test_good_frames(frame: dict[str, Any], decoded: frames.Frame) -> None:
    assert PUBLIC.decode(json.dumps(frame)) == decoded


def test_the_operators_words() -> None:
    assert ADMIN.decode('{"type":"watch","conversation":"c","since":3}') == Watch("c", 3)
    assert ADMIN.decode('{"type":"say","conversation":"c","id":"1","text":"x","seen":2}') == Say("c", "1", "x", 2)
    with pytest.raises(BadFrame) as caught:
        ADMIN.decode('{"type":"message","id":"a","text":"x"}')
    assert caught.value.code == "unknown_type"


@pytest.mark.parametrize(
    ("escaped", "text"),
    [("\\ud83d\\ude00", "😀"), ("a\\ud83d", "a\ufffd"), ("\\ude00\\ud83d", "\ufffd\ufffd"), ("a\\u0000b", "a\ufffdb")],
)
def test_what_no_database_takes_is_replaced(escaped: str, text: str) -> None:
    assert PUBLIC.decode('{"type":"message","id":"a","text":"' + escaped + '"}') == Message("a", text)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)
types = st.sampled_from(["hello", "message", "button", "typing", "say", "watch", "take", "release"])
keys = st.sampled_from(["id", "text", "token", "since", "bot", "data", "conversation", "seen"])
near_frames = st.builds(lambda name, rest: {**rest, "type": name}, types, st.dictionaries(keys, json_values))


def refusal(vocabulary: frames.Vocabulary, text: str) -> BadFrame | None:
    try:
        vocabulary.decode(text)
    except BadFrame as bad:
        return bad
    return None


def outcome(vocabulary: frames.Vocabulary, text: str) -> None:
    """A frame, or a refusal that can be sent."""
    bad = refusal(vocabulary, text)
    if bad is not None:
        answer = json.loads(frames.error(bad.code, bad.detail, bad.id))
        assert answer["type"] == "error"
        assert answer["code"] in {"bad_frame", "unknown_type", "too_long"}
        assert ("id" in answer) == (bad.id is not None)


@given(st.text() | st.text(alphabet='{}[]":,\\u0de89 '))
def test_any_text_has_an_outcome(text: str) -> None:
    outcome(PUBLIC, text)


@given(near_frames | json_values, st.booleans())
def test_any_json_has_an_outcome(value: Any, ascii_only: bool) -> None:
    text = json.dumps(value, ensure_ascii=ascii_only)
    for vocabulary in (PUBLIC, ADMIN):
        outcome(vocabulary, text)


@given(st.text(st.characters(exclude_categories=()), min_size=1, max_size=20).filter(str.strip))
def test_words_arrive_as_they_were_said(text: str) -> None:
    frame = PUBLIC.decode(json.dumps({"type": "message", "id": "a", "text": text}))
    assert isinstance(frame, Message)
    frame.text.encode()
    if "\0" not in text and not any("\ud800" <= letter <= "\udfff" for letter in text):
        assert frame.text == text


@given(st.text(st.characters(exclude_categories=())))
def test_whatever_a_row_holds_can_be_sent(text: str) -> None:
    sent = frames.encode({"type": "message", "text": text})
    sent.encode()
    # A high and a low half that stand side by side are, in JSON, one character.
    whole = text.encode("utf-16", "surrogatepass").decode("utf-16", "surrogatepass")
    assert json.loads(sent)["text"] == whole


@pytest.mark.parametrize(
    ("content", "too_large"),
    [("x" * 65_536, False), ("x" * 65_537, True), ("é" * 32_768, False), ("é" * 32_769, True), (b"x" * 65_537, True)],
)
def test_the_size_of_a_frame_is_counted_in_bytes(content: str | bytes, too_large: bool) -> None:
    assert is_too_large(content) is too_large
