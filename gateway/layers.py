"""Channel layers whose failure ends nobody: a consumer that listens never sees an exception from its layer."""

import asyncio
import functools
import logging
import random
import time
from collections.abc import Callable, Coroutine, Iterable
from typing import Any

from channels.layers import InMemoryChannelLayer, channel_layers, get_channel_layer

logger = logging.getLogger(__name__)

EXPIRY_WALK_SECONDS = 5.0
LONGEST_PAUSE_SECONDS = 5.0
CANCEL_AGAIN_SECONDS = 0.5

Receive = Callable[[str], Coroutine[Any, Any, dict[str, Any]]]

_ending: set["asyncio.Task[None]"] = set()


class MemoryLayer(InMemoryChannelLayer):
    """Channels' in-memory layer, whose every receive walks every channel; here the walk is made now and then."""

    def __init__(self, **config: Any) -> None:
        super().__init__(**config)
        self._walk_at = 0.0

    def _clean_expired(self) -> None:
        now = time.monotonic()
        if now >= self._walk_at:
            self._walk_at = now + EXPIRY_WALK_SECONDS
            super()._clean_expired()


async def receive_patiently(receive: Receive, channel: str) -> dict[str, Any]:
    """Where the layer is away, waits for its return instead of ending whoever listens. Can be cancelled at once."""
    pause = 0.1
    while True:
        try:
            return await _detached(receive(channel))
        except Exception as error:
            # Whatever ails a layer, of whatever make: it is a bell, and who waits for it goes on waiting.
            if pause == 0.1:
                logger.warning("The channel layer is away (%s): rings wait, words do not.", type(error).__name__)
        await asyncio.sleep(pause * random.uniform(0.5, 1))  # noqa: S311  # jitter
        pause = min(pause * 2, LONGEST_PAUSE_SECONDS)


async def _detached(receiving: Coroutine[Any, Any, dict[str, Any]]) -> dict[str, Any]:
    """What `receiving` gives. Channels waits for the end of what it cancels, and the client's may be long in coming."""
    task = asyncio.create_task(receiving)
    try:
        await asyncio.wait((task,))
    except asyncio.CancelledError:
        end = asyncio.create_task(ended((task,)))
        _ending.add(end)
        end.add_done_callback(_ending.discard)
        raise
    if task.cancelled():  # By its client, whose time-outs cancel: nobody has cancelled whoever listens.
        raise ConnectionAbortedError("The layer's client has given up.")
    return task.result()


async def ended(tasks: Iterable["asyncio.Task[Any]"]) -> None:
    """Cancels them until they have ended: before Python 3.12 `asyncio.wait_for`, which Redis' client sends with,
    swallows what cancels it just when its work is done, and the client then goes on listening."""
    left = set(tasks)
    while left:
        for task in left:
            task.cancel()
        _, left = await asyncio.wait(left, timeout=CANCEL_AGAIN_SECONDS)


def shelter_configured() -> None:
    """Gives the same patience to layers of other makes that CHANNEL_LAYERS names, such as Channels' own."""
    for alias in channel_layers.configs:
        layer = get_channel_layer(alias)
        if (
            not isinstance(layer, InMemoryChannelLayer)
            and not hasattr(layer, "patient")
            and "receive" not in vars(layer)
        ):
            layer.receive = functools.partial(receive_patiently, layer.receive)
