"""The lease of this process on its database: a row whose `beat` moves. Nothing compares clocks.

PostgreSQL takes any number of them, which share the work (owners.py); SQLite is one process's.
"""

import os
import socket
import time
from hashlib import sha256
from pathlib import Path
from typing import Any
from uuid import uuid4

from django.db import DataError, IntegrityError, OperationalError, connection
from django.db.models import F
from django.db.models.functions import Now

from gateway.errors import AlreadyRunning, LeaseLost
from gateway.models import Node
from gateway.transcript import statements

SLOT = "gateway"
BEAT_SECONDS = 1.0
# Others take for dead who has not moved for six looks of a second.
DOUBT_SECONDS = 4.0
WATCH_SECONDS = 2.6
WATCH_STEP_SECONDS = 0.2


def is_shared() -> bool:
    """Whether this database takes more than one gateway process."""
    return connection.vendor == "postgresql"


def join() -> Node:
    """This process's row beside those of the others.

    Raises AlreadyRunning where a gateway of the release before 0.1 has the database, which shares with nobody.
    """
    before = Node.objects.filter(slot=SLOT).first()
    if before is not None and not is_dead(before.place):
        _watch(before)
    return Node.objects.create(slot=uuid4().hex, place=_place())


def name_of_connection(pk: int) -> str:
    """As the database shows whose the writer's connection is."""
    return f"switchboard node {pk}"


def claim() -> tuple[Node, int | None]:
    """The only process's row, and the key of the one that a dead process left, if any.

    A lease that is found is watched for at most 3 s; one that moves raises AlreadyRunning. Whoever has died on this
    very machine is not watched.
    """
    dead = None
    while True:
        try:
            return Node.objects.create(slot=SLOT, place=_place()), dead
        except IntegrityError:
            found = Node.objects.filter(slot=SLOT).first()
        if found is not None:
            if not is_dead(found.place):
                _watch(found)
            Node.objects.filter(pk=found.pk, beat=found.beat).delete()
            dead = found.pk


def _place() -> str:
    return f"{machine()}, process {os.getpid()}"[:128]


def machine() -> str:
    """The host's name, and what tells its present run and the processes that can be seen from here from all others."""
    try:
        run = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii")
        seen = f"{run}{Path('/proc/self/ns/pid').readlink()}"
    except OSError:
        return socket.gethostname()
    return f"{socket.gethostname()[:64]} {sha256(seen.encode()).hexdigest()[:12]}"


def is_dead(place: str) -> bool:
    """Whether the process can be known to have ended: it was of this very machine, and is no more."""
    where, _, pid = place.rpartition(", process ")
    if where != machine() or " " not in where or not pid.isdecimal():
        return False
    try:
        os.kill(int(pid), 0)
    except ProcessLookupError:
        return True
    except OSError:
        return False
    return False


def _watch(found: Node) -> None:
    deadline = time.monotonic() + WATCH_SECONDS
    while time.monotonic() < deadline:
        time.sleep(WATCH_STEP_SECONDS)
        now = Node.objects.filter(slot=SLOT).first()
        if now is None:
            return
        if (now.pk, now.beat) != (found.pk, found.beat):
            raise AlreadyRunning(
                f"Another gateway runs over this database ({now.place}, since {now.started_at:%Y-%m-%d %H:%M} UTC). "
                "Stop it first, or give this one a database of its own (DATABASE_URL). Over PostgreSQL any number of "
                "processes are one gateway; over SQLite one is."
            )


def beat(node: Node, told: dict[str, Any] | None = None) -> bool:
    """Moves the beat. False: somebody else has taken the lease, because this process did not move for seconds."""
    return Node.objects.filter(pk=node.pk).update(beat=F("beat") + 1, beaten_at=Now(), told=told) == 1


def leave(node: Node) -> None:
    Node.objects.filter(pk=node.pk).delete()


# What the writer asks, in the very transactions that it writes

STATUS = "SELECT pg_xact_status(%s::xid8)"
END = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE backend_xid = %s::xid8::xid"


def hold(pk: int) -> str:
    """Keeps the lease as it is until the transaction ends. Gives the transaction's number where the database can be
    asked what became of it, else "". Raises LeaseLost."""
    held = statements.database().hold(pk)
    if held is None:
        raise LeaseLost("Another gateway has taken over what this process had.")
    return held


def was_committed(transaction: str) -> bool:
    """What became of a transaction whose end nobody was told. Where it has none yet its connection is ended, for it may
    hold locks until the server notices that nobody is there, and OperationalError says that it is to be asked again."""
    with connection.cursor() as cursor:
        try:
            cursor.execute(STATUS, [transaction])
        except DataError:
            return False  # This server has never had it: it is another one, that was behind.
        (status,) = cursor.fetchone()
        if status == "in progress":
            cursor.execute(END, [transaction])
            raise OperationalError("A transaction whose line was cut has not ended yet.")
    return bool(status == "committed")
