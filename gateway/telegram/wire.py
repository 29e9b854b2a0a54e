"""JSON as Telegram's side of the wire may bring it: fast where it is plain, tolerant where it is not."""

import json
from math import isfinite
from typing import Any

import msgspec

MAX_DEPTH = 300
CONTAINERS = (dict, list)


def encode(value: Any) -> bytes:
    """JSON in UTF-8. Lone surrogates, which Telegram refuses, become U+FFFD. Raises ValueError, TypeError."""
    try:
        return msgspec.json.encode(value)
    except (UnicodeEncodeError, OverflowError):
        text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
        return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace").encode()


def decode(body: bytes, *, errors: str = "strict") -> Any:
    """The value; ValueError for whatever is no JSON, or nested too deeply to be read.

    What strict readers refuse and Telegram's JSON may contain is taken: lone surrogates, and numbers of any size
    (those that no float can hold stay text). `errors` is what happens to bytes that are not UTF-8.
    """
    try:
        return msgspec.json.decode(body)
    except (ValueError, RecursionError):
        return _decode_slowly(body, errors)


def _decode_slowly(body: bytes, errors: str) -> Any:
    try:
        return json.loads(
            body.decode("utf-8", errors), parse_int=_integer, parse_float=_number, parse_constant=_no_constant
        )
    except RecursionError:
        raise ValueError("nested too deeply") from None


def _integer(digits: str) -> int | str:
    return int(digits) if len(digits) < 1000 else digits


def _number(digits: str) -> float | str:
    number = float(digits)
    return number if isfinite(number) else digits


def _no_constant(name: str) -> None:
    raise ValueError(f"{name} is no JSON")


def is_deep(value: Any, limit: int = MAX_DEPTH) -> bool:
    """Whether containers are nested deeper than `limit`, found without recursion."""
    level = [value] if isinstance(value, CONTAINERS) else []
    for _ in range(limit):
        if not level:
            return False
        level = [
            child
            for node in level
            for child in (node.values() if isinstance(node, dict) else node)
            if isinstance(child, CONTAINERS)
        ]
    return bool(level)
