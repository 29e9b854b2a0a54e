"""What the engine reads of the rows; each runs on a reader's thread."""

from collections.abc import Iterable
from datetime import datetime
from uuid import UUID

from gateway import indexed
from gateway.errors import Denied
from gateway.models import UNSETTLED, Bot, Conversation, Direction, Message, Status


def left_in_hand() -> list[int]:
    rows = Message.objects.filter(status__in=(Status.IN_HAND, Status.SENDING))
    return list(rows.order_by("conversation_id").values_list("conversation_id", flat=True).distinct())


def in_hand() -> list[tuple[int, int]]:
    """Rows, and how often each was fed."""
    return list(Message.objects.filter(status=Status.IN_HAND).order_by("pk").values_list("pk", "feedings"))


def received(feedings: int) -> list[int]:
    """Rows that wait to be fed and were fed so often or more."""
    rows = Message.objects.filter(status=Status.RECEIVED, feedings__gte=feedings)
    return list(rows.order_by("pk").values_list("pk", flat=True))


def to_be_replayed() -> list[int]:
    """Rows that another process wants to be fed again."""
    rows = Message.objects.filter(indexed.unsettled(), status=Status.RECEIVED, due_at__isnull=False)
    return list(rows.order_by("due_at").values_list("pk", flat=True))


def unsettled_conversations() -> list[Conversation]:
    waiting = Message.objects.filter(direction=Direction.IN, status__in=UNSETTLED).values("conversation_id")
    return list(Conversation.objects.filter(pk__in=waiting).select_related("bot").order_by("pk"))


def running_clocks() -> list[tuple[int, datetime]]:
    rows = Conversation.objects.filter(open=True, deadline__isnull=False).values_list("pk", "deadline")
    return [(pk, deadline) for pk, deadline in rows if deadline is not None]


def held() -> list[tuple[UUID, int]]:
    rows = Conversation.objects.filter(holder__isnull=False).values_list("uuid", "holder_id")
    return [(uuid, holder) for uuid, holder in rows if holder is not None]


def orphans() -> list[UUID]:
    """Open scopes whose clock stands though nothing is in hand and nobody waits for or has the conversation."""
    still = Conversation.objects.filter(open=True, holder=None, waiting=False, deadline=None)
    waiting = Message.objects.filter(status__in=UNSETTLED, direction=Direction.IN).values("conversation_id")
    return list(still.exclude(pk__in=waiting).values_list("uuid", flat=True))


def by_pk(pk: int) -> Conversation:
    return Conversation.objects.select_related("bot").get(pk=pk)


def by_uuid(uuid: str) -> Conversation:
    try:
        return Conversation.objects.select_related("bot").get(uuid=UUID(uuid))
    except (Conversation.DoesNotExist, ValueError):
        raise Denied("unknown_conversation", "There is no such conversation.") from None


def ensure_bots(names: Iterable[str]) -> None:
    for name in names:
        Bot.objects.get_or_create(name=name)
