"""System checks of Telegram's settings. None of them says a token or a secret."""

import re
from collections.abc import Sequence
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from django.core.checks import CheckMessage, Error, Tags, Warning, register

from gateway.telegram.bots import NAME

TELEGRAM = "api.telegram.org"
TOKEN = re.compile(r"\d+:[\w-]+", re.ASCII)
SECRET = re.compile(r"[A-Za-z0-9_-]{1,256}")
SHORTEST_SECRET = 16


@register(Tags.security)
def check_bots(app_configs: Sequence[Any] | None, **kwargs: Any) -> list[CheckMessage]:
    hint = "TELEGRAM_BOTS is name=token,name=token; a name has letters, digits, - and _ (64 at most)."
    found: list[CheckMessage] = [
        Warning(f"TELEGRAM_BOTS: the entry {name[:64]!r} is left out.", hint, id="switchboard.W020")
        for name, token in settings.TELEGRAM_BOTS.items()
        if not (token.strip() and NAME.fullmatch(name.strip()))
    ]
    tokens = {"TELEGRAM_BOT_TOKEN": settings.TELEGRAM_BOT_TOKEN, **settings.TELEGRAM_BOTS}
    for name, token in tokens.items():
        if token.strip() and not TOKEN.fullmatch(token.strip()):
            told = f"What {name[:64]!r} has for a token does not look like one: digits, a colon, letters."
            found.append(Warning(told, "Copy the token from @BotFather once more.", id="switchboard.W021"))
    return found


@register(Tags.security)
def check_webhook(app_configs: Sequence[Any] | None, **kwargs: Any) -> list[CheckMessage]:
    found: list[CheckMessage] = []
    address = urlsplit(settings.TELEGRAM_WEBHOOK_URL)
    is_real = urlsplit(settings.TELEGRAM_API_URL).hostname == TELEGRAM
    if settings.TELEGRAM_WEBHOOK_URL and is_real and address.scheme != "https":
        hint = "Set TELEGRAM_WEBHOOK_URL to the public https address, or leave it out for long polling."
        told = "TELEGRAM_WEBHOOK_URL is not https: Telegram calls nothing else."
        found.append(Warning(told, hint, id="switchboard.W022"))
    secret = settings.TELEGRAM_WEBHOOK_SECRET
    hint = "Leave TELEGRAM_WEBHOOK_SECRET out, and one is derived from SECRET_KEY."
    if secret and not SECRET.fullmatch(secret):
        told = "TELEGRAM_WEBHOOK_SECRET may have letters, digits, - and _ alone (256 at most): Telegram refuses others."
        found.append(Error(told, hint, id="switchboard.E020"))
    elif secret and len(secret) < SHORTEST_SECRET:
        told = f"TELEGRAM_WEBHOOK_SECRET has fewer than {SHORTEST_SECRET} characters and can be guessed."
        found.append(Warning(told, hint, id="switchboard.W023"))
    return found
