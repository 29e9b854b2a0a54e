"""The files of a neutral message as the Bot API sends them: one with the words as its caption, several as an album."""

import mimetypes
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from gateway.errors import Unsendable

MOST_FILES = 10
CANNOT = "Telegram fetches files by their address: give a URL, or a file as an event brought it, not its id alone"


def as_media(params: Mapping[str, Any]) -> tuple[str, dict[str, Any]]:
    """Method and arguments instead of sendMessage's. Raises Unsendable."""
    left = {name: value for name, value in params.items() if name not in ("files", "text")}
    found, text = [_address(item) for item in _listed(params["files"])], params.get("text") or ""
    if not isinstance(text, str):
        raise Unsendable("send_message: 'text' is what people read, a string.")
    words = {"caption": text} if text.strip() else {}
    if len(found) == 1:
        address, is_picture = found[0]
        kind = "photo" if is_picture else "document"
        return f"send_{kind}", {**left, kind: address, **words}
    kind = "photo" if all(is_picture for _, is_picture in found) else "document"
    media = [{"type": kind, "media": address} for address, _ in found]
    marked = {"parse_mode": left.pop("parse_mode")} if left.get("parse_mode") else {}
    media[0] |= {**words, **marked}
    return "send_media_group", {**left, "media": media}


def _listed(value: Any) -> list[Any]:
    if not isinstance(value, list) or not 0 < len(value) <= MOST_FILES:
        raise Unsendable(f"'files' is a list of at most {MOST_FILES} URLs, or files as an event brought them.")
    return value


def _address(item: Any) -> tuple[str, bool]:
    """And whether it is a picture."""
    facts = {"url": item} if isinstance(item, str) else item
    url = facts.get("url") if isinstance(facts, Mapping) else None
    if not isinstance(url, str) or urlsplit(url).scheme not in ("http", "https"):
        raise Unsendable(f"{CANNOT}; {item!r} is neither.")
    kind = facts.get("type") or mimetypes.guess_type(urlsplit(url).path)[0] or ""
    return url, kind in ("image/jpeg", "image/png", "image/webp")
