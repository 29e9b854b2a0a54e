"""Conversations that are deleted (in the admin, or with a person) while something goes on in them."""

import logging
import threading
from collections.abc import Iterator
from typing import Any

import pytest
from channels.consumer import SyncConsumer

from gateway.engine import Engine
from gateway.models import Conversation, Message
from tests.communicator import Chat, until
from tests.engines import StartEngine, start

__all__ = ["start"]

pytestmark = pytest.mark.django_db(transaction=True)


class Patient(SyncConsumer):
    """Says "early", waits at the gate, then answers."""

    gate = threading.Event()

    def telegram_message(self, message: dict[str, Any]) -> None:
        if message["text"] == "wait":
            self.send({"type": "telegram.message", "text": "early"})
            assert self.gate.wait(10)
        self.send({"type": "telegram.message", "text": f"You said: {message['text']}"})


@pytest.fixture
def gate() -> Iterator[threading.Event]:
    Patient.gate.clear()
    yield Patient.gate
    Patient.gate.set()


async def delete_all(engine: Engine) -> None:
    await engine.read(lambda: Conversation.objects.all().delete())


async def test_with_a_handler_at_work_and_words_behind_it(
    start: StartEngine, gate: threading.Event, caplog: pytest.LogCaptureFixture
) -> None:
    engine = await start(Patient.as_asgi())
    chat = Chat(engine, 1)
    await chat.says("wait", "second", "third")
    await chat.heard(1)
    await delete_all(engine)
    await chat.says("new")
    assert await chat.heard(2) == ["early", "You said: new"]
    gate.set()
    await until(lambda: len(engine.lanes.all()) == 1, "the end of the old lane")
    await chat.says("again")
    assert await chat.heard(3) == ["early", "You said: new", "You said: again"]
    assert await engine.read(lambda: Message.objects.filter(direction="in").count()) == 2
    assert [record.getMessage() for record in caplog.records if record.levelno >= logging.ERROR] == []


async def test_while_its_silence_is_counted(start: StartEngine, caplog: pytest.LogCaptureFixture) -> None:
    engine = await start(Patient.as_asgi(), CONVERSATION_TIMEOUT=0.5)
    chat = Chat(engine, 1)
    await chat.says("a")
    await chat.heard(1)
    await chat.settled()
    await delete_all(engine)
    await until(lambda: not engine.lanes.all(), "the end of its lane")
    await chat.says("b")
    assert await chat.heard(2) == ["You said: a", "You said: b"]
    assert [record.getMessage() for record in caplog.records if record.levelno >= logging.ERROR] == []
