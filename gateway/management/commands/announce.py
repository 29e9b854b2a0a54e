"""manage.py announce: a system message to everybody who had a word lately."""

import argparse
import re
from datetime import timedelta
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from gateway.announcing import announce, recent
from gateway.errors import Unsendable

SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86_400}
PROGRESS_EVERY = 500


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
        parser.add_argument("--dry-run", action="store_true", help="say how many, and send nothing")

    def handle(self, *args: Any, **options: Any) -> None:
        found = recent(options["within"], bot=options["bot"], protocol=options["protocol"])
        if options["dry_run"]:
            self.stdout.write(f"{sum(1 for _ in found)} conversations would get it.")
            return
        count = 0
        try:
            for count, _ in enumerate(announce(options["text"], found), 1):
                if count % PROGRESS_EVERY == 0:
                    self.stdout.write(f"{count} written …")
        except Unsendable as error:
            raise CommandError(str(error)) from None
        self.stdout.write(f"{count} conversations get it from a running gateway, ANNOUNCEMENTS_PER_SECOND a second.")
