"""The figures in the text format of Prometheus. A module of its own: its library is imported at the first scrape."""

import platform
from collections.abc import Iterable, Iterator, Mapping
from importlib.metadata import version
from typing import TYPE_CHECKING

from prometheus_client import CollectorRegistry, ProcessCollector
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4, generate_latest
from prometheus_client.metrics_core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    Metric,
)
from prometheus_client.registry import Collector

from gateway import __version__, flow
from gateway.figures import DOUBTFUL, GOING_ON, STATES
from gateway.metrics import Histogram, refusals

if TYPE_CHECKING:
    from gateway.engine import Engine

CONTENT_TYPE = CONTENT_TYPE_PLAIN_0_0_4
BY_BOT = ("protocol", "bot")
COUNTED = {
    "accepted": "Updates and visitors' frames that have become rows.",
    "duplicates": "Deliveries of what was a row already.",
    "fed": "Events handed to a handler, repetitions included.",
    "failed": "Events whose handler raised.",
    "dead": "Dead letters.",
    "said": "Rows that a bot, an operator or the gateway has said.",
    "delivered": "Rows that the outside has confirmed.",
    "retried": "Sends put back to be tried again.",
    "unknown": "Calls of which nobody knows whether they were done.",
    "undeliverable": "Sends that failed for good.",
}
FLOW = ("slow_readers", "paused_writers", "refused_frames", "refused_connections")


def text(engine: "Engine | None", sockets: Mapping[str, int]) -> bytes:
    """Everything that is known without asking anybody. `sockets`: open ones by kind. `engine` None: not running."""
    registry = CollectorRegistry(auto_describe=False)
    ProcessCollector(registry=registry)
    registry.register(Page(engine, sockets))
    return generate_latest(registry)


class Page(Collector):
    def __init__(self, engine: "Engine | None", sockets: Mapping[str, int]) -> None:
        self._engine = engine
        self._sockets = sockets

    def collect(self) -> Iterator[Metric]:
        build = {"version": __version__, "python": platform.python_version(), "django": version("django")}
        yield gauge("build_info", "Always 1; what runs here.", build, [(tuple(build.values()), 1)])
        yield gauge("running", "Whether the gateway takes words in.", (), [((), self._engine is not None)])
        yield gauge("sockets", "Open WebSockets.", ("kind",), [((kind,), n) for kind, n in self._sockets.items()])
        yield counter("refused", "Turned away, by door and reason.", ("door", "reason"), refusals.items())
        yield counter(
            "flow", "What flow control had to do.", ("what",), [((n,), getattr(flow.counts, n)) for n in FLOW]
        )
        yield gauge("connections", "Open connections of all kinds.", (), [((), flow.counts.connections)])
        if self._engine is not None:
            yield from bots(self._engine)
            yield from work(self._engine)
            yield from writer(self._engine)
            yield from health(self._engine)
            yield from rows(self._engine)


def bots(engine: "Engine") -> Iterator[Metric]:
    counts = engine.metrics.counts
    for name, help_text in COUNTED.items():
        yield counter(name, help_text, BY_BOT, [(key, getattr(of, name)) for key, of in counts.items()])
    answers = [(key, of.answers) for key, of in counts.items()]
    told = "From the commit of what somebody wrote to the commit that its first answer is out."
    yield histogram("answer_seconds", told, BY_BOT, answers)
    handlers = [(key, of.handlers) for key, of in counts.items()]
    yield histogram("handler_seconds", "What an event took in its handler.", BY_BOT, handlers)


