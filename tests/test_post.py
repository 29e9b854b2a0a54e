"""Rings between processes, over Channels' in-memory layer and on one loop."""

import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

import pytest_asyncio
from channels.layers import InMemoryChannelLayer

from gateway.post import Post, Told

ONE, OTHER = 1, 2


class Layer(InMemoryChannelLayer):
    """Notes whom a ring goes to. `away`: nobody is reached."""

    def __init__(self) -> None:
        super().__init__()
        self.sent: list[tuple[str, dict[str, Any]]] = []
        self.away = False

    async def send(self, channel: str, message: dict[str, Any]) -> None:
        if self.away:
            raise ConnectionError("away")
        self.sent.append((channel, message))
        await super().send(channel, message)


@dataclass
class Process:
    post: Post
    follows: set[int] = field(default_factory=set)
    all: bool = False
    told: list[Told] = field(default_factory=list)

    def heard(self) -> dict[int, int]:
        return {pk: rev for told in self.told for pk, rev in told.news.items()}


Pair = tuple[Layer, Process, Process]


@pytest_asyncio.fixture
async def pair() -> AsyncIterator[Pair]:
    layer = Layer()
    one, other = process(layer, ONE, OTHER), process(layer, OTHER, ONE)
    for each in (one, other):
        each.post.start()
    yield layer, one, other
    for each in (one, other):
        await each.post.stop()


def process(layer: Layer, me: int, peer: int) -> Process:
    made = Process(post=None)  # type: ignore[arg-type]
    made.post = Post(layer, me, lambda: [peer], lambda: (made.follows, made.all), made.told.append)
    return made


async def until(condition: Any) -> None:
    async with asyncio.timeout(10):
        while not condition():  # noqa: ASYNC110  # the condition is anybody's
            await asyncio.sleep(0.01)


async def told_what_they_follow(layer: Layer) -> None:
    await until(lambda: sum("follows" in message for _, message in layer.sent) >= 2)
    await asyncio.sleep(0.05)


async def test_a_ring_reaches_who_follows_the_conversation(pair: Pair) -> None:
    layer, one, other = pair
    other.follows = {7}
    await told_what_they_follow(layer)
    one.post.news({7: 12, 8: 3})
    await until(other.heard)
    assert other.heard() == {7: 12}


async def test_what_nobody_follows_costs_nothing(pair: Pair) -> None:
    layer, one, _ = pair
    await told_what_they_follow(layer)
    before = sum("news" in message for _, message in layer.sent)
    one.post.news({7: 12})
    one.post.hint(7, {"kind": "typing"})
    one.post.call(OTHER, 9)
    await until(lambda: any("call" in message for _, message in layer.sent))
    assert sum("news" in message for _, message in layer.sent) == before


async def test_a_ring_is_a_few_bytes_however_long_the_word(pair: Pair) -> None:
    layer, one, other = pair
    other.follows = {10_000_000}
    await told_what_they_follow(layer)
    one.post.news({10_000_000: 1_000_000})
    one.post.call(OTHER, 10_000_000)
    await until(other.heard)
    rings = [message for _, message in layer.sent if "news" in message]
    assert len(rings) == 1
    assert len(json.dumps(rings[0])) < 150


async def test_who_begins_to_follow_is_rung_from_then_on(pair: Pair) -> None:
    layer, one, other = pair
    await told_what_they_follow(layer)
    other.post.follow(7, followed=True)
    await until(lambda: any("changed" in message for _, message in layer.sent))
    await asyncio.sleep(0.05)
    one.post.news({7: 1})
    await until(other.heard)
    other.post.follow(7, followed=False)
    await until(lambda: sum("changed" in message for _, message in layer.sent) == 2)
    await asyncio.sleep(0.05)
    one.post.news({7: 2})
    one.post.look(OTHER)
    await until(lambda: any(told.look for told in other.told))
    assert other.heard() == {7: 1}


async def test_an_owner_is_called_whatever_it_follows(pair: Pair) -> None:
    layer, one, other = pair
    await told_what_they_follow(layer)
    one.post.call(OTHER, 7)
    one.post.call(OTHER, 8)
    await until(lambda: any(told.call for told in other.told))
    assert set().union(*(told.call for told in other.told)) == {7, 8}


async def test_a_layer_that_is_away_is_told_and_ends_nobody(pair: Pair) -> None:
    layer, one, other = pair
    other.follows = {7}
    await told_what_they_follow(layer)
    layer.away = True
    one.post.news({7: 1})
    await until(lambda: one.post.trouble)
    layer.away = False
    one.post.news({7: 2})
    await until(lambda: other.heard() == {7: 2})
    assert not one.post.trouble
