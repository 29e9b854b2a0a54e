"""What people see of a call, for the transcript."""

from collections.abc import Mapping
from typing import Any

WORDS = ("text", "caption", "question", "emoji", "title")
LABELS = {
    "send_rich_message": "rich message",
    "copy_message": "copied message",
    "copy_messages": "copied messages",
    "forward_message": "forwarded message",
    "forward_messages": "forwarded messages",
}


def seen_text(method: str, params: Mapping[str, Any]) -> str:
    """The words, else the sort of thing in brackets; "" for an edit that changes no words."""
    for found in (*(params.get(name) for name in WORDS), *_nested(params)):
        if isinstance(found, str) and found.strip():
            return found
    if method.startswith("edit_"):
        return ""
    return f"[{LABELS.get(method) or method.removeprefix('send_').replace('_', ' ')}]"


def _nested(params: Mapping[str, Any]) -> list[Any]:
    """Words that stand one level down."""
    rich, checklist, media = params.get("rich_message"), params.get("checklist"), params.get("media")
    words = [rich.get("markdown") or rich.get("html")] if isinstance(rich, dict) else []
    if isinstance(checklist, dict):
        words.append(checklist.get("title"))
    items = [media] if isinstance(media, dict) else media if isinstance(media, list) else []
    return words + [item.get("caption") for item in items if isinstance(item, dict)]
