"""Telegram's updates → Inbound. Whatever comes, an Inbound comes out."""

import re
from typing import Any

from gateway import nodes
from gateway.telegram import common, kinds, media, people, wire
from gateway.telegram.people import Malformed, Place, identifier
from gateway.types import Inbound, Outbound

PROTOCOL = "telegram"
BOTS_OWN = "bot"
KIND_NAME = re.compile(r"[a-z][a-z0-9_]{0,63}")


def parse(bot: str, update: dict[str, Any]) -> Inbound:
    """Never raises: what nobody understands becomes an Inbound of the bot's own conversation with its `error` set."""
    return common.parse(PROTOCOL, bot, update) or parse_any(bot, update)


def parse_any(bot: str, update: dict[str, Any]) -> Inbound:
    kind = find_kind(update)
    try:
        return _parse(bot, kind, update)
    except Malformed as error:
        return _dead_letter(bot, kind, update, str(error))


def find_kind(update: dict[str, Any]) -> str:
    """The one key beside `update_id`; "" where there is none."""
    present = [key for key, value in update.items() if key != "update_id" and value is not None]
    known = [key for key in present if key in kinds.ALL_KINDS]
    return next(iter(known or present), "")


def valid_update_id(update: dict[str, Any]) -> int | None:
    try:
        return identifier(update.get("update_id"), "update_id")
    except Malformed:
        return None


def _parse(bot: str, kind: str, update: dict[str, Any]) -> Inbound:
    update_id = identifier(update.get("update_id"), "update_id")
    content = _content(kind, update)
    moved = _move(kind, content)
    place = people.find_place(kind, content if moved is None else _in_new_chat(content, moved))
    message_id = _message_id(content) if kind in kinds.MESSAGE_LIKE else None
    return Inbound(
        protocol=PROTOCOL,
        bot=bot,
        key=place.key or BOTS_OWN,
        kind=_row_kind(kind),
        method=kind,
        event=_event(kind, content, update),
        text=_words(kind, content),
        person=place.person,
        chat=place.chat,
        address=place.address,
        update_id=update_id,
        external_id=message_id,
        edits=message_id if kind in kinds.EDITS else None,
        courtesy=courtesy(kind, content),
        blocked=_blocked(kind, content, place),
        move=None if moved is None else people.move(*moved),
        rich=_rich(kind, content, bot),
    )


def _rich(kind: str, content: dict[str, Any], bot: str) -> dict[str, Any] | None:
    if kind not in kinds.MESSAGE_LIKE:
        return None
    words = "" if content.get("text") else "caption_"
    found = nodes.from_entities(_text(content), content.get(f"{words}entities"))
    brought = media.files_of(content, bot)
    if not found and not brought:
        return None
    return {**({"nodes": found} if found else {}), **({"files": brought} if brought else {})}


def _content(kind: str, update: dict[str, Any]) -> dict[str, Any]:
    if not KIND_NAME.fullmatch(kind) or kind in kinds.RESERVED:
        raise Malformed("There is no update of that kind.")
    content = update[kind]
    if not isinstance(content, dict):
        raise Malformed(f"{kind} is no object.")
    if wire.is_deep(update):
        raise Malformed(f"{kind} is nested too deeply.")
    return content


def _row_kind(kind: str) -> str:
    if kind in kinds.WORDS:
        return "message"
    if kind in kinds.EDITS:
        return "edit"
    return "button" if kind == "callback_query" else "update"


def _message_id(message: dict[str, Any]) -> int | None:
    """None for a message that has none yet, which Telegram marks by 0."""
    return identifier(message.get("message_id", 0), "message_id") or None


def _event(kind: str, content: dict[str, Any], update: dict[str, Any]) -> dict[str, Any]:
    if kind == "message":
        return {
            "text": _text(content),
            "message_id": content.get("message_id", 0),
            "date": content.get("date", 0),
            "update": update,
        }
    event = {key: value for key, value in content.items() if key != "type"}
    if kind in kinds.MESSAGE_LIKE:
        event["text"] = _text(content)
    if kind == "callback_query":
        event.setdefault("data", "")
    event["update"] = update
    return event


