"""Telegram's rich texts as nodes."""

import json
import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway import nodes
from gateway.telegram import markup
from gateway.telegram.compose import compose as telegram
from gateway.telegram.updates import parse
from gateway.web.compose import compose as web


def entity(kind: str, offset: int, length: int, **more: Any) -> dict[str, Any]:
    return {"type": kind, "offset": offset, "length": length, **more}


@pytest.mark.parametrize(
    ("text", "entities", "expected"),
    [
        ("a bold c", [entity("bold", 2, 4)], ["a ", {"t": "b", "c": ["bold"]}, " c"]),
        ("😀 x", [entity("italic", 3, 1)], ["😀 ", {"t": "i", "c": ["x"]}]),
        (
            "abcd",
            [entity("italic", 1, 2), entity("bold", 0, 4)],
            [{"t": "b", "c": ["a", {"t": "i", "c": ["bc"]}, "d"]}],
        ),
        (
            "abcd",
            [entity("bold", 0, 3), entity("italic", 2, 2)],
            [{"t": "b", "c": ["ab", {"t": "i", "c": ["c"]}]}, "d"],
        ),
        (
            "link",
            [entity("text_link", 0, 4, url="https://a.example")],
            [{"t": "a", "href": "https://a.example", "c": ["link"]}],
        ),
    ],
)
def test_entities_become_nodes(text: str, entities: list[dict[str, Any]], expected: list[Any]) -> None:
    assert nodes.from_entities(text, entities) == expected


@pytest.mark.parametrize(
    "entities",
    [
        None, [], "bold", [1], [{"type": "bold"}], [entity("bold", -1, 2)], [entity("bold", 0, 99)],
        [entity("bold", 0, 0)], [entity("bold", True, 1)], [entity("no_such", 0, 1)], [entity("mention", 0, 1)],
        [entity("text_link", 0, 1, url="javascript:alert(1)")], [entity("text_link", 0, 1)],
        [entity("bold", 5, 1)], [entity("bold", 0, 5)],
    ],
)  # fmt: skip
def test_what_is_no_mark_leaves_plain_text(entities: Any) -> None:
    assert nodes.from_entities("text😀", entities) is None


@pytest.mark.parametrize(
    ("mode", "text", "expected"),
    [
        ("HTML", "a <b>b <i>c</i></b> &lt;d&gt;", ["a ", {"t": "b", "c": ["b ", {"t": "i", "c": ["c"]}]}, " <d>"]),
        (
            "HTML",
            '<a href="https://a.example/?x=1&amp;y=2">go</a>',
            [{"t": "a", "href": "https://a.example/?x=1&y=2", "c": ["go"]}],
        ),
        ("HTML", '<a href="javascript:alert(1)">go</a>', ["go"]),
        ("HTML", '<pre><code class="language-py">x = 1</code></pre>', [{"t": "pre", "c": ["x = 1"]}]),
        ("HTML", "<img src=x onerror=alert(1)>", ["<img src=x onerror=alert(1)>"]),
        ("HTML", "<b>never closed", [{"t": "b", "c": ["never closed"]}]),
        ("MarkdownV2", r"*b* _i_ __u__ ~s~ \*", [
            {"t": "b", "c": ["b"]}, " ", {"t": "i", "c": ["i"]}, " ", {"t": "u", "c": ["u"]}, " ",
            {"t": "s", "c": ["s"]}, " *",
        ]),
        ("MarkdownV2", "```py\nx_1 *2*\n```", [{"t": "pre", "c": ["x_1 *2*\n"]}]),
        ("MarkdownV2", "`a*b`", [{"t": "code", "c": ["a*b"]}]),
        ("MarkdownV2", r"[a *b*](https://a.example/\))", [
            {"t": "a", "href": "https://a.example/)", "c": ["a ", {"t": "b", "c": ["b"]}]}
        ]),
        ("MarkdownV2", "[x](javascript:alert)", ["x"]),
        ("Markdown", "*b* _i_", [{"t": "b", "c": ["b"]}, " ", {"t": "i", "c": ["i"]}]),
    ],
)  # fmt: skip
def test_markup_becomes_nodes(mode: str, text: str, expected: list[Any]) -> None:
    assert nodes.parsed(text, mode) == expected


