"""manage.py announce: a system message to everybody who had a word lately."""

import argparse
import re
from datetime import timedelta
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from gateway.announcing import confirm, draft, refusal
from gateway.audience import Audience
from gateway.models import Bot

SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86_400}


def duration(text: str) -> timedelta:
    """90, 90s, 30m, 24h or 7d."""
    match = re.fullmatch(r"(\d{1,9})([smhd]?)", text)
    if match is None:
        raise argparse.ArgumentTypeError(f"{text!r} is no time such as 30m, 24h or 7d")
    return timedelta(seconds=int(match[1]) * SECONDS[match[2] or "s"])


class Command(BaseCommand):
    help = "Sends a system message to the conversations that had a word within a given time."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("text")
        parser.add_argument("--within", type=duration, default="24h", help="30m, 24h (the default), 7d …")
        parser.add_argument("--bot", help="only this bot's conversations")
        parser.add_argument("--protocol", help="only this protocol's: telegram, webchat …")
        parser.add_argument("--language", help="only people of this language: en, pt-br …")
        parser.add_argument("--tag", help="only people who have this tag")
        parser.add_argument("--dry-run", action="store_true", help="say how many, and send nothing")

    def handle(self, *args: Any, **options: Any) -> None:
        audience = self.audience(options)
        if options["dry_run"]:
            self.stdout.write(f"{audience.count()} conversations would get it.")
            return
        if why := refusal(options["text"], audience):
            raise CommandError(why)
        announcement = draft(options["text"], audience)
        confirm(announcement)
        self.stdout.write(
            f"Announcement {announcement.pk}: {announcement.counted} conversations get it from a running gateway, "
            "ANNOUNCEMENTS_PER_SECOND a second. The console shows how far it is, and pauses or cancels it."
        )

    def audience(self, options: dict[str, Any]) -> Audience:
        bots = Bot.objects.filter(name=options["bot"]) if options["bot"] else Bot.objects.all()
        keys = tuple(bots.values_list("pk", flat=True))
        since = timezone.now() - options["within"]
        traits = {name: options[name] or "" for name in ("protocol", "language", "tag")}
        return Audience(keys, since=since, **traits)
