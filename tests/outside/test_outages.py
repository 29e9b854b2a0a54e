"""What the gateway stands on goes away under it and comes back. Nothing is acknowledged that is not kept, nothing
hangs, and afterwards everybody has every answer once and in order."""

import contextlib
import os
import shutil
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import psycopg
import pytest

from tests.fake_telegram import FakeTelegram, cut, half_answer, no_json, refuse, server_error, wire_token
from tests.fake_telegram.threads import outage
from tests.faulty_proxy import FaultyProxy
from tests.gateway_process import GatewayProcess
from tests.outside.clients import Visitor
from tests.outside.traffic import BACK_WITHIN, LOADED, PEOPLE, gateway_over, sit_through
from tests.private_servers import POSTGRES_FOLDERS, PrivatePostgres, PrivateRedis

pytestmark = pytest.mark.timeout(180)
needs_redis = pytest.mark.skipif(not shutil.which("redis-server"), reason="redis-server is not installed")
needs_postgres = pytest.mark.skipif(not POSTGRES_FOLDERS, reason="PostgreSQL's server programs are not installed")
OUTAGE = 8.0
SOCKETS_WITHIN = 5.0


# PostgreSQL


@pytest.fixture
def postgres() -> Iterator[PrivatePostgres]:
    with PrivatePostgres(max_connections=25, superuser_reserved_connections=0) as server:
        yield server


Ways = tuple[Callable[[], object], Callable[[], object]]
"""How it begins, and how it ends."""


def frozen(server: PrivatePostgres, line: FaultyProxy) -> Ways:
    return server.freeze, server.thaw


def stopped(server: PrivatePostgres, line: FaultyProxy) -> Ways:
    return server.stop, server.start


def killed(server: PrivatePostgres, line: FaultyProxy) -> Ways:
    return server.kill, server.start


def black_hole(server: PrivatePostgres, line: FaultyProxy) -> Ways:
    return (lambda: setattr(line, "open", False)), (lambda: setattr(line, "open", True))


def full(server: PrivatePostgres, line: FaultyProxy) -> Ways:
    """Others have every connection that the server allows; the gateway's own are ended by its operator."""
    taken = contextlib.ExitStack()

    def take() -> psycopg.Connection:
        return taken.enter_context(psycopg.connect(server.url, application_name="hog", autocommit=True))

    def take_all() -> None:
        first = take()
        while first.execute(OTHERS).fetchall():  # Ended by now; whoever is quicker has the place.
            with contextlib.suppress(psycopg.OperationalError):
                while True:
                    take()

    return take_all, taken.close


OTHERS = (
    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
    "WHERE backend_type = 'client backend' AND application_name <> 'hog'"
)


@needs_postgres
@pytest.mark.parametrize("fault", [frozen, stopped, killed, black_hole, full])
def test_postgres_away(
    telegram: FakeTelegram, postgres: PrivatePostgres, fault: Callable[[PrivatePostgres, FaultyProxy], Ways]
) -> None:
    with FaultyProxy("127.0.0.1", postgres.port) as line:
        url = f"postgres://postgres@127.0.0.1:{line.port}/gateway"
        with gateway_over(telegram, DATABASE_URL=url) as traffic:
            took = sit_through(traffic, *fault(postgres, line), OUTAGE)
            traffic.check_the_answers(took)


@needs_postgres
def test_polling_keeps_its_offset_while_postgres_is_frozen(telegram: FakeTelegram, postgres: PrivatePostgres) -> None:
    with gateway_over(telegram, "polling", DATABASE_URL=postgres.url) as traffic:
        confirmed: list[int] = []

        def freeze() -> None:
            postgres.freeze()
            confirmed.extend(telegram.bot.updates.confirmed)

        def thaw() -> None:
            # One batch may have been committed and its answer frozen: that one was kept before the freeze.
            rows = traffic.telegram.bot.updates.confirmed
            assert len(rows) - len(confirmed) <= PEOPLE
            postgres.thaw()

        sit_through(traffic, freeze, thaw, OUTAGE)


