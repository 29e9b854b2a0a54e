"""Rows that go for good: a person's, and those that are older than a bot keeps them."""

from datetime import datetime
from typing import Any

from django.contrib.admin.models import LogEntry
from django.db import connection
from django.db.models import QuerySet
from msgspec import Struct

from gateway.models import Contact, Conversation, Message, Status
from gateway.people import REPLACED, Ids, is_theirs, kept_by_uuid, without
from gateway.transcript.group import Group, Wants

ROWS = 200
"""In one transaction: whoever else has words to write waits no longer than that takes."""
UNFINISHED = (Status.RECEIVED, Status.IN_HAND, Status.QUEUED, Status.SENDING)


class EraseRows(Struct, frozen=True):
    """The newest rows of a conversation. What was said goes before what it was said to. Returns how many are gone."""

    conversation: int

    def needs(self, wants: Wants) -> None:
        wants.conversations.add(self.conversation)

    def apply(self, group: Group) -> int:
        _overwrite()
        found = Message.objects.filter(conversation=self.conversation).order_by("-pk")
        return _delete(list(found.values_list("pk", flat=True)[:ROWS]))


class EraseConversation(Struct, frozen=True):
    """What is left of it, what other tables keep of it, and its contact if that has no other."""

    conversation: int

    def needs(self, wants: Wants) -> None:
        wants.conversations.add(self.conversation)

    def apply(self, group: Group) -> None:
        _overwrite()
        place = Conversation.objects.filter(pk=self.conversation).first()
        if place is None:
            return
        group.memory.forget()
        _delete(list(Message.objects.filter(conversation=place).order_by("-pk").values_list("pk", flat=True)))
        for rows in kept_by_uuid([place.uuid]):
            rows.delete()
        _forget_in_admin("conversation", place.pk)
        place.delete()
        others = Conversation.objects.filter(contact=place.contact_id)
        if place.contact_id is not None and not others.exists():
            _forget_in_admin("contact", place.contact_id)
            Contact.objects.filter(pk=place.contact_id).delete()


class EraseContact(Struct, frozen=True):
    contact: int

    def needs(self, wants: Wants) -> None:
        """It has no conversation any more."""

    def apply(self, group: Group) -> None:
        _overwrite()
        group.memory.forget()
        _forget_in_admin("contact", self.contact)
        Contact.objects.filter(pk=self.contact).delete()


class Scrub(Struct, frozen=True):
    """Takes a person out of another's row: what was quoted stays as a mark. What they said in a room goes with its
    answers; its number stays, so that the others' reading has no gap."""

    row: int
    person: Ids

    def needs(self, wants: Wants) -> None:
        wants.conversations |= set(Message.objects.filter(pk=self.row).values_list("conversation_id", flat=True))

    def apply(self, group: Group) -> bool:
        row = Message.objects.filter(pk=self.row).first()
        if row is None or (payload := without(row.payload, self.person)) == row.payload:
            return False
        _overwrite()
        if not is_theirs(row.payload, self.person):
            group.change(row, payload=payload)
            return True
        for said in [row, *Message.objects.filter(cause=row)]:
            _blank(group, said, payload if said is row else REPLACED)
        return True


def _blank(group: Group, row: Message, payload: Any) -> None:
    conversation = group.conversation(row.conversation_id)
    if row.seq is not None and row.seq == conversation.seq:
        group.alter(conversation, last="")
    words: dict[str, Any] = {"text": "", "name": "", "rich": None, "buttons": None, "error": ""}
    group.change(row, seen=row.seq is not None, payload=payload, **words)


class PruneRows(Struct, frozen=True):
    """A bot's rows of before `until`, from row `after` on. Returns how many, and the last; None: that was all."""

    bot: int
    until: datetime
    after: int = 0

    def needs(self, wants: Wants) -> None:
        """Nobody changes them any more."""

    def apply(self, group: Group) -> tuple[int, int | None]:
        _overwrite()
        pks = list(self.rows().values_list("pk", flat=True)[:ROWS])
        return _delete(pks), pks[-1] if pks else None

    def rows(self) -> QuerySet[Message]:
        """What has not come to its end yet is kept however old it is."""
        old = Message.objects.filter(bot=self.bot, at__lt=self.until, pk__gt=self.after)
        return old.exclude(status__in=UNFINISHED).order_by("pk")


class PruneLast(Struct, frozen=True):
    """The last words as the list shows them, of a conversation that stays."""

    conversation: int
    until: datetime

    def needs(self, wants: Wants) -> None:
        wants.conversations.add(self.conversation)

    def apply(self, group: Group) -> None:
        conversation = group.conversation(self.conversation)
        if conversation.last_at is not None and conversation.last_at < self.until:
            group.alter(conversation, last="", rev=conversation.rev + 1, changed_at=group.now)


def _delete(pks: list[int]) -> int:
    """Without loading them. What was said to one of them and stays, stays without its cause."""
    Message.objects.filter(cause__in=pks).exclude(pk__in=pks).update(cause=None, ordinal=None)
    Message.objects.filter(pk__in=pks)._raw_delete("default")
    return len(pks)


def _forget_in_admin(model: str, pk: int) -> None:
    """The administration's history names what was changed."""
    entries = LogEntry.objects.filter(content_type__app_label="gateway", content_type__model=model)
    entries.filter(object_id=str(pk)).delete()


def _overwrite() -> None:
    """SQLite leaves what is deleted in its file until the place is used again, unless it is told otherwise."""
    if connection.vendor == "sqlite":
        with connection.cursor() as cursor:
            cursor.execute("PRAGMA secure_delete=ON")
