"""An operator takes a conversation over, gives it to another, hands it back, or closes it."""

from collections.abc import Callable
from typing import Any
from uuid import UUID

from msgspec import Struct

from gateway import audit
from gateway.errors import Denied
from gateway.models import Conversation, Kind, Message, Status
from gateway.transcript.group import Group, Wants, is_held, wanted
from gateway.transcript.noting import add_note, name_of
from gateway.transcript.rows import ConversationRow
from gateway.transcript.scopes import has_unsettled, start_clock


class Take(Struct, frozen=True):
    uuid: str
    user: Any

    def needs(self, wants: Wants) -> None:
        """It is found by its UUID when its turn comes."""

    def apply(self, group: Group) -> int:
        conversation = wanted(group, self.uuid)
        _refuse_anothers(conversation, self.user)
        if not is_held(conversation):
            _hold(group, conversation, self.user)
            add_note(group, conversation, f"{name_of(self.user)} took over.", self.user, method="take")
            audit.record(self.user, "take", conversation=conversation)
        return conversation.pk


class Assign(Struct, frozen=True):
    """`user` gives the conversation to `to`: one that is their own or nobody's, with `force` anybody's."""

    uuid: str
    user: Any
    to: Any
    force: bool = False

    def needs(self, wants: Wants) -> None:
        """It is found by its UUID when its turn comes."""

    def apply(self, group: Group) -> int:
        conversation = wanted(group, self.uuid)
        if conversation.holder_id == self.to.pk:
            return conversation.pk
        if not self.force:
            _refuse_anothers(conversation, self.user)
        before = conversation.holder
        if before is None:
            _hold(group, conversation, self.to)
        else:
            group.alter(conversation, holder_id=self.to.pk)
        text = f"{name_of(self.user)} assigned this to {name_of(self.to)}."
        add_note(group, conversation, text, self.user, method="assign")
        parties = {"to": self.to.get_username(), **({"from": before.get_username()} if before else {})}
        audit.record(self.user, "assign", conversation=conversation, detail=parties)
        return conversation.pk


class Release(Struct, frozen=True):
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
        self._tell(group, conversation)
        group.alter(conversation, holder_id=None)
        if conversation.open and self.resume(conversation):
            group.event(conversation, Kind.RESUME, {"messages": _said_meanwhile(group, conversation)})
        start_clock(group, conversation, self.timeout)
        return conversation.pk

    def _tell(self, group: Group, conversation: ConversationRow) -> None:
        if self.user is None:
            text = f"{name_of(conversation.holder)} has gone: handed back."
            add_note(group, conversation, text, conversation.holder, method="vanish")
        else:
            add_note(group, conversation, f"{name_of(self.user)} handed back.", self.user, method="release")
            audit.record(self.user, "release", conversation=conversation)


class Close(Struct, frozen=True):
    """Nobody holds the conversation or waits in it any more; its scope is ended after this. `force`: also another's."""

    uuid: str
    user: Any
    force: bool = False

    def needs(self, wants: Wants) -> None:
        """It is found by its UUID when its turn comes."""

    def apply(self, group: Group) -> int:
        conversation = wanted(group, self.uuid)
        if not self.force:
            _refuse_anothers(conversation, self.user)
        if conversation.state != "ended":
            group.alter(conversation, holder_id=None, waiting=False, waiting_since=None)
            add_note(group, conversation, f"{name_of(self.user)} closed this.", self.user, method="close")
            audit.record(self.user, "close", conversation=conversation)
        return conversation.pk


def _refuse_anothers(conversation: ConversationRow, user: Any) -> None:
    if is_held(conversation) and conversation.holder_id != user.pk:
        raise Denied("held", f"{conversation.holder} has taken this conversation over.")


def _hold(group: Group, conversation: ConversationRow, holder: Any) -> None:
    told = _told_until(group, conversation)
    nothing: dict[str, Any] = {"waiting": False, "waiting_since": None, "deadline": None}
    group.alter(conversation, holder_id=holder.pk, held_since_seq=told, **nothing)


class Adopt(Struct, frozen=True):
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


def _told_until(group: Group, conversation: ConversationRow) -> int:
    """The last `seq` that the bot knows without a resume: what waits now to be fed will be settled unfed."""
    waiting = [
        *Message.objects.filter(conversation_id=conversation.pk, status=Status.RECEIVED),
        *(message for message in group.in_this_group(conversation) if message.status == Status.RECEIVED),
    ]
    if any(message.kind == Kind.RESUME for message in waiting):
        return conversation.held_since_seq  # It was not even told of the last hold yet.
    return min([m.seq - 1 for m in waiting if m.seq is not None], default=conversation.seq)


def _said_meanwhile(group: Group, conversation: ConversationRow) -> list[dict[str, Any]]:
    rows = Message.objects.filter(conversation_id=conversation.pk, seq__gt=conversation.held_since_seq).order_by("seq")
    new = [message for message in group.in_this_group(conversation) if message.seq is not None]
    return [
        {"from": str(m.sender), "name": m.name, "text": m.text, "seq": m.seq, "at": m.at.isoformat()}
        for m in [*rows, *new]
    ]