@needs_postgres
def test_a_line_that_is_cut_anywhere_doubles_nothing(telegram: FakeTelegram, postgres: PrivatePostgres) -> None:
    with FaultyProxy("127.0.0.1", postgres.port) as line:
        url = f"postgres://postgres@127.0.0.1:{line.port}/gateway"
        with gateway_over(telegram, DATABASE_URL=url) as traffic:
            for cut_after in range(300, 15_000, 1_473):
                line.cut_after = cut_after
                traffic.everybody_says_something()
                traffic.until_answered()
            traffic.check_the_books()


@needs_postgres
def test_a_commit_that_is_not_answered_is_not_made_twice(telegram: FakeTelegram, postgres: PrivatePostgres) -> None:
    env = {"DATABASE_URL": postgres.url, "DJANGO_SETTINGS_MODULE": "tests.outage_settings"}
    with gateway_over(telegram, **env) as traffic:
        for _ in range(10):
            traffic.everybody_says_something()
        traffic.until_answered()
        traffic.check_the_books()
        said = sum(map(len, traffic.said.values()))
        with psycopg.connect(postgres.url) as connection:
            rows = connection.execute("SELECT direction, count(*) FROM gateway_message GROUP BY direction").fetchall()
        assert dict(rows) == {"in": said, "out": said}
        assert "had been done" in traffic.gateway.log_text()


# A full disk


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    if os.getuid() != 0:
        pytest.skip("only root may mount a small disk")
    mount = ["mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", str(tmp_path)]
    subprocess.run(mount, check=True)
    try:
        yield tmp_path
    finally:
        subprocess.run(["umount", "--lazy", str(tmp_path)], check=True)


def test_a_full_disk(telegram: FakeTelegram, small_disk: Path) -> None:
    file, ballast = small_disk / "gateway.sqlite3", small_disk / "ballast"

    def fill() -> None:
        with ballast.open("wb", buffering=0) as other, contextlib.suppress(OSError):
            while True:
                other.write(b"x" * 4096)

    with gateway_over(telegram, DATABASE_URL=f"sqlite:///{file}") as traffic:
        took = sit_through(traffic, fill, ballast.unlink, OUTAGE)
        traffic.check_the_answers(took)
        checked = subprocess.run(
            ["python3", "-c", CHECK, str(file)], capture_output=True, text=True, check=True, timeout=30
        )
        assert checked.stdout.strip() == "ok"


CHECK = "import sqlite3, sys; print(sqlite3.connect(sys.argv[1]).execute('PRAGMA integrity_check').fetchone()[0])"


# Redis


@pytest.fixture
def private_redis() -> Iterator[PrivateRedis]:
    with PrivateRedis() as server:
        yield server


def gone(server: PrivateRedis, line: FaultyProxy) -> Ways:
    return server.kill, server.start


def silent(server: PrivateRedis, line: FaultyProxy) -> Ways:
    return server.freeze, server.thaw


def unplugged(server: PrivateRedis, line: FaultyProxy) -> Ways:
    return (lambda: setattr(line, "open", False)), (lambda: setattr(line, "open", True))


def paused(server: PrivateRedis, line: FaultyProxy) -> Ways:
    return (lambda: server.client().execute_command("CLIENT", "PAUSE", "6000", "ALL")), (lambda: None)


def asleep(server: PrivateRedis, line: FaultyProxy) -> Ways:
    def sleep() -> None:
        threading.Thread(target=server.client().execute_command, args=("DEBUG", "SLEEP", "6"), daemon=True).start()

    return sleep, lambda: None


def flushed(server: PrivateRedis, line: FaultyProxy) -> Ways:
    return (lambda: server.client().flushall()), (lambda: None)


