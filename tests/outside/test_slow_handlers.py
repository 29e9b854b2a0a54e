"""Conversations never wait for each other, even where every handler blocks its thread."""

import time

import pytest

from tests.conftest import StartGateway
from tests.fake_telegram import FakeTelegram

pytestmark = pytest.mark.timeout(60)
GENEROUS = 1.5  # one after the other they would take 4 s


def test_sleepers_sleep_at_the_same_time_and_one_conversation_in_order(
    telegram: FakeTelegram, start_gateway: StartGateway
) -> None:
    start_gateway(application="sleepy")
    one = telegram.user(1)
    for n in range(4):
        one.says(str(n))
    telegram.wait(lambda: len(one.answers) == 4)
    assert one.answers == [f"slept on {n}" for n in range(4)]
    users = [telegram.user(10 + n) for n in range(20)]
    began = time.monotonic()
    for user in users:
        user.says("it")
    telegram.wait(lambda: all(user.answers for user in users))
    took = time.monotonic() - began
    print(f"twenty handlers of 0.2 s: {took:.2f} s")
    assert all(user.answers == ["slept on it"] for user in users)
    assert took <= GENEROUS
