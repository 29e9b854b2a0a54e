"""Delivery to a webhook: one in flight per chat, button presses in lanes of their own, retries with growing pauses."""

import asyncio
import random
import re
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import aiohttp

from tests.fake_telegram.calls import bad_request, number
from tests.fake_telegram.chats import Json
from tests.fake_telegram.updates import BY_WEBHOOK

if TYPE_CHECKING:
    from tests.fake_telegram.bot import FakeBot

SHORT_LIVED = {"callback_query", "shipping_query", "pre_checkout_query"}
SECRET = re.compile(r"[A-Za-z0-9_-]{1,256}")
LONGEST_RETRY_AFTER = 3600


@dataclass(frozen=True, slots=True)
class Attempt:
    """One POST to the webhook; `status` is None where no answer came. Times are of the monotonic clock."""

    update_id: int
    lane: str
    began: float
    ended: float
    status: int | None


@dataclass
class Webhook:
    """The webhook of one bot. `pause_unit`: what a second of its pauses takes here."""

    bot: "FakeBot"
    url: str = ""
    secret: str = ""
    max_connections: int = 40
    pause_unit: float = 0.025
    answer_timeout: float = 60
    attempts: list[Attempt] = field(default_factory=list)
    last_error: tuple[int, str] | None = None
    lanes: dict[str, asyncio.Task[None]] = field(default_factory=dict)
    born: dict[int, float] = field(default_factory=dict)
    session: aiohttp.ClientSession | None = None
    places: asyncio.Semaphore | None = None

    def set(self, params: dict[str, Any]) -> bool:
        url, secret = str(params.get("url", "")), str(params.get("secret_token", "") or "")
        if url and not re.match(r"https?://[^/]+", url):
            raise bad_request("bad webhook: invalid webhook URL specified")
        if secret and not SECRET.fullmatch(secret):
            raise bad_request("secret token contains unallowed characters")
        connections = number(params.get("max_connections", 40)) or 40
        if self.bot.updates.poll is not None:
            self.bot.updates.poll.end(BY_WEBHOOK)
        self.stop()
        self.url, self.secret, self.max_connections = url, secret, min(max(int(connections), 1), 100)
        self.bot.updates.remember_allowed(params)
        self._drop(params)
        self.news()
        return True

    def delete(self, params: dict[str, Any]) -> bool:
        self.stop()
        self.url = ""
        self._drop(params)
        return True

    def info(self) -> Json:
        pending = len(self.bot.updates.waiting)
        info: Json = {"url": self.url, "has_custom_certificate": False, "pending_update_count": pending}
        if self.url:
            info |= {"max_connections": self.max_connections, "ip_address": "127.0.0.1"}
        if self.last_error:
            info |= {"last_error_date": self.last_error[0], "last_error_message": self.last_error[1]}
        if self.bot.updates.allowed:
            info["allowed_updates"] = self.bot.updates.allowed
        return info

    def _drop(self, params: dict[str, Any]) -> None:
        if str(params.get("drop_pending_updates", "")).lower() in {"true", "1"}:
            self.bot.updates.forget_all()

    def news(self) -> None:
        """Starts a lane for every waiting update that has none."""
        if not self.url:
            return
        self.places = self.places or asyncio.Semaphore(self.max_connections)
        for update in self.bot.updates.waiting:
            self.born.setdefault(update["update_id"], time.monotonic())
            if (lane := lane_of(update)) not in self.lanes:
                self.lanes[lane] = asyncio.create_task(self._run(lane))

    def stop(self) -> None:
        for task in self.lanes.values():
            task.cancel()
        self.lanes.clear()
        self.places = None

    async def close(self) -> None:
        self.stop()
        if self.session is not None:
            await self.session.close()
            self.session = None

    async def _run(self, lane: str) -> None:
        while (update := next(self._waiting_in(lane), None)) is not None:
            await self._deliver(lane, update)
        del self.lanes[lane]

    def _waiting_in(self, lane: str) -> Iterator[Json]:
        return (update for update in self.bot.updates.waiting if lane_of(update) == lane)

    async def _deliver(self, lane: str, update: Json) -> None:
        for pause in self._pauses():
            status, retry_after = await self._post(lane, update)
            if status is not None and 200 <= status < 300:
                break
            wait = max(pause, min(retry_after, LONGEST_RETRY_AFTER))
            if self._expired(update, wait):
                break
            await asyncio.sleep(wait)
        self.bot.updates.confirm(update["update_id"])

    def _pauses(self) -> Iterator[float]:
        yield 0
        pause = 1.0
        while True:
            pause = min(pause * 2, random.uniform(60, 120))
            yield pause * self.pause_unit

    def _expired(self, update: Json, wait: float) -> bool:
        short = not SHORT_LIVED.isdisjoint(update)
        life = self.bot.short_life if short else self.bot.long_life
        return time.monotonic() + wait - self.born[update["update_id"]] > life

    async def _post(self, lane: str, update: Json) -> tuple[int | None, float]:
        """The status (None: no answer) and how long the other side asks us to wait."""
        began, status, wait, failure = time.monotonic(), None, 0.0, ""
        assert self.places is not None
        try:
            async with self.places, self._request(update) as response:
                status, failure = response.status, f"Wrong response from the webhook: {response.status}"
                wait = float(number(response.headers.get("Retry-After", "0")) or 0)
                if status == 200:
                    await self._obey(await response.text())
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            failure = f"Connection failed: {type(error).__name__}"
        self.attempts.append(Attempt(update["update_id"], lane, began, time.monotonic(), status))
        if status is None or not 200 <= status < 300:
            self.last_error = (int(time.time()), failure)
        return status, wait

    def _request(self, update: Json) -> Any:
        if self.session is None:
            self.session = aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=self.answer_timeout))
        headers = {"X-Telegram-Bot-Api-Secret-Token": self.secret} if self.secret else {}
        return self.session.post(self.url, json=update, headers=headers)

    async def _obey(self, body: str) -> None:
        """A webhook may answer with a method to call."""
        if body.lstrip().startswith("{") and '"method"' in body:
            await self.bot.obey(body)


def lane_of(update: Json) -> str:
    """Messages wait for the one before them in their chat; button presses wait only for their user's others."""
    for kind, content in update.items():
        if not isinstance(content, dict):
            continue
        sender = content.get("from", {}).get("id")
        if kind in SHORT_LIVED or kind in {"inline_query", "chosen_inline_result"}:
            return f"{kind} of {sender}"
        chat = content.get("chat", {}).get("id")
        return f"chat {chat}" if chat is not None else f"{kind} of {sender}"
    return "others"
