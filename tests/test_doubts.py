"""Which sends are given up: those that are never answered while others are, and no others."""

import asyncio
from typing import Any

import pytest
from msgspec.structs import replace

from bots.chatty import ChattyBotConsumer
from gateway import outbox
from gateway.doubts import MOST_HELD_AGAINST, OPEN_SECONDS, Doubts
from gateway.engine import Engine
from gateway.errors import DeliveryError, Later, Unknown
from gateway.models import Status
from gateway.transcript import Say
from gateway.types import Delivery, Sent
from tests.communicator import Chat, until
from tests.engine_moments import outside, until_all_sent
from tests.engines import StartEngine, start
from tests.test_outbox import met, say, words

__all__ = ["start"]


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def doubts(clock: Clock) -> Doubts:
    return Doubts(clock)


def tries(doubts: Doubts, clock: Clock, *, intake: bool = False, others: bool = False, most: int = 50) -> int | None:
    """After how many calls row 1 is given up; None: it is not."""
    for number in range(1, most + 1):
        clock.now += 10
        if others:
            doubts.answered(number + 100)
        clock.now += 10
        if doubts.is_hopeless(1, 5.0 if intake else None):
            return number
    return None


def test_where_nobody_is_answered_nothing_is_given_up(doubts: Doubts, clock: Clock) -> None:
    assert tries(doubts, clock) is None


@pytest.mark.parametrize("heard", ["others", "intake"])
def test_who_alone_is_never_answered_is_given_up(doubts: Doubts, clock: Clock, heard: str) -> None:
    assert tries(doubts, clock, **{heard: True}) == MOST_HELD_AGAINST + 1
    assert tries(doubts, clock, **{heard: True}) == MOST_HELD_AGAINST + 1  # Sent again, it has all its tries again.


def test_where_sends_alone_are_ill_the_intake_proves_nothing(doubts: Doubts, clock: Clock) -> None:
    for _ in range(50):
        clock.now += 10
        assert not doubts.is_hopeless(1, 1.0)
        assert not doubts.is_hopeless(2, 1.0)


def test_who_is_gone_is_forgotten(doubts: Doubts, clock: Clock) -> None:
    doubts.is_hopeless(2, None)
    clock.now += OPEN_SECONDS
    assert tries(doubts, clock, intake=True) == MOST_HELD_AGAINST + 1


def test_an_answer_in_between_begins_anew(doubts: Doubts, clock: Clock) -> None:
    assert tries(doubts, clock, others=True, most=MOST_HELD_AGAINST) is None
    doubts.answered(1)
    assert tries(doubts, clock, others=True) == MOST_HELD_AGAINST + 1


# In the engine


def never_to(engine: Engine, user: int, failures: list[DeliveryError], answered: list[bool]) -> None:
    """Calls to that user fail, the last of `failures` for ever, until `answered`."""
    real, server = outside(engine).deliver, outside(engine)

    async def deliver(delivery: Delivery) -> Sent:
        if delivery.address["chat_id"] == user and not answered:
            raise failures.pop(0) if len(failures) > 1 else failures[0]
        return await real(delivery)

    server.deliver = deliver  # type: ignore[method-assign]


async def keep_saying(engine: Engine, conversation: int) -> None:
    while True:
        await say(engine, conversation, range(1))
        await asyncio.sleep(0.005)


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(
    ("failures", "status", "unknowns"),
    [
        ([Later("503")], Status.FAILED, 0),
        ([Unknown("timed out"), Later("503")], Status.UNKNOWN, 1),
        ([Later("503"), Unknown("timed out")], Status.UNKNOWN, MOST_HELD_AGAINST),
    ],
)
async def test_a_send_that_is_never_answered_lets_its_chat_go_on(
    start: StartEngine,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    django_user_model: Any,
    failures: list[DeliveryError],
    status: str,
    unknowns: int,
) -> None:
    monkeypatch.setattr(outbox, "FIRST_PAUSE_SECONDS", 0.02)
    monkeypatch.setattr(outbox, "LONGEST_PAUSE_SECONDS", 0.04)
    engine = await start(ChattyBotConsumer.as_asgi())
    stuck, free = Chat(engine, 1), Chat(engine, 2)
    ann = await django_user_model.objects.acreate(username="ann")
    places, answered = [await met(stuck), await met(free)], []  # type: ignore[var-annotated]
    never_to(engine, 1, failures, answered)
    talking = asyncio.create_task(keep_saying(engine, places[1]))
    await say(engine, places[0], range(1))
    (row,) = await until_all_sent(stuck)
    talking.cancel()
    assert (row.status, row.unknowns) == (status, unknowns)
    assert row.error.startswith(f"Given up after {row.sends} calls without a clear answer.")
    assert [record.row for record in caplog.records if getattr(record, "event", "") == "given_up"] == [row.pk]  # type: ignore[attr-defined]
    answered.append(True)
    await say(engine, places[0], range(1, 2))
    assert await stuck.heard(1) == ["1"]
    await engine.resend(row.pk, ann)
    assert await stuck.heard(2) == ["1", "0"]
    await until_all_sent(stuck)


@pytest.mark.django_db(transaction=True)
async def test_where_nothing_is_answered_words_wait(start: StartEngine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(outbox, "FIRST_PAUSE_SECONDS", 0.001)
    monkeypatch.setattr(outbox, "LONGEST_PAUSE_SECONDS", 0.002)
    engine = await start(ChattyBotConsumer.as_asgi())
    chats = [Chat(engine, user) for user in (1, 2)]
    places = [await met(chat) for chat in chats]
    outside(engine).faults = [Unknown("nobody there") for _ in range(8 * MOST_HELD_AGAINST)]
    await asyncio.gather(*(say(engine, place, range(1)) for place in places))
    await until(lambda: not outside(engine).faults, "the end of the outage")
    for chat in chats:
        assert await chat.heard(1) == ["0"]
        await until_all_sent(chat)


@pytest.mark.django_db(transaction=True)
async def test_at_most_once_is_never_made_again(start: StartEngine) -> None:
    """Where nobody can tell; what was surely not done is made again."""
    engine = await start(ChattyBotConsumer.as_asgi())
    chat = Chat(engine, 1)
    outside(engine).faults = [Later("503", 0.0), Unknown("504 Gateway Timeout")]
    place = await met(chat)
    await engine.submit(Say(place, replace(words("0"), at_most_once=True)))
    (row,) = await until_all_sent(chat)
    assert (row.status, row.sends, row.unknowns, row.error) == (Status.UNKNOWN, 2, 1, "504 Gateway Timeout")
    assert chat._texts() == []
