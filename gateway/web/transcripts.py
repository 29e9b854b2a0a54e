"""`/console/conversations/<uuid>/export/<kind>/`: a conversation as a file, for those who may read it."""

import json
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple, cast
from uuid import UUID

from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404
from django.views.decorators.http import require_POST

from gateway import audit
from gateway.models import Conversation, Message, Role
from gateway.web.console import ConsoleRequest, for_operators
from gateway.web.tables import csv_text, download

COLUMNS = ("seq", "at", "from", "name", "text", "kind", "status", "error")
CHUNK = 1000


class Said(NamedTuple):
    """A row as the console shows it; `seq` is None for what visitors do not see."""

    seq: int | None
    at: str
    sender: str
    name: str
    text: str
    kind: str
    status: str
    error: str


def said(conversation: Conversation) -> Iterator[Said]:
    """Every row, oldest first."""
    for row in Message.objects.filter(conversation=conversation).order_by("pk").iterator(chunk_size=CHUNK):
        text = row.text if row.text or row.seq is not None else row.method
        yield Said(row.seq, row.at.isoformat(), row.sender, row.name, text, row.kind, row.status, row.error)


def as_text(conversation: Conversation, rows: Iterator[Said]) -> str:
    lines = [f"{conversation.bot.name}, {conversation.protocol}, {conversation.uuid}", ""]
    for row in rows:
        who = f"{row.sender} {row.name}".strip()
        state = f" ({row.status}{': ' + row.error if row.error else ''})" if row.error or row.seq is None else ""
        # What somebody wrote on a new line must not look like the next message.
        text = "\n    ".join(row.text.splitlines())
        lines.append(f"[{row.at[:19].replace('T', ' ')}] {who}{state}: {text}")
    return "\n".join(lines) + "\n"


def as_json(conversation: Conversation, rows: Iterator[Said]) -> str:
    about = {"conversation": str(conversation.uuid), "bot": conversation.bot.name, "protocol": conversation.protocol}
    messages = [dict(zip(COLUMNS, row, strict=True)) for row in rows]
    return json.dumps({**about, "messages": messages}, ensure_ascii=False, indent=2)


def as_csv(conversation: Conversation, rows: Iterator[Said]) -> str:
    return csv_text(COLUMNS, rows)


KINDS: dict[str, tuple[str, Callable[[Conversation, Iterator[Said]], str]]] = {
    "txt": ("text/plain", as_text), "json": ("application/json", as_json), "csv": ("text/csv", as_csv),
}  # fmt: skip


@require_POST
@for_operators(Role.WATCH)
def transcript(request: HttpRequest, uuid: UUID, kind: str) -> HttpResponse:
    """`kind` comes from an allow-list, see urls.py. By POST: it is written down who took it."""
    theirs = cast("ConsoleRequest", request)
    visible = Conversation.objects.filter(theirs.rights.where(Role.WATCH)).select_related("bot")
    conversation: Any = get_object_or_404(visible, uuid=uuid)
    audit.record(theirs.user, "export-transcript", conversation=conversation, detail={"kind": kind})
    content_type, make = KINDS[kind]
    return download(make(conversation, said(conversation)), content_type, f"conversation-{uuid}.{kind}")