def _words(kind: str, content: dict[str, Any]) -> str:
    """What people see of it."""
    if kind in kinds.MESSAGE_LIKE:
        return _text(content)
    return _pressed(content) if kind == "callback_query" else ""


def _text(message: dict[str, Any]) -> str:
    text = message.get("text") or message.get("caption") or ""
    if not isinstance(text, str):
        raise Malformed("text is no string.")
    return text


def _pressed(query: dict[str, Any]) -> str:
    """The label of the button, which its message still shows; else its data."""
    data = query.get("data", "")
    if not isinstance(data, str):
        raise Malformed("data is no string.")
    labels = (button.get("text") for button in _keyboard(query) if button.get("callback_data") == data)
    return next((label for label in labels if isinstance(label, str)), data)


def _keyboard(query: dict[str, Any]) -> list[dict[str, Any]]:
    value: Any = query
    for name in ("message", "reply_markup", "inline_keyboard"):
        value = value.get(name) if isinstance(value, dict) else None
    rows = [row for row in value if isinstance(row, list)] if isinstance(value, list) else []
    return [button for row in rows for button in row if isinstance(button, dict)]


def courtesy(kind: str, content: dict[str, Any]) -> Outbound | None:
    """What the gateway says itself where no application is fed: a pressed button must not spin."""
    if kind != "callback_query":
        return None
    if not isinstance(content.get("id"), str):
        raise Malformed("id is no string.")
    return Outbound(kind="call", method="answer_callback_query", params={"callback_query_id": content["id"]})


def _move(kind: str, content: dict[str, Any]) -> tuple[int, int] | None:
    """The old and the new id of a group that has become a supergroup, as each of the two tells it."""
    chat = content.get("chat")
    if kind != "message" or not isinstance(chat, dict):
        return None
    for name in ("migrate_to_chat_id", "migrate_from_chat_id"):
        if content.get(name) is not None:
            here, other = identifier(chat.get("id"), "chat id"), identifier(content[name], name)
            return (here, other) if name == "migrate_to_chat_id" else (other, here)
    return None


def _in_new_chat(content: dict[str, Any], moved: tuple[int, int]) -> dict[str, Any]:
    return {**content, "chat": {**content["chat"], "id": moved[1], "type": "supergroup"}}


def _blocked(kind: str, content: dict[str, Any], place: Place) -> bool | None:
    """Whether the user has just blocked (True) or unblocked (False) the bot, which only their private chat can tell.
    Whoever writes there has not blocked it."""
    if place.chat.get("type") != "private" or "business_connection_id" in place.address:
        return None
    if kind in ("message", "callback_query"):
        return False
    if kind != "my_chat_member":
        return None
    member = content.get("new_chat_member")
    status = member.get("status") if isinstance(member, dict) else None
    return {"kicked": True, "member": False}.get(status) if isinstance(status, str) else None


def dead_letter(bot: str, update_id: int, body: str) -> Inbound:
    """Of an update that is no JSON."""
    error = "What Telegram sent cannot be read."
    return Inbound(
        protocol=PROTOCOL,
        bot=bot,
        key=BOTS_OWN,
        kind="update",
        method="unknown",
        event={"update": {"update_id": update_id, "unreadable": body}},
        update_id=update_id,
        error=error,
    )


def _dead_letter(bot: str, kind: str, update: dict[str, Any], error: str) -> Inbound:
    update_id = valid_update_id(update)
    kept = {"update_id": update_id} if wire.is_deep(update) else update
    return Inbound(
        protocol=PROTOCOL,
        bot=bot,
        key=BOTS_OWN,
        kind="update",
        method=kind if KIND_NAME.fullmatch(kind) and kind not in kinds.RESERVED else "unknown",
        event={"update": kept},
        update_id=update_id,
        error=error,
    )
