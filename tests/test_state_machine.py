"""The engine's core against random histories: hypothesis chooses what comes, what fails and when the process dies.

Everything is real but the wire: engine, writer's thread, rows. A crash is a process that does nothing more from one
moment to the next: its writer stops between two commits and its tasks are gone; the next engine starts on the rows.
"""

import asyncio
import os
from collections import Counter, defaultdict
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any, ClassVar

import pytest
from channels.consumer import AsyncConsumer
from channels.routing import ProtocolTypeRouter
from django.contrib.auth import get_user_model
from django.db import transaction
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    rule,
    run_state_machine_as_test,
)

from gateway import outbox, writer
from gateway.engine import Engine
from gateway.errors import DeliveryError, Denied, Later, NotReady, Refused, Unknown
from gateway.models import Bot, Contact, Conversation, Kind, Message, Node, Status
from gateway.types import Delivery, Inbound, Sent
from tests import communicator
from tests.communicator import SHRUG, Chat
from tests.conftest import EVERYTHING

EXAMPLES, STEPS = (2000, 60) if os.environ.get("LONG") else (60 if EVERYTHING else 15, 25)
PEOPLE = 3
REST_SECONDS = 20.0
PAUSES = st.sampled_from([0.0, 0.0, 0.001, 0.003, 0.01])
WHO = st.integers(0, PEOPLE - 1)
MOVING = (Status.RECEIVED, Status.IN_HAND, Status.QUEUED, Status.SENDING)


class Ledger(AsyncConsumer):
    """Writes into its session what it has handled in this scope. A word says what becomes of it: "boom", "close"."""

    state_in_session = True
    fed: ClassVar[list[tuple[str, int]]] = []

    async def telegram_message(self, event: dict[str, Any]) -> None:
        await self.handle(event["text"], event["update"]["number"])

    async def telegram_callback_query(self, event: dict[str, Any]) -> None:
        await self.handle(event["data"], event["update"]["number"])

    async def handle(self, word: str, number: int) -> None:
        Ledger.fed.append((self.scope["conversation"], number))
        await asyncio.sleep(0)
        handled = self.scope["session"].setdefault("handled", [])
        handled.append(number)
        await self.send(
            {"type": "telegram.message", "text": f"{number} is {len(handled)}", "at_most_once": word == "once"}
        )
        await asyncio.sleep(0)
        if word == "boom":
            raise ValueError(word)
        if word == "close":
            await self.send({"type": "telegram.close"})

    async def telegram_resume(self, event: dict[str, Any]) -> None:
        """It wants to be told."""

    async def telegram_disconnect(self, event: dict[str, Any]) -> None:
        """It wants a farewell."""


@dataclass
class World:
    """What is outside of any engine: what people saw (by row), and what the next calls will meet."""

    shown: list[int] = field(default_factory=list)
    faults: list[tuple[DeliveryError, bool]] = field(default_factory=list)
    dead: set[int] = field(default_factory=set)

    def has_died(self, engine: Engine) -> bool:
        return id(engine.writer) in self.dead


world = World()


class Outside(communicator.Outside):
    """Shows what it is given, unless the next fault says otherwise. A dead engine's calls end nowhere."""

    async def deliver(self, delivery: Delivery) -> Sent:
        await asyncio.sleep(0)
        if world.has_died(self.engine):
            raise asyncio.CancelledError
        error, acts = world.faults.pop(0) if world.faults else (None, True)
        if acts:
            world.shown.append(delivery.row)
        await asyncio.sleep(0)
        if error is not None:
            raise error
        return Sent(len(world.shown), {"message_id": len(world.shown)})


