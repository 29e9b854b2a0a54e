"""Whose handlers run at this very moment, for the process that comes after this one.

A process that is killed has many events in hand, and their rows cannot say which of them was with a handler and which
waited for a commit. Written into memory that the kernel keeps as a file, it costs less than a microsecond and outlives
any kill. Who was with no handler is not to blame for the death.
"""

import contextlib
import logging
import mmap
import struct
from hashlib import sha256
from pathlib import Path

from django.conf import settings
from django.db import connection

logger = logging.getLogger(__name__)

SLOTS = 4096
SLOT = struct.Struct("=q")
OVERFLOW = -1


class Recorder:
    """Of one process, by its lease. Where no file can be made, nothing is recorded."""

    def __init__(self, lease: int) -> None:
        self._path = path_of(lease)
        self._memory: mmap.mmap | None = None
        self._free = list(range(1, SLOTS))
        self._slots: dict[int, int] = {}
        try:
            self._path.write_bytes(bytes(SLOTS * SLOT.size))
            with self._path.open("r+b") as file:
                self._memory = mmap.mmap(file.fileno(), SLOTS * SLOT.size)
        except OSError as error:
            logger.warning(
                "Cannot write to DATA_DIR (%s): after a crash every event in hand is to blame.", error.strerror
            )

    def begin(self, row: int) -> None:
        """The row goes to a handler."""
        if self._free:
            self._slots[row] = self._free.pop()
            self._write(self._slots[row], row)
        else:
            self._write(0, OVERFLOW)

    def end(self, row: int) -> None:
        """The handler is done with it."""
        slot = self._slots.pop(row, None)
        if slot is not None:
            self._write(slot, 0)
            self._free.append(slot)

    def close(self) -> None:
        """A planned end: nobody is to blame for it."""
        if self._memory is not None:
            self._memory.close()
            self._memory = None
        with contextlib.suppress(OSError):
            self._path.unlink(missing_ok=True)

    def _write(self, slot: int, value: int) -> None:
        if self._memory is not None:
            SLOT.pack_into(self._memory, slot * SLOT.size, value)


def last_words(lease: int) -> set[int] | None:
    """The rows that were with handlers when the process of that lease died; None where nobody can tell."""
    path = path_of(lease)
    try:
        record = path.read_bytes()
        path.unlink(missing_ok=True)
    except OSError:
        return None
    values = {value for (value,) in SLOT.iter_unpack(record[: len(record) // SLOT.size * SLOT.size])}
    return None if OVERFLOW in values or len(record) != SLOTS * SLOT.size else values - {0}


def path_of(lease: int) -> Path:
    """Several gateways may share a folder, each with a database of its own."""
    place = {name: str(connection.settings_dict.get(name, "")) for name in ("ENGINE", "HOST", "PORT", "NAME")}
    return Path(settings.DATA_DIR) / f"running-{sha256(repr(place).encode()).hexdigest()[:12]}-{lease}"
