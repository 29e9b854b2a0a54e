"""What was called, when, and what came of it."""

import time
from dataclasses import dataclass, field
from typing import Any


class BotApiError(Exception):
    """A refusal in Telegram's own words."""

    def __init__(self, code: int, description: str, **parameters: int) -> None:
        super().__init__(description)
        self.code = code
        self.description = description
        self.parameters = parameters


def bad_request(description: str) -> BotApiError:
    return BotApiError(400, f"Bad Request: {description}")


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer on its way to the client: an HTTP status and a JSON body."""

    status: int
    body: dict[str, Any]


def success(result: Any) -> Reply:
    return Reply(200, {"ok": True, "result": result})


def refusal(error: BotApiError) -> Reply:
    body: dict[str, Any] = {"ok": False, "error_code": error.code, "description": error.description}
    if error.parameters:
        body["parameters"] = error.parameters
    return Reply(error.code, body)


@dataclass(eq=False, slots=True)
class Call:
    """One call of a method. Times are of the monotonic clock; `reply` is what Telegram decided, whether or not the
    client ever got it; `early`: it came before the end of a flood wait; `peer`: the
    address that it came from."""

    bot: str
    method: str
    params: dict[str, Any]
    began: float = field(default_factory=time.monotonic)
    ended: float | None = None
    reply: Reply | None = None
    early: bool = False
    peer: str = ""

    @property
    def chat_id(self) -> Any:
        return number(self.params.get("chat_id"))

    @property
    def ok(self) -> bool:
        return self.reply is not None and self.reply.status == 200

    @property
    def under_way(self) -> bool:
        return self.ended is None


def number(value: Any) -> Any:
    """Form bodies and query strings bring numbers as text."""
    if isinstance(value, str) and value.removeprefix("-").isdecimal():
        return int(value)
    return value
