"""What Telegram makes of a text before it counts it. Rough: enough for the errors that bots really get."""

import html
import re
from collections.abc import Callable
from typing import Any

from tests.fake_telegram.calls import bad_request

LONGEST = 4096
TAGS = {
    "a", "b", "strong", "i", "em", "u", "ins", "s", "strike", "del", "code", "pre", "span", "blockquote",
    "tg-spoiler", "tg-emoji",
}  # fmt: skip
TAG = re.compile(r"<(/?)([a-zA-Z-]+)([^>]*)>")
CODE = re.compile(r"```.*?```|`[^`]*`", re.DOTALL)
LINK = re.compile(r"\[([^\]]*)\]\([^)]*\)")


def utf16_length(text: str) -> int:
    return len(text.encode("utf-16-le", "surrogatepass")) // 2


def visible_text(text: str, parse_mode: str = "") -> str:
    """The text without its markup, trimmed as Telegram trims it. Raises Telegram's 400."""
    if any(0xD800 <= ord(character) <= 0xDFFF for character in text):
        raise bad_request("strings must be encoded in UTF-8")
    plain = PARSERS[parse_mode.lower()](text) if parse_mode.lower() in PARSERS else unknown_mode()
    return plain.strip(" \n\t")


def checked_text(text: Any, parse_mode: str = "", entities: Any = None) -> str:
    if not isinstance(text, str) or not text:
        raise bad_request("message text is empty")
    plain = visible_text(text, parse_mode)
    if not plain:
        raise bad_request("text must be non-empty")
    if utf16_length(plain) > LONGEST:
        raise bad_request("message is too long")
    for entity in entities or ():
        check_entity(text, entity)
    return plain


def check_entity(text: str, entity: dict[str, Any]) -> None:
    units = text.encode("utf-16-le")
    start, end = int(entity["offset"]), int(entity["offset"]) + int(entity["length"])
    for edge in (start, end):
        half = units[2 * edge : 2 * edge + 2]
        if half and 0xDC <= half[1] <= 0xDF:
            raise bad_request(
                f"can't parse entities: entity beginning at UTF-16 offset {start} ends in a middle of a UTF-16 symbol"
            )


def unknown_mode() -> str:
    raise bad_request("unsupported parse_mode")


def parse_html(text: str) -> str:
    stack: list[str] = []
    for tag in TAG.finditer(text):
        name = tag[2].lower()
        if name not in TAGS:
            raise bad_request(f'can\'t parse entities: Unsupported start tag "{name}" at byte offset {tag.start()}')
        if not tag[1]:
            stack.append(name)
        elif not stack or stack.pop() != name:
            raise bad_request(f"can't parse entities: Unmatched end tag at byte offset {tag.start()}")
    if stack:
        raise bad_request(f"can't parse entities: Can't find end tag corresponding to start tag \"{stack[-1]}\"")
    rest = TAG.sub("", text)
    if "<" in rest:
        raise bad_request("can't parse entities: Unclosed start tag")
    return html.unescape(rest)


def parse_markdown(text: str) -> str:
    bare = LINK.sub(r"\1", CODE.sub(lambda code: code[0].strip("`"), text))
    for marker in "*_`":
        if bare.count(marker) % 2:
            raise bad_request(f"can't parse entities: Can't find end of the entity starting at {bare.rfind(marker)}")
    return re.sub(r"[*_`]", "", bare)


def parse_markdown_v2(text: str) -> str:
    unescaped = re.sub(r"\\(.)", "", LINK.sub(r"\1", CODE.sub("", text)))
    for character in ".!-+=#{}":
        if character in unescaped:
            raise bad_request(
                f"can't parse entities: Character '{character}' is reserved and must be escaped with the preceding '\\'"
            )
    for marker in ("*", "__", "~", "||"):
        if unescaped.count(marker) % 2:
            raise bad_request("can't parse entities: Can't find end of an entity")
    bare = LINK.sub(r"\1", CODE.sub(lambda code: code[0].strip("`"), text))
    return re.sub(r"\\(.)", r"\1", re.sub(r"(?<!\\)[*_~|]", "", bare))


PARSERS: dict[str, Callable[[str], str]] = {
    "": str,
    "html": parse_html,
    "markdown": parse_markdown,
    "markdownv2": parse_markdown_v2,
}
