"""What the engine reads of the rows; each runs on a reader's thread."""

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.db.models import QuerySet
from django.utils import timezone

from gateway import indexed
from gateway.errors import Denied
from gateway.kept import Kept
from gateway.models import UNSETTLED, Bot, Conversation, Direction, Message, Status
from gateway.parts import ALL

FRESH_SECONDS = 6.0

Parts = frozenset[int]


def _messages(parts: Parts) -> QuerySet[Message]:
    return Message.objects.all() if parts == ALL else Message.objects.filter(conversation__part__in=parts)


def _conversations(parts: Parts) -> QuerySet[Conversation]:
    return Conversation.objects.all() if parts == ALL else Conversation.objects.filter(part__in=parts)


def left_in_hand(parts: Parts) -> list[int]:
    rows = _messages(parts).filter(status__in=(Status.IN_HAND, Status.SENDING))
    return list(rows.order_by("conversation_id").values_list("conversation_id", flat=True).distinct())


def in_hand(parts: Parts) -> list[tuple[int, int]]:
    """Rows, and how often each was fed."""
    return list(_messages(parts).filter(status=Status.IN_HAND).order_by("pk").values_list("pk", "feedings"))


def received(feedings: int, parts: Parts) -> list[int]:
    """Rows that wait to be fed and were fed so often or more."""
    rows = _messages(parts).filter(status=Status.RECEIVED, feedings__gte=feedings)
    return list(rows.order_by("pk").values_list("pk", flat=True))


def to_be_replayed(parts: Parts) -> list[int]:
    """Rows that another process wants to be fed again."""
    rows = _messages(parts).filter(indexed.unsettled(), status=Status.RECEIVED, due_at__isnull=False)
    return list(rows.order_by("due_at").values_list("pk", flat=True))


def unsettled_conversations(parts: Parts) -> list[Conversation]:
    waiting = _messages(parts).filter(direction=Direction.IN, status__in=UNSETTLED).values("conversation_id")
    return list(Conversation.objects.filter(pk__in=waiting).select_related("bot").order_by("pk"))


def waiting(parts: Parts, most: int) -> list[int]:
    """Conversations of which a row waits to be fed."""
    rows = _messages(parts).filter(indexed.unsettled(), status=Status.RECEIVED, direction=Direction.IN)
    return list(rows.order_by().values_list("conversation_id", flat=True).distinct()[:most])


def running_clocks(parts: Parts) -> list[tuple[int, datetime]]:
    rows = _conversations(parts).filter(open=True, deadline__isnull=False).values_list("pk", "deadline")
    return [(pk, deadline) for pk, deadline in rows if deadline is not None]


def fresh_clocks(parts: Parts) -> list[tuple[int, datetime]]:
    """Clocks that another process may have set just now."""
    since = timezone.now() - timedelta(seconds=FRESH_SECONDS)
    found = _conversations(parts).filter(changed_at__gte=since, open=True, deadline__isnull=False)
    return [(pk, deadline) for pk, deadline in found.values_list("pk", "deadline") if deadline is not None]


def held(parts: Parts) -> list[tuple[UUID, int]]:
    rows = _conversations(parts).filter(holder__isnull=False).values_list("uuid", "holder_id")
    return [(uuid, holder) for uuid, holder in rows if holder is not None]


def orphans(parts: Parts) -> list[UUID]:
    """Open scopes whose clock stands though nothing is in hand and nobody waits for or has the conversation."""
    still = _conversations(parts).filter(open=True, holder=None, waiting=False, deadline=None)
    waiting = Message.objects.filter(status__in=UNSETTLED, direction=Direction.IN).values("conversation_id")
    return list(still.exclude(pk__in=waiting).values_list("uuid", flat=True))


def by_pk(pk: int) -> Conversation:
    return Conversation.objects.select_related("bot").get(pk=pk)


_addresses = Kept(Conversation, "uuid", "protocol", "address")


def address(uuid: str) -> tuple[str, dict[str, Any]]:
    """The protocol of a conversation, and where it is there."""
    try:
        found = _addresses.row(UUID(uuid))
    except ValueError:
        found = None
    if found is None:
        raise Denied("unknown_conversation", "There is no such conversation.")
    return found[0], found[1]


def ensure_bots(names: Iterable[str]) -> None:
    for name in names:
        Bot.objects.get_or_create(name=name)