class Machine(RuleBasedStateMachine):
    """One example: one database, a few people, and as many engines as there are crashes, one after the other."""

    def __init__(self) -> None:
        super().__init__()
        empty_the_tables()
        world.__init__()  # type: ignore[misc]
        Ledger.fed.clear()
        self.engine: Engine
        self.loop: asyncio.AbstractEventLoop
        self.skipped = 0.0
        self.number = 0
        self.offered: dict[int, list[Inbound]] = defaultdict(list)
        self.accepted: set[int] = set()
        self.accepting: dict[asyncio.Task[Any], list[Inbound]] = {}
        self.revs: dict[int, int] = {}
        self.ends = 0
        self.taken: set[int] = set()
        self.holders: dict[int, Any] = {}
        self.said: list[tuple[int, str, int]] = []
        self.operator = get_user_model().objects.create_user("olga", is_staff=True)

    @initialize()
    def begin(self) -> None:
        self.loop = asyncio.new_event_loop()
        self.engine = self.run(self.start())

    async def start(self) -> Engine:
        engine = Engine(ProtocolTypeRouter({"telegram": Ledger.as_asgi()}), [Outside])
        engine.time = lambda: engine._loop.time() + self.skipped
        await engine.start()
        return engine

    def run(self, work: Coroutine[Any, Any, Any]) -> Any:
        return self.loop.run_until_complete(work)

    def let_run(self, seconds: float) -> None:
        self.run(asyncio.sleep(seconds))

    # What people do

    @rule(who=WHO, word=st.sampled_from(["word", "word", "word", "once", "boom", "close"]), pause=PAUSES)
    def says(self, who: int, word: str, pause: float) -> None:
        self.offer(who, self.new(who, word, Kind.MESSAGE, "message"), pause)

    @rule(who=WHO, pause=PAUSES)
    def presses(self, who: int, pause: float) -> None:
        self.offer(who, self.new(who, "pressed", Kind.BUTTON, "callback_query"), pause)

    @rule(who=WHO, back=st.integers(1, 5), pause=PAUSES)
    def comes_again(self, who: int, back: int, pause: float) -> None:
        """Telegram did not hear our answer."""
        again = self.offered[who][-back:][:1]
        self.accept([update for update in again if update.update_id in self.accepted], pause)

    def new(self, who: int, word: str, kind: Kind, method: str) -> Inbound:
        self.number += 1
        raw = {"number": self.number}
        event = {"text": word, "data": word, "message_id": self.number, "date": 0, "update": raw}
        made = Chat(self.engine, who).inbound(word, kind=kind, method=method, event=event, update_id=self.number)
        if kind == Kind.BUTTON:
            made = Chat(self.engine, who).inbound(
                word, kind=kind, method=method, event=event, update_id=self.number, courtesy=SHRUG
            )
        return made

    def offer(self, who: int, update: Inbound, pause: float) -> None:
        """With what was offered before and never acknowledged, as Telegram does."""
        self.offered[who].append(update)
        self.accept([one for one in self.offered[who] if one.update_id not in self.accepted], pause)

    def accept(self, updates: list[Inbound], pause: float) -> None:
        if updates:
            self.accepting[self.loop.create_task(self.engine.accept(updates))] = updates
        self.let_run(pause)
        self.hear_acknowledgements()

    def hear_acknowledgements(self) -> None:
        for task in [task for task in self.accepting if task.done()]:
            updates = self.accepting.pop(task)
            if not task.cancelled() and task.exception() is None:
                self.accepted |= {update.update_id for update in updates if update.update_id is not None}

    # What goes wrong

    @rule(error=st.sampled_from([Later("429", 0.0), Later("500", 0.005), Refused("400")]))
    def is_refused(self, error: DeliveryError) -> None:
        world.faults.append((error, False))

    @rule(acts=st.booleans())
    def times_out(self, acts: bool) -> None:
        world.faults.append((Unknown("nobody answered"), acts))

    @rule(pause=PAUSES)
    def crashes(self, pause: float) -> None:
        self.let_run(pause)
        self.die()
        self.loop = asyncio.new_event_loop()
        self.engine = self.run(self.start())

    def die(self) -> None:
        self.hear_acknowledgements()
        world.dead.add(id(self.engine.writer))
        graveyard.append(self.engine)  # Its id must not come again.
        dead_memories.add(id(self.engine.writer._memory))
        self.accepting.clear()
        self.run(bury(self.engine))
        self.loop.close()
        Node.objects.all().delete()

    # What time and operators do

    @rule(pause=PAUSES)
    def falls_silent(self, pause: float) -> None:
        """Longer than a scope lasts."""
        self.skipped += self.engine.timeout + 1
        self.ends += PEOPLE
        for pk in self.engine.deadlines.pop_due(self.engine.time()):
            self.run(self.engine.end_idle(pk))
        self.let_run(pause)

    @rule(who=WHO, pause=PAUSES)
    def is_taken(self, who: int, pause: float) -> None:
        if uuid := self.uuid(who):
            self.taken.add(who)
            self.run(self.engine.take(uuid, self.operator))
            self.holders[who] = self.operator
            self.let_run(pause)

    @rule(pause=PAUSES, again=st.booleans())
    def operator_says(self, pause: float, again: bool) -> None:
        who = next(iter(self.holders), None)
        if who is None:
            return
        client_id = f"c{len(self.said)}"
        self.operator_says_once(who, client_id)
        if again:
            self.operator_says_once(who, client_id)
        self.let_run(pause)

    def operator_says_once(self, who: int, client_id: str) -> None:
        say = self.engine.say(self.uuid(who), self.operator, client_id=client_id, text=client_id, seen=10**6)
        self.said.append((who, client_id, self.run(say).row))

    @rule(pause=PAUSES)
    def is_released(self, pause: float) -> None:
        who = next(iter(self.holders), None)
        if who is not None:
            del self.holders[who]
            self.run(self.engine.release(self.uuid(who), self.operator))
            self.let_run(pause)

    @rule(who=WHO)
    def says_without_holding(self, who: int) -> None:
        if who not in self.holders and (uuid := self.uuid(who)):
            with pytest.raises(Denied):
                self.run(self.engine.say(uuid, self.operator, client_id="never", text="never", seen=10**6))

    def uuid(self, who: int) -> str:
        return next((str(one.uuid) for one in Conversation.objects.filter(key=f"chat:{who}")), "")

    # What must hold at any moment

    @invariant()
    def the_promises_are_kept(self) -> None:
        with transaction.atomic():  # The writer goes on meanwhile: everything is looked at as of one moment.
            self.what_was_acknowledged_is_a_row()
            self.words_are_numbered_without_a_gap()
            self.each_word_is_said_once()
            self.the_session_is_what_was_handled()
        self.events_are_fed_in_their_order()

    def what_was_acknowledged_is_a_row(self) -> None:
        kept = Message.objects.exclude(update_id=None).values_list("update_id", flat=True)
        assert self.accepted <= set(kept)
        assert len(kept) == len(set(kept))

    def words_are_numbered_without_a_gap(self) -> None:
        for conversation in Conversation.objects.all():
            seqs = list(conversation.messages.exclude(seq=None).order_by("seq").values_list("seq", flat=True))
            assert seqs == list(range(1, conversation.seq + 1))
            assert conversation.rev >= self.revs.get(conversation.pk, 0), "a rev went back"
            self.revs[conversation.pk] = conversation.rev
            assert all(row.seen_rev <= row.rev <= conversation.rev for row in conversation.messages.all())

    def each_word_is_said_once(self) -> None:
        said = Message.objects.filter(direction="out", sender="bot").exclude(cause=None)
        assert all(count == 1 for count in Counter(said.values_list("cause", "ordinal")).values())
        assert len({row for _, _, row in self.said}) == len({client_id for _, client_id, _ in self.said})

    def the_session_is_what_was_handled(self) -> None:
        for conversation in Conversation.objects.all():
            handled = conversation.session.get("handled", [])
            assert handled == sorted(set(handled)), "handled twice, or out of order"
            statuses = conversation.messages.filter(update_id__in=handled).values_list("status", flat=True)
            assert set(statuses) <= {Status.DONE}

    def events_are_fed_in_their_order(self) -> None:
        fed = defaultdict(list)
        for conversation, number in Ledger.fed:
            if number not in fed[conversation]:
                fed[conversation].append(number)
        assert all(numbers == sorted(numbers) for numbers in fed.values())

    # What must hold when all is quiet

    @rule()
    def comes_to_rest(self) -> None:
        for updates in self.offered.values():
            self.accept([one for one in updates if one.update_id not in self.accepted], 0)
        self.until(lambda: not self.accepting, "an acknowledgement")
        self.until(lambda: not Message.objects.filter(status__in=MOVING).exists(), "every word to be settled")
        self.check_all()

    def until(self, holds: Callable[[], bool], what: str) -> None:
        deadline = self.loop.time() + REST_SECONDS
        while not holds():
            assert self.loop.time() < deadline, f"waited {REST_SECONDS} s for {what}; there is {moving()}"
            self.let_run(0.002)
            self.hear_acknowledgements()

    def check_all(self) -> None:
        assert {row.update_id for row in Message.objects.exclude(update_id=None)} == set(range(1, self.number + 1))
        shown = Counter(world.shown)
        for row in Message.objects.filter(direction="out"):
            check_shown(row, shown[row.pk])
        check_order()
        self.check_answers()

    def check_answers(self) -> None:
        """What was handled has one answer, that counts one more than the one before it, or begins a scope."""
        beginnings = 0
        for conversation in Conversation.objects.all():
            count = 0
            for row in conversation.messages.filter(sender="visitor", status=Status.DONE).order_by("pk"):
                answers = [said.text.split() for said in row.said.filter(sender="bot")]
                if not answers:
                    assert int(conversation.key.removeprefix("chat:")) in self.taken, "settled without being fed"
                    continue
                [(number, _, counted)] = answers
                assert int(number) == row.update_id
                beginnings += int(counted) == 1
                assert int(counted) in (1, count + 1), f"{row.update_id} counts as {counted} after {count}"
                count = int(counted)
            assert not conversation.open or len(conversation.session.get("handled", [])) in (0, count)
        closed = Message.objects.filter(text="close").count()
        assert beginnings <= PEOPLE + self.ends + closed, "a session was forgotten"

    def teardown(self) -> None:
        if not hasattr(self, "engine"):
            return
        try:
            self.crashes(0.0)  # Whatever happened before it.
            self.comes_to_rest()
        finally:
            self.run(self.engine.stop())
            self.loop.close()


