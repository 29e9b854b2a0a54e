"""How a gateway ends: told to, killed, or replaced by another one; and how the next one begins."""

import json
import os
import signal
import time
from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from tests.chaos.rows import one, read
from tests.fake_telegram import FakeTelegram
from tests.gateway_process import GatewayProcess
from tests.outside.clients import Visitor
from tests.outside.test_outages import needs_postgres
from tests.outside.traffic import LOADED, gateway_over
from tests.private_servers import PrivatePostgres

pytestmark = pytest.mark.timeout(180)
REFUSED_WITHIN = 0.5
EXIT_WITHIN = 30.0
AWAY_WITHIN = 12.0
SOCKETS = 5
STATE = "SELECT id, uuid, key, seq, open, session, deadline FROM gateway_conversation ORDER BY id"


@pytest.fixture
def postgres() -> Iterator[PrivatePostgres]:
    with PrivatePostgres() as server:
        yield server


@pytest.fixture(params=["SQLite", pytest.param("PostgreSQL", marks=needs_postgres)])
def database(request: pytest.FixtureRequest) -> dict[str, str]:
    return {} if request.param == "SQLite" else {"DATABASE_URL": request.getfixturevalue("postgres").url}


def test_sigterm_under_load(telegram: FakeTelegram, server: str, database: dict[str, str]) -> None:
    how = "uvicorn" if server == "uvicorn" else "daphne"
    telegram.latency = 0.05
    with gateway_over(telegram, server=how, **database) as traffic, ExitStack() as stack:  # type: ignore[arg-type]
        visitors = [stack.enter_context(Visitor(traffic.gateway)) for _ in range(SOCKETS)]
        with traffic.flowing(0.02):
            time.sleep(2)
            began = time.monotonic()
            code = traffic.gateway.terminate(EXIT_WITHIN)
            took = time.monotonic() - began
            codes = {visitor.ended() for visitor in visitors}
        late = [
            attempt.ended - began
            for attempt in telegram.bot.webhook.attempts
            if attempt.status == 200 and attempt.ended > began
        ]
        print(f"exit {code} after {took:.1f} s, last 200 after {max(late, default=0):.2f} s, sockets {codes}")
        assert max(late, default=0) < REFUSED_WITHIN + LOADED
        assert code == 0 if server == "daphne" else code in (0, -15)
        assert codes <= {4012, 1012}
        traffic.gateway.start()
        traffic.until_answered()
        traffic.check_the_books()


@needs_postgres
def test_sigterm_while_postgres_is_frozen(telegram: FakeTelegram, postgres: PrivatePostgres) -> None:
    with gateway_over(telegram, DATABASE_URL=postgres.url) as traffic:
        with traffic.flowing():
            postgres.freeze()
            time.sleep(4)
            began = time.monotonic()
            code = traffic.gateway.terminate(EXIT_WITHIN)
            took = time.monotonic() - began
            postgres.thaw()
        print(f"exit {code} after {took:.1f} s")
        assert code == 0
        assert took < AWAY_WITHIN
        assert "The database cannot be written" in traffic.gateway.log_text()
        traffic.gateway.start()
        traffic.until_answered()
        # What was sent just before, and could not be marked as sent any more, is sent again.
        seen = traffic.count()
        in_doubt = one(traffic.gateway, "SELECT coalesce(sum(unknowns), 0) FROM gateway_message")
        assert not any((seen.missing, seen.foreign, seen.disordered)), seen
        assert seen.doubles <= in_doubt


def test_whoever_stood_still_for_too_long_ends_and_says_why(telegram: FakeTelegram) -> None:
    """Over SQLite, where the second takes all of it. Over PostgreSQL it joins, and chaos/g04_order.py freezes one."""
    with gateway_over(telegram, "polling") as traffic:
        first = traffic.gateway
        assert first.process is not None
        time.sleep(1)  # Frozen in the middle of a write, it would keep SQLite's file from everybody else.
        os.kill(first.process.pid, signal.SIGSTOP)
        second = GatewayProcess(application="counter", data_dir=first.data_dir)
        second.env = {**first.env, "PORT": str(second.port), "PUBLIC_URL": second.url}
        try:
            traffic.everybody_says_something()
            second.start()
            os.kill(first.process.pid, signal.SIGCONT)
            traffic.everybody_says_something()
            assert first.wait(EXIT_WITHIN) == 1
            assert "has taken over what this one had" in first.log_text()
            assert first.log_text().count("[lost_lease]") == 1
            traffic.gateway = second
            traffic.until_answered()
            traffic.check_the_books()
            double = one(
                second, "SELECT count(*) - count(DISTINCT update_id) FROM gateway_message WHERE direction = 'in'"
            )
            assert double == 0
        finally:
            second.close()


def test_after_kill_9_a_thousand_conversations_are_as_they_were(
    telegram: FakeTelegram, database: dict[str, str]
) -> None:
    with gateway_over(telegram, "polling", **database) as traffic:
        traffic.people = [telegram.user(10_000 + n) for n in range(1000)]
        traffic.everybody_says_something()
        traffic.until_answered(120)
        telegram.wait(lambda: not one(traffic.gateway, "SELECT count(*) FROM gateway_message WHERE status = 'sending'"))
        telegram.wait(lambda: not one(traffic.gateway, "SELECT count(*) FROM gateway_message WHERE status = 'in_hand'"))
        traffic.gateway.kill()
        before = read(traffic.gateway, STATE)
        traffic.say(traffic.people[0])
        began = time.monotonic()
        traffic.gateway.start(ready=False)
        traffic.until_answered()
        took = time.monotonic() - began
        after = read(traffic.gateway, STATE)
        print(f"answering {took:.1f} s after the start of the process")
        first = traffic.people[0].id
        assert [row for row in after if str(first) not in row[2]] == [row for row in before if str(first) not in row[2]]
        assert sum(json.loads(row[5]).get("count", 0) for row in after) == 1000 + 10 + 1
        assert took < 5 + LOADED
        traffic.everybody_says_something()
        traffic.until_answered(120)
        traffic.check_the_books()


def test_a_deadline_that_passed_while_it_was_down(telegram: FakeTelegram) -> None:
    with gateway_over(telegram, "polling", CONVERSATION_TIMEOUT="4") as traffic:
        opened = one(traffic.gateway, "SELECT count(*) FROM gateway_conversation WHERE open")
        traffic.gateway.kill()
        time.sleep(4)
        began = time.monotonic()
        traffic.gateway.start(ready=False)
        telegram.wait(lambda: not one(traffic.gateway, "SELECT count(*) FROM gateway_conversation WHERE open"), 20)
        print(f"{opened} scopes ended {time.monotonic() - began:.1f} s after the start of the process")
        assert opened > 0
        assert time.monotonic() - began < 5 + LOADED
        for person in traffic.people:  # Each of them begins anew.
            person.says("again")
        telegram.wait(lambda: all(person.answers[-1] == "again is 1" for person in traffic.people))
