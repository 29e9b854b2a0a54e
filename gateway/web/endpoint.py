"""What the web chat's HTTP endpoints have in common: pages of the widget's origins may ask, and refusals are JSON."""

import json
from typing import Any, ClassVar

from channels.generic.http import AsyncHttpConsumer
from django.db import DatabaseError

from gateway.errors import NotReady
from gateway.metrics import refused
from gateway.types import Receive, Scope, Send
from gateway.web import origins
from gateway.web.socket import logger

ALLOWED_HEADERS = b"authorization, content-type, x-file-name"
PREFLIGHT_SECONDS = b"600"

Headers = list[tuple[bytes, bytes]]


class Refusal(Exception):
    """`{"code", "detail"}` with that status."""

    def __init__(self, status: int, code: str, detail: str, headers: Headers | None = None) -> None:
        super().__init__(detail)
        self.status = status
        self.code = code
        self.detail = detail
        self.headers = headers or []


NOT_READY = Refusal(503, "not_ready", "Not ready just now: try again.", [(b"retry-after", b"1")])


class Endpoint(AsyncHttpConsumer):
    """POST from a page of an origin that is on a list. None of Channels' dispatch, which queues behind one thread."""

    name: ClassVar[str]
    scope: Scope

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.scope, self.base_send = scope, send
        try:
            await self._answer(receive)
        except Refusal as refusal:
            await self._refuse(refusal)
        except (NotReady, DatabaseError) as error:
            logger.debug("Not ready for a request: %s", type(error).__name__)
            await self._refuse(NOT_READY)

    async def take(self, receive: Receive) -> tuple[int, bytes] | None:
        """Status and JSON of the answer; None: the client has gone. May raise Refusal, NotReady, DatabaseError."""
        raise NotImplementedError

    async def _answer(self, receive: Receive) -> None:
        if not await origins.may_ask(self.scope):
            logger.warning(
                "Request to %s refused: origin %s is on no list (WIDGET_ORIGINS, and the widget origins of each bot).",
                self.name,
                origins.as_sent(self.scope),
            )
            raise Refusal(403, "bad_origin", "Pages of this site may not use this chat.")
        if self.scope["method"] == "OPTIONS":
            await self._answer_preflight()
        elif self.scope["method"] != "POST":
            raise Refusal(405, "bad_method", "POST only.", [(b"allow", b"POST, OPTIONS")])
        else:
            answer = await self.take(receive)
            if answer is not None:
                await self._send(*answer)

    async def _answer_preflight(self) -> None:
        headers = [
            (b"access-control-allow-methods", b"POST"),
            (b"access-control-allow-headers", ALLOWED_HEADERS),
            (b"access-control-max-age", PREFLIGHT_SECONDS),
        ]
        await self._send(204, b"", headers)

    async def _refuse(self, refusal: Refusal) -> None:
        refused(self.name, refusal.code)
        body = json.dumps({"code": refusal.code, "detail": refusal.detail}).encode()
        await self._send(refusal.status, body, refusal.headers)

    async def _send(self, status: int, body: bytes, more: Headers | None = None) -> None:
        headers = [
            (b"content-length", str(len(body)).encode()),
            (b"cache-control", b"no-store"),
            (b"x-content-type-options", b"nosniff"),
            (b"vary", b"Origin"),
            *([(b"content-type", b"application/json")] if body else []),
            *self._cors(),
            *(more or []),
        ]
        await self.send_response(status, body, headers=headers)

    def _cors(self) -> Headers:
        """Also on refusals, so that the page can read why. No cookie is ever asked for from another site."""
        sent = [value for name, value in self.scope["headers"] if name.lower() == b"origin"]
        return [(b"access-control-allow-origin", sent[0])] if origins.of(self.scope) else []

    async def read(self, receive: Receive, most: int) -> bytes | None:
        """The whole body; None: the client has gone."""
        body = bytearray()
        while True:
            message: dict[str, Any] = await receive()
            if message["type"] == "http.disconnect":
                return None
            body += message.get("body", b"")
            if len(body) > most:
                raise Refusal(413, "too_large", f"A request has at most {most} bytes.", [(b"connection", b"close")])
            if not message.get("more_body", False):
                return bytes(body)


async def gone(receive: Receive) -> None:
    """Returns once the client has gone."""
    while (await receive())["type"] != "http.disconnect":
        pass
