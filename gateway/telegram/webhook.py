"""`POST /telegram/<bot>/`: a raw ASGI application before Django's request stack, because every update passes here."""

import hmac
import json
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable
from typing import Any

import gateway.engine
from gateway import addresses, limits
from gateway.errors import NotReady
from gateway.flow import ANSWER
from gateway.metrics import refused
from gateway.telegram import bots, updates, wire
from gateway.types import Receive, Scope

LARGEST_BODY = 1024 * 1024
SECRET_HEADER = b"x-telegram-bot-api-secret-token"

ASGISend = Callable[[dict[str, Any]], Awaitable[None]]
Headers = Iterable[tuple[bytes, bytes]]


class Answer:
    """Written once for all the updates that are answered so. Without a `detail` it has no body: servers make a system
    call for the head and another one for the body, and ours can give the whole at once."""

    def __init__(self, status: int, detail: str = "", headers: tuple[tuple[bytes, bytes], ...] = ()) -> None:
        self.status = status
        self._body = json.dumps({"detail": detail}).encode() if detail else b""
        kind = ((b"content-type", b"application/json"),) if detail else ()
        self._headers = (*kind, (b"content-length", str(len(self._body)).encode()), *headers)

    async def send(self, send: ASGISend) -> None:
        await send({"type": "http.response.start", "status": self.status, "headers": list(self._headers)})
        await send({"type": "http.response.body", "body": self._body})


KEPT = Answer(200)
NO_UPDATE = Answer(400, "no JSON object with an update_id")
NOT_LET_IN = Answer(401, "unknown bot or wrong secret")
NOT_POST = Answer(405, "POST only", ((b"allow", b"POST"),))
TOO_LARGE = Answer(413, "more than 1 MiB")
NOT_STORED = Answer(503, "not stored, try again", ((b"retry-after", b"1"),))


class Webhook:
    """Mounted by the application map. `answered` counts the answers by their status."""

    def __init__(self) -> None:
        self.answered: Counter[int] = Counter()

    async def __call__(self, scope: Scope, receive: Receive, send: ASGISend) -> None:
        bot = scope["url_route"]["kwargs"]["bot"]
        answer = self._turn_away(scope, bot) or await self._take(bot, receive)
        if answer is not None:
            self.answered[answer.status] += 1
            if answer is not KEPT:
                refused("webhook", str(answer.status))
            if answer is not KEPT or not _kept_at_once(scope):
                await answer.send(send)

    def _turn_away(self, scope: Scope, bot: str) -> Answer | None:
        """What can be refused without the body."""
        if scope["method"] != "POST":
            return NOT_POST
        if not _is_let_in(bot, _header(scope["headers"], SECRET_HEADER)):
            return _missed(scope)
        length = _header(scope["headers"], b"content-length")
        return TOO_LARGE if length.isdigit() and int(length[:20]) > LARGEST_BODY else None

    async def _take(self, bot: str, receive: Receive) -> Answer | None:
        """None: the client has gone."""
        try:
            body = await _read(receive)
        except _TooLarge:
            return TOO_LARGE
        if body is None:
            return None
        update = _decode(body)
        if update is None:
            return NO_UPDATE
        try:
            running = gateway.engine.current()
            if running.stopping:
                return NOT_STORED
            await running.accept([updates.parse(bot, update)])
        except NotReady:
            return NOT_STORED
        return KEPT


def _kept_at_once(scope: Scope) -> bool:
    answer = (scope.get("extensions") or {}).get(ANSWER)
    return answer is not None and bool(answer(KEPT.status))


class _TooLarge(Exception):
    pass


def _header(headers: Headers, name: bytes) -> bytes:
    """ "" where it is missing, or there twice: two secrets are none. Servers give names in lower case."""
    values = [value for key, value in headers if key == name]
    return values[0] if len(values) == 1 else b""


def _is_let_in(bot: str, shown: bytes) -> bool:
    """Takes as long for a bot that there is not."""
    secret = bots.webhook_secret(bot)
    fits = hmac.compare_digest(secret.encode(), shown)
    return bots.is_known(bot) and fits and bool(shown)


def _missed(scope: Scope) -> Answer:
    """A wrong secret: the same answer for all of them, until there are too many from one address."""
    wait = limits.current().webhook_misses.of(addresses.of_scope(scope)).admit()
    if not wait:
        return NOT_LET_IN
    return Answer(429, "too many wrong secrets", ((b"retry-after", limits.header(wait).encode()),))


async def _read(receive: Receive) -> bytes | None:
    body = bytearray()
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            return None
        body += message.get("body", b"")
        if len(body) > LARGEST_BODY:
            raise _TooLarge
        if not message.get("more_body", False):
            return bytes(body)


def _decode(body: bytes) -> dict[str, Any] | None:
    try:
        update = wire.decode(body)
    except ValueError:
        return None
    valid = isinstance(update, dict) and updates.valid_update_id(update) is not None
    return update if valid else None
