"""A database that has a past: open conversations with the chats that a load is going to use, and messages in them.

`fill` runs in `manage.py shell`, before the gateway starts.
"""

import json
from datetime import timedelta

from django.db import connection
from django.utils import timezone

from bench.bot_api import update
from bench.load import FIRST_CHAT
from gateway.models import Bot, Contact, Conversation, Message
from gateway.parts import part_of
from gateway.telegram.updates import parse
from gateway.types import Inbound

SLICE = 5_000
TEXT = "What was said long ago, and is neither very short nor very long."


def fill(conversations: int, messages: int) -> None:
    bot, _ = Bot.objects.get_or_create(name="bot")
    for begin in range(0, conversations, SLICE):
        met = [said(begin + place) for place in range(min(SLICE, conversations - begin))]
        contacts = Contact.objects.bulk_create([contact_of(bot, one) for one in met])
        pairs = zip(met, contacts, strict=True)
        Conversation.objects.bulk_create([conversation_of(bot, one, contact) for one, contact in pairs])
    pks = list(Conversation.objects.order_by("pk").values_list("pk", flat=True))
    each = messages // conversations
    batch: list[Message] = []
    for pk in pks:
        batch += [message_of(bot, pk, number) for number in range(1, each + 1)]
        if len(batch) >= SLICE:
            Message.objects.bulk_create(batch)
            batch.clear()
    Message.objects.bulk_create(batch)
    Conversation.objects.update(seq=each, rev=each)
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE")


def said(place: int) -> Inbound:
    return parse("bot", json.loads(update(1, FIRST_CHAT + place)))


def contact_of(bot: Bot, one: Inbound) -> Contact:
    assert one.person is not None
    person = one.person
    facts = {"name": person.name, "username": person.username, "language": person.language}
    return Contact(bot=bot, protocol=one.protocol, external_id=person.id, **facts)


def conversation_of(bot: Bot, one: Inbound, contact: Contact) -> Conversation:
    return Conversation(
        bot=bot,
        contact=contact,
        protocol=one.protocol,
        key=one.key,
        chat=one.chat,
        address=one.address,
        part=part_of(one.protocol, one.bot, one.key),
        open=True,
        deadline=timezone.now() + timedelta(hours=1),
    )


def message_of(bot: Bot, conversation: int, number: int) -> Message:
    return Message(
        conversation_id=conversation,
        bot=bot,
        direction="in" if number % 2 else "out",
        kind="message",
        sender="visitor" if number % 2 else "bot",
        seq=number,
        rev=number,
        seen_rev=number,
        text=TEXT,
        method="message" if number % 2 else "send_message",
        payload={"text": TEXT},
        external_id=number,
        status="done" if number % 2 else "sent",
        settled_at=timezone.now(),
    )
