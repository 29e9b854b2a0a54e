"""`POST /chat/files/?bot=NAME`: a visitor brings a file, which a message may then name by its id."""

import asyncio
import json
from pathlib import Path
from typing import IO
from urllib.parse import parse_qs, unquote
from uuid import UUID, uuid4

from django.conf import settings

from gateway import engine, limits
from gateway.engine import Engine
from gateway.types import Receive
from gateway.web import bots, files, options, origins, tokens
from gateway.web.endpoint import NOT_READY, Endpoint, Refusal
from gateway.web.tokens import BadToken

WRITE_BYTES = 256 * 1024
MORE_BYTES = 4 * 1024 * 1024
PATH = b"/chat/files/"
LONGEST_NAME_HEADER = 2000
CLOSE = [(b"connection", b"close")]


class Uploads(Endpoint):
    name = "upload"

    async def take(self, receive: Receive) -> tuple[int, bytes] | None:
        running = engine.current()
        bot = self._bot(running)
        visitor = await self._visitor(running, bot)
        self._check_room(self._announced())
        arriving = files.folder() / f"arriving-{uuid4().hex}"
        try:
            if not await self._arrive(receive, arriving):
                return None
            row = await running.read_at_leisure(files.keep, arriving, bot, visitor, self._name())
        except files.WrongType as wrong:
            raise Refusal(415, "file_type", f"Files of this type ({wrong}) cannot be sent here.") from None
        except OSError as error:
            raise NOT_READY from error
        finally:
            await asyncio.to_thread(arriving.unlink, missing_ok=True)
        return 201, json.dumps(files.shown(files.facts_of(row))).encode()

    # Who, and whether

    def _bot(self, running: Engine) -> str:
        query = parse_qs(self.scope.get("query_string", b"").decode("latin-1"))
        bot: str = query.get("bot", ["bot"])[0]
        if not bots.is_known(running, bot):
            raise Refusal(404, "unknown_bot", "There is no bot of that name.", CLOSE)
        return bot

    async def _visitor(self, running: Engine, bot: str) -> UUID:
        if not await running.read(origins.on_list_of, str(origins.of(self.scope)), bot):
            raise Refusal(403, "bad_origin", "Pages of this site may not talk with this bot.", CLOSE)
        if not settings.UPLOADS or not (await running.read(options.options_of, bot)).uploads:
            raise Refusal(404, "uploads_off", "Files cannot be sent here.", CLOSE)
        visitor = bearer(self._header(b"authorization"), bot)
        if visitor is None:
            raise Refusal(401, "bad_token", "The token is not valid.", [*CLOSE, (b"www-authenticate", b"Bearer")])
        wait = limits.current().uploads.of(visitor).admit()
        if wait:
            retry = (b"retry-after", limits.header(wait).encode())
            raise Refusal(429, "rate_limited", "Too many files at once. Try again in a moment.", [*CLOSE, retry])
        if await running.read(files.bytes_kept) > settings.UPLOADS_MAX_BYTES:
            raise Refusal(503, "no_room", "There is no room for more files (UPLOADS_MAX_BYTES).", CLOSE)
        return visitor

    def _check_room(self, size: int) -> None:
        if size > settings.UPLOAD_MAX_BYTES:
            raise Refusal(413, "file_too_large", f"A file has at most {settings.UPLOAD_MAX_BYTES} bytes.", CLOSE)

    def _header(self, wanted: bytes) -> bytes:
        """ "" where it is missing, or there twice."""
        values = [value for name, value in self.scope["headers"] if name.lower() == wanted]
        return values[0] if len(values) == 1 else b""

    def _announced(self) -> int:
        length = self._header(b"content-length")[:20]
        return int(length) if length.isdigit() else 0

    def _name(self) -> str:
        return unquote(self._header(b"x-file-name")[:LONGEST_NAME_HEADER].decode("latin-1"))

    # Its bytes

    async def _arrive(self, receive: Receive, place: Path) -> bool:
        """Writes what comes, and counts it while it comes. False: the client has gone."""
        await asyncio.to_thread(place.parent.mkdir, parents=True, exist_ok=True)
        with await asyncio.to_thread(place.open, "wb") as file:
            return await self._write(receive, file)

    async def _write(self, receive: Receive, file: IO[bytes]) -> bool:
        waiting, size, more = bytearray(), 0, True
        while more:
            event = await receive()
            if event["type"] == "http.disconnect":
                return False
            waiting += event.get("body", b"")
            size, more = size + len(event.get("body", b"")), event.get("more_body", False)
            self._check_room(size)
            if waiting and (len(waiting) >= WRITE_BYTES or not more):
                await asyncio.to_thread(file.write, bytes(waiting))
                waiting.clear()
        if not size:
            raise Refusal(400, "bad_frame", "The file is empty.")
        return True


def bearer(header: bytes, bot: str | None = None) -> UUID | None:
    """Whose token that is."""
    kind, _, token = header.decode("latin-1").partition(" ")
    if kind.lower() != "bearer":
        return None
    try:
        return tokens.read(token.strip(), bot)
    except BadToken:
        return None


def most_bytes(authorization: bytes) -> int:
    """How large a body may be before anybody looks at it: only who shows a visitor's token brings a file."""
    if not settings.UPLOADS or bearer(authorization) is None:
        return 0
    # A little more than may be, so that who is a little over is told so in words that a page can read.
    return int(settings.UPLOAD_MAX_BYTES) + MORE_BYTES
