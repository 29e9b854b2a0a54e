"""The end of one process and the beginning of the next: the drain, what is left in the rows, and who goes first."""

import asyncio
import time
from typing import Any

import pytest
from asgiref.sync import sync_to_async
from channels.consumer import AsyncConsumer
from django.db import OperationalError

from bots.chatty import ChattyBotConsumer
from gateway import engine as engine_module
from gateway import leaving, node, queries, writer
from gateway.errors import Later, NotReady
from gateway.models import Message, Node, Status
from gateway.transcript import Accept, End
from gateway.types import Delivery, Sent
from gateway.writer import commit_here
from tests.communicator import Chat, Outside, eventually, until
from tests.engine_moments import conversation, outside, stop
from tests.engines import StartEngine, start

__all__ = ["start"]

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def short_drain(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine_module, "DRAIN_SECONDS", 1.0)
    monkeypatch.setattr(engine_module, "FAREWELL_SECONDS", 0.8)


async def left(direction: str, column: str) -> list[Any]:
    """What the rows of that direction hold after a stop."""
    rows = Message.objects.filter(direction=direction).order_by("pk")
    return [value async for value in rows.values_list(column, flat=True)]


# The stop


class NeverDone(AsyncConsumer):
    async def telegram_message(self, message: dict[str, Any]) -> None:
        await self.send({"type": "telegram.message", "text": "begun"})
        await asyncio.Event().wait()


@pytest.mark.usefixtures("short_drain")
async def test_a_handler_that_outlasts_the_drain_stays_in_hand_without_apology(start: StartEngine) -> None:
    engine = await start(NeverDone.as_asgi())
    chat = Chat(engine, 1)
    await chat.says("x")
    await chat.heard(1)
    await stop(engine)
    assert await left("in", "status") == [Status.IN_HAND]
    assert await left("out", "text") == ["begun"]


class Talkative(AsyncConsumer):
    async def telegram_message(self, message: dict[str, Any]) -> None:
        for number in range(30):
            await self.send({"type": "telegram.message", "text": str(number)})


@pytest.mark.usefixtures("short_drain")
async def test_a_drain_cuts_no_send_off(start: StartEngine) -> None:
    engine = await start(Talkative.as_asgi())
    outside(engine).delay = 0.1
    chat = Chat(engine, 1)
    await chat.says("x")
    await chat.heard(1)
    await stop(engine)
    assert set(await left("out", "status")) == {Status.SENT, Status.QUEUED}


async def test_a_stop_without_database_asks_it_no_more(start: StartEngine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine_module, "DRAIN_SECONDS", 0.1)
    engine = await start(ChattyBotConsumer.as_asgi())
    chat, attempts = Chat(engine, 1), []
    await chat.says("a")
    await chat.settled()
    pk = (await conversation()).pk

    def away(*arguments: Any) -> None:
        attempts.append(len(arguments[0]))
        raise OperationalError("the database is away")

    monkeypatch.setattr(writer, "run_group", away)
    ends = [engine.submit(End(pk, "closed", farewell=False)) for _ in range(200)]
    await until(lambda: attempts, "the first attempt")
    await stop(engine)
    refused = await asyncio.gather(*ends, return_exceptions=True)
    assert {type(error) for error in refused} == {NotReady}
    assert len(attempts) < 50


# The start


async def accepted_elsewhere(chat: Chat, text: str) -> None:
    """As if a process had died between the row's commit and its feeding."""
    await sync_to_async(commit_here)(Accept(chat.inbound(text), handled=True, farewell=False))


async def test_what_the_last_process_had_queued_goes_first(start: StartEngine, monkeypatch: pytest.MonkeyPatch) -> None:
    engine = await start(ChattyBotConsumer.as_asgi())
    outside(engine).faults = [Later("wait", 60)]
    chat = Chat(engine, 1)
    await chat.says("first")

    async def refused() -> bool:
        return bool(await chat.rows(status=Status.QUEUED, sends=1))

    await eventually(refused, "the refusal")
    await stop(engine)
    await Message.objects.filter(direction="out").aupdate(due_at=None)
    await accepted_elsewhere(chat, "second")
    of_stream = leaving.of_stream

    def slowly(*asked: Any) -> Any:
        time.sleep(0.2)
        return of_stream(*asked)

    monkeypatch.setattr(leaving, "of_stream", slowly)
    chat = Chat(await start(ChattyBotConsumer.as_asgi()), 1)
    assert await chat.heard(2) == ["You said: first", "You said: second"]


async def test_nothing_is_delivered_before_its_protocol_has_started(
    start: StartEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = await start(ChattyBotConsumer.as_asgi())
    chat = Chat(engine, 1)
    await stop(engine)
    await accepted_elsewhere(chat, "a")
    started, deliver = [], Outside.deliver
    seen: list[bool] = []

    async def starts_late(self: Outside) -> None:
        async def said() -> bool:
            return bool(await chat.rows(direction="out"))

        chat.engine = self.engine
        await eventually(said, "the answer in the outbox")
        await asyncio.sleep(0.05)
        started.append(self.scope_type)

    async def noting(self: Outside, delivery: Delivery) -> Sent:
        seen.append("telegram" in started)
        return await deliver(self, delivery)

    monkeypatch.setattr(Outside, "start", starts_late)
    monkeypatch.setattr(Outside, "deliver", noting)
    await Chat(await start(ChattyBotConsumer.as_asgi()), 1).heard(1)
    assert seen == [True]


async def test_a_long_recovery_keeps_the_lease_alive(start: StartEngine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(node, "BEAT_SECONDS", 0.02)
    unsettled, beats = queries.unsettled_conversations, []

    def takes_its_time(*parts: Any) -> Any:
        deadline = time.monotonic() + 5
        while not beats and time.monotonic() < deadline:
            time.sleep(0.02)
            beats.extend(Node.objects.filter(beat__gt=0).values_list("beat", flat=True))
        return unsettled(*parts)

    monkeypatch.setattr(queries, "unsettled_conversations", takes_its_time)
    await start(ChattyBotConsumer.as_asgi())
    assert beats
