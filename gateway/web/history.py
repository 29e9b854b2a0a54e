"""What was said before: the newest words at a welcome, and pages upwards. These read the database."""

from gateway.models import Message
from gateway.web.rows import Shown, shown_to_public

PAGE_CHARACTERS = 256 * 1024
"""A page is cut where it grows longer than this, so that one frame does not fill a slow client's queue."""


def newest(conversation: int, after: int, most: int) -> list[Shown]:
    """The `most` words with the highest `seq` of what is newer than rev `after`, in order of their revs."""
    rows = Message.objects.filter(conversation_id=conversation, rev__gt=after, seen_rev__gt=after, seq__isnull=False)
    found = sorted(rows.order_by("-seq")[:most], key=lambda row: row.seen_rev)
    return [shown_to_public(row) for row in found]


def page(conversation: int | None, before: int, limit: int, owner: str = "") -> str:
    """The history frame of the words just before `seq`, oldest first."""
    told = Message.objects.filter(conversation=conversation, seq__lt=before).order_by("-seq")
    rows = [] if conversation is None else told[: limit + 1]
    messages: list[str] = []
    characters, more = 0, False
    for row in rows:
        message = shown_to_public(row).for_(owner)
        characters += len(message)
        if len(messages) == limit or (messages and characters > PAGE_CHARACTERS):
            more = True
            break
        messages.append(message)
    return f'{{"type":"history","messages":[{",".join(messages[::-1])}],"more":{"true" if more else "false"}}}'
