"""An announcement's rows: written slice by slice, held back, let go, given up."""

from typing import Any, ClassVar

from django.db.models import QuerySet
from msgspec import Struct

from gateway.announcement import Announcement, AnnouncementState
from gateway.fields import clean
from gateway.models import Message, Sender, Status
from gateway.transcript.group import Group, Wants
from gateway.transcript.saying import add_outbound
from gateway.types import Outbound

RUNNING, PAUSED, CANCELLED = AnnouncementState.RUNNING, AnnouncementState.PAUSED, AnnouncementState.CANCELLED


class Slice(Struct, frozen=True):
    """Some of those who are to hear it, and what each is to be told. `after`: where the next slice begins, None: this
    was the last."""

    recipients: tuple[tuple[int, Outbound], ...]
    after: int | None


class WriteSlice(Struct, frozen=True):
    """The rows and how far they go, in one transaction. Writes nothing where it was paused or written meanwhile.

    Returns how many rows were written.
    """

    announcement: int
    bot: int
    before: int
    slice: Slice

    def needs(self, wants: Wants) -> None:
        wants.conversations |= {pk for pk, _ in self.slice.recipients}

    def apply(self, group: Group) -> int:
        announcement, bot = _locked(self.announcement), str(self.bot)
        if announcement.state != RUNNING or announcement.cursors.get(bot) != self.before:
            return 0
        count = sum(self._write(group, pk, outbound) for pk, outbound in self.slice.recipients)
        cursors = {**announcement.cursors, bot: self.slice.after}
        group.alter(announcement, cursors=cursors, written=announcement.written + count)
        return count

    def _write(self, group: Group, pk: int, outbound: Outbound) -> bool:
        try:
            conversation = group.conversation(pk)
        except KeyError:  # Deleted since it was read.
            return False
        said: dict[str, Any] = {"sender": Sender.SYSTEM, "announcement": True, "announced_id": self.announcement}
        add_outbound(group, conversation, outbound, **said)
        return True


class Turn(Struct, frozen=True):
    """Another state for an announcement, and what that means for its rows. Returns whether it could be had.

    `who`: as its rows say it.
    """

    _from: ClassVar[tuple[AnnouncementState, ...]]
    _to: ClassVar[AnnouncementState]
    announcement: int
    who: str

    def needs(self, wants: Wants) -> None:
        wants.conversations |= set(self._rows().values_list("conversation_id", flat=True))

    def apply(self, group: Group) -> bool:
        announcement = _locked(self.announcement)
        if announcement.state not in self._from:
            return False
        if announcement.state != self._to:
            ended = {"ended_at": group.now} if self._to == CANCELLED else {}
            group.alter(announcement, state=self._to, **ended)
        for row in self._rows().order_by("pk"):
            self._turn(group, row)
        return True

    def _rows(self) -> QuerySet[Message]:
        raise NotImplementedError

    def _turn(self, group: Group, row: Message) -> None:
        raise NotImplementedError


class Pause(Turn, frozen=True):
    """What has not left stays, as a note, until `Resume`. Once more on a paused one: what was to be tried again."""

    _from = (RUNNING, PAUSED)
    _to = PAUSED

    def _rows(self) -> QuerySet[Message]:
        return queued(self.announcement)

    def _turn(self, group: Group, row: Message) -> None:
        # Without a time at which it was settled: one that was given up has it.
        group.change(row, status=Status.NOTE, error=clean(f"Paused by {self.who}."), settled_at=None)


class Resume(Turn, frozen=True):
    _from = (PAUSED,)
    _to = RUNNING

    def _rows(self) -> QuerySet[Message]:
        return on_hold(self.announcement)

    def _turn(self, group: Group, row: Message) -> None:
        group.change(row, status=Status.QUEUED, error="", due_at=None)
        group.to_deliver(group.conversation(row.conversation_id), row)


class Cancel(Turn, frozen=True):
    """What has not left never does."""

    _from = (RUNNING, PAUSED, CANCELLED)
    _to = CANCELLED

    def _rows(self) -> QuerySet[Message]:
        return queued(self.announcement) | on_hold(self.announcement)

    def _turn(self, group: Group, row: Message) -> None:
        error = clean(f"Dropped: {self.who} cancelled the announcement.")
        group.change(row, status=Status.NOTE, error=error, settled_at=group.now)


def queued(announcement: int) -> QuerySet[Message]:
    return Message.objects.filter(announced=announcement, status=Status.QUEUED)


def on_hold(announcement: int) -> QuerySet[Message]:
    return Message.objects.filter(announced=announcement, status=Status.NOTE, settled_at__isnull=True)


def _locked(pk: int) -> Announcement:
    return Announcement.objects.select_for_update().get(pk=pk)
