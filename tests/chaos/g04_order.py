"""G4: order in every conversation, in and out, over several processes that die and freeze."""

import random
import signal
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, field

from tests.chaos import nodes
from tests.chaos.killing import Books, Plan, Word, close_the_books, say
from tests.chaos.lab import Lab
from tests.chaos.nodes import Nodes
from tests.chaos.promise import Finding, promise
from tests.chaos.rows import one, unsettled
from tests.fake_telegram import FakeUser
from tests.fake_telegram.faults import flood
from tests.private_servers import until

FREEZE_SECONDS = 30.0
# Around what the others take for death, and what a process itself takes for it.
SHORT_FREEZES = (0.3, 1.0, 2.0, 3.5, 4.2, 5.0, 6.0, 6.5, 7.0, 8.0, 9.0, 12.0)
LATENCY = 0.03
AGAIN = "Starting again, as one more node."


@dataclass
class Size:
    processes: int
    chats: int
    updates: int
    kills: int
    freezes: int
    floods: int
    pauses: int = 0


SHORT = Size(processes=3, chats=30, updates=600, kills=2, freezes=1, floods=5, pauses=2)
LONG = Size(processes=4, chats=100, updates=100_000, kills=8, freezes=3, floods=200, pauses=12)


@dataclass
class Watch:
    """What was done to the nodes, and how many sends were under way then."""

    kills: int = 0
    freezes: int = 0
    pauses: int = 0
    in_flight: int = 0
    log: list[str] = field(default_factory=list)


@promise("G4", lacks=nodes.lacks)
def order(long: bool) -> Finding:
    return order_of(LONG if long else SHORT)


def order_of(size: Size) -> Finding:
    with nodes.nodes(size.processes, "counter", latency=LATENCY) as here:
        nodes.start(here)
        users = here.people(size.chats)
        words = [(users[n % len(users)], str(n // len(users))) for n in range(size.updates)]
        flood_some(here, users, size.floods)
        watch = Watch()
        torment(here, size, watch, words)
        books = the_books(here, size.updates)
    kept = not (books.lost or books.unanswered or books.inversions or books.pending or books.unexpected)
    bounded = books.answers.doubles <= books.unknowns and books.miscounted == 0
    figure = (
        f"{size.processes} processes, {size.chats} chats, {size.updates} updates, {watch.kills} kills, "
        f"{watch.freezes} freezes of {FREEZE_SECONDS:.0f} s, {watch.pauses} of at most {max(SHORT_FREEZES):.0f} s: "
        f"{books.lost} lost, {books.unanswered} unanswered, "
        f"{books.inversions} inversions, {books.answers.doubles} doubles ({books.unknowns} sends unknown), "
        f"sessions off by {books.miscounted}"
    )
    return Finding(kept and bounded, figure)


def flood_some(here: Nodes, users: list[FakeUser], count: int) -> None:
    """Some sends are answered with 429."""
    for _ in range(count):
        here.telegram.fail(flood(1), method="sendMessage", chat=random.choice(users).id)


def torment(here: Nodes, size: Size, watch: Watch, words: Sequence[Word]) -> None:
    """One thing after the other, each somewhere in its share of the talk."""
    strikes = [*[kill] * size.kills, *[freeze] * size.freezes, *[pause_one] * size.pauses]
    random.shuffle(strikes)
    share, pause = len(words) // (len(strikes) + 1), min(0.02, 60 / size.updates)
    for number, strike in enumerate(strikes):
        talking = threading.Thread(target=talk, args=(words[number * share : (number + 1) * share], pause), daemon=True)
        talking.start()
        until_taken(here, int((number + random.random()) * share))
        strike(here, watch)
        talking.join()
    talk(words[len(strikes) * share :], pause)


def talk(words: Sequence[Word], pause: float) -> None:
    for word in words:
        say([word])
        time.sleep(random.random() * 2 * pause)


def until_taken(here: Nodes, count: int) -> None:
    updates = here.telegram.bot.updates
    late = f"the first {count} updates are not acknowledged"
    until(lambda: len(updates.confirmed) >= count, late, patience(count))


def patience(count: int) -> float:
    """Seconds that so many updates may take."""
    return 180 + count / 20


def kill(here: Nodes, watch: Watch) -> None:
    victim = random.choice(here.gateways)
    watch.in_flight += one(here.any, "SELECT count(*) FROM gateway_message WHERE status = 'sending'")
    victim.kill()
    watch.kills += 1
    time.sleep(random.uniform(0, 8))
    victim.start(within=90)


def freeze(here: Nodes, watch: Watch) -> None:
    """What it had is another's when it wakes up: it begins again, with nothing in memory."""
    victim = random.choice(here.gateways)
    assert victim.process is not None
    before = victim.log_text().count(AGAIN)
    victim.process.send_signal(signal.SIGSTOP)
    time.sleep(FREEZE_SECONDS)
    victim.process.send_signal(signal.SIGCONT)
    watch.freezes += 1
    until(lambda: victim.log_text().count(AGAIN) > before, "the one that was frozen has not noticed", 30)
    victim.wait_until_ready(within=90)


def pause_one(here: Nodes, watch: Watch) -> None:
    """It may have been taken for dead when it wakes up, or not; the next blow may come before all is well again."""
    victim = random.choice(here.gateways)
    assert victim.process is not None
    victim.process.send_signal(signal.SIGSTOP)
    time.sleep(random.choice(SHORT_FREEZES))
    victim.process.send_signal(signal.SIGCONT)
    watch.pauses += 1
    time.sleep(random.random() * 3)
    victim.wait_until_ready(within=90)


def the_books(here: Nodes, said: int) -> Books:
    books = Books(Plan("counter", said, (), database="PostgreSQL"))
    updates = here.telegram.bot.updates
    try:
        until(lambda: len(updates.confirmed) >= said, "the last update is not acknowledged", patience(said))
        until(lambda: not unsettled(here.any), "the last word is not settled", patience(said))
    except AssertionError as error:
        raise AssertionError(f"{error}\n{here.log_text()}") from None
    close_the_books(Lab(here.telegram, here.any, here.postgres), books)
    return books
