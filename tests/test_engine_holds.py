"""A human who is waited for, and one who has a conversation in hand: what the bot is told of it, and when."""

import asyncio
from typing import Any

import pytest
from channels.consumer import AsyncConsumer

from tests.communicator import Chat
from tests.engine_moments import conversation, until_in_hand
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
