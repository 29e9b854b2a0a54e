"""What an answer of the Bot API means to us."""

from collections.abc import Mapping
from math import isfinite
from typing import Any

from gateway.errors import DeliveryError, Flooded, Later, Refused, Unknown
from gateway.telegram import wire

LONGEST_WAIT = 86_400.0
# Answers that say: surely not done, and not because of what was asked. Any other of 500 and more may come from a proxy
# that has passed the call on (502, 504), or from a server that fell in the middle of it.
TRY_AGAIN = {408, 425, 503}
BLOCKED = ("bot was blocked by the user", "user is deactivated")
GONE = ("bot was kicked", "bot is not a member")


class InvalidToken(Refused):
    """401: no call of this bot will succeed until its token is mended."""


class NotFound(Refused):
    """404: no such method; and Telegram's word for a token that never was one."""


class NotTheApi(Later):
    """What answers at TELEGRAM_API_URL is no Bot API: a proxy or firewall before it, or another address."""


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
        raise _failure(status, headers, answer or {}) if _is_own(answer) else _strange_failure(status, headers)
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
        return Flooded(reason, _seconds(parameters.get("retry_after", headers.get("retry-after"))))
    if status == 409:
        return Conflict(reason)
    if status in TRY_AGAIN:
        return Later(reason)
    if not 400 <= status < 500:
        return Unknown(reason)
    if status == 401:
        return InvalidToken(reason)
    if status == 404:
        return NotFound(reason)
    if isinstance(parameters.get("migrate_to_chat_id"), int):
        return Migrated(reason, parameters["migrate_to_chat_id"])
    return Refused(reason, blocked=status == 403 and _says(reason, BLOCKED), gone=status == 403 and _says(reason, GONE))


def _is_own(answer: dict[str, Any] | None) -> bool:
    """Whether it speaks as the Bot API does where it refuses."""
    return answer is not None and answer.get("ok") is False and type(answer.get("error_code")) is int


def _strange_failure(status: int, headers: Mapping[str, str]) -> DeliveryError:
    """Something else answered: of the call's fault it can only say that it is too large."""
    if status == 413:
        return Refused("413: more than what stands before the Bot API lets through.")
    if status == 429 or status in TRY_AGAIN or status >= 500 or status < 200:
        return _failure(status, headers, {})
    redirected = " (a redirect, which is not followed)" if status < 400 else ""
    return NotTheApi(
        f"What answered {status}{redirected} is no Bot API: a proxy or firewall before it, or another server. "
        "See TELEGRAM_API_URL."
    )


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
