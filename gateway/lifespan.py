"""Start and stop as ASGI's lifespan: the same code under every server."""

import asyncio
import contextlib
import gc
import logging
import os
import signal
import sys

from channels.exceptions import InvalidChannelLayerError
from django.db import DatabaseError

from gateway import layers
from gateway.engine import LOST, Engine
from gateway.errors import AlreadyRunning
from gateway.queries import ensure_bots
from gateway.types import Receive, Scope, Send

logger = logging.getLogger(__name__)

# Allocations, and collections of the younger generation, between two looks for garbage. As often as Python does it by
# itself, all open sockets are looked through for every few that come: half of what opening them cost.
SELDOM = 5_000, 10, 10
# How long a thread may compute before another gets its turn. The loop gives its own away with every frame that it
# writes; beside busy handlers Python's 5 ms for each of them add up to what everybody waits.
TURN_SECONDS = 0.001


class Lifespan:
    """The application map's "lifespan": the gateway runs from `lifespan.startup` to `lifespan.shutdown`."""

    def __init__(self) -> None:
        # Channels makes a layer when it is first asked for, and two if two threads ask at once: a probe while the
        # gateway starts would leave consumers with one of which nobody knows. Whatever is wrong with it is said later.
        with contextlib.suppress(InvalidChannelLayerError):
            layers.shelter_configured()
        self._engine: Engine | None = None
        self._watch: asyncio.Task[None] | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        while True:
            message = await receive()
            if message["type"] == "lifespan.startup":
                await self._start(send)
            else:
                await self._stop(send)
                return

    async def _start(self, send: Send) -> None:
        engine = Engine()
        try:
            await engine.read_at_leisure(ensure_bots, engine.bots)
            await engine.start()
        except AlreadyRunning as error:
            await send({"type": "lifespan.startup.failed", "message": str(error)})
        except DatabaseError as error:
            reason = f"The database cannot be used ({error}). Is DATABASE_URL right, and has quickstart been run?"
            await send({"type": "lifespan.startup.failed", "message": reason})
        else:
            self._engine = engine
            self._watch = asyncio.create_task(_end_once_lost(engine))
            # What lives now lives for ever; without it the oldest generation's collections are felt as pauses.
            gc.collect()
            gc.freeze()
            gc.set_threshold(*SELDOM)
            sys.setswitchinterval(TURN_SECONDS)
            await send({"type": "lifespan.startup.complete"})

    async def _stop(self, send: Send) -> None:
        engine, self._engine = self._engine, None
        if engine is not None:
            await engine.stop()
        if engine is not None and engine.lost.is_set():
            await send({"type": "lifespan.shutdown.failed", "message": LOST})
        else:
            await send({"type": "lifespan.shutdown.complete"})


async def _end_once_lost(engine: Engine) -> None:
    """As if somebody had stopped it: that ends every server in its own way."""
    await engine.lost.wait()
    os.kill(os.getpid(), signal.SIGTERM)
