from typing import Any

import pytest
import regex
from hypothesis import given
from hypothesis import strategies as st

from gateway.telegram import markup
from gateway.telegram.splitting import split, units
from tests.telegram_stand_in import unhurried

FAMILY = "👨‍👩‍👧‍👦"
PIECES = st.sampled_from(
    [
        "a",
        "word ",
        "sentence. ",
        "line\n",
        "end.\n\n",
        " ",
        "\n",
        FAMILY,
        "🇰🇷",
        "👍🏽",
        "é",
        "e\u0301",
        "سلام ",
        "한국어",
        "\r\n",
    ]
)
TEXTS = st.lists(PIECES, max_size=60).map("".join)
LIMITS = st.integers(min_value=24, max_value=80)


def graphemes(text: str) -> list[str]:
    return regex.findall(r"\X", text)


def texts(parts: list[tuple[str, Any]]) -> list[str]:
    return [text for text, _ in parts]


def bare(text: str) -> str:
    return "".join(text.split())


@unhurried
@given(TEXTS, LIMITS)
def test_nothing_is_lost_and_no_part_is_too_long_or_blank(text: str, limit: int) -> None:
    parts = texts(split(text, limit))
    assert bare("".join(parts)) == bare(text)
    if units(text) > limit and text.strip():
        assert all(0 < units(part) <= limit and part.strip() for part in parts)


@unhurried
@given(TEXTS, LIMITS)
def test_no_grapheme_is_cut(text: str, limit: int) -> None:
    parts = texts(split(text, limit))
    whole = [grapheme for grapheme in graphemes(text) if grapheme.strip()]
    assert [grapheme for part in parts for grapheme in graphemes(part) if grapheme.strip()] == whole


@unhurried
@given(TEXTS, LIMITS, st.data())
def test_entities_cover_the_same_text_in_all_parts_together(text: str, limit: int, data: st.DataObject) -> None:
    size = units(text)
    offset = data.draw(st.integers(0, size))
    length = data.draw(st.integers(0, size - offset))
    parts = split(text, limit, entities=[{"type": "bold", "offset": offset, "length": length}])
    covered = "".join(cover(part, entity) for part, entities in parts for entity in entities or [])
    assert bare(covered) == bare(cover(text, {"offset": offset, "length": length}))


def cover(text: str, entity: dict[str, Any]) -> str:
    encoded = text.encode("utf-16-le")
    start, end = entity["offset"], entity["offset"] + entity["length"]
    return encoded[2 * start : 2 * end].decode("utf-16-le", "ignore")


def test_what_fits_stays_as_it_is() -> None:
    entities = [{"type": "bold", "offset": 0, "length": 4096}]
    assert split("x" * 4096, entities=entities) == [("x" * 4096, entities)]
    assert split("") == [("", None)]


def test_units_are_counted_not_characters() -> None:
    assert [units(part) for part in texts(split("😀" * 3000))] == [4096, 1904]


def test_paragraphs_then_lines_then_spaces() -> None:
    assert texts(split("aaaa bbbb\ncccc dd\n\neeee ffff", 24)) == ["aaaa bbbb\ncccc dd\n\n", "eeee ffff"]
    assert texts(split("aaaa bbbb\ncccc dddd eeee ffff", 14)) == ["aaaa bbbb\n", "cccc dddd ", "eeee ffff"]
    assert texts(split("aaaabbbbcccc", 5)) == ["aaaab", "bbbcc", "cc"]


def test_a_family_stays_together() -> None:
    assert texts(split("x" * 20 + FAMILY, 24)) == ["x" * 20, FAMILY]


def test_a_monstrous_grapheme_is_cut_between_characters() -> None:
    monster = "e" + "\u0301" * 100 + "😀" + "\u0301" * 100
    parts = texts(split(monster, 40))
    assert "".join(parts) == monster
    assert all(units(part) <= 40 for part in parts)


def test_white_space_that_would_be_a_message_is_left_out() -> None:
    assert texts(split("a" + " " * 50 + "b", 10))[0].strip() == "a"
    assert [part.strip() for part in texts(split("a" + " " * 50 + "b", 10))] == ["a", "b"]


def test_an_entity_moves_whole_to_the_next_part() -> None:
    bold = {"type": "bold", "offset": 6, "length": 10}
    assert split("aaaa, bbbb bbbbb cccc", 14, entities=[bold]) == [
        ("aaaa, ", []),
        ("bbbb bbbbb ", [{"type": "bold", "offset": 0, "length": 10}]),
        ("cccc", []),
    ]


