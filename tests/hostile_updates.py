"""Updates as Telegram's, spoilt in places at random: what somebody sends who knows the secret and wishes us ill."""

import copy
import json
import random
from collections.abc import Iterator
from typing import Any

from tests.telegram_updates import EVERY_KIND

Place = tuple[Any, ...]
ODD: list[Any] = [
    None, True, False, 0, -1, -(2**31), 2**31, 2**53, 2**63 - 1, -(2**63), 2**63, 2**70, 10**400, 1.5, -0.0, 1e308,
    "", "\0", "\ud800", "a\0b\udfff", "x" * 5000, "\u202e", "-1", "11", [], [None], [[]], {}, {"id": None}, {"id": "1"},
    {"id": -5}, [{"type": "bold", "offset": -1, "length": 2**70}], {"\0": "\ud800"}, {"": {"": {}}},
    [{"type": "text_link", "offset": 0, "length": 1, "url": "javascript:x"}],
]  # fmt: skip
NAMES = [
    "date", "entities", "caption_entities", "photo", "document", "sticker", "caption", "migrate_to_chat_id",
    "migrate_from_chat_id", "business_connection_id", "is_topic_message", "message_thread_id", "direct_messages_topic",
    "type", "sender_chat", "via_bot", "reply_markup", "file_id", "from", "user", "chat", "\0",
]  # fmt: skip
DEEPEST = 60


def hostile(chance: random.Random, update_id: int) -> bytes:
    """One update of some kind, as JSON, with one to three places spoilt."""
    kind = chance.choice(list(EVERY_KIND))
    update = {"update_id": update_id, kind: copy.deepcopy(EVERY_KIND[kind][0])}
    for _ in range(chance.choice([1, 1, 2, 3])):
        spoil(chance, update)
    return json.dumps(update).encode()


def spoil(chance: random.Random, update: dict[str, Any]) -> None:
    found = [place for place in places(update) if place not in ((), ("update_id",))]
    if not found:
        return
    place = chance.choice(found)
    holder: Any = update
    for key in place[:-1]:
        holder = holder[key]
    way = chance.random()
    if way < 0.2:
        del holder[place[-1]]
    elif way < 0.3:
        holder[place[-1]] = nested(chance.choice([200, 299, 301, 400]))
    elif way < 0.5 and isinstance(holder, dict):
        holder[chance.choice(NAMES)] = copy.deepcopy(chance.choice(ODD))
    else:
        holder[place[-1]] = copy.deepcopy(chance.choice(ODD))


def places(value: Any, place: Place = ()) -> Iterator[Place]:
    yield place
    if len(place) < DEEPEST:
        children = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
        for key, child in children:
            yield from places(child, (*place, key))


def nested(depth: int) -> Any:
    value: Any = "x"
    for level in range(depth):
        value = [value] if level % 2 else {"a": value}
    return value
