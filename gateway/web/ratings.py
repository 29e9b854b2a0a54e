"""A visitor's rating → row; and what is written when a visitor ends a conversation."""

from dataclasses import dataclass

from gateway.fields import clean
from gateway.models import Direction, Kind, Sender, Status
from gateway.transcript import Group
from gateway.transcript.group import Wants
from gateway.web.models import Rating

ENDED = "The visitor has ended the conversation."


@dataclass(frozen=True, slots=True)
class Rated:
    """Rated again before the next word, a scope's rating is corrected. Returns the `seq` that it is of."""

    conversation: int
    score: int
    text: str

    def needs(self, wants: Wants) -> None:
        wants.conversations.add(self.conversation)

    def apply(self, group: Group) -> int:
        conversation = group.conversation(self.conversation)
        Rating.objects.update_or_create(
            conversation_id=conversation.pk,
            seq=conversation.seq,
            defaults={"bot_id": conversation.bot_id, "score": self.score, "text": clean(self.text), "at": group.now},
        )
        return conversation.seq


@dataclass(frozen=True, slots=True)
class Left:
    """The visitor wants no more: operators read it, and nobody waits any longer for a human."""

    conversation: int

    def needs(self, wants: Wants) -> None:
        wants.conversations.add(self.conversation)

    def apply(self, group: Group) -> None:
        conversation = group.conversation(self.conversation)
        if conversation.waiting:
            group.alter(conversation, waiting=False)
        group.add(
            conversation,
            direction=Direction.OUT,
            kind=Kind.NOTE,
            sender=Sender.SYSTEM,
            text=ENDED,
            method="ended",
            status=Status.NOTE,
            settled_at=group.now,
        )
