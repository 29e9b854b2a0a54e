"""A chat that goes on under another id takes its conversations along, and what is on its way to it."""

from django.db.models import Q
from msgspec import Struct

from gateway.models import Conversation, Direction, Message, Status
from gateway.transcript.group import Group, Wants
from gateway.transcript.rows import ConversationRow
from gateway.types import Move

MAY_YET_LEAVE = (Status.QUEUED, Status.SENDING, Status.UNKNOWN, Status.FAILED)


class MoveChat(Struct, frozen=True):
    """Where the new id has a conversation of that key already both stay: the old one keeps its key, which nobody writes
    under any more, and what it still has to say goes to the new address."""

    protocol: str
    bot: str
    move: Move

    def needs(self, wants: Wants) -> None:
        """They are found by their keys when its turn comes."""

    def apply(self, group: Group) -> None:
        move_chat(group, self.protocol, self.bot, self.move)


def move_chat(group: Group, protocol: str, bot: str, move: Move) -> None:
    group.write_created()
    theirs = Q(key=move.old) | Q(key__startswith=f"{move.old}/")
    found = Conversation.objects.filter(theirs, bot=group.bot(bot), protocol=protocol)
    for pk in found.order_by("pk").values_list("pk", flat=True):
        _move(group, group.conversation(pk), bot, move)


def _move(group: Group, conversation: ConversationRow, bot: str, move: Move) -> None:
    if not f"{conversation.key}/".startswith(f"{move.old}/"):
        return  # This group of operations has moved it already.
    before, key = conversation.address, move.new + conversation.key.removeprefix(move.old)
    if group.find(conversation.protocol, bot, key) is None:
        group.rename(conversation, bot, key)
    address, chat = {**before, **move.address}, {**conversation.chat, **move.chat}
    group.advance(conversation, address=address, chat=chat)
    rows = Message.objects.filter(conversation_id=conversation.pk, direction=Direction.OUT, status__in=MAY_YET_LEAVE)
    for row in rows.order_by("pk"):
        _readdress(group, conversation, row, before, move)


def _readdress(
    group: Group, conversation: ConversationRow, row: Message, before: dict[str, object], move: Move
) -> None:
    """Its arguments name the chat as its conversation did when it was said."""
    moved = {name: value for name, value in move.address.items() if row.payload.get(name) == before.get(name)}
    if moved:
        group.change(row, payload={**row.payload, **moved})
    if row.status == Status.QUEUED:
        group.to_deliver(conversation, row)
