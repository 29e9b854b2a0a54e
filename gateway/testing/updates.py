"""What a person does, as updates. The raw `update` has the shape of the Bot API's on every protocol."""

import itertools
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from gateway.models import Kind
from gateway.types import Inbound, Outbound, Person

Courtesy = Callable[[str, Mapping[str, Any]], Outbound | None]
"""What the gateway says itself to an event, as ProtocolServer.courtesy."""

numbers = itertools.count(1)


@dataclass(frozen=True)
class Speaker:
    """One person in one chat with one bot."""

    protocol: str
    bot: str
    person: Person
    chat: dict[str, Any] = field(default_factory=dict)
    uuid: str | None = None

    def message(self, text: str, more: dict[str, Any]) -> Inbound:
        """`more`: further fields of the Bot API's Message."""
        number = next(numbers)
        content = {**self._about(number), "text": text, **more}
        event = {"text": text, "message_id": content["message_id"], "date": content["date"]}
        return self._inbound(number, Kind.MESSAGE, "message", event, content, text)

    def press(self, data: str, label: str, message_id: int, courtesy: Courtesy) -> Inbound:
        number = next(numbers)
        content = {"id": str(number), "from": self._user(), "message": self._about(message_id), "data": data}
        return self._inbound(
            number, Kind.BUTTON, "callback_query", content, content, label, courtesy=courtesy("callback_query", content)
        )

    def update(self, kind: str, content: dict[str, Any]) -> Inbound:
        """Any other update of the Bot API, such as "message_reaction"."""
        return self._inbound(next(numbers), Kind.UPDATE, kind, content, content, "")

    def block(self) -> Inbound:
        number = next(numbers)
        content = {"chat": self._chat(), "from": self._user(), "new_chat_member": {"status": "kicked"}}
        return self._inbound(number, Kind.UPDATE, "my_chat_member", content, content, "", blocked=True)

    def _inbound(
        self,
        number: int,
        kind: Kind,
        method: str,
        event: dict[str, Any],
        content: dict[str, Any],
        text: str,
        **more: Any,
    ) -> Inbound:
        return Inbound(
            protocol=self.protocol,
            bot=self.bot,
            key=f"chat:{self.chat['id']}/user:{self.person.id}",
            kind=kind,
            method=method,
            event={**event, "update": {"update_id": number, method: content}},
            text=text,
            person=self.person,
            chat=self.chat,
            address={"chat_id": self.chat["id"]},
            uuid=self.uuid,
            update_id=number,
            **more,
        )

    def _about(self, message_id: int) -> dict[str, Any]:
        return {"message_id": message_id, "date": int(time.time()), "chat": self._chat(), "from": self._user()}

    def _chat(self) -> dict[str, Any]:
        return {"id": self.chat["id"], "type": self.chat["type"]}

    def _user(self) -> dict[str, Any]:
        person = self.person
        names = {"first_name": person.name, "username": person.username, "language_code": person.language}
        return {"id": int(person.id) if person.id.isdecimal() else person.id, "is_bot": False, **names}
