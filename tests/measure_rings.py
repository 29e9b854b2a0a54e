"""What a ring between processes costs over channels-redis' layers and our own way, as gateway/post.py makes it.

.venv/bin/python -m tests.measure_rings [address of a Redis] [rings] [rings a second; 0: as many as there can be]
"""

import asyncio
import multiprocessing
import sys
import time
from dataclasses import dataclass, field
from typing import Any

import redis
from channels_redis.core import RedisChannelLayer
from channels_redis.pubsub import RedisPubSubChannelLayer

from gateway.redis_layer import RedisLayer

LAYERS = {"core": RedisChannelLayer, "ours": RedisLayer, "pub/sub": RedisPubSubChannelLayer}
RING = {"type": "switchboard.ring", "news": [[12345, 678], [12346, 9]]}
SETTLING_SECONDS = 1.0


@dataclass
class Seen:
    sent: int = 0
    seconds: float = 0.0
    processor: float = 0.0
    delays: list[float] = field(default_factory=list)


async def listen(layer: Any, me: int, seen: Seen) -> None:
    while True:
        message = await getattr(layer, "hear", layer.receive)(f"measured.{me}")
        seen.delays.append(time.time() - message["at"])


async def ring(layer: Any, me: int, peers: list[int], seen: Seen, rings: int, rate: float) -> None:
    began = time.time()
    for number in range(1, rings + 1):
        for peer in peers:
            await getattr(layer, "ring", layer.send)(f"measured.{peer}", {**RING, "from": me, "at": time.time()})
            seen.sent += 1
        if rate:
            await asyncio.sleep(max(began + number / rate - time.time(), 0))
    seen.seconds = time.time() - began


async def run(name: str, url: str, me: int, count: int, rings: int, rate: float, together: Any) -> Seen:
    layer, seen = LAYERS[name](hosts=[url]), Seen()
    listening = asyncio.create_task(listen(layer, me, seen))
    await asyncio.sleep(SETTLING_SECONDS)
    await asyncio.to_thread(together.wait)
    before = time.process_time()
    await ring(layer, me, [peer for peer in range(count) if peer != me] or [me], seen, rings, rate)
    await asyncio.sleep(SETTLING_SECONDS)
    seen.processor = time.process_time() - before
    listening.cancel()
    return seen


def process(answers: Any, *arguments: Any) -> None:
    answers.put(asyncio.run(run(*arguments)))


def measured(name: str, url: str, count: int, rings: int, rate: float) -> str:
    together, answers = multiprocessing.Barrier(count), multiprocessing.Queue()
    arguments = [(answers, name, url, me, count, rings, rate, together) for me in range(count)]
    processes = [multiprocessing.Process(target=process, args=each) for each in arguments]
    before = servers_processor(url)
    for one in processes:
        one.start()
    found: list[Seen] = [answers.get(timeout=300) for _ in processes]
    for one in processes:
        one.join()
    sent, delays = sum(seen.sent for seen in found), sorted(delay for seen in found for delay in seen.delays)
    return (
        f"{name:<8} {count} processes: {sent / max(seen.seconds for seen in found):,.0f} rings/s, "
        f"{len(delays)} of {sent} heard after {delays[len(delays) // 2] * 1000:.1f} ms "
        f"(p99 {delays[len(delays) * 99 // 100] * 1000:.0f}), "
        f"{sum(seen.processor for seen in found) / sent * 1e6:,.0f} µs of ours and "
        f"{(servers_processor(url) - before) / sent * 1e6:,.0f} µs of Redis' a ring"
    )


def servers_processor(url: str) -> float:
    told: Any = redis.Redis.from_url(url).info("cpu")
    return float(told["used_cpu_user"] + told["used_cpu_sys"])


def main(url: str = "redis://127.0.0.1:6379", rings: str = "300", rate: str = "50") -> None:
    for count in (1, 2, 3):
        for name in LAYERS:
            print(measured(name, url, count, int(rings), float(rate)), flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
