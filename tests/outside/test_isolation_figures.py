"""What two hundred chats feel of a few that block, raise and compute: figures to be read with `pytest -s`."""

import statistics
import threading
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from gateway.pool import HANDLER_THREADS
from tests.conftest import StartGateway
from tests.fake_telegram import FakeTelegram, FakeUser
from tests.gateway_process import GatewayProcess
from tests.outside.clients import Visitor

pytestmark = pytest.mark.timeout(300)
CHATS = 200
A_SECOND = 40
PHASE_SECONDS = 8.0
# How many block in each phase, and what the busy one does meanwhile. Who computes on the loop holds everybody up: that
# is not promised, and shown last for what it costs.
PHASES = {
    "base": (0, ""),
    "ten": (10, "spin"),
    "nearly three quarters": (HANDLER_THREADS * 3 // 4 - 1, "spin"),
    "more than all": (HANDLER_THREADS + 16, "spin"),
    "computing": (0, "compute"),
}
RAISING = 10
GENEROUS_SECONDS = 3.0


def test_others_feel_nothing_of_chats_that_block_raise_and_compute(
    telegram: FakeTelegram, start_gateway: StartGateway
) -> None:
    gateway = start_gateway({"TELEGRAM_WEBHOOK_URL": "{url}", "LOG_LEVEL": "CRITICAL"}, application="unruly")
    others = [telegram.user(1000 + n) for n in range(CHATS)]
    ask(telegram, others, "hello", 10)
    figures = {}
    with Visitor(gateway) as busy:
        for number, (name, (blocked, business)) in enumerate(PHASES.items()):
            unruly = [telegram.user(10_000 * (number + 1) + n) for n in range(blocked)]
            for user in unruly:
                user.says(f"block {PHASE_SECONDS + 4}")
            time.sleep(1.0 if blocked else 0)
            with trouble(telegram, busy, business), watched(gateway) as health:
                waited = ask(telegram, others, name, PHASE_SECONDS)
            figures[name] = percentile(waited, 99)
            print(
                f"{name}: {blocked} blocked of {HANDLER_THREADS}, {len(waited)} answers, "
                f"p50 {statistics.median(waited):.3f} s, p99 {figures[name]:.3f} s, worst {max(waited):.3f} s; "
                f"health p99 {percentile(health, 99):.3f} s"
            )
            telegram.wait(lambda users=unruly: all(user.answers for user in users), within=60)
    del figures["computing"]
    assert max(figures.values()) < GENEROUS_SECONDS, figures


def ask(telegram: FakeTelegram, users: list[FakeUser], word: str, seconds: float) -> list[float]:
    """Has the users say something in turn, evenly; how long each waited for its answer."""
    asked: dict[tuple[int, str], float] = {}
    began = time.monotonic()
    for number in range(int(seconds * A_SECOND)):
        time.sleep(max(began + number / A_SECOND - time.monotonic(), 0))
        user, text = users[number % len(users)], f"{word} {number}"
        asked[user.id, text] = time.monotonic()
        user.says(text)
    telegram.wait(lambda: not asked.keys() - answered(telegram).keys(), within=30)
    return [answered(telegram)[key] - when for key, when in asked.items()]


def answered(telegram: FakeTelegram) -> dict[tuple[int, str], float]:
    return {(call.chat_id, call.params["text"]): call.began for call in telegram.sends}


@contextmanager
def trouble(telegram: FakeTelegram, busy: Visitor, business: str) -> Iterator[None]:
    """Some raise twice a second, and one keeps the loop busy. Without any business nobody does either."""
    over = threading.Event()
    users = [telegram.user(900 + n) for n in range(RAISING)]

    def go_on() -> None:
        busy.send("message", id=f"{business} {time.monotonic()}", text=business)
        while not over.wait(0.5):
            for user in users:
                user.says("raise")

    thread = threading.Thread(target=go_on, daemon=True)
    if business:
        thread.start()
    yield
    over.set()
    if business:
        thread.join(5)
        busy.expect("message", within=30, sender="bot", text=business)


@contextmanager
def watched(gateway: GatewayProcess) -> Iterator[list[float]]:
    """How long /healthz took, asked ten times a second."""
    over, took = threading.Event(), list[float]()

    def look() -> None:
        while not over.wait(0.1):
            began = time.monotonic()
            with urllib.request.urlopen(gateway.url + "/healthz", timeout=30) as response:
                assert response.status == 200
            took.append(time.monotonic() - began)

    thread = threading.Thread(target=look, daemon=True)
    thread.start()
    yield took
    over.set()
    thread.join(5)


def percentile(values: list[float], of_hundred: int) -> float:
    return statistics.quantiles(values, n=100)[of_hundred - 1]
