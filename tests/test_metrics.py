"""What is counted, who may read it, and that it is told while the database does not answer."""

import json
import re
import time
import urllib.request
from pathlib import Path
from typing import Any

import pytest
from channels.consumer import SyncConsumer
from prometheus_client.parser import text_string_to_metric_families

from gateway import metrics
from gateway.errors import Later, Refused
from gateway.figures import count_rows
from gateway.metrics import Counts, Histogram, Metrics
from gateway.web.metrics import may_read
from tests.communicator import Chat, until
from tests.engine_moments import outside
from tests.engines import StartEngine, start
from tests.gateway_process import ROOT, GatewayProcess
from tests.private_servers import PrivatePostgres, missing_private_servers

__all__ = ["start"]

Samples = dict[tuple[str, tuple[tuple[str, str], ...]], float]


class Moody(SyncConsumer):
    """Echoes; raises at "raise"."""

    def telegram_message(self, event: dict[str, Any]) -> None:
        if event["text"] == "raise":
            raise ValueError(event["text"])
        self.send({"type": "telegram.message", "text": event["text"]})


def counted(engine: Any, protocol: str = "telegram") -> Counts:
    found: Counts = engine.metrics.of(protocol, "bot")
    return found


@pytest.mark.django_db(transaction=True)
async def test_every_word_is_counted_once(start: StartEngine) -> None:
    engine = await start(Moody.as_asgi())
    chat = Chat(engine, 1)
    twice = chat.inbound("one")
    await engine.accept([twice])
    await engine.accept([twice])
    await chat.says("two", "three")
    await chat.sent(3)
    counts = counted(engine)
    await until(lambda: counts.delivered == 3, "three deliveries counted", lambda: counts)
    found = (counts.accepted, counts.duplicates, counts.fed, counts.said, counts.delivered)
    assert found == (3, 1, 3, 3, 3)
    assert (counts.failed, counts.dead, counts.retried, counts.unknown, counts.undeliverable) == (0, 0, 0, 0, 0)
    assert sum(counts.answers.counts) == sum(counts.handlers.counts) == 3
    assert 0 < counts.answers.total < 30
    assert sum(engine.metrics.groups.counts) == sum(engine.metrics.commits.counts) > 3


@pytest.mark.django_db(transaction=True)
async def test_words_delivered_by_their_commit_are_answers_too(start: StartEngine) -> None:
    engine = await start(Moody.as_asgi())
    chat = Chat(engine, 1, protocol="webchat")
    await chat.says("one")
    await chat.settled()
    counts = counted(engine, "webchat")
    await until(lambda: counts.delivered == 1, "a delivery counted", lambda: counts)
    assert sum(counts.answers.counts) == 1


@pytest.mark.django_db(transaction=True)
async def test_a_failed_handler_a_failed_send_and_a_dead_letter_are_told_apart(start: StartEngine) -> None:
    engine = await start(Moody.as_asgi())
    chat = Chat(engine, 1)
    outside(engine).faults = [Later("busy", 0.01), Refused("no such chat")]
    await chat.says("one")
    counts = counted(engine)
    await until(lambda: counts.undeliverable == 1, "a failed send counted", lambda: counts)
    assert (counts.retried, counts.failed) == (1, 0)
    await chat.says("raise")
    await until(lambda: counts.failed == 1, "a failed handler counted", lambda: counts)
    await engine.accept([chat.inbound("?", error="Nobody understands it.")])
    await until(lambda: counts.dead == 1, "a dead letter counted", lambda: counts)
    assert counts.undeliverable == 1


@pytest.mark.django_db(transaction=True)
async def test_the_rows_are_counted_by_their_state(start: StartEngine) -> None:
    engine = await start(Moody.as_asgi())
    outside(engine).faults = [Later("busy", 600)]
    await Chat(engine, 1).says("one")
    await until(lambda: counted(engine).retried == 1, "a send put back", lambda: counted(engine))
    found = await engine.read(count_rows)
    assert (found["queued"], found["open"], found["held"], found["dead"]) == (1, 1, 0, 0)
    assert 0 <= found["oldest queued"] < 60


def test_a_histogram_counts_up_to_and_including_its_bounds() -> None:
    histogram = Histogram((1.0, 2.0))
    for figure in (0.5, 1.0, 1.5, 9.0):
        histogram.observe(figure)
    assert (histogram.counts, histogram.total) == ([2, 1, 1], 12.0)


def test_invented_bots_fill_no_page() -> None:
    found = Metrics()
    for number in range(metrics.MOST_BOTS + 50):
        found.of("webchat", f"bot{number}").accepted += 1
    assert len(found.counts) == metrics.MOST_BOTS + 1
    assert found.of("webchat", "other").accepted == 50


def test_what_is_never_answered_is_forgotten() -> None:
    times: dict[int, float] = {}
    for pk in range(metrics.AWAITED_ROWS + 1):
        metrics.remember(times, pk, 0.0)
    assert len(times) <= metrics.AWAITED_ROWS
    assert 0 not in times
    assert metrics.AWAITED_ROWS in times


# Who may read


def asked(client: str = "127.0.0.1", **headers: str) -> dict[str, Any]:
    sent = {"host": "127.0.0.1:8000", **{name.replace("_", "-"): value for name, value in headers.items()}}
    return {
        "type": "http",
        "method": "GET",
        "client": (client, 50000),
        "headers": [(name.encode(), value.encode()) for name, value in sent.items()],
    }


