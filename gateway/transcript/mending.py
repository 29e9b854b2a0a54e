"""What people do about a row that did not arrive, or was not handled: send it again, drop it, feed it again."""

import logging
from typing import Any

from msgspec import Struct

from gateway import audit
from gateway.errors import Denied
from gateway.fields import clean
from gateway.models import Direction, Kind, Message, Status
from gateway.transcript.group import Group, Wants, is_held
from gateway.transcript.rows import ConversationRow

logger = logging.getLogger(__name__)

RESENT = (Status.UNKNOWN, Status.FAILED)
DROPPED = (Status.UNKNOWN, Status.FAILED, Status.QUEUED)
REPLAYED = (Status.DEAD, Status.FAILED)
OWN_EVENTS = (Kind.RESULT, Kind.RESUME, Kind.DISCONNECT)
REPLAYED_FEEDINGS = 1
"""Its feedings are counted anew, but for one: it is fed as something that was fed before."""


def choices(row: Message) -> list[str]:
    """What may be done about it: "resend", "drop", "replay"."""
    if row.direction == Direction.IN:
        fed = row.feedings > 0 and row.kind not in OWN_EVENTS
        return ["replay"] if fed and row.status in REPLAYED else []
    resent = ["resend"] if row.status in RESENT and row.sends > 0 else []
    return resent + (["drop"] if row.status in DROPPED else [])


class Mend(Struct, frozen=True):
    """`conversation` None: whichever it is in. `who`: as the row and the log say it. `user`: as the audit log says it,
    None where a command does it. Raises Denied.

    Returns the conversation.
    """

    row: int
    who: str
    conversation: int | None = None
    user: Any = None

    def needs(self, wants: Wants) -> None:
        """It is found by its key when its turn comes."""

    def _found(self, group: Group, choice: str) -> tuple[ConversationRow, Message]:
        """The row, as it is once its conversation is locked."""
        place = Message.objects.filter(pk=self.row).values_list("conversation", flat=True).first()
        if place is None or self.conversation not in (None, place):
            raise Denied("unknown_row", "There is no such row in this conversation.")
        conversation = group.conversation(place)
        row = Message.objects.get(pk=self.row)
        row.status = group.status_of(row)
        if choice not in choices(row):
            raise Denied("not_possible", _why_not(row, choice))
        logger.info("Row %s: %s by %s.", row.pk, choice, self.who)
        if self.user is not None:
            audit.record(self.user, choice, conversation=conversation, detail={"row": row.pk})
        return conversation, row


def _why_not(row: Message, choice: str) -> str:
    if choice == "resend" and row.status == Status.FAILED and not row.sends:
        return f"Row {row.pk} cannot leave as it is ({row.error}): say it anew."
    if choice == "replay" and row.status in REPLAYED:
        return f"Row {row.pk} cannot be fed again: no handler had it, or it belongs to a scope that has ended."
    way = "came in" if row.direction == Direction.IN else "went out"
    return f"Row {row.pk} {way} and is {row.status!s}: it cannot be {DONE[choice]}."


DONE = {"resend": "sent again", "drop": "dropped", "replay": "fed again"}


class Resend(Mend, frozen=True):
    """It goes behind whatever waits for its chat now. Parts that are known to be out are not sent again."""

    def apply(self, group: Group) -> int:
        conversation, row = self._found(group, "resend")
        error = clean(f"Sent again by {self.who}.")
        group.change(row, status=Status.QUEUED, error=error, due_at=None, settled_at=None)
        group.to_deliver(conversation, row)
        return conversation.pk


class Drop(Mend, frozen=True):
    """It leaves no more, and stays where operators see it."""

    def apply(self, group: Group) -> int:
        conversation, row = self._found(group, "drop")
        error = clean(f"Dropped by {self.who}. {row.error}".strip())
        group.change(row, status=Status.NOTE, error=error, settled_at=group.now)
        return conversation.pk


class Replay(Mend, frozen=True):
    """It is fed once more, behind what its conversation has waiting; what it has said already is not said again.

    `here` False: another process feeds it, which finds it by its `due_at`.
    """

    here = True

    def apply(self, group: Group) -> int:
        conversation, row = self._found(group, "replay")
        if is_held(conversation):
            raise Denied("held", "While somebody has the conversation the bot hears nothing: hand it back first.")
        group.change(
            row,
            status=Status.RECEIVED,
            error=clean(f"Fed again by {self.who}."),
            feedings=REPLAYED_FEEDINGS,
            settled_at=None,
            due_at=None if self.here else group.now,
        )
        if self.here:
            group.to_feed(conversation, row)
        return conversation.pk


class ReplayElsewhere(Replay, frozen=True):
    here = False


class TakeUp(Struct, frozen=True):
    """What another process wants to be fed again is fed by this one, once."""

    row: int

    def needs(self, wants: Wants) -> None:
        """It is found by its key when its turn comes."""

    def apply(self, group: Group) -> None:
        place = Message.objects.filter(pk=self.row).values_list("conversation", flat=True).first()
        if place is None:
            return
        conversation = group.conversation(place)
        row = Message.objects.get(pk=self.row)
        if group.status_of(row) == Status.RECEIVED and row.due_at is not None:
            group.change(row, due_at=None)
            group.again.append((conversation, row))
