"""What can happen to a send, as types. The outbox decides by type alone; a protocol only has to name what happened."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from gateway.types import Move


class Unsendable(Exception):
    """The bot asked for something that cannot be written as a row. Raised from its own `send`; says how to mend it."""


class DeliveryError(Exception):
    """The outside did not confirm. `str(error)` is shown to operators and must hold no secret."""


class Refused(DeliveryError):
    """Final: the outside will say no however often it is asked.

    `blocked`: the user does not want the bot; `gone`: the bot is in that chat no more. Either ends the scope.
    """

    def __init__(self, reason: str, *, blocked: bool = False, gone: bool = False) -> None:
        super().__init__(reason)
        self.blocked = blocked
        self.gone = gone or blocked


class Later(DeliveryError):
    """Surely not done; may be tried again, not before `seconds` have gone by (None: the outbox chooses)."""

    def __init__(self, reason: str, seconds: float | None = None) -> None:
        super().__init__(reason)
        self.seconds = seconds


class Flooded(Later):
    """Called too often: nothing more may be called there for `seconds`, which count from now."""


class Moved(DeliveryError):
    """Not done: the chat of this conversation has another id now. `to` is what becomes of its conversations."""

    def __init__(self, reason: str, to: "Move") -> None:
        super().__init__(reason)
        self.to = to


class Unknown(DeliveryError):
    """Nobody can tell whether it was done: the call was under way when the line or the process died."""


class Deleted(KeyError):
    """The conversation was deleted, and what was to be written about it is of no use any more."""


class NotReady(Exception):
    """The gateway cannot store anything now (starting, stopping, or without its database). Nothing was accepted."""


class LeaseLost(NotReady):
    """Another process has taken the database over: nothing is written here any more."""


class Denied(Exception):
    """An operator may not do that now. `code` is the admin socket's error code."""

    def __init__(self, code: str, detail: str) -> None:
        super().__init__(detail)
        self.code = code
        self.detail = detail


class AlreadyRunning(Exception):
    """Another gateway runs over this database."""
