"""The common update, read in one step: plain words that somebody has written into a chat.

All that such a message has stands here with its type. What has anything else, or anything of another type, is for
updates.py, which knows whatever may come; it would make the same of what passes here (a test compares the two).
"""

from typing import Annotated, Any

import msgspec
from msgspec import Meta, Struct

from gateway.telegram.people import LANGUAGE_LENGTH, LARGEST, NAME_LENGTH
from gateway.types import Inbound, Person

Id = Annotated[int, Meta(ge=-LARGEST, le=LARGEST - 1)]


class _Plain(Struct, forbid_unknown_fields=True, gc=False):
    """Nothing is nested deeper than these types are."""


class _User(_Plain):
    id: Id
    is_bot: bool = False
    first_name: str = ""
    last_name: str = ""
    username: str = ""
    language_code: str = ""
    is_premium: bool = False
    added_to_attachment_menu: bool = False


class _Chat(_Plain):
    id: Id
    type: str = ""
    title: str = ""
    username: str = ""
    first_name: str = ""
    last_name: str = ""
    is_forum: bool = False


class _Message(_Plain, rename={"sender": "from"}):
    message_id: Id
    chat: _Chat
    sender: _User
    text: str
    date: int = 0


class _Update(_Plain):
    update_id: Id
    message: _Message


def parse(protocol: str, bot: str, update: dict[str, Any]) -> Inbound | None:
    """None: it is not so plain."""
    try:
        read = msgspec.convert(update, _Update)
    except ValueError:  # A ValidationError, or a surrogate where no text is meant to be.
        return None
    message, chat, user = read.message, read.message.chat, read.message.sender
    first, last = user.first_name[:NAME_LENGTH], user.last_name[:NAME_LENGTH]
    kind, text, message_id = chat.type[:NAME_LENGTH], message.text, message.message_id
    return Inbound(
        protocol,
        bot,
        f"chat:{chat.id}/user:{user.id}",
        "message",
        "message",
        {"text": text, "message_id": message_id, "date": message.date, "update": update},
        text,
        Person(
            str(user.id),
            f"{first} {last}".strip()[:NAME_LENGTH],
            user.username[:NAME_LENGTH],
            user.language_code[:LANGUAGE_LENGTH],
        ),
        {"id": chat.id, "type": kind, "title": chat.title[:NAME_LENGTH], "thread_id": None},
        {"chat_id": chat.id},
        update_id=read.update_id,
        external_id=message_id or None,
        # Whoever writes there has not blocked the bot.
        blocked=False if kind == "private" else None,
    )
