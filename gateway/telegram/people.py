"""Where an update comes from: the conversation's key, the chat, the person, the address of an answer.

Ids are validated before anything is keyed on them.
"""

import re
from typing import Any

from msgspec import Struct, field

from gateway.telegram import kinds
from gateway.types import Move, Person

LARGEST = 2**63
CONNECTION_ID = re.compile(r"[!-~]{1,128}")
NAME_LENGTH = 256
LANGUAGE_LENGTH = 35


class Malformed(Exception):
    """Nothing may be keyed on this."""


class Place(Struct, frozen=True):
    """`key` is "" where there is neither a chat nor a user."""

    key: str = ""
    person: Person | None = None
    chat: dict[str, Any] = field(default_factory=dict)
    address: dict[str, Any] = field(default_factory=dict)


def identifier(value: Any, name: str) -> int:
    if type(value) is not int or not -LARGEST <= value < LARGEST:
        raise Malformed(f"{name} is no identifier.")
    return value


def find_place(kind: str, content: dict[str, Any]) -> Place:
    """Raises Malformed."""
    message = _object(content, "message") if kind == "callback_query" else content
    chat = _object(message, "chat")
    user = None if kind in kinds.POSTS else _find_user(content)
    if chat is None and kind in kinds.MESSAGE_LIKE:
        raise Malformed(f"{kind} has no chat.")
    if chat is None:
        return Place() if user is None else _private(user)
    if user is None and chat.get("type") == "private":
        user = chat
    return _placed(message or {}, chat, user)


def move(old: int, new: int) -> Move:
    """A group has become a supergroup."""
    return Move(f"chat:{old}", f"chat:{new}", {"chat_id": new}, {"id": new, "type": "supergroup"})


def _find_user(content: dict[str, Any]) -> dict[str, Any] | None:
    """The user, or the chat in whose name an anonymous person acts (`user` is then a stand-in of Telegram's)."""
    for name in ("from", "actor_chat", "voter_chat", "user"):
        if (found := _object(content, name)) is not None:
            return found
    boost = _object(content, "boost")
    return _object(_object(content if boost is None else boost, "source"), "user")


def _private(user: dict[str, Any]) -> Place:
    """The user's private chat with the bot, which has the user's own id."""
    chat_id = identifier(user.get("id"), "user id")
    chat = {"id": chat_id, "type": "private", "title": "", "thread_id": None}
    return Place(_key(chat=chat_id, user=chat_id), _person(user), chat, {"chat_id": chat_id})


def _placed(message: dict[str, Any], chat: dict[str, Any], user: dict[str, Any] | None) -> Place:
    chat_id = identifier(chat.get("id"), "chat id")
    user_id = None if user is None else identifier(user.get("id"), "user id")
    thread_id, connection, topic_id = _thread(message), _connection(message), _direct_topic(message)
    address = {
        "chat_id": chat_id,
        "message_thread_id": thread_id,
        "business_connection_id": connection,
        "direct_messages_topic_id": topic_id,
    }
    return Place(
        _key(business=connection, chat=chat_id, topic=thread_id, direct=topic_id, user=user_id),
        None if user is None else _person(user),
        {"id": chat_id, "type": _text(chat, "type"), "title": _text(chat, "title"), "thread_id": thread_id},
        {name: value for name, value in address.items() if value is not None},
    )


def _key(**parts: int | str | None) -> str:
    return "/".join([f"{name}:{value}" for name, value in parts.items() if value is not None])


def _thread(message: dict[str, Any]) -> int | None:
    """A forum's topic; without `is_topic_message` the thread is but a chain of replies."""
    if message.get("is_topic_message") is not True or message.get("message_thread_id") is None:
        return None
    return identifier(message["message_thread_id"], "message_thread_id")


def _connection(message: dict[str, Any]) -> str | None:
    connection = message.get("business_connection_id")
    if connection is None:
        return None
    if not isinstance(connection, str) or not CONNECTION_ID.fullmatch(connection):
        raise Malformed("business_connection_id is no identifier.")
    return connection


def _direct_topic(message: dict[str, Any]) -> int | None:
    topic = _object(message, "direct_messages_topic")
    return identifier(topic.get("topic_id"), "direct_messages_topic_id") if topic is not None else None


def _person(user: dict[str, Any]) -> Person:
    name = f"{_text(user, 'first_name')} {_text(user, 'last_name')}".strip() or _text(user, "title")
    return Person(
        id=str(user["id"]),
        name=name[:NAME_LENGTH],
        username=_text(user, "username"),
        language=_text(user, "language_code")[:LANGUAGE_LENGTH],
    )


def _object(holder: dict[str, Any] | None, name: str) -> dict[str, Any] | None:
    """What is there is an object, or it is malformed."""
    value = (holder or {}).get(name)
    if value is None:
        return None
    if not isinstance(value, dict):
        raise Malformed(f"{name} is no object.")
    return value


def _text(holder: dict[str, Any], name: str) -> str:
    """Nothing hangs on a name: one that is no text is none."""
    value = holder.get(name)
    return value[:NAME_LENGTH] if isinstance(value, str) else ""