def test_what_a_bot_sends_looks_the_same_on_telegram_and_on_the_web() -> None:
    params = {"text": "<b>Hello</b> &amp; bye", "parse_mode": "HTML"}
    there = telegram("send_message", params, address={"chat_id": 1}, event=None)
    here = web("send_message", params)
    for said in (there, here):
        assert said.text == "Hello & bye"
        assert said.rich == {"nodes": [{"t": "b", "c": ["Hello"]}, " & bye"]}
    assert there.params["text"] == params["text"]
    assert web("send_message", {"text": "<b>plain</b>"}).rich is None


def test_what_a_user_writes_keeps_its_marks() -> None:
    message = {
        "message_id": 5, "date": 1, "chat": {"id": 1, "type": "private"}, "from": {"id": 1, "first_name": "A"},
        "text": "so bold", "entities": [entity("bold", 3, 4)],
    }  # fmt: skip
    inbound = parse("bot", {"update_id": 1, "message": message})
    assert inbound.rich == {"nodes": ["so ", {"t": "b", "c": ["bold"]}]}


ANY = st.text(alphabet=st.sampled_from("ab<>&/\"'=*_~`|\\[]()! \n😀"), max_size=60) | st.text(max_size=30)
ENTITY = st.fixed_dictionaries(
    {
        "type": st.sampled_from([*nodes.ENTITIES, "mention"]),
        "offset": st.integers(-1, 40),
        "length": st.integers(-1, 40),
        "url": st.sampled_from(["https://a.example", "javascript:x", None, 5, "https://[", "\u202ehttps://x"]),
    }
)


@given(ANY, st.lists(ENTITY, max_size=30))
def test_any_entities_keep_the_text(text: str, entities: list[dict[str, Any]]) -> None:
    found = nodes.from_entities(text, entities)
    assert found is None or nodes.plain(found) == text
    check(found or [])


@given(ANY, st.sampled_from(["HTML", "MarkdownV2", "Markdown"]))
def test_any_markup_has_nodes_of_ours_alone(text: str, mode: str) -> None:
    found = nodes.parsed(text, mode)
    assert found is not None
    json.dumps(found)
    check(found)


def test_deep_markup_is_no_deep_tree() -> None:
    found = nodes.parsed("<b>" * 500 + "x", "HTML")
    assert found is not None
    assert nodes.plain(found) == "x"
    assert len(json.dumps(found)) < 2000
    assert nodes.from_entities("x" * 50, [entity("bold", 0, 50 - n) for n in range(50)]) is not None


def check(tree: list[Any]) -> None:
    for node in tree:
        if isinstance(node, dict):
            assert node["t"] in nodes.MARKS
            assert set(node) <= {"t", "c", "href"}
            assert node.get("href") is None or node["href"].split(":")[0] in nodes.SCHEMES
            check(node["c"])
        else:
            assert isinstance(node, str)
            assert node


OPEN = [
    "[", "![", "[a](", "[a](\\x", "*_", "<b", "<a ", "<a href='", '<a "', "<!--", "<![CDATA[", "<?", "</b", "<", "`",
    "&#", "\\", "||", "<a\"'",
]  # fmt: skip


@pytest.mark.parametrize("mode", ["HTML", "MarkdownV2", "Markdown"])
def test_what_is_opened_and_never_closed_holds_nobody_up(mode: str) -> None:
    """A regular expression keeps the interpreter for itself: some of these took a minute of everybody's."""
    for piece in OPEN:
        began = time.thread_time()
        nodes.parsed(piece * (40_000 // len(piece)), mode)
        markup.scan(piece * (4096 // len(piece)), mode)
        list(markup.MODES[mode.lower()].finditer(piece * (100_000 // len(piece))))
        assert time.thread_time() - began < 2, piece


def test_tens_of_thousands_of_entities_hold_nobody_up() -> None:
    text = "x" * 20_000
    began = time.thread_time()
    found = nodes.from_entities(text, [entity("bold", n, 1) for n in range(len(text))])
    assert time.thread_time() - began < 2
    assert found is not None
    assert nodes.plain(found) == text
