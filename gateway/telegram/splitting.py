"""A text that is too long for one message, in as many as it needs.

Telegram counts UTF-16 units, and so do entities. A cut is never inside a grapheme, a tag, an escape or a link, and not
inside an entity or between two markers where that can be helped; where it cannot, what is open is closed before the
cut and opened again after it.
"""

from bisect import bisect_right
from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

import regex  # type: ignore[import-untyped]

from gateway.telegram import markup
from gateway.telegram.markup import Open, Token

LIMIT = 4096
Entities = list[dict[str, Any]]

GRAPHEME = regex.compile(r"\X")
# Some graphemes, at most up to the next white space: fine enough where there is nothing to tear.
STRIDE = regex.compile(r"(?:(?!\s)\X){1,32}(?:(?=\s)\X)?|\X")
SHORTEST_STRIDED = 1024
# What Telegram takes for nothing: such a message is refused.
BLANK = regex.compile(r"[\s\p{Z}\p{Cc}\p{Cf}\u2800\u3164]*")

PARAGRAPH, LINE, SPACE, ANYWHERE = 3, 2, 1, 0


class Cut(NamedTuple):
    """A place between two characters: where it is, its offset in UTF-16 units, what ends there, what is open there."""

    at: int
    units: int
    joint: int
    open: tuple[Open, ...] = ()
    torn: bool = False

    @property
    def free(self) -> bool:
        return not self.open and not self.torn


def units(text: str) -> int:
    """UTF-16 units."""
    return len(text) if text.isascii() else len(text.encode("utf-16-le", "surrogatepass")) // 2


def split(
    text: str, limit: int = LIMIT, entities: Any = None, parse_mode: Any = None
) -> list[tuple[str, Entities | None]]:
    """The parts in order, each with its entities (None where none were given). None of them is blank.

    A text that fits comes back as it is, whatever it is.
    """
    if units(text) <= limit:
        return [(text, entities)]
    known = valid_entities(entities)
    mode = None if known else parse_mode
    parts: list[tuple[str, Entities | None]] = []
    for first, last in _pieces(_cuts(text, known, mode, limit), limit):
        piece = text[first.at : last.at]
        if not BLANK.fullmatch(markup.strip(piece, mode)):
            clipped = None if entities is None else _clip(known, first.units, last.units)
            parts.append((_whole(first, piece, last, limit), clipped))
    return parts or [(text, entities)]


def _whole(first: Cut, piece: str, last: Cut, limit: int) -> str:
    """With what is open at its ends opened and closed, where there is room for that."""
    opening = "".join(mark.opening for mark in first.open)
    closing = "".join(mark.closing for mark in reversed(last.open))
    whole = opening + piece + closing
    return whole if units(whole) <= limit else piece


def valid_entities(entities: Any) -> Entities:
    items = entities if isinstance(entities, list) else []
    return [
        item
        for item in items
        if isinstance(item, dict) and type(item.get("offset")) is int and type(item.get("length")) is int
    ]


def _clip(entities: Entities, start: int, end: int) -> Entities:
    clipped = []
    for entity in entities:
        first, last = max(entity["offset"], start), min(entity["offset"] + entity["length"], end)
        if first < last:
            clipped.append({**entity, "offset": first - start, "length": last - first})
    return clipped


def _pieces(cuts: list[Cut], limit: int) -> Iterator[tuple[Cut, Cut]]:
    position = 0
    while position < len(cuts) - 1:
        chosen = _choose(cuts, position, limit)
        yield cuts[position], cuts[chosen]
        position = chosen


def _choose(cuts: list[Cut], position: int, limit: int) -> int:
    """Of the cuts that a part from `position` can end at, the best: the last of the widest joints in its second half.

    There is always one: no two neighbouring cuts are further apart than the limit, markup aside.
    """
    start = cuts[position]
    room = limit - units("".join(mark.opening for mark in start.open))
    end = bisect_right(cuts, start.units + limit, lo=position + 1, key=lambda cut: cut.units)
    window = range(position + 1, end)
    fitting = [i for i in window if cuts[i].units - start.units + _closing_units(cuts[i]) <= room]
    if fitting and fitting[-1] == len(cuts) - 1:
        return fitting[-1]
    free = [i for i in fitting if cuts[i].free] or fitting
    for joint in (PARAGRAPH, LINE, SPACE):
        for i in reversed(free):
            if cuts[i].joint >= joint and cuts[i].units - start.units > limit // 2:
                return i
    return free[-1] if free else window[-1]


def _closing_units(cut: Cut) -> int:
    return sum(len(mark.closing) for mark in cut.open)


def _cuts(text: str, entities: Entities, parse_mode: Any, limit: int) -> list[Cut]:
    """Every place where the text may be cut, its two ends among them."""
    tokens = _Tokens(markup.scan(text, parse_mode))
    torn = _Spans(entities)
    cuts, offset, before = [Cut(0, 0, ANYWHERE)], 0, 0
    steps = GRAPHEME if limit < SHORTEST_STRIDED or entities or tokens else STRIDE
    for index in _ends(text, steps, tokens, limit):
        piece = text[before:index]
        offset, before = offset + units(piece), index
        cuts.append(Cut(index, offset, _joint(text, index), tokens.open_at(index), torn.covers(offset)))
    return cuts


def _ends(text: str, steps: Any, tokens: "_Tokens", limit: int) -> Iterator[int]:
    """Of steps outside tokens; and inside either, where it alone is longer than a part, of characters."""
    before = 0
    for step in steps.finditer(text):
        end = step.end()
        if tokens.covers(end):
            continue
        if end - before > limit // 2 and units(text[before:end]) > limit:
            yield from _forced(text, before, end, limit)
        yield end
        before = end


def _forced(text: str, start: int, end: int, limit: int) -> Iterator[int]:
    size = 0
    for index in range(start, end):
        width = 2 if ord(text[index]) > 0xFFFF else 1
        if size + width > limit // 2:
            yield index
            size = 0
        size += width


def _joint(text: str, end: int) -> int:
    if text[end - 1] == "\n":
        return PARAGRAPH if text[max(end - 2, 0) : end] == "\n\n" else LINE
    return SPACE if text[end - 1].isspace() else ANYWHERE


class _Tokens:
    """What the scanner found, by place."""

    def __init__(self, tokens: list[Token]) -> None:
        self._tokens = tokens
        self._ends = [token.end for token in tokens]

    def __len__(self) -> int:
        return len(self._tokens)

    def covers(self, index: int) -> bool:
        following = bisect_right(self._ends, index)
        return following < len(self._tokens) and self._tokens[following].start < index

    def open_at(self, index: int) -> tuple[Open, ...]:
        passed = bisect_right(self._ends, index)
        return self._tokens[passed - 1].open if passed else ()


class _Spans:
    """Entities, asked from the front to the back whether an offset would tear one."""

    def __init__(self, entities: Iterable[dict[str, Any]]) -> None:
        spans = ((entity["offset"], entity["offset"] + entity["length"]) for entity in entities)
        self._spans = sorted(spans, reverse=True)
        self._end = 0

    def covers(self, offset: int) -> bool:
        while self._spans and self._spans[-1][0] < offset:
            self._end = max(self._end, self._spans.pop()[1])
        return offset < self._end
