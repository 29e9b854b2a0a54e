"""A visitor whom their site knows: it signs who they are, and they come back to one conversation from any browser."""

import hashlib
import hmac
import json
import time
from typing import Any, NamedTuple
from uuid import UUID

from django.conf import settings
from django.utils.crypto import salted_hmac

from gateway.types import Person
from gateway.web.options import secret_of

SALT = "switchboard.identity"
LONGEST_ID = 128
LONGEST_VALUE = 512


class BadIdentity(Exception):
    """Not signed by the bot's site, expired, or nobody's. Says which."""


class Identified(NamedTuple):
    visitor: UUID
    person: Person


def canonical(identity: dict[str, Any]) -> bytes:
    """What is signed: JSON in UTF-8, keys sorted, nothing escaped that need not be, no spaces."""
    return json.dumps(identity, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def sign(identity: dict[str, Any], secret: str) -> str:
    return hmac.new(secret.encode(), canonical(identity), hashlib.sha256).hexdigest()


def read(identity: dict[str, Any], signature: str, bot: str) -> Identified:
    """Raises BadIdentity. Reads the database."""
    secret = settings.WIDGET_IDENTITY_SECRETS.get(bot) or secret_of(bot)
    if not secret:
        raise BadIdentity("This bot has no secret to know its site's users by.")
    if not hmac.compare_digest(_signature(identity, secret), signature.encode()):
        raise BadIdentity("The identity is not signed with this bot's secret.")
    expires, known_as = identity.get("expires"), identity.get("id")
    if isinstance(expires, bool) or not isinstance(expires, int | float) or expires < time.time():
        raise BadIdentity("The identity has expired, or says not when ('expires', seconds since 1970).")
    if not isinstance(known_as, str | int) or not 0 < len(str(known_as)) <= LONGEST_ID:
        raise BadIdentity(f"An identity has an 'id' of 1 to {LONGEST_ID} characters.")
    visitor = visitor_of(str(known_as), bot)
    return Identified(visitor, _person(identity, visitor))


def visitor_of(known_as: str, bot: str) -> UUID:
    """The same for ever, and nobody can tell it from the id."""
    return UUID(bytes=salted_hmac(SALT, f"{bot} {known_as}", algorithm="sha256").digest()[:16], version=4)


def _signature(identity: dict[str, Any], secret: str) -> bytes:
    try:
        return sign(identity, secret).encode()
    except (ValueError, RecursionError):
        raise BadIdentity("The identity cannot be written as JSON.") from None


def _person(identity: dict[str, Any], visitor: UUID) -> Person:
    told = {key: value for key, value in identity.items() if key not in ("name", "expires") and value is not None}
    details = {key: value if isinstance(value, bool | int | float) else str(value)[:LONGEST_VALUE]
               for key, value in told.items()}  # fmt: skip
    return Person(id=str(visitor), name=str(identity.get("name") or "")[:256], details=details)
