"""Ways in which a handler goes wrong: by name, each is really gone."""

import asyncio
import sys
from collections.abc import Callable
from typing import Any

SECRET = "the-user's-own-words"


def recurse(depth: int) -> int:
    return recurse(depth + 1) + 1


def raising(error: BaseException) -> Callable[[], None]:
    def go_wrong() -> None:
        raise error

    return go_wrong


class Unprintable(Exception):
    def __str__(self) -> str:
        raise ValueError("whoever asks for its words gets another error")


class Own(BaseException):
    """Of nobody's family: `except Exception` lets it pass."""


def wrong_again() -> None:
    """Its own way of telling errors goes wrong as well."""
    try:
        raise ValueError(SECRET)
    except ValueError as error:
        raise RuntimeError("the error hook") from error
    finally:
        sys.exit(4)


WRONG: dict[str, Callable[[], Any]] = {
    "value": raising(ValueError(SECRET)),
    "recursion": lambda: recurse(0),
    "exit": lambda: sys.exit(3),
    "interrupt": raising(KeyboardInterrupt()),
    "generator": raising(GeneratorExit()),
    "iteration": raising(StopIteration()),
    "async-iteration": raising(StopAsyncIteration()),
    "memory": raising(MemoryError()),
    "cancelled": raising(asyncio.CancelledError()),
    "time-out": raising(TimeoutError()),
    "group": raising(BaseExceptionGroup("several", [SystemExit(1), ValueError(SECRET)])),
    "own": raising(Own()),
    "unprintable": raising(Unprintable()),
    "unstorable": raising(ValueError("\0\ud800" + "x" * 100_000)),
    "error hook": wrong_again,
}
