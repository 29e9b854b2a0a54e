"""The next row of a conversation is taken in hand with the end of the one before it, in one transaction."""

import asyncio
import threading
from typing import Any, ClassVar

import pytest
from channels.consumer import AsyncConsumer

from gateway.engine import Engine
from gateway.lane import Lane
from gateway.models import Message, Status
from gateway.transcript import Settle
from tests.communicator import Chat, eventually, until
from tests.engine_moments import conversation, gate, groups, stop, until_all_sent
from tests.engines import StartEngine, start

__all__ = ["gate", "groups", "start"]
pytestmark = pytest.mark.django_db(transaction=True)


class Diary(AsyncConsumer):
    """Writes down what it is fed, and waits in the first."""

    pages: ClassVar[list[str]] = []
    may_go_on: ClassVar[asyncio.Event]

    async def telegram_message(self, event: Any) -> None:
        self.pages.append(event["text"] + " again" * event["redelivered"])
        await self.may_go_on.wait()
        await self.send({"type": "telegram.message", "text": event["text"]})

    async def telegram_disconnect(self, event: Any) -> None:
        self.pages.append(event["code"])


async def with_three_waiting(start: StartEngine) -> tuple[Engine, Chat, Lane]:
    """The first of three is with its handler, and two wait."""
    Diary.pages.clear()
    Diary.may_go_on = asyncio.Event()
    engine = await start(Diary.as_asgi())
    chat = Chat(engine, 1)
    for text in ("1", "2", "3"):
        await chat.says(text)
    await until(lambda: Diary.pages == ["1"], "the first")
    lane = engine.lanes.known((await conversation()).pk)
    assert lane is not None
    return engine, chat, lane


async def test_one_transaction_a_row(start: StartEngine, groups: list[str]) -> None:
    _, chat, _ = await with_three_waiting(start)
    before = len(groups)
    Diary.may_go_on.set()
    assert await chat.heard(3) == ["1", "2", "3"]
    await until_all_sent(chat)
    # Each has one for its end and the next one's beginning; marks before and after a call may take one each.
    assert len(groups) - before <= 3 + 2 * 3
    assert [row.feedings for row in await chat.rows(direction="in")] == [1, 1, 1]


async def test_a_farewell_goes_before_what_was_taken_ahead(start: StartEngine, gate: threading.Event) -> None:
    _, chat, lane = await with_three_waiting(start)
    gate.clear()
    Diary.may_go_on.set()
    await until(lambda: lane._ahead is not None, "the next one's beginning")
    ending = asyncio.create_task(lane.end("closed"))
    await asyncio.sleep(0)
    gate.set()
    assert await ending
    await chat.heard(3)
    assert Diary.pages == ["1", "closed", "2", "3"]
    assert [row.feedings for row in await chat.rows(direction="in", kind="message")] == [1, 1, 1]


async def test_who_stops_begins_nothing_more(start: StartEngine, gate: threading.Event) -> None:
    engine, _, lane = await with_three_waiting(start)
    gate.clear()
    Diary.may_go_on.set()
    await until(lambda: lane._ahead is not None, "the next one's beginning")
    stopping = asyncio.create_task(stop(engine))
    await until(lambda: engine.draining, "the stop")
    gate.set()
    await stopping
    assert Diary.pages[0] == "1"
    assert "2" not in Diary.pages
    rows = [
        (row.status, row.feedings)
        async for row in Message.objects.filter(kind="message", direction="in").order_by("pk")
    ]
    assert rows == [(Status.DONE, 1), (Status.RECEIVED, 0), (Status.RECEIVED, 0)]


async def test_an_end_that_cannot_be_written_leaves_the_next_one_waiting(
    start: StartEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, chat, _ = await with_three_waiting(start)
    settle, failures = Settle.apply, [RuntimeError("once"), RuntimeError("and alone")]

    def failing(self: Settle, group: Any) -> bool:
        if failures:
            raise failures.pop()
        return settle(self, group)

    monkeypatch.setattr(Settle, "apply", failing)
    Diary.may_go_on.set()

    async def all_done() -> bool:
        return len(await chat.rows(direction="in", status=Status.DONE)) == 3

    await eventually(all_done, "all of them")
    assert [page.removesuffix(" again") for page in Diary.pages if page[0].isdigit()] == ["1", "1", "2", "3"]
