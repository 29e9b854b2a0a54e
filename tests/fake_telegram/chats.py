"""Chats as Telegram keeps them: what is in them now, in order."""

import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tests.fake_telegram.bot import FakeBot

Json = dict[str, Any]
CHAT_TYPES = {"private", "group", "supergroup", "channel"}


@dataclass(eq=False)
class FakeChat:
    """One chat of one bot. `messages` is what a person who opens it sees: edits replace, deletions remove."""

    bot: "FakeBot"
    raw: Json
    messages: list[Json] = field(default_factory=list)
    topics: set[int] = field(default_factory=set)
    blocked: bool = False
    last_id: int = 0

    @property
    def id(self) -> int:
        return int(self.raw["id"])

    @property
    def type(self) -> str:
        return str(self.raw["type"])

    @property
    def answers(self) -> list[str]:
        """What the bot has said here, in order."""
        return [message_text(message) for message in self.bot_messages]

    @property
    def bot_messages(self) -> list[Json]:
        return [message for message in self.messages if message.get("from", {}).get("id") == self.bot.id]

    @property
    def last(self) -> Json:
        """The bot's last message; one with a keyboard can be pressed."""
        return self.bot_messages[-1]

    def add(self, message: Json) -> Json:
        """Gives the message its id and date, and shows it."""
        self.last_id += 1
        message = {"message_id": self.last_id, "date": int(time.time()), "chat": self.raw, **message}
        self.messages.append(message)
        return message

    def find(self, message_id: Any) -> Json | None:
        return next((message for message in self.messages if message["message_id"] == message_id), None)

    def topic(self, thread_id: int) -> "Topic":
        self.topics.add(thread_id)
        return Topic(self, thread_id)

    def posts(self, text: str, **fields: Any) -> Json:
        """A post in a channel: signed by the channel, by nobody else."""
        message = self.bot.say_in(self, {"sender_chat": self.raw, "text": text, **fields})
        self.bot.put({"channel_post": message})
        return message


@dataclass(frozen=True)
class Topic:
    """A topic of a forum supergroup."""

    chat: FakeChat
    thread_id: int

    @property
    def answers(self) -> list[str]:
        here = [m for m in self.chat.bot_messages if m.get("message_thread_id") == self.thread_id]
        return [message_text(message) for message in here]


@dataclass(frozen=True)
class Business:
    """A business connection: somebody lets the bot answer in their own private chats."""

    bot: "FakeBot"
    id: str
    owner: Json

    def answers(self, chat: FakeChat) -> list[str]:
        return [message_text(m) for m in chat.bot_messages if m.get("business_connection_id") == self.id]


def message_text(message: Json) -> str:
    return str(message.get("text", message.get("caption", "")))
