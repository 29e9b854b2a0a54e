"""Rich text as nodes: a tree of texts and marks that a page builds by itself, so that no markup of anybody's is ever
markup of ours. Of three makes: Telegram's entities, its HTML, its Markdown.

A node is a text or `{"t": one of MARKS, "href"?, "c": [nodes]}`. What is not understood stays text.
"""

import re
from collections.abc import Iterable, Mapping
from html.parser import HTMLParser
from typing import Any
from urllib.parse import urlsplit

Node = str | dict[str, Any]

MARKS = ("b", "i", "u", "s", "code", "pre", "a", "quote", "list", "item", "br")
ENTITIES = {
    "bold": "b", "italic": "i", "underline": "u", "strikethrough": "s", "code": "code", "pre": "pre",
    "blockquote": "quote", "expandable_blockquote": "quote", "text_link": "a",
}  # fmt: skip
TAGS = {
    "b": "b", "strong": "b", "i": "i", "em": "i", "u": "u", "ins": "u", "s": "s", "strike": "s", "del": "s",
    "code": "code", "pre": "pre", "a": "a", "blockquote": "quote",
}  # fmt: skip
WRAPPED = {"span", "tg-spoiler", "tg-emoji"}
"""Tags of Telegram's that have no mark here: their text is shown as it is."""
SCHEMES = ("http", "https", "mailto", "tel")
DEEPEST = 16
MOST_ENTITIES = 1000
"""Telegram keeps a hundred. To lay many in each other takes time that grows with the square of their number."""
LONGEST_HREF = 2048


