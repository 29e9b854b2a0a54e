"""When a bot last had word from Telegram, and what is in the way: told once in the log, and to `/readyz`."""

import logging
from collections.abc import Callable
from time import monotonic

log = logging.getLogger(__name__)
# More than a poll or a look at the webhook takes when all is well, less than the minute within which it is to be said.
PATIENCE_SECONDS = 45.0
# Longer than a send that waits takes to be tried again.
HINDERED_SECONDS = 150.0


class Contact:
    """Of one bot: its intake, and what hinders its sends. A reason is logged when it is new, and its end as well."""

    def __init__(self, bot: str, clock: Callable[[], float] = monotonic) -> None:
        self.bot = bot
        self._clock = clock
        self.listens = True
        """Whether the bot's intake is in this process: where it is another's, silence is no trouble."""
        self._since = clock()
        self._met = False
        self._reason = ""
        self._urgent = False
        self._hindered, self._hindered_at = "", 0.0

    def listen(self) -> None:
        """The intake begins here, now."""
        self._since, self._met = self._clock(), False

    def succeeded(self) -> None:
        if self._reason:
            log.info("Telegram answers bot %r again", self.bot)
        self._since, self._met, self._reason, self._urgent = self._clock(), True, "", False

    def failed(self, reason: str, *, urgent: bool = False) -> None:
        """`urgent`: no patience will mend it."""
        if reason != self._reason:
            log.log(logging.ERROR if urgent else logging.WARNING, "Bot %r: %s", self.bot, reason)
        self._reason, self._urgent = reason, urgent

    def hindered(self, reason: str) -> None:
        """A send has met what no patience will mend, whatever the intake hears."""
        if reason != self._hindered:
            log.error("Bot %r: %s", self.bot, reason)
        self._hindered, self._hindered_at = reason, self._clock()

    def unhindered(self) -> None:
        """A send was answered."""
        self._hindered = ""

    @property
    def age(self) -> float | None:
        """Seconds since the last success; None before the first."""
        return self._clock() - self._since if self._met else None

    @property
    def trouble(self) -> str:
        """What is wrong, in plain words; "" while there is nothing to say."""
        silent = self._clock() - self._since
        if self._urgent:
            return self._reason
        if self._hindered and self._clock() - self._hindered_at < HINDERED_SECONDS:
            return f"Words wait. {self._hindered}"
        if not self.listens or silent < PATIENCE_SECONDS:
            return ""
        return f"No word from Telegram for {silent:.0f} s. {self._reason}".strip()
