"""What another process left in the rows is read before anything of the same conversation goes on."""

import asyncio
import threading
from typing import Any

import pytest
from django.db.models import F

from bots.chatty import ChattyBotConsumer
from gateway import leaving
from gateway.models import Conversation, Status
from gateway.transcript import OutRow
from tests.communicator import Chat, eventually, until
from tests.engine_moments import until_all_sent
from tests.engines import StartEngine, start

__all__ = ["start"]

pytestmark = pytest.mark.django_db(transaction=True)


class SlowReading:
    """`leaving.answers_of`, whose results come when they are let through, one after the other."""

    def __init__(self) -> None:
        self.read = leaving.answers_of
        self.reading = 0
        self.let_through = threading.Semaphore(0)

    def __call__(self, *arguments: Any) -> list[OutRow]:
        found = self.read(*arguments)
        self.reading += 1
        assert self.let_through.acquire(timeout=10)
        return found


async def test_nothing_overtakes_what_is_still_to_be_read(start: StartEngine, monkeypatch: pytest.MonkeyPatch) -> None:
    engine = await start(ChattyBotConsumer.as_asgi())
    chat = Chat(engine, 1)
    await chat.says("first")
    assert await chat.heard(1) == ["You said: first"]
    pk = (await engine.read(Conversation.objects.get)).pk
    await engine.read(lambda: Conversation.objects.update(handed_rev=F("rev")))  # As another process leaves it.
    slow = SlowReading()
    monkeypatch.setattr(leaving, "answers_of", slow)
    engine.hearing.hear([pk])
    await until(lambda: slow.reading == 1, "a reading")
    await chat.says("second")
    await eventually(lambda: queued(chat, "You said: second"), "the second answer")
    slow.let_through.release()
    await until(lambda: slow.reading == 2, "another reading")
    await chat.says("third")
    await asyncio.sleep(0.3)
    for _ in range(10):
        slow.let_through.release()
    await until_all_sent(chat)
    assert await chat.heard(3) == ["You said: first", "You said: second", "You said: third"]


async def queued(chat: Chat, text: str) -> bool:
    return bool(await chat.rows(text=text, status=Status.QUEUED))
