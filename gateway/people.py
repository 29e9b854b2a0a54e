"""One person everywhere: the contacts that are theirs, all that is kept of them, and where else they are spoken of."""

import json
from collections.abc import Iterable, Iterator
from typing import Any
from uuid import UUID

from django.apps import apps
from django.db import models
from django.db.models import Q, QuerySet

from gateway.models import Audit, Contact, Conversation, Message

BY_UUID = ("conversation", "owner")
"""UUID fields of this name, in any table of any app, say whose conversation a row belongs to."""
REPLACED = {"erased": True}
PEOPLE = ("from", "user", "sender", "sender_chat", "new_chat_member", "left_chat_member", "forward_from", "contact")


def same_person(contact: Contact) -> QuerySet[Contact]:
    """The contacts of that protocol's account with every bot, and those of the same linked Django user."""
    same = Q(protocol=contact.protocol, external_id=contact.external_id)
    if contact.user_id is not None:
        linked = Contact.objects.filter(user=contact.user_id).values_list("protocol", "external_id")
        for protocol, external_id in set(linked):
            same |= Q(protocol=protocol, external_id=external_id)
    return Contact.objects.filter(same).order_by("pk")


def find(name: str) -> QuerySet[Contact]:
    """By `protocol:id`, as in telegram:123."""
    protocol, _, external_id = name.partition(":")
    return Contact.objects.filter(protocol=protocol, external_id=external_id).order_by("pk")


def conversations_of(contacts: Iterable[int]) -> QuerySet[Conversation]:
    return Conversation.objects.filter(contact__in=list(contacts)).order_by("pk")


def kept_by_uuid(conversations: Iterable[UUID]) -> Iterator[QuerySet[Any]]:
    """What other tables keep of those conversations: files, and what bots write down. The audit log names no person."""
    uuids = list(conversations)
    for model in apps.get_models():
        for field in model._meta.concrete_fields:
            if isinstance(field, models.UUIDField) and field.name in BY_UUID and model is not Audit:
                yield model._default_manager.filter(**{f"{field.name}__in": uuids})


# All that is kept


def export(contacts: QuerySet[Contact]) -> dict[str, Any]:
    """As JSON can hold it: each table's rows by its name, the transcript with each conversation."""
    places = list(conversations_of(contacts.values_list("pk", flat=True)).select_related("bot"))
    kept: dict[str, list[dict[str, Any]]] = {}
    for rows in kept_by_uuid(place.uuid for place in places):
        if found := [plain(row) for row in rows]:
            kept.setdefault(rows.model._meta.label_lower, []).extend(found)
    return {
        "contacts": [{**plain(one), "tags": [tag.name for tag in one.tags.all()]} for one in contacts],
        "conversations": [_conversation(place) for place in places],
        "said_elsewhere": [plain(row) for row in said_elsewhere(contacts)],
        "kept": kept,
    }


def _conversation(place: Conversation) -> dict[str, Any]:
    relations = [relation for relation in Conversation._meta.related_objects if relation.one_to_many]
    tables: dict[str, Any] = {}
    for relation in relations:
        manager = relation.related_model._default_manager
        found = manager.filter(**{relation.field.name: place}).order_by("pk")
        tables[str(relation.related_model._meta.model_name)] = [plain(row) for row in found]
    return {**plain(place), "bot": place.bot.name, "tables": tables}


def plain(row: models.Model) -> dict[str, Any]:
    """Every column; what JSON does not know as text."""
    values = ((field.attname, getattr(row, field.attname)) for field in row._meta.concrete_fields)
    return {name: json.loads(json.dumps(value, default=str)) for name, value in values}


# Where others speak of them


Ids = frozenset[int | str]


def spoken_of(contacts: Iterable[Contact]) -> list[int]:
    """The rows of others that name the person: replies and forwards in groups, and what they said in rooms."""
    contacts = list(contacts)
    found = Message.objects.none()
    for protocol, external_id in {(contact.protocol, contact.external_id) for contact in contacts}:
        named = f'"id":{json.dumps(_id(external_id))}'
        found = found | Message.objects.filter(payload__contains=named, conversation__protocol=protocol)
    return list(found.exclude(conversation__contact__in=contacts).order_by("pk").values_list("pk", flat=True))


def said_elsewhere(contacts: Iterable[Contact]) -> list[Message]:
    """What they said themselves in rooms and groups."""
    contacts = list(contacts)
    rows = Message.objects.filter(pk__in=spoken_of(contacts)).order_by("pk")
    return [row for row in rows if is_theirs(row.payload, ids_of(contacts))]


def ids_of(contacts: Iterable[Contact]) -> Ids:
    return frozenset(_id(contact.external_id) for contact in contacts)


def _id(external_id: str) -> int | str:
    """As it stands in a payload."""
    return int(external_id) if external_id.lstrip("-").isdecimal() else external_id


def without(value: Any, person: Ids) -> Any:
    """A payload without the person's words and names: a message of theirs, or they themselves, become a mark."""
    if isinstance(value, list):
        return [without(one, person) for one in value]
    if not isinstance(value, dict):
        return value
    if is_theirs(value, person):
        return {**REPLACED, **{name: value[name] for name in ("message_id", "date") if name in value}}
    return {name: without(one, person) for name, one in value.items()}


def is_theirs(value: dict[str, Any], person: Ids) -> bool:
    """The person, or something that they wrote."""
    themselves = value.get("id") in person and ("first_name" in value or "username" in value or "title" in value)
    return themselves or any(isinstance(one := value.get(name), dict) and one.get("id") in person for name in PEOPLE)
