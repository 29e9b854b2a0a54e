"""The visitor's token: whoever shows it is the visitor of that conversation with that bot."""

from uuid import UUID, uuid4

from django.core.signing import BadSignature, TimestampSigner

SALT = "switchboard.visitor"
SECONDS = 30 * 24 * 3600
LONGEST = 512


class BadToken(Exception):
    """Forged, expired, or another bot's."""


def new_visitor() -> UUID:
    return uuid4()


def issue(conversation: UUID, bot: str) -> str:
    return _signer().sign_object([conversation.hex, bot])


def read(token: str, bot: str | None) -> UUID:
    """The conversation that the token opens; `bot` None: with whatever bot. Raises BadToken."""
    if len(token) > LONGEST:
        raise BadToken
    try:
        conversation, issued_for = _signer().unsign_object(token, max_age=SECONDS)
        if bot is None or issued_for == bot:
            return UUID(conversation)
    except (BadSignature, ValueError, TypeError):
        pass
    raise BadToken


def _signer() -> TimestampSigner:
    return TimestampSigner(salt=SALT)
