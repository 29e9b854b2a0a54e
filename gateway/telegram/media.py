"""The files of a Telegram message: what is told of them in the update. Their bytes are fetched when somebody looks."""

from typing import Any

KINDS = {
    "photo": "image/jpeg", "document": "", "video": "video/mp4", "animation": "video/mp4", "audio": "audio/mpeg",
    "voice": "audio/ogg", "video_note": "video/mp4", "sticker": "image/webp",
}  # fmt: skip
ENDINGS = {"image/jpeg": "jpg", "image/webp": "webp", "video/mp4": "mp4", "audio/mpeg": "mp3", "audio/ogg": "ogg"}
PICTURES = ("image/jpeg", "image/png", "image/webp", "image/gif")
LARGEST = 20 * 1024 * 1024
"""Bytes: what the Bot API hands out."""
LONGEST = 200


def files_of(message: dict[str, Any], bot: str) -> list[dict[str, Any]]:
    """As types.Rich has them, each with `remote`: where its bytes are, for this protocol's fetch_file."""
    if KINDS.keys().isdisjoint(message):
        return []
    kinds = [kind for kind in KINDS if kind in message and not (kind == "document" and "animation" in message)]
    found = [_facts(kind, message[kind], bot) for kind in kinds]
    return [facts for facts in found if facts is not None]


def _facts(kind: str, content: Any, bot: str) -> dict[str, Any] | None:
    if kind == "photo" and isinstance(content, list) and content:
        content = content[-1]  # The largest comes last.
    if not isinstance(content, dict) or not isinstance(content.get("file_id"), str):
        return None
    media = _text(content.get("mime_type")) or KINDS[kind]
    if content.get("is_animated") is True or content.get("is_video") is True:
        media = ""  # A sticker that is no picture.
    size, name = _number(content.get("file_size")), _text(content.get("file_name"))
    facts: dict[str, Any] = {
        "remote": ["telegram", bot, content["file_id"][:LONGEST]],
        "name": name or f"{kind}.{ENDINGS.get(media, 'bin')}",
        "type": media or "application/octet-stream",
        "size": size,
    }
    width, height = _number(content.get("width")), _number(content.get("height"))
    if width and height:
        facts |= {"width": width, "height": height}
    return {**facts, "image": media in PICTURES and (size or 0) <= LARGEST}


def _text(value: Any) -> str:
    return value[:LONGEST] if isinstance(value, str) else ""


def _number(value: Any) -> int | None:
    return value if type(value) is int and 0 <= value < 2**53 else None
