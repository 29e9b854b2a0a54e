"""The straight way outside, where it ends as it should and where it must give what it has to whoever has patience."""

import asyncio
import logging
import time
from collections.abc import Callable
from typing import Any

import pytest
from channels.consumer import AsyncConsumer

from bots.chatty import ChattyBotConsumer
from gateway import outbox, writer
from gateway.engine import Engine
from gateway.errors import Flooded, Later, Refused, Unknown
from gateway.models import Conversation, Message, Status
from gateway.outbox import Outbox
from gateway.transcript import Mark
from gateway.writer import run_group
from tests.communicator import Chat, Outside, until
from tests.engine_moments import outside, stop, until_all_sent
from tests.engines import StartEngine, start

__all__ = ["start"]

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def steps(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What lanes' tasks had in hand: the words of each of their steps."""
    seen: list[str] = []
    advance = Outbox._advance

    async def noted(self: Outbox, lane: Any, rest: Any) -> None:
        seen.extend(self.rows[pk].text for pk in list(lane.rows)[:1])
        await advance(self, lane, rest)

    monkeypatch.setattr(Outbox, "_advance", noted)
    return seen


async def calling(engine: Engine) -> None:
    await until(lambda: bool(engine.outbox._straight._calls), "a call on the straight way")


async def test_an_answer_takes_no_task(start: StartEngine, steps: list[str]) -> None:
    engine = await start(ChattyBotConsumer.as_asgi())
    chat = Chat(engine, 1)
    await chat.says("a")
    await until_sent(chat, 1)
    await until(lambda: not engine.outbox._backlog.lanes(), "the end of its lane")
    assert (steps, len(engine.outbox)) == ([], 0)


async def until_sent(chat: Chat, many: int) -> list[Message]:
    await chat.heard(many)
    return await until_all_sent(chat)


async def test_what_comes_under_a_call_goes_straight_behind_it(start: StartEngine, steps: list[str]) -> None:
    """Each is marked with the end of the one before it."""
    engine = await start(ChattyBotConsumer.as_asgi())
    chat = Chat(engine, 1)
    outside(engine).delay = 0.1
    await chat.says(*map(str, range(6)))
    await until_sent(chat, 6)
    assert chat._texts() == [f"You said: {number}" for number in range(6)]
    assert steps == []


class Late(AsyncConsumer):
    """Says something once the outside has what was said before, and before anybody could write that down."""

    before: Callable[[], bool]

    async def telegram_message(self, message: dict[str, Any]) -> None:
        if message["text"] == "late":
            await until(self.before, "the answer before")
        await self.send({"type": "telegram.message", "text": message["text"]})


async def test_an_end_that_is_on_its_way_to_the_writer_keeps_nothing(
    start: StartEngine, steps: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever is said from then on is written behind it."""
    monkeypatch.setattr("gateway.engine.COMPANY_SECONDS", 1.0)
    engine = await start(Late.as_asgi())
    lanes = engine.outbox._backlog.lanes
    monkeypatch.setattr(Late, "before", lambda _: any(lane.ending for lane in lanes()), raising=False)
    outside(engine).delay = 0.3
    chat = Chat(engine, 1)
    await chat.says("early", "late")
    early, late = await until_sent(chat, 2)
    assert chat._texts() == ["early", "late"]
    assert steps == []
    assert (early.status, late.status, late.sends) == (Status.SENT, Status.SENT, 1)


async def test_what_was_queued_takes_patience_once(start: StartEngine, steps: list[str]) -> None:
    engine = await start(ChattyBotConsumer.as_asgi())
    chat = Chat(engine, 1)
    outside(engine).faults = [Later("wait", 0.3)]
    await chat.says(*map(str, range(4)))
    await until_sent(chat, 4)
    assert chat._texts() == [f"You said: {number}" for number in range(4)]
    assert set(steps) == {"You said: 0"}


async def test_nobody_knows_of_a_call_that_was_cut(
    start: StartEngine, monkeypatch: pytest.MonkeyPatch, caplog: Any
) -> None:
    monkeypatch.setattr(outbox, "FIRST_PAUSE_SECONDS", 0.01)
    engine = await start(ChattyBotConsumer.as_asgi())
    chat = Chat(engine, 1)
    outside(engine).faults = [Unknown("cut")]
    await chat.says("a")
    (row,) = await until_sent(chat, 1)
    assert (row.status, row.unknowns, row.sends) == (Status.SENT, 1, 2)
    assert (engine.outbox.unknown, engine.outbox.retried) == (1, 1)
    (told,) = [record for record in caplog.records if getattr(record, "event", "") == "unknown_send"]
    assert (told.row, told.bot, told.protocol) == (row.pk, "bot", "telegram")


async def test_a_429_keeps_the_chat_and_no_other(start: StartEngine) -> None:
    engine = await start(ChattyBotConsumer.as_asgi())
    chat, other = Chat(engine, 1), Chat(engine, 2)
    outside(engine).faults = [Flooded("slowly", 1.5)]
    began = time.monotonic()
    await chat.says("a", "b")
    await other.says("c")
    await until_sent(other, 1)
    assert chat._texts() == []
    rows = await until_sent(chat, 2)
    assert time.monotonic() - began >= 1.5
    assert chat._texts() == ["You said: a", "You said: b"]
    assert engine.outbox.floods == 1
    assert [row.sends for row in rows] == [2, 1]


async def test_a_refusal_ends_its_row_alone(start: StartEngine) -> None:
    engine = await start(ChattyBotConsumer.as_asgi())
    chat = Chat(engine, 1)
    outside(engine).faults = [Refused("no")]
    await chat.says("a")
    await chat.says("b")
    rows = await until_sent(chat, 1)
    assert [(row.status, row.error) for row in rows] == [(Status.FAILED, "no"), (Status.SENT, "")]


async def test_an_end_that_cannot_be_written_is_written_later(
    start: StartEngine, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(outbox, "RETRY_SECONDS", 0.01)
    engine = await start(ChattyBotConsumer.as_asgi())
    chat = Chat(engine, 1)
    left = 2

    def flaky(operations: list[Any], *more: Any) -> Any:
        nonlocal left
        if left and any(isinstance(one, Mark) and one.status == Status.SENT for one in operations):
            left -= 1
            raise ValueError("nobody knows why")
        return run_group(operations, *more)

    monkeypatch.setattr(writer, "run_group", flaky)
    await chat.says("a")
    (row,) = await until_sent(chat, 1)
    await until(lambda: len(engine.outbox) == 0, "an empty outbox")
    assert (row.status, row.sends, row.external_id) == (Status.SENT, 1, 1)
    assert chat._texts() == ["You said: a"]
    assert [record.levelname for record in caplog.records if "could not be written" in record.message] == ["ERROR"] * 2


async def test_a_call_that_cannot_be_begun_is_made_with_patience(
    start: StartEngine, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    engine = await start(ChattyBotConsumer.as_asgi())
    chat, other = Chat(engine, 1), Chat(engine, 2)

    def raises(*_: Any) -> bool:
        raise ValueError("nobody knows why")

    with monkeypatch.context() as patched:
        patched.setattr(Outside, "begin", raises)
        await asyncio.gather(chat.says("a"), other.says("b"))
        await until_sent(chat, 1)
        await until_sent(other, 1)
    assert [record.levelname for record in caplog.records if "could not be begun" in record.message] == ["ERROR"] * 2
    monkeypatch.setattr(Outbox, "submit_end", lambda *_: raises())
    await chat.says("c")
    await until(lambda: "could not go on" in caplog.text, "the patience of its lane")
    monkeypatch.undo()
    await chat.says("d")
    assert await chat.heard(3) == ["You said: a", "You said: c", "You said: d"]


async def test_a_conversation_that_is_deleted_under_the_call(
    start: StartEngine, caplog: pytest.LogCaptureFixture
) -> None:
    engine = await start(ChattyBotConsumer.as_asgi())
    chat, other = Chat(engine, 1), Chat(engine, 2)
    outside(engine).delay = 0.8
    await chat.says("a")
    await calling(engine)
    await engine.read(lambda: Conversation.objects.all().delete())
    await until(lambda: not engine.outbox._backlog.lanes(), "the end of its lane")
    await other.says("b")
    await chat.says("c")
    assert await chat.heard(2) == ["You said: a", "You said: c"]
    assert await other.heard(1) == ["You said: b"]
    assert [record.getMessage() for record in caplog.records if record.levelno >= logging.ERROR] == []


async def test_a_stop_waits_for_the_call_and_its_end(start: StartEngine) -> None:
    engine = await start(ChattyBotConsumer.as_asgi())
    chat = Chat(engine, 1)
    outside(engine).delay = 1.0
    await chat.says("a")
    await calling(engine)
    await stop(engine)
    assert [row.status async for row in Message.objects.filter(direction="out")] == [Status.SENT]
    assert len(outside(engine).sent) == 1


async def test_a_stop_waits_for_what_the_call_gives_to_patience(start: StartEngine) -> None:
    engine = await start(ChattyBotConsumer.as_asgi())
    chat = Chat(engine, 1)
    outside(engine).delay, outside(engine).faults = 1.0, [Later("wait", 60)]
    await chat.says("a")
    await calling(engine)
    await stop(engine)
    row = await Message.objects.aget(direction="out")
    assert (row.status, row.error) == (Status.QUEUED, "wait")
    assert row.due_at is not None


async def test_a_call_that_outlasts_the_stop_stays_in_doubt_and_the_rest_is_put_back(start: StartEngine) -> None:
    engine = await start(ChattyBotConsumer.as_asgi())
    chat = Chat(engine, 1)
    outside(engine).delay = 10.0
    await chat.says("a")
    await calling(engine)
    await chat.says("b")
    await chat.settled()
    await engine.outbox.drain(0.2)
    await engine.writer.written()
    statuses = Message.objects.filter(direction="out").order_by("pk").values_list("status", flat=True)
    assert [status async for status in statuses] == [Status.SENDING, Status.QUEUED]
    assert len(engine.outbox) == 0
    await asyncio.sleep(0)


async def test_a_part_leaves_once_its_call_is_over(start: StartEngine) -> None:
    engine = await start(ChattyBotConsumer.as_asgi())
    chat = Chat(engine, 1)
    outside(engine).delay = 1.0
    await chat.says("a")
    await calling(engine)
    assert await engine.outbox.let_go(engine.members.mine, 0.05)  # It is still under way.
    assert not await engine.outbox.let_go(engine.members.mine, 5)
    assert [row.status for row in await chat.rows(direction="out")] == [Status.SENT]


async def test_who_has_not_moved_for_too_long_calls_no_more(
    start: StartEngine, monkeypatch: pytest.MonkeyPatch, steps: list[str]
) -> None:
    """Somebody else may have the row by now."""
    engine = await start(ChattyBotConsumer.as_asgi())
    chat = Chat(engine, 1)
    dead = True
    monkeypatch.setattr(Engine, "may_be_dead", property(lambda _: dead))
    await chat.says("a")
    await until(lambda: bool(steps), "a lane with patience")
    assert chat._texts() == []
    dead = False
    await until_sent(chat, 1)
