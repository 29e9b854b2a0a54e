"""Messages whose handler kills the process, among many that were in hand at each of its deaths."""

import time

import pytest

from tests.conftest import StartGateway
from tests.fake_telegram import FakeTelegram
from tests.gateway_process import GatewayProcess

pytestmark = pytest.mark.timeout(180)
NEIGHBOURS = 50
MOST_STARTS = 10


def test_poison_is_dead_lettered_and_its_neighbours_are_answered(
    telegram: FakeTelegram, start_gateway: StartGateway, backend: dict[str, str]
) -> None:
    neighbours = [telegram.user(100 + n) for n in range(NEIGHBOURS)]
    poisoners = {telegram.user(1): "kill", telegram.user(2): "exit"}
    for user in neighbours[: NEIGHBOURS // 2]:
        user.says("a")
    for user, word in poisoners.items():
        user.says(word)
        user.says("afterwards")
    for user in neighbours[NEIGHBOURS // 2 :]:
        user.says("a")
    gateway = start_gateway(backend, application="deadly", ready=False)
    deaths = 0
    while not survives(gateway, telegram, NEIGHBOURS + len(poisoners)):
        deaths += 1
        assert deaths < MOST_STARTS, gateway.log_text()[-4000:]
        gateway.start(ready=False)
    print(
        f"{deaths} deaths, {sum(map(bool, (user.answers for user in neighbours)))} of {NEIGHBOURS} neighbours answered"
    )
    assert deaths == 2 + len(poisoners), "two together, and one of each alone"
    for user in neighbours:
        assert set(user.answers) == {"survived a"}
    for user in poisoners:
        assert user.answers[-1] == "survived afterwards"
        assert any(answer.startswith("Sorry") for answer in user.answers)
    log = gateway.log_text()
    assert log.count("dead letter") == len(poisoners)
    assert gateway.is_ready()


def survives(gateway: GatewayProcess, telegram: FakeTelegram, answered: int) -> bool:
    """Runs until it dies, or until so many chats have had an answer of the bot's own."""
    deadline = time.monotonic() + 60
    while gateway.running:
        chats = telegram.bot.chats.values()
        if sum(any(text.startswith("survived") for text in chat.answers) for chat in chats) >= answered:
            return True
        assert time.monotonic() < deadline, gateway.log_text()[-4000:]
        time.sleep(0.05)
    return False
