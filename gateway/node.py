"""The lease of this process on its database: a row whose `beat` moves. Nothing compares clocks."""

import os
import socket
import time

from django.db import IntegrityError
from django.db.models import F

from gateway.errors import AlreadyRunning
from gateway.models import Node

SLOT = "gateway"
BEAT_SECONDS = 1.0
WATCH_SECONDS = 2.6
WATCH_STEP_SECONDS = 0.2


def claim() -> Node:
    """This process's row. A lease that is found is watched for at most 3 s; one that moves raises AlreadyRunning."""
    while True:
        try:
            return Node.objects.create(slot=SLOT, place=f"{socket.gethostname()}, process {os.getpid()}")
        except IntegrityError:
            found = Node.objects.filter(slot=SLOT).first()
        if found is not None:
            _watch(found)
            Node.objects.filter(pk=found.pk, beat=found.beat).delete()


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
                "Stop it first, or give this one a database of its own (DATABASE_URL)."
            )


def beat(node: Node) -> bool:
    """Moves the beat. False: somebody else has taken the lease, because this process did not move for seconds."""
    return Node.objects.filter(pk=node.pk).update(beat=F("beat") + 1) == 1


def leave(node: Node) -> None:
    Node.objects.filter(pk=node.pk).delete()
