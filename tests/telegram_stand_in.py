"""Stand-ins for the tests of the Telegram room: an engine that only notes, and a Bot API that answers as it is told."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web
from hypothesis import HealthCheck, settings

from gateway.errors import NotReady
from gateway.telegram.client import Client, Session
from gateway.types import Inbound, Receipt

TOKEN = "123456:canary-canary-canary-canary"  # not a real one
# For hypothesis, on machines that others use as well.
unhurried = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])


@dataclass
class StandInMembers:
    """`led`: whether this process is the one that takes a bot's updates in."""

    led: bool = True

    def leads(self, protocol: str, bot: str) -> bool:
        return self.led


@dataclass
class StandInEngine:
    """Notes what it accepts. `unready`: how many of the next accepts are refused."""

    handled: set[str] | None = field(default_factory=lambda: {"message", "callback_query"})
    routed: bool = True
    unready: int = 0
    stopping: bool = False
    may_be_dead: bool = False
    members: StandInMembers = field(default_factory=StandInMembers)
    hold: asyncio.Event | None = None
    accepted: list[Inbound] = field(default_factory=list)
    batches: int = 0

    async def accept(self, inbounds: Sequence[Inbound]) -> list[Receipt]:
        self.batches += 1
        if self.hold is not None:
            await self.hold.wait()
        if self.unready:
            self.unready -= 1
            raise NotReady("no database")
        self.accepted.extend(inbounds)
        return [Receipt(row=1, conversation=1, seq=None, rev=1) for _ in inbounds]

    def methods(self, protocol: str, bot: str) -> set[str] | None:
        return self.handled

    def routes(self, protocol: str, bot: str) -> bool:
        return self.routed


class BotApi:
    """A Bot API over real HTTP. `script[method]` are answers to come: a result, an (ok=False) Failure, or a function of
    the request that gives a response. What is not scripted gets `True`; getUpdates without a script waits."""

    def __init__(self) -> None:
        self.calls: list[tuple[str, dict[str, Any]]] = []
        self.script: dict[str, list[Any]] = {}
        self.url = ""

    def of(self, method: str) -> list[dict[str, Any]]:
        return [params for name, params in self.calls if name == method]

    async def handle(self, request: web.Request) -> web.StreamResponse:
        assert request.match_info["token"] == TOKEN
        method = request.match_info["method"]
        params = json.loads(await request.read())
        self.calls.append((method, params))
        waiting = self.script.get(method)
        if not waiting:
            return await self._unscripted(method)
        answer = waiting.pop(0)
        if callable(answer):
            made: web.StreamResponse = await answer(request)
            return made
        if isinstance(answer, Failure):
            return answer.response()
        return web.json_response({"ok": True, "result": answer})

    async def _unscripted(self, method: str) -> web.StreamResponse:
        if method == "getUpdates":
            await asyncio.sleep(30)
        return web.json_response({"ok": True, "result": {"url": ""} if method == "getWebhookInfo" else True})


@dataclass(frozen=True)
class Failure:
    """An answer with `ok` false."""

    code: int
    description: str = "Bad Request: something"
    parameters: dict[str, Any] = field(default_factory=dict)

    def response(self) -> web.Response:
        body = {"ok": False, "error_code": self.code, "description": self.description, "parameters": self.parameters}
        return web.json_response(body, status=self.code)


def raw(status: int, body: bytes, **headers: str) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
    async def answer(request: web.Request) -> web.StreamResponse:
        return web.Response(status=status, body=body, headers=headers)

    return answer


@asynccontextmanager
async def bot_api() -> AsyncIterator[BotApi]:
    api = BotApi()
    application = web.Application()
    application.router.add_post("/bot{token}/{method}", api.handle)
    runner = web.AppRunner(application, shutdown_timeout=0.1, handler_cancellation=True)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    api.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    try:
        yield api
    finally:
        await runner.cleanup()


@asynccontextmanager
async def client_of(url: str) -> AsyncIterator[Client]:
    async with Session() as session:
        yield Client(url, TOKEN, session)


async def until(condition: Callable[[], Any], seconds: float = 10) -> None:
    async with asyncio.timeout(seconds):
        while not condition():  # noqa: ASYNC110  # the condition is anybody's
            await asyncio.sleep(0.01)
