"""One transaction's worth of the transcript: rows loaded, numbered, added and changed together, written at the end."""

import time
from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import models
from django.utils import timezone

from gateway.errors import Deleted, Denied
from gateway.fields import clean
from gateway.models import Bot, Conversation, Direction, Kind, Message, Sender, Status
from gateway.transcript import statements
from gateway.types import Person, Receipt

WORDS = (Kind.MESSAGE, Kind.BUTTON)
REMEMBERED = 100_000
# A bot's columns are changed in the admin, which tells nobody.
BOTS_SECONDS = 5.0


@dataclass(slots=True)
class Memory:
    """What the writer remembers between groups, to ask the database less. Forgotten whenever a group fails.

    `people`: what was last written of a conversation's contact; `reachable`: contacts that have not blocked the bot.
    """

    bots: dict[str, Bot] = field(default_factory=dict)
    bots_until: float = 0.0
    keys: dict[tuple[str, str, str], int] = field(default_factory=dict)
    people: dict[int, Person] = field(default_factory=dict)
    reachable: set[int] = field(default_factory=set)

    def forget(self) -> None:
        self.bots.clear()
        self.keys.clear()
        self.people.clear()
        self.reachable.clear()

    def refresh_bots(self) -> None:
        now = time.monotonic()
        if now > self.bots_until:
            self.bots.clear()
            self.bots_until = now + BOTS_SECONDS

    def remember(self, key: tuple[str, str, str], pk: int) -> None:
        if len(self.keys) >= REMEMBERED:
            self.keys.clear()
            self.people.clear()
            self.reachable.clear()
        self.keys[key] = pk


@dataclass(slots=True)
class Written:
    """All that a group has changed in a conversation, which it took from rev `before` to `rev`. `rows`: the new ones
    and those that were loaded, whole, and changed by nobody any more; `patches`: of others, by key, what has changed.
    """

    before: int
    rev: int
    rows: list[Message] = field(default_factory=list)
    patches: dict[int, dict[str, Any]] = field(default_factory=dict)


@dataclass(slots=True)
class Wants:
    """What the operations of a group will need, so that each kind is loaded at once."""

    conversations: set[int] = field(default_factory=set)
    keys: set[tuple[str, str, str]] = field(default_factory=set)
    updates: dict[str, set[int]] = field(default_factory=lambda: defaultdict(set))
    client_ids: set[str] = field(default_factory=set)
    statuses: set[int] = field(default_factory=set)