@pytest.mark.parametrize("host", ["127.0.0.1:8000", "localhost", "[::1]:8000", "[::1]"])
@pytest.mark.parametrize("client", ["127.0.0.1", "::1", "::ffff:127.0.0.1"])
def test_this_machine_may_read(client: str, host: str) -> None:
    assert may_read(asked(client, host=host))


@pytest.mark.parametrize(
    "scope",
    [
        asked("192.0.2.7"),
        asked("::2"),
        asked(host="chat.example"),
        asked(host="127.0.0.1.nip.io"),
        asked(host="]"),
        asked(x_forwarded_for="127.0.0.1"),
        asked(forwarded="for=127.0.0.1"),
        asked("192.0.2.7", authorization="Bearer "),
    ],
)
def test_others_may_not(scope: dict[str, Any]) -> None:
    assert not may_read(scope)


def test_a_proxy_that_is_not_named_is_not_this_machine(settings: Any) -> None:
    settings.PUBLIC_URL = "https://chat.example"
    assert not may_read(asked())
    settings.TRUSTED_PROXIES = ["127.0.0.1"]
    assert may_read(asked())


def test_with_a_token_only_the_token_counts(settings: Any) -> None:
    settings.METRICS_TOKEN = "a-token-for-the-scraper"
    assert may_read(asked("192.0.2.7", host="chat.example", authorization="Bearer a-token-for-the-scraper"))
    for wrong in ({}, {"authorization": "Bearer"}, {"authorization": "Bearer a-token"}, {"authorization": "Bearer é"}):
        assert not may_read(asked(**wrong))


# The page


def samples(gateway: GatewayProcess) -> Samples:
    page = gateway.body("/metrics")
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(page)
        for sample in family.samples
    }


def of_bot(name: str, protocol: str = "telegram", bot: str = "bot") -> tuple[str, tuple[tuple[str, str], ...]]:
    return f"switchboard_{name}", (("bot", bot), ("protocol", protocol))


def test_the_page_tells_what_went_through(start_gateway: Any, telegram: Any, server: str) -> None:
    gateway = start_gateway(server=server)
    anna = telegram.user(7, first_name="Marked")
    for number in range(5):
        anna.says(f"marked text {number}")
    telegram.wait(lambda: len(anna.answers) == 5)
    found = samples(gateway)
    deadline = time.monotonic() + 20
    while found.get(of_bot("delivered_total"), 0) < 5 and time.monotonic() < deadline:
        time.sleep(0.1)
        found = samples(gateway)
    assert found[of_bot("accepted_total")] == found[of_bot("delivered_total")] == 5
    assert found[of_bot("answer_seconds_count")] == 5
    assert found["switchboard_running", ()] == 1
    assert found["switchboard_trouble", (("part", "database"),)] == 0
    assert found[of_bot("contact_age_seconds")] < 60
    page = gateway.body("/metrics")
    documented = Path(ROOT, "docs", "operations.md").read_text(encoding="utf-8")
    names = re.findall(r"^# TYPE switchboard_(\w+)", page, re.MULTILINE)
    assert [name for name in names if f"`{name}`" not in documented] == []
    assert "marked" not in page.lower()
    assert telegram.token not in page
    assert gateway.status("/metrics") == 200


def test_with_a_token_the_page_is_closed_without_it(start_gateway: Any) -> None:
    gateway = start_gateway({"METRICS_TOKEN": "a-token-for-the-scraper"})
    assert gateway.status("/metrics") == 403
    shown = {"Authorization": "Bearer a-token-for-the-scraper"}
    request = urllib.request.Request(f"{gateway.url}/metrics", headers=shown)
    with urllib.request.urlopen(request, timeout=5) as response:
        assert response.status == 200


def await_trouble(gateway: GatewayProcess) -> None:
    """Until the page, `/readyz` and the log all say that the database is ill."""
    deadline = time.monotonic() + 30
    while samples(gateway)["switchboard_trouble", (("part", "database"),)] != 1:
        assert time.monotonic() < deadline, gateway.body("/readyz")
        time.sleep(0.2)
    ready = json.loads(gateway.body("/readyz"))
    assert (gateway.status("/readyz"), ready["ready"]) == (503, False)
    assert ready["parts"]["database"] != "ok"
    assert ready["contact"]["database"] > 1
    while "[database_trouble]" not in gateway.log_text():
        assert time.monotonic() < deadline, gateway.log_text()
        time.sleep(0.2)


@pytest.mark.services
@pytest.mark.skipif(bool(missing_private_servers()), reason="no PostgreSQL to freeze")
def test_the_page_is_told_while_the_database_stands_still(start_gateway: Any) -> None:
    with PrivatePostgres() as postgres:
        gateway = start_gateway({"DATABASE_URL": postgres.url})
        postgres.freeze()
        try:
            took = []
            for _ in range(3):
                began = time.monotonic()
                found = samples(gateway)
                took.append(round(time.monotonic() - began, 2))
                assert found["switchboard_running", ()] == 1
                assert ("switchboard_rows_age_seconds", ()) not in found
            print(f"the page took {took} s while PostgreSQL stood still")
            await_trouble(gateway)
            assert gateway.status("/healthz") == 200
        finally:
            postgres.thaw()
