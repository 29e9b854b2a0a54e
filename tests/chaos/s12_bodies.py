"""S12: hostile bodies at the webhook. Never a 5xx that Telegram would bring again, never much memory."""

import json
import os
from collections import Counter

from tests.chaos.lab import lab
from tests.chaos.promise import Finding, promise
from tests.gateway_process import GatewayProcess
from tests.outside.test_webhook_bodies import HOSTILE, MIB, SECRET, message, post

GROWTH = 2 * MIB
SLACK = 4 * MIB  # what the process itself takes and gives back meanwhile


def memory(gateway: GatewayProcess) -> int:
    """Bytes in RAM."""
    assert gateway.process is not None
    with open(f"/proc/{gateway.process.pid}/statm") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGESIZE")


@promise("S12")
def hostile_bodies_are_refused(long: bool) -> Finding:
    with lab("trouble", intake="webhook", TELEGRAM_WEBHOOK_SECRET=SECRET) as here:
        here.gateway.start()
        (ada,) = here.people(1)
        ada.says("before")
        here.wait(lambda: ada.answers, "the answer before")
        got = [(post(here.gateway, body), allowed) for body, allowed in HOSTILE]
        before = memory(here.gateway)
        large = [post(here.gateway, b"x" * (20 * MIB), chunked=True) for _ in range(3)]
        grown = memory(here.gateway) - before
        oversized = json.dumps(message(1, text="x" * MIB)).encode()
        large.append(post(here.gateway, oversized))
        ada.says("after")
        here.wait(lambda: "echo after" in ada.answers, "the answer after")
        tracebacks = here.gateway.log_text().count("Traceback")
    wrong = [status for status, allowed in got if status not in allowed]
    statuses = Counter(status for status, _ in got)
    figure = (
        f"{len(got)} hostile bodies: {', '.join(f'{n} × {status}' for status, n in sorted(statuses.items()))}, "
        f"{len(wrong)} wrong; 60 MiB in chunks refused at +{grown / MIB:.1f} MiB; {tracebacks} tracebacks"
    )
    kept = not wrong and not tracebacks and set(large) <= {413, 0} and grown <= GROWTH + SLACK
    return Finding(kept, figure)
