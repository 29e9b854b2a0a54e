"""`GET /chat/files/<id>/`: a file's bytes, for who has its link. Nothing in it runs in anybody's page."""

import asyncio
import re
from pathlib import Path
from typing import NamedTuple
from urllib.parse import parse_qs, quote

from gateway import engine
from gateway.errors import NotReady
from gateway.types import Receive, Scope, Send
from gateway.web import file_links, files
from gateway.web.file_types import INLINE
from gateway.web.models import File

CHUNK_BYTES = 64 * 1024
RANGE = re.compile(rb"bytes=(\d{0,15})-(\d{0,15})")
ALWAYS = [
    (b"x-content-type-options", b"nosniff"),
    (b"content-security-policy", b"default-src 'none'; sandbox"),
    (b"cross-origin-resource-policy", b"cross-origin"),
    (b"referrer-policy", b"no-referrer"),
    (b"accept-ranges", b"bytes"),
]


class Bytes(NamedTuple):
    """A file on the disk, as it is to be handed out."""

    path: Path
    name: str
    type: str


async def downloads(scope: Scope, receive: Receive, send: Send) -> None:
    file_id = str(scope["url_route"]["kwargs"]["file"])
    query = parse_qs(scope.get("query_string", b"").decode("latin-1"))
    until, key = query.get("until", [""])[0], query.get("key", [""])[0]
    if scope["method"] not in ("GET", "HEAD"):
        await say(send, 405, b"GET only\n")
    elif not file_links.is_valid(file_id, until, key):
        await say(send, 403, b"This link is not valid, or not any more.\n")
    else:
        try:
            found = await _find(file_id)
        except NotReady:
            await say(send, 503, b"Not ready just now.\n")
            return
        if found is None:
            await say(send, 404, b"There is no such file any more.\n")
        else:
            await hand_out(found, scope, send)


async def _find(file_id: str) -> Bytes | None:
    row = await engine.current().read(_row, file_id)
    path = None if row is None else files.path_of(row.id)
    if row is None or path is None or not await asyncio.to_thread(path.is_file):
        return None
    return Bytes(path, row.name, row.type)


def _row(file_id: str) -> File | None:
    uuid = file_links.uuid_of(file_id)
    return None if uuid is None else File.objects.filter(id=uuid).first()


async def hand_out(found: Bytes, scope: Scope, send: Send) -> None:
    size = (await asyncio.to_thread(found.path.stat)).st_size
    first, last, status = wanted(scope, size)
    headers = [
        *ALWAYS,
        (b"content-type", _content_type(found.type)),
        (b"content-length", str(last - first + 1).encode()),
        (b"content-disposition", disposition(found).encode()),
        (b"cache-control", b"private, max-age=86400"),
    ]
    if status == 206:
        headers.append((b"content-range", f"bytes {first}-{last}/{size}".encode()))
    await send({"type": "http.response.start", "status": status, "headers": headers})
    if scope["method"] == "HEAD":
        await send({"type": "http.response.body", "body": b""})
    else:
        await _stream(found.path, first, last, send)


def wanted(scope: Scope, size: int) -> tuple[int, int, int]:
    """First and last byte, and the status. Players ask for a part; what is no such part is given whole."""
    asked = [value for name, value in scope["headers"] if name.lower() == b"range"]
    match = RANGE.fullmatch(asked[0].strip()) if len(asked) == 1 else None
    if match is None or not any(match.groups()):
        return 0, size - 1, 200
    begin, end = match.groups()
    first = int(begin) if begin else max(size - int(end), 0)
    last = min(int(end), size - 1) if begin and end else size - 1
    return (first, last, 206) if first <= last else (0, size - 1, 200)


async def _stream(path: Path, first: int, last: int, send: Send) -> None:
    left = last - first + 1
    with await asyncio.to_thread(path.open, "rb") as file:
        file.seek(first)
        while left > 0:
            chunk = await asyncio.to_thread(file.read, min(CHUNK_BYTES, left))
            left = left - len(chunk) if chunk else 0
            await send({"type": "http.response.body", "body": chunk, "more_body": left > 0})


def _content_type(kind: str) -> bytes:
    return f"{kind}; charset=utf-8".encode() if kind == "text/plain" else kind.encode()


def disposition(found: Bytes) -> str:
    """Pictures and sound may stand in a page; everything else is saved."""
    kind = "inline" if found.type in INLINE else "attachment"
    return f"{kind}; filename*=UTF-8''{quote(found.name, safe='')}"


async def say(send: Send, status: int, body: bytes) -> None:
    headers = [*ALWAYS, (b"content-type", b"text/plain; charset=utf-8"), (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
