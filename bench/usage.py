"""What processes have used so far, from /proc."""

import contextlib
import os
import time
from dataclasses import dataclass
from pathlib import Path

from tests.private_servers import children

TICK_US = 1_000_000 / os.sysconf("SC_CLK_TCK")
PAGE_KIB = os.sysconf("SC_PAGE_SIZE") / 1024


@dataclass(frozen=True, slots=True)
class Usage:
    """Processor time in µs, of all threads; a clock in seconds; resident memory in KiB."""

    user: float
    system: float
    clock: float
    resident: float

    def since(self, earlier: "Usage") -> "Usage":
        return Usage(
            self.user - earlier.user,
            self.system - earlier.system,
            self.clock - earlier.clock,
            self.resident - earlier.resident,
        )

    @property
    def processor(self) -> float:
        return self.user + self.system


def usage(*pids: int) -> Usage:
    """Of all of them together."""
    each = [_ticks_and_pages(pid) for pid in pids]
    user, system, pages = (sum(column) for column in zip(*each, strict=True))
    return Usage(user * TICK_US, system * TICK_US, time.perf_counter(), pages * PAGE_KIB)


def seconds_of_server(pid: int) -> float:
    """Of the processor, so far, by a server, by those that it started, and by those of them that have ended."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    own = sum(map(int, fields[11:15])) * TICK_US
    for child in children(pid):
        with contextlib.suppress(FileNotFoundError):
            own += usage(child).processor
    return own / 1e6


def _ticks_and_pages(pid: int) -> tuple[int, int, int]:
    # The second field is the command's name and may hold anything; what follows it is numbers.
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return int(fields[11]), int(fields[12]), int(Path(f"/proc/{pid}/statm").read_text().split()[1])


def busy_seconds() -> float:
    """Of all processors together, for whomever."""
    user, nice, system, _idle, _waiting, *others = map(int, Path("/proc/stat").read_text().split("\n")[0].split()[1:])
    return (user + nice + system + sum(others[:2])) * TICK_US / 1e6
