"""The end of one scope and the beginning of the next: blocks and closes at awkward moments."""

import asyncio
import threading
from collections.abc import Callable
from typing import Any

import pytest
from channels.consumer import AsyncConsumer
from channels.exceptions import StopConsumer
from channels.layers import get_channel_layer

from gateway import writer
from gateway.errors import Refused
from gateway.models import Conversation, Status
from gateway.transcript import Accept, Begin
from gateway.writer import run_group
from tests.communicator import Chat, eventually, until
from tests.engine_moments import conversation, outside, until_all_sent, until_closed, until_in_hand
from tests.engines import StartEngine, start

__all__ = ["start"]

pytestmark = pytest.mark.django_db(transaction=True)


class Counter(AsyncConsumer):
    """Says how many messages its scope has had, and whether this instance resumes it. Has no farewell."""

    async def telegram_message(self, message: dict[str, Any]) -> None:
        session = self.scope["session"]
        session["count"] = session.get("count", 0) + 1
        await self.send({"type": "telegram.message", "text": f"{session['count']} {self.scope['resumed']}"})


# Blocked


async def test_a_block_without_farewell_ends_instance_and_scope(start: StartEngine) -> None:
    chat = Chat(await start(Counter.as_asgi()), 1)
    await chat.says("a")
    await chat.settled()
    for blocked in (True, False):
        await chat.engine.accept([chat.inbound(kind="update", method="my_chat_member", blocked=blocked)])
    assert not (await conversation()).open
    await chat.says("b")
    assert await chat.heard(2) == ["1 False", "1 False"]


async def test_a_block_found_out_by_sending_ends_instance_and_scope(start: StartEngine) -> None:
    engine = await start(Counter.as_asgi())
    outside(engine).faults = [Refused("blocked", blocked=True)]
    chat = Chat(engine, 1)
    await chat.says("a")
    await chat.settled()
    await until_closed()
    await chat.says("b")
    assert await chat.heard(1) == ["1 False"]


async def test_several_sends_refused_by_a_block_make_one_farewell(start: StartEngine) -> None:
    all_refused = asyncio.Event()

    class Talkative(AsyncConsumer):
        async def telegram_message(self, message: dict[str, Any]) -> None:
            for part in "abc":
                await self.send({"type": "telegram.message", "text": part})

        async def telegram_disconnect(self, event: dict[str, Any]) -> None:
            await all_refused.wait()

    engine = await start(Talkative.as_asgi())
    outside(engine).faults = [Refused("blocked", blocked=True) for _ in range(3)]
    chat = Chat(engine, 1)
    await chat.says("x")

    async def farewell_begun() -> bool:
        return bool(await chat.rows(kind="disconnect"))

    await eventually(farewell_begun, "the farewell")
    rows = await until_all_sent(chat)
    assert [row.status for row in rows] == [Status.FAILED] * 3
    all_refused.set()
    await chat.settled()
    assert [row.payload["code"] for row in await chat.rows(kind="disconnect")] == ["blocked"]
    await until_closed()


# Closed


def gated_begin(gate: threading.Event) -> Callable[..., Any]:
    """The writer's work, held up before a row is marked as in hand, as it comes or later."""

    def gated(operations: list[Any], *how: Any) -> Any:
        if any(isinstance(operation, Accept | Begin) for operation in operations):
            gate.wait(10)
        return run_group(operations, *how)

    return gated


class LayerCounter(Counter):
    async def telegram_message(self, message: dict[str, Any]) -> None:
        await self.channel_layer.group_add("scopes", self.channel_name)
        await super().telegram_message(message)

    async def scopes_end(self, event: dict[str, Any]) -> None:
        raise StopConsumer


