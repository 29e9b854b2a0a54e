"""G4 over hosts: one is cut off from PostgreSQL, from Redis, from both, while people talk. It does nothing for what it
lost, the others carry on, and it is one of them again when the line is."""

import itertools
import random
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, field

from tests.chaos import hosts, nodes
from tests.chaos.g04_order import LATENCY, the_books
from tests.chaos.hosts import Host, Hosts
from tests.chaos.killing import Word, say
from tests.chaos.promise import Finding, promise
from tests.fake_telegram import FakeUser
from tests.private_servers import until

CUTS = (("postgres",), ("redis",), ("postgres", "redis"))
CARRY_ON_SECONDS = 15.0  # A leader's: six looks until it is taken for dead, and its poll has to be taken over.
FENCED_SECONDS = 6.0
REJOIN_SECONDS = 90.0


@dataclass
class Cut:
    """`late`: calls that the one who was cut off from the rows made when it had to know it. `waited`: how long the
    slowest answer took to what was said meanwhile."""

    cables: Sequence[str]
    host: str
    began: float = field(default_factory=time.monotonic)
    ended: float = 0.0
    late: int = 0
    waited: float = 0.0

    @property
    def figure(self) -> str:
        late = f", {self.late} calls by it" if "postgres" in self.cables else ""
        return f"{' and '.join(self.cables)}: slowest answer {self.waited:.1f} s{late}"


@promise("G4", lacks=hosts.lacks)
def hosts_that_are_cut_off(long: bool) -> Finding:
    count, chats, seconds, rounds = (3, 60, 30.0, 3) if long else (3, 20, 15.0, 1)
    with hosts.hosts(count, "counter", latency=LATENCY) as here:
        nodes.start(here)
        talk = Talk(here.people(chats))
        talk.start()
        cuts = [cut(here, cables, seconds) for cables in CUTS * rounds]
        talk.stop()
        books = the_books(here, talk.said)
    for one in cuts:
        look_back(here, one, talk)
    kept = not (books.lost or books.unanswered or books.inversions or books.pending or books.unexpected)
    kept = kept and books.answers.doubles <= books.unknowns and books.miscounted == 0
    kept = kept and all(one.waited <= CARRY_ON_SECONDS and one.late == 0 for one in cuts)
    figure = (
        f"{count} hosts, {talk.said} updates, the leader cut off for {seconds:.0f} s each from "
        f"{'; '.join(one.figure for one in cuts)}. Joined again each time; {books.lost} lost, {books.unanswered} "
        f"unanswered, {books.inversions} inversions, {books.answers.doubles} doubles ({books.unknowns} sends unknown), "
        f"sessions off by {books.miscounted}"
    )
    return Finding(kept, figure)


class Talk(threading.Thread):
    """People who say one number after the other until it is enough."""

    def __init__(self, users: list[FakeUser]) -> None:
        super().__init__(daemon=True)
        self.users = users
        self.at: dict[tuple[int, str], float] = {}
        self._enough = threading.Event()

    @property
    def said(self) -> int:
        return len(self.at)

    def run(self) -> None:
        for n in itertools.count():
            word: Word = (self.users[n % len(self.users)], str(n // len(self.users)))
            self.at[word[0].id, word[1]] = time.monotonic()
            say([word])
            if self._enough.wait(random.random() * 0.1):
                return

    def stop(self) -> None:
        self._enough.set()
        self.join()


def cut(here: Hosts, cables: Sequence[str], seconds: float) -> Cut:
    """Returns when the one that was cut off has its share again."""
    leading = nodes.leader(here).process
    victim = next(host for host in here.hosts if host.process is leading)
    victim.pull(cables)
    done = Cut(cables, victim.address)
    time.sleep(seconds)
    victim.plug(cables)
    done.ended = time.monotonic()
    try:
        until(lambda: nodes.balanced(here, len(here.hosts)), f"{cables}: it has not joined again", REJOIN_SECONDS)
        until(lambda: is_well(victim), f"{cables}: it is not ready again", REJOIN_SECONDS)
    except AssertionError as error:
        raise AssertionError(f"{error}\n{here.log_text()}") from None
    return done


def is_well(host: Host) -> bool:
    """With its layer."""
    return host.status("/readyz") == 200


def look_back(here: Hosts, done: Cut, talk: Talk) -> None:
    answered: dict[tuple[int, str], float] = {}
    for call in here.telegram.sends:
        answered.setdefault((call.chat_id, str(call.params["text"]).partition(" ")[0]), call.began)
        fenced = done.began + FENCED_SECONDS <= call.began < done.ended
        done.late += fenced and call.peer == done.host and "postgres" in done.cables
    done.waited = max(answered[word] - at for word, at in talk.at.items() if done.began - 1 <= at < done.ended)
