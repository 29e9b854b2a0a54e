"""A communicator for tests of the engine itself: like gateway.testing's, with its hands on updates and rows."""

import asyncio
import itertools
import time
from collections.abc import Callable, Mapping
from typing import Any

from channels.routing import ProtocolTypeRouter

from gateway import testing
from gateway.engine import Engine
from gateway.errors import Unsendable
from gateway.models import Kind, Message
from gateway.types import Inbound, Outbound, Person, Receipt

application = ProtocolTypeRouter({})
"""The map of ASGI_APPLICATION in tests of the sockets; each test fills it."""

numbers = itertools.count(1)


class Outside(testing.Outside):
    """A protocol named "telegram" that composes loosely: what a bot gives is what is delivered."""

    scope_type = "telegram"

    @classmethod
    def compose(
        cls, method: str, params: Mapping[str, Any], *, address: Mapping[str, Any], event: Mapping[str, Any] | None
    ) -> Outbound:
        if method == "send_message" and not isinstance(params.get("text"), str):
            raise Unsendable("a message needs a text")
        kind = {"send_message": Kind.MESSAGE, "edit_message_text": Kind.EDIT}.get(method, Kind.CALL)
        left = {key: value for key, value in params.items() if key not in ("ref", "at_most_once")}
        return Outbound(
            kind=kind,
            method=method,
            params=left,
            text=str(params.get("text", "")),
            buttons=params.get("buttons"),
            ref=str(params.get("ref", "")),
            at_most_once=bool(params.get("at_most_once")),
            error="this protocol cannot do that" if method == "impossible" else "",
        )

    def lane(self, address: Mapping[str, Any]) -> str:
        return str(address["chat_id"])


class Web(Outside):
    """The same outside, whose words are delivered by their commit."""

    scope_type = "webchat"
    immediate = True


class Chat:
    """One person's conversation."""

    def __init__(self, engine: Engine, user: int, *, protocol: str = "telegram", bot: str = "bot") -> None:
        self.engine = engine
        self.user = user
        self.protocol = protocol
        self.bot = bot

    def inbound(self, text: str = "", **changes: Any) -> Inbound:
        fields: dict[str, Any] = {
            "protocol": self.protocol,
            "bot": self.bot,
            "key": f"chat:{self.user}",
            "kind": Kind.MESSAGE,
            "method": "message",
            "event": {"text": text, "message_id": 1, "date": 0, "update": {"text": text}},
            "text": text,
            "person": Person(str(self.user), f"User {self.user}"),
            "chat": {"id": self.user, "type": "private"},
            "address": {"chat_id": self.user},
            "update_id": next(numbers),
        }
        return Inbound(**fields | changes)

    async def says(self, *texts: str) -> list[Receipt]:
        return await self.engine.accept([self.inbound(text) for text in texts])

    async def presses(self, data: str) -> list[Receipt]:
        event = {"data": data, "id": "9", "update": {}}
        return await self.engine.accept(
            [self.inbound(data, kind=Kind.BUTTON, method="callback_query", event=event, courtesy=SHRUG)]
        )

    async def heard(self, count: int) -> list[str]:
        """The first `count` texts that reached this person, once there are that many."""
        await until(lambda: len(self._texts()) >= count, f"{count} texts", lambda: self._texts())
        return self._texts()

    def _texts(self) -> list[str]:
        outside = self.engine.protocols[self.protocol]
        assert isinstance(outside, Outside)
        return [d.text for d in outside.sent if d.address["chat_id"] == self.user and d.method == "send_message"]

    async def rows(self, **query: Any) -> list[Message]:
        found = Message.objects.filter(conversation__key=f"chat:{self.user}", **query).order_by("pk")
        return await self.engine.read(lambda: list(found.select_related("conversation")))

    async def sent(self, count: int) -> list[Message]:
        """The outbound rows, once `count` of them are marked as sent: the mark follows what the person hears."""

        async def marked() -> bool:
            return len(await self.rows(direction="out", status="sent")) >= count

        await eventually(marked, f"{count} rows sent")
        return await self.rows(direction="out")

    async def settled(self) -> list[Message]:
        """All inbound rows, once each has its end state."""

        async def done() -> bool:
            return not await self.rows(status__in=("received", "in_hand"))

        await eventually(done, "all rows settled")
        return await self.rows(direction="in")


SHRUG = Outbound(kind=Kind.CALL, method="answer_callback_query")


async def until(
    condition: Callable[[], Any], what: str, seen: Callable[[], Any] = lambda: "", seconds: float = 10.0
) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"waited {seconds} s for {what}; saw {seen()}"
        await asyncio.sleep(0.01)


async def eventually(condition: Callable[[], Any], what: str, seconds: float = 10.0) -> None:
    deadline = time.monotonic() + seconds
    while not await condition():
        assert time.monotonic() < deadline, f"waited {seconds} s for {what}"
        await asyncio.sleep(0.02)
