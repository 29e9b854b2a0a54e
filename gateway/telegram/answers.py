"""What an answer of the Bot API means to us."""

from collections.abc import Mapping
from math import isfinite
from typing import Any

from gateway.errors import DeliveryError, Flooded, Later, Refused, Unknown
from gateway.telegram import wire

LONGEST_WAIT = 86_400.0
# Answers that say: not done, and not because of what was asked.
TRY_AGAIN = {408, 409, 425}
BLOCKED = ("bot was blocked by the user", "user is deactivated")
GONE = ("bot was kicked", "bot is not a member")


class InvalidToken(Refused):
    """401: no call of this bot will succeed until its token is mended."""


class NotFound(Refused):
    """404: no such method; and Telegram's word for a token that never was one."""


class Conflict(Later):
    """409: somebody else takes this bot's updates, or a webhook does."""


class Unreadable(Unknown):
    """200, and no JSON. `body` is what came instead."""

    def __init__(self, reason: str, body: bytes) -> None:
        super().__init__(reason)
        self.body = body


class Migrated(Refused):
    """The group has become a supergroup and has another id now."""

    def __init__(self, reason: str, chat_id: int) -> None:
        super().__init__(reason)
        self.chat_id = chat_id


def read(status: int, headers: Mapping[str, str], body: bytes) -> Any:
    """The result, or raises Refused, Later or Unknown."""
    answer = _parse(body)
    if not 200 <= status < 300:
        raise _failure(status, headers, answer or {})
    if answer is None:
        raise Unreadable(f"The Bot API answered {status}, but no JSON object.", body)
    if answer.get("ok") is True:
        return answer.get("result")
    code = answer.get("error_code")
    if answer.get("ok") is not False or type(code) is not int:
        raise Unknown(f"The Bot API answered {status}, but not in its own way.")
    raise _failure(code, headers, answer)


def _parse(body: bytes) -> dict[str, Any] | None:
    try:
        answer = wire.decode(body, errors="replace")
    except ValueError:
        return None
    return answer if isinstance(answer, dict) else None


def _failure(status: int, headers: Mapping[str, str], answer: dict[str, Any]) -> DeliveryError:
    reason = _reason(status, answer)
    parameters = answer.get("parameters")
    if not isinstance(parameters, dict):
        parameters = {}
    if status == 429:
        return Flooded(reason, _seconds(parameters.get("retry_after", headers.get("Retry-After"))))
    if status == 409:
        return Conflict(reason)
    if 300 <= status < 400:
        return Later(f"The Bot API answered with a redirect ({status}), which is not followed: see TELEGRAM_API_URL.")
    if status >= 500 or status < 200 or status in TRY_AGAIN:
        return Later(reason)
    if status == 401:
        return InvalidToken(reason)
    if status == 404:
        return NotFound(reason)
    if isinstance(parameters.get("migrate_to_chat_id"), int):
        return Migrated(reason, parameters["migrate_to_chat_id"])
    return Refused(reason, blocked=status == 403 and _says(reason, BLOCKED), gone=status == 403 and _says(reason, GONE))


def _says(reason: str, words: tuple[str, ...]) -> bool:
    return any(some in reason for some in words)


def _reason(status: int, answer: dict[str, Any]) -> str:
    description = answer.get("description")
    if isinstance(description, str) and description:
        return f"{status} {description}"
    return f"{status} without a reason"


def _seconds(value: Any) -> float | None:
    """Of `retry_after` or the header; None where it makes no sense."""
    try:
        seconds = float(value)
    except (TypeError, ValueError):
        return None
    return min(seconds, LONGEST_WAIT) if isfinite(seconds) and seconds > 0 else None
