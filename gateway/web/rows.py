"""Rows as frames, ready to be sent. What reads the database runs on a reader's thread."""

from base64 import urlsafe_b64encode
from collections.abc import Iterable
from copy import copy
from operator import attrgetter
from typing import Any, NamedTuple, Protocol
from uuid import UUID

from gateway.access import Rights
from gateway.kept import Kept
from gateway.models import Conversation, Direction, Message, Role, Sender
from gateway.transcript import Written
from gateway.transcript.mending import choices
from gateway.types import Buttons
from gateway.web import files
from gateway.web.frames import encode

CHUNK = 200
RECENT = 100
LATEST = 50
HISTORY = 50
LAST_CHARACTERS = 200
LABELS_LOOKED_AT = 100
VISITORS_ID = "v:"
ROOMS_ID = "r:"


class Shown(NamedTuple):
    """A message frame, and the revision that its readers follow. `own`: in a room, whose it is and as they see it."""

    rev: int
    text: str
    own: tuple[str, str] | None = None

    def for_(self, owner: str) -> str:
        return self.own[1] if self.own is not None and self.own[0] == owner else self.text


def owner_of(visitor: UUID) -> str:
    """A visitor in a room, in the few characters that a client id has left."""
    return urlsafe_b64encode(visitor.bytes).decode().rstrip("=")


class Held(NamedTuple):
    """A conversation that somebody has taken over. `bot`: its primary key."""

    uuid: UUID
    bot: int


class Place(NamedTuple):
    """A conversation, and where its counters stood when it was read."""

    pk: int
    seq: int
    rev: int
    bot: int
    holder: int | None


class Listed(NamedTuple):
    """A conversation frame, and whose it is."""

    pk: int
    bot: int
    rev: int
    text: str


_places = Kept(Conversation, "uuid", "id", "seq", "rev", "bot", "holder")


def find_place(uuid: UUID) -> Place | None:
    found = _places.row(uuid)
    return Place(*found) if found else None


class View(Protocol):
    """How one side sees a conversation's messages."""

    def newer(self, after: int) -> list[Shown]:
        """The oldest `CHUNK` changes after that rev, from the database."""

    def of(self, written: Written) -> list[Shown] | None:
        """The changes in what was just committed; None where they cannot be told without asking the database."""

    def forget(self) -> None:
        """Somebody else may have changed any row."""


class VisitorsView:
    """Words, as often as what is seen of them changes. A row's other changes are none of a visitor's business."""

    def __init__(self, conversation: int) -> None:
        self.conversation = conversation

    def newer(self, after: int) -> list[Shown]:
        # A row's own rev is never lower than the one it was seen at: so the index on it serves here too.
        rows = Message.objects.filter(conversation_id=self.conversation, rev__gt=after, seen_rev__gt=after)
        return [self._shown(row) for row in rows.filter(seq__isnull=False).order_by("seen_rev")[:CHUNK]]

    def of(self, written: Written) -> list[Shown] | None:
        seen = [row for row in written.rows if row.seq is not None and row.seen_rev > written.before]
        if any(map(names_files_by_id, seen)):
            return None
        return [self._shown(row) for row in sorted(seen, key=attrgetter("seen_rev"))]

    def forget(self) -> None:
        """It remembers none."""

    def _shown(self, row: Message) -> Shown:
        return shown_to_public(row)


class OperatorsView:
    """Every change of any row. Of the latest rows it keeps what was shown last, to which a change can be added."""

    def __init__(self, conversation: int, uuid: str) -> None:
        self.conversation = conversation
        self.uuid = uuid
        self._latest: dict[int, Message] = {}

    def newer(self, after: int) -> list[Shown]:
        rows = Message.objects.filter(conversation_id=self.conversation, rev__gt=after)
        return [self._shown(row) for row in rows.order_by("rev")[:CHUNK]]

    def of(self, written: Written) -> list[Shown] | None:
        if any(map(names_files_by_id, written.rows)):
            return None
        rows = {row.pk: row for row in sorted(written.rows, key=attrgetter("rev"))}
        for pk, patch in written.patches.items():
            row = rows.get(pk) or self._latest.get(pk)
            if row is None:
                return None
            if row.rev < patch["rev"]:
                rows[pk] = _patched(row, patch)
        self._keep(rows)
        return [self._shown(row) for row in sorted(rows.values(), key=attrgetter("rev"))]

    def forget(self) -> None:
        self._latest.clear()

    def _keep(self, rows: dict[int, Message]) -> None:
        for pk, row in rows.items():
            self._latest.pop(pk, None)
            self._latest[pk] = row
        for pk in list(self._latest)[:-LATEST]:
            del self._latest[pk]

    def _shown(self, row: Message) -> Shown:
        return Shown(row.rev, encode(_operators_message(row, self.uuid)))


def _patched(row: Message, patch: dict[str, Any]) -> Message:
    # Another view may have the same row.
    patched = copy(row)
    for name, value in patch.items():
        setattr(patched, name, value)
    return patched


def shown_to_public(row: Message) -> Shown:
    message = public_message(row)
    return Shown(row.seen_rev, encode(message), _own(row, message))


def _own(row: Message, message: dict[str, Any]) -> tuple[str, str] | None:
    if not (row.client_id or "").startswith(ROOMS_ID):
        return None
    owner, _, frame_id = str(row.client_id).removeprefix(ROOMS_ID).partition(":")
    return owner, encode({**message, "id": frame_id})


