"""What the engine does where the database refuses, hesitates or is another one's, and where the clock is changed."""

import asyncio
import threading
import time
from datetime import timedelta
from typing import Any

import pytest
from channels.consumer import SyncConsumer
from django.db import OperationalError
from django.utils import timezone

from bots.chatty import ChattyBotConsumer
from gateway import engine as front_door
from gateway import writer
from gateway.errors import NotReady
from gateway.metrics import refusals
from gateway.models import Conversation, Message, Node
from gateway.transcript import Say
from gateway.types import Outbound
from tests.communicator import Chat, eventually, until
from tests.engine_moments import conversation, gate, groups, outside, until_closed
from tests.engines import StartEngine, start

__all__ = ["gate", "groups", "start"]

pytestmark = pytest.mark.django_db(transaction=True)


async def test_over_capacity_is_refused_at_once_and_counted(
    start: StartEngine, gate: threading.Event, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(front_door, "LONGEST_QUEUE", 5)
    monkeypatch.setattr(front_door, "ACCEPT_SECONDS", 15)
    engine = await start(ChattyBotConsumer.as_asgi())
    chats = [Chat(engine, n) for n in range(20)]
    before = refusals["accept", "writer_full"]
    gate.clear()
    asked = [asyncio.ensure_future(chat.says("hi")) for chat in chats]
    await until(lambda: sum(one.done() for one in asked) >= 10, "refusals")
    refused = [one for one in asked if one.done()]
    gate.set()
    answers = await asyncio.gather(*asked, return_exceptions=True)
    assert all(isinstance(one.exception(), NotReady) for one in refused)
    assert refusals["accept", "writer_full"] - before == len(refused)
    kept = {chat.user for chat, answer in zip(chats, answers, strict=True) if not isinstance(answer, BaseException)}
    for user in kept:
        assert await chats[user].heard(1) == ["You said: hi"]
    rows = await engine.read(
        lambda: set(Message.objects.filter(direction="in").values_list("conversation__key", flat=True))
    )
    assert rows == {f"chat:{user}" for user in kept}, "an acknowledged word is missing, or a refused one is there"


async def test_what_nobody_waits_for_any_more_leaves_the_queue(
    start: StartEngine, gate: threading.Event, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While the database is away Telegram brings the same updates again and again."""
    monkeypatch.setattr(front_door, "ACCEPT_SECONDS", 0.05)
    engine = await start(ChattyBotConsumer.as_asgi())
    gate.clear()
    first = asyncio.ensure_future(Chat(engine, 1).says("in hand"))
    await until(lambda: engine.writer.stuck_for > 0, "a writer that waits")
    again = [Chat(engine, 2).inbound(str(number)) for number in range(50)]
    for _ in range(5):
        with pytest.raises(NotReady):
            await engine.accept(again)
    await until(lambda: engine.writer.waiting == 0, "an empty queue", lambda: engine.writer.waiting)
    monkeypatch.setattr(front_door, "ACCEPT_SECONDS", 10)
    kept = asyncio.ensure_future(engine.accept(again))
    await until(lambda: engine.writer.waiting == 50, "those that are waited for")
    gate.set()
    assert len(await kept) == 50
    assert await Chat(engine, 2).heard(50) == [f"You said: {number}" for number in range(50)]
    assert await engine.read(lambda: Message.objects.filter(direction="in", conversation__key="chat:2").count()) == 50
    await asyncio.gather(first, return_exceptions=True)


async def test_whoever_is_cancelled_while_words_wait_is_not_told_that_it_took_too_long(
    start: StartEngine, gate: threading.Event
) -> None:
    engine = await start(ChattyBotConsumer.as_asgi())
    gate.clear()
    asked = asyncio.ensure_future(Chat(engine, 1).says("hi"))
    await until(lambda: engine.writer.stuck_for > 0, "a writer that waits")
    asked.cancel()
    await asyncio.wait([asked], timeout=10)
    assert asked.cancelled()
    gate.set()


async def test_what_waits_is_marked_with_the_end_of_what_it_waited_for(start: StartEngine, groups: list[str]) -> None:
    engine = await start(ChattyBotConsumer.as_asgi())
    outside(engine).delay = 0.02
    chat = Chat(engine, 1)
    (receipt,) = await engine.accept([chat.inbound("hi", method="nobody_handles")])
    texts = [str(number) for number in range(5)]
    said = (Say(receipt.conversation, Outbound("message", "send_message", {"text": text}, text)) for text in texts)
    await asyncio.gather(*map(engine.submit, said))
    assert await chat.heard(5) == texts
    await engine.writer.written()
    assert sum(group.startswith("sending sent") for group in groups) == 4
    assert sum("sending" in group for group in groups) == 5


async def test_that_an_answer_is_out_is_written_with_what_comes_next(
    start: StartEngine, groups: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(front_door, "COMPANY_SECONDS", 30)
    chat = Chat(await start(ChattyBotConsumer.as_asgi()), 1)
    for number in range(3):
        await chat.says(f"{number}")
        await chat.heard(number + 1)
    echo = ["Accept", "Say Settle", "sent Accept", "Say Settle", "sent Accept", "Say Settle"]
    assert [group for group in groups if "Say" in group or "Accept" in group] == echo


async def test_nothing_waits_in_its_lane_for_company(
    start: StartEngine, groups: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(front_door, "COMPANY_SECONDS", 30)

    class TalkativeConsumer(SyncConsumer):
        def telegram_message(self, message: dict[str, Any]) -> None:
            for number in range(3):
                self.send({"type": "telegram.message", "text": str(number)})

    chat = Chat(await start(TalkativeConsumer.as_asgi()), 1)
    await chat.says("hi")
    assert await chat.heard(3) == ["0", "1", "2"]
    assert groups.count("sending sent") == 2, "the last one alone has nothing behind it"
    assert groups.count("sent") == 0


async def test_without_its_lease_nothing_is_written(start: StartEngine) -> None:
    engine = await start(ChattyBotConsumer.as_asgi())
    chat = Chat(engine, 1)
    await chat.says("before")
    await chat.settled()
    rows = await engine.read(lambda: Message.objects.count())
    await Node.objects.all().adelete()
    with pytest.raises(NotReady):
        await chat.says("after")
    assert engine.writer.lost
    await asyncio.wait_for(engine.lost.wait(), 10)
    assert engine.draining
    assert await engine.read(lambda: Message.objects.count()) <= rows + 1  # The answer to "before" may come last.
    assert not await engine.read(lambda: Message.objects.filter(text="after").exists())


async def test_a_database_that_hesitates_is_told_of(
    start: StartEngine, gate: threading.Event, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(front_door, "ACCEPT_SECONDS", 0.1)
    monkeypatch.setattr(writer, "SLOW_SECONDS", 0.3)
    engine = await start(ChattyBotConsumer.as_asgi())
    assert "database" not in engine.health()
    gate.clear()
    with pytest.raises(NotReady):
        await Chat(engine, 1).says("hi")
    await until(lambda: "takes no words" in engine.health().get("database", ""), "the trouble")
    gate.set()
    await until(lambda: "database" not in engine.health(), "its end")


async def test_whoever_reads_is_not_kept_waiting(start: StartEngine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(front_door, "READ_SECONDS", 0.1)
    monkeypatch.setattr(front_door, "UNREAD_SECONDS", 1.0)
    engine = await start(ChattyBotConsumer.as_asgi())
    asked: list[int] = []
    over = threading.Event()
    try:
        with pytest.raises(OperationalError):
            await engine.read(over.wait, 10)
        with pytest.raises(OperationalError):
            await engine.read(asked.append, 1)
        assert not asked, "asked again although it has just failed to answer"
        await asyncio.sleep(1)

        async def answers() -> bool:
            try:
                await engine.read(asked.append, 2)
            except OperationalError:
                return False
            return True

        await eventually(answers, "an answer")
    finally:
        over.set()


async def test_the_end_by_silence_outlives_a_database_that_is_away(
    start: StartEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(front_door, "UNREAD_SECONDS", 0.2)
    engine = await start(ChattyBotConsumer.as_asgi(), CONVERSATION_TIMEOUT=0.3)
    reads: list[object] = []
    read = engine.read

    async def fail_first(function: Any, *args: Any) -> Any:
        if getattr(function, "__name__", "") == "by_pk":
            reads.append(function)
            if len(reads) < 3:
                raise OperationalError("away")
        return await read(function, *args)

    monkeypatch.setattr(engine, "read", fail_first)
    monkeypatch.setattr(engine.lanes, "known", lambda pk: None)
    chat = Chat(engine, 1)
    await chat.says("hi")
    await chat.settled()
    await until_closed()
    assert len(reads) >= 3


@pytest.mark.parametrize("hours", [1, -1])
async def test_a_clock_that_is_changed_ends_no_scope(
    start: StartEngine, monkeypatch: pytest.MonkeyPatch, hours: int
) -> None:
    engine = await start(ChattyBotConsumer.as_asgi(), CONVERSATION_TIMEOUT=600)
    chats = [Chat(engine, n) for n in range(5)]
    for chat in chats:
        await chat.says("hi")
        await chat.settled()
    now = timezone.now
    monkeypatch.setattr(timezone, "now", lambda: now() + timedelta(hours=hours))
    await asyncio.sleep(4 * front_door.TICK_SECONDS)
    assert await engine.read(lambda: Conversation.objects.filter(open=True).count()) == 5
    monkeypatch.setattr(engine, "time", lambda: time.monotonic() + 580)
    await asyncio.sleep(2 * front_door.TICK_SECONDS)
    assert await engine.read(lambda: Conversation.objects.filter(open=True).count()) == 5
    monkeypatch.setattr(engine, "time", lambda: time.monotonic() + 602)

    async def all_closed() -> bool:
        return not await engine.read(lambda: Conversation.objects.filter(open=True).exists())

    await eventually(all_closed, "their end when their time has come")


async def test_a_clock_that_was_set_back_while_it_was_down_lengthens_no_scope(start: StartEngine) -> None:
    engine = await start(ChattyBotConsumer.as_asgi(), CONVERSATION_TIMEOUT=600)
    chat = Chat(engine, 1)
    await chat.says("hi")
    await chat.settled()
    await engine.stop()
    engine._node = None
    await Conversation.objects.aupdate(deadline=timezone.now() + timedelta(hours=2))
    engine = await start(ChattyBotConsumer.as_asgi(), CONVERSATION_TIMEOUT=0.5)
    await until_closed()
    assert not (await conversation()).open


class Rounding:
    """A loop as uvloop is: what is due in less than half a millisecond is no timer, and knows no time."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop

    def __getattr__(self, name: str) -> Any:
        return getattr(self._loop, name)

    def call_at(self, when: float, callback: Any) -> asyncio.Handle:
        return self._loop.call_soon(callback)


async def test_a_timer_that_knows_no_time_keeps_nothing_from_its_commit(
    start: StartEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = await start(ChattyBotConsumer.as_asgi())
    chat = Chat(engine, 1)
    await chat.says("hi")
    pk = (await conversation()).pk
    monkeypatch.setattr(engine.writer, "_loop", Rounding(asyncio.get_running_loop()))
    words = Outbound("message", "send_message", {"text": "more"}, "more")
    said = [engine.say_later(Say(pk, words)) for _ in range(3)]
    await asyncio.gather(*said)
