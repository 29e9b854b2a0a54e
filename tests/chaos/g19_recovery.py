"""G19: kill -9 with many conversations open; the next process answers at once and has forgotten nothing."""

import time

from tests.chaos.clients import answered
from tests.chaos.lab import lab
from tests.chaos.promise import Finding, promise
from tests.chaos.rows import unsettled

ANSWER_SECONDS = 5.0


@promise("G19")
def a_crash_is_followed_by_a_quick_start(long: bool) -> Finding:
    count = 1000 if long else 200
    with lab("counter", IDLE_INSTANCES_MAX=str(count // 4)) as here:  # Of most, nothing is in memory.
        here.gateway.start()
        people = here.people(count)
        for person in people:
            person.says("one")
        here.wait(lambda: answered(people, 1) and not unsettled(here.gateway), "the first answers")
        here.gateway.kill()
        people[0].says("two")
        began = time.monotonic()
        here.gateway.start(ready=False)
        here.wait(lambda: here.gateway.status("/healthz") == 200, "the port")
        loaded = time.monotonic() - began
        here.wait(lambda: answered(people[:1], 2), "an answer after the crash")
        took = time.monotonic() - began - loaded
        for person in people[1:]:
            person.says("two")
        here.wait(lambda: answered(people, 2), "the second answers")
        same = sum(person.answers == ["one is 1", "two is 2"] for person in people)
    figure = f"answering {took:.1f} s after the port ({loaded:.1f} s to load the program); {same} of {count:,} "
    figure += "conversations go on as they were"
    return Finding(same == count and took <= ANSWER_SECONDS, figure)
