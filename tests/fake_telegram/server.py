"""The server: tokens, parameters, faults, and a record of everything."""

import asyncio
import json
import threading
import time
from collections.abc import Callable, Mapping
from types import TracebackType
from typing import Any, Self

from aiohttp import web

from tests.fake_telegram.bot import FakeBot, wire_token
from tests.fake_telegram.calls import BotApiError, Call, Reply, refusal, success
from tests.fake_telegram.chats import Business, FakeChat, Json
from tests.fake_telegram.faults import Flood, Play, Script, respond
from tests.fake_telegram.methods import perform
from tests.fake_telegram.people import FakeUser
from tests.fake_telegram.updates import WEBHOOK_ACTIVE

LARGEST_BODY = 50 * 1024 * 1024


class FakeTelegram:
    """A Bot API on a port of its own, for one bot named "bot" or for those of `tokens` (name → token).

    `latency`: seconds that every call but getUpdates takes, half of them before Telegram acts. `pause_unit`: what a
    second of the webhook's growing pauses (2, 4, 8, …) takes here. `conflict_hold`: seconds for which a 409 is kept
    back (Telegram's is three). Chats exist once somebody has said something in them or they were made here.
    """

    def __init__(
        self,
        tokens: Mapping[str, str] | None = None,
        *,
        latency: float = 0,
        pause_unit: float = 0.025,
        conflict_hold: float = 0,
    ) -> None:
        self.latency, self.pause_unit, self.conflict_hold = latency, pause_unit, conflict_hold
        self.host, self.port = "127.0.0.1", 0
        self.calls: list[Call] = []
        self.lock = threading.RLock()
        self.bots: dict[str, FakeBot] = {}
        self._runner: web.AppRunner | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._work: set[asyncio.Task[web.StreamResponse]] = set()
        for name, token in (tokens or {"bot": wire_token(1)}).items():
            self.add_bot(name, token)

    def add_bot(self, name: str, token: str) -> FakeBot:
        self.bots[name] = FakeBot(self, name, token)
        return self.bots[name]

    # Life

    async def start(self) -> Self:
        """Listens; after a `stop` on the same port as before, with everything that was waiting."""
        self._loop = asyncio.get_running_loop()
        app = web.Application(client_max_size=LARGEST_BODY)
        app.router.add_route("*", "/bot{token}/{method}", self._handle)
        app.router.add_get("/file/bot{token}/files/{id}", self._file)
        app.router.add_route("*", "/{anything:.*}", not_found)
        self._runner = web.AppRunner(app, handler_cancellation=True, access_log=None, shutdown_timeout=0.1)
        await self._runner.setup()
        site = web.TCPSite(self._runner, self.host, self.port, reuse_address=True)
        await site.start()
        self.port = self._runner.addresses[0][1]
        for bot in self.bots.values():
            bot.webhook.news()
        return self

    async def stop(self) -> None:
        self._loop = None
        for bot in self.bots.values():
            await bot.webhook.close()
        if self._runner is not None:
            await self._runner.cleanup()
        for work in self._work:
            work.cancel()
        await asyncio.gather(*self._work, return_exceptions=True)

    async def __aenter__(self) -> Self:
        return await self.start()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.stop()

    @property
    def url(self) -> str:
        return f"http://{self.host}:{self.port}"

    @property
    def loop(self) -> asyncio.AbstractEventLoop | None:
        return self._loop

    def on_loop(self, callback: Callable[[], None]) -> None:
        """Runs it on the server's loop, from whatever thread; while the server is stopped nobody is to be woken."""
        if self._loop is not None:
            self._loop.call_soon_threadsafe(callback)

    # The default bot's helpers

    @property
    def bot(self) -> FakeBot:
        return next(iter(self.bots.values()))

    @property
    def token(self) -> str:
        return self.bot.token

    def user(self, id: int, first_name: str = "", *, username: str = "", language: str = "en") -> FakeUser:
        return self.bot.user(id, first_name, username=username, language=language)

    def group(self, id: int, title: str = "Group") -> FakeChat:
        return self.bot.group(id, title)

    def supergroup(self, id: int, title: str = "Supergroup", *, forum: bool = False) -> FakeChat:
        return self.bot.supergroup(id, title, forum=forum)

    def channel(self, id: int, title: str = "Channel") -> FakeChat:
        return self.bot.channel(id, title)

    def business(self, id: str, owner: FakeUser) -> Business:
        return self.bot.business(id, owner)

    def put(self, update: Json, *, force: bool = False) -> Json | None:
        return self.bot.put(update, force=force)

    def fail(
        self, fault: Play | Flood, *, method: str | None = None, chat: int | None = None, times: int = 1
    ) -> Script:
        return self.bot.fail(fault, method=method, chat=chat, times=times)

    # What happened

    @property
    def sends(self) -> list[Call]:
        """The calls that put words into chats, in the order in which they came."""
        return [call for call in list(self.calls) if call.method.lower() == "sendmessage"]

    @property
    def answered(self) -> int:
        """How many sends Telegram has said yes to."""
        return sum(call.ok for call in self.sends)

    @property
    def under_way(self) -> list[Call]:
        """Calls that have no answer yet, polls apart."""
        return [call for call in list(self.calls) if call.under_way and call.method.lower() != "getupdates"]

    async def wait_for(self, condition: Callable[[], object], within: float = 10) -> None:
        """Returns once `condition()` is true; AssertionError after `within` seconds."""
        deadline = time.monotonic() + within
        while not condition():
            assert time.monotonic() < deadline, f"not within {within} s"
            await asyncio.sleep(0.01)

    def wait(self, condition: Callable[[], object], within: float = 10) -> None:
        """The same for a server in another thread."""
        deadline = time.monotonic() + within
        while not condition():
            assert time.monotonic() < deadline, f"not within {within} s"
            time.sleep(0.02)

    # Calls

    async def _handle(self, request: web.Request) -> web.StreamResponse:
        token, method = request.match_info["token"], request.match_info["method"]
        bot = next((bot for bot in self.bots.values() if bot.token == token), None)
        if bot is None:
            reply = refusal(BotApiError(401, "Unauthorized"))
            return web.json_response(reply.body, status=reply.status)
        try:
            call = Call(bot.name, method, await read_params(request), peer=request.remote or "")
        except ValueError:
            return web.json_response(refusal(BotApiError(400, "Bad Request: can't parse parameters")).body, status=400)
        self.calls.append(call)
        try:
            return await self._answer_to_the_end(request, bot, call)
        finally:
            call.ended = time.monotonic()

    async def _file(self, request: web.Request) -> web.StreamResponse:
        for bot in self.bots.values():
            if bot.token == request.match_info["token"] and request.match_info["id"] in bot.files:
                return web.Response(body=bot.files[request.match_info["id"]])
        return await not_found(request)

    async def _answer_to_the_end(self, request: web.Request, bot: FakeBot, call: Call) -> web.StreamResponse:
        """What has reached Telegram is done, also if the client dies meanwhile; only a poll ends with its client."""
        if call.method.lower() == "getupdates":
            return await self._answer(request, bot, call)
        work = asyncio.create_task(self._answer(request, bot, call))
        self._work.add(work)
        work.add_done_callback(self._work.discard)
        return await asyncio.shield(work)

    async def _answer(self, request: web.Request, bot: FakeBot, call: Call) -> web.StreamResponse:
        pause = 0 if call.method.lower() == "getupdates" else self.latency / 2
        await asyncio.sleep(pause)

        async def act() -> Reply:
            return await self.act(bot, call)

        fault = bot.faults.next(call)
        answer = await fault(request, call, act) if fault else respond(call, await act())
        await asyncio.sleep(pause)
        return answer

    async def act(self, bot: FakeBot, call: Call) -> Reply:
        """What Telegram does and decides, with no fault in between."""
        try:
            if call.method.lower() == "getupdates":
                return success(await self._get_updates(bot, call.params))
            with self.lock:
                return success(perform(bot, call.method, call.params))
        except BotApiError as error:
            return refusal(error)

    async def _get_updates(self, bot: FakeBot, params: dict[str, Any]) -> list[Json]:
        if bot.webhook.url:
            raise BotApiError(409, WEBHOOK_ACTIVE)
        return await bot.updates.get(params, self.conflict_hold)


async def read_params(request: web.Request) -> dict[str, Any]:
    """Query string, form, multipart or JSON: Telegram takes all four. Raises ValueError for broken JSON."""
    params: dict[str, Any] = dict(request.query)
    if request.content_type == "application/json":
        body = json.loads(await request.read() or b"{}")
        if not isinstance(body, dict):
            raise ValueError("no object")
        return params | {key: value for key, value in body.items() if value is not None}
    if request.method == "POST":
        params |= dict(await request.post())
    return params


async def not_found(request: web.Request) -> web.StreamResponse:
    return web.json_response(refusal(BotApiError(404, "Not Found")).body, status=404)
