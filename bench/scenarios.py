"""What is measured, in groups that can be asked for by name."""

import contextlib
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

import psycopg

from bench.contestants import GATEWAYS, PEERS, Driver, DriverFailed, Running, running, writing_beside
from bench.processes import Cluster, cluster, lacks_nothing
from tests.services import POSTGRES_URL

Figures = dict[str, Any]
Report = Callable[[str, str, Figures], None]


@dataclass(frozen=True)
class Plan:
    """`rounds` of everything, interleaved; `seconds` of each measurement after `warm` ones."""

    rounds: int = 3
    warm: float = 1.0
    seconds: float = 2.5
    conversations: int = 2_000
    sockets: int = 2_000
    processes: tuple[int, ...] = (1, 2, 4)
    watchers: int = 1_000
    settle: float = 3.0
    waiting: int = 4_000
    pasts: tuple[tuple[int, int], ...] = ((1, 0), (100, 0), (5_000, 0), (100, 100_000))
    peers: bool = True
    postgres: bool = True
    on_postgres: tuple[str, ...] = ("uvicorn postgres",)
    servers: tuple[str, ...] = ("uvicorn", "daphne")


LONG = Plan(
    rounds=5,
    warm=2.0,
    seconds=10.0,
    conversations=20_000,
    sockets=10_000,
    settle=10.0,
    waiting=20_000,
    pasts=((1, 0), (100, 0), (10_000, 0), (100_000, 0), (100, 10_000_000)),
    on_postgres=("uvicorn postgres", "daphne postgres"),
)


