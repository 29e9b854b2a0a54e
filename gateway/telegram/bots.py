"""The bots that the settings name, and the secrets of their webhooks."""

import hmac
import logging
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from django.conf import settings

from gateway.telegram.contact import Contact

if TYPE_CHECKING:
    from gateway.telegram.client import Client

log = logging.getLogger(__name__)
NAME = re.compile(r"[A-Za-z0-9_-]{1,64}")


@dataclass(frozen=True, slots=True)
class TelegramBot:
    name: str
    client: "Client" = field(repr=False)
    contact: Contact = field(repr=False)


def tokens() -> dict[str, str]:
    """By bot. TELEGRAM_BOT_TOKEN is the bot named "bot"."""
    named = {name.strip(): token.strip() for name, token in settings.TELEGRAM_BOTS.items()}
    if settings.TELEGRAM_BOT_TOKEN:
        named["bot"] = settings.TELEGRAM_BOT_TOKEN.strip()
    for name in [name for name, token in named.items() if not (token and NAME.fullmatch(name))]:
        log.error("TELEGRAM_BOTS: %r is left out; name=token, a name of letters, digits, - and _", name)
        del named[name]
    return named


def webhook_url(bot: str) -> str:
    return f"{settings.TELEGRAM_WEBHOOK_URL}/telegram/{bot}/"


def webhook_secret(bot: str) -> str:
    """What Telegram must show: the setting, or one derived from the instance's own key for each bot."""
    if settings.TELEGRAM_WEBHOOK_SECRET:
        return str(settings.TELEGRAM_WEBHOOK_SECRET)
    return hmac.digest(settings.SECRET_KEY.encode(), f"telegram webhook of {bot}".encode(), "sha256").hex()
