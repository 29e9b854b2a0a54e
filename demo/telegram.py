"""A Telegram for the demo: the few methods of the Bot API that the gateway calls, and people who write."""

import asyncio
import itertools
import threading
import time
from collections import defaultdict
from typing import Any

from aiohttp import web

LONGEST_POLL = 20.0


class Telegram:
    """`write` from any thread; what the bots say goes nowhere."""

    def __init__(self) -> None:
        self._updates: dict[str, list[dict[str, Any]]] = defaultdict(list)
        self._numbers = itertools.count(int(time.time()))
        self._loop = asyncio.new_event_loop()
        self._news = asyncio.Condition()

    def write(self, token: str, person: dict[str, Any], text: str) -> None:
        asyncio.run_coroutine_threadsafe(self._write(token, person, text), self._loop)

    async def _write(self, token: str, person: dict[str, Any], text: str) -> None:
        chat = {"id": person["id"], "type": "private", "first_name": person["first_name"]}
        words = {"message_id": next(self._numbers), "date": int(time.time()), "chat": chat, "from": person}
        async with self._news:
            self._updates[token].append({"update_id": next(self._numbers), "message": {**words, "text": text}})
            self._news.notify_all()

    async def answer(self, request: web.Request) -> web.Response:
        token, method = request.match_info["token"], request.match_info["method"]
        params = await request.json() if request.can_read_body else {}
        if method == "getUpdates":
            result: Any = await self._poll(token, params)
        elif method == "getMe":
            result = {"id": int(token.partition(":")[0]), "is_bot": True, "first_name": "Demo", "username": "demo_bot"}
        elif method == "getWebhookInfo":
            result = {"url": "", "has_custom_certificate": False, "pending_update_count": 0}
        elif "chat_id" in params and method.startswith("send") and method != "sendChatAction":
            result = {"message_id": next(self._numbers), "date": int(time.time()), "chat": {"id": params["chat_id"]}}
        else:
            result = True
        return web.json_response({"ok": True, "result": result})

    async def _poll(self, token: str, params: dict[str, Any]) -> list[dict[str, Any]]:
        offset = int(params.get("offset") or 0)
        self._updates[token] = [update for update in self._updates[token] if update["update_id"] >= offset]
        try:
            async with asyncio.timeout(min(float(params.get("timeout") or 0), LONGEST_POLL)), self._news:
                await self._news.wait_for(lambda: bool(self._updates[token]))
        except TimeoutError:
            pass
        return self._updates[token][:100]

    def run(self, port: int, ready: threading.Event) -> None:
        asyncio.set_event_loop(self._loop)
        self._loop.run_until_complete(self._listen(port))
        ready.set()
        self._loop.run_forever()

    async def _listen(self, port: int) -> None:
        application = web.Application()
        application.router.add_route("*", "/bot{token}/{method}", self.answer)
        runner = web.AppRunner(application, access_log=None)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", port).start()


def start(port: int) -> Telegram:
    """In a thread of its own, which ends with the process."""
    telegram, ready = Telegram(), threading.Event()
    threading.Thread(target=telegram.run, args=(port, ready), daemon=True, name="telegram").start()
    ready.wait()
    return telegram
