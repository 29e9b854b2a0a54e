"""What other processes have left in the rows, taken by its owner in the order of all that the owner writes."""

from msgspec import Struct

from gateway.models import Kind, Status
from gateway.transcript.feeding import take_in_hand
from gateway.transcript.group import Group, Left, Wants, is_held
from gateway.transcript.rows import MessageRow


class Hear(Struct, frozen=True):
    """Finds what waits in these conversations; the group then has it in `heard`. `take`: those of which the first row,
    where nothing is in hand, is so at once, as if a Begin had followed."""

    conversations: frozenset[int]
    take: frozenset[int] = frozenset()

    def needs(self, wants: Wants) -> None:
        wants.left |= self.conversations

    def apply(self, group: Group) -> None:
        for left in group.left:
            if group.is_mine(left.conversation):
                group.heard.append(left)
                if left.conversation.pk in self.take:
                    _take_first(group, left)


def _take_first(group: Group, left: Left) -> None:
    """Only what needs nothing but to be fed: whatever else there is has a Begin of its own."""
    conversation = left.conversation
    if not (left.inbound and left.whole) or is_held(conversation) or conversation.banned:
        return
    first = left.inbound[0]
    plain = first.kind == Kind.MESSAGE and not first.feedings and first.due_at is None
    if plain and all(_waits(group, row) for row in left.inbound):
        group.change(first, status=Status.IN_HAND, feedings=1)
        first.begun = take_in_hand(group, conversation, fresh=not group.memory.is_live(conversation.pk))


def _waits(group: Group, row: MessageRow) -> bool:
    """A farewell would go first."""
    return group.status_of(row) == Status.RECEIVED and row.kind != Kind.DISCONNECT
