"""One transaction's worth of the transcript: rows loaded, numbered, added and changed together, written at the end."""

import time
from collections import defaultdict
from collections.abc import Callable, Iterable
from datetime import datetime, timedelta
from itertools import islice
from typing import Any
from uuid import UUID

from django.db import models
from django.utils import timezone
from msgspec import Struct, field

from gateway.errors import Deleted, Denied
from gateway.fields import clean
from gateway.models import UNSETTLED, Bot, Contact, Conversation, Direction, Kind, Message, Sender, Status
from gateway.parts import ALL
from gateway.transcript import statements
from gateway.transcript.rows import (
    CONTACTS,
    CONVERSATIONS,
    MESSAGES,
    Change,
    ContactRow,
    ConversationRow,
    MessageRow,
)  # fmt: skip
from gateway.types import Person, Receipt, Rich

WORDS = (Kind.MESSAGE, Kind.BUTTON)
UNSEEN = (Status.NOTE, Status.FAILED, Status.DEAD)
SPOKEN = ("seq", "last", "last_at")
# Looked up once: an enumeration's member costs as much as the rest of a line.
UNKNOWN = Status.UNKNOWN.value
# A conversation's `changed_at` is moved no more often: its index need not be written anew for each row.
STEP = timedelta(seconds=1)
# Enough for those who talk just now. Beyond, memory would grow for hours with everybody who comes once.
REMEMBERED = 10_000
KEPT_CONVERSATIONS = 5_000
KEPT_UPDATES = 10_000
# Of what others have left, at once; of more, the conversations' rows are read again.
MOST_LEFT = 1000
# What the admin changes of bots and contacts it tells nobody.
LOOKED_UP_AGAIN_SECONDS = 5.0

Key = tuple[str, str, str]
"""Protocol, bot, and the conversation's own key."""


class Memory(Struct, eq=False):
    """What the writer remembers between groups, to ask the database less. Forgotten whenever a group fails.

    `conversations` are as this process has last written or read them; the database is asked in each transaction whether
    they still are (statements.py). `updates` and `clients` came lately; while it is `trusting`, what is in neither is
    taken for new. Where that is wrong the database refuses the group, which then looks everything up. `people`: what
    was last written of a conversation's contact; `reachable`: contacts that have not blocked the bot. `mine`: the parts
    whose rows this process feeds and delivers; `alone`: nobody else writes beside commands. `is_live`: whether an
    instance of that conversation's application is there.
    """

    bots: dict[str, Bot] = field(default_factory=dict)
    contacts: dict[int, ContactRow] = field(default_factory=dict)
    until: float = 0.0
    conversations: dict[int, ConversationRow] = field(default_factory=dict)
    version: int | None = None
    keys: dict[Key, int] = field(default_factory=dict)
    updates: dict[tuple[int, int], None] = field(default_factory=dict)
    clients: dict[tuple[int, str], None] = field(default_factory=dict)
    trusting: bool = False
    people: dict[int, Person] = field(default_factory=dict)
    reachable: set[int] = field(default_factory=set)
    mine: frozenset[int] = ALL
    alone: bool = True
    is_live: Callable[[int], bool] = lambda _: False

    def forget(self) -> None:
        self.bots.clear()
        self.keys.clear()
        self.people.clear()
        self.reachable.clear()
        self.forget_rows()
        self.version, self.trusting = None, False

    def forget_rows(self) -> None:
        self.conversations.clear()
        self.contacts.clear()

    def refresh(self) -> None:
        now = time.monotonic()
        if now > self.until:
            self.bots.clear()
            self.contacts.clear()
            self.until = now + LOOKED_UP_AGAIN_SECONDS

    def remember(self, key: Key, pk: int) -> None:
        if len(self.keys) >= REMEMBERED:
            self.keys.clear()
            self.people.clear()
            self.reachable.clear()
        self.keys[key] = pk

    def keep(self, rows: dict[int, ConversationRow]) -> None:
        self.conversations |= rows
        _forget_oldest(self.conversations, KEPT_CONVERSATIONS)


