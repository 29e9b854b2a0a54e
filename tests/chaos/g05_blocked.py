"""G5: handlers that block or raise delay nobody else."""

import time
from collections.abc import Sequence

from tests.chaos.clients import answered, latencies, p99
from tests.chaos.lab import Lab, lab
from tests.chaos.promise import Finding, promise
from tests.fake_telegram import FakeUser

BLOCKED, RAISING = 10, 10
LIMIT = 0.25  # seconds
LOADED = 0.25  # what a machine that does something else as well may add
ROUNDS = 2  # What is ours is there in each of them; what else the machine does is not.


@promise("G5")
def nobody_waits_for_the_blocked(long: bool) -> Finding:
    others_count, blocked_for = (180, 30) if long else (60, 8)
    with lab("trouble") as here:
        here.gateway.start()
        others, few = here.people(others_count), here.people(BLOCKED + RAISING, first=5000)
        measure(here, others, few, ["first"])  # Makes everybody's conversation.
        base = min(measure(here, others, few, ["base"]) for _ in range(ROUNDS))
        began = time.monotonic()
        under = min(measure(here, others, few, [f"block {blocked_for}", "raise"]) for _ in range(ROUNDS))
        asked = time.monotonic()
        healthy = here.gateway.status("/healthz") == 200
        health = time.monotonic() - asked
        still_blocked = time.monotonic() - began < blocked_for
        here.wait(lambda: answered(few[::2], 1 + 2 * ROUNDS), "the end of the blockade")
    figure = (
        f"p99 of {others_count} others {base * 1000:.0f} → {under * 1000:.0f} ms with {BLOCKED} blocked and {RAISING} "
        f"raising; /healthz {health * 1000:.0f} ms"
    )
    return Finding(healthy and still_blocked and under <= max(2 * base, LIMIT + LOADED), figure)


def measure(here: Lab, others: Sequence[FakeUser], few: Sequence[FakeUser], words: Sequence[str]) -> float:
    """The few say the words in turn, all at once; then how long the others wait for their answers."""
    for number, person in enumerate(few):
        person.says(words[number % len(words)])
    return p99(latencies(here, others, "hello"))