def moving() -> list[tuple[Any, ...]]:
    return list(Message.objects.filter(status__in=MOVING).values_list("pk", "direction", "kind", "status", "error"))


def check_shown(row: Message, times: int) -> None:
    doubted = f"row {row.pk} ({row.status}, {row.unknowns} unknowns) was shown {times} times"
    if row.status == Status.SENT:
        assert 1 <= times <= 1 + row.unknowns, doubted
    elif row.status == Status.UNKNOWN:
        assert row.at_most_once, doubted
        assert times <= 1, doubted
    elif row.status == Status.NOTE:
        assert times == 0, doubted
    else:
        assert times <= row.unknowns, doubted
    if row.at_most_once:
        assert times <= 1, doubted


def check_order() -> None:
    """Each conversation's words were first seen in the order in which they were written."""
    owners = dict(Message.objects.values_list("pk", "conversation"))
    seen: dict[int, list[int]] = defaultdict(list)
    for pk in dict.fromkeys(world.shown):
        seen[owners[pk]].append(pk)
    assert all(earlier < later for rows in seen.values() for earlier, later in pairwise(rows))


graveyard: list[Engine] = []
dead_memories: set[int] = set()
run_group = writer.run_group


def refuse_the_dead(operations: list[Any], memory: Any, *more: Any) -> Any:
    if id(memory) in dead_memories:
        raise NotReady("The process is dead.")
    return run_group(operations, memory, *more)