def _forget_oldest(kept: dict[Any, Any], most: int) -> None:
    if len(kept) > most:
        for old in list(islice(kept, len(kept) - most + most // 10)):
            del kept[old]


class Written(Struct, eq=False):
    """All that a group has changed in a conversation, which it took from rev `before` to `rev`. `rows`: the new ones
    and those that were loaded, whole, and changed by nobody any more; `patches`: of others, by key, what has changed.
    """

    before: int
    rev: int
    rows: list[Message] = field(default_factory=list)
    patches: dict[int, dict[str, Any]] = field(default_factory=dict)


class Left(Struct, eq=False):
    """What waits in a conversation, oldest first: rows without an end state; answers. Not `whole`: there is more."""

    conversation: ConversationRow
    inbound: list[MessageRow]
    outbound: list[MessageRow]
    whole: bool


class Wants(Struct, eq=False):
    """What the operations of a group will need, so that each kind is loaded at once. `free`: keys of conversations of
    which it matters whether anything is unsettled; `left`: those of which all that waits is wanted."""

    conversations: set[int] = field(default_factory=set)
    keys: set[Key] = field(default_factory=set)
    people: dict[Key, str] = field(default_factory=dict)
    updates: dict[str, set[int]] = field(default_factory=lambda: defaultdict(set))
    client_ids: dict[Key, set[str]] = field(default_factory=lambda: defaultdict(set))
    statuses: set[int] = field(default_factory=set)
    free: set[Key] = field(default_factory=set)
    left: set[int] = field(default_factory=set)


class Group:
    """What a group of operations does to the rows. After `flush`: `heard` is what others had left and goes on from here
    first, `inbox` and `outbox` hold the new rows that do, `news` each touched conversation's newest rev, `written` what
    was changed in it, and `holders` those that an operator has taken or left. For the figures: `added`; `moved`, the
    rows that have another status now, as (conversation, row, status, whether a call's outcome is unknown); `operations`
    and the `seconds` that all of it took, the commit included.

    Conversations and new messages are light twins of their models (rows.py); a new one has no `pk` before the flush.
    """

    def __init__(self, base: statements.Database, memory: Memory, wants: Wants, transaction: str = "") -> None:
        self.memory = memory
        self.now: datetime = timezone.now()
        self.inbox: list[tuple[Conversation, Message]] = []
        self.outbox: list[tuple[Conversation, Message]] = []
        self.again: list[tuple[Conversation, Message]] = []
        self.left: list[Left] = []
        self.heard: list[Left] = []
        self.added: list[MessageRow] = []
        self.moved: list[tuple[Conversation, int, str, bool]] = []
        self.news: dict[int, int] = {}
        self.written: dict[int, Written] = {}
        self.holders: list[int] = []
        self.operations = 0
        self.seconds = 0.0
        self._base = base
        self._stamp = self._base.stamp(transaction)
        self._bots: dict[int, Bot] = {}
        self._conversations: dict[int, ConversationRow] = {}
        self._created: dict[Key, ConversationRow] = {}
        self._met: dict[Key, ContactRow] = {}
        self._changed: dict[int, ConversationRow] = {}
        self._touched: list[ConversationRow] = []
        self._others: dict[tuple[type[models.Model], int], dict[str, Any]] = defaultdict(dict)
        self._messages: dict[int, dict[str, Any]] = {}
        self._updates: dict[tuple[int, int], Message] = {}
        self._clients: dict[tuple[int, str], Message] = {}
        memory.refresh()
        self._load_keys(wants)
        self.statuses = statements.statuses(self._base, wants.statuses)

    # What the operations need

    def _load_keys(self, wants: Wants) -> None:
        self._find_keys(wants.keys)
        keys = self.memory.keys
        self._load(wants.conversations | wants.left | {keys[key] for key in wants.keys if key in keys})
        if wants.left:
            self._load_left(wants.left)
        if strangers := {key: person for key, person in wants.people.items() if key not in keys}:
            self._load_people(strangers)
        self._load_updates(wants.updates)
        for key, client_ids in wants.client_ids.items():
            if key in keys:
                self._load_clients(keys[key], client_ids)
        if wants.free:
            self._load_unsettled(wants.free)

    def _find_keys(self, wanted: Iterable[Key]) -> None:
        unknown: dict[tuple[str, str], list[str]] = defaultdict(list)
        for protocol, bot, key in wanted:
            if (protocol, bot, key) not in self.memory.keys:
                unknown[protocol, bot].append(key)
        for (protocol, bot), keys in unknown.items():
            where = "bot_id = %s AND protocol = %s AND key IN {keys}"
            for pk, key in self._base.select(CONVERSATIONS, ("id", "key"), where, keys, self.bot(bot).pk, protocol):
                self.memory.remember((protocol, bot, key), pk)

    def _load(self, pks: Iterable[int]) -> None:
        wanted = sorted(set(pks) - self._conversations.keys())
        if not wanted:
            return
        found = self._base.conversations(self.memory, wanted)
        for row in found.values():
            row.bot = self._bots.get(row.bot_id) or self._bot_of(row.bot_id)
        self._conversations |= found
        self.memory.keep(found)

    def _load_people(self, wanted: dict[Key, str]) -> None:
        """Who is talking in conversations that are new: they may be known from others."""
        theirs: dict[tuple[str, str], list[str]] = defaultdict(list)
        for (protocol, bot, _), person in wanted.items():
            theirs[protocol, bot].append(person)
        for (protocol, bot), people in theirs.items():
            where = "bot_id = %s AND protocol = %s AND external_id IN {keys}"
            for contact in statements.select(self._base, CONTACTS, where, people, self.bot(bot).pk, protocol):
                self._met[protocol, bot, contact.external_id] = contact

    def _load_updates(self, wanted: dict[str, set[int]]) -> None:
        for bot, ids in wanted.items():
            pk = self.bot(bot).pk
            asked = [one for one in ids if not self.memory.trusting or (pk, one) in self.memory.updates]
            for message in Message.objects.filter(bot_id=pk, update_id__in=asked) if asked else ():
                self.know(message)

    def _load_clients(self, pk: int, wanted: set[str]) -> None:
        asked = [one for one in wanted if not self.memory.trusting or (pk, one) in self.memory.clients]
        for message in Message.objects.filter(conversation_id=pk, client_id__in=asked) if asked else ():
            self.know(message)

    def _load_unsettled(self, wanted: Iterable[Key]) -> None:
        rows = {pk: self._conversations.get(pk) for key in wanted if (pk := self.memory.keys.get(key)) is not None}
        asked = {pk: row for pk, row in rows.items() if row is not None and row.unsettled is None}
        for row in asked.values():
            row.unsettled = set()
        for conversation, pk in statements.unsettled(self._base, asked):
            asked[conversation].unsettled.add(pk)  # type: ignore[union-attr]

    def _load_left(self, wanted: set[int]) -> None:
        inbound, outbound = statements.waiting(self._base, wanted, MOST_LEFT)
        whole = all(sum(map(len, rows.values())) < MOST_LEFT for rows in (inbound, outbound))
        for pk in sorted(wanted & self._conversations.keys()):  # The others are deleted.
            row = self._conversations[pk]
            left = Left(row, inbound.get(pk, []), outbound.get(pk, []), whole)
            for message in (*left.inbound, *left.outbound):
                message.conversation = row
            if left.whole:
                row.unsettled = {message.pk for message in left.inbound}
            self.left.append(left)

    # Bots, conversations, contacts

    def bot(self, name: str) -> Bot:
        if name not in self.memory.bots:
            self.memory.bots[name], _ = Bot.objects.get_or_create(name=name)
        return self.memory.bots[name]

    def _bot_of(self, pk: int) -> Bot:
        found = next((bot for bot in self.memory.bots.values() if bot.pk == pk), None)
        self._bots[pk] = found or self.bot(Bot.objects.values_list("name", flat=True).get(pk=pk))
        return self._bots[pk]

    def conversation(self, pk: int) -> ConversationRow:
        """Raises Deleted."""
        if pk not in self._conversations:
            self._load([pk])
        try:
            return self._conversations[pk]
        except KeyError:
            raise Deleted(pk) from None

    def find(self, protocol: str, bot: str, key: str) -> ConversationRow | None:
        place = protocol, bot, key
        if place in self._created:
            return self._created[place]
        if place not in self.memory.keys:
            self._find_keys([place])
        pk = self.memory.keys.get(place)
        if pk is None:
            return None
        if pk not in self._conversations:
            self._load([pk])
        if pk not in self._conversations:  # Deleted meanwhile.
            self.memory.keys.pop(place, None)
        return self._conversations.get(pk)

    def is_free(self, conversation: ConversationRow) -> bool:
        """Nothing of it is in hand or waits to be fed. Of a conversation of which that was wanted."""
        return conversation.unsettled is not None and not conversation.unsettled

    def create(self, bot: str, **fields: Any) -> ConversationRow:
        """A new conversation, written at the end with the numbers that it has then."""
        conversation = ConversationRow(bot=self.bot(bot), bot_id=self.bot(bot).pk, changed_at=self.now, **fields)
        conversation.unsettled = set()
        self._created[conversation.protocol, bot, conversation.key] = conversation
        return conversation

    def write_created(self) -> None:
        """Gives the new conversations their keys: at the end, or where an operation has to find them."""
        created, self._created = self._created, {}
        if not created:
            return
        statements.insert(self._base, CONTACTS, [contact for contact in self._met.values() if contact.pk is None])
        for row in created.values():
            row.contact_id = None if row.newcomer is None else row.newcomer.pk
        statements.insert(self._base, CONVERSATIONS, list(created.values()))
        for key, row in created.items():
            self.memory.remember(key, row.pk)
            self._conversations[row.pk] = self._changed[row.pk] = row
            row.changed, row.stamp = set(), self._stamp
            if row.person is not None:
                self.memory.people[row.pk] = row.person
        self.memory.keep({row.pk: row for row in created.values()})
        for message in self.added:
            message.conversation_id = message.conversation.pk

    def rename(self, conversation: ConversationRow, bot: str, key: str) -> None:
        self.memory.keys.pop((conversation.protocol, bot, conversation.key), None)
        self.alter(conversation, key=key)
        self.memory.remember((conversation.protocol, bot, key), conversation.pk)

    def alter(self, row: models.Model, **fields: Any) -> None:
        """Changes any loaded row but a message; written at the end."""
        for name, value in fields.items():
            setattr(row, name, value)
        if isinstance(row, ConversationRow):
            row.changed.update(fields)
            if row.pk is not None:
                self._changed[row.pk] = row
        elif row.pk is not None:
            model = Contact if isinstance(row, ContactRow) else type(row)
            self._others[model, row.pk] |= fields
            if model is Contact and self.memory.contacts.get(row.pk) is not row:
                self.memory.contacts.pop(row.pk, None)

    def met(self, protocol: str, bot: str, person: str) -> ContactRow | None:
        """Who was looked up for a new conversation."""
        return self._met.get((protocol, bot, person))

    def meet(self, bot: str, **fields: Any) -> ContactRow:
        contact = ContactRow(bot_id=self.bot(bot).pk, **fields)
        self._met[contact.protocol, bot, contact.external_id] = contact
        return contact

    def last_written_of(self, conversation: ConversationRow) -> Person | None:
        return conversation.person if conversation.pk is None else self.memory.people.get(conversation.pk)

    def wrote(self, conversation: ConversationRow, person: Person) -> None:
        conversation.person = person
        if conversation.pk is not None:
            self.memory.people[conversation.pk] = person

    def contact(self, conversation: ConversationRow) -> ContactRow | None:
        """Whoever it is with, if anybody: loaded when first asked for."""
        pk = conversation.contact_id
        if conversation.newcomer is None and pk is not None:
            contacts = self.memory.contacts
            if pk not in contacts:
                contacts |= {
                    contact.pk: contact for contact in statements.select(self._base, CONTACTS, "id IN {keys}", [pk])
                }
                _forget_oldest(contacts, KEPT_CONVERSATIONS)
            return contacts.get(pk)
        return conversation.newcomer

    # Messages

    def add(self, conversation: ConversationRow, **fields: Any) -> MessageRow:
        """A new row, numbered. Words get a `seq`, unless they failed before they could be seen."""
        message = MessageRow(
            conversation=conversation,
            conversation_id=conversation.pk,
            bot_id=conversation.bot_id,
            at=self.now,
            rev=self.advance(conversation),
            **fields,
        )
        message.text = clean(message.text)
        if message.name:
            message.name = clean(message.name)[:256]
        if message.kind in WORDS and message.status not in UNSEEN:
            message.seq = conversation.seq = conversation.seq + 1
            message.seen_rev = message.rev
            conversation.last, conversation.last_at = message.text or _named(message.rich), self.now
            conversation.changed.update(SPOKEN)
        self.added.append(message)
        conversation.written.rows.append(message)
        if conversation.unsettled is not None and message.status in UNSETTLED:
            conversation.unsettled.add(-len(self.added))  # Until it has a key.
        return message

    def change(self, message: Message, *, seen: bool = False, **fields: Any) -> None:
        """Changes a row; `seen`: what a visitor sees of it changes."""
        conversation = self.conversation_of(message)
        if "status" in fields:
            self._note_move(conversation, message.pk, fields)
        rev = self.advance(conversation)
        fields |= {"rev": rev, "seen_rev": rev} if seen else {"rev": rev}
        for name, value in fields.items():
            setattr(message, name, value)
        if message.pk is not None:
            self._change_columns(message.pk, fields)
        rows = conversation.written.rows
        if all(row is not message for row in rows):
            rows.append(message)

    def conversation_of(self, message: Message) -> ConversationRow:
        return message.conversation if isinstance(message, MessageRow) else self.conversation(message.conversation_id)  # type: ignore[return-value]

    def change_status(self, conversation: ConversationRow, pk: int, status: Status, **fields: Any) -> None:
        """Changes a row that was not loaded."""
        fields["status"], fields["rev"] = status, self.advance(conversation)
        self._note_move(conversation, pk, fields)
        conversation.written.patches[pk] = self._change_columns(pk, fields)

    def _change_columns(self, pk: int, fields: dict[str, Any]) -> dict[str, Any]:
        """To be written at the end. Gives all that is to be of that row."""
        before = self._messages.setdefault(pk, fields)
        if before is not fields:
            before |= fields
        return before

    def _note_move(self, conversation: ConversationRow, pk: int, fields: dict[str, Any]) -> None:
        status, unsettled = fields["status"], conversation.unsettled
        self.moved.append((conversation, pk, status, "unknowns" in fields or status == UNKNOWN))
        if unsettled is not None:
            (unsettled.add if status in UNSETTLED else unsettled.discard)(pk)

    def status_of(self, message: Message) -> str:
        """With what this group has changed and not written yet."""
        return str(self._messages.get(message.pk, {}).get("status", message.status))

    def is_queued(self, pk: int) -> bool:
        """Of a row whose status was wanted."""
        return bool(self._messages.get(pk, {}).get("status", self.statuses.get(pk)) == Status.QUEUED)

    def to_feed(self, conversation: ConversationRow, message: Message) -> None:
        if conversation.part not in self.memory.mine:
            self._leave_mark(conversation)
        self.inbox.append((conversation, message))

    def to_deliver(self, conversation: ConversationRow, message: Message) -> None:
        if conversation.part not in self.memory.mine:
            self._leave_mark(conversation)
        self.outbox.append((conversation, message))

    def is_mine(self, conversation: ConversationRow) -> bool:
        """It goes on in this process."""
        return conversation.part in self.memory.mine

    def _leave_mark(self, conversation: ConversationRow) -> None:
        """Its owner, another process, has not seen this row, and must not feed or deliver a later one before."""
        self.alter(conversation, handed_rev=conversation.rev)

    def event(self, conversation: ConversationRow, kind: Kind, payload: dict[str, Any], **fields: Any) -> MessageRow:
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

    def advance(self, conversation: ConversationRow, **fields: Any) -> int:
        """Changes what watchers of the conversation are to see. Returns its new rev."""
        if conversation.written is None:
            self._touch(conversation)
        rev = conversation.rev = conversation.written.rev = conversation.rev + 1
        conversation.changed.add("rev")
        if fields:
            self.alter(conversation, **fields)
        return rev

    def _touch(self, conversation: ConversationRow) -> None:
        conversation.written = Written(conversation.rev, conversation.rev)
        self._touched.append(conversation)
        if conversation.pk is not None:
            self._changed[conversation.pk] = conversation
        if self.now - conversation.changed_at > STEP:
            self.alter(conversation, changed_at=self.now)

    # What came before

    def know(self, message: Message) -> None:
        if message.update_id is not None:
            self._updates[message.bot_id, message.update_id] = message
            self.memory.updates[message.bot_id, message.update_id] = None
        if message.client_id is not None:
            self._clients[id(self.conversation_of(message)), message.client_id] = message

    def known_update(self, bot: str, update_id: int | None) -> Message | None:
        return None if update_id is None or not self._updates else self._updates.get((self.bot(bot).id, update_id))

    def known_client(self, conversation: ConversationRow, client_id: str | None) -> Message | None:
        return None if client_id is None else self._clients.get((id(conversation), client_id))

    def find_client(self, conversation: ConversationRow, client_id: str) -> Message | None:
        """The same where it was not asked for beforehand: the table is asked as well."""
        known = self.known_client(conversation, client_id)
        return known or Message.objects.filter(conversation_id=conversation.pk, client_id=client_id).first()

    def in_this_group(self, conversation: ConversationRow) -> list[MessageRow]:
        """What was added to it and is not written yet, oldest first."""
        return [message for message in self.added if message.conversation is conversation]

    # The end

    def changed(self) -> list[ConversationRow]:
        return list(self._changed.values())

    def flush(self) -> None:
        self.write_created()
        statements.insert(self._base, MESSAGES, self.added, self._changes())
        self._note_added()
        self.news = {pk: conversation.rev for pk, conversation in self._changed.items()}
        for conversation in self._changed.values():
            conversation.stamp = self._stamp
        for conversation in self._touched:
            self.written[conversation.pk], conversation.written = conversation.written, None
        for (model, pk), fields in self._others.items():
            model._base_manager.filter(pk=pk).update(**fields)
        _forget_oldest(self.memory.updates, KEPT_UPDATES)
        _forget_oldest(self.memory.clients, KEPT_UPDATES)
        self.memory.trusting = True

    def _changes(self) -> list[Change]:
        self.holders = [pk for pk, conversation in self._changed.items() if "holder_id" in conversation.changed]
        return [
            *statements.changes_of_rows(self._base, CONVERSATIONS, self._changed.values()),
            *statements.changes_of_columns(self._base, MESSAGES, self._messages),
        ]

    def _note_added(self) -> None:
        for place, message in enumerate(self.added, start=1):
            unsettled = message.conversation.unsettled  # type: ignore[attr-defined]  # to mypy it is the model's
            if unsettled is not None:
                unsettled.discard(-place)
                if message.status in UNSETTLED:
                    unsettled.add(message.pk)
            if message.client_id is not None:
                self.memory.clients[message.conversation_id, message.client_id] = None


def _named(rich: Rich | None) -> str:
    """What stands for a message without words: its files."""
    return ", ".join(str(file.get("name", "")) for file in (rich or {}).get("files", ()))


def receipt(message: Message, *, duplicate: bool = False) -> Callable[[], Receipt]:
    """Made once the row has its key, that is after the flush."""
    return lambda: Receipt(message.pk, message.conversation_id, message.seq, message.seen_rev, duplicate)


def is_held(conversation: Conversation) -> bool:
    return conversation.holder_id is not None


def wanted(group: Group, uuid: str) -> ConversationRow:
    group.write_created()
    try:
        pk = Conversation.objects.filter(uuid=UUID(uuid)).values_list("pk", flat=True).first()
    except ValueError:
        pk = None
    if pk is None:
        raise Denied("unknown_conversation", "There is no such conversation.")
    return group.conversation(pk)