def test_an_entity_longer_than_a_part_is_divided() -> None:
    parts = split("x" * 25, 10, entities=[{"type": "code", "offset": 2, "length": 22}])
    assert "".join(texts(parts)) == "x" * 25
    assert sum(entity["length"] for _, entities in parts for entity in entities or []) == 22
    assert all(units(text) <= 10 for text, _ in parts)


@pytest.mark.parametrize("entities", ["bold", [1], [{"offset": "0", "length": 3}], [{"offset": 0}], {"a": 1}])
def test_odd_entities_do_not_stop_a_text(entities: Any) -> None:
    assert "".join(texts(split("x" * 25, 10, entities=entities))) == "x" * 25


HTML = "".join(
    f'<b>bold {i}</b> &amp; <a href="https://e.example/?a={i}&amp;b=1">link</a> <i>and</i> text. ' for i in range(40)
)
MARKDOWN_V2 = "".join(
    f"*bold {i}* \\- [link](https://e.example/{i}) __under__ ||spoiler|| `co\\`de` text\\. " for i in range(40)
)


@pytest.mark.parametrize(("text", "mode"), [(HTML, "HTML"), (MARKDOWN_V2, "MarkdownV2"), (HTML, "html")])
def test_markup_is_cut_where_nothing_is_open(text: str, mode: str) -> None:
    parts = texts(split(text, 100, parse_mode=mode))
    assert "".join(parts) == text
    assert all(units(part) <= 100 for part in parts)
    assert all(markup.scan(part, mode)[-1].open == () for part in parts if markup.scan(part, mode))
    assert len(parts) > 10


def test_html_that_is_too_long_is_closed_and_opened_again() -> None:
    text = "<pre><code>" + "line of code\n" * 30 + "</code></pre>after"
    parts = texts(split(text, 100, parse_mode="HTML"))
    assert all(part.startswith("<pre><code>") for part in parts[:-1])
    assert all(part.count("<pre>") == part.count("</pre>") == part.count("</code>") for part in parts)
    assert "".join(markup.strip(part, "HTML") for part in parts) == "line of code\n" * 30 + "after"
    assert all(units(part) <= 100 for part in parts)


def test_a_long_code_block_of_markdown_is_closed_and_opened_again() -> None:
    text = "```python\n" + "a * b _ c\n" * 30 + "``` after"
    parts = texts(split(text, 100, parse_mode="MarkdownV2"))
    assert all(part.startswith("```python\n") and part.count("```") == 2 for part in parts[:-1])
    assert all(units(part) <= 100 for part in parts)


def test_references_and_tags_stay_whole() -> None:
    parts = texts(split("&amp;" * 30 + "<b>x</b>" * 10, 23, parse_mode="HTML"))
    assert all(part.count("&") == part.count(";") for part in parts)
    assert all(part.count("<b>") == part.count("</b>") for part in parts)
    assert "".join(parts) == "&amp;" * 30 + "<b>x</b>" * 10


def test_a_tag_longer_than_a_part_does_not_stop_the_text() -> None:
    text = '<a href="' + "x" * 200 + '">link</a> and text'
    parts = texts(split(text, 50, parse_mode="HTML"))
    assert "".join(parts) == text
    assert all(units(part) <= 50 for part in parts)


@unhurried
@given(
    st.text(alphabet="ab *_~|`[]()\\<>/&;\"'!\n", max_size=200),
    st.sampled_from(["HTML", "MarkdownV2", "Markdown", "x"]),
)
def test_no_markup_however_broken_raises_or_loses_words(text: str, mode: str) -> None:
    parts = texts(split(text, 24, parse_mode=mode))
    assert sum(part.count("a") for part in parts) >= text.count("a")
    assert len(parts) == 1 or all(units(part) <= 24 for part in parts)


@unhurried
@given(TEXTS.filter(str.strip).map(lambda text: text * (6000 // len(text) + 1)))
def test_telegrams_own_limit(text: str) -> None:
    parts = texts(split(text))
    assert bare("".join(parts)) == bare(text)
    assert all(0 < units(part) <= 4096 for part in parts)
    assert [g for part in parts for g in graphemes(part) if g.strip()] == [g for g in graphemes(text) if g.strip()]


@pytest.mark.parametrize("word", ["word ", "한국어", FAMILY, "e" + "\u0301" * 9000])
def test_a_whole_book(word: str) -> None:
    book = word * (40_000 // len(word))
    parts = texts(split(book))
    assert "".join(parts) == book
    assert all(2000 < units(part) <= 4096 for part in parts[:-1])
