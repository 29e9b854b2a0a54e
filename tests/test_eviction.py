"""Idle instances leave the process, and nobody notices: what they keep is in the session."""

import asyncio
import gc
import threading
import time
from typing import Any

import pytest
from channels.consumer import AsyncConsumer, SyncConsumer

from gateway.engine import Engine
from gateway.models import Conversation, Kind, Message
from tests.communicator import Chat, eventually, until
from tests.engine_moments import stop
from tests.engines import StartEngine, start

__all__ = ["start"]

pytestmark = pytest.mark.django_db(transaction=True)


class Counting(SyncConsumer):
    state_in_session = True

    def telegram_message(self, message: dict[str, Any]) -> None:
        session = self.scope["session"]
        session["heard"] = session.get("heard", 0) + 1
        resumed = " resumed" if self.scope["resumed"] else ""
        self.send({"type": "telegram.message", "text": f"{message['text']} {session['heard']}{resumed}"})


class CountingAsync(AsyncConsumer):
    state_in_session = True

    async def telegram_message(self, message: dict[str, Any]) -> None:
        session = self.scope["session"]
        session["heard"] = session.get("heard", 0) + 1
        resumed = " resumed" if self.scope["resumed"] else ""
        await self.send({"type": "telegram.message", "text": f"{message['text']} {session['heard']}{resumed}"})


class Keeping(Counting):
    state_in_session = False


BOTH = pytest.mark.parametrize("consumer", [Counting, CountingAsync])


async def talked(engine: Engine, *users: int, says: str = "hello") -> list[Chat]:
    """So many people who have each had an answer, one after the other, and are silent now."""
    chats = [Chat(engine, user) for user in users]
    for chat in chats:
        await chat.says(says)
        await chat.settled()
    await until(lambda: not any(lane.at_work for lane in engine.lanes.all()), "silence")
    return chats


def live(engine: Engine) -> int:
    return sum(lane.alive for lane in engine.lanes.all())


@BOTH
async def test_the_idlest_instances_go_and_come_back_with_their_session(start: StartEngine, consumer: Any) -> None:
    engine = await start(consumer.as_asgi(), IDLE_INSTANCES_MAX=2)
    chats = await talked(engine, 1, 2, 3, 4, 5)
    assert (live(engine), len(engine.lanes), engine.lanes.evicted) == (2, 2, 3)
    await chats[0].says("again")
    assert await chats[0].heard(2) == ["hello 1", "again 2 resumed"]
    await chats[4].says("again")
    assert await chats[4].heard(2) == ["hello 1", "again 2"]
    assert len(await chats[0].rows(direction="in", feedings=1)) == 2


async def test_a_bot_that_says_nothing_of_its_session_stays(start: StartEngine) -> None:
    engine = await start(Keeping.as_asgi(), IDLE_INSTANCES_MAX=0)
    await talked(engine, 1, 2, 3)
    assert (live(engine), engine.lanes.evicted) == (3, 0)


@BOTH
async def test_words_at_the_very_moment_of_the_eviction_are_answered_once(start: StartEngine, consumer: Any) -> None:
    """Everybody is let go as soon as they fall silent, and speaks at any moment around it."""
    engine = await start(consumer.as_asgi(), IDLE_INSTANCES_MAX=0)
    chats = [Chat(engine, user) for user in range(1, 9)]

    async def talk(chat: Chat) -> None:
        for number in range(25):
            await chat.says(str(number))
            await asyncio.sleep(0.0007 * (number * chat.user % 13))

    await asyncio.gather(*map(talk, chats))
    for chat in chats:
        heard = await chat.heard(25)
        assert [said.split()[:2] for said in heard] == [[str(n), str(n + 1)] for n in range(25)]
    assert engine.lanes.evicted
    assert not await Message.objects.filter(direction="in", feedings__gt=1).aexists()


async def test_a_press_after_an_eviction_is_answered_once(start: StartEngine) -> None:
    class Pressed(SyncConsumer):
        state_in_session = True

        def chat_received_message(self, message: dict[str, Any]) -> None:
            self.send({"type": "chat.send_message", "text": "go"})

        def chat_button(self, message: dict[str, Any]) -> None:
            self.send({"type": "chat.send_message", "text": "pressed"})

    engine = await start(Pressed.as_asgi(), IDLE_INSTANCES_MAX=0)
    (chat,) = await talked(engine, 1)
    await chat.presses("x")
    await chat.heard(2)
    await chat.settled()
    assert len(await chat.rows(method="answer_callback_query")) == 1