class Group:
    """What a group of operations does to the rows. After `flush`: `inbox` and `outbox` hold the rows that go on from
    here, `news` each touched conversation's newest rev, and `written` what was changed in it. For the figures: `added`;
    `moved`, the rows that have another status now, as (conversation, row, status, whether a call's outcome is unknown);
    `operations`; and the `seconds` that all of it took, the commit included."""

    def __init__(self, memory: Memory, wants: Wants) -> None:
        self.memory = memory
        self.now: datetime = timezone.now()
        self.inbox: list[tuple[Conversation, Message]] = []
        self.outbox: list[tuple[Conversation, Message]] = []
        self.again: list[tuple[Conversation, Message]] = []
        self.added: list[Message] = []
        self.written: dict[int, Written] = {}
        self.moved: list[tuple[Conversation, int, str, bool]] = []
        self.operations = 0
        self.seconds = 0.0
        self._conversations: dict[int, Conversation] = {}
        self._changes: dict[tuple[type[models.Model], int], dict[str, Any]] = defaultdict(dict)
        self._updates: dict[tuple[int, int], Message] = {}
        self._clients: dict[tuple[int, str], Message] = {}
        memory.refresh_bots()
        known = {pk for key in wants.keys if (pk := self._key(*key)) is not None}
        self._load(wants.conversations | known)
        self._load_updates(wants.updates)
        self._load_clients(wants.client_ids)
        self.statuses = statements.statuses(wants.statuses)

    def _load(self, pks: Iterable[int]) -> None:
        """Locks and loads conversations, always in the same order, so that two processes cannot wait for each other."""
        wanted = sorted(set(pks) - self._conversations.keys())
        for row in statements.select(Conversation, "id", wanted, lock=True):
            row.bot = self._bot_of(row.bot_id)
            self._conversations[row.pk] = row

    def _load_updates(self, wanted: dict[str, set[int]]) -> None:
        for bot, ids in wanted.items():
            bot_pk = self.bot(bot).pk
            for message in statements.select(Message, "update_id", sorted(ids), "bot_id", bot_pk):
                self.know(message)

    def _load_clients(self, wanted: set[str]) -> None:
        for pk in self._conversations if wanted else ():
            for message in statements.select(Message, "client_id", sorted(wanted), "conversation_id", pk):
                self.know(message)

    # Bots and conversations

    def bot(self, name: str) -> Bot:
        if name not in self.memory.bots:
            self.memory.bots[name], _ = Bot.objects.get_or_create(name=name)
        return self.memory.bots[name]

    def _bot_of(self, pk: int) -> Bot:
        for bot in self.memory.bots.values():
            if bot.pk == pk:
                return bot
        return self.bot(Bot.objects.values_list("name", flat=True).get(pk=pk))

    def conversation(self, pk: int) -> Conversation:
        """Raises Deleted."""
        if pk not in self._conversations:
            self._load([pk])
        try:
            return self._conversations[pk]
        except KeyError:
            raise Deleted(pk) from None

    def find(self, protocol: str, bot: str, key: str) -> Conversation | None:
        pk = self._key(protocol, bot, key)
        if pk is None:
            return None
        self._load([pk])
        if pk not in self._conversations:  # Deleted meanwhile.
            self.memory.keys.pop((protocol, bot, key), None)
        return self._conversations.get(pk)

    def _key(self, protocol: str, bot: str, key: str) -> int | None:
        pk = self.memory.keys.get((protocol, bot, key))
        if pk is None:
            found = Conversation.objects.filter(bot=self.bot(bot), protocol=protocol, key=key)
            pk = found.values_list("pk", flat=True).first()
            if pk is not None:
                self.memory.remember((protocol, bot, key), pk)
        return pk

    def keep(self, conversation: Conversation, bot: str) -> None:
        """Takes in a conversation that was just created."""
        self._conversations[conversation.pk] = conversation
        self.memory.remember((conversation.protocol, bot, conversation.key), conversation.pk)

    def rename(self, conversation: Conversation, bot: str, key: str) -> None:
        self.memory.keys.pop((conversation.protocol, bot, conversation.key), None)
        self.alter(conversation, key=key)
        self.memory.remember((conversation.protocol, bot, key), conversation.pk)

    def alter(self, row: models.Model, **fields: Any) -> None:
        """Changes any loaded row; written at the end."""
        for name, value in fields.items():
            setattr(row, name, value)
        if row.pk is not None:
            self._changes[(type(row), row.pk)] |= fields

    # Messages

    def add(self, conversation: Conversation, **fields: Any) -> Message:
        """A new row, numbered. Words get a `seq`, unless they failed before they could be seen."""
        message = Message(conversation=conversation, bot_id=conversation.bot_id, at=self.now, **fields)
        message.text, message.name = clean(message.text), clean(message.name)[:256]
        message.rev = self.advance(conversation)
        if message.kind in WORDS and message.status not in (Status.NOTE, Status.FAILED, Status.DEAD):
            seq = conversation.seq + 1
            self.alter(conversation, seq=seq, last=message.text, last_at=self.now)
            message.seq, message.seen_rev = seq, message.rev
        self.added.append(message)
        self.written[conversation.pk].rows.append(message)
        return message

    def change(self, message: Message, *, seen: bool = False, **fields: Any) -> None:
        """Changes a row; `seen`: what a visitor sees of it changes."""
        conversation = self.conversation(message.conversation_id)
        if "status" in fields:
            self._note_move(conversation, message.pk, fields)
        rev = self.advance(conversation)
        self.alter(message, rev=rev, **({"seen_rev": rev} if seen else {}), **fields)
        rows = self.written[conversation.pk].rows
        if all(row is not message for row in rows):
            rows.append(message)

    def change_status(self, conversation: Conversation, pk: int, status: Status, **fields: Any) -> None:
        """Changes a row that was not loaded."""
        fields = {"status": status, **fields}
        self._note_move(conversation, pk, fields)
        self._changes[(Message, pk)] |= {"rev": self.advance(conversation), **fields}
        self.written[conversation.pk].patches[pk] = self._changes[(Message, pk)]

    def _note_move(self, conversation: Conversation, pk: int, fields: dict[str, Any]) -> None:
        status = fields["status"]
        self.moved.append((conversation, pk, status, "unknowns" in fields or status == Status.UNKNOWN))

    def status_of(self, message: Message) -> str:
        """With what this group has changed and not written yet."""
        return str(self._changes.get((Message, message.pk), {}).get("status", message.status))

    def is_queued(self, pk: int) -> bool:
        """Of a row whose status was wanted."""
        return self._changes.get((Message, pk), {}).get("status", self.statuses.get(pk)) == Status.QUEUED

    def to_feed(self, conversation: Conversation, message: Message) -> None:
        self.inbox.append((conversation, message))

    def to_deliver(self, conversation: Conversation, message: Message) -> None:
        self.outbox.append((conversation, message))

    def event(self, conversation: Conversation, kind: Kind, payload: dict[str, Any], **fields: Any) -> Message:
        """An inbound row of the gateway's own (a result, a resume, a disconnect), to be fed."""
        message = self.add(
            conversation,
            direction=Direction.IN,
            kind=kind,
            sender=Sender.SYSTEM,
            method=kind.value,
            payload=payload,
            status=Status.RECEIVED,
            **fields,
        )
        self.to_feed(conversation, message)
        return message

    def advance(self, conversation: Conversation, **fields: Any) -> int:
        """Changes what watchers of the conversation are to see. Returns its new rev."""
        written = self.written.setdefault(conversation.pk, Written(conversation.rev, conversation.rev))
        self.alter(conversation, rev=conversation.rev + 1, changed_at=self.now, **fields)
        written.rev = conversation.rev
        return conversation.rev

    # What came before

    def know(self, message: Message) -> None:
        if message.update_id is not None:
            self._updates[(message.bot_id, message.update_id)] = message
        if message.client_id is not None:
            self._clients[(message.conversation_id, message.client_id)] = message

    def known_update(self, bot: str, update_id: int | None) -> Message | None:
        return None if update_id is None else self._updates.get((self.bot(bot).pk, update_id))

    def known_client(self, conversation: Conversation, client_id: str | None) -> Message | None:
        return None if client_id is None else self._clients.get((conversation.pk, client_id))

    # The end

    @property
    def news(self) -> dict[int, int]:
        return {
            pk: conversation.rev
            for pk, conversation in self._conversations.items()
            if (Conversation, pk) in self._changes
        }

    @property
    def holders(self) -> list[int]:
        """Conversations that an operator has taken or left."""
        return [pk for (kind, pk), fields in self._changes.items() if kind is Conversation and "holder_id" in fields]

    def flush(self) -> None:
        statements.insert(self.added)
        statements.update(self._changes)


def receipt(message: Message, *, duplicate: bool = False) -> Callable[[], Receipt]:
    """Made once the row has its key, that is after the flush."""
    return lambda: Receipt(message.pk, message.conversation_id, message.seq, message.seen_rev, duplicate)


def is_held(conversation: Conversation) -> bool:
    return conversation.holder_id is not None


def wanted(group: Group, uuid: str) -> Conversation:
    try:
        pk = Conversation.objects.filter(uuid=UUID(uuid)).values_list("pk", flat=True).first()
    except ValueError:
        pk = None
    if pk is None:
        raise Denied("unknown_conversation", "There is no such conversation.")
    return group.conversation(pk)
