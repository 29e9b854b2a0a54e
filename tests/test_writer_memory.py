"""What the writer remembers between groups is proved before it is used; what is marked early is marked rightly."""

import threading
from collections.abc import Callable
from typing import Any

import pytest
from django.db import IntegrityError, connection

from gateway import node
from gateway.models import Contact, Conversation, Message, Node, Status
from gateway.transcript import Accept, InRow, Mark, Memory, Say, Settle
from gateway.transcript.feeding import PutBack, in_row
from gateway.transcript.saying import out_row
from gateway.types import Inbound, Outbound, Person
from gateway.writer import Attempt, run_group

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def lease() -> Node:
    return Node.objects.create(slot="test", place="here")


@pytest.fixture
def run(lease: Node) -> Callable[..., Any]:
    """Runs groups as the writer does, over one memory."""
    memory = Memory()

    def run(*operations: Any) -> Any:
        return run_group(list(operations), memory, lambda: Attempt(node.hold(lease.pk), []))

    run.memory = memory  # type: ignore[attr-defined]
    return run


def inbound(update: int, user: int = 1, **changes: Any) -> Inbound:
    facts: dict[str, Any] = {
        "key": f"chat:{user}",
        "person": Person(str(user), f"User {user}"),
        "address": {"chat_id": user},
    }
    kind = {"kind": "message", "method": "message", "event": {"text": "hi"}, "text": "hi"}
    return Inbound(protocol="telegram", bot="bot", update_id=update, **kind | facts | changes)


def taken(update: int, user: int = 1) -> Accept:
    return Accept(inbound(update, user), handled=True, farewell=False, take=True)


def words(text: str, **more: Any) -> Outbound:
    return Outbound("message", "send_message", {"text": text}, text, **more)


def elsewhere(change: Callable[[], Any]) -> None:
    """On a connection of its own, as another process."""

    def work() -> None:
        change()
        connection.close()

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()


def settled(row: InRow) -> Settle:
    return Settle(row, Status.DONE, 60.0)


def fed(group: Any) -> InRow:
    ((_, message),) = group.inbox
    return in_row(message)


def test_what_another_connection_has_changed_is_seen(run: Callable[..., Any], django_user_model: Any) -> None:
    """Also where it moves no counter of the conversation's."""
    row = fed(run(taken(1))[0])
    run(settled(row))
    holder = django_user_model.objects.create(username="olga")
    elsewhere(lambda: Conversation.objects.update(holder=holder))
    run(Say(row.conversation, words("late")))
    assert Message.objects.get(text="late").status == Status.NOTE
    elsewhere(lambda: Conversation.objects.update(holder=None, seq=40, rev=90))
    run(Say(row.conversation, words("in time")))
    said = Message.objects.get(text="in time")
    assert (said.status, said.seq, said.rev) == (Status.QUEUED, 41, 91)


def test_what_nobody_has_changed_is_not_loaded_again(run: Callable[..., Any]) -> None:
    row = fed(run(taken(1))[0])
    run(settled(row))
    remembered = run.memory.conversations[row.conversation]  # type: ignore[attr-defined]
    run(Say(row.conversation, words("a")))
    assert run.memory.conversations[row.conversation] is remembered  # type: ignore[attr-defined]
    assert Conversation.objects.get(pk=row.conversation).rev == remembered.rev


def test_only_what_nothing_waits_before_is_taken_in_hand(run: Callable[..., Any]) -> None:
    first, second = run(taken(1), taken(2))[0].inbox
    assert [message.status for _, message in (first, second)] == [Status.IN_HAND, Status.RECEIVED]
    row = in_row(first[1])
    assert (row.feedings, row.begun is not None) == (0, True)
    third = fed(run(settled(row), taken(3))[0])
    assert third.begun is None, "the second one still waits"
    stored = Message.objects.order_by("pk").values_list("status", "feedings")
    assert list(stored) == [(Status.DONE, 1), (Status.RECEIVED, 0), (Status.RECEIVED, 0)]


def test_what_is_put_back_is_as_if_it_had_just_come(run: Callable[..., Any]) -> None:
    row = fed(run(taken(1))[0])
    assert Conversation.objects.get().open
    run(PutBack(row))
    stored = Message.objects.get()
    assert (stored.status, stored.feedings, Conversation.objects.get().open) == (Status.RECEIVED, 0, False)
    assert fed(run(taken(2))[0]).begun is None


def test_an_update_that_comes_again_is_refused_and_then_found(run: Callable[..., Any]) -> None:
    _, (first,) = run(taken(1))
    memory = run.memory  # type: ignore[attr-defined]
    _, (again,) = run(taken(1))  # It came lately.
    assert (again().row, again().duplicate) == (first().row, True)
    memory.updates.clear()
    with pytest.raises(IntegrityError):
        run(taken(1))
    memory.forget()  # As the writer does before it tries once more.
    _, (again,) = run(taken(1))
    assert (again().row, again().duplicate, Message.objects.count()) == (first().row, True, 1)


def test_people_and_conversations_that_are_new_are_written_with_their_group(run: Callable[..., Any]) -> None:
    group, _ = run(taken(1, 1), taken(2, 2), taken(3, 1))
    assert len(group.news) == 2
    first = Conversation.objects.get(key="chat:1")
    assert (first.seq, first.rev, first.open, first.address) == (2, 2, True, {"chat_id": 1})
    assert first.contact is not None
    assert first.contact.name == "User 1"
    topic = Accept(inbound(4, 1, key="chat:1/topic:2", person=Person("1", "New name")), handled=True, farewell=False)
    run(topic)
    assert Contact.objects.count() == 2
    assert Contact.objects.get(external_id="1").name == "New name"


def test_what_leaves_at_once_is_marked_unless_it_must_not_be_repeated(run: Callable[..., Any]) -> None:
    row = fed(run(taken(1))[0])
    once = words("once", at_most_once=True)
    group, _ = run(Say(row.conversation, words("now"), at_once=0), Say(row.conversation, once, at_once=0))
    now, later = [out_row(conversation, message, group.now) for conversation, message in group.outbox]
    assert (now.marked, now.sends, later.marked) == (True, 0, False)
    assert dict(Message.objects.filter(direction="out").values_list("text", "status")) == {
        "now": Status.SENDING,
        "once": Status.QUEUED,
    }
    run(Mark(now, Status.SENT, external_id=7))
    sent = Message.objects.get(text="now")
    assert (sent.status, sent.sends, sent.external_id) == (Status.SENT, 1, 7)


def test_what_a_group_that_fails_has_changed_is_forgotten(
    run: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    row = fed(run(taken(1))[0])
    memory = run.memory  # type: ignore[attr-defined]
    with pytest.raises(ValueError, match="nobody knows"):
        run(Say(row.conversation, words("a")), Failing())
    assert memory.conversations[row.conversation].seq == 2, "the test would show nothing"
    memory.forget()
    run(Say(row.conversation, words("b")))
    assert Message.objects.get(text="b").seq == 2


class Failing:
    def needs(self, wants: Any) -> None:
        """Nothing."""

    def apply(self, group: Any) -> None:
        raise ValueError("nobody knows why")
