"""What a promise is to the runner: a function that injects a fault and gives the figure that it saw."""

import importlib
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Finding:
    """`figure`: one line, of what was seen and not of what was hoped for."""

    kept: bool
    figure: str


Trial = Callable[[bool], Finding]
"""Given whether it may take its time. What goes wrong beside its figure it raises as AssertionError."""


@dataclass(frozen=True, slots=True)
class Promise:
    """`lacks`: why this machine cannot try it; empty where it can."""

    name: str
    trial: Trial
    lacks: Callable[[], str]

    @property
    def file(self) -> str:
        """Those of one file share what they ran."""
        return self.trial.__module__.rpartition(".")[2]


found: list[Promise] = []


def promise(name: str, lacks: Callable[[], str] = str) -> Callable[[Trial], Trial]:
    """Makes a function the trial of a promise of docs/guarantees.md."""

    def register(trial: Trial) -> Trial:
        found.append(Promise(name, trial, lacks))
        return trial

    return register


def all_promises() -> list[Promise]:
    """Those of every file g….py and s….py of this folder, in the order of their numbers."""
    for file in sorted(Path(__file__).parent.glob("[gs][0-9][0-9]_*.py")):
        importlib.import_module(f"tests.chaos.{file.stem}")
    return sorted(found, key=lambda one: (one.name[0], int(one.name[1:])))


def wanted(promises: list[Promise], only: str) -> list[Promise]:
    """Those of the given names ("G1 G8"; empty: all). Raises LookupError for a name that there is not."""
    names = only.upper().split()
    if unknown := set(names) - {one.name for one in promises}:
        known = ", ".join(dict.fromkeys(one.name for one in promises))
        raise LookupError(f"There is no trial of {', '.join(sorted(unknown))}; there are {known}.")
    return [one for one in promises if not names or one.name in names]


LONG = bool(os.environ.get("LONG"))
