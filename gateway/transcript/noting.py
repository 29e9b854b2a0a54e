"""What only operators see: their notes, and what happened to the conversation."""

from collections.abc import Callable
from typing import Any

from msgspec import Struct

from gateway import audit
from gateway.models import Direction, Kind, Sender, Status
from gateway.transcript.group import Group, Wants, receipt, wanted
from gateway.transcript.rows import ConversationRow, MessageRow
from gateway.types import Receipt

NOTED = "note"


def add_note(group: Group, conversation: ConversationRow, text: str, user: Any = None, **fields: Any) -> MessageRow:
    """A row without a `seq`. By default it tells of an event, whose name is its `method`; `user`: who did it."""
    return group.add(
        conversation,
        **{"sender": Sender.SYSTEM, "method": NOTED, "payload": {}, **fields},
        direction=Direction.OUT,
        kind=Kind.NOTE,
        author_id=None if user is None else user.pk,
        name="" if user is None else name_of(user),
        text=text,
        status=Status.NOTE,
        settled_at=group.now,
    )


def name_of(user: Any) -> str:
    return str(user.get_full_name() or user.get_username())


class Note(Struct, frozen=True):
    """An operator's note, which never leaves. The same `client_id` again is a no-op."""

    uuid: str
    user: Any
    client_id: str
    text: str

    def needs(self, wants: Wants) -> None:
        """It is found by its UUID when its turn comes."""

    def apply(self, group: Group) -> Callable[[], Receipt]:
        conversation = wanted(group, self.uuid)
        known = group.find_client(conversation, self.client_id)
        if known is not None:
            return receipt(known, duplicate=True)
        note = add_note(group, conversation, self.text, self.user, sender=Sender.OPERATOR, client_id=self.client_id)
        group.know(note)
        audit.record(self.user, "note", conversation=conversation)
        return receipt(note)
