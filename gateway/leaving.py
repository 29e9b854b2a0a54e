"""What the outbox reads of the rows that wait to leave; each runs on a reader's thread."""

from collections.abc import Collection
from typing import Any, NamedTuple

from django.db.models import QuerySet
from django.utils import timezone

from gateway import indexed
from gateway.models import Direction, Kind, Message, Status
from gateway.parts import ALL
from gateway.transcript import OutRow
from gateway.transcript.saying import out_row

StreamKey = tuple[str, str, bool]
"""Protocol, bot, and whether it is announcements."""


class Leaving(NamedTuple):
    """A queued row, without what it says."""

    row: int
    conversation: int
    protocol: str
    bot: str
    announcement: bool


class Home(NamedTuple):
    """A conversation that has answers queued."""

    conversation: int
    protocol: str
    bot: str
    part: int
    address: dict[str, Any]


def _waiting(status: Status = Status.QUEUED, parts: frozenset[int] = ALL) -> QuerySet[Message]:
    found = Message.objects.filter(indexed.leaving(), status=status, direction=Direction.OUT).order_by("pk")
    return found if parts == ALL else found.filter(conversation__part__in=parts)


def _out_rows(found: QuerySet[Message]) -> list[OutRow]:
    now: Any = timezone.now()
    return [out_row(row.conversation, row, now) for row in found.select_related("conversation__bot")]


def streams(parts: frozenset[int]) -> list[StreamKey]:
    """Of everything that is queued."""
    return list(
        _waiting(parts=parts).order_by().values_list("conversation__protocol", "bot__name", "announcement").distinct()
    )


def homes(parts: frozenset[int]) -> list[Home]:
    found = _waiting(parts=parts).filter(announcement=False).order_by().values_list(
        "conversation_id", "conversation__protocol", "bot__name", "conversation__part", "conversation__address"
    )  # fmt: skip
    return [Home(*row) for row in found.distinct()]


def queued(after: int, most: int, parts: frozenset[int]) -> list[Leaving]:
    found = _waiting(parts=parts).filter(pk__gt=after).values_list(
        "pk", "conversation_id", "conversation__protocol", "bot__name", "announcement"
    )  # fmt: skip
    return [Leaving(*row) for row in found[:most]]


def of_stream(stream: StreamKey, after: int, most: int, parts: frozenset[int]) -> list[OutRow]:
    protocol, bot, announcement = stream
    found = _waiting(parts=parts).filter(
        conversation__protocol=protocol, bot__name=bot, announcement=announcement, pk__gt=after
    )
    return _out_rows(found[:most])


def of_conversations(conversations: Collection[int], announcement: bool, most: int) -> list[OutRow]:
    return _out_rows(_waiting().filter(conversation_id__in=conversations, announcement=announcement)[:most])


def rows(pks: Collection[int], status: Status = Status.QUEUED) -> list[OutRow]:
    return _out_rows(_waiting(status).filter(pk__in=pks))


def target(row: OutRow) -> int | None:
    """The outside's id of the newest message that the bot calls by that name."""
    found = Message.objects.filter(
        conversation_id=row.conversation, ref=row.ref, kind=Kind.MESSAGE, external_id__isnull=False
    )
    return found.order_by("-pk").values_list("external_id", flat=True).first()
