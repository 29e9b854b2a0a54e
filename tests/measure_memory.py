"""What an idle conversation and an idle socket cost in memory, on the real process, and whether it comes back.

.venv/bin/python -m tests.measure_memory [conversations] [sockets] [seconds of a soak] [conversations that are let go]
"""

import asyncio
import contextlib
import json
import sys
import time

from websockets.asyncio.client import ClientConnection, connect

from tests.chaos.clients import answered
from tests.chaos.lab import lab
from tests.flow_process import FlowProcess
from tests.usage import memory, processor

KIB = 1024
TOGETHER = 25
TIMEOUT_SECONDS = 20


async def open_socket(gateway: FlowProcess) -> ClientConnection:
    line = await connect(gateway.socket_url + "/ws/chat/", origin=gateway.url, compression=None, open_timeout=60)  # type: ignore[arg-type]
    await line.send('{"type":"hello"}')
    await line.recv()
    return line


async def talk(gateway: FlowProcess) -> None:
    """One conversation: a word, its answer, and away."""
    line = await open_socket(gateway)
    await line.send('{"type":"message","id":"1","text":"hello"}')
    while json.loads(await asyncio.wait_for(line.recv(), 60)).get("text") != "You said: hello":
        continue
    await line.close()


async def talk_many(gateway: FlowProcess, number: int) -> None:
    for begun in range(0, number, TOGETHER):
        await asyncio.gather(*(talk(gateway) for _ in range(min(TOGETHER, number - begun))))


async def warm_up(gateway: FlowProcess) -> None:
    """What is made at first use belongs to nobody."""
    await talk_many(gateway, 50)


async def settled(gateway: FlowProcess) -> int:
    await asyncio.sleep(3)
    return gateway.memory


async def measure_sockets(gateway: FlowProcess, sockets: int) -> None:
    await warm_up(gateway)
    before = await settled(gateway)
    async with contextlib.AsyncExitStack() as stack:
        for _ in range(sockets):
            line = await open_socket(gateway)
            stack.push_async_callback(line.close)
        open_now = await settled(gateway)
    print(f"{sockets} idle sockets: {(open_now - before) / sockets / KIB:.1f} KiB each", flush=True)


async def measure_conversations(gateway: FlowProcess, conversations: int) -> None:
    await warm_up(gateway)
    before = await settled(gateway)
    await talk_many(gateway, conversations)
    after = await settled(gateway)
    print(f"{conversations} idle conversations: {(after - before) / conversations / KIB:.1f} KiB each", flush=True)
    await asyncio.sleep(TIMEOUT_SECONDS)
    await talk_many(gateway, conversations)
    again = await settled(gateway)
    print(f"as many again after their end: {(again - after) / conversations / KIB:+.1f} KiB each", flush=True)


def measure_evicted(conversations: int) -> None:
    """All stay open; a tenth of them comes at a time, by polling, so that what grows with them is seen."""
    with lab("counter", CONVERSATION_TIMEOUT="7200", IDLE_INSTANCES_MAX="1000") as here:
        here.gateway.start()
        step, before = conversations // 10, 0
        warm = here.people(200, first=1)
        for number in range(-1, 11):
            people = warm if number < 0 else here.people(step, first=1000 + number * step)
            used = processor(here.gateway)
            for person in people:
                person.says("hello")
            here.wait(lambda people=people: answered(people, 1), "the answers", within=600)  # type: ignore[misc]
            cost = (processor(here.gateway) - used) / len(people)
            time.sleep(2)
            before = before or memory(here.gateway)
            now, count = memory(here.gateway), max(number + 1, 0) * step
            print(
                f"{count} open conversations: {now / KIB / KIB:.0f} MiB, {(now - before) / max(count, 1) / KIB:.2f} "
                f"KiB each; a message {cost * 1e6:.0f} µs of processor",
                flush=True,
            )
        used = processor(here.gateway)
        time.sleep(20)
        print(f"idle: {(processor(here.gateway) - used) / 20:.1%} of a core", flush=True)


async def soak(gateway: FlowProcess, seconds: float) -> None:
    begun, talks = time.monotonic(), 0
    samples: list[int] = []
    while time.monotonic() - begun < seconds:
        await talk_many(gateway, TOGETHER)
        talks += TOGETHER
        samples.append(gateway.memory)
    if not samples:
        return
    quarter = len(samples) // 4
    second, last = samples[quarter : 2 * quarter], samples[-quarter:]
    slope = sum(last) / len(last) - sum(second) / len(second)
    print(f"soak of {seconds:g} s, {talks} conversations: {slope / KIB:+.0f} KiB from the second quarter to the last")


def main(conversations: str = "2000", sockets: str = "500", seconds: str = "0", evicted: str = "0") -> None:
    if int(evicted):
        measure_evicted(int(evicted))
    # Each in a process of its own: what one leaves of the heap, the next would be given.
    for job in (
        lambda gateway: measure_sockets(gateway, int(sockets)),
        lambda gateway: measure_conversations(gateway, int(conversations)),
        lambda gateway: soak(gateway, float(seconds)),
    ):
        with FlowProcess(CONVERSATION_TIMEOUT=str(TIMEOUT_SECONDS)) as gateway:
            asyncio.run(job(gateway))


if __name__ == "__main__":
    main(*sys.argv[1:])
