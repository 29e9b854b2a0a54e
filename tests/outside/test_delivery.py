"""What Telegram says to a send, and what the gateway makes of it. One gateway for all: each test has its own people."""

import itertools
import time
from collections.abc import Iterator
from typing import Any

import pytest

from tests.conftest import StartGateway, telegram_env
from tests.fake_telegram import (
    FakeTelegram,
    FakeUser,
    cut,
    flood,
    half_answer,
    in_thread,
    no_json,
    refuse,
    server_error,
)
from tests.fake_telegram.entities import utf16_length
from tests.fake_telegram.threads import outage
from tests.gateway_process import GatewayProcess

pytestmark = pytest.mark.timeout(60)
numbers = itertools.count(1)


@pytest.fixture(scope="module")
def world() -> Iterator[tuple[FakeTelegram, GatewayProcess]]:
    with in_thread(FakeTelegram()) as fake, GatewayProcess(telegram_env(fake)) as process:
        yield fake, process


@pytest.fixture
def shared(world: tuple[FakeTelegram, GatewayProcess]) -> FakeTelegram:
    return world[0]


@pytest.fixture
def ada(shared: FakeTelegram) -> FakeUser:
    return shared.user(7000 + next(numbers))


@pytest.fixture
def bob(shared: FakeTelegram) -> FakeUser:
    return shared.user(8000 + next(numbers))


def test_a_429_delays_that_chat_alone(shared: FakeTelegram, ada: FakeUser, bob: FakeUser) -> None:
    shared.fail(flood(2), method="sendMessage", chat=ada.id)
    ada.says("one")
    ada.says("two")
    shared.wait(lambda: shared.bot.calls("sendMessage", chat=ada.id))
    flooded = time.monotonic()
    bob.says("free")
    shared.wait(lambda: bob.answers == ["You said: free"], within=1.5)
    assert ada.answers == []
    shared.wait(lambda: len(ada.answers) == 2)
    assert time.monotonic() - flooded > 1
    assert ada.answers == ["You said: one", "You said: two"]
    assert not any(call.early for call in shared.sends)


def test_a_refusal_is_final(world: tuple[FakeTelegram, GatewayProcess], ada: FakeUser, bob: FakeUser) -> None:
    telegram, gateway = world
    refused = {
        ada.id: refuse(403, "Forbidden: bot was blocked by the user"),
        bob.id: refuse(400, "Bad Request: chat not found"),
    }
    for chat, fault in refused.items():
        telegram.fail(fault, method="sendMessage", chat=chat)
    ada.says("refused")
    bob.says("refused")
    telegram.wait(lambda: all(telegram.bot.calls("sendMessage", chat=chat) for chat in refused))
    time.sleep(1.5)
    gateway.terminate()
    gateway.start()
    third = telegram.user(9000)
    third.says("hi")
    telegram.wait(lambda: third.answers)
    assert [len(telegram.bot.calls("sendMessage", chat=chat)) for chat in refused] == [1, 1]
    assert (ada.answers, bob.answers) == ([], [])


@pytest.mark.parametrize(
    "fault", [server_error(500), server_error(502, html=True), cut(acting=False)], ids=["500", "502 html", "cut line"]
)
def test_a_failure_is_tried_again_before_the_next_word(shared: FakeTelegram, ada: FakeUser, fault: Any) -> None:
    shared.fail(fault, method="sendMessage", chat=ada.id, times=2)
    ada.says("one")
    ada.says("two")
    shared.wait(lambda: len(ada.answers) >= 2, within=20)
    assert ada.answers == ["You said: one", "You said: two"]


@pytest.mark.parametrize("fault", [cut(acting=True), half_answer(), no_json()], ids=["cut line", "half", "no json"])
def test_a_lost_answer_doubles_at_most_once(shared: FakeTelegram, ada: FakeUser, fault: Any) -> None:
    shared.fail(fault, method="sendMessage", chat=ada.id)
    ada.says("one")
    ada.says("two")
    shared.wait(lambda: "You said: two" in ada.answers, within=20)
    assert ada.answers in (["You said: one", "You said: two"], ["You said: one", "You said: one", "You said: two"])


def test_a_long_text_is_split_in_order(telegram: FakeTelegram, start_gateway: StartGateway) -> None:
    start_gateway(application="long")
    ada = telegram.user(7)
    ada.says("20000")
    ada.says("10")
    telegram.wait(lambda: any(len(answer) < 100 for answer in ada.answers))
    *parts, short = ada.answers
    assert all(utf16_length(part) <= 4096 for part in parts)
    assert len(parts) <= 7
    line = "wörter 😀 und ליבי noch mehr "
    whole = (line * (20000 // len(line) + 1)).split()
    assert " ".join(parts).split() == whole
    assert short.split() == line.split()
    assert not [call for call in telegram.sends if not call.ok]


def test_telegram_is_gone_for_a_while(world: tuple[FakeTelegram, GatewayProcess], ada: FakeUser) -> None:
    telegram, gateway = world
    ada.says("one")
    telegram.wait(lambda: ada.answers)
    with outage(telegram):
        ada.says("two")
        time.sleep(1)
        assert gateway.running
    telegram.wait(lambda: len(ada.answers) > 1, within=30)
    assert ada.answers == ["You said: one", "You said: two"]


def test_a_foreign_poller_is_survived(world: tuple[FakeTelegram, GatewayProcess], ada: FakeUser) -> None:
    """Somebody else polls with our token for a moment; the 409 ends nothing."""
    telegram, gateway = world
    telegram.fail(refuse(409, "Conflict: terminated by other getUpdates request"), method="getUpdates", times=2)
    ada.says("one")
    telegram.wait(lambda: ada.answers == ["You said: one"])
    ada.says("two")
    telegram.wait(lambda: len(ada.answers) == 2, within=20)
    assert gateway.running
