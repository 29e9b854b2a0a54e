"""What `manage.py doctor` asks Telegram: whether each token is taken, where its updates go, and what time it is."""

import asyncio
import time
from collections.abc import Iterator
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings

from gateway.doctor import Examination, Finding, fail, ok, warn
from gateway.errors import DeliveryError
from gateway.examinations import clock
from gateway.telegram import bots, registration
from gateway.telegram.answers import InvalidToken, NotFound
from gateway.telegram.client import Client, Session

ASK_SECONDS = 3.0
MANY_PENDING = 100
RECENT_SECONDS = 3600.0


def telegram() -> Iterator[Finding]:
    tokens = bots.tokens()
    if not tokens:
        yield ok("Telegram", "off: neither TELEGRAM_BOT_TOKEN nor TELEGRAM_BOTS is set")
        return
    yield from asyncio.run(examine(tokens))


async def examine(tokens: dict[str, str]) -> list[Finding]:
    async with Session() as session:
        clients = {name: Client(settings.TELEGRAM_API_URL, token, session) for name, token in tokens.items()}
        jobs = [of_server(), *(of_bot(name, client) for name, client in clients.items())]
        return [finding for found in await asyncio.gather(*jobs) for finding in found]


async def of_server() -> list[Finding]:
    """The Bot API itself, asked for nothing: its answer has a date."""
    import aiohttp  # Slow to import, and of no use to whoever has no bot on Telegram.

    host = urlsplit(settings.TELEGRAM_API_URL).hostname
    try:
        async with (
            asyncio.timeout(ASK_SECONDS),
            aiohttp.ClientSession(trust_env=False) as session,
            session.get(settings.TELEGRAM_API_URL, allow_redirects=False) as answer,
        ):
            date = answer.headers.get("Date")
    except Exception as error:
        # Whatever a proxy, a name server or a mistyped address makes of it.
        told = f"{host} cannot be reached ({type(error).__name__})."
        return [fail("Telegram", told, "Let this machine reach it, or mend TELEGRAM_API_URL.")]
    if date is None:
        return []
    return [clock("Bot API's", parsedate_to_datetime(date).timestamp() - time.time())]


async def of_bot(name: str, client: Client) -> list[Finding]:
    line = f"Telegram {name}"
    try:
        async with asyncio.timeout(ASK_SECONDS):
            me = await client.call("get_me")
            info = await registration.webhook_info(client)
    except (InvalidToken, NotFound) as error:
        return [
            fail(
                line,
                f"Telegram refuses the token: {error}.",
                "Take a new one from @BotFather: TELEGRAM_BOT_TOKEN. After a 404 look at TELEGRAM_API_URL as well.",
            )
        ]
    except TimeoutError:
        return [
            fail(line, f"Telegram has not answered within {ASK_SECONDS:g} s.", "Look at the line to TELEGRAM_API_URL.")
        ]
    except DeliveryError as error:
        return [fail(line, f"Telegram does not answer as it should: {error}", "Look at the line to TELEGRAM_API_URL.")]
    username = me.get("username") if isinstance(me, dict) else None
    return [ok(line, f"the token is that of @{username or 'a bot without a name'}"), *of_intake(line, name, info)]


def of_intake(line: str, name: str, info: dict[str, Any]) -> Iterator[Finding]:
    """Where the updates go, and how many wait."""
    registered, pending = str(info.get("url") or ""), int(info.get("pending_update_count") or 0)
    wanted = bots.webhook_url(name) if settings.TELEGRAM_WEBHOOK_URL else ""
    host = urlsplit(registered).hostname
    if registered == wanted:
        yield ok(line, f"{'its webhook is ours' if wanted else 'long polling, no webhook'}; {pending} updates wait")
    elif wanted:
        told = f"its webhook is {f'at {host}, not ours' if registered else 'not registered'}; {pending} updates wait."
        yield warn(line, told, "serve registers it; or: .venv/bin/python manage.py telegram_webhook set")
    else:
        told = f"a webhook at {host} takes its updates, while TELEGRAM_WEBHOOK_URL is not set; {pending} wait."
        yield warn(line, told, "serve removes it and polls; is another gateway using this token?")
    if pending > MANY_PENDING:
        yield warn(line, f"{pending} updates wait at Telegram.", "Is the gateway running, and keeping up?")
    if time.time() - float(info.get("last_error_date") or 0) < RECENT_SECONDS:
        told = f"Telegram's last call of the webhook failed: {info.get('last_error_message', 'no reason given')}."
        yield warn(line, told, "Look at the certificate, the proxy and PUBLIC_URL.")


EXAMINATIONS: dict[str, Examination] = {"Telegram": telegram}