def from_entities(text: str, entities: Any) -> list[Node] | None:
    """None where there is nothing but text. Offsets count UTF-16 units, as Telegram does."""
    if not isinstance(entities, list):
        return None
    units = text.encode("utf-16-le", "surrogatepass")
    marks = [mark for entity in entities[:MOST_ENTITIES] if (mark := _mark(entity, units)) is not None]
    if not marks:
        return None
    return _tree(units, 0, len(units) // 2, sorted(marks, key=lambda mark: (mark[0], -mark[1])), 0)


Mark = tuple[int, int, dict[str, Any]]


def _mark(entity: Any, units: bytes) -> Mark | None:
    """Its beginning and end, and the node without what is in it."""
    if not isinstance(entity, dict) or not isinstance(entity.get("type"), str) or entity["type"] not in ENTITIES:
        return None
    start, size = entity.get("offset"), entity.get("length")
    if type(start) is not int or type(size) is not int or start < 0 or size <= 0 or start + size > len(units) // 2:
        return None
    if _is_torn(units, start) or _is_torn(units, start + size):
        return None
    node: dict[str, Any] = {"t": ENTITIES[entity["type"]]}
    if node["t"] == "a":
        href = safe_href(entity.get("url"))
        if href is None:
            return None
        node["href"] = href
    return start, start + size, node


def _is_torn(units: bytes, at: int) -> bool:
    """Whether a character of two units lies on both sides of that place."""
    before, after = units[at * 2 - 1 : at * 2], units[at * 2 + 1 : at * 2 + 2]
    return b"\xd8" <= before <= b"\xdb" and b"\xdc" <= after <= b"\xdf"


def _tree(units: bytes, start: int, end: int, marks: list[Mark], depth: int) -> list[Node]:
    """Marks lie in each other; one that overlaps another is cut where that ends."""
    nodes: list[Node] = []
    at = start
    while marks:
        begin, stop, node = marks[0]
        if begin >= end or depth > DEEPEST:
            break
        marks.pop(0)
        begin, stop = max(begin, at), min(stop, end)
        if begin >= stop:
            continue
        _add_text(nodes, units, at, begin)
        inside = [mark for mark in marks if mark[0] < stop]
        marks[:] = [mark for mark in marks if mark[0] >= stop]
        nodes.append({**node, "c": _tree(units, begin, stop, inside, depth + 1)})
        at = stop
    _add_text(nodes, units, at, end)
    return nodes


def _add_text(nodes: list[Node], units: bytes, start: int, end: int) -> None:
    if start < end:
        nodes.append(units[start * 2 : end * 2].decode("utf-16-le", "replace"))


def safe_href(url: Any) -> str | None:
    """Only what leads somewhere; what would run something is no link."""
    if not isinstance(url, str) or len(url) > LONGEST_HREF or not url.isprintable():
        return None
    try:
        scheme = urlsplit(url.strip()).scheme
    except ValueError:
        return None
    return url.strip() if scheme in SCHEMES else None


def plain(nodes: Iterable[Node]) -> str:
    """The words alone."""
    return "".join(node if isinstance(node, str) else plain(node["c"]) for node in nodes)


def parsed(text: str, parse_mode: Any) -> list[Node] | None:
    """Of a text with markup; None where there is no mode, or none that is known here."""
    mode = parse_mode.lower() if isinstance(parse_mode, str) else ""
    if mode == "html":
        return _Html(text).nodes
    return _Markdown(text, mode).nodes if mode in ("markdownv2", "markdown") else None


class _Stack:
    """Nodes that are being written, the open ones in each other."""

    def __init__(self) -> None:
        self.nodes: list[Node] = []
        self._open: list[tuple[str, list[Node]]] = []

    @property
    def names(self) -> list[str]:
        return [name for name, _ in self._open]

    @property
    def _inner(self) -> list[Node]:
        return self._open[-1][1] if self._open else self.nodes

    def text(self, text: str) -> None:
        inner = self._inner
        if inner and isinstance(inner[-1], str):
            inner[-1] += text
        elif text:
            inner.append(text)

    def begin(self, name: str, mark: str | None, href: str | None = None) -> None:
        """`mark` None: nothing is to be seen of it, but it has an end."""
        inner: list[Node] = self._inner
        if mark is not None and len(self._open) <= DEEPEST:
            node: dict[str, Any] = {"t": mark, **({"href": href} if href else {}), "c": []}
            inner.append(node)
            inner = node["c"]
        self._open.append((name, inner))

    def end(self, name: str) -> bool:
        """Ends it, and what was begun in it and not ended."""
        if name not in self.names:
            return False
        while self._open.pop()[0] != name:
            pass
        return True


# Python's parser takes a minute for sixty thousand letters of tags that are never closed: it is given none.
NO_TAG = re.compile(r"""<(?!/?[a-zA-Z][\w-]*+(?:"[^"]*+"|'[^']*+'|[^'"<>]++)*+>)""")


class _Html(HTMLParser):
    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self._stack = _Stack()
        self.feed(NO_TAG.sub("&lt;", text))
        self.close()

    @property
    def nodes(self) -> list[Node]:
        return self._stack.nodes

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        mark = TAGS.get(tag)
        if tag == "br":
            self._stack.text("\n")
        elif tag == "a":
            href = safe_href(dict(attrs).get("href"))
            self._stack.begin(tag, "a" if href else None, href)
        elif tag == "code" and "pre" in self._stack.names:
            self._stack.begin(tag, None)
        elif mark is not None or tag in WRAPPED:
            self._stack.begin(tag, mark)
        else:
            self._stack.text(self.get_starttag_text() or "")

    def handle_endtag(self, tag: str) -> None:
        if tag in TAGS or tag in WRAPPED:
            self._stack.end(tag)
        elif tag != "br":
            self._stack.text(f"</{tag}>")

    def handle_data(self, data: str) -> None:
        self._stack.text(data)


# A label without brackets, an address of a bounded length: else each of many that are never closed would be read to the
# text's end, and nobody else would have the interpreter meanwhile.
HREF = r"[^)\\]{0,2048}+(?:\\.[^)\\]{0,2048}+){0,64}+"
LINK = rf"\[(?P<label>(?:\\.|[^\[\]\\])*)\]\((?P<href>{HREF})\)"
TOKENS = {
    "markdownv2": re.compile(rf"(?s)\\(?P<escaped>.)|{LINK}|(?P<mark>```(?:\w+\n|\n)?|`|__|\|\||\*|_|~)"),
    "markdown": re.compile(rf"(?s)\\(?P<escaped>[_*`\[])|{LINK}|(?P<mark>```(?:\w+\n|\n)?|`|\*|_)"),
}
SIGNS: dict[str, str | None] = {"```": "pre", "`": "code", "__": "u", "||": None, "*": "b", "_": "i", "~": "s"}


class _Markdown:
    """Telegram's two dialects."""

    def __init__(self, text: str, mode: str) -> None:
        self._stack = _Stack()
        self._mode = mode
        self._read(text)
        self.nodes = self._stack.nodes

    def _read(self, text: str) -> None:
        at = 0
        for match in TOKENS[self._mode].finditer(text):
            self._stack.text(text[at : match.start()])
            at = match.end()
            self._take(match)
        self._stack.text(text[at:])

    def _take(self, match: re.Match[str]) -> None:
        code = next((name for name in self._stack.names if name[0] == "`"), "")
        if match["escaped"] is not None:
            self._stack.text(match["escaped"])
        elif code and not (match["mark"] or "").startswith(code):
            self._stack.text(match[0])
        elif match["mark"]:
            sign = "```" if match["mark"].startswith("```") else match["mark"]
            if not self._stack.end(sign):
                self._stack.begin(sign, SIGNS[sign])
        else:
            href = safe_href(re.sub(r"\\(.)", r"\1", match["href"]))
            self._stack.begin("[", "a" if href else None, href)
            self._read(match["label"])
            self._stack.end("[")


def of_params(params: Mapping[str, Any], words: str) -> list[Node] | None:
    """Of a sent method's `text` or `caption`: by its entities or its parse mode. None: it is nothing but text."""
    text = params.get(words)
    if not isinstance(text, str):
        return None
    entities = params.get("entities" if words == "text" else "caption_entities")
    return from_entities(text, entities) if entities else parsed(text, params.get("parse_mode"))