async def test_a_row_that_is_being_begun_as_the_application_ends_opens_the_next_scope(
    start: StartEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = await start(LayerCounter.as_asgi())
    chat, gate = Chat(engine, 1), threading.Event()
    await chat.says("a")
    await chat.settled()
    lane = engine.lanes.known((await conversation()).pk)
    assert lane is not None
    monkeypatch.setattr(writer, "run_group", gated_begin(gate))
    saying = asyncio.create_task(chat.says("b"))
    await asyncio.sleep(0)
    layer = get_channel_layer()
    assert layer is not None
    await layer.group_send("scopes", {"type": "scopes.end"})
    await until(lambda: not lane.alive, "the end of the instance")
    gate.set()
    await saying
    assert await chat.heard(2) == ["1 False", "1 False"]
    await chat.settled()
    assert (await conversation()).open


class ClosingLater(Counter):
    """Closes its scope from a task of its own, when `gate` is set."""

    gate: asyncio.Event
    tasks: list[asyncio.Task[None]]

    async def telegram_message(self, message: dict[str, Any]) -> None:
        await super().telegram_message(message)
        if message["text"] in ("close", "stop"):
            self.tasks.append(asyncio.create_task(self.close_later()))
        if message["text"] == "stop":
            raise StopConsumer

    async def close_later(self) -> None:
        await self.gate.wait()
        await self.send({"type": "telegram.close"})

    @classmethod
    async def closed(cls) -> None:
        """Returns once every close is asked for."""
        cls.gate.set()
        await asyncio.gather(*cls.tasks)
        await asyncio.sleep(0)


@pytest.fixture
async def closing_later() -> type[ClosingLater]:
    return type("ClosingLater", (ClosingLater,), {"gate": asyncio.Event(), "tasks": []})


async def test_a_row_that_is_being_begun_as_the_bot_closes_opens_the_next_scope(
    start: StartEngine, closing_later: type[ClosingLater], monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = await start(closing_later.as_asgi())
    chat, gate = Chat(engine, 1), threading.Event()
    await chat.says("close")
    await chat.settled()
    monkeypatch.setattr(writer, "run_group", gated_begin(gate))
    saying = asyncio.create_task(chat.says("b"))
    await asyncio.sleep(0)
    await closing_later.closed()
    gate.set()
    await saying
    assert await chat.heard(2) == ["1 False", "1 False"]
    await chat.settled()
    assert (await conversation()).open


async def test_a_late_close_of_an_ended_scope_leaves_the_next_one_open(
    start: StartEngine, closing_later: type[ClosingLater]
) -> None:
    engine = await start(closing_later.as_asgi())
    chat = Chat(engine, 1)
    await chat.says("stop", "next")
    await chat.settled()
    await closing_later.closed()
    await engine.writer.written()
    assert (await conversation()).open
    await chat.says("again")
    assert await chat.heard(3) == ["1 False", "1 False", "2 False"]


async def test_an_end_from_outside_lets_the_handler_finish(start: StartEngine) -> None:
    gate = asyncio.Event()

    class Slow(Counter):
        async def telegram_message(self, message: dict[str, Any]) -> None:
            await gate.wait()
            await super().telegram_message(message)

    engine = await start(Slow.as_asgi())
    chat = Chat(engine, 1)
    await chat.says("a")
    await until_in_hand(chat)
    lane = engine.lanes.known((await conversation()).pk)
    assert lane is not None
    await until(lambda: lane.alive, "the instance")
    assert await lane.end("closed")
    gate.set()
    await chat.says("b")
    assert await chat.heard(2) == ["1 False", "1 False"]
    assert [row.status for row in await chat.settled()] == [Status.DONE, Status.DONE]


async def test_the_instance_of_a_deleted_conversation_ends_with_its_time(start: StartEngine) -> None:
    engine = await start(Counter.as_asgi(), CONVERSATION_TIMEOUT=0.1)
    chat = Chat(engine, 1)
    await chat.says("a")
    await chat.heard(1)
    await chat.settled()
    await Conversation.objects.all().adelete()
    await until(lambda: not len(engine.lanes), "the lane to be forgotten")
