"""The author's project as a process. Its processes are shared by the whole run: starting one takes seconds."""

import atexit
import functools
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.browser.conftest import browser, open_page, trouble  # noqa: F401  # fixtures
from tests.fake_telegram import FakeTelegram, in_thread, wire_token
from tests.gateway_process import NAME, GatewayProcess
from tests.services import redis_database

BOTS = ("chatty", "story", "log", "async_log", "ping", "ticker", "room", "async_room", "clients")
SETTINGS = {"DJANGO_SETTINGS_MODULE": "tests.notes.settings", "RATE_LIMITS": "off", "FLOOD_LIMITS": "off"}


class NotesGateway(GatewayProcess):
    """A gateway with the author's map, tables and pages."""

    def prepare(self) -> None:
        self.data_dir.mkdir(parents=True, exist_ok=True)
        if not (self.data_dir / NAME).exists():
            shutil.copyfile(migrated(), self.data_dir / NAME)

    def _command(self) -> list[str]:
        return [part.replace("config.asgi:", "tests.notes.asgi:") for part in super()._command()]


@functools.cache
def migrated() -> Path:
    """An empty database with the author's tables too."""
    folder = Path(tempfile.mkdtemp(prefix="notes-template-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    made = GatewayProcess(SETTINGS, data_dir=folder)
    made.manage("migrate", "-v", "0")
    return folder / NAME


def with_bots(telegram: FakeTelegram) -> dict[str, str]:
    tokens = ",".join(f"{name}={bot.token}" for name, bot in telegram.bots.items())
    return {**SETTINGS, "TELEGRAM_API_URL": telegram.url, "TELEGRAM_BOTS": tokens}


@pytest.fixture
def bots() -> Iterator[FakeTelegram]:
    """Telegram with a bot for each example, for tests that have a gateway of their own."""
    with in_thread(fake_bots()) as telegram:
        yield telegram


def fake_bots() -> FakeTelegram:
    return FakeTelegram({name: wire_token(11 + n) for n, name in enumerate(BOTS)})


class World:
    """One running project, and the Telegram that its bots are on."""

    def __init__(self, stack: ExitStack, server: str, env: dict[str, str]) -> None:
        self.telegram = stack.enter_context(in_thread(fake_bots()))
        how = "uvicorn" if server == "uvicorn" else "daphne"
        self.gateway = stack.enter_context(NotesGateway({**with_bots(self.telegram), **env}, server=how))


LAYERS: dict[str, Callable[[], dict[str, str]]] = {
    "memory": dict,
    "none": lambda: {"NOTES_LAYER": "none"},
    "redis": lambda: {"NOTES_LAYER": "redis", "CHANNELS_URL": redis_database()},
    "away": lambda: {"NOTES_LAYER": "redis", "CHANNELS_URL": "redis://127.0.0.1:1/0"},
}


@pytest.fixture(scope="session")
def worlds() -> Iterator[Callable[[str, str], World]]:
    """`worlds(server, layer)`: started when first asked for, ended with the run."""
    with ExitStack() as stack:

        @functools.cache
        def world(server: str, layer: str) -> World:
            return World(stack, server, LAYERS[layer]())

        yield world


Worlds = Callable[[str, str], World]


@pytest.fixture
def world(worlds: Worlds, server: str) -> World:
    return worlds(server, "memory")


@pytest.fixture
def gateway(world: World) -> GatewayProcess:
    return world.gateway


@pytest.fixture
def no_layer(worlds: Worlds, server: str) -> World:
    return worlds(server, "none")


@pytest.fixture
def on_redis(worlds: Worlds) -> World:
    return worlds("daphne", "redis")


@pytest.fixture
def layer_away(worlds: Worlds) -> World:
    """Its Redis is never there."""
    return worlds("daphne", "away")


@pytest.fixture
def own(bots: FakeTelegram) -> Iterator[NotesGateway]:
    """A gateway of the test's own, which it may stop and start."""
    with NotesGateway(with_bots(bots)) as gateway:
        yield gateway