@needs_redis
@pytest.mark.parametrize("fault", [gone, silent, unplugged, paused, asleep, flushed])
def test_redis_away(
    telegram: FakeTelegram, private_redis: PrivateRedis, fault: Callable[[PrivateRedis, FaultyProxy], Ways]
) -> None:
    """Nobody who talks on Telegram or on the web notices; /readyz and the alarm do."""
    with FaultyProxy("127.0.0.1", private_redis.port) as line:
        url = f"redis://127.0.0.1:{line.port}/0"
        with gateway_over(telegram, CHANNELS_URL=url) as traffic, Visitor(traffic.gateway) as visitor:
            begin, end = fault(private_redis, line)
            begin()
            for n in range(10):
                began = time.monotonic()
                traffic.say(traffic.people[n])
                traffic.until_answered()
                traffic.note("telegram", lambda: True)
                traffic.slowest["telegram"] = max(traffic.slowest["telegram"], time.monotonic() - began)
                traffic.note("socket", lambda n=n: ask(visitor, n))  # type: ignore[misc]
            traffic.look(2, ("/readyz",))
            end()
            print(f"{fault.__name__}: {traffic.slowest}")
            assert max(traffic.slowest.values()) < SOCKETS_WITHIN
            assert sorted(visitor.words) == list(range(1, 21))
            traffic.check_the_books()
            telegram.wait(lambda: traffic.gateway.status("/readyz") == 200, BACK_WITHIN)
            if fault is not flushed:
                assert 503 in traffic.statuses["/readyz"]
                assert traffic.gateway.log_text().count("[layer_trouble]") == 1


def ask(visitor: Visitor, n: int) -> bool:
    visitor.send("message", id=f"m{n}", text=str(n))
    visitor.expect("message", sender="bot", text=f"{n} is {n + 1}")
    return True


@needs_redis
def test_a_start_without_redis(telegram: FakeTelegram) -> None:
    server = PrivateRedis()
    try:
        with gateway_over(telegram, CHANNELS_URL=server.url) as traffic, Visitor(traffic.gateway) as visitor:
            ask(visitor, 0)
            assert '"layer": "does not answer' in traffic.gateway.body("/readyz")
            server.start()
            telegram.wait(lambda: traffic.gateway.status("/readyz") == 200, BACK_WITHIN)
            ask(visitor, 1)
    finally:
        server.close()


# Telegram


def test_cables_are_pulled_on_both_sides(telegram: FakeTelegram) -> None:
    """To Telegram: /readyz is red within a minute and says why; words come in again within half a minute of the line's
    return. To a visitor: who comes back another way has every word once, and the dead socket is let go."""
    with FaultyProxy("127.0.0.1", telegram.port) as line:
        api = f"http://127.0.0.1:{line.port}"
        with gateway_over(telegram, "polling", TELEGRAM_API_URL=api) as traffic:
            with FaultyProxy("127.0.0.1", traffic.gateway.port) as cable:
                visitor = Visitor(through(cable, traffic.gateway))
                ask(visitor, 0)
                line.open = cable.open = False
                visitor.send("message", id="lost", text="into the void")
                began = time.monotonic()
                telegram.wait(lambda: traffic.gateway.status("/readyz") == 503, 60 + LOADED)
                red_after = time.monotonic() - began
                assert "No word from Telegram" in traffic.gateway.body("/readyz")
                assert traffic.gateway.status("/healthz") == 200
                traffic.everybody_says_something()
                with Visitor(traffic.gateway, token=visitor.token, since=visitor.rev) as back:
                    ask(back, 1)
                    assert sorted(visitor.words | back.words) == [1, 2, 3, 4]
                    telegram.wait(lambda: sockets(traffic.gateway) == 1, 60)
                    gone_after = time.monotonic() - began
            line.reset()
            line.open = True
            took = traffic.until_answered()
            print(f"black hole: red after {red_after:.1f} s, all answered {took:.1f} s after its end")
            print(f"a visitor without a line: let go after {gone_after:.1f} s")
            traffic.check_the_books()
            traffic.gateway.wait_until_ready(BACK_WITHIN)
            assert traffic.gateway.log_text().count("[telegram_trouble]") == 1


