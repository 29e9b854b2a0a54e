"""The console's list: filtered, searched and paged by the database. All of this runs on a reader's thread."""

import contextlib
from collections.abc import Callable, Mapping
from typing import Any
from uuid import UUID

import msgspec
from django.db.models import Max, Q, QuerySet

from gateway.access import Rights
from gateway.fields import clean
from gateway.models import Bot, Conversation, Message, Role, Tag
from gateway.protocols import find_protocols
from gateway.web import rows
from gateway.web.frames import encode
from gateway.web.operator_frames import List

SIZE = 50
MOST_COUNTED = 9_999
# Words are looked for in the newest rows only: without an index that both databases have, a look at all is too long.
ROWS_SEARCHED = 200_000
MOST_FOUND = 500
MOST_TAGS = 500

FREE = Q(holder=None)
STATES = {
    "bot": FREE & Q(open=True, waiting=False),
    "waiting": FREE & Q(waiting=True),
    "held": Q(holder__isnull=False),
    "ended": FREE & Q(open=False, waiting=False),
}


def asked(query: Mapping[str, str]) -> List:
    """What an address asks for; what makes no sense in it is passed over."""
    wanted: dict[str, Any] = {"mine": bool(query.get("mine"))}
    for name in ("state", "bot", "protocol", "tag", "search"):
        with contextlib.suppress(msgspec.ValidationError):
            value = clean(query.get(name, ""))
            msgspec.convert({"type": "list", name: value}, List)
            wanted[name] = value
    return List(**wanted)


def page(rights: Rights, user: Any, wanted: List) -> dict[str, Any]:
    """`{"conversations": [frame…], "more": whether there are older ones, "counts": {state: number}}`."""
    found = _filtered(rights, user, wanted)
    shown = rows.frames_of(_after(found, wanted.before).order_by("-last_at", "-pk")[: SIZE + 1])
    return {"conversations": shown[:SIZE], "more": len(shown) > SIZE, "counts": counts(rights)}


def answer(rights: Rights, user: Any, wanted: List) -> str:
    return encode({"type": "list", "id": wanted.id, **page(rights, user, wanted)})


def choices(rights: Rights) -> dict[str, list[str]]:
    """What there is to filter by."""
    bots = Bot.objects.filter(rights.where(Role.WATCH, "pk")).order_by("name")
    return {
        "bots": list(bots.values_list("name", flat=True)),
        "protocols": sorted(protocol.scope_type for protocol in find_protocols()),
        "tags": list(Tag.objects.values_list("name", flat=True)[:MOST_TAGS]),
    }


def counts(rights: Rights) -> dict[str, int]:
    """Conversations by state, each counted up to MOST_COUNTED."""
    seen = Conversation.objects.filter(rights.where(Role.WATCH), last_at__isnull=False)
    return {state: seen.filter(condition).values("pk")[:MOST_COUNTED].count() for state, condition in STATES.items()}


def _filtered(rights: Rights, user: Any, wanted: List) -> QuerySet[Conversation]:
    found = Conversation.objects.filter(rights.where(Role.WATCH), last_at__isnull=False)
    for value, condition in _conditions(user, wanted):
        if value:
            found = found.filter(condition(value))
    return found


def _conditions(user: Any, wanted: List) -> list[tuple[Any, Callable[[Any], Q]]]:
    return [
        (wanted.state, STATES.__getitem__),
        (wanted.bot, lambda name: Q(bot__name=name)),
        (wanted.protocol, lambda name: Q(protocol=name)),
        (wanted.tag, lambda name: Q(contact__tags__name=name)),
        (wanted.mine, lambda _: Q(holder=user)),
        (wanted.search.strip(), _sought),
    ]


def _after(found: QuerySet[Conversation], before: str) -> QuerySet[Conversation]:
    with contextlib.suppress(ValueError):
        place = Conversation.objects.filter(uuid=UUID(before)).values_list("last_at", "pk").first()
        if place is not None:
            at, pk = place
            return found.filter(Q(last_at__lt=at) | Q(last_at=at, pk__lt=pk))
    return found


def _sought(text: str) -> Q:
    """People by name, username or number, conversations by their UUID, and what was said lately."""
    found = Q(contact__name__icontains=text) | Q(contact__username__icontains=text) | Q(contact__external_id=text)
    with contextlib.suppress(ValueError):
        found |= Q(uuid=UUID(text))
    newest = Message.objects.aggregate(newest=Max("pk"))["newest"] or 0
    said = Message.objects.filter(pk__gt=newest - ROWS_SEARCHED, text__icontains=text).order_by("-pk")
    return found | Q(pk__in=set(said.values_list("conversation_id", flat=True)[:MOST_FOUND]))