async def test_the_silence_of_who_was_let_go_ends_once_and_on_time(start: StartEngine) -> None:
    class Farewell(Counting):
        def telegram_disconnect(self, message: dict[str, Any]) -> None:
            self.send({"type": "telegram.message", "text": f"{message['code']} {self.scope['session']['heard']}"})

    engine = await start(Farewell.as_asgi(), IDLE_INSTANCES_MAX=0, CONVERSATION_TIMEOUT=1.0)
    chats = [Chat(engine, user) for user in (1, 2, 3)]
    spoke = {}
    for chat in chats:
        await chat.says("hello")
        await chat.settled()
        spoke[chat.user] = time.monotonic()
    assert live(engine) == 0
    for chat in chats:
        assert (await chat.heard(2))[1] == "idle 1"
        assert 0.7 < time.monotonic() - spoke[chat.user] < 2.5

    async def ended() -> bool:
        return not await Conversation.objects.filter(open=True).aexists()

    await eventually(ended, "the ends")
    await asyncio.sleep(1.5)
    assert await Message.objects.filter(kind=Kind.DISCONNECT).acount() == 3
    assert (len(engine.lanes), len(engine.deadlines)) == (0, 0)


async def test_a_slow_handler_is_not_let_go(start: StartEngine) -> None:
    release = threading.Event()

    class Slow(SyncConsumer):
        state_in_session = True

        def telegram_message(self, message: dict[str, Any]) -> None:
            if message["text"] == "slow":
                release.wait(10)
            self.send({"type": "telegram.message", "text": message["text"]})

    engine = await start(Slow.as_asgi(), IDLE_INSTANCES_MAX=0)
    slow = Chat(engine, 1)
    await slow.says("slow")
    await talked_beside(engine, 2, 3, 4)
    assert [lane.at_work for lane in engine.lanes.all()] == [True]
    release.set()
    assert await slow.heard(1) == ["slow"]
    await until(lambda: not len(engine.lanes), "the eviction")


async def talked_beside(engine: Engine, *users: int) -> None:
    for user in users:
        chat = Chat(engine, user)
        await chat.says("quick")
        await chat.heard(1)
    await until(lambda: len(engine.lanes) == 1, "the others' eviction")


async def test_what_was_noted_after_the_settlement_is_not_lost(start: StartEngine) -> None:
    """A session that was changed and not yet settled keeps its instance, whatever the bot says of itself."""

    class Later(AsyncConsumer):
        state_in_session = True

        async def telegram_message(self, message: dict[str, Any]) -> None:
            session = self.scope["session"]
            asyncio.get_running_loop().call_later(0.0, lambda: session.update(late=True))
            await self.send({"type": "telegram.message", "text": str(session)})

    engine = await start(Later.as_asgi(), IDLE_INSTANCES_MAX=0)
    (chat,) = await talked(engine, 1)
    await chat.says("again")
    assert await chat.heard(2) == ["{}", "{'late': True}"]


async def test_an_operator_holds_who_was_let_go(start: StartEngine, django_user_model: Any) -> None:
    class Resuming(Counting):
        def telegram_resume(self, message: dict[str, Any]) -> None:
            said = " ".join(one["text"] for one in message["messages"])
            self.send({"type": "telegram.message", "text": f"{said} {self.scope['session']['heard']}"})

    operator = await django_user_model.objects.acreate(username="ada", is_staff=True)
    engine = await start(Resuming.as_asgi(), IDLE_INSTANCES_MAX=0)
    (chat,) = await talked(engine, 1)
    assert live(engine) == 0
    uuid = str((await Conversation.objects.aget()).uuid)
    await engine.take(uuid, operator)
    await chat.says("a human?")
    await engine.say(uuid, operator, client_id="1", text="yes", seen=9)
    await engine.release(uuid, operator)
    assert await chat.heard(3) == ["hello 1", "yes", "a human? yes 1"]
    await until(lambda: not len(engine.lanes), "the eviction")


@BOTH
async def test_who_is_let_go_leaves_nothing_for_the_garbage_collector(start: StartEngine, consumer: Any) -> None:
    engine = await start(consumer.as_asgi(), IDLE_INSTANCES_MAX=0)
    await talked(engine, *range(1, 6))
    gc.collect()
    gc.disable()
    try:
        await talked(engine, *range(10, 40))
        await asyncio.sleep(0.1)
        left = gc.collect() / 30
    finally:
        gc.enable()
    assert left < 30, f"{left} objects each; with the frames of its application they are a hundred"


async def test_a_restart_after_an_eviction_goes_on(start: StartEngine) -> None:
    engine = await start(Counting.as_asgi(), IDLE_INSTANCES_MAX=1)
    await talked(engine, 1, 2, 3)
    await stop(engine)
    engine = await start(Counting.as_asgi(), IDLE_INSTANCES_MAX=1)
    for user in (1, 2, 3):
        chat = Chat(engine, user)
        await chat.says("again")
        assert await chat.heard(1) == ["again 2 resumed"]
