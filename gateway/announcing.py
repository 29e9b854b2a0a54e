"""A system message to many conversations, from a process of its own: written as rows, which the gateway finds."""

import contextlib
import json
from collections.abc import Iterator
from datetime import timedelta

from django.utils import timezone

from gateway.models import Conversation, Sender
from gateway.protocols import find_protocols
from gateway.transcript import Say
from gateway.transcript.saying import IMMEDIATE
from gateway.writer import commit_here


def recent(within: timedelta, *, bot: str | None = None, protocol: str | None = None) -> Iterator[Conversation]:
    """The conversations that had a word within that time and whose person has not blocked the bot."""
    found = Conversation.objects.filter(last_at__gte=timezone.now() - within, contact__blocked_at__isnull=True)
    if bot is not None:
        found = found.filter(bot__name=bot)
    if protocol is not None:
        found = found.filter(protocol=protocol)
    return once_a_place(found.select_related("bot").order_by("pk").iterator(chunk_size=500))


def once_a_place(conversations: Iterator[Conversation]) -> Iterator[Conversation]:
    """A group has a conversation for each member who wrote, and is one place. No person's account speaks for us."""
    seen = set()
    for conversation in conversations:
        place = json.dumps(conversation.address, sort_keys=True) if conversation.address else str(conversation.pk)
        key = conversation.bot_id, conversation.protocol, place
        if key not in seen and "business_connection_id" not in conversation.address:
            seen.add(key)
            yield conversation


def announce(text: str, conversations: Iterator[Conversation]) -> Iterator[Conversation]:
    """Says the text in each, one transaction a conversation; yields each once its row is committed."""
    protocols = {protocol.scope_type: protocol for protocol in find_protocols()}
    IMMEDIATE.update(name for name, protocol in protocols.items() if protocol.immediate)
    for conversation in conversations:
        protocol = protocols.get(conversation.protocol)
        if protocol is None:
            continue
        outbound = protocol.compose("send_message", {"text": text}, address=conversation.address, event=None)
        with contextlib.suppress(KeyError):  # Deleted since it was read.
            commit_here(Say(conversation.pk, outbound, sender=Sender.SYSTEM, announcement=True))
            yield conversation
