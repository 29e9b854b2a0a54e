"""`manage.py telegram_webhook set|info|delete [--bot NAME]`."""

import asyncio
from argparse import ArgumentParser
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from gateway.dialect import handled_methods
from gateway.errors import DeliveryError
from gateway.handlers import find_route
from gateway.telegram import bots, registration
from gateway.telegram.client import Client, Session
from gateway.telegram.kinds import allowed_updates


class Command(BaseCommand):
    help = "Sets, shows or deletes the webhooks of the Telegram bots."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("action", choices=["set", "info", "delete"])
        parser.add_argument("--bot", help="only this one of the configured bots")

    def handle(self, *args: Any, action: str, bot: str | None, **options: Any) -> None:
        tokens = bots.tokens()
        if bot is not None and bot not in tokens:
            raise CommandError(f"There is no token for a bot named {bot!r}.")
        if not tokens:
            raise CommandError("Telegram is off: neither TELEGRAM_BOT_TOKEN nor TELEGRAM_BOTS is set.")
        if action == "set" and not settings.TELEGRAM_WEBHOOK_URL:
            raise CommandError("TELEGRAM_WEBHOOK_URL is not set: the public base URL of this gateway.")
        chosen = {bot: tokens[bot]} if bot is not None else tokens
        if not asyncio.run(self._run(action, chosen)):
            raise CommandError("Not all of it was done.")

    async def _run(self, action: str, tokens: dict[str, str]) -> bool:
        done = True
        async with Session() as session:
            for name, token in tokens.items():
                client = Client(settings.TELEGRAM_API_URL, token, session)
                try:
                    await getattr(self, f"_{action}")(client, name)
                except DeliveryError as error:
                    self.stderr.write(f"{name}: {error}")
                    done = False
        return done

    async def _set(self, client: Client, name: str) -> None:
        await registration.register(client, name, kinds_of(name))
        self.stdout.write(f"{name}: Telegram sends its updates to {bots.webhook_url(name)}")

    async def _delete(self, client: Client, name: str) -> None:
        await registration.delete(client)
        self.stdout.write(f"{name}: no webhook; updates wait at Telegram until they are fetched, for a day at most")

    async def _info(self, client: Client, name: str) -> None:
        info = await registration.webhook_info(client)
        self.stdout.write(f"{name}: {info.get('url') or 'no webhook'}")
        for key, value in sorted(info.items()):
            if key != "url":
                self.stdout.write(f"    {key.replace('_', ' ')}: {value}")


def kinds_of(bot: str) -> list[str]:
    route = find_route("telegram", f"/{bot}/")
    if route is None:
        raise CommandError(f'The application map has no "telegram" application for {bot!r}.')
    return allowed_updates(handled_methods("telegram", route))