class Bench:
    """`report(scenario, contestant, figures)` is called for every measurement."""

    def __init__(self, driver: Driver, plan: Plan, report: Report) -> None:
        self.driver = driver
        self.plan = plan
        self.report = report
        self.failures: list[str] = []

    def run(self, groups: list[str]) -> None:
        for group in groups:
            with self.going_on(group):
                GROUPS[group](self)

    @contextlib.contextmanager
    def going_on(self, what: str) -> Iterator[None]:
        """A measurement that fails is told, and keeps the others from nothing."""
        try:
            yield
        except (DriverFailed, AssertionError) as failure:
            self.failures.append(f"{what}: {failure}")

    # Who takes part

    def gateways(self) -> list[str]:
        return [name for name in GATEWAYS if name in self.plan.servers]

    def all(self) -> list[str]:
        databases = [name for name in self.plan.on_postgres if self.plan.postgres]
        return [*self.gateways(), *databases, *(PEERS if self.plan.peers else ())]

    @contextlib.contextmanager
    def each(self, names: list[str], way: str) -> Iterator[list[Running]]:
        """All of them ready at once: those that are not asked anything cost next to nothing."""
        with ExitStack() as stack:
            yield [stack.enter_context(running(name, self.driver, way)) for name in names]

    def measure(self, scenario: str, what: str, of: Running, **arguments: Any) -> None:
        print(f"  {scenario}: {of.name}…", file=sys.stderr, flush=True)
        with self.going_on(f"{scenario}, {of.name}"):
            self.report(scenario, of.name, self.driver.do(what, pid=of.pid, **arguments))

    # Telegram

    def webhook(self) -> None:
        """As much as it takes; an API that takes 50 ms; 200 a second."""
        with self.each(self.all(), "webhook") as ready:
            for _ in range(self.plan.rounds):
                for one in ready:
                    self.flood("webhook", one)
            for one in ready:
                self.flood("API takes 50 ms", one, chats=50, window=500, delay=0.05)
            for one in ready:
                self.pace("200 a second", one)
            for one in ready:
                if one.gateway is not None:
                    with writing_beside(one.gateway, 20):
                        self.pace("200 a second, 20 others' transactions", one)

    def polling(self) -> None:
        names = [*self.gateways(), *(PEERS if self.plan.peers else ())]
        with self.each(names, "polling") as ready:
            for _ in range(self.plan.rounds):
                for one in ready:
                    self.flood("polling", one, way="polling", window=400)

    def flood(self, scenario: str, one: Running, **changes: Any) -> None:
        usual = {"way": "webhook", "chats": 100, "connections": 50, "window": 200, "delay": 0.0}
        timing = {"warm": self.plan.warm, "seconds": self.plan.seconds}
        self.measure(scenario, "flood", one, token=one.token, **{**usual, **timing, **changes})

    def pace(self, scenario: str, one: Running) -> None:
        timing = {"warm": self.plan.warm, "seconds": max(self.plan.seconds, 3.0)}
        self.measure(scenario, "pace", one, token=one.token, rate=200, chats=100, connections=32, **timing)

    def burst(self) -> None:
        """After a downtime: all of it waits at once."""
        for name in self.gateways():
            with self.each([name], "polling") as (one,):
                wanted = {"count": self.plan.waiting, "chats": 1_000, "patience": 120.0}
                self.measure("burst", "burst", one, token=one.token, **wanted)

    def past(self) -> None:
        """Whether a message costs more where there are many conversations, or many messages."""
        for conversations, messages in self.plan.pasts:
            code = f"from bench.filled import fill; fill({conversations}, {messages})"
            with running("uvicorn", self.driver, "webhook", code) as one:
                for _ in range(self.plan.rounds):
                    label = f"past: {conversations:,} conversations, {messages:,} messages"
                    self.flood(label, one, chats=conversations)

    def conversations(self) -> None:
        """New ones, and what they are when nobody speaks."""
        for name in self.gateways():
            with self.each([name], "webhook") as (one,):
                wanted = {"count": self.plan.conversations, "settle": self.plan.settle}
                self.measure("conversations", "conversations", one, token=one.token, **wanted)

    # The web

    def sockets(self) -> None:
        for name in self.gateways():
            with self.each([name], "webhook") as (one,):
                assert one.gateway is not None
                url, timing = one.gateway.url, {"warm": self.plan.warm, "seconds": self.plan.seconds}
                for _ in range(self.plan.rounds):
                    self.measure("web round trip", "talk", one, url=url, visitors=50, rate=0, **timing)
                self.measure("web, 200 a second", "talk", one, url=url, visitors=50, rate=200, **timing)
                self.fan_out(one)
                wanted = {"count": self.plan.sockets, "settle": self.plan.settle}
                self.measure("idle sockets", "idle", one, url=url, **wanted)

    def fan_out(self, one: Running) -> None:
        assert one.gateway is not None
        cookie = one.gateway.operator_cookie()
        wanted = {"sockets": self.plan.watchers, "seconds": self.plan.seconds}
        self.measure("fan-out", "fan_out", one, url=one.gateway.url, cookie=cookie, **wanted)

    def start(self) -> None:
        for _ in range(self.plan.rounds):
            for name in self.gateways():
                with self.each([name], "webhook") as (one,):
                    self.report("start", name, {"ready_seconds": round(one.start_seconds, 2)})

    def processes(self) -> None:
        """One gateway of several processes over a PostgreSQL and a Redis of its own."""
        lacks_nothing()
        for count in self.plan.processes:
            with cluster(count, self.driver) as one:
                timing = {"warm": self.plan.warm, "seconds": self.plan.seconds}
                for _ in range(self.plan.rounds):
                    self.measure_cluster("processes", "spread", one, token=one.token, **one.load, **timing)
        with cluster(2, self.driver) as one:
            wanted = {"count": self.plan.sockets, "settle": self.plan.settle}
            self.measure_cluster("idle sockets, two processes", "idle_over", one, **wanted)

    def measure_cluster(self, scenario: str, what: str, of: Cluster, **arguments: Any) -> None:
        print(f"  {scenario}: {of.name}…", file=sys.stderr, flush=True)
        with self.going_on(f"{scenario}, {of.name}"):
            self.report(scenario, of.name, self.driver.do(what, pids=of.pids, urls=of.urls, **arguments))


GROUPS: dict[str, Callable[[Bench], None]] = {
    "webhook": Bench.webhook,
    "polling": Bench.polling,
    "burst": Bench.burst,
    "past": Bench.past,
    "conversations": Bench.conversations,
    "sockets": Bench.sockets,
    "start": Bench.start,
    "processes": Bench.processes,
}


def postgres_answers() -> bool:
    try:
        psycopg.connect(POSTGRES_URL, connect_timeout=2).close()
    except psycopg.Error:
        return False
    return True
