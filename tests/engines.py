"""Fixtures for tests that run the real engine in their own loop. Import `start` by name."""

from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest_asyncio
from channels.routing import ProtocolTypeRouter

from gateway.engine import Engine
from tests.communicator import Outside, Web

StartEngine = Callable[..., Awaitable[Engine]]


@pytest_asyncio.fixture
async def start(transactional_db: None, settings: Any) -> AsyncIterator[StartEngine]:
    """Starts engines over the given application; all of them stop with the test."""
    running: list[Engine] = []

    async def begin(application: Any, **overrides: Any) -> Engine:
        for name, value in overrides.items():
            setattr(settings, name, value)
        engine = Engine(ProtocolTypeRouter({"telegram": application, "webchat": application}), [Outside, Web])
        running.append(engine)
        await engine.start()
        return engine

    yield begin
    for engine in running:
        if engine._node is not None:
            await engine.stop()
            engine._node = None
