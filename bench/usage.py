"""What a process has used so far, from /proc."""

import os
import time
from dataclasses import dataclass
from pathlib import Path

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


def usage(pid: int) -> Usage:
    # The second field is the command's name and may hold anything; what follows it is numbers.
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    resident = int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * PAGE_KIB
    return Usage(int(fields[11]) * TICK_US, int(fields[12]) * TICK_US, time.perf_counter(), resident)
