"""Where a text with HTML or Markdown may be cut: a small scanner, which looks only at what could be torn."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from gateway.nodes import HREF

HTML = re.compile(r"""<(?P<end>/)?(?P<tag>[a-zA-Z][\w-]*)(?:"[^"]*"|'[^']*'|[^'"<>])*>|&(?:\#\w{1,10}|\w{1,32});""")
LINK = rf"!?\[(?:\\.|[^\[\]\\])*\]\({HREF}\)"
CODE = r"```(?:[\w+-]+\n)?|`"
MARKDOWN_V2 = re.compile(rf"\\[\s\S]|{LINK}|{CODE}|__|\|\||\*|_|~")
MARKDOWN = re.compile(rf"\\[_*`\[]|{LINK}|{CODE}|\*|_")
MODES = {"html": HTML, "markdownv2": MARKDOWN_V2, "markdown": MARKDOWN}


@dataclass(frozen=True, slots=True)
class Open:
    """Something that is open at a place: what opens it again, and what closes it."""

    opening: str
    closing: str


@dataclass(frozen=True, slots=True)
class Token:
    """Of `start` to `end`, in characters; nothing may be cut inside. `open` is what is open after it."""

    start: int
    end: int
    open: tuple[Open, ...]


def scan(text: str, parse_mode: object) -> list[Token]:
    """In order. Empty for a text without markup, and for a parse mode that is none."""
    mode = parse_mode.lower() if isinstance(parse_mode, str) else ""
    if mode not in MODES:
        return []
    return list(_html(text) if mode == "html" else _markdown(text, MODES[mode]))


def strip(text: str, parse_mode: object) -> str:
    """The text without what is markup."""
    mode = parse_mode.lower() if isinstance(parse_mode, str) else ""
    return MODES[mode].sub(_visible, text) if mode in MODES else text


def _visible(match: re.Match[str]) -> str:
    token = match[0]
    return token if token[0] in "&\\!" or (token[0] == "[" and len(token) > 1) else ""


def _html(text: str) -> Iterator[Token]:
    stack: list[Open] = []
    for match in HTML.finditer(text):
        tag = match["tag"]
        if tag is not None and not match["end"]:
            stack.append(Open(match[0], f"</{tag}>"))
        elif stack and tag is not None and stack[-1].closing.lower() == f"</{tag}>".lower():
            stack.pop()
        yield Token(match.start(), match.end(), tuple(stack))


def _markdown(text: str, tokens: re.Pattern[str]) -> Iterator[Token]:
    stack: list[Open] = []
    for match in tokens.finditer(text):
        end = _toggle(stack, match[0])
        if end is not None:
            yield Token(match.start(), match.start() + end, tuple(stack))


def _toggle(stack: list[Open], token: str) -> int | None:
    """Opens or closes what the token marks. Returns how much of it is markup; None: inside code it is none."""
    code = stack[-1].closing if stack and stack[-1].closing[0] == "`" else ""
    if code:
        if token[0] == "\\":
            return len(token)
        if not token.startswith(code):
            return None
        stack.pop()
        return len(code)
    if token[0] not in "\\![":
        marker = "```" if token.startswith("```") else token
        if any(mark.closing == marker for mark in stack):
            while stack.pop().closing != marker:
                pass
        else:
            stack.append(Open(token, marker))
    return len(token)
