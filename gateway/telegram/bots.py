"""The bots that the settings name, their tokens, and the secrets of their webhooks."""

import asyncio
import hmac
import logging
import re
from dataclasses import dataclass, field
from functools import lru_cache
from time import monotonic

from django.conf import settings

from gateway.telegram.client import Client
from gateway.telegram.contact import Contact
from gateway.telegram.places import Places
from gateway.telegram.tokens import in_file, named_in_file

log = logging.getLogger(__name__)
NAME = re.compile(r"[A-Za-z0-9_-]{1,64}")
TOKEN_SECONDS = 2.0
SENDS_AT_ONCE = 100


@dataclass(frozen=True, slots=True)
class TelegramBot:
    """`places`: for sends that are under way at once."""

    name: str
    client: Client = field(repr=False)
    contact: Contact = field(repr=False)
    places: Places = field(default_factory=lambda: Places(SENDS_AT_ONCE), repr=False)

    def takes_new_token(self) -> bool:
        """Looks into the token's file, if it comes from one. True: it is another one from now on."""
        token = token_in_files(self.name)
        if not token or token == self.client.token:
            return False
        self.client.token = token
        log.info("Bot %r has a new token", self.name)
        return True

    async def pause(self, seconds: float) -> None:
        """Returns earlier where there is a new token to try."""
        end = monotonic() + seconds
        while (left := end - monotonic()) > 0 and not self.takes_new_token():  # noqa: ASYNC110  # a file rings no bell
            await asyncio.sleep(min(left, TOKEN_SECONDS))


def token_in_files(bot: str) -> str:
    """As it is now; "" where there is none, or no file that can be read just now."""
    try:
        named = named_in_file(settings.TELEGRAM_BOTS_FILE).get(bot, "")
        return (in_file(settings.TELEGRAM_BOT_TOKEN_FILE) if bot == "bot" else "") or named
    except (OSError, UnicodeError) as error:
        log.warning("The file with the token of bot %r cannot be read (%s)", bot, type(error).__name__)
        return ""


def tokens() -> dict[str, str]:
    """By bot, as they were at the start. TELEGRAM_BOT_TOKEN is the bot named "bot"."""
    named = {name.strip(): token.strip() for name, token in settings.TELEGRAM_BOTS.items()}
    if settings.TELEGRAM_BOT_TOKEN:
        named["bot"] = settings.TELEGRAM_BOT_TOKEN.strip()
    for name in [name for name, token in named.items() if not (token and NAME.fullmatch(name))]:
        log.error("TELEGRAM_BOTS: %r is left out; name=token, a name of letters, digits, - and _", name)
        del named[name]
    return named


def is_known(bot: str) -> bool:
    """As `bot in tokens()`; every update asks."""
    return bot in _names(settings.TELEGRAM_BOT_TOKEN, tuple(settings.TELEGRAM_BOTS.items()))


@lru_cache(maxsize=1)
def _names(*_: object) -> frozenset[str]:
    return frozenset(tokens())


def webhook_url(bot: str) -> str:
    return f"{settings.TELEGRAM_WEBHOOK_URL}/telegram/{bot}/"


def webhook_secret(bot: str) -> str:
    """What Telegram must show: the setting, or one derived from the instance's own key for each bot."""
    if secret := settings.TELEGRAM_WEBHOOK_SECRET:
        return str(secret)
    return _derived_secret(settings.SECRET_KEY, bot)


@lru_cache(maxsize=256)
def _derived_secret(key: str, bot: str) -> str:
    return hmac.digest(key.encode(), f"telegram webhook of {bot}".encode(), "sha256").hex()
