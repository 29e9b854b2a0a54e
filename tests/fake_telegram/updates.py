"""Updates that wait: getUpdates with its offset, and what may be asked for."""

import asyncio
import json
import threading
from dataclasses import dataclass, field
from typing import Any

from tests.fake_telegram.calls import BotApiError, bad_request, number
from tests.fake_telegram.chats import Json

NOT_BY_DEFAULT = {"chat_member", "message_reaction", "message_reaction_count"}
TAKEN_OVER = "Conflict: terminated by other getUpdates request; make sure that only one bot instance is running"
BY_WEBHOOK = "Conflict: terminated by setWebhook request"
WEBHOOK_ACTIVE = (
    "Conflict: can't use getUpdates method while webhook is active; use deleteWebhook to delete the webhook first"
)
LONGEST_POLL = 50


@dataclass(eq=False)
class Poll:
    """A getUpdates call under way. `ended`: why it must stop."""

    news: asyncio.Event = field(default_factory=asyncio.Event)
    ended: str = ""

    def end(self, reason: str) -> None:
        self.ended = reason
        self.news.set()


class Updates:
    """The updates of one bot that nobody has confirmed. `add` may be called from any thread."""

    def __init__(self, first_id: int) -> None:
        self.waiting: list[Json] = []
        self.confirmed: list[int] = []
        self.allowed: list[str] = []
        self.poll: Poll | None = None
        self._next_id = first_id
        self._lock = threading.Lock()

    def add(self, update: Json) -> Json:
        with self._lock:
            update = {"update_id": self._next_id, **update}
            self._next_id = max(self._next_id, int(update["update_id"])) + 1
            self.waiting.append(update)
        return update

    def allows(self, kind: str) -> bool:
        return kind in self.allowed if self.allowed else kind not in NOT_BY_DEFAULT

    def news(self) -> None:
        if self.poll is not None:
            self.poll.news.set()

    def confirm(self, update_id: int) -> None:
        self._forget([update for update in self.waiting if update["update_id"] == update_id])

    def forget_all(self) -> None:
        self.waiting.clear()

    def remember_allowed(self, params: dict[str, Any]) -> None:
        if (asked := params.get("allowed_updates")) is None:
            return
        try:
            names = json.loads(asked) if isinstance(asked, str) else asked
        except ValueError:
            raise bad_request("can't parse allowed updates: expected an Array of String") from None
        self.allowed = [str(name) for name in names]

    async def get(self, params: dict[str, Any], hold: float = 0) -> list[Json]:
        """getUpdates. `hold`: seconds for which Telegram keeps back a conflict."""
        self.remember_allowed(params)
        if self.poll is not None:
            self.poll.end(TAKEN_OVER)
        mine = self.poll = Poll()
        try:
            self._move_offset(number(params.get("offset", 0)) or 0)
            return await self._wait(mine, params, hold)
        finally:
            if self.poll is mine:
                self.poll = None

    async def _wait(self, mine: Poll, params: dict[str, Any], hold: float) -> list[Json]:
        limit = number(params.get("limit", 100))
        limit = limit if isinstance(limit, int) and 1 <= limit <= 100 else 100
        seconds = min(max(number(params.get("timeout", 0)) or 0, 0), LONGEST_POLL)
        loop = asyncio.get_running_loop()
        deadline = loop.time() + seconds
        while not self.waiting and not mine.ended and (left := deadline - loop.time()) > 0:
            mine.news.clear()
            if self.waiting:
                break
            await wait_for_event(mine.news, left)
        if mine.ended:
            await asyncio.sleep(hold)
            raise BotApiError(409, mine.ended)
        return self.waiting[:limit]

    def _move_offset(self, offset: int) -> None:
        if offset < 0:
            self._forget(self.waiting[:offset])
        else:
            self._forget([update for update in self.waiting if update["update_id"] < offset])

    def _forget(self, updates: list[Json]) -> None:
        gone = {update["update_id"] for update in updates}
        with self._lock:
            self.waiting[:] = [update for update in self.waiting if update["update_id"] not in gone]
        self.confirmed += sorted(gone)


async def wait_for_event(event: asyncio.Event, seconds: float) -> None:
    try:
        await asyncio.wait_for(event.wait(), seconds)
    except TimeoutError:
        return
