"""What a file is, by its first bytes; what its sender calls it is a name and no more."""

import re
import struct
from typing import NamedTuple

HEAD_BYTES = 256 * 1024
"""How much of a file is looked at: a photo's size may stand behind a preview."""
NAME_CHARACTERS = 120
MOST_PIXELS = 100_000_000

INLINE = frozenset(
    {"image/png", "image/jpeg", "image/gif", "image/webp", "audio/ogg", "audio/mpeg", "audio/mp4", "audio/wav",
     "video/mp4", "video/webm"}
)  # fmt: skip
"""What a browser may show by itself. Nothing in these runs."""
IMAGES = frozenset(kind for kind in INLINE if kind.startswith("image/"))
EXTENSIONS = {
    "image/png": (".png",),
    "image/jpeg": (".jpg", ".jpeg", ".jpe", ".jfif"),
    "image/gif": (".gif",),
    "image/webp": (".webp",),
    "image/heic": (".heic", ".heif"),
    "image/avif": (".avif",),
    "application/pdf": (".pdf",),
    "application/zip": (".zip", ".docx", ".xlsx", ".pptx", ".odt", ".ods", ".odp"),
    "audio/ogg": (".ogg", ".oga", ".opus"),
    "audio/mpeg": (".mp3",),
    "audio/mp4": (".m4a",),
    "audio/wav": (".wav",),
    "audio/flac": (".flac",),
    "video/mp4": (".mp4", ".m4v"),
    "video/quicktime": (".mov",),
    "video/webm": (".webm",),
    "text/plain": (".txt", ".csv", ".md", ".log"),
}
MAGIC = (
    (b"\x89PNG\r\n\x1a\n", "image/png"),
    (b"\xff\xd8\xff", "image/jpeg"),
    (b"GIF87a", "image/gif"),
    (b"GIF89a", "image/gif"),
    (b"%PDF-", "application/pdf"),
    (b"PK\x03\x04", "application/zip"),
    (b"OggS", "audio/ogg"),
    (b"ID3", "audio/mpeg"),
    (b"\xff\xfb", "audio/mpeg"),
    (b"\xff\xf3", "audio/mpeg"),
    (b"\xff\xf2", "audio/mpeg"),
    (b"fLaC", "audio/flac"),
    (b"\x1aE\xdf\xa3", "video/webm"),
)
RIFF = {b"WEBP": "image/webp", b"WAVE": "audio/wav"}
BRANDS = {
    b"M4A ": "audio/mp4", b"M4B ": "audio/mp4", b"qt  ": "video/quicktime", b"heic": "image/heic",
    b"heix": "image/heic", b"mif1": "image/heic", b"avif": "image/avif",
}  # fmt: skip
MARKUP = re.compile(rb"<(?:!doctype|\?xml|html|head|body|script|svg|iframe|math|xsl)", re.IGNORECASE)
UNKNOWN = "application/octet-stream"
# Controls, and what turns a line of text round or hides in it.
INVISIBLE = re.compile("[\\x00-\\x1f\\x7f-\\x9f\\u200b-\\u200f\\u2028-\\u202e\\u2060-\\u206f\\ufeff\\ufff9-\\ufffb]")
FORBIDDEN = re.compile(r'[/\\:*?"<>|]')


def type_of(head: bytes) -> str:
    """The media type; UNKNOWN for what is none of ours, markup among it."""
    for magic, kind in MAGIC:
        if head.startswith(magic):
            return kind
    if head.startswith(b"RIFF"):
        return RIFF.get(head[8:12], UNKNOWN)
    if head[4:8] == b"ftyp":
        return BRANDS.get(head[8:12], "video/mp4")
    return "text/plain" if _is_text(head) else UNKNOWN


def _is_text(head: bytes) -> bool:
    if MARKUP.search(head) or any(byte < 32 and byte not in b"\t\n\r\f" for byte in head):
        return False
    try:
        head.decode()
    except UnicodeDecodeError as error:
        return error.start > len(head) - 4 and len(head) >= HEAD_BYTES  # A character that the cut went through.
    return True


def safe_name(name: str, kind: str) -> str:
    """What may stand in a transcript and on a disk: one line, no path, the ending of what it is."""
    name = FORBIDDEN.sub("_", INVISIBLE.sub("", name)).strip().lstrip(".")[-NAME_CHARACTERS:].strip() or "file"
    endings = EXTENSIONS.get(kind, ())
    if endings and not name.lower().endswith(endings):
        name += endings[0]
    return name


class Pixels(NamedTuple):
    width: int
    height: int


def pixels_of(head: bytes, kind: str) -> Pixels | None:
    """None where it is no picture, says nothing of its size, or is too large for anybody's screen."""
    measure = MEASURES.get(kind)
    try:
        found = measure(head) if measure else None
    except (struct.error, IndexError):
        return None
    if found is None or not 0 < found.width * found.height <= MOST_PIXELS:
        return None
    return found


def _png(head: bytes) -> Pixels:
    return Pixels(*struct.unpack(">II", head[16:24]))


def _gif(head: bytes) -> Pixels:
    return Pixels(*struct.unpack("<HH", head[6:10]))


def _jpeg(head: bytes) -> Pixels | None:
    at = 2
    while head[at] == 0xFF:
        marker, length = head[at + 1], struct.unpack(">H", head[at + 2 : at + 4])[0]
        if 0xC0 <= marker <= 0xCF and marker not in (0xC4, 0xC8, 0xCC):
            height, width = struct.unpack(">HH", head[at + 5 : at + 9])
            return Pixels(width, height)
        at += 2 + length
    return None


def _webp(head: bytes) -> Pixels | None:
    chunk = head[12:16]
    if chunk == b"VP8X":
        return Pixels(1 + int.from_bytes(head[24:27], "little"), 1 + int.from_bytes(head[27:30], "little"))
    if chunk == b"VP8L":
        bits = int.from_bytes(head[21:25], "little")
        return Pixels(1 + (bits & 0x3FFF), 1 + (bits >> 14 & 0x3FFF))
    if chunk == b"VP8 ":
        width, height = struct.unpack("<HH", head[26:30])
        return Pixels(width & 0x3FFF, height & 0x3FFF)
    return None


MEASURES = {"image/png": _png, "image/gif": _gif, "image/jpeg": _jpeg, "image/webp": _webp}
