"""Update → row."""

from collections.abc import Callable
from typing import Any
from uuid import UUID

from msgspec import Struct

from gateway.fields import clean
from gateway.models import UNSETTLED, Direction, Message, Sender, Status
from gateway.parts import part_of
from gateway.transcript.feeding import take_in_hand
from gateway.transcript.group import Group, Wants, is_held, receipt
from gateway.transcript.moving import move_chat
from gateway.transcript.rows import ContactRow, ConversationRow, MessageRow
from gateway.transcript.saying import add_outbound, by_external_id, change_seen_text
from gateway.transcript.scopes import end_scope
from gateway.types import Inbound, Person, Receipt


class Accept(Struct, frozen=True):
    """Update → row. `handled`: the application has a handler for it; `farewell`: it has one for the end of its scope.
    `take`: where nothing of its conversation waits, it is in hand at once, as if a Begin had followed; `neutral` is
    Begin's.

    Returns a function that gives the Receipt. A second delivery of the same update is a no-op.
    """

    inbound: Inbound
    handled: bool
    farewell: bool
    take: bool = False
    neutral: bool = False

    def needs(self, wants: Wants) -> None:
        inbound = self.inbound
        key = inbound.protocol, inbound.bot, inbound.key
        wants.keys.add(key)
        if inbound.person is not None:
            wants.people[key] = inbound.person.id
        if inbound.update_id is not None:
            wants.updates[inbound.bot].add(inbound.update_id)
        if inbound.client_id is not None:
            wants.client_ids[key].add(inbound.client_id)
        if self.take:
            wants.free.add(key)

    def apply(self, group: Group) -> Callable[[], Receipt]:
        known = group.known_update(self.inbound.bot, self.inbound.update_id)
        if known is not None:
            return self._again(group, known)
        if self.inbound.move is not None:
            move_chat(group, self.inbound.protocol, self.inbound.bot, self.inbound.move)
        conversation = self._conversation(group)
        known = group.known_client(conversation, self.inbound.client_id)
        if known is not None:
            return self._again(group, known)
        message = self._add(group, conversation)
        self._consequences(group, conversation)
        return receipt(message)

    def _again(self, group: Group, known: Message) -> Callable[[], Receipt]:
        if known.pk is not None and group.status_of(known) in UNSETTLED:
            # Its first commit may have been done and the answer lost with the line: then nobody feeds it.
            group.again.append((group.conversation(known.conversation_id), known))
        return receipt(known, duplicate=True)

    def _conversation(self, group: Group) -> ConversationRow:
        inbound = self.inbound
        conversation = group.find(inbound.protocol, inbound.bot, inbound.key)
        if conversation is None:
            conversation = self._create(group)
        elif inbound.person is not None and group.last_written_of(conversation) != inbound.person:
            _update_contact(group, group.contact(conversation), inbound.person)
            group.wrote(conversation, inbound.person)
        if inbound.chat and inbound.chat != conversation.chat:
            group.alter(conversation, chat=inbound.chat)
        if inbound.address and inbound.address != conversation.address:
            group.alter(conversation, address=inbound.address)
        return conversation

    def _create(self, group: Group) -> ConversationRow:
        inbound = self.inbound
        facts: dict[str, Any] = {"chat": inbound.chat, "address": inbound.address}
        if inbound.uuid is not None:
            facts["uuid"] = UUID(inbound.uuid)
        if inbound.person is not None:
            contact = _contact(group, inbound.protocol, inbound.bot, inbound.person)
            facts |= {"newcomer": contact, "person": inbound.person, "banned": contact.banned_at is not None}
        facts["part"] = part_of(inbound.protocol, inbound.bot, inbound.key)
        return group.create(inbound.bot, protocol=inbound.protocol, key=inbound.key, **facts)

    def _add(self, group: Group, conversation: ConversationRow) -> MessageRow:
        inbound = self.inbound
        status = Status.RECEIVED
        if inbound.error:
            status = Status.DEAD
        elif not self.handled or is_held(conversation) or conversation.banned:
            status = Status.DONE
        elif self.take and not inbound.blocked and group.is_mine(conversation) and group.is_free(conversation):
            status = Status.IN_HAND
        message = group.add(
            conversation,
            direction=Direction.IN,
            kind=inbound.kind,
            sender=Sender.VISITOR,
            name=inbound.speaker or (inbound.person.name if inbound.person else ""),
            text=inbound.text,
            rich=inbound.rich,
            method=inbound.method,
            payload=inbound.event,
            update_id=inbound.update_id,
            client_id=inbound.client_id,
            external_id=inbound.external_id,
            error=inbound.error and clean(inbound.error),
            status=status,
            feedings=int(status == Status.IN_HAND),
            settled_at=None if status in UNSETTLED else group.now,
        )
        group.know(message)
        if status == Status.IN_HAND:
            message.begun = take_in_hand(group, conversation, fresh=not group.memory.is_live(conversation.pk))
            if self.neutral and inbound.courtesy is not None:
                add_outbound(group, conversation, inbound.courtesy, sender=Sender.SYSTEM)
        if status in UNSETTLED:
            group.to_feed(conversation, message)
        elif inbound.courtesy is not None:
            add_outbound(group, conversation, inbound.courtesy, sender=Sender.SYSTEM)
        return message

    def _consequences(self, group: Group, conversation: ConversationRow) -> None:
        inbound = self.inbound
        if inbound.edits is not None and conversation.rev:
            edited = by_external_id(group, conversation, inbound.edits)
            change_seen_text(group, edited, inbound.text, rich=inbound.rich)
        self._note_blocked(group, conversation)
        if inbound.blocked and conversation.open:
            end_scope(group, conversation, "blocked", farewell=self.farewell)

    def _note_blocked(self, group: Group, conversation: ConversationRow) -> None:
        blocked, reachable = self.inbound.blocked, group.memory.reachable
        if blocked is None or (not blocked and group.memory.alone and conversation.contact_id in reachable):
            return
        contact = group.contact(conversation)
        if contact is None:
            return
        if blocked or contact.blocked_at is not None:
            group.alter(contact, blocked_at=group.now if blocked else None)
        if contact.pk is not None:
            (reachable.discard if blocked else reachable.add)(contact.pk)


def _contact(group: Group, protocol: str, bot: str, person: Person) -> ContactRow:
    contact = group.met(protocol, bot, person.id)
    if contact is None:
        facts = {**_facts(person), "user_id": person.user_id, "details": person.details or {}}
        return group.meet(bot, protocol=protocol, external_id=person.id, **facts)
    _update_contact(group, contact, person)
    return contact


def _facts(person: Person) -> dict[str, Any]:
    return {
        "name": clean(person.name)[:256],
        "username": clean(person.username)[:256],
        "language": clean(person.language)[:35],
    }


def _update_contact(group: Group, contact: ContactRow | None, person: Person) -> None:
    if contact is None or contact.external_id != person.id:
        return
    facts = _facts(person)
    if person.details is not None:
        facts["details"] = person.details
    if person.user_id is not None:
        facts["user_id"] = person.user_id
    changed = {name: value for name, value in facts.items() if value != getattr(contact, name)}
    if changed:
        group.alter(contact, **changed)
