"""G15: a scope ends by silence once and on time, also where its time came while the gateway was dead."""

import time
from collections import Counter
from datetime import datetime

from tests.chaos.lab import lab
from tests.chaos.promise import Finding, promise
from tests.chaos.rows import one, read
from tests.gateway_process import GatewayProcess

TIMEOUT = 4
LATE, AFTER_START = 1.0, 5.0  # seconds
SLACK = 0.5  # a loaded machine is late


@promise("G15")
def silence_ends_a_scope_once(long: bool) -> Finding:
    count = 200 if long else 40
    with lab("leaver", CONVERSATION_TIMEOUT=str(TIMEOUT)) as here:
        here.gateway.start()
        living = here.people(count)
        for person in living:
            person.says("hello")
        here.wait(lambda: ended(here.gateway) == count, "the end of every scope")
        late = max(lateness(here.gateway))
        orphans = here.people(count, first=5000)
        for person in orphans:
            person.says("hello")
        here.wait(lambda: all(person.answers for person in orphans), "the orphans' answers")
        here.wait(lambda: open_scopes(here.gateway) == count, "the orphans' clocks")
        here.gateway.kill()
        time.sleep(TIMEOUT + 1)
        here.gateway.start()
        began = time.monotonic()
        here.wait(lambda: ended(here.gateway) >= 2 * count, "the end of what was due meanwhile")
        after_start = time.monotonic() - began
        time.sleep(2)  # Long enough for a second end.
        sql = "SELECT conversation_id FROM gateway_message WHERE kind = 'disconnect'"
        twice = sum(ends - 1 for ends in Counter(row[0] for row in read(here.gateway, sql)).values())
    figure = f"{2 * count} scopes: at most {late:.2f} s late, {twice} ended twice, {count} due while down ended "
    figure += f"{after_start:.1f} s after the start"
    return Finding(late <= LATE + SLACK and not twice and after_start <= AFTER_START, figure)


def ended(gateway: GatewayProcess) -> int:
    return one(gateway, "SELECT count(*) FROM gateway_message WHERE kind = 'disconnect' AND status = 'done'")


def open_scopes(gateway: GatewayProcess) -> int:
    return one(gateway, "SELECT count(*) FROM gateway_conversation WHERE deadline IS NOT NULL")


def lateness(gateway: GatewayProcess) -> list[float]:
    """Seconds by which each end came after its time."""
    sql = """SELECT d.at, max(m.settled_at) FROM gateway_message d JOIN gateway_message m
             ON m.conversation_id = d.conversation_id AND m.update_id IS NOT NULL
             WHERE d.kind = 'disconnect' GROUP BY d.id, d.at"""
    return [
        (datetime.fromisoformat(at) - datetime.fromisoformat(settled)).total_seconds() - TIMEOUT
        for at, settled in read(gateway, sql)
    ]
