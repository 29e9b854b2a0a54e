"""Files that a bot sends: by URL, or by what it was given of a file that is here."""

import mimetypes
from collections.abc import Mapping
from typing import Any
from urllib.parse import unquote, urlsplit

from gateway.errors import Unsendable
from gateway.web.file_links import uuid_of
from gateway.web.file_types import INVISIBLE, NAME_CHARACTERS

MOST_FILES = 10
LONGEST_URL = 2048
MEDIA = {
    "send_photo": "image/jpeg",
    "send_document": "",
    "send_video": "video/mp4",
    "send_animation": "",
    "send_audio": "audio/mpeg",
    "send_voice": "audio/ogg",
}
FACTS = {"id": str, "url": str, "name": str, "type": str, "size": int, "width": int, "height": int, "image": bool}


def named(value: Any) -> list[dict[str, Any]]:
    """The `files` of chat.send_message: URLs, ids, or what an event's `files` hold. Raises Unsendable."""
    if value is None:
        return []
    if not isinstance(value, list) or len(value) > MOST_FILES:
        raise Unsendable(f"'files' is a list of at most {MOST_FILES} URLs, ids, or files as an event brought them.")
    return [_facts(item) for item in value]


def _facts(item: Any) -> dict[str, Any]:
    if isinstance(item, str):
        return {"id": str(uuid_of(item))} if uuid_of(item) else at_url(item)
    if isinstance(item, Mapping):
        facts = {name: item[name] for name, kind in FACTS.items() if isinstance(item.get(name), kind)}
        if uuid_of(facts.get("id", "")):
            facts.pop("url", None)  # A link of ours expires: it is made anew whenever the file is shown.
            return facts if "name" in facts else {"id": facts["id"]}
        if "url" in facts:
            return {**at_url(facts["url"], facts.get("type", "")), **facts, "url": _checked(facts["url"])}
    raise Unsendable(f"{item!r} is no file: give a URL, an id, or a file as an event brought it.")


def by_url(method: str, params: Mapping[str, Any]) -> list[dict[str, Any]] | None:
    """What a method such as send_photo shows on the web; None where it is none, or its file is only Telegram's."""
    value = params.get(method.removeprefix("send_"))
    if method not in MEDIA or not isinstance(value, str) or not _is_url(value):
        return None
    return [at_url(value, MEDIA[method])]


def at_url(url: str, kind: str = "") -> dict[str, Any]:
    path = urlsplit(_checked(url)).path
    kind = mimetypes.guess_type(path)[0] or kind or "application/octet-stream"
    name = INVISIBLE.sub("", unquote(path.rpartition("/")[2]))[-NAME_CHARACTERS:] or "file"
    return {
        "url": url,
        "name": name,
        "type": kind,
        "size": None,
        "image": kind.startswith("image/") and kind != "image/svg+xml",
    }


def _checked(url: str) -> str:
    if not _is_url(url):
        raise Unsendable(f"{url[:100]!r} is no address of a file: it begins with https:// or http://.")
    return url


def _is_url(text: str) -> bool:
    try:
        parts = urlsplit(text)
    except ValueError:
        return False
    return parts.scheme in ("http", "https") and bool(parts.hostname) and len(text) <= LONGEST_URL
