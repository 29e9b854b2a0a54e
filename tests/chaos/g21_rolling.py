"""G21: every node of a gateway is replaced in its turn, with traffic on and sockets open.

OLD_TREE: a checkout of the release before, which the nodes run until they are replaced.
"""

import os
import threading
import time
from contextlib import ExitStack
from pathlib import Path

from tests.chaos.clients import answered
from tests.chaos.nodes import Nodes, balanced, lacks, nodes, start
from tests.chaos.promise import Finding, promise
from tests.chaos.rows import unsettled
from tests.fake_telegram import FakeUser, tally
from tests.outside.clients import Visitor
from tests.private_servers import until

RATE = 50  # updates a second
SOCKETS = 10
PEOPLE = 30
LONGEST_SILENCE = 5.0


class Silence:
    """The longest time without an answer, of what is answered all the time."""

    def __init__(self, here: Nodes) -> None:
        self.longest = 0.0
        self._here, self._over = here, threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._thread.start()

    def _watch(self) -> None:
        seen, at = -1, time.monotonic()
        while not self._over.wait(0.02):
            if self._here.telegram.answered != seen:
                seen, at = self._here.telegram.answered, time.monotonic()
            self.longest = max(self.longest, time.monotonic() - at)

    def end(self) -> float:
        self._over.set()
        self._thread.join()
        return self.longest


@promise("G21", lacks)
def nodes_are_replaced_one_by_one(long: bool) -> Finding:
    rounds = 4 if long else 1
    stops, silences, exits, codes = [], [], [], []
    said = dict.fromkeys(range(PEOPLE), 0)
    over = threading.Event()
    with nodes(2, "counter", latency=0.02) as here:
        replaced = here.any.root
        for gateway in here.gateways:
            # The tables are the new release's already.
            gateway.root = Path(os.environ.get("OLD_TREE") or replaced)
        here.any.root, first = replaced, here.any.root
        here.any.prepare()
        here.any.log_file.touch()
        here.any.root = first
        start(here)
        people = here.people(PEOPLE)
        feeder = threading.Thread(target=feed, args=(people, said, over), daemon=True)
        feeder.start()
        for gateway in here.gateways * rounds:
            until(lambda: here.telegram.answered > 50, "answers", 60)
            with ExitStack() as stack:
                visitors = [stack.enter_context(Visitor(gateway)) for _ in range(SOCKETS)]
                silence, began = Silence(here), time.monotonic()
                exits.append(gateway.terminate(within=30))
                stops.append(time.monotonic() - began)
                codes += [visitor.ended() for visitor in visitors]
                time.sleep(2)
                silences.append(silence.end())
            gateway.root = replaced
            gateway.start(within=90)
            until(lambda: balanced(here, 2), "the parts are not shared out", 60)
        over.set()
        feeder.join(30)
        expected = {one.id: [f"{n} is {n + 1}" for n in range(said[place])] for place, one in enumerate(people)}
        until(lambda: all(answered([one], said[place]) for place, one in enumerate(people)), "all answers", 120)
        until(lambda: not unsettled(here.any), "the end of every send", 60)
        seen = tally(expected, here.telegram.bot.answers)
        odd = [around(expected[chat], here.telegram.bot.answers[chat]) for chat in seen.disordered]
    lost, count = sum(map(len, seen.missing.values())), sum(said.values())
    figure = (
        f"{len(stops)} nodes replaced at {RATE} updates/s: exit codes {sorted(set(exits))}, slowest stop "
        f"{max(stops):.1f} s, longest silence {max(silences):.1f} s, sockets closed with "
        f"{sorted(set(map(str, codes)))}; of {count:,} updates {lost} lost, {seen.doubles} double, "
        f"{len(odd)} people's out of order {odd or ''}"
    )
    return Finding(
        seen.exact and set(exits) == {0} and set(codes) == {4012} and max(silences) <= LONGEST_SILENCE, figure
    )


def around(expected: list[str], had: list[str]) -> list[str]:
    """Where the order was first another one."""
    wrong = next(place for place, (wanted, came) in enumerate(zip(expected, had, strict=False)) if wanted != came)
    return had[max(wrong - 1, 0) : wrong + 3]


def feed(people: list[FakeUser], said: dict[int, int], over: threading.Event) -> None:
    while not over.is_set():
        for place, person in enumerate(people):
            person.says(str(said[place]))
            said[place] += 1
            time.sleep(1 / RATE)
