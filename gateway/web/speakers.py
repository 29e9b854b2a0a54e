"""Who spoke in rooms: a room is nobody's, so they may have no contact by which they could be found."""

import json
from typing import NamedTuple

from django.db.models import Q, QuerySet

from gateway.models import Bot, Contact, Message, Sender
from gateway.web.options import PROTOCOL

ROOMS = "room/"
LOOKED_AT = 2000


class Speaker(NamedTuple):
    """`id` is the visitor's. `name`: what they were called last."""

    bot: int
    bot_name: str
    id: str
    name: str


def find(where: Q, sought: str) -> list[Speaker]:
    """By their name, or by their whole id; each once. `where`: the rows that may be looked at."""
    named = Q(name__icontains=sought) | Q(payload__contains=_as_sender(sought))
    rows = _said(where).filter(named).order_by("-pk").values_list("bot", "bot__name", "name", "payload")
    found: dict[tuple[int, str], Speaker] = {}
    for bot, bot_name, name, payload in rows[:LOOKED_AT]:
        visitor = str(payload.get("sender", {}).get("id", ""))
        if visitor:
            found.setdefault((bot, visitor), Speaker(bot, bot_name, visitor, name))
    return list(found.values())


def contact_of(bot: Bot, visitor: str) -> Contact | None:
    """Theirs, made where there is none; None: nobody of that id has spoken there."""
    row = _said(Q(bot=bot, payload__contains=_as_sender(visitor))).order_by("-pk").first()
    if row is None:
        return None
    known = {"name": row.name}
    return Contact.objects.get_or_create(bot=bot, protocol=PROTOCOL, external_id=visitor, defaults=known)[0]


def _said(where: Q) -> QuerySet[Message]:
    in_rooms = Q(conversation__protocol=PROTOCOL, conversation__key__startswith=ROOMS)
    return Message.objects.filter(where, in_rooms, sender=Sender.VISITOR)


def _as_sender(visitor: str) -> str:
    return f'"sender":{{"id":{json.dumps(visitor)}'
