"""kill -9 with messages under way."""

import time

import pytest

from tests.conftest import StartGateway
from tests.fake_telegram import FakeTelegram, tally

pytestmark = pytest.mark.timeout(120)
SETTLED = 1.0  # long enough for an answer to be committed as sent, also on a slow machine
USERS, EACH = 30, 10
JUST_NOW = 0.25  # what Telegram answered so shortly before the kill may not have been committed


def test_after_kill_9_everybody_is_answered_in_order(
    telegram: FakeTelegram, start_gateway: StartGateway, server: str, backend: dict[str, str]
) -> None:
    telegram.latency = 0.05
    gateway = start_gateway(backend, server=server)
    users = [telegram.user(100 + n) for n in range(USERS)]
    for n in range(EACH):
        for user in users:
            user.says(f"{n}")
    telegram.wait(lambda: len(telegram.sends) > USERS * EACH // 4, within=20)
    killed_at = time.monotonic()
    gateway.kill()
    in_doubt = [call for call in telegram.sends if call.ended is None or call.ended > killed_at - JUST_NOW]
    assert len(telegram.sends) < USERS * EACH, "it was done before it was killed"
    gateway.start()
    expected = {user.id: [f"You said: {n}" for n in range(EACH)] for user in users}
    telegram.wait(lambda: nothing_missing(telegram, expected), within=40)
    telegram.wait(lambda: not telegram.under_way)
    result = tally(expected, telegram.bot.answers)
    print(f"{len(in_doubt)} sends in doubt at the kill, {result.doubles} doubles")
    assert not result.foreign
    assert not result.disordered, {chat: telegram.bot.chats[chat].answers for chat in result.disordered}
    assert result.doubles <= len(in_doubt)
    assert max(map(len, result.doubled.values()), default=0) <= 1, "more than one double in a chat"


def nothing_missing(telegram: FakeTelegram, expected: dict[int, list[str]]) -> bool:
    enough = telegram.answered >= sum(map(len, expected.values()))
    return enough and not tally(expected, telegram.bot.answers).missing


def test_after_sigterm_nothing_is_doubled(telegram: FakeTelegram, start_gateway: StartGateway) -> None:
    telegram.latency = 0.05
    gateway = start_gateway()
    users = [telegram.user(100 + n) for n in range(USERS)]
    for n in range(EACH):
        for user in users:
            user.says(f"{n}")
    telegram.wait(lambda: len(telegram.sends) > USERS, within=20)
    assert gateway.terminate() == 0
    gateway.start()
    expected = {user.id: [f"You said: {n}" for n in range(EACH)] for user in users}
    telegram.wait(lambda: nothing_missing(telegram, expected), within=40)
    assert tally(expected, telegram.bot.answers).exact


def test_what_came_while_it_was_down_is_answered(telegram: FakeTelegram, start_gateway: StartGateway) -> None:
    gateway = start_gateway()
    ada = telegram.user(7)
    ada.says("up")
    telegram.wait(lambda: ada.answers == ["You said: up"])
    time.sleep(SETTLED)
    gateway.kill()
    ada.says("down")
    gateway.start()
    telegram.wait(lambda: len(ada.answers) > 1)
    assert ada.answers == ["You said: up", "You said: down"]
