"""Files of web visitors: rows, and bytes under DATA_DIR/files. These read and write the database and the disk."""

import contextlib
import hashlib
import time
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db.models import Sum
from django.db.models.signals import post_delete
from django.dispatch import receiver
from django.utils import timezone

from gateway.models import Bot, Conversation
from gateway.web import file_links
from gateway.web.file_types import HEAD_BYTES, IMAGES, pixels_of, safe_name, type_of
from gateway.web.models import File

UNUSED_HOURS = 24


def folder() -> Path:
    return Path(settings.DATA_DIR) / "files"


def remote_folder() -> Path:
    """Of files that lie with a protocol and were fetched."""
    return folder() / "remote"


def path_of(file_id: UUID) -> Path:
    """A random name, with nothing of the sender's in it."""
    return folder() / file_id.hex[:2] / file_id.hex


class WrongType(Exception):
    """Its content is of no type that may be sent. Says which."""


def keep(arrived: Path, bot: str, owner: UUID, name: str) -> File:
    """Moves a file that has arrived whole to its place. Raises WrongType."""
    with arrived.open("rb") as file:
        head = file.read(HEAD_BYTES)
    kind = type_of(head)
    if kind not in settings.UPLOAD_TYPES:
        raise WrongType(kind)
    pixels = pixels_of(head, kind)
    row = File(bot=Bot.objects.get(name=bot), owner=owner, name=safe_name(name, kind), type=kind)
    row.size = arrived.stat().st_size
    row.width, row.height = pixels or (None, None)
    place = path_of(row.id)
    place.parent.mkdir(parents=True, exist_ok=True)
    arrived.replace(place)
    row.save(force_insert=True)
    return row


def bytes_kept() -> int:
    return int(File.objects.aggregate(total=Sum("size"))["total"] or 0)


def facts_of(row: File) -> dict[str, Any]:
    """What a message's row keeps of it; a link is made whenever it is shown."""
    facts: dict[str, Any] = {"id": str(row.id), "name": row.name, "type": row.type, "size": row.size}
    if row.width and row.height:
        facts |= {"width": row.width, "height": row.height}
    return {**facts, "image": row.type in IMAGES and row.width is not None}


def shown(facts: dict[str, Any]) -> dict[str, Any]:
    """As it stands in a frame: with its link."""
    if "remote" in facts:
        place, name = facts["remote"], safe_name(facts["name"], facts["type"])
        return {
            "id": hashlib.sha256("/".join(place).encode()).hexdigest()[:32],
            **{key: value for key, value in facts.items() if key != "remote"},
            "name": name,
            "url": file_links.remote_link(place, name),
        }
    return {**facts, "url": file_links.link(facts["id"])} if "id" in facts else facts


def claim(ids: Sequence[str], owner: UUID, bot: str) -> list[dict[str, Any]] | None:
    """The facts of a visitor's own files, in that order, which are part of a message now; None: one is not theirs."""
    wanted = [uuid for text in ids if (uuid := file_links.uuid_of(text)) is not None]
    if len(wanted) != len(ids):
        return None
    found = {row.id: row for row in File.objects.filter(id__in=wanted, owner=owner, bot__name=bot)}
    if len(found) != len(set(wanted)):
        return None
    File.objects.filter(id__in=found, used=False).update(used=True)
    return [facts_of(found[one]) for one in wanted]


def described(ids: Sequence[str]) -> dict[str, dict[str, Any]]:
    """The facts of files that a bot has named by their ids."""
    wanted = [uuid for text in ids if (uuid := file_links.uuid_of(text)) is not None]
    return {str(row.id): facts_of(row) for row in File.objects.filter(id__in=wanted)}


def forget_unused() -> int:
    """Deletes what was brought and never said. Returns how many."""
    old = File.objects.filter(used=False, at__lt=timezone.now() - timedelta(hours=UNUSED_HOURS))
    for left in folder().glob("arriving-*"):
        if time.time() - left.stat().st_mtime > UNUSED_HOURS * 3600:
            left.unlink(missing_ok=True)
    return sum(1 for row in old if row.delete())


@receiver(post_delete, sender=File)
def _delete_bytes(instance: File, **_: Any) -> None:
    with contextlib.suppress(OSError):
        path_of(instance.id).unlink(missing_ok=True)


@receiver(post_delete, sender=Conversation)
def _delete_files(instance: Conversation, **_: Any) -> None:
    """A visitor's files go with their conversation, which has their id."""
    for row in File.objects.filter(owner=instance.uuid):
        row.delete()


@receiver(post_delete, sender=Conversation)
def _forget_fetched(instance: Conversation, **_: Any) -> None:
    """What was fetched from a protocol has no owner in its name; whoever looks again has it fetched again."""
    if instance.protocol == "webchat":
        return
    with contextlib.suppress(OSError):
        for path in remote_folder().iterdir():
            path.unlink(missing_ok=True)
