"""Files that lie with a protocol: fetched when somebody looks, kept on the disk for a while, and never shown by a link
of the outside's, which may hold a secret."""

import asyncio
import contextlib
import hashlib
from pathlib import Path
from urllib.parse import parse_qs
from uuid import uuid4

from django.conf import settings

from gateway import engine
from gateway.engine import Engine
from gateway.errors import DeliveryError, NotReady
from gateway.types import Receive, Scope, Send
from gateway.web import file_links, files
from gateway.web.downloads import Bytes, hand_out, say
from gateway.web.file_types import safe_name, type_of

HEAD_BYTES = 4096


async def remote_files(scope: Scope, receive: Receive, send: Send) -> None:
    """`GET /chat/files/remote/<protocol>/<bot>/<file>/`, with a link of ours."""
    kwargs = scope["url_route"]["kwargs"]
    place = [str(kwargs[name]) for name in ("protocol", "bot", "file")]
    query = {key: values[0] for key, values in parse_qs(scope.get("query_string", b"").decode("latin-1")).items()}
    name = query.get("name", "file")
    if scope["method"] not in ("GET", "HEAD"):
        await say(send, 405, b"GET only\n")
        return
    if not file_links.is_valid(file_links.remote_id(place, name), query.get("until", ""), query.get("key", "")):
        await say(send, 403, b"This link is not valid, or not any more.\n")
        return
    try:
        path = await _fetched(engine.current(), place)
        with await asyncio.to_thread(path.open, "rb") as file:
            kind = type_of(file.read(HEAD_BYTES))
        await hand_out(Bytes(path, safe_name(name, kind), kind), scope, send)
    except DeliveryError:
        await say(send, 502, b"This file cannot be fetched just now, or not any more.\n")
    except (NotReady, OSError):
        await say(send, 503, b"Not ready just now.\n")


async def _fetched(running: Engine, place: list[str]) -> Path:
    protocol, bot, file_id = place
    folder = files.remote_folder()
    kept = folder / hashlib.sha256("/".join(place).encode()).hexdigest()
    if await asyncio.to_thread(kept.is_file):
        await asyncio.to_thread(kept.touch)
        return kept
    server = running.protocols.get(protocol)
    if server is None:
        raise NotReady(f"There is no protocol {protocol!r}.")
    await asyncio.to_thread(folder.mkdir, parents=True, exist_ok=True)
    arriving = folder / f"arriving-{uuid4().hex}"
    try:
        with await asyncio.to_thread(arriving.open, "wb") as file:
            async for chunk in server.fetch_file(bot, file_id):
                await asyncio.to_thread(file.write, chunk)
        await asyncio.to_thread(arriving.replace, kept)
    finally:
        await asyncio.to_thread(arriving.unlink, missing_ok=True)
    await asyncio.to_thread(make_room, folder, int(settings.REMOTE_FILES_MAX_BYTES))
    return kept


def make_room(folder: Path, most: int) -> None:
    """What nobody has looked at for the longest time goes first."""
    with contextlib.suppress(OSError):
        known = sorted(((path.stat().st_mtime, path.stat().st_size, path) for path in folder.iterdir()), reverse=True)
        total = 0
        for number, (_, size, path) in enumerate(known):
            total += size
            if number and total > most:
                path.unlink(missing_ok=True)
