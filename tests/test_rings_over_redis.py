"""Rings over a real Redis: in order, bounded, and heard again once it is back."""

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest

from gateway.layers import receive_patiently
from gateway.redis_layer import MOST_RINGS, RedisLayer
from tests.private_servers import PrivateRedis, missing_private_servers

pytestmark = pytest.mark.skipif(bool(missing_private_servers()), reason=f"{missing_private_servers()} not installed")


@pytest.fixture
def redis() -> Iterator[PrivateRedis]:
    with PrivateRedis() as server:
        yield server


def layer_over(redis: PrivateRedis) -> RedisLayer:
    return RedisLayer(hosts=[{"address": redis.url, "socket_connect_timeout": 3, "socket_timeout": 15}])


async def hear(layer: RedisLayer) -> dict[str, Any]:
    async with asyncio.timeout(10):
        return await receive_patiently(layer.hear, "node.1")


async def test_they_come_in_order_and_whoever_is_deaf_keeps_the_newest(redis: PrivateRedis) -> None:
    sender, hearer = layer_over(redis), layer_over(redis)
    for number in range(MOST_RINGS + 50):
        await sender.ring("node.1", {"type": "switchboard.ring", "number": number})
    heard = [(await hear(hearer))["number"] for _ in range(MOST_RINGS)]
    assert heard == list(range(50, MOST_RINGS + 50))
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.2):
            await receive_patiently(hearer.hear, "node.1")


async def test_nothing_is_left_of_what_nobody_fetches(redis: PrivateRedis) -> None:
    layer = layer_over(redis)
    layer.expiry = 1
    await layer.ring("node.1", {"type": "switchboard.ring"})
    assert redis.client().dbsize() == 1
    await asyncio.sleep(1.5)
    assert redis.client().dbsize() == 0


@pytest.mark.parametrize("blow", ["kill", "flush", "freeze"])
async def test_they_are_heard_again_once_redis_is_back(redis: PrivateRedis, blow: str) -> None:
    sender, hearer = layer_over(redis), layer_over(redis)
    listening = asyncio.create_task(hear(hearer))
    await asyncio.sleep(0.1)
    if blow == "kill":
        await asyncio.to_thread(redis.kill)
        with pytest.raises(Exception):  # noqa: B017, PT011  # whatever the client says
            await sender.ring("node.1", {"type": "switchboard.ring", "number": 0})
        await asyncio.to_thread(redis.start)
    elif blow == "flush":
        redis.client().flushall()
    else:
        redis.freeze()
        await asyncio.sleep(1)
        redis.thaw()
    ringing = asyncio.create_task(ring_on(sender))
    assert (await listening)["number"] == 1
    ringing.cancel()


async def ring_on(layer: RedisLayer) -> None:
    while True:
        await layer.ring("node.1", {"type": "switchboard.ring", "number": 1})
        await asyncio.sleep(0.2)
