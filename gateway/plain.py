"""What a bot puts into an event, as plain JSON values of our own."""

from collections.abc import Mapping
from math import isfinite
from typing import Any

from django.utils.functional import Promise

from gateway.errors import Unsendable

MAX_DEPTH = 32


def plain(value: Any, name: str, files: str, depth: int = 0) -> Any:
    """A copy, which the bot's later changes do not reach. `files` says what to give instead of bytes.

    Raises Unsendable, and says where the trouble is.
    """
    if depth > MAX_DEPTH:
        raise Unsendable(f"{name} is nested too deeply.")
    if value is None or isinstance(value, bool | str | int):
        return value
    if isinstance(value, float) and isfinite(value):
        return value
    if isinstance(value, Promise):
        return str(value)
    if isinstance(value, Mapping):
        return {_key(key, name): plain(item, f"{name}.{key}", files, depth + 1) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item, f"{name}[{index}]", files, depth + 1) for index, item in enumerate(value)]
    if isinstance(value, bytes | bytearray | memoryview) or hasattr(value, "read"):
        raise Unsendable(f"{name} holds bytes, and files cannot be sent as such yet: give {files}.")
    raise Unsendable(f"{name} is {type(value).__name__}, which is no JSON: texts, numbers, lists and dicts are.")


def _key(key: Any, name: str) -> str:
    if not isinstance(key, str):
        raise Unsendable(f"{name} has the key {key!r}: keys are texts.")
    return key
