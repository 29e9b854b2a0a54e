"""What can go wrong on the way. A fault decides whether Telegram acts at all, and what the client gets to see of it."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from aiohttp import web

from tests.fake_telegram.calls import BotApiError, Call, Reply, refusal

Act = Callable[[], Awaitable[Reply]]
"""Lets Telegram do what was asked, and gives what it would answer."""
Play = Callable[[web.Request, Call, Act], Awaitable[web.StreamResponse]]


def respond(call: Call, reply: Reply) -> web.StreamResponse:
    call.reply = reply
    return web.json_response(reply.body, status=reply.status)


def refuse(code: int, description: str) -> Play:
    """Telegram says no: 403 "Forbidden: bot was blocked by the user", 400, 401, …"""

    async def play(request: web.Request, call: Call, act: Act) -> web.StreamResponse:
        return respond(call, refusal(BotApiError(code, description)))

    return play


def server_error(code: int = 502, *, html: bool = False) -> Play:
    """Telegram's own trouble. Behind its proxy 502 comes as a page of HTML."""
    names = {500: "Internal Server Error", 502: "Bad Gateway", 503: "Service Unavailable", 504: "Gateway Timeout"}

    async def play(request: web.Request, call: Call, act: Act) -> web.StreamResponse:
        answer = respond(call, refusal(BotApiError(code, names.get(code, "Error"))))
        if not html:
            return answer
        page = f"<html><head><title>{code} {names.get(code)}</title></head><body>nginx</body></html>"
        return web.Response(status=code, text=page, content_type="text/html")

    return play


def no_json(*, acting: bool = True) -> Play:
    """200 with a body that is no JSON."""

    async def play(request: web.Request, call: Call, act: Act) -> web.StreamResponse:
        if acting:
            call.reply = await act()
        return web.Response(text="<!doctype html>")

    return play


def hang(*, acting: bool = False) -> Play:
    """Never answers; the line stays open until one side gives up."""

    async def play(request: web.Request, call: Call, act: Act) -> web.StreamResponse:
        if acting:
            call.reply = await act()
        await asyncio.Event().wait()
        raise AssertionError

    return play


def slow(seconds: float) -> Play:
    """Acts at once and answers late."""

    async def play(request: web.Request, call: Call, act: Act) -> web.StreamResponse:
        reply = await act()
        await asyncio.sleep(seconds)
        return respond(call, reply)

    return play


def cut(*, acting: bool) -> Play:
    """The line is gone without an answer, before Telegram acted or after."""

    async def play(request: web.Request, call: Call, act: Act) -> web.StreamResponse:
        if acting:
            call.reply = await act()
        abort(request)
        return web.Response()

    return play


def half_answer() -> Play:
    """Telegram acts, and the line breaks in the middle of its answer."""

    async def play(request: web.Request, call: Call, act: Act) -> web.StreamResponse:
        reply = await act()
        call.reply = reply
        body = web.json_response(reply.body).body
        assert isinstance(body, bytes)
        half = web.StreamResponse(status=reply.status, headers={"Content-Type": "application/json"})
        half.content_length = len(body)
        await half.prepare(request)
        await half.write(body[: len(body) // 2])
        await asyncio.sleep(0.02)
        abort(request)
        return half

    return play


def abort(request: web.Request) -> None:
    if isinstance(request.transport, asyncio.Transport):
        request.transport.abort()


@dataclass(frozen=True, slots=True)
class Flood:
    """429 with `retry_after`; whoever comes back earlier is refused again, and noted."""

    retry_after: int
    whole_bot: bool


def flood(retry_after: int, *, whole_bot: bool = False) -> Flood:
    return Flood(retry_after, whole_bot)


@dataclass(eq=False, slots=True)
class Script:
    """A fault that waits for its calls: `times` of them, of this method and chat (None: any)."""

    fault: Play | Flood
    method: str | None
    chat: int | None
    times: int
    played: int = 0

    def matches(self, call: Call) -> bool:
        wanted = self.method is None or self.method.lower() == call.method.lower()
        return self.played < self.times and wanted and self.chat in (None, call.chat_id)


@dataclass(eq=False, slots=True)
class Faults:
    """The faults of one bot, and the flood waits that are running (the key None: the whole bot)."""

    scripts: list[Script] = field(default_factory=list)
    waits: dict[object, float] = field(default_factory=dict)

    def next(self, call: Call) -> Play | None:
        if (seconds := self.remaining(call)) > 0:
            call.early = True
            return too_many(seconds)
        script = next((script for script in self.scripts if script.matches(call)), None)
        if script is None:
            return None
        script.played += 1
        return self.begin(script.fault, call) if isinstance(script.fault, Flood) else script.fault

    def begin(self, fault: Flood, call: Call) -> Play:
        self.waits[None if fault.whole_bot else call.chat_id] = time.monotonic() + fault.retry_after
        return too_many(fault.retry_after)

    def remaining(self, call: Call) -> float:
        if call.method.lower() == "getupdates":
            return 0
        now = time.monotonic()
        chat = [self.waits.get(call.chat_id, 0)] if call.chat_id is not None else []
        return max([self.waits.get(None, 0), *chat]) - now


def too_many(seconds: float) -> Play:
    wait = max(1, round(seconds + 0.499))

    async def play(request: web.Request, call: Call, act: Act) -> web.StreamResponse:
        error = BotApiError(429, f"Too Many Requests: retry after {wait}", retry_after=wait)
        answer = respond(call, refusal(error))
        answer.headers["Retry-After"] = str(wait)
        return answer

    return play