def work(engine: "Engine") -> Iterator[Metric]:
    yield gauge(
        "lanes", "Live conversations: something is in hand, waiting, or in memory.", (), [((), len(engine.lanes))]
    )
    yield gauge("in_hand", "Events in handlers' hands.", (), [((), engine.slow.in_hand)])
    yield gauge("in_hand_oldest_seconds", "The longest that one has been there.", (), [((), engine.slow.oldest)])
    yield gauge("slow_handlers", "Those over SLOW_HANDLER_SECONDS.", (), [((), len(engine.slow))])
    yield counter("slow_handler_alarms", "Events that went over it.", (), [((), engine.slow.alarms)])
    yield gauge("clocks", "Open conversations that silence will end.", (), [((), len(engine.deadlines))])
    pools = {pool.name: pool for pool in (engine.pools.handlers, engine.pools.hops, engine.pools.others)}
    for name, help_text in (
        ("threads", "Threads there are."),
        ("busy", "Threads with a call."),
        ("waiting", "Calls that wait for a thread."),
        ("most", "Threads there may be."),
    ):
        found = [((key,), getattr(pool, name)) for key, pool in pools.items()]
        yield gauge(f"pool_{name}", help_text, ("pool",), found)
    yield gauge(
        "pool_blocked",
        "Threads with a call of over a second.",
        ("pool",),
        [((k,), p.blocked()) for k, p in pools.items()],
    )
    yield counter(
        "pool_full", "Times that all of them were taken.", ("pool",), [((k,), p.times_full) for k, p in pools.items()]
    )
    yield gauge("outbox_rows", "Rows on their way outside.", (), [((), len(engine.outbox))])
    yield counter("flood_waits", "Turns that our own clocks put off.", (), [((), engine.outbox.waits)])
    yield counter("floods", "Waits that the outside has asked for.", (), [((), engine.outbox.floods)])


def writer(engine: "Engine") -> Iterator[Metric]:
    yield gauge("writer_waiting", "Operations that wait for the next transaction.", (), [((), engine.writer.waiting)])
    yield gauge("writer_stuck_seconds", "How long the group in hand has waited.", (), [((), engine.writer.stuck_for)])
    told = "Commits that were not made at once: tried again, another process was first, done though nothing was heard."
    kinds = ("retries", "collisions", "recognised")
    yield counter("writer_troubles", told, ("kind",), [((kind,), getattr(engine.writer, kind)) for kind in kinds])
    metrics = engine.metrics
    yield histogram("commit_seconds", "A transaction, from its first query to its commit.", (), [((), metrics.commits)])
    yield histogram("commit_operations", "Operations in one transaction.", (), [((), metrics.groups)])


def health(engine: "Engine") -> Iterator[Metric]:
    yield gauge("loop_lag_seconds", "How late the loop was when it was last looked at.", (), [((), engine.watch.lag)])
    yield gauge("database_silent_seconds", "Since the database last answered.", (), [((), engine.pulse.silent_for)])
    ills = engine.health()
    parts = sorted({"database", "layer", "handlers", *ills})
    yield gauge("trouble", "1 where /readyz says that this part is ill.", ("part",), [((p,), p in ills) for p in parts])
    ages = [
        ((name, bot), age)
        for name, server in engine.protocols.items()
        for bot, age in server.contact_ages().items()
        if age is not None
    ]
    yield gauge("contact_age_seconds", "Since a bot last had word from outside.", BY_BOT, ages)


def rows(engine: "Engine") -> Iterator[Metric]:
    known, age = engine.figures.known, engine.figures.age
    if age is None:
        return
    yield gauge("rows_age_seconds", "Since the database last counted what follows.", (), [((), age)])
    states = [((state,), known[state]) for state in STATES]
    yield gauge("conversations", "Conversations by state.", ("state",), states)
    statuses = [status.value for status in (*GOING_ON, *DOUBTFUL)]
    yield gauge(
        "rows", "Rows by status; what is settled is not counted.", ("status",), [((s,), known[s]) for s in statuses]
    )
    oldest = [((s,), known.get(f"oldest {s}", 0.0)) for s in statuses]
    yield gauge("rows_oldest_seconds", "The age of the oldest of them.", ("status",), oldest)


# Families

Labels = Iterable[str]
Samples = Iterable[tuple[tuple[str, ...], float]]


def gauge(name: str, told: str, labels: Labels, samples: Samples) -> Metric:
    family = GaugeMetricFamily(f"switchboard_{name}", told, labels=tuple(labels))
    for values, figure in samples:
        family.add_metric(values, float(figure))
    return family


def counter(name: str, told: str, labels: Labels, samples: Samples) -> Metric:
    family = CounterMetricFamily(f"switchboard_{name}", told, labels=tuple(labels))
    for values, figure in samples:
        family.add_metric(values, float(figure))
    return family


def histogram(name: str, told: str, labels: Labels, samples: Iterable[tuple[tuple[str, ...], Histogram]]) -> Metric:
    family = HistogramMetricFamily(f"switchboard_{name}", told, labels=tuple(labels))
    for values, figures in samples:
        so_far, buckets = 0, []
        for bound, count in zip((*map(str, figures.bounds), "+Inf"), figures.counts, strict=True):
            so_far += count
            buckets.append((bound, so_far))
        family.add_metric(values, buckets, figures.total)
    return family
