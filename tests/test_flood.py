"""The clocks of one bot, on a clock of the test's own wherever nobody has to wait."""

import asyncio
import time
from collections.abc import Callable

import pytest

from gateway import flood
from gateway.flood import ANNOUNCEMENT, BOT, OPERATOR, Bucket, Clocks
from gateway.telegram.pace import limits
from gateway.types import Limits, Rate
from tests.communicator import until


def test_a_bucket_lets_a_burst_through_and_then_keeps_its_pace() -> None:
    bucket, now, passed = Bucket(Rate(3, 2.0)), 100.0, []
    while now < 105:
        if bucket.free_at <= now:
            bucket.take(now)
            passed.append(round(now - 100, 2))
        now += 0.25
    assert passed[:5] == [0, 0.25, 0.5, 0.75, 1.0]
    assert len(passed) == 3 + 2 * 5 - 1
    assert len([at for at in passed if at >= 3]) == 4


def test_no_rate_is_no_limit() -> None:
    bucket = Bucket(None)
    for _ in range(1000):
        assert bucket.free_at <= 1.0
        bucket.take(1.0)


def clocks(of: Callable[[str], Limits] = lambda chat: Limits()) -> Clocks:
    return Clocks(time.monotonic, of)


async def test_one_call_a_chat_at_a_time_and_answers_before_announcements() -> None:
    one, done = clocks(), []

    async def call(rank: int, name: str) -> None:
        await one.turn("7", rank)
        done.append(name)
        await asyncio.sleep(0.01)
        one.free("7")

    await one.turn("7", BOT)
    asked = [call(ANNOUNCEMENT, "announcement"), call(BOT, "bot"), call(OPERATOR, "operator")]
    calls = [asyncio.create_task(job) for job in asked]
    await asyncio.sleep(0.01)
    assert done == []
    one.free("7")
    await asyncio.gather(*calls)
    assert done[-1] == "announcement"
    assert len(done) == 3


async def test_operators_first_then_the_bot_then_announcements() -> None:
    one, done = clocks(lambda chat: Limits(Rate(1, 50)) if not chat else Limits()), []

    async def call(chat: str, rank: int) -> None:
        await one.turn(chat, rank)
        done.append(rank)
        one.free(chat)

    await one.turn("0", BOT)
    ranks = [ANNOUNCEMENT, BOT, OPERATOR, ANNOUNCEMENT, BOT, OPERATOR]
    await asyncio.gather(*(call(str(number), rank) for number, rank in enumerate(ranks, 1)))
    assert done == sorted(ranks)
    assert one.waits == len(ranks)


async def test_a_wait_is_the_chats_and_comes_to_an_end() -> None:
    one = clocks()
    one.flooded("7", 0.2)
    began = time.monotonic()
    await one.turn("8", BOT)
    assert one.parked("8") <= 0 < one.parked("7")
    await one.turn("7", BOT)
    assert time.monotonic() - began >= 0.2
    assert not one.take_another("7", BOT) or one.parked("7") <= 0


async def test_a_wait_of_the_bot_holds_everything() -> None:
    one, passed = clocks(), []
    one.flooded("", 0.2)
    began = time.monotonic()

    async def call(chat: str) -> None:
        await one.turn(chat, BOT, counts=False)
        passed.append(time.monotonic() - began)

    await asyncio.gather(call("7"), call(""), call("8"))
    assert min(passed) >= 0.2


async def test_a_wait_that_another_process_was_told_of() -> None:
    one, other = clocks(), clocks()
    one.flooded("", 0.2)
    other.park_bot(one.bot_parked)
    assert other.lets("7", counts=True) is None
    began = time.monotonic()
    await other.turn("7", BOT)
    assert time.monotonic() - began > 0.15
    assert one.bot_parked == other.bot_parked == 0


@pytest.mark.parametrize(
    ("events", "whole_bot"),
    [
        ([("7", 5.0), ("8", 5.0)], True),
        ([("7", 5.0), ("7", 5.0)], False),
        ([("7", 5.0), ("8", 60.0)], False),
        ([("7", 5.0), None, ("8", 5.0)], False),
        ([("", 5.0)], True),
    ],
    ids=["two chats", "one chat twice", "other ends", "one let in between", "a call without a chat"],
)
async def test_whose_wait_it_is(events: list[tuple[str, float] | None], whole_bot: bool) -> None:
    one = clocks()
    for event in events:
        if event is None:
            one.let_in()
        else:
            one.flooded(*event)
    assert (one.parked("9") > 0) is whole_bot


async def test_who_has_the_turn_goes_on_while_there_is_room_and_nobody_better_waits() -> None:
    one = clocks(lambda chat: Limits(Rate(2, 0.5)))
    await one.turn("7", BOT)
    assert one.take_another("7", BOT)
    assert not one.take_another("7", BOT)


async def test_chats_that_know_nothing_are_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(flood, "KEPT_CHATS", 10)
    one = clocks(lambda chat: Limits(Rate(5, 1000)))
    one.flooded("parked", 60)
    for number in range(200):
        await one.turn(str(number), BOT)
        one.free(str(number))
        await asyncio.sleep(0.002)
    assert len(one._chats) < 100
    assert one.parked("parked") > 0


async def test_who_waits_costs_nothing() -> None:
    """Thousands that wait for one bot wake nobody until its time has come."""
    one, passed = clocks(), []
    one.flooded("", 0.5)

    async def call(chat: int) -> None:
        await one.turn(str(chat), ANNOUNCEMENT)
        passed.append(chat)
        one.free(str(chat))

    calls = [asyncio.create_task(call(number)) for number in range(3000)]
    await asyncio.sleep(0.1)
    before = time.process_time()
    await asyncio.sleep(0.2)
    assert time.process_time() - before < 0.1
    await until(lambda: len(passed) == 3000, "everybody's turn")
    assert sorted(passed) == list(range(3000))
    await asyncio.gather(*calls)


# Telegram's


def test_telegrams_limits_are_those_of_the_settings(settings: object) -> None:
    assert limits("") == Limits(None, Rate(1, 30.0))
    assert limits("7") == Limits(Rate(60, 1.0), Rate(1, 1.0))
    for group in ("-1007", "@channel"):
        assert limits(group) == Limits(Rate(20, 20 / 60), Rate(1, 20 / 60))


def test_they_can_be_switched_off_and_changed(settings: pytest.FixtureRequest) -> None:
    settings.FLOOD_CHAT_PER_SECOND, settings.FLOOD_CHAT_BURST = 0, 3  # type: ignore[attr-defined]
    assert limits("7") == Limits()
    settings.FLOOD_GROUP_PER_MINUTE, settings.FLOOD_GROUP_BURST = 60.0, 5  # type: ignore[attr-defined]
    assert limits("-7").calls == Rate(5, 1.0)
    settings.FLOOD_LIMITS = False  # type: ignore[attr-defined]
    assert limits("-7") == limits("") == Limits()
