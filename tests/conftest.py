"""What tests of every room share."""

import functools
import os
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import aiohttp
import pytest
import pytest_asyncio

from tests.fake_telegram import FakeTelegram, in_thread
from tests.gateway_process import GatewayProcess
from tests.services import missing_services, postgres_database, redis_database

missing = functools.cache(missing_services)
EVERYTHING = bool(os.environ.get("CI") or os.environ.get("EVERYTHING"))

# Each of these starts the whole product many times over, for what tests of the rooms show already.
THOROUGH = (
    "browser/test_back_office.py", "browser/test_console_", "browser/test_hostile_names.py", "browser/test_widget_",
    "notes/", "outside/test_announcement_restart.py",
    "outside/test_bots.py", "outside/test_canary.py", "outside/test_crash.py::test_after_sigterm",
    "outside/test_crash.py::test_what_came", "outside/test_delivery.py", "outside/test_every_kind.py",
    "outside/test_handler_connections.py", "outside/test_operators.py", "outside/test_poison.py",
    "outside/test_process.py::test_a_second_gateway_over_postgresql", "outside/test_scopes.py",
    "outside/test_hostile_requests.py", "outside/test_raw_requests.py", "outside/test_slow_handlers.py",
    "outside/test_staff.py", "test_access_pages.py::test_no_odd_filter",
    "test_daphne_limits.py",
    "test_doctor.py::test_with_everything_frozen", "test_flood_faults.py", "test_hostile_frames.py",
    "test_logs.py::test_at_debug", "test_metrics.py::test_the_page_is_told", "test_metrics.py::test_with_a_token",
    "test_reload.py", "test_startbot.py::test_what_it_makes", "test_access_rights.py", "test_access_limits.py",
    "test_doctor.py::test_a_gateway_that_runs", "test_metrics.py::test_the_page_tells", "test_announcing.py",
    "outside/test_webhook_bodies.py", "outside/test_visitors.py", "test_web_rooms.py", "test_web_files.py",
    "test_erasing.py",
)  # fmt: skip

# These are about seconds and mebibytes: beside other tests they would measure those.
ALONE = (
    "chaos/test_chaos.py", "outside/test_access.py", "outside/test_alarms.py", "outside/test_ends.py",
    "outside/test_isolation_figures.py", "outside/test_outages.py", "outside/test_readers_and_writers.py",
    "test_bench.py",
)  # fmt: skip


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--alone", action="store_true", help="those tests that are about seconds and mebibytes, no others")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if config.getoption("--alone"):
        keep_only(config, items, [item for item in items if place_of(item).startswith(ALONE)])
        return
    if EVERYTHING:
        if "PYTEST_XDIST_WORKER" in os.environ:
            keep_only(config, items, [item for item in items if not place_of(item).startswith(ALONE)])
        return
    skipped = pytest.mark.skip(reason="whole processes, many times over: only where CI or EVERYTHING is set")
    for item in items:
        if place_of(item).startswith(THOROUGH + ALONE):
            item.add_marker(skipped)


def keep_only(config: pytest.Config, items: list[pytest.Item], kept: list[pytest.Item]) -> None:
    config.hook.pytest_deselected(items=[item for item in items if item not in set(kept)])
    items[:] = kept


def place_of(item: pytest.Item) -> str:
    return item.nodeid.removeprefix("tests/")


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Tests of real services are skipped where there are none, and fail where there should be (CI)."""
    if item.get_closest_marker("services") is None or not missing():
        return
    reason = f"cannot reach {missing()}"
    if os.environ.get("CI"):
        pytest.fail(f"{reason}, though CI is set", pytrace=False)
    pytest.skip(reason)


@pytest.fixture(autouse=True)
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is slow inside a test is the machine, and no database that is away. Tests of that set times of their own."""
    monkeypatch.setattr("gateway.engine.ACCEPT_SECONDS", 20.0)
    monkeypatch.setattr("gateway.engine.READ_SECONDS", 20.0)


Caller = Callable[..., Any]


@pytest_asyncio.fixture
async def fake() -> AsyncIterator[FakeTelegram]:
    """Telegram in the test's own loop, for asynchronous tests."""
    async with FakeTelegram() as server:
        yield server


@pytest_asyncio.fixture
async def call(fake: FakeTelegram) -> AsyncIterator[Caller]:
    """Calls a method of `fake` with a JSON body and gives (status, body)."""
    async with aiohttp.ClientSession() as session:

        async def post(method: str, *, token: str = "", **params: Any) -> tuple[int, dict[str, Any]]:
            async with session.post(f"{fake.url}/bot{token or fake.token}/{method}", json=params) as response:
                return response.status, await response.json()

        yield post


@pytest.fixture
def telegram() -> Iterator[FakeTelegram]:
    """Telegram in a thread of its own, for synchronous tests."""
    with in_thread(FakeTelegram()) as fake:
        yield fake


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.services)])
def backend(request: pytest.FixtureRequest) -> Iterator[dict[str, str]]:
    """The environment of the embedded gateway, and of one on PostgreSQL and Redis."""
    if request.param == "sqlite":
        yield {}
        return
    with postgres_database() as url:
        yield {"DATABASE_URL": url, "CHANNELS_URL": redis_database()}


long_run = pytest.mark.skipif(not EVERYTHING, reason="under uvicorn as well: only where CI or EVERYTHING is set")


@pytest.fixture(params=["daphne", pytest.param("uvicorn", marks=long_run)])
def server(request: pytest.FixtureRequest) -> str:
    return str(request.param)


StartGateway = Callable[..., GatewayProcess]


@pytest.fixture
def start_gateway(telegram: FakeTelegram) -> Iterator[StartGateway]:
    """Starts gateways whose bot is on `telegram`; all of them end with the test."""
    started: list[GatewayProcess] = []

    def start(env: dict[str, str] | None = None, *, ready: bool = True, **how: object) -> GatewayProcess:
        gateway = GatewayProcess({**telegram_env(telegram), **(env or {})}, **how)  # type: ignore[arg-type]
        started.append(gateway)
        return gateway.start(ready=ready)

    yield start
    for gateway in started:
        print(f"--- the log of {gateway.url} ---\n{gateway.log_text()[-6000:]}")
        gateway.close()


def telegram_env(telegram: FakeTelegram) -> dict[str, str]:
    """Polling by default; a test adds TELEGRAM_WEBHOOK_URL for the webhook."""
    return {"TELEGRAM_API_URL": telegram.url, "TELEGRAM_BOT_TOKEN": telegram.token, "FLOOD_LIMITS": "off"}
