"""Sixty people at once: every answer, in order, none twice."""

import pytest

from tests.conftest import StartGateway
from tests.fake_telegram import FakeTelegram, FakeUser, tally

pytestmark = pytest.mark.timeout(120)
WORDS = ["hello 😀👩‍👩‍👧", "שלום עולם", "مرحبا", "naïve\nlines", "🇳🇴" * 5]
MODES = {"polling": {}, "webhook": {"TELEGRAM_WEBHOOK_URL": "{url}"}}


@pytest.mark.parametrize("mode", MODES)
def test_every_user_gets_every_answer_in_order_and_none_twice(
    telegram: FakeTelegram, start_gateway: StartGateway, server: str, backend: dict[str, str], mode: str
) -> None:
    start_gateway({**backend, **MODES[mode]}, application="neutral_buttons", server=server)
    users = [telegram.user(1000 + n) for n in range(60)]
    for word in WORDS:
        for user in users:
            user.says(f"{word} {user.id}")
    expected = {user.id: [f"sure about {word} {user.id}?" for word in WORDS] for user in users}
    wait_for_answers(telegram, expected)
    press_at_once(users)
    expected = {id: [*words, "you chose yes"] for id, words in expected.items()}
    wait_for_answers(telegram, expected)
    for user in users:
        user.says("bye")
    expected = {id: [*words, "sure about bye?"] for id, words in expected.items()}
    wait_for_answers(telegram, expected)
    assert not telegram.bot.updates.waiting
    assert tally(expected, telegram.bot.answers).exact


def press_at_once(users: list[FakeUser]) -> None:
    for user in users:
        user.presses(user.chat.last, "yes")


def wait_for_answers(telegram: FakeTelegram, expected: dict[int, list[str]]) -> None:
    telegram.wait(lambda: telegram.answered >= sum(map(len, expected.values())), within=30)
    assert tally(expected, telegram.bot.answers).exact, tally(expected, telegram.bot.answers)


def test_the_example_of_channels_documentation_unchanged(telegram: FakeTelegram, start_gateway: StartGateway) -> None:
    start_gateway()
    ada = telegram.user(7)
    for word in WORDS:
        ada.says(word)
    telegram.wait(lambda: len(ada.answers) >= len(WORDS))
    assert ada.answers == [f"You said: {word}" for word in WORDS]
