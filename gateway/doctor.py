"""Whether everything is there that the gateway needs: one line each, found alone, and all of them within seconds.

An examination is a function that yields what it finds. `gateway.examinations` has the engine's, `gateway/<folder>/
doctor.py` a protocol's.
"""

import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Literal

from django.db import connections

from gateway.redact import redact

LONGEST_SECONDS = 5.0
State = Literal["ok", "warn", "fail"]


@dataclass(frozen=True, slots=True)
class Finding:
    """`told` says what is, `mend` what to do about it; neither holds a secret."""

    name: str
    state: State
    told: str
    mend: str = ""


Examination = Callable[[], Iterator[Finding]]


def ok(name: str, told: str) -> Finding:
    return Finding(name, "ok", told)


def warn(name: str, told: str, mend: str) -> Finding:
    return Finding(name, "warn", told, mend)


def fail(name: str, told: str, mend: str) -> Finding:
    return Finding(name, "fail", told, mend)


def all_examinations() -> dict[str, Examination]:
    """By name: the engine's, and those of the protocols' folders."""
    found: dict[str, Examination] = dict(import_module("gateway.examinations").EXAMINATIONS)
    for path in sorted(Path(__file__).parent.glob("*/doctor.py")):
        found |= import_module(f"gateway.{path.parent.name}.doctor").EXAMINATIONS
    return found


def examine(examinations: Mapping[str, Examination], seconds: float = LONGEST_SECONDS) -> list[Finding]:
    """Makes them all at once. What has not ended by then is left behind and fails, with what it found so far."""
    running = [Running(name, examination) for name, examination in examinations.items()]
    deadline = time.monotonic() + seconds
    for one in running:
        one.join(max(deadline - time.monotonic(), 0.0))
    return [redacted(finding) for one in running for finding in one.findings(seconds)]


class Running(threading.Thread):
    """A daemon: one that hangs must not hang the end of the command."""

    def __init__(self, name: str, examination: Examination) -> None:
        super().__init__(name=name, daemon=True)
        self._examination = examination
        self._found: list[Finding] = []
        self.start()

    def run(self) -> None:
        try:
            for finding in self._examination():
                self._found.append(finding)
        except Exception as error:
            # Whatever is broken: the other lines are wanted all the more.
            told = f"could not be examined: {type(error).__name__}: {error}".strip()
            self._found.append(fail(self.name, told, "What the error says is where to look."))
        finally:
            connections.close_all()

    def findings(self, seconds: float) -> list[Finding]:
        found = list(self._found)
        if self.is_alive():
            found.append(fail(self.name, f"no answer within {seconds:g} s.", "See whether it is frozen or overloaded."))
        return found


def redacted(finding: Finding) -> Finding:
    return Finding(finding.name, finding.state, redact(finding.told), redact(finding.mend))
