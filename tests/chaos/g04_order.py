"""G4: order in every conversation, in and out, over several processes that die and freeze."""

import random
import signal
import threading
import time
from dataclasses import dataclass, field

from tests.chaos import nodes
from tests.chaos.killing import Books, Plan, Word, close_the_books, say
from tests.chaos.lab import Lab
from tests.chaos.nodes import Nodes
from tests.chaos.promise import Finding, promise
from tests.chaos.rows import one, unsettled
from tests.fake_telegram import FakeUser
from tests.fake_telegram.faults import flood
from tests.gateway_process import GatewayProcess
from tests.private_servers import until

FREEZE_SECONDS = 30.0
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


SHORT = Size(processes=3, chats=30, updates=600, kills=2, freezes=1, floods=5)
LONG = Size(processes=4, chats=100, updates=100_000, kills=8, freezes=3, floods=200)


@dataclass
class Watch:
    """What was done to the nodes, and how many sends were under way then."""

    kills: int = 0
    freezes: int = 0
    in_flight: int = 0
    log: list[str] = field(default_factory=list)


@promise("G4", lacks=nodes.lacks)
def order(long: bool) -> Finding:
    size = LONG if long else SHORT
    with nodes.nodes(size.processes, "counter", latency=LATENCY) as here:
        nodes.start(here)
        users = here.people(size.chats)
        words = [(users[n % len(users)], str(n // len(users))) for n in range(size.updates)]
        flood_some(here, users, size.floods)
        watch = Watch()
        talking = threading.Thread(target=talk, args=(words, size), daemon=True)
        talking.start()
        torment(here, size, watch)
        talking.join()
        books = the_books(here, size.updates)
    kept = not (books.lost or books.unanswered or books.inversions or books.pending or books.unexpected)
    bounded = books.answers.doubles <= books.unknowns and books.miscounted == 0
    figure = (
        f"{size.processes} processes, {size.chats} chats, {size.updates} updates, {watch.kills} kills, "
        f"{watch.freezes} freezes of {FREEZE_SECONDS:.0f} s: {books.lost} lost, {books.unanswered} unanswered, "
        f"{books.inversions} inversions, {books.answers.doubles} doubles ({books.unknowns} sends unknown), "
        f"sessions off by {books.miscounted}"
    )
    return Finding(kept and bounded, figure)


def flood_some(here: Nodes, users: list[FakeUser], count: int) -> None:
    """Some sends are answered with 429."""
    for _ in range(count):
        here.telegram.fail(flood(1), method="sendMessage", chat=random.choice(users).id)


def talk(words: list[Word], size: Size) -> None:
    pause = min(0.02, 60 / size.updates)
    for word in words:
        say([word])
        time.sleep(random.random() * 2 * pause)


def torment(here: Nodes, size: Size, watch: Watch) -> None:
    for _ in range(size.kills):
        time.sleep(random.uniform(1, 3))
        victim = random.choice(here.gateways)
        watch.in_flight += one(here.any, "SELECT count(*) FROM gateway_message WHERE status = 'sending'")
        victim.kill()
        watch.kills += 1
        time.sleep(random.uniform(0, 8))
        victim.start(within=90)
    for _ in range(size.freezes):
        victim = random.choice(here.gateways)
        freeze(victim)
        watch.freezes += 1


def freeze(victim: GatewayProcess) -> None:
    """What it had is another's when it wakes up: it begins again, with nothing in memory."""
    assert victim.process is not None
    victim.process.send_signal(signal.SIGSTOP)
    time.sleep(FREEZE_SECONDS)
    victim.process.send_signal(signal.SIGCONT)
    until(lambda: AGAIN in victim.log_text(), "the one that was frozen has not noticed", 30)
    victim.wait_until_ready(within=90)


def the_books(here: Nodes, said: int) -> Books:
    books = Books(Plan("counter", said, (), database="PostgreSQL"))
    updates = here.telegram.bot.updates
    try:
        until(lambda: len(updates.confirmed) >= said, "the last update is not acknowledged", 180)
        until(lambda: not unsettled(here.any), "the last word is not settled", 180)
    except AssertionError as error:
        raise AssertionError(f"{error}\n{here.log_text()}") from None
    close_the_books(Lab(here.telegram, here.any, here.postgres), books)
    return books