def test_telegrams_name_is_gone(telegram: FakeTelegram, tmp_path: Path) -> None:
    gone = tmp_path / "gone"
    with FaultyProxy("127.0.0.1", telegram.port) as line:
        api = {"TELEGRAM_API_URL": f"http://telegram.test:{line.port}"}
        names = {"DJANGO_SETTINGS_MODULE": "tests.nameless_settings", "NAMES_GONE": str(gone)}
        with gateway_over(telegram, "polling", **api, **names) as traffic:
            traffic.everybody_says_something()
            traffic.until_answered()
            gone.touch()
            line.reset()  # What is open needs no name.
            began = time.monotonic()
            telegram.wait(lambda: traffic.gateway.status("/readyz") == 503, 60 + LOADED)
            red_after = time.monotonic() - began
            assert "name resolution" in traffic.gateway.body("/readyz")
            traffic.everybody_says_something()
            gone.unlink()
            took = traffic.until_answered()
            print(f"Telegram's name gone: red after {red_after:.1f} s, all answered {took:.1f} s after it was back")
            traffic.check_the_books()
            traffic.gateway.wait_until_ready(BACK_WITHIN)


def through(line: FaultyProxy, gateway: GatewayProcess) -> GatewayProcess:
    """The same gateway, as sockets see it at the other end of that line."""
    return cast("GatewayProcess", SimpleNamespace(url=gateway.url, socket_url=f"ws://127.0.0.1:{line.port}"))


def sockets(gateway: GatewayProcess) -> float:
    return metric(gateway, 'sockets{kind="public"}')


def metric(gateway: GatewayProcess, name: str) -> float:
    """A figure of /metrics; 0 where there is none of that name."""
    lines = gateway.body("/metrics").splitlines()
    return next((float(line.rsplit(" ", 1)[1]) for line in lines if line.startswith(f"switchboard_{name}")), 0.0)


@pytest.mark.parametrize("intake", ["polling", "webhook"])
def test_telegram_ill_in_every_way(telegram: FakeTelegram, intake: str) -> None:
    with gateway_over(telegram, intake) as traffic:
        for fault in (server_error(500), server_error(502, html=True), half_answer(), cut(acting=False), no_json()):
            telegram.fail(fault, method="getUpdates")
            telegram.fail(refuse(409, "Conflict: terminated by other getUpdates request"), method="getUpdates")
            telegram.fail(server_error(502), method="sendMessage")
            traffic.everybody_says_something()
            traffic.until_answered()
        with outage(telegram):
            traffic.everybody_says_something()
            time.sleep(2)
        traffic.until_answered()
        traffic.check_the_books()
        telegram.wait(lambda: traffic.gateway.status("/readyz") == 200, BACK_WITHIN)


@pytest.mark.parametrize("intake", ["polling", "webhook"])
def test_a_token_is_replaced_without_a_new_start(telegram: FakeTelegram, tmp_path: Path, intake: str) -> None:
    file = tmp_path / "token"
    file.write_text(f"{telegram.token}\n")
    env = {"TELEGRAM_BOT_TOKEN": "", "TELEGRAM_BOT_TOKEN_FILE": str(file)}
    with gateway_over(telegram, intake, **env) as traffic:
        telegram.bot.token = wire_token(77)  # @BotFather has revoked the one in the file.
        if intake == "webhook":
            traffic.everybody_says_something()  # Their answers meet 401, and wait.
        telegram.wait(lambda: "refuse" in traffic.gateway.log_text() or intake == "webhook", 60)
        file.write_text(f"{telegram.token}\n")
        began = time.monotonic()
        if intake == "polling":
            traffic.everybody_says_something()
        traffic.until_answered()
        print(f"{intake}: all answered {time.monotonic() - began:.1f} s after the new token")
        traffic.check_the_books()
        telegram.wait(lambda: traffic.gateway.status("/readyz") == 200, BACK_WITHIN)
        assert telegram.token not in traffic.gateway.log_text()
