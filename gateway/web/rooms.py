"""Rooms: one conversation that several visitors, the bot and operators share. A room is its bot's and its name's."""

import re
import unicodedata
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.utils.crypto import salted_hmac
from msgspec.structs import replace

from gateway.types import Inbound
from gateway.web.file_types import INVISIBLE
from gateway.web.frames import BadFrame
from gateway.web.rows import ROOMS_ID, VISITORS_ID, owner_of

SALT = "switchboard.room"
NAME = re.compile(r"[\w-]{1,64}")
LONGEST_SPEAKER = 40
COMMAND = "/name "


@dataclass(frozen=True, slots=True)
class Room:
    """`uuid` is the conversation's, known before it has a row."""

    name: str
    uuid: UUID

    def of(self, inbound: Inbound, visitor: UUID, speaker: str) -> Inbound:
        """What one of many says: the conversation is nobody's, and who spoke goes with each word."""
        frame_id = str(inbound.client_id).removeprefix(VISITORS_ID)
        return replace(
            inbound,
            key=f"room/{self.name}",
            uuid=str(self.uuid),
            person=None,
            speaker=speaker,
            chat={"id": self.name, "type": "room", "title": self.name, "thread_id": None},
            client_id=f"{ROOMS_ID}{owner_of(visitor)}:{frame_id}",
            event={**inbound.event, "sender": {"id": str(visitor), "name": speaker}},
        )


def named(text: str, bot: str) -> Room:
    """Raises BadFrame. No layer group is ever named after it: those have ids alone."""
    name = unicodedata.normalize("NFC", text)
    if not NAME.fullmatch(name):
        raise BadFrame("bad_room", "A room's name has 1 to 64 letters, digits, _ or -.")
    digest = salted_hmac(SALT, f"{bot} {name}", algorithm="sha256").digest()
    return Room(name, UUID(bytes=digest[:16], version=4))


def is_name(text: str) -> bool:
    return bool(NAME.fullmatch(unicodedata.normalize("NFC", text)))


def first_name(visitor: UUID) -> str:
    """Until they choose one."""
    return f"Guest {visitor.hex[:4]}"


def speaker(text: Any, frame_id: str | None = None) -> str:
    """How somebody is called in a room: one line without tricks. Raises BadFrame."""
    name = " ".join(INVISIBLE.sub(" ", unicodedata.normalize("NFC", str(text))).split())
    if not name or len(name) > LONGEST_SPEAKER:
        raise BadFrame("bad_name", f"A name has 1 to {LONGEST_SPEAKER} characters that can be seen.", frame_id)
    return name
