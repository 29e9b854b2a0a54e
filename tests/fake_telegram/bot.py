"""One bot on Telegram's side: its chats, its updates, its webhook."""

import itertools
import json
import time
from typing import TYPE_CHECKING, Any

from tests.fake_telegram.calls import Call
from tests.fake_telegram.chats import CHAT_TYPES, Business, FakeChat, Json
from tests.fake_telegram.faults import Faults, Flood, Play, Script
from tests.fake_telegram.people import FakeUser
from tests.fake_telegram.updates import Updates
from tests.fake_telegram.webhook import Webhook

if TYPE_CHECKING:
    from tests.fake_telegram.server import FakeTelegram

DAY = 24 * 3600


def wire_token(number: int) -> str:
    """A token of the right form that belongs to nobody."""
    return f"{1_000_000_000 + number}:AAE-fake_token_for_tests_only_{number:06d}"


class FakeBot:
    """A bot that Telegram knows. Helpers that put updates may be called from any thread."""

    def __init__(self, telegram: "FakeTelegram", name: str, token: str) -> None:
        self.telegram = telegram
        self.name = name
        self.token = token
        self.id = int(token.partition(":")[0])
        self.raw: Json = {"id": self.id, "is_bot": True, "first_name": name, "username": f"{name}_bot"}
        self.chats: dict[int, FakeChat] = {}
        self.files: dict[str, bytes] = {}
        self.businesses: set[str] = set()
        self.queries: dict[str, Json | None] = {}
        self.updates: Updates = Updates(first_id=500_000_001 + 1_000_000 * len(telegram.bots))
        self.webhook: Webhook = Webhook(self, pause_unit=telegram.pause_unit)
        self.faults = Faults()
        self.short_life, self.long_life = 150.0, float(DAY)
        self._query_ids = itertools.count(1)

    def now(self) -> int:
        return int(time.time())

    # Who and where

    def user(self, id: int, first_name: str = "", *, username: str = "", language: str = "en") -> FakeUser:
        raw: Json = {"id": id, "is_bot": False, "first_name": first_name or f"User {id}", "language_code": language}
        user = FakeUser(self, raw | ({"username": username} if username else {}))
        self.private_chat(user.raw)
        return user

    def private_chat(self, person: Json) -> FakeChat:
        names: Json = {key: person[key] for key in ("first_name", "last_name", "username") if key in person}
        return self.chat({"id": person["id"], "type": "private", **names})

    def group(self, id: int, title: str = "Group") -> FakeChat:
        return self.chat({"id": id, "type": "group", "title": title})

    def supergroup(self, id: int, title: str = "Supergroup", *, forum: bool = False) -> FakeChat:
        return self.chat({"id": id, "type": "supergroup", "title": title, **({"is_forum": True} if forum else {})})

    def channel(self, id: int, title: str = "Channel") -> FakeChat:
        return self.chat({"id": id, "type": "channel", "title": title})

    def business(self, id: str, owner: FakeUser) -> Business:
        """`owner` connects the bot to their account."""
        rights = {"can_reply": True, "can_read_messages": True}
        about = {"id": id, "user": owner.raw, "user_chat_id": owner.id, "date": self.now()}
        self.put({"business_connection": {**about, "rights": rights, "is_enabled": True}})
        return Business(self, id, owner.raw)

    def chat(self, raw: Json) -> FakeChat:
        """The chat of that id; a new one is made from `raw` as Telegram would describe it."""
        with self.telegram.lock:
            return self.chats.setdefault(int(raw["id"]), FakeChat(self, raw))

    def say_in(self, chat: FakeChat, message: Json) -> Json:
        with self.telegram.lock:
            return chat.add(message)

    def new_query(self) -> str:
        query = f"{self.id}{next(self._query_ids):06d}"
        self.queries[query] = None
        return query

    # Updates

    def put(self, update: Json, *, force: bool = False) -> Json | None:
        """Queues any raw update; its `update_id` is made where it has none. None: the bot has not asked for its kind
        (`force` queues it all the same)."""
        kind = next((key for key in update if key != "update_id"), "")
        self._learn(update)
        if not force and not self.updates.allows(kind):
            return None
        queued = self.updates.add(update)
        self.telegram.on_loop(self._news)
        return queued

    def _news(self) -> None:
        self.updates.news()
        self.webhook.news()

    def _learn(self, value: Any) -> None:
        """Chats, people and business connections of raw updates exist from then on."""
        if isinstance(value, list):
            for part in value:
                self._learn(part)
        if not isinstance(value, dict):
            return
        self._learn_one(value)
        for part in value.values():
            self._learn(part)

    def _learn_one(self, value: Json) -> None:
        if isinstance(value.get("id"), int) and value.get("type") in CHAT_TYPES:
            self.chat(value)
        elif isinstance(value.get("id"), int) and value.get("is_bot") is False:
            self.private_chat(value)
        if isinstance(value.get("business_connection_id"), str):
            self.businesses.add(value["business_connection_id"])
        if "user_chat_id" in value and isinstance(value.get("id"), str):
            self.businesses.add(value["id"])
        if value.get("is_topic_message") and isinstance(value.get("chat"), dict):
            self.chat(value["chat"]).topics.add(int(value["message_thread_id"]))

    async def obey(self, body: str) -> None:
        params = json.loads(body)
        await self.telegram.act(self, Call(self.name, str(params.pop("method")), params))

    # What is to go wrong, and what happened

    def fail(
        self, fault: Play | Flood, *, method: str | None = None, chat: int | None = None, times: int = 1
    ) -> Script:
        """The next `times` calls (of that method, in that chat) meet the fault."""
        script = Script(fault, method, chat, times)
        self.faults.scripts.append(script)
        return script

    def calls(self, method: str | None = None, chat: int | None = None) -> list[Call]:
        return [
            call
            for call in list(self.telegram.calls)
            if call.bot == self.name
            and (method is None or call.method.lower() == method.lower())
            and (chat is None or call.chat_id == chat)
        ]

    @property
    def answers(self) -> dict[int, list[str]]:
        """Everything that the bot has said, by chat."""
        with self.telegram.lock:
            return {id: chat.answers for id, chat in self.chats.items() if chat.bot_messages}
