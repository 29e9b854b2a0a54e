"""Users, and what they can do."""

from typing import TYPE_CHECKING, Any

from tests.fake_telegram.chats import Business, FakeChat, Json, Topic

if TYPE_CHECKING:
    from tests.fake_telegram.bot import FakeBot

Place = FakeChat | Topic | Business | None


class FakeUser:
    """Somebody with a private chat with one bot. Every action is an update of that bot."""

    def __init__(self, bot: "FakeBot", raw: Json) -> None:
        self.bot = bot
        self.raw = raw

    @property
    def id(self) -> int:
        return int(self.raw["id"])

    @property
    def chat(self) -> FakeChat:
        return self.bot.private_chat(self.raw)

    @property
    def answers(self) -> list[str]:
        """What the bot has said in the private chat, in order."""
        return self.chat.answers

    def says(self, text: str | None, where: Place = None, **fields: Any) -> Json:
        """Writes into the private chat, a group, a topic, or to a business that the bot answers for."""
        words: Json = {"from": self.raw, **({"text": text} if text is not None else {}), **fields}
        if isinstance(where, Business):
            return self._tell("business_message", self.chat, {**words, "business_connection_id": where.id})
        if isinstance(where, Topic):
            thread = {"message_thread_id": where.thread_id, "is_topic_message": True}
            return self._tell("message", where.chat, {**words, **thread})
        return self._tell("message", where or self.chat, words)

    def sends_photo(self, caption: str, where: Place = None) -> Json:
        photo = [{"file_id": f"photo-{self.id}", "file_unique_id": "u", "width": 90, "height": 90}]
        return self.says(None, where, photo=photo, caption=caption)

    def edits(self, message: Json, text: str) -> Json:
        message.update(text=text, edit_date=message["date"] + 1)
        kind = "edited_business_message" if "business_connection_id" in message else "edited_message"
        self.bot.put({kind: dict(message)})
        return message

    def presses(self, message: Json, data: str) -> str:
        """Presses a button that is there, and gives the query's id."""
        rows = message.get("reply_markup", {}).get("inline_keyboard", [])
        assert any(button.get("callback_data") == data for row in rows for button in row), f"no button {data!r}"
        query = self.bot.new_query()
        shown = {"message": dict(message), "chat_instance": str(message["chat"]["id"])}
        self.bot.put({"callback_query": {"id": query, "from": self.raw, "data": data, **shown}})
        return query

    def reacts(self, message: Json, emoji: str) -> None:
        new = [{"type": "emoji", "emoji": emoji}]
        where = {"chat": message["chat"], "message_id": message["message_id"], "date": message["date"]}
        self.bot.put({"message_reaction": {**where, "user": self.raw, "old_reaction": [], "new_reaction": new}})

    def blocks(self) -> None:
        self._becomes("kicked", blocked=True)

    def unblocks(self) -> None:
        self._becomes("member", blocked=False)

    def _becomes(self, status: str, *, blocked: bool) -> None:
        self.chat.blocked = blocked
        old = {"user": self.bot.raw, "status": "member" if blocked else "kicked", "until_date": 0}
        new = {"user": self.bot.raw, "status": status, "until_date": 0}
        change = {"chat": self.chat.raw, "from": self.raw, "date": self.bot.now()}
        self.bot.put({"my_chat_member": {**change, "old_chat_member": old, "new_chat_member": new}})

    def _tell(self, kind: str, chat: FakeChat, message: Json) -> Json:
        said = self.bot.say_in(chat, message)
        self.bot.put({kind: dict(said)})
        return said
