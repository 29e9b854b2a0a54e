"""G16: a reader that stops reading, a writer that floods. Neither costs memory, nor anybody else their time."""

import asyncio
import json
import time

from tests.chaos.promise import Finding, promise
from tests.flow_process import MEGABYTE, FlowProcess, Peak, RawSocket, flooding, frame, p99, round_trips

READER_SECONDS, READER_BYTES = 10.0, 1 * MEGABYTE
WRITER_BYTES = 2 * MEGABYTE
SLACK = 4 * MEGABYTE  # what the process itself takes and gives back meanwhile


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
