"""Update → row."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from gateway.fields import clean
from gateway.models import Contact, Conversation, Direction, Message, Sender, Status
from gateway.parts import part_of
from gateway.transcript.group import Group, Wants, is_held, receipt
from gateway.transcript.moving import move_chat
from gateway.transcript.saying import add_outbound, by_external_id, change_seen_text
from gateway.transcript.scopes import end_scope
from gateway.types import Inbound, Person, Receipt


@dataclass(frozen=True, slots=True)
class Accept:
    """Update → row. `handled`: the application has a handler for it; `farewell`: it has one for the end of its scope.

    Returns a function that gives the Receipt. A second delivery of the same update is a no-op.
    """

    inbound: Inbound
    handled: bool
    farewell: bool

    def needs(self, wants: Wants) -> None:
        inbound = self.inbound
        wants.keys.add((inbound.protocol, inbound.bot, inbound.key))
        if inbound.update_id is not None:
            wants.updates[inbound.bot].add(inbound.update_id)
        if inbound.client_id is not None:
            wants.client_ids.add(inbound.client_id)

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
        if known.pk is not None and known.status == Status.RECEIVED:
            # Its first commit may have been done and the answer lost with the line: then nobody feeds it.
            group.again.append((group.conversation(known.conversation_id), known))
        return receipt(known, duplicate=True)

    def _conversation(self, group: Group) -> Conversation:
        inbound = self.inbound
        conversation = group.find(inbound.protocol, inbound.bot, inbound.key)
        if conversation is None:
            conversation = self._create(group)
        elif inbound.person is not None and group.memory.people.get(conversation.pk) != inbound.person:
            if conversation.contact is not None:
                _update_contact(group, conversation.contact, inbound.person)
            group.memory.people[conversation.pk] = inbound.person
        for name in ("chat", "address"):
            value = getattr(inbound, name)
            if value and value != getattr(conversation, name):
                group.alter(conversation, **{name: value})
        return conversation

    def _create(self, group: Group) -> Conversation:
        inbound, bot = self.inbound, group.bot(self.inbound.bot)
        contact = _contact(group, inbound.protocol, inbound.bot, inbound.person) if inbound.person else None
        conversation = Conversation(
            bot=bot,
            contact=contact,
            protocol=inbound.protocol,
            key=inbound.key,
            part=part_of(inbound.protocol, inbound.bot, inbound.key),
            chat=inbound.chat,
            address=inbound.address,
            banned=contact is not None and contact.banned_at is not None,
            changed_at=group.now,
        )
        if inbound.uuid is not None:
            conversation.uuid = UUID(inbound.uuid)
        conversation.save(force_insert=True)
        group.keep(conversation, inbound.bot)
        return conversation

    def _add(self, group: Group, conversation: Conversation) -> Message:
        inbound = self.inbound
        status = Status.RECEIVED
        if inbound.error:
            status = Status.DEAD
        elif not self.handled or is_held(conversation) or conversation.banned:
            status = Status.DONE
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
            error=clean(inbound.error),
            status=status,
            settled_at=None if status == Status.RECEIVED else group.now,
        )
        group.know(message)
        if status == Status.RECEIVED:
            group.to_feed(conversation, message)
        elif inbound.courtesy is not None:
            add_outbound(group, conversation, inbound.courtesy, sender=Sender.SYSTEM)
        return message

    def _consequences(self, group: Group, conversation: Conversation) -> None:
        inbound = self.inbound
        if inbound.edits is not None and conversation.rev:
            edited = by_external_id(group, conversation, inbound.edits)
            change_seen_text(group, edited, inbound.text, rich=inbound.rich)
        self._note_blocked(group, conversation)
        if inbound.blocked and conversation.open:
            end_scope(group, conversation, "blocked", farewell=self.farewell)

    def _note_blocked(self, group: Group, conversation: Conversation) -> None:
        blocked, reachable = self.inbound.blocked, group.memory.reachable
        if blocked is None or (not blocked and conversation.contact_id in reachable):
            return
        contact = conversation.contact
        if contact is not None:
            group.alter(contact, blocked_at=group.now if blocked else None)
            (reachable.discard if blocked else reachable.add)(contact.pk)


def _contact(group: Group, protocol: str, bot: str, person: Person) -> Contact:
    contact, created = Contact.objects.get_or_create(
        bot=group.bot(bot),
        protocol=protocol,
        external_id=person.id,
        defaults={
            "name": clean(person.name)[:256],
            "username": clean(person.username)[:256],
            "language": clean(person.language)[:35],
            "details": person.details or {},
            "user_id": person.user_id,
        },
    )
    if not created:
        _update_contact(group, contact, person)
    return contact


def _update_contact(group: Group, contact: Contact, person: Person) -> None:
    if contact.external_id != person.id:
        return
    facts: dict[str, Any] = {
        "name": clean(person.name)[:256],
        "username": clean(person.username)[:256],
        "language": clean(person.language)[:35],
    }
    if person.details is not None:
        facts["details"] = person.details
    if person.user_id is not None:
        facts["user_id"] = person.user_id
    changed = {name: value for name, value in facts.items() if value != getattr(contact, name)}
    if changed:
        group.alter(contact, **changed)
