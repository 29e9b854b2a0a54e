"""Named moments in a word's way at which the process kills itself: FAIL_AT="sent:3" is the third call that came back.

The product knows nothing of them: its functions are wrapped from outside. A name that is gone fails at the import, and
a point that is never passed fails the run that waits for its kill.
"""

import functools
import importlib
import inspect
import itertools
import os
import signal
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from gateway.transcript import Accept
from tests.chaos.points import NAMES

Passing = Callable[[tuple[Any, ...], Any], bool]
"""Given the arguments and the result (None before the call): whether this call counts."""


@dataclass(frozen=True, slots=True)
class Seam:
    """`where`: "module:Class.function" or "module:function". `after`: once it has returned, else just before."""

    where: str
    after: bool
    counts: Passing = lambda arguments, result: True


def _took_updates(arguments: tuple[Any, ...], result: Any) -> bool:
    return any(isinstance(operation, Accept) for operation in arguments[0])


def _moved_the_offset(arguments: tuple[Any, ...], result: Any) -> bool:
    return arguments[1] == "get_updates" and "offset" in arguments[2]


def _said_yes(arguments: tuple[Any, ...], result: Any) -> bool:
    return bool(arguments[0].status == 200)


def _was_kept(arguments: tuple[Any, ...], result: Any) -> bool:
    return bool(result)


POINTS: dict[str, tuple[Seam, ...]] = {
    "received": (Seam("gateway.engine:Engine.accept", after=False),),
    "committed": (Seam("gateway.writer:run_group", after=True, counts=_took_updates),),
    "acknowledged": (
        Seam("gateway.telegram.client:Client.call", after=True, counts=_moved_the_offset),
        Seam("gateway.telegram.webhook:_kept_at_once", after=True, counts=_was_kept),
        Seam("gateway.telegram.webhook:Answer.send", after=True, counts=_said_yes),
    ),
    # The common way, and that of everything else.
    "handled": (
        Seam("gateway.lane:Lane._handled", after=False),
        Seam("gateway.lane:Lane._settle", after=False),
    ),
    "sending": (
        Seam("gateway.telegram.server:Server.begin", after=False),
        Seam("gateway.telegram.server:Server.deliver", after=False),
    ),
    "sent": (
        Seam("gateway.telegram.server:Server._answered", after=False),
        Seam("gateway.telegram.server:Server.deliver", after=True),
    ),
    "settled": (
        Seam("gateway.lane:Lane._settled", after=False),
        Seam("gateway.lane:Lane._settle", after=True),
    ),
}


def install(fail_at: str) -> None:
    """Wraps the point that is named. Looks for all of them, so that one that has gone is noticed in any run."""
    wanted, _, nth = fail_at.partition(":")
    if wanted and wanted not in NAMES:
        raise LookupError(f"FAIL_AT={fail_at}: the points are {', '.join(NAMES)}")
    for name in NAMES:
        passed = Countdown(int(nth)) if name == wanted else None
        for seam in POINTS[name]:
            owner, function = find(seam.where)
            if passed is not None:
                setattr(owner, function, wrapped(getattr(owner, function), seam, passed))


def find(where: str) -> tuple[Any, str]:
    """The module or class that holds the function, and the function's name. Raises LookupError where it is gone."""
    module, _, path = where.partition(":")
    owner = importlib.import_module(module)
    *classes, function = path.split(".")
    for name in classes:
        owner = getattr(owner, name, None)  # type: ignore[assignment]
    if not callable(getattr(owner, function, None)):
        raise LookupError(f"{where} is gone: give this fail point its new seam in tests/chaos/failpoints.py")
    return owner, function


class Countdown:
    """Kills its own process at the n-th call."""

    def __init__(self, nth: int) -> None:
        self._nth = nth
        self._count = itertools.count(1)

    def __call__(self) -> None:
        if next(self._count) == self._nth:
            os.kill(os.getpid(), signal.SIGKILL)


def wrapped(function: Callable[..., Any], seam: Seam, passed: Callable[[], None]) -> Callable[..., Any]:
    def look(after: bool, arguments: tuple[Any, ...], result: Any = None) -> None:
        if seam.after is after and seam.counts(arguments, result):
            passed()

    @functools.wraps(function)
    async def awaited(*arguments: Any, **named: Any) -> Any:
        look(False, arguments)
        result = await function(*arguments, **named)
        look(True, arguments, result)
        return result

    @functools.wraps(function)
    def called(*arguments: Any, **named: Any) -> Any:
        look(False, arguments)
        result = function(*arguments, **named)
        look(True, arguments, result)
        return result

    return awaited if inspect.iscoroutinefunction(function) else called
