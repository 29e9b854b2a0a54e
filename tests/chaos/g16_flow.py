"""G16: a reader that stops reading, a writer that floods, and many who come and go. None of them costs memory, nor
anybody else their time. SOAK_SECONDS: how long they come and go in the long form (600)."""

import asyncio
import json
import os
import statistics
import time

from tests.chaos.promise import Finding, promise
from tests.flow_process import MEGABYTE, FlowProcess, Peak, RawSocket, flooding, frame, p99, round_trips
from tests.measure_memory import TOGETHER, talk_many

READER_SECONDS, READER_BYTES = 10.0, 1 * MEGABYTE
WRITER_BYTES = 2 * MEGABYTE
SLACK = 4 * MEGABYTE  # what the process itself takes and gives back meanwhile
GARBAGE = 4 * MEGABYTE  # what may wait for its collector besides


@promise("G16")
def a_stopped_reader_is_dropped(long: bool) -> Finding:
    with FlowProcess() as gateway:
        asyncio.run(round_trips(gateway, 1))
        with Peak(gateway) as peak, RawSocket(gateway.port, "/ws/flood/", receives=4096):
            began = time.monotonic()
            while "flood ended with" not in gateway.log_text() and time.monotonic() - began < 60:
                time.sleep(0.1)
            took, grown = time.monotonic() - began, peak.grown
    figure = f"a reader that does not read: dropped after {took:.1f} s, +{grown / MEGABYTE:.1f} MiB"
    return Finding(took <= READER_SECONDS + 3 and grown <= READER_BYTES + SLACK, figure)


@promise("G16")
def a_flooding_writer_is_held_back(long: bool) -> Finding:
    seconds = 20 if long else 5
    with FlowProcess() as gateway:
        asyncio.run(round_trips(gateway, 1))
        alone = p99(asyncio.run(round_trips(gateway, 2)))
        raw = frame(json.dumps("x" * 1000).encode())
        with flooding(gateway, "/ws/lazy/", raw * 64), Peak(gateway) as peak:
            beside, grown = p99(asyncio.run(round_trips(gateway, seconds))), peak.grown
    figure = (
        f"a flooding writer for {seconds} s: +{grown / MEGABYTE:.1f} MiB, p99 of the socket beside it "
        f"{alone:.1f} → {beside:.1f} ms"
    )
    return Finding(grown <= WRITER_BYTES + SLACK and beside <= max(2 * alone, 50), figure)


@promise("G16")
def those_who_come_and_go_leave_nothing(long: bool) -> Finding:
    """Each talks and leaves, and their scope ends by silence. The first half warms the heap up; the rest is judged."""
    seconds = float(os.environ.get("SOAK_SECONDS", "600")) if long else 24.0
    with FlowProcess(CONVERSATION_TIMEOUT="5") as gateway:
        talks, samples = asyncio.run(soak(gateway, seconds))
    times, sizes = zip(*samples[len(samples) // 2 :], strict=True)
    an_hour = statistics.linear_regression(times, sizes).slope * 3600
    grown = (statistics.mean(sizes[-len(sizes) // 4 :]) - statistics.mean(sizes[: len(sizes) // 4])) / MEGABYTE
    slope = f"{an_hour / MEGABYTE:+.0f} MiB/h ({100 * an_hour / sizes[0]:+.0f} %/h)"
    figure = (
        f"{talks:,} conversations in {seconds:.0f} s: {sizes[-1] / MEGABYTE:.0f} MiB, {grown:+.1f} MiB in the second "
        f"half; slope {slope}"
    )
    return Finding(grown <= (SLACK + GARBAGE) / MEGABYTE, figure)


async def soak(gateway: FlowProcess, seconds: float) -> tuple[int, list[tuple[float, int]]]:
    """How many talked, and (seconds, bytes in RAM) all along."""
    began, talks, samples = time.monotonic(), 0, list[tuple[float, int]]()
    while (now := time.monotonic() - began) < seconds:
        await talk_many(gateway, TOGETHER)
        talks += TOGETHER
        samples.append((now, gateway.memory))
    return talks, samples
