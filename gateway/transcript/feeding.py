"""Row → application, and a row's end state."""

import json
import logging
from typing import Any

from django.contrib.auth import get_user_model
from django.contrib.auth.models import AbstractBaseUser, AnonymousUser
from msgspec import Struct, field

from gateway.fields import clean, dump
from gateway.logs import event
from gateway.models import Kind, Message, Sender, Status
from gateway.transcript.group import Group, Wants, is_held
from gateway.transcript.noting import add_note
from gateway.transcript.rows import ContactRow, ConversationRow, MessageRow
from gateway.transcript.saying import add_outbound
from gateway.transcript.scopes import close_scope, end_scope, has_unsettled, start_clock
from gateway.types import Outbound, Person

logger = logging.getLogger(__name__)

APOLOGY_ORDINAL = -1
NOBODY, ANONYMOUS = Person(""), AnonymousUser()


class InRow(Struct, frozen=True):
    """An inbound row on its way through the application. `feedings` counts those before this one. `begun`: it was taken
    in hand as it came."""

    pk: int
    conversation: int
    kind: str
    method: str
    event: dict[str, Any]
    text: str
    feedings: int
    begun: "Begun | None" = None


def in_row(message: Message, *, unfed: bool = False) -> InRow:
    """`unfed`: if it is in hand, then only by its mark."""
    begun = message.begun if isinstance(message, MessageRow) else None
    counted = begun is not None or (unfed and message.status == Status.IN_HAND)
    return InRow(
        message.pk,
        message.conversation_id,
        str(message.kind),
        message.method,
        message.payload,
        message.text,
        message.feedings - counted,
        begun,
    )


class Begun(Struct, frozen=True):
    """`fed`: whether the row goes to the application now (else it is settled already). The rest makes a scope."""

    fed: bool
    resumed: bool = False
    session: dict[str, Any] = field(default_factory=dict)
    uuid: str = ""
    chat: dict[str, Any] = field(default_factory=dict)
    address: dict[str, Any] = field(default_factory=dict)
    person: Person = NOBODY
    user: "AbstractBaseUser | AnonymousUser" = ANONYMOUS


class Begin(Struct, frozen=True):
    """Marks a row as in hand, which is durable before it is fed, so that a row that kills the process is counted.

    `fresh`: an instance is to be started, which needs to know who is talking. `courtesy` is what the gateway says
    itself if the row is settled unfed, since a holder has the conversation or its person is banned, or if it is fed
    under a `neutral` name: those have no words for what is a protocol's own.
    """

    row: InRow
    fresh: bool = True
    courtesy: Outbound | None = None
    neutral: bool = False

    def needs(self, wants: Wants) -> None:
        wants.conversations.add(self.row.conversation)

    def apply(self, group: Group) -> Begun:
        conversation, row = group.conversation(self.row.conversation), self.row
        if self._unfed(conversation):
            group.change_status(conversation, row.pk, Status.DONE, settled_at=group.now)
            if row.kind == Kind.DISCONNECT:
                close_scope(group, conversation)
            if self.courtesy is not None:
                add_outbound(group, conversation, self.courtesy, sender=Sender.SYSTEM)
            return Begun(fed=False)
        group.change_status(conversation, row.pk, Status.IN_HAND, feedings=row.feedings + 1)
        begun = take_in_hand(group, conversation, fresh=self.fresh)
        if self.neutral and self.courtesy is not None and row.feedings == 0:
            add_outbound(group, conversation, self.courtesy, sender=Sender.SYSTEM)
        return begun

    def _unfed(self, conversation: ConversationRow) -> bool:
        if self.row.kind in (Kind.RESULT, Kind.RESUME, Kind.DISCONNECT) and not conversation.open:
            return True  # They belong to a scope that has ended, and open none.
        return (is_held(conversation) or conversation.banned) and self.row.kind != Kind.DISCONNECT


def take_in_hand(group: Group, conversation: ConversationRow, *, fresh: bool = False) -> Begun:
    """Its clock stands; where no scope is open, one begins."""
    resumed = conversation.open
    if conversation.deadline is not None:
        group.alter(conversation, deadline=None)
    if not resumed:
        group.alter(conversation, open=True, session={})
    if resumed and not fresh:
        return Begun(fed=True, resumed=True, address=conversation.address)
    contact = group.contact(conversation)
    return Begun(
        True,
        resumed,
        json.loads(dump(conversation.session)),  # The application changes it in place.
        str(conversation.uuid),
        conversation.chat,
        conversation.address,
        Person("") if contact is None else _person(contact),
        _user(contact),
    )


def _person(contact: ContactRow) -> Person:
    return Person(contact.external_id, contact.name, contact.username, contact.language, contact.user_id)


def _user(contact: ContactRow | None) -> AbstractBaseUser | AnonymousUser:
    if contact is None or contact.user_id is None:
        return AnonymousUser()
    return get_user_model().objects.filter(pk=contact.user_id).first() or AnonymousUser()


