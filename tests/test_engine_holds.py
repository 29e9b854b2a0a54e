"""A human who is waited for, and one who has a conversation in hand: what the bot is told of it, and when."""

import asyncio
from typing import Any

import pytest
from channels.consumer import AsyncConsumer

from bots.chatty import ChattyBotConsumer
from gateway import engine as engine_module
from gateway.models import Conversation
from tests.communicator import Chat, eventually
from tests.engine_moments import conversation, stop, until_in_hand
from tests.engines import StartEngine, start

__all__ = ["start"]

pytestmark = pytest.mark.django_db(transaction=True)


# Waiting for a human


class Asker(AsyncConsumer):
    async def telegram_message(self, message: dict[str, Any]) -> None:
        await self.send({"type": "chat.ask_human", "text": "please"})
        await self.send({"type": "telegram.close"})


async def test_waiting_outlives_the_scope_that_asked(start: StartEngine) -> None:
    chat = Chat(await start(Asker.as_asgi()), 1)
    await chat.says("help")
    await chat.settled()
    found = await conversation()
    assert (found.state, found.open) == ("waiting", False)


async def test_waiting_ends_when_a_human_comes(start: StartEngine, django_user_model: Any) -> None:
    engine = await start(Asker.as_asgi())
    chat = Chat(engine, 1)
    operator = await django_user_model.objects.acreate(username="olga", is_staff=True)
    await chat.says("help")
    await chat.settled()
    uuid = str((await conversation()).uuid)
    await engine.take(uuid, operator)
    assert (await conversation()).state == "held"
    await engine.release(uuid, operator)
    assert (await conversation()).state == "ended"


# Held


def slow_resumer(gate: asyncio.Event) -> type[AsyncConsumer]:
    class SlowResumer(AsyncConsumer):
        async def telegram_message(self, message: dict[str, Any]) -> None:
            await gate.wait()

        async def telegram_resume(self, event: dict[str, Any]) -> None:
            texts = ", ".join(f"{said['from']}: {said['text']}" for said in event["messages"])
            await self.send({"type": "telegram.message", "text": f"meanwhile {texts}"})

    return SlowResumer


async def test_what_waited_when_the_hold_began_is_told_by_the_resume(
    start: StartEngine, django_user_model: Any
) -> None:
    gate = asyncio.Event()
    engine = await start(slow_resumer(gate).as_asgi())
    chat = Chat(engine, 1)
    operator = await django_user_model.objects.acreate(username="olga", is_staff=True)
    await chat.says("slow", "waits")
    await until_in_hand(chat)
    uuid = str((await conversation()).uuid)
    await engine.take(uuid, operator)
    gate.set()
    await chat.settled()
    await engine.release(uuid, operator)
    assert await chat.heard(1) == ["meanwhile visitor: waits"]


async def test_a_resume_that_was_never_fed_is_made_good_by_the_next(start: StartEngine, django_user_model: Any) -> None:
    gate = asyncio.Event()
    engine = await start(slow_resumer(gate).as_asgi())
    chat = Chat(engine, 1)
    operator = await django_user_model.objects.acreate(username="olga", is_staff=True)
    await chat.says("slow")
    await until_in_hand(chat)
    uuid = str((await conversation()).uuid)
    await engine.take(uuid, operator)
    await chat.says("one")
    await engine.release(uuid, operator)
    await engine.take(uuid, operator)
    gate.set()
    await chat.settled()
    await chat.says("two")
    await engine.release(uuid, operator)
    assert await chat.heard(1) == ["meanwhile visitor: one, visitor: two"]


# A holder who is no more


async def held_by_nobody(start: StartEngine, user_model: Any) -> Chat:
    """A conversation whose operator has said something and was then deleted."""
    engine = await start(slow_resumer(open_gate()).as_asgi(), CONVERSATION_TIMEOUT=60)
    chat = Chat(engine, 1)
    operator = await user_model.objects.acreate(username="olga", is_staff=True)
    await chat.says("hello")
    await chat.settled()
    uuid = str((await conversation()).uuid)
    await engine.take(uuid, operator)
    await engine.say(uuid, operator, client_id="1", text="I am here", seen=1)
    await chat.heard(1)
    await asyncio.sleep(engine_module.LOOK_SECONDS * 2)  # It has seen who holds it.
    await operator.adelete()
    return chat


def open_gate() -> asyncio.Event:
    gate = asyncio.Event()
    gate.set()
    return gate


async def ticking() -> bool:
    return (await conversation()).deadline is not None


async def test_a_deleted_holder_leaves_a_clock_and_a_bot_that_knows(
    start: StartEngine, monkeypatch: pytest.MonkeyPatch, django_user_model: Any
) -> None:
    monkeypatch.setattr(engine_module, "LOOK_SECONDS", 0.05)
    chat = await held_by_nobody(start, django_user_model)
    assert (await chat.heard(2))[1] == "meanwhile operator: I am here"
    await eventually(ticking, "the clock of the scope")
    assert len(chat.engine.deadlines) == 1


async def test_a_holder_who_was_deleted_while_nothing_ran_leaves_a_clock(
    start: StartEngine, django_user_model: Any
) -> None:
    chat = await held_by_nobody(start, django_user_model)
    await stop(chat.engine)
    await Conversation.objects.aupdate(deadline=None)
    chat = Chat(await start(slow_resumer(open_gate()).as_asgi()), 1)
    await eventually(ticking, "the clock of the scope")


async def test_a_holder_who_vanished_leaves_a_clock_that_runs(
    start: StartEngine, monkeypatch: pytest.MonkeyPatch, django_user_model: Any
) -> None:
    monkeypatch.setattr(engine_module, "LOOK_SECONDS", 0.05)
    engine = await start(ChattyBotConsumer.as_asgi(), HOLDER_TIMEOUT=0.1, CONVERSATION_TIMEOUT=0.3)
    chat = Chat(engine, 1)
    operator = await django_user_model.objects.acreate(username="olga", is_staff=True)
    await chat.says("hello")
    await chat.settled()
    await engine.take(str((await conversation()).uuid), operator)

    async def ended() -> bool:
        return not (await conversation()).open

    await eventually(ended, "the end of the scope")
