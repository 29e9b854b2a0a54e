"""Rings: "conversation 7 is at rev 12". A lost ring costs a second: the ring also looks.

Within the process a ring is a call, and hands over what was just committed: nobody need ask the database for it.
Between processes it is one message over the channel layer, ids only and never words, whose failure ends nobody.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping
from datetime import timedelta
from types import MappingProxyType
from typing import Any

from channels import DEFAULT_CHANNEL_LAYER
from channels.layers import InMemoryChannelLayer, channel_layers
from django.utils import timezone

from gateway.layers import ended
from gateway.models import Conversation
from gateway.post import Hint, News, Post, Told
from gateway.transcript import Written

logger = logging.getLogger(__name__)

Heard = Callable[[int, Written | None], None]
Called = Callable[[set[int], bool], None]
LOOK_SECONDS = 1.0
# A row is stamped before its transaction commits, and not at each change of the same second: look a little further back
# than the last time.
OVERLAP_SECONDS = 6.0
# More than these are not named to the database: it tells all, and what nobody follows is left out here.
MOST_NAMED = 200
# How long what nobody fetches is kept.
EXPIRY_SECONDS = 60
EVERYTHING = 0
"""In the place of a conversation: all of them."""


class Ring:
    def __init__(self, read: Callable[..., Awaitable[Any]]) -> None:
        self._read = read
        self._one: dict[int, set[Heard]] = {}
        self._all: set[Callable[[News], None]] = set()
        self._heard: News = {}
        self._hints: set[Callable[[int, Hint], None]] = set()
        self._tasks: list[asyncio.Task[None]] = []
        self._post: Post | None = None
        self._called: Called | None = None

    @property
    def trouble(self) -> str:
        return "" if self._post is None else self._post.trouble

    def start(self, me: int, peers: Callable[[], Iterable[int]] = tuple, called: Called | None = None) -> None:
        """`called`: what to do with conversations that others have left rows in, and where parts were given."""
        self._called = called
        layer = layer_of_rings()
        if layer is not None:
            self._post = Post(layer, me, peers, lambda: (tuple(self._one), bool(self._all)), self._hear_told)
            self._post.start()
        self._tasks = [asyncio.create_task(self._look_for_ever())]

    async def stop(self) -> None:
        if self._post is not None:
            await self._post.stop()
        await ended(self._tasks)

    def subscribe(self, conversation: int, callback: Heard) -> Callable[[], None]:
        """Calls back with the rev at every change of that conversation, and with what was written where it was written
        here, until the returned function is called."""
        callbacks = self._one.setdefault(conversation, set())
        if not callbacks:
            self._follow(conversation, followed=True)
        callbacks.add(callback)

        def stop() -> None:
            callbacks.discard(callback)
            if not callbacks and self._one.get(conversation) is callbacks:
                del self._one[conversation]
                self._follow(conversation, followed=False)

        return stop

    def subscribe_all(self, callback: Callable[[News], None]) -> Callable[[], None]:
        self._all.add(callback)
        self._follow(EVERYTHING, followed=True)

        def stop() -> None:
            self._all.discard(callback)
            self._follow(EVERYTHING, followed=bool(self._all))

        return stop

    def subscribe_hints(self, callback: Callable[[int, Hint], None]) -> Callable[[], None]:
        self._hints.add(callback)
        return lambda: self._hints.discard(callback)

    def hint(self, conversation: int, hint: Hint) -> None:
        """Tells every process what is in no row, and what nobody misses (who types). JSON; no word of the talk."""
        self._hear_hints([(conversation, hint)])
        if self._post is not None:
            self._post.hint(conversation, hint)

    def _hear_hints(self, hints: Iterable[tuple[int, Hint]]) -> None:
        for conversation, hint in hints:
            for hear in tuple(self._hints):
                hear(conversation, hint)

    def ring(self, news: News, written: Mapping[int, Written]) -> None:
        """These conversations have changed, here."""
        self._hear(news, written)
        if self._post is not None:
            self._post.news(news)

    def _hear(self, news: News, written: Mapping[int, Written] = MappingProxyType({})) -> None:
        if not self._one and not self._all:  # Whoever comes later reads what there is.
            return
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
                news = await self._read(_changed_since, look_from, self._named()) if self._one or self._all else {}
            except Exception as error:
                # Whatever ails the database, the look goes on; the writer and /readyz tell of it.
                logger.debug("Could not look at the rows: %s", type(error).__name__)
                continue
            self._hear(news)
            # What has been still since before the last look cannot be told twice any more.
            for pk in recent - news.keys():
                self._heard.pop(pk, None)

    def _named(self) -> Collection[int] | None:
        return None if self._all or len(self._one) > MOST_NAMED else tuple(self._one)

    # Between processes

    def _hear_told(self, told: Told) -> None:
        self._hear(told.news)
        self._hear_hints(told.hints)
        if self._called is not None and (told.call or told.look):
            self._called(told.call, told.look)

    def call(self, node: int, conversation: int | None = None) -> None:
        """That process is to read what was left for it in the conversation; None: to look which parts it has now."""
        if self._post is None:
            return
        if conversation is None:
            self._post.look(node)
        else:
            self._post.call(node, conversation)

    def _follow(self, conversation: int, *, followed: bool) -> None:
        if self._post is not None:
            self._post.follow(conversation, followed=followed)


def layer_of_rings() -> Any:
    """The configured layer once more, for rings alone: what the bots' groups keep for a day is forgotten in a minute.

    None where there is nobody to ring: no layer, or the in-memory one, which reaches nobody outside this process.
    """
    if DEFAULT_CHANNEL_LAYER not in channel_layers:
        return None
    layer = channel_layers.make_backend(DEFAULT_CHANNEL_LAYER)
    if isinstance(layer, InMemoryChannelLayer):
        return None
    if hasattr(layer, "expiry") and hasattr(layer, "prefix"):
        layer.prefix, layer.expiry = f"{layer.prefix}.rings", EXPIRY_SECONDS
    return layer


def _changed_since(moment: Any, named: Collection[int] | None) -> News:
    found = Conversation.objects.filter(changed_at__gte=moment)
    found = found if named is None else found.filter(pk__in=named)
    return dict(found.values_list("pk", "rev"))
