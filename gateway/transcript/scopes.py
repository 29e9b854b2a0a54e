"""The beginning of the clock and the end of a scope, as columns of its conversation."""

from datetime import timedelta

from gateway.models import UNSETTLED, Kind, Message
from gateway.transcript.group import Group
from gateway.transcript.rows import ConversationRow


def start_clock(group: Group, conversation: ConversationRow, timeout: float) -> None:
    if conversation.open and conversation.holder_id is None and not conversation.waiting:
        group.alter(conversation, deadline=group.now + timedelta(seconds=timeout))


def close_scope(group: Group, conversation: ConversationRow) -> None:
    if conversation.open:
        # `waiting` stays: somebody was promised a human, whatever the bot does next.
        group.advance(conversation, open=False, deadline=None)


def end_scope(group: Group, conversation: ConversationRow, code: str, *, farewell: bool) -> None:
    """With a farewell the scope ends when that row is settled; it is fed before anything that waits."""
    group.alter(conversation, deadline=None)
    if farewell and _is_ending(group, conversation):
        return
    if farewell:
        group.event(conversation, Kind.DISCONNECT, {"code": code})
    else:
        close_scope(group, conversation)


def _is_ending(group: Group, conversation: ConversationRow) -> bool:
    """Its farewell is written already; a second one might end the next scope."""
    if any(message.kind == Kind.DISCONNECT for message in group.in_this_group(conversation)):
        return True
    return Message.objects.filter(conversation_id=conversation.pk, status__in=UNSETTLED, kind=Kind.DISCONNECT).exists()


def has_unsettled(group: Group, conversation: ConversationRow) -> bool:
    if any(message.status in UNSETTLED for message in group.in_this_group(conversation)):
        return True
    return Message.objects.filter(conversation_id=conversation.pk, status__in=UNSETTLED).exists()
