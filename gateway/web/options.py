"""What a bot's widget offers, and where a visitor's conversation stands. These read the database."""

from collections.abc import Collection
from dataclasses import dataclass, field
from typing import Any, NamedTuple
from uuid import UUID

from gateway.models import Conversation
from gateway.types import Person
from gateway.web.models import WidgetOptions

PROTOCOL = "webchat"


@dataclass(frozen=True, slots=True)
class Options:
    """`form`: "", "before" or "offline"; `fields` as the widget gets them."""

    uploads: bool = False
    rating: bool = False
    form: str = ""
    fields: list[dict[str, Any]] = field(default_factory=list)


def options_of(bot: str) -> Options:
    return _options_of_all([bot])[bot]


def _options_of_all(bots: Collection[str]) -> dict[str, Options]:
    found = dict.fromkeys(bots, Options())
    for row in WidgetOptions.objects.filter(bot__name__in=bots).select_related("bot"):
        fields = row.fields
        found[row.bot.name] = Options(row.uploads, row.rating, row.form if fields else "", fields)
    return found


def asks_for_rating(conversation: int) -> bool:
    return WidgetOptions.objects.filter(bot__conversation=conversation, rating=True).exists()


def secret_of(bot: str) -> str:
    return WidgetOptions.objects.filter(bot__name=bot).values_list("identity_secret", flat=True).first() or ""


class Standing(NamedTuple):
    """A conversation that has its row: its counters, who has taken it over, and whom it is with."""

    pk: int
    seq: int
    rev: int
    operator: str | None
    person: Person | None


class Sight(NamedTuple):
    options: Options
    standing: Standing | None


def look(wanted: Collection[tuple[UUID, str]]) -> dict[tuple[UUID, str], Sight]:
    """All that the welcomes of these conversations with these bots need."""
    offered = _options_of_all({bot for _, bot in wanted})
    found = {one: Sight(offered[one[1]], None) for one in wanted}
    rows = Conversation.objects.filter(uuid__in={uuid for uuid, _ in wanted}, protocol=PROTOCOL)
    for row in rows.select_related("bot", "contact", "holder"):
        if (row.uuid, row.bot.name) in found:
            found[row.uuid, row.bot.name] = Sight(offered[row.bot.name], _standing(row))
    return found


def _standing(row: Conversation) -> Standing:
    contact, person = row.contact, None
    if contact is not None:
        person = Person(contact.external_id, contact.name, contact.username, contact.language, contact.user_id)
    return Standing(row.pk, row.seq, row.rev, name_of_holder(row), person)


def holder_of(conversation: int) -> str | None:
    row = Conversation.objects.filter(pk=conversation).select_related("holder").first()
    return None if row is None else name_of_holder(row)


def name_of_holder(row: Conversation) -> str | None:
    return None if row.holder is None else row.holder.get_full_name() or row.holder.get_username()
