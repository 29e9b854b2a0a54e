"""What a person has before their eyes, read from the transcript."""

from dataclasses import dataclass

from django.db.models import QuerySet

from gateway.models import Direction, Kind, Message, Status
from gateway.types import Buttons


@dataclass(frozen=True)
class Said:
    """A message of the bot or an operator. `text`: as it was said; `shown`: as it reads now."""

    seq: int
    message_id: int
    text: str
    shown: str
    buttons: Buttons


def said(row: Message) -> Said:
    words = row.payload.get("text")
    text = words if isinstance(words, str) else row.text
    seq = row.seq or 0
    return Said(seq, row.external_id or seq, text, row.text, row.buttons or [])


def words(conversation: int) -> "QuerySet[Message]":
    """What has reached the person, oldest first."""
    out = Message.objects.filter(conversation_id=conversation, direction=Direction.OUT, kind=Kind.MESSAGE)
    return out.filter(status=Status.SENT, seq__isnull=False).order_by("seq")


def next_said(conversation: int, seq: int) -> Said | None:
    row = words(conversation).filter(seq__gt=seq).first()
    return said(row) if row else None


def showing(conversation: int, part: str) -> Said | None:
    # Compared here: SQLite would not mind the case.
    shown = (said(row) for row in words(conversation).reverse())
    return next((one for one in shown if part in one.shown), None)


def pressable(conversation: int, wanted: str) -> tuple[Said, str, str] | None:
    """The newest button with that data or label, with its message."""
    for row in words(conversation).reverse():
        one = said(row)
        for button in (button for line in one.buttons for button in line):
            if wanted in (button["data"], button["text"]):
                return one, button["data"], button["text"]
    return None


def call(conversation: int, method: str, known: set[int]) -> tuple[int, dict[str, object]] | None:
    calls = Message.objects.filter(conversation_id=conversation, direction=Direction.OUT, method=method)
    row = calls.filter(status=Status.SENT).exclude(pk__in=known).order_by("pk").first()
    return (row.pk, row.payload) if row else None


def notes(conversation: int) -> list[str]:
    found = Message.objects.filter(conversation_id=conversation, status=Status.NOTE)
    return list(found.order_by("pk").values_list("text", flat=True))


def errors(conversation: int) -> list[str]:
    found = Message.objects.filter(conversation_id=conversation).exclude(error="")
    return list(found.order_by("pk").values_list("error", flat=True))


def transcript(conversation: int) -> str:
    """For people who look for what went wrong."""
    return "\n".join(map(line, Message.objects.filter(conversation_id=conversation).order_by("pk")))


def line(row: Message) -> str:
    buttons = [[button["text"] for button in some] for some in row.buttons or []]
    parts = [f"  {row.sender}, {row.method}, {row.status}: {row.text!r}"]
    parts += [str(buttons)] if buttons else []
    parts += [f"({row.error})"] if row.error else []
    return " ".join(parts)
