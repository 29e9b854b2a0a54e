"""What becomes of the parts of a process that is to stop."""

import asyncio
from typing import Any

import pytest
from channels.consumer import AsyncConsumer

from bots.chatty import ChattyBotConsumer
from gateway import owners
from gateway.models import Message, Status
from gateway.parts import ALL
from tests.communicator import Chat
from tests.engine_moments import until_in_hand
from tests.engines import StartEngine, start

__all__ = ["start"]

pytestmark = pytest.mark.django_db(transaction=True)

ME, HEIR = 1, 2


class Patient(AsyncConsumer):
    """Answers when it may."""

    may = asyncio.Event()

    async def telegram_message(self, message: dict[str, Any]) -> None:
        await self.may.wait()


async def test_what_is_being_handed_over_is_not_taken_back(start: StartEngine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Patient, "may", asyncio.Event())
    engine = await start(Patient.as_asgi())
    members = engine.members
    members._me = ME
    monkeypatch.setattr(owners, "look", lambda me: owners.Seen({ME: 1, HEIR: 1}, dict.fromkeys(ALL, ME), [], {}))
    chat = Chat(engine, 1)
    await chat.says("hi")
    await until_in_hand(chat)
    engine.stopping = True
    leaving = asyncio.create_task(members._give(members.mine, HEIR))
    await asyncio.sleep(0.2)
    assert not members.mine
    await members._round()
    assert not members.mine
    Patient.may.set()
    await leaving
    (row,) = await chat.settled()
    assert row.status == "done"


async def test_a_call_that_a_leaver_was_cut_off_in_is_taken_up(
    start: StartEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = await start(ChattyBotConsumer.as_asgi())
    members = engine.members
    chat = Chat(engine, 1)
    await chat.says("hi")
    await chat.sent(1)
    members._me = ME
    members._set(frozenset())
    await engine.read(lambda: Message.objects.filter(direction="out").update(status=Status.SENDING, settled_at=None))
    monkeypatch.setattr(owners, "look", lambda me: owners.Seen({ME: 1}, dict.fromkeys(ALL, ME), [], {}))
    await members._round()
    (row,) = await chat.sent(1)
    assert (row.unknowns, row.sends) == (1, 2)
    assert await chat.heard(2) == ["You said: hi", "You said: hi"]