class PutBack(Struct, frozen=True):
    """What was taken in hand as it came is not fed by this process, which stops: it waits as if it had just come."""

    row: InRow

    def needs(self, wants: Wants) -> None:
        wants.conversations.add(self.row.conversation)

    def apply(self, group: Group) -> None:
        conversation = group.conversation(self.row.conversation)
        group.change_status(conversation, self.row.pk, Status.RECEIVED, feedings=self.row.feedings)
        if self.row.begun is not None and not self.row.begun.resumed:
            group.alter(conversation, open=False)


class Settle(Struct, frozen=True):
    """A fed row reaches its end state, in one transaction with the session, the apology and the end of its scope.

    `session` None: as it was. `ended`: the application is over, and its scope with it; `close`: the bot closed it.
    """

    row: InRow
    status: Status
    timeout: float
    error: str = ""
    session: dict[str, Any] | None = None
    ended: bool = False
    close: bool = False
    farewell: bool = False
    apology: Outbound | None = None

    def needs(self, wants: Wants) -> None:
        wants.conversations.add(self.row.conversation)

    def apply(self, group: Group) -> bool:
        """Returns whether the clock of the scope runs now."""
        conversation = group.conversation(self.row.conversation)
        error = self.error and clean(self.error)
        group.change_status(conversation, self.row.pk, self.status, error=error, settled_at=group.now)
        if self.session is not None:
            group.alter(conversation, session=self.session)
        if self.apology is not None and not is_held(conversation):
            self._apologise(group, conversation, self.apology)
        if self.ended or self.row.kind == Kind.DISCONNECT:
            close_scope(group, conversation)
        elif self.close:
            end_scope(group, conversation, "closed", farewell=self.farewell)
        else:
            start_clock(group, conversation, self.timeout)
        return conversation.deadline is not None

    def _apologise(self, group: Group, conversation: ConversationRow, apology: Outbound) -> None:
        """Once for an event, however often it is replayed."""
        if self.row.feedings and Message.objects.filter(cause_id=self.row.pk, ordinal=APOLOGY_ORDINAL).exists():
            return
        add_outbound(group, conversation, apology, sender=Sender.SYSTEM, cause_id=self.row.pk, ordinal=APOLOGY_ORDINAL)


class Tell(Struct, frozen=True):
    """The gateway says something of its own. Not where a holder has the conversation: they talk themselves."""

    conversation: int
    outbound: Outbound

    def needs(self, wants: Wants) -> None:
        wants.conversations.add(self.conversation)

    def apply(self, group: Group) -> None:
        conversation = group.conversation(self.conversation)
        if not is_held(conversation):
            add_outbound(group, conversation, self.outbound, sender=Sender.SYSTEM)


class End(Struct, frozen=True):
    """Ends an open scope from outside a handler. With `idle` only if really nothing is in hand, waiting or held.

    `farewell` False: there is nobody to tell. Returns whether the scope ends or has ended.
    """

    conversation: int
    code: str
    farewell: bool
    idle: bool = False

    def needs(self, wants: Wants) -> None:
        wants.conversations.add(self.conversation)

    def apply(self, group: Group) -> bool:
        conversation = group.conversation(self.conversation)
        if not conversation.open:
            return True
        if self.idle and (_is_attended(conversation) or has_unsettled(group, conversation)):
            return False
        end_scope(group, conversation, self.code, farewell=self.farewell)
        if self.idle:
            add_note(group, conversation, "Ended: nobody had said anything for a while.", method="idle")
        return True


def _is_attended(conversation: ConversationRow) -> bool:
    return conversation.deadline is None or conversation.waiting or is_held(conversation)


class Recover(Struct, frozen=True):
    """What a process that died had in hand goes back: rows to be fed again, sends whose outcome nobody knows.

    Returns how many of either. Rows that carry `at_most_once` stay unknown; the others are sent again. `running`: the
    rows that were with handlers, if that is known. This feeding is held against no other.
    """

    conversation: int
    running: set[int] | None = None

    def needs(self, wants: Wants) -> None:
        wants.conversations.add(self.conversation)

    def apply(self, group: Group) -> tuple[int, int]:
        conversation = group.conversation(self.conversation)
        rows = Message.objects.filter(conversation_id=conversation.pk, status__in=(Status.IN_HAND, Status.SENDING))
        in_hand = sending = 0
        for message in rows.order_by("pk"):
            if message.status == Status.IN_HAND:
                in_hand += 1
                blamed = self.running is None or message.pk in self.running
                group.change(
                    message,
                    status=Status.RECEIVED,
                    feedings=message.feedings if blamed else max(message.feedings - 1, 1),
                )
            else:
                sending += 1
                self._unknown(group, conversation, message)
        return in_hand, sending

    def _unknown(self, group: Group, conversation: ConversationRow, message: Message) -> None:
        once = message.at_most_once or conversation.bot.at_most_once
        error = "The process died while the call was under way: nobody knows whether it was done."
        status = Status.UNKNOWN if once else Status.QUEUED
        group.change(message, status=status, error=error, unknowns=message.unknowns + 1)
        logger.error(
            "Message %s: nobody knows whether the call was done (the process died under it); %s.",
            message.pk,
            "it stays unknown" if once else "it is made again",
            extra=event("unknown_send", row=message.pk, conversation=str(conversation.uuid)),
        )
