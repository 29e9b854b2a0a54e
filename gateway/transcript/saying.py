"""Application or operator → row."""

import logging
from collections.abc import Callable
from typing import Any

from msgspec import Struct

from gateway import audit
from gateway.errors import Denied
from gateway.fields import clean
from gateway.models import Conversation, Direction, Kind, Message, Sender, Status
from gateway.transcript.group import WORDS, Group, Wants, is_held, receipt, wanted
from gateway.transcript.rows import ConversationRow, MessageRow
from gateway.types import Buttons, Outbound, Receipt, Rich

logger = logging.getLogger(__name__)


class OutRow(Struct):
    """An outbound row on its way outside. `sends` counts the calls before the next one. `marked`: that one is marked
    already, since it was to be made at once."""

    pk: int
    conversation: int
    protocol: str
    bot: str
    kind: str
    method: str
    params: dict[str, Any]
    text: str
    buttons: Buttons | None
    ref: str
    address: dict[str, Any]
    parts: list[int]
    sends: int
    at_most_once: bool
    due_in: float
    sender: str
    announcement: bool
    unknowns: int
    rich: Rich | None = None
    marked: bool = False
    part: int = 0


def out_row(conversation: Conversation, message: Message, now: Any) -> OutRow:
    due_in = (message.due_at - now).total_seconds() if message.due_at else 0.0
    marked = isinstance(message, MessageRow) and message.status == Status.SENDING
    return OutRow(
        message.pk,
        conversation.pk,
        conversation.protocol,
        conversation.bot.name,
        str(message.kind),
        message.method,
        message.payload,
        message.text,
        message.buttons,
        message.ref,
        conversation.address,
        list(message.parts),
        message.sends - marked,
        message.at_most_once or conversation.bot.at_most_once,
        due_in,
        str(message.sender),
        message.announcement,
        message.unknowns,
        message.rich,
        marked,
        conversation.part,
    )


IMMEDIATE: set[str] = set()
"""Protocols whose words are delivered by their commit; each says so when the engine starts it."""


def add_outbound(
    group: Group, conversation: ConversationRow, outbound: Outbound, *, at_once: bool = False, **fields: Any
) -> MessageRow:
    """The row of something said, with the status that it begins with. `at_once`: its call is made after the commit."""
    immediate = conversation.protocol in IMMEDIATE
    status = Status.SENT if immediate else Status.QUEUED
    if outbound.error:
        status = Status.FAILED
    elif outbound.kind == Kind.NOTE or _is_late(conversation, outbound, fields["sender"]):
        status = Status.NOTE
    elif at_once and not immediate and not (outbound.at_most_once or conversation.bot.at_most_once):
        # One that is never repeated is marked just before its call: a mark without a call would lose it.
        status = Status.SENDING
    message = group.add(
        conversation,
        direction=Direction.OUT,
        kind=outbound.kind,
        text=outbound.text,
        rich=outbound.rich,
        buttons=outbound.buttons,
        method=outbound.method,
        payload=outbound.params,
        ref=outbound.ref and clean(outbound.ref),
        at_most_once=outbound.at_most_once,
        status=status,
        error=outbound.error and clean(outbound.error),
        sends=int(status == Status.SENDING),
        settled_at=None if status in (Status.QUEUED, Status.SENDING) else group.now,
        **fields,
    )
    if status in (Status.QUEUED, Status.SENDING):
        group.to_deliver(conversation, message)
    elif status == Status.SENT and outbound.kind == Kind.EDIT:
        change_seen_text(
            group, by_ref(group, conversation, outbound.ref), outbound.text, outbound.buttons, outbound.rich
        )
    return message


def _is_late(conversation: ConversationRow, outbound: Outbound, sender: str) -> bool:
    """A holder has the conversation: the bot's words are notes. An answered button press is no word."""
    held = conversation.holder_id is not None
    return held and sender == Sender.BOT and outbound.method != "answer_callback_query"


