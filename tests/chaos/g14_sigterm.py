"""G14: SIGTERM in the middle of 50 updates a second, with sockets open."""

import threading
import time
from contextlib import ExitStack

from tests.chaos.lab import lab
from tests.chaos.promise import Finding, promise
from tests.chaos.rows import unsettled
from tests.fake_telegram import FakeUser, tally
from tests.outside.clients import Visitor

EXIT_SECONDS = 30.0
SOCKETS = 10
RATE = 50  # updates a second


@promise("G14")
def sigterm_drains(long: bool) -> Finding:
    stops, each = (5, 40) if long else (2, 10)
    took, codes, exits = [], [], []
    with lab("counter", latency=0.05) as here:
        people = here.people(30)
        feeder = threading.Thread(target=feed, args=(people, each), daemon=True)
        here.gateway.start()
        feeder.start()
        for _ in range(stops):
            begun = here.telegram.answered
            here.wait(lambda begun=begun: here.telegram.answered > begun + 20, "answers under load")
            with ExitStack() as stack:
                visitors = [stack.enter_context(Visitor(here.gateway)) for _ in range(SOCKETS)]
                began = time.monotonic()
                exits.append(here.gateway.terminate(within=EXIT_SECONDS))
                took.append(time.monotonic() - began)
                codes += [visitor.ended() for visitor in visitors]
            here.gateway.start()
        feeder.join(60)
        expected = {person.id: [f"{n} is {n + 1}" for n in range(each)] for person in people}
        here.wait(lambda: here.telegram.answered >= len(people) * each, "all answers")
        here.wait(lambda: not unsettled(here.gateway), "the end of every send")
        seen = tally(expected, here.telegram.bot.answers)
    lost = sum(map(len, seen.missing.values()))
    figure = (
        f"{stops} stops at {RATE} updates/s: exit codes {sorted(set(exits))}, slowest {max(took):.1f} s, sockets "
        f"closed with {sorted(set(map(str, codes)))}; of {len(people) * each:,} updates "
        f"{lost} lost, {seen.doubles} double"
    )
    return Finding(seen.exact and set(exits) == {0} and set(codes) == {4012}, figure)


def feed(people: list[FakeUser], each: int) -> None:
    for number in range(each):
        for person in people:
            person.says(str(number))
            time.sleep(1 / RATE)
