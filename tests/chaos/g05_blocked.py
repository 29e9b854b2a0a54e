"""G5: handlers that block or raise delay nobody else."""

import time

from tests.chaos.clients import latencies, p99
from tests.chaos.lab import lab
from tests.chaos.promise import Finding, promise

BLOCKED, RAISING = 10, 10
LIMIT = 1.0  # seconds: the promise is a quarter of one, on a machine that does nothing else


@promise("G5")
def nobody_waits_for_the_blocked(long: bool) -> Finding:
    others_count, blocked_for = (180, 30) if long else (60, 10)
    with lab("trouble") as here:
        here.gateway.start()
        others = here.people(others_count)
        latencies(here, others, "first")  # Makes everybody's conversation.
        base = p99(latencies(here, others, "base"))
        for person in here.people(BLOCKED, first=5000):
            person.says(f"block {blocked_for}")
        for person in here.people(RAISING, first=6000):
            person.says("raise")
        began = time.monotonic()
        under = p99(latencies(here, others, "under"))
        asked = time.monotonic()
        healthy = here.gateway.status("/healthz") == 200
        health = time.monotonic() - asked
        still_blocked = time.monotonic() - began < blocked_for
        here.wait(lambda: time.monotonic() - began > blocked_for, "the end of the blockade")
        base = max(base, p99(latencies(here, others, "base again")))  # What the machine itself does meanwhile.
    figure = (
        f"p99 of {others_count} others {base * 1000:.0f} → {under * 1000:.0f} ms with {BLOCKED} blocked and {RAISING} "
        f"raising; /healthz {health * 1000:.0f} ms"
    )
    return Finding(healthy and still_blocked and under <= max(2 * base, LIMIT), figure)