class Say(Struct, frozen=True):
    """Bot or system → row. With `cause` and `ordinal` it is the n-th thing said by the handler of that row.

    `redelivered`: how often the row was fed before; then the n-th thing may be there already, and is not said twice.
    `reports`: the application wants the result of what carries a `ref`. `announcement`: it is said to many. `at_once`:
    nothing is in its way outside, so that it is `sending` from the beginning, if no other process has left anything
    there since that rev.
    """

    conversation: int
    outbound: Outbound
    sender: str = Sender.BOT
    cause: int | None = None
    ordinal: int | None = None
    redelivered: int = 0
    reports: bool = False
    announcement: bool = False
    at_once: int | None = None

    def needs(self, wants: Wants) -> None:
        wants.conversations.add(self.conversation)

    def apply(self, group: Group) -> Callable[[], Receipt]:
        conversation, attempt = group.conversation(self.conversation), 0
        if self.redelivered:
            said = self._already_said()
            if said is not None and (said.text, said.method, said.payload) == self._content():
                return receipt(said, duplicate=True)
            if said is not None:
                logger.warning("Row %s, fed again, gave another answer %s than before.", self.cause, self.ordinal)
            if said is not None and group.status_of(said) == Status.QUEUED and not said.sends:
                group.change(said, seen=said.seq is not None, **self._replacement())
                group.to_deliver(conversation, said)
                return receipt(said)
            # A row that is replayed begins to be counted anew: no number of feedings is said only once.
            attempt = 0 if said is None else said.attempt + 1
        message = add_outbound(
            group,
            conversation,
            self.outbound,
            at_once=self._leaves_at_once(group, conversation),
            sender=self.sender,
            cause_id=self.cause,
            ordinal=self.ordinal,
            attempt=attempt,
            announcement=self.announcement,
        )
        if self.outbound.method == "ask_human" and not is_held(conversation):
            group.alter(conversation, waiting=True, waiting_since=conversation.waiting_since or group.now)
        if self.reports and self.outbound.ref and message.status in (Status.SENT, Status.FAILED):
            done = message.status == Status.SENT
            outcome = {"result": {"message_id": message.seq}} if done else {"error": message.error}
            report(group, conversation, message.ref, outcome)
        return receipt(message)

    def _leaves_at_once(self, group: Group, conversation: ConversationRow) -> bool:
        return self.at_once is not None and conversation.handed_rev <= self.at_once and group.is_mine(conversation)

    def _already_said(self) -> Message | None:
        if self.cause is None or self.ordinal is None:
            return None
        said = Message.objects.filter(cause_id=self.cause, ordinal=self.ordinal)
        return said.order_by("-attempt").first()

    def _content(self) -> tuple[str, str, Any]:
        return clean(self.outbound.text), self.outbound.method, self.outbound.params

    def _replacement(self) -> dict[str, Any]:
        return {
            "text": clean(self.outbound.text),
            "method": self.outbound.method,
            "payload": self.outbound.params,
            "rich": self.outbound.rich,
            "buttons": self.outbound.buttons,
        }


def report(group: Group, conversation: ConversationRow, ref: str, outcome: dict[str, Any]) -> None:
    """What a method that carried a `ref` gave back becomes an event of the application's."""
    group.event(conversation, Kind.RESULT, {"ref": ref, "ok": "error" not in outcome, **outcome})


def by_ref(group: Group, conversation: ConversationRow, ref: str) -> Message | None:
    """The newest message that the bot calls by that name."""
    for message in reversed(group.in_this_group(conversation)):
        if message.ref == ref and message.kind == Kind.MESSAGE:
            return message
    found = Message.objects.filter(conversation_id=conversation.pk, ref=ref, kind=Kind.MESSAGE, direction=Direction.OUT)
    return found.order_by("-pk").first()


def by_external_id(group: Group, conversation: ConversationRow, external_id: int) -> Message | None:
    for message in reversed(group.in_this_group(conversation)):
        if message.external_id == external_id and message.seq:
            return message
    found = Message.objects.filter(conversation_id=conversation.pk, external_id=external_id, seq__isnull=False)
    return found.order_by("-pk").first()


def change_seen_text(
    group: Group, message: Message | None, text: str, buttons: Buttons | None = None, rich: Rich | None = None
) -> None:
    """An edit shows as the same `seq` with a new rev. One without a text changes the buttons alone."""
    if message is None or message.kind not in WORDS:
        return
    fields: dict[str, Any] = {"text": clean(text) or message.text, "rich": rich if text else message.rich}
    if message.direction == Direction.OUT:
        fields["buttons"] = buttons
    group.change(message, seen=True, **fields)
    conversation = group.conversation_of(message)
    if message.seq == conversation.seq:
        group.alter(conversation, last=fields["text"])


class OperatorSay(Struct, frozen=True):
    """`seen`: the newest `seq` that the operator had before their eyes."""

    uuid: str
    user: Any
    name: str
    client_id: str
    outbound: Outbound
    seen: int

    def needs(self, wants: Wants) -> None:
        """It is found by its UUID when its turn comes."""

    def apply(self, group: Group) -> Callable[[], Receipt]:
        conversation = wanted(group, self.uuid)
        known = group.find_client(conversation, self.client_id)
        if known is not None:
            return receipt(known, duplicate=True)
        if conversation.holder_id != self.user.pk:
            raise Denied("not_holder", "Take the conversation over before you answer.")
        self._refuse_stale(group, conversation)
        message = add_outbound(
            group,
            conversation,
            self.outbound,
            sender=Sender.OPERATOR,
            author_id=self.user.pk,
            name=self.name,
            client_id=self.client_id,
        )
        group.know(message)
        audit.record(self.user, "say", conversation=conversation, detail={"seq": message.seq})
        return receipt(message)

    def _refuse_stale(self, group: Group, conversation: ConversationRow) -> None:
        newer = Message.objects.filter(conversation_id=conversation.pk, sender=Sender.OPERATOR, seq__gt=self.seen)
        if newer.exclude(author_id=self.user.pk).exists():
            raise Denied("stale", "Somebody else has answered meanwhile: read it first.")
