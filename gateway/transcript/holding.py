"""An operator takes a conversation over and hands it back."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from gateway.errors import Denied
from gateway.models import Conversation, Kind, Message, Status
from gateway.transcript.group import Group, Wants, is_held, wanted
from gateway.transcript.scopes import has_unsettled, start_clock


@dataclass(frozen=True, slots=True)
class Take:
    uuid: str
    user: Any

    def needs(self, wants: Wants) -> None:
        """It is found by its UUID when its turn comes."""

    def apply(self, group: Group) -> int:
        conversation = wanted(group, self.uuid)
        if is_held(conversation) and conversation.holder_id != self.user.pk:
            raise Denied("held", f"{conversation.holder} has taken this conversation over.")
        if not is_held(conversation):
            group.alter(
                conversation,
                holder_id=self.user.pk,
                waiting=False,
                deadline=None,
                held_since_seq=_told_until(group, conversation),
                rev=conversation.rev + 1,
                changed_at=group.now,
            )
        return conversation.pk


@dataclass(frozen=True, slots=True)
class Release:
    """`user` None: the gateway releases for a holder who has `vanished`. `resume`: the bot wants to be told."""

    uuid: str
    user: Any
    resume: Callable[[Conversation], bool]
    timeout: float
    vanished: int | None = None

    def needs(self, wants: Wants) -> None:
        """It is found by its UUID when its turn comes."""

    def apply(self, group: Group) -> int:
        conversation = wanted(group, self.uuid)
        if self.user is not None and conversation.holder_id != self.user.pk:
            raise Denied("not_holder", "You have not taken this conversation over.")
        if not is_held(conversation) or self.vanished not in (None, conversation.holder_id):
            return conversation.pk
        group.alter(conversation, holder_id=None, rev=conversation.rev + 1, changed_at=group.now)
        if conversation.open and self.resume(conversation):
            group.event(conversation, Kind.RESUME, {"messages": _said_meanwhile(group, conversation)})
        start_clock(group, conversation, self.timeout)
        return conversation.pk


@dataclass(frozen=True, slots=True)
class Adopt:
    """Goes on where the holder was deleted, who takes the hold along and starts no clock. Else it does nothing.

    Returns the conversation if its clock was started.
    """

    uuid: UUID
    resume: Callable[[Conversation], bool]
    timeout: float

    def needs(self, wants: Wants) -> None:
        """It is found by its UUID when its turn comes."""

    def apply(self, group: Group) -> int | None:
        pk = Conversation.objects.filter(uuid=self.uuid).values_list("pk", flat=True).first()
        if pk is None:
            return None
        conversation = group.conversation(pk)
        free = conversation.open and not conversation.waiting and not is_held(conversation)
        if not free or conversation.deadline is not None or has_unsettled(group, conversation):
            return None
        if self.resume(conversation):
            group.event(conversation, Kind.RESUME, {"messages": _said_meanwhile(group, conversation)})
        start_clock(group, conversation, self.timeout)
        return pk


def _told_until(group: Group, conversation: Conversation) -> int:
    """The last `seq` that the bot knows without a resume: what waits now to be fed will be settled unfed."""
    waiting = [
        *Message.objects.filter(conversation=conversation, status=Status.RECEIVED),
        *(m for m in group.added if m.conversation_id == conversation.pk and m.status == Status.RECEIVED),
    ]
    if any(message.kind == Kind.RESUME for message in waiting):
        return conversation.held_since_seq  # It was not even told of the last hold yet.
    return min([m.seq - 1 for m in waiting if m.seq is not None], default=conversation.seq)


def _said_meanwhile(group: Group, conversation: Conversation) -> list[dict[str, Any]]:
    rows = Message.objects.filter(conversation=conversation, seq__gt=conversation.held_since_seq).order_by("seq")
    new = [m for m in group.added if m.conversation_id == conversation.pk and m.seq is not None]
    return [
        {"from": str(m.sender), "name": m.name, "text": m.text, "seq": m.seq, "at": m.at.isoformat()}
        for m in [*rows, *new]
    ]