async def bury(engine: Engine) -> None:
    """Nothing of it runs on; what was not committed never will be."""
    engine.draining = True
    me = asyncio.current_task()
    while tasks := [task for task in asyncio.all_tasks() if task is not me]:
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks, timeout=1)
    await engine.writer.stop()
    engine.pools.shutdown()


def empty_the_tables() -> None:
    for model in (Message, Conversation, Contact, Bot, Node, get_user_model()):
        model._default_manager.all().delete()


@pytest.mark.timeout(3600)
@pytest.mark.django_db(transaction=True)
def test_every_history_keeps_the_promises(settings: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    settings.CONVERSATION_TIMEOUT, settings.HOLDER_TIMEOUT, settings.FLOOD_LIMITS = 600, 1e9, False
    settings.IDLE_INSTANCES_MAX = 1  # Some come back to their instance, and some to a new one.
    monkeypatch.setattr(outbox, "FIRST_PAUSE_SECONDS", 0.002)
    monkeypatch.setattr(writer, "run_group", refuse_the_dead)
    run_state_machine_as_test(Machine, settings=HISTORIES)  # type: ignore[no-untyped-call]


HISTORIES = settings(
    max_examples=EXAMPLES,
    stateful_step_count=STEPS,
    deadline=None,
    database=None,
    print_blob=True,
    suppress_health_check=list(HealthCheck),
)
