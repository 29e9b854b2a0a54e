"""manage.py outbox: what has not arrived or was not handled, and what to do about it."""

from collections.abc import Iterator
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db.models import QuerySet
from django.utils import timezone

from gateway.mending import mend, retry_of, stuck
from gateway.models import Direction, Message, Status

STATUSES = ("queued", "sending", "unknown", "failed", "dead")
SHOWN = 200
REASON_CHARACTERS = 100
WHO = "manage.py"


class Command(BaseCommand):
    help = "What is queued, unknown, failed or dead: lists it, sends or feeds it again, drops it."

    def add_arguments(self, parser: CommandParser) -> None:
        actions = parser.add_subparsers(dest="action", required=True)
        shown = actions.add_parser("list", help="ids, ages and reasons; no words that somebody wrote")
        shown.add_argument("--most", type=int, default=SHOWN, help=f"how many rows ({SHOWN})")
        retried = actions.add_parser("retry", help="send or feed again what is unknown, failed or dead")
        dropped = actions.add_parser("drop", help="give up what is unknown, failed or queued")
        for one in (shown, retried, dropped):
            one.add_argument("--bot", help="only this bot's")
            one.add_argument("--status", choices=STATUSES, help="only these")
        for one in (retried, dropped):
            one.add_argument("rows", nargs="*", type=int, metavar="ID", help="rows, by the ids that list shows")

    def handle(self, *args: Any, **options: Any) -> None:
        found = stuck()
        if options["bot"]:
            found = found.filter(bot__name=options["bot"])
        if options["status"]:
            found = found.filter(status=options["status"])
        if options["action"] == "list":
            self._list(found, options["most"])
        else:
            self._mend(options["action"], self._chosen(found, options))

    def _list(self, found: QuerySet[Message], most: int) -> None:
        now = timezone.now()
        for row in found.select_related("bot", "conversation")[:most]:
            way, seconds = "in " if row.direction == Direction.IN else "out", int((now - row.at).total_seconds())
            place = f"{row.bot.name} {row.conversation.uuid}"
            self.stdout.write(f"{row.pk:>9} {way} {row.status:<8}{seconds:>8} s  {place}  {row.method}  {reason(row)}")
        self.stdout.write(f"{found.count()} rows." if found.exists() else "Nothing is stuck.")

    def _chosen(self, found: QuerySet[Message], options: dict[str, Any]) -> list[Message]:
        if options["rows"]:
            rows = list(found.filter(pk__in=options["rows"]))
            missing = sorted(set(options["rows"]) - {row.pk for row in rows})
            if missing:
                raise CommandError(f"Not stuck, or not of that bot and status: {', '.join(map(str, missing))}.")
            return rows
        if not options["status"]:
            raise CommandError("Which rows? Give their ids, or all of one kind with --status.")
        return list(found)

    def _mend(self, action: str, rows: list[Message]) -> None:
        done = 0
        for _, refusal in self._mended(action, rows):
            done += not refusal
            if refusal:
                self.stderr.write(refusal)
        self.stdout.write(f"{done} of {len(rows)} rows. A running gateway takes them up within seconds.")
        if done < len(rows):
            raise CommandError(f"{len(rows) - done} rows stay as they are.")

    def _mended(self, action: str, rows: list[Message]) -> Iterator[tuple[int, str]]:
        for row in rows:
            yield from mend(retry_of(row) if action == "retry" else "drop", [row.pk], WHO)


def reason(row: Message) -> str:
    """Of what a handler raised only its kind: what it said may be what somebody wrote."""
    if row.status in (Status.QUEUED, Status.SENDING) and not row.error:
        return ""
    text = row.error.partition(":")[0] if row.direction == Direction.IN else row.error
    unknown = f" ({row.unknowns} unknown)" if row.unknowns else ""
    return text[:REASON_CHARACTERS].replace("\n", " ") + unknown
