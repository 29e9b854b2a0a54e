"""Row → outside: what is committed before and after each call."""

from datetime import timedelta
from typing import Any

from msgspec import Struct

from gateway.fields import clean
from gateway.models import Kind, Status
from gateway.transcript.group import Group, Wants
from gateway.transcript.rows import ConversationRow
from gateway.transcript.saying import OutRow, by_ref, change_seen_text, report
from gateway.transcript.scopes import end_scope


class Mark(Struct, frozen=True):
    """An outbound row's way: `sending` before each call, then `queued` again, `sent`, `failed` or `unknown`.

    `unknown`: nobody knows whether the call was done, whatever the row becomes. `blocked`, `gone`: as in Refused.
    Returns False where the row is not to be sent any more (`sending` only).
    """

    row: OutRow
    status: Status
    error: str = ""
    due_in: float | None = None
    external_id: int | None = None
    result: Any = None
    reports: bool = False
    blocked: bool = False
    gone: bool = False
    farewell: bool = False
    unknown: bool = False

    def needs(self, wants: Wants) -> None:
        wants.conversations.add(self.row.conversation)
        if self.status == Status.SENDING:
            wants.statuses.add(self.row.pk)

    def apply(self, group: Group) -> bool:
        conversation, row = group.conversation(self.row.conversation), self.row
        if self.status == Status.SENDING and not group.is_queued(row.pk):
            return False
        if self.status == Status.SENDING and row.announcement and _has_blocked(group, conversation):
            reason = "The user has blocked the bot; an announcement is not tried again."
            group.change_status(conversation, row.pk, Status.FAILED, error=reason, settled_at=group.now)
            return False
        fields = self._times(group)
        if self.unknown:
            fields["unknowns"] = row.unknowns + 1
        group.change_status(conversation, row.pk, self.status, error=self.error and clean(self.error), **fields)
        if self.status in (Status.SENT, Status.FAILED):
            self._finish(group, conversation)
        return True

    def _times(self, group: Group) -> dict[str, Any]:
        if self.status == Status.SENDING:
            return {"sends": self.row.sends + 1}
        if self.status == Status.QUEUED:
            return {"due_at": group.now + timedelta(seconds=self.due_in or 0)}
        if self.external_id is not None and self.row.kind == Kind.MESSAGE:
            return {"settled_at": group.now, "external_id": self.external_id}
        return {"settled_at": group.now}

    def _finish(self, group: Group, conversation: ConversationRow) -> None:
        row, sent = self.row, self.status == Status.SENT
        if sent and row.kind == Kind.EDIT and row.ref:
            change_seen_text(group, by_ref(group, conversation, row.ref), row.text, row.buttons, row.rich)
        if self.reports and row.ref:
            report(group, conversation, row.ref, {"result": self.result} if sent else {"error": self.error})
        if self.blocked and (contact := group.contact(conversation)) is not None:
            group.alter(contact, blocked_at=group.now)
            group.memory.reachable.discard(contact.pk)
        if (self.blocked or self.gone) and conversation.open:
            end_scope(group, conversation, "blocked", farewell=self.farewell)


def _has_blocked(group: Group, conversation: ConversationRow) -> bool:
    contact = group.contact(conversation)
    return contact is not None and contact.blocked_at is not None


class PartSent(Struct, frozen=True):
    """One more part of a divided text is out."""

    row: OutRow
    parts: list[int]

    def needs(self, wants: Wants) -> None:
        wants.conversations.add(self.row.conversation)

    def apply(self, group: Group) -> None:
        conversation = group.conversation(self.row.conversation)
        group.change_status(conversation, self.row.pk, Status.SENDING, parts=self.parts)
