"""Links to files: whoever has one may read the file until it expires, and they go only to who sees the message."""

import time
from urllib.parse import quote
from uuid import UUID

from django.conf import settings
from django.utils.crypto import constant_time_compare, salted_hmac

SALT = "switchboard.file"
DAY_SECONDS = 24 * 3600
LINK_DAYS = 7


def link(file_id: str) -> str:
    """Absolute; the same one for a day, so that browsers keep what it leads to."""
    expires = _expires()
    return f"{settings.PUBLIC_URL}/chat/files/{quote(file_id)}/?until={expires}&key={_key(file_id, expires)}"


def remote_link(place: list[str], name: str) -> str:
    """To a file that lies with a protocol: its scope type, the bot, and the protocol's own id for it."""
    expires, path = _expires(), "/".join(quote(part, safe="") for part in place)
    key = _key(remote_id(place, name), expires)
    return f"{settings.PUBLIC_URL}/chat/files/remote/{path}/?name={quote(name, safe='')}&until={expires}&key={key}"


def remote_id(place: list[str], name: str) -> str:
    return "/".join(quote(part, safe="") for part in (*place, name))


def _expires() -> int:
    return (int(time.time()) // DAY_SECONDS + 1 + LINK_DAYS) * DAY_SECONDS


def is_valid(file_id: str, until: str, key: str) -> bool:
    if not until.isascii() or not until.isdecimal() or len(until) > 12 or int(until) < time.time():
        return False
    return constant_time_compare(_key(file_id, int(until)), key)


def _key(file_id: str, expires: int) -> str:
    return salted_hmac(SALT, f"{file_id} {expires}", algorithm="sha256").hexdigest()[:40]


def uuid_of(text: str) -> UUID | None:
    try:
        return UUID(text)
    except ValueError:
        return None
