"""manage.py person: everything that is kept of one person, and its end."""

import json
import time
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from gateway import erasing, node, people
from gateway.erasure import Erasure
from gateway.models import Contact, Node

WHO = "manage.py"
WAIT_SECONDS = 60.0
STILL_SECONDS = 5.0
LOOK_SECONDS = 0.5


class Command(BaseCommand):
    help = "Exports or erases one person everywhere: with every bot, on every protocol that is known to be theirs."

    def add_arguments(self, parser: CommandParser) -> None:
        actions = parser.add_subparsers(dest="action", required=True)
        for name, text in (("export", "all that is kept, as JSON"), ("erase", "all that is kept, for good")):
            action = actions.add_parser(name, help=text)
            action.add_argument("person", help="protocol:id, as in telegram:123 or webchat:<the conversation's UUID>")
            if name == "erase":
                action.add_argument("--yes", action="store_true", help="do not ask")

    def handle(self, *args: Any, **options: Any) -> None:
        contact = people.find(options["person"]).first()
        if contact is None:
            raise CommandError(f"Nobody is known as {options['person']}. It is protocol:id, as in telegram:123.")
        if options["action"] == "export":
            kept = people.export(people.same_person(contact))
            self.stdout.write(json.dumps(kept, ensure_ascii=False, indent=2, default=str))
            return
        if not options["yes"] and input(f"Erase {options['person']} everywhere, for good? [yes/no] ") != "yes":
            raise CommandError("Nothing was erased.")
        self._erase(contact)

    def _erase(self, contact: Contact) -> None:
        erasure = erasing.ask(contact, WHO)
        if not self._gateway_did(erasure):
            erasing.erase_here(erasure)
        erasure.refresh_from_db()
        self.stdout.write("Erased: " + ", ".join(f"{count} {name}" for name, count in erasure.found.items()) + ".")

    def _gateway_did(self, erasure: Erasure) -> bool:
        """A running gateway may hold the person's conversation: it is asked to let go, and does it."""
        began, beats = time.monotonic(), living()
        while beats and time.monotonic() < began + WAIT_SECONDS:
            if Erasure.objects.filter(pk=erasure.pk, done_at__isnull=False).exists():
                return True
            if time.monotonic() > began + STILL_SECONDS and living() == beats:
                return False  # Nobody's lease moves.
            time.sleep(LOOK_SECONDS)
        if beats:
            raise CommandError("The gateway has not finished yet. It goes on by itself; ask again to see.")
        return False


def living() -> list[tuple[int, int]]:
    """The leases of processes that are not known to have ended, and their beats."""
    return [(one.pk, one.beat) for one in Node.objects.order_by("pk") if not node.is_dead(one.place)]
