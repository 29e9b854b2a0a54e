"""Rings: "conversation 7 is at rev 12". A lost ring costs a second: the ring also looks.

Within the process a ring is a call, and hands over what was just committed: nobody need ask the database for it.
Between processes it is one message over the channel layer, ids only and never words, whose failure ends nobody.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterable, Mapping
from datetime import timedelta
from types import MappingProxyType
from typing import Any
from uuid import uuid4

from channels import DEFAULT_CHANNEL_LAYER
from channels.layers import InMemoryChannelLayer, channel_layers
from django.utils import timezone

from gateway.layers import ended, receive_patiently
from gateway.models import Conversation
from gateway.transcript import Written

logger = logging.getLogger(__name__)

News = dict[int, int]
Heard = Callable[[int, Written | None], None]
Hint = dict[str, Any]
GROUP = "switchboard.rings"
LOOK_SECONDS = 1.0
# A row is stamped before its transaction commits: look a little further back than the last time.
OVERLAP_SECONDS = 5.0
REJOIN_SECONDS = 10.0
# How long a process that was killed goes on being rung.
GROUP_SECONDS = 60
PUBLISH_SECONDS = 1.0
GATHER_SECONDS = 0.01
MOST_HINTS = 1000


class Ring:
    def __init__(self, read: Callable[..., Awaitable[Any]]) -> None:
        self._read = read
        self._name = uuid4().hex
        self._one: dict[int, set[Heard]] = {}
        self._all: set[Callable[[News], None]] = set()
        self._heard: News = {}
        self._unsent: News = {}
        self._hints: set[Callable[[int, Hint], None]] = set()
        self._unsent_hints: list[tuple[int, Hint]] = []
        self._tasks: list[asyncio.Task[None]] = []
        self._layer = layer_of_rings()
        self.trouble = ""

    def start(self) -> None:
        jobs = [self._look_for_ever()]
        if self._layer is not None:
            jobs += [self._listen(self._layer), self._publish(self._layer)]
        self._tasks = [asyncio.create_task(job) for job in jobs]

    async def stop(self) -> None:
        await ended(self._tasks)

    def subscribe(self, conversation: int, callback: Heard) -> Callable[[], None]:
        """Calls back with the rev at every change of that conversation, and with what was written where it was written
        here, until the returned function is called."""
        callbacks = self._one.setdefault(conversation, set())
        callbacks.add(callback)

        def stop() -> None:
            callbacks.discard(callback)
            if not callbacks and self._one.get(conversation) is callbacks:
                del self._one[conversation]

        return stop

    def subscribe_all(self, callback: Callable[[News], None]) -> Callable[[], None]:
        self._all.add(callback)
        return lambda: self._all.discard(callback)

    def subscribe_hints(self, callback: Callable[[int, Hint], None]) -> Callable[[], None]:
        self._hints.add(callback)
        return lambda: self._hints.discard(callback)

    def hint(self, conversation: int, hint: Hint) -> None:
        """Tells every process what is in no row, and what nobody misses (who types). JSON; no word of the talk."""
        self._hear_hints([(conversation, hint)])
        if self._layer is not None and len(self._unsent_hints) < MOST_HINTS:
            self._unsent_hints.append((conversation, hint))

    def _hear_hints(self, hints: Iterable[tuple[int, Hint]]) -> None:
        for conversation, hint in hints:
            for hear in tuple(self._hints):
                hear(conversation, hint)

    def ring(self, news: News, written: Mapping[int, Written]) -> None:
        """These conversations have changed, here."""
        self._hear(news, written)
        if self._layer is not None:
            self._unsent |= news

    def _hear(self, news: News, written: Mapping[int, Written] = MappingProxyType({})) -> None:
        fresh = {pk: rev for pk, rev in news.items() if rev > self._heard.get(pk, 0)}
        self._heard |= fresh
        for pk, rev in fresh.items():
            for callback in tuple(self._one.get(pk, ())):
                callback(rev, written.get(pk))
        if fresh:
            for hear_all in tuple(self._all):
                hear_all(fresh)

    # Looking, in case a ring was lost

    async def _look_for_ever(self) -> None:
        since = timezone.now()
        while True:
            await asyncio.sleep(LOOK_SECONDS)
            look_from, since = since - timedelta(seconds=OVERLAP_SECONDS), timezone.now()
            recent = set(self._heard)
            try:
                news = await self._read(_changed_since, look_from)
            except Exception as error:
                # Whatever ails the database, the look goes on; the writer and /readyz tell of it.
                logger.debug("Could not look at the rows: %s", type(error).__name__)
                continue
            self._hear(news)
            # What has been still since before the last look cannot be told twice any more.
            for pk in recent - news.keys():
                self._heard.pop(pk, None)

    # Between processes

    async def _listen(self, layer: Any) -> None:
        channel = await layer.new_channel()
        rejoin = asyncio.create_task(self._join_for_ever(layer, channel))
        try:
            while True:
                message = await receive_patiently(layer.receive, channel)
                if message.get("from") != self._name:
                    self._hear({int(pk): int(rev) for pk, rev in message.get("news", [])})
                    self._hear_hints((int(pk), hint) for pk, hint in message.get("hints", []))
        finally:
            rejoin.cancel()
            await self._try(layer.group_discard(GROUP, channel))

    async def _join_for_ever(self, layer: Any, channel: str) -> None:
        """A flushed layer forgets its groups: joining again is how they come back."""
        while True:
            await self._try(layer.group_add(GROUP, channel))
            await asyncio.sleep(REJOIN_SECONDS)

    async def _publish(self, layer: Any) -> None:
        while True:
            await asyncio.sleep(GATHER_SECONDS)
            if self._unsent or self._unsent_hints:
                news, self._unsent = self._unsent, {}
                hints, self._unsent_hints = self._unsent_hints, []
                told = {"news": [[k, v] for k, v in news.items()], **({"hints": hints} if hints else {})}
                message = {"type": "switchboard.ring", "from": self._name, **told}
                await self._try(layer.group_send(GROUP, message))

    async def _try(self, call: Awaitable[None]) -> None:
        try:
            # Not wait_for: before Python 3.12 it may swallow the cancelling of this task.
            async with asyncio.timeout(PUBLISH_SECONDS):
                await call
        except Exception as error:
            # Any failure of the layer costs a ring, and a lost ring is made good by looking.
            self.trouble = f"does not answer ({type(error).__name__}); words go on, other processes hear of them late"
        else:
            self.trouble = ""


def layer_of_rings() -> Any:
    """The configured layer once more, for rings alone: what the bots' groups keep for a day is forgotten in a minute.

    None where there is nobody to ring: no layer, or the in-memory one, which reaches nobody outside this process.
    """
    if DEFAULT_CHANNEL_LAYER not in channel_layers:
        return None
    layer = channel_layers.make_backend(DEFAULT_CHANNEL_LAYER)
    if isinstance(layer, InMemoryChannelLayer):
        return None
    if hasattr(layer, "group_expiry") and hasattr(layer, "prefix"):
        layer.prefix, layer.group_expiry = f"{layer.prefix}.rings", GROUP_SECONDS
    return layer


def _changed_since(moment: Any) -> News:
    return dict(Conversation.objects.filter(changed_at__gte=moment).values_list("pk", "rev"))