def public_message(row: Message) -> dict[str, Any]:
    frame = {
        "type": "message",
        "seq": row.seq,
        "rev": row.seen_rev,
        "from": row.sender,
        "name": row.name,
        "text": row.text,
        "buttons": row.buttons or [],
        "at": row.at,
    }
    if row.sender == Sender.VISITOR and (row.client_id or "").startswith(VISITORS_ID):
        frame["id"] = str(row.client_id).removeprefix(VISITORS_ID)
    return {**frame, **_rich(row)} if row.rich else frame


def _rich(row: Message) -> dict[str, Any]:
    rich = dict(row.rich)
    if names_files_by_id(row):
        known = files.described([facts["id"] for facts in rich["files"] if "id" in facts])
        rich["files"] = [known.get(facts.get("id", ""), facts) for facts in rich["files"]]
    if "files" in rich:
        rich["files"] = [files.shown(facts) for facts in rich["files"]]
    return rich


def names_files_by_id(row: Message) -> bool:
    """A bot did, and the rest of what is known of them is in the database."""
    return bool(row.rich) and any("name" not in facts for facts in row.rich.get("files", ()))


def one_message(pk: int, uuid: str) -> str:
    return encode(_operators_message(Message.objects.get(pk=pk), uuid))


def _operators_message(row: Message, uuid: str) -> dict[str, Any]:
    # What is no word and has no text, such as a call, is told by the name of its method.
    text = row.text if row.text or row.seq is not None else row.method
    more = {"conversation": uuid, "row": row.pk, "rev": row.rev, "status": row.status, "error": row.error}
    more |= {"kind": row.kind, "method": row.method}
    mending = {"unknowns": row.unknowns, "choices": choices(row)}
    return {**public_message(row), **more, **mending, "text": text}


def conversations(pks: Iterable[int]) -> list[Listed]:
    return _shown(Conversation.objects.filter(pk__in=list(pks)))


def newest(conversation: int, uuid: str, rev: int, number: int) -> str:
    """The newest rows, oldest first, as one frame. `rev`: what is newer than that comes by itself."""
    rows = list(Message.objects.filter(conversation_id=conversation).order_by("-pk")[: number + 1])
    return _history(uuid, rows, number, rev=rev)


def history(conversation: int, uuid: str, before: int) -> str:
    """The rows next older than the row `before`, oldest first."""
    rows = list(Message.objects.filter(conversation_id=conversation, pk__lt=before).order_by("-pk")[: HISTORY + 1])
    return _history(uuid, rows, HISTORY)


def _history(uuid: str, rows: list[Message], number: int, **more: Any) -> str:
    messages = [_operators_message(row, uuid) for row in reversed(rows[:number])]
    return encode({"type": "history", "conversation": uuid, "messages": messages, "more": len(rows) > number, **more})


def recent_conversations(rights: Rights, number: int) -> list[Listed]:
    """Those that had a word last, newest first, of those that may be seen."""
    rows = Conversation.objects.filter(rights.where(Role.WATCH), last_at__isnull=False)
    return _shown(rows.order_by("-last_at")[:number])


def held_by(users: frozenset[Any]) -> dict[Any, list[Held]]:
    """What each of them holds."""
    found: dict[Any, list[Held]] = {user: [] for user in users}
    for holder, uuid, bot in Conversation.objects.filter(holder__in=users).values_list("holder", "uuid", "bot"):
        found[holder].append(Held(uuid, bot))
    return found


def _shown(rows: Any) -> list[Listed]:
    return [Listed(row.pk, row.bot_id, row.rev, encode(_conversation(row))) for row in _with_all(rows)]


def frames_of(rows: Any) -> list[dict[str, Any]]:
    """Conversation frames, before they are encoded."""
    return [_conversation(row) for row in _with_all(rows)]


def _with_all(rows: Any) -> Any:
    return rows.select_related("bot", "contact", "holder").prefetch_related("contact__tags")


def _conversation(row: Conversation) -> dict[str, Any]:
    return {
        "type": "conversation",
        "conversation": str(row.uuid),
        "protocol": row.protocol,
        "bot": row.bot.name,
        "name": _name(row),
        "state": row.state,
        "holder": row.holder.get_username() if row.holder else None,
        "seq": row.seq,
        "rev": row.rev,
        "last": row.last[:LAST_CHARACTERS],
        "at": row.last_at or row.changed_at,
        "waiting_since": row.waiting_since if row.waiting else None,
        "banned": row.banned,
        "tags": [tag.name for tag in row.contact.tags.all()] if row.contact else [],
    }


def _name(row: Conversation) -> str:
    person = (row.contact.name or row.contact.username) if row.contact else ""
    return person or str(row.chat.get("title") or "")


class Label(NamedTuple):
    text: str
    seq: int


def label_of(conversation: int, data: str) -> Label | None:
    """What the newest button with that data says, and the `seq` of the message that offers it."""
    rows = Message.objects.filter(conversation_id=conversation, direction=Direction.OUT, seq__isnull=False)
    for seq, buttons in rows.order_by("-seq").values_list("seq", "buttons")[:LABELS_LOOKED_AT]:
        text = _text_of(buttons or [], data)
        if text is not None:
            return Label(text, int(seq or 0))
    return None


def _text_of(buttons: Buttons, data: str) -> str | None:
    return next((button["text"] for row in buttons for button in row if button.get("data") == data), None)
