"""A visitor's words as the engine takes them in."""

import time
from typing import Any
from uuid import UUID

import msgspec
from django.utils.translation.trans_real import parse_accept_lang_header
from msgspec.structs import replace

from gateway.models import Kind
from gateway.types import Inbound, Person, Scope
from gateway.web import files
from gateway.web.frames import Button, Form, Message, Rate
from gateway.web.rows import VISITORS_ID, Label

LONGEST_HEADER = 500


def person_of(scope: Scope, visitor: UUID, known: Person | None, language: str = "") -> Person:
    """Who talks; `known`: what the rows know. `language` is what the page says, else the browser is asked.

    `scope["user"]` needs no database: Channels' AuthMiddleware has loaded it before the socket opened.
    """
    user, language = signed_in(scope), language.strip() or language_of(scope)
    if user is None:
        return Person(id=str(visitor), name=known.name if known else "", language=language)
    return Person(
        id=str(visitor),
        name=user.get_full_name() or user.get_username(),
        username=user.get_username(),
        language=language,
        user_id=user.pk,
    )


def signed_in(scope: Scope) -> Any:
    """The Django user; None for an anonymous visitor."""
    user = scope.get("user")
    return user if user is not None and user.is_authenticated else None


def language_of(scope: Scope) -> str:
    """The language that the browser prefers, such as "pt-br"; empty where it says none."""
    for name, value in scope.get("headers", ()):
        if name.lower() == b"accept-language":
            languages = parse_accept_lang_header(value[:LONGEST_HEADER].decode("latin-1"))
            return next((tag for tag, _ in languages if tag != "*"), "")
    return ""


def message(frame: Message, bot: str, person: Person, brought: list[dict[str, Any]]) -> Inbound:
    """`brought`: the facts of its files."""
    keys: dict[str, Any] = {"text": frame.text}
    if not brought:
        return _inbound(frame, bot, person, Kind.MESSAGE, "message", frame.text, keys)
    keys["files"] = [files.shown(facts) for facts in brought]
    inbound = _inbound(frame, bot, person, Kind.MESSAGE, "message", frame.text, keys)
    return replace(inbound, rich={"files": brought})


def button(frame: Button, bot: str, person: Person, label: Label | None) -> Inbound:
    """`label`: what the button says; a button that is no longer there is told by its data."""
    pressed: dict[str, Any] = {"data": frame.data}
    if label is not None:
        pressed["message_id"] = label.seq
    text = label.text if label else frame.data
    return _inbound(frame, bot, person, Kind.BUTTON, "callback_query", text, pressed)


def form(frame: Form, bot: str, person: Person, values: dict[str, str], text: str) -> Inbound:
    """Its `name` and the rest of it are what is known of the person from now on."""
    known = {name: value for name, value in values.items() if value}
    person = replace(person, name=known.pop("name", person.name), details=known)
    return _inbound(frame, bot, person, Kind.UPDATE, "form", text, {"values": values})


def rating(frame: Rate, bot: str, person: Person, seq: int) -> Inbound:
    stars = "★" * frame.score + "☆" * (5 - frame.score)
    keys = {"score": frame.score, "text": frame.text, "seq": seq}
    return _inbound(frame, bot, person, Kind.UPDATE, "rating", f"{stars} {frame.text}".strip(), keys)


def _inbound(
    frame: Message | Button | Form | Rate,
    bot: str,
    person: Person,
    kind: Kind,
    method: str,
    text: str,
    keys: dict[str, Any],
) -> Inbound:
    name = "message_id" if kind == Kind.MESSAGE else "id"
    update = {key: value for key, value in msgspec.to_builtins(frame).items() if value != []}
    more = {name: frame.id, "date": int(time.time()), "update": update}
    return Inbound(
        protocol="webchat",
        bot=bot,
        key=person.id,
        uuid=person.id,
        kind=kind,
        method=method,
        event={**keys, **more},
        text=text,
        person=person,
        chat={"id": person.id, "type": "web", "title": "", "thread_id": None},
        client_id=VISITORS_ID + frame.id,
    )
