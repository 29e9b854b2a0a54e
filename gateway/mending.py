"""Sending again, dropping and feeding again from a process that may not be the gateway's, which finds it by looking."""

from collections.abc import Callable, Iterable, Iterator
from typing import Any

from django.db.models import Q, QuerySet

from gateway.errors import Denied
from gateway.models import Direction, Message, Status
from gateway.transcript.mending import REPLAYED, RESENT, Drop, ReplayElsewhere, Resend
from gateway.writer import Operation, commit_here

MENDS: dict[str, Callable[..., Operation[int]]] = {"resend": Resend, "drop": Drop, "replay": ReplayElsewhere}


def stuck() -> QuerySet[Message]:
    """What has not arrived, or was not handled, oldest first."""
    out = Q(direction=Direction.OUT, status__in=(*RESENT, Status.QUEUED, Status.SENDING))
    return Message.objects.filter(out | Q(direction=Direction.IN, status__in=REPLAYED)).order_by("pk")


def retry_of(row: Message) -> str:
    """What "once more" means for it."""
    return "replay" if row.direction == Direction.IN else "resend"


def mend(choice: str, rows: Iterable[int], who: str, user: Any = None) -> Iterator[tuple[int, str]]:
    """Each row's key, and why it was refused or "". `user`: whose action it is, for the audit log."""
    for row in rows:
        try:
            commit_here(MENDS[choice](row, who, user=user))
        except Denied as denied:
            yield row, denied.detail
        else:
            yield row, ""
