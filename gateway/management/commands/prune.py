"""manage.py prune: deletes what is older than its bot keeps it. A running gateway does it by itself, once a day."""

from typing import Any

from django.core.management.base import BaseCommand
from django.utils import timezone

from gateway import erasing
from gateway.models import Bot


class Command(BaseCommand):
    help = "Deletes the words that are older than the retention of their bot. A running gateway does it once a day."

    def handle(self, *args: Any, **options: Any) -> None:
        bots = Bot.objects.filter(retention_days__isnull=False).order_by("name")
        for bot in bots:
            self.stdout.write(f"{bot.name}: words are kept for {bot.retention_days} days.")
        if not bots:
            self.stdout.write("No bot has a retention: everything is kept. It is set at /admin/, Bots.")
            return
        found = erasing.run_here(erasing.pruning(timezone.now()))
        self.stdout.write(f"Deleted {found['rows']} rows and {found['conversations']} conversations.")
