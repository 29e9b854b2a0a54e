"""Words on their way out, and updates on their way in, while the database or a listener fails at a bad moment."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from channels.consumer import AsyncConsumer
from django.db import OperationalError

from bots.chatty import ChattyBotConsumer
from gateway import leaving, outbox, writer
from gateway.models import Bot, Conversation, Message, Status
from gateway.transcript import Mark, Memory, Say
from gateway.transcript.saying import out_row
from gateway.types import Outbound
from gateway.writer import run_group
from tests.communicator import Chat, Outside, until
from tests.engine_moments import outside, stop, until_all_sent
from tests.engines import StartEngine, start

__all__ = ["start"]

pytestmark = pytest.mark.django_db(transaction=True)


def failing(function: Callable[..., Any], times: int, *, after: bool = False) -> Callable[..., Any]:
    """The same function, whose first calls end with a lost line; `after` they have done their work."""
    failures = [OperationalError("the server closed the connection") for _ in range(times)]

    def flaky(*arguments: Any) -> Any:
        if after or not failures:
            result = function(*arguments)
        if failures:
            raise failures.pop()
        return result

    return flaky


async def test_an_update_whose_commit_lost_its_answer_is_fed(
    start: StartEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = await start(ChattyBotConsumer.as_asgi())
    chat = Chat(engine, 1)
    monkeypatch.setattr(writer, "run_group", failing(run_group, 1, after=True))
    await chat.says("a")
    assert await chat.heard(1) == ["You said: a"]
    (row,) = await chat.settled()
    assert row.feedings == 1


async def test_a_read_over_a_dead_connection_is_made_again(start: StartEngine) -> None:
    engine = await start(ChattyBotConsumer.as_asgi())
    assert await engine.read(failing(Conversation.objects.count, 1)) == 0


async def test_a_listener_that_raises_keeps_no_word_from_its_way(start: StartEngine) -> None:
    engine = await start(ChattyBotConsumer.as_asgi())
    heard: list[Any] = []

    def raises(news: Any) -> None:
        heard.append(news)
        raise ValueError("in a listener")

    unsubscribe = engine.ring.subscribe_all(raises)
    chat = Chat(engine, 1)
    await chat.says("a")
    assert await chat.heard(1) == ["You said: a"]
    await chat.settled()
    unsubscribe()
    assert heard


class Editor(AsyncConsumer):
    async def telegram_message(self, message: dict[str, Any]) -> None:
        await self.send({"type": "telegram.message", "text": "one", "ref": "r"})
        await self.send({"type": "telegram.edit_message_text", "text": "two", "ref": "r"})


async def test_an_edit_waits_for_the_database_that_knows_its_message(
    start: StartEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(leaving, "target", failing(leaving.target, 3))
    monkeypatch.setattr(outbox, "FIRST_PAUSE_SECONDS", 0.01)
    monkeypatch.setattr("gateway.engine.UNREAD_SECONDS", 0.0)  # The test reads as well.
    engine = await start(Editor.as_asgi())
    chat = Chat(engine, 1)
    await chat.says("a")
    await chat.settled()
    rows = await until_all_sent(chat)
    assert [(row.kind, row.status) for row in rows] == [("message", Status.SENT), ("edit", Status.SENT)]
    (edit,) = [delivery for delivery in outside(engine).sent if delivery.method == "edit_message_text"]
    assert edit.target == rows[0].external_id


# Words that are replaced as they leave


def words(text: str) -> Outbound:
    return Outbound(kind="message", method="send_message", params={"text": text}, text=text)


def test_what_is_being_marked_as_leaving_is_not_replaced() -> None:
    bot = Bot.objects.create(name="bot")
    conversation = Conversation.objects.create(bot=bot, protocol="telegram", key="1", address={"chat_id": 1}, rev=1)
    cause = Message.objects.create(
        conversation=conversation, bot=bot, direction="in", kind="message", sender="visitor", rev=1, method="message",
        status=Status.IN_HAND,
    )  # fmt: skip
    run_group([Say(conversation.pk, words("old"), cause=cause.pk, ordinal=1)], Memory())
    old = Message.objects.get(direction="out")
    leaving = Mark(out_row(conversation, old, old.at), Status.SENDING)
    run_group([leaving, Say(conversation.pk, words("new"), cause=cause.pk, ordinal=1, redelivered=1)], Memory())
    said = Message.objects.filter(direction="out").order_by("pk").values_list("text", "status", "attempt")
    assert list(said) == [("old", Status.SENDING, 0), ("new", Status.QUEUED, 1)]


async def test_words_replaced_just_before_they_are_marked_leave_as_the_new_ones(
    start: StartEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = await start(ChattyBotConsumer.as_asgi())
    chat = Chat(engine, 1)
    await chat.says("old")
    await chat.settled()
    await until_all_sent(chat)
    await stop(engine)
    await Message.objects.filter(direction="out").aupdate(status=Status.QUEUED, sends=0)
    await Message.objects.filter(direction="in").aupdate(status=Status.IN_HAND, payload={"text": "new"})
    saying, gate = asyncio.Event(), asyncio.Event()
    loop = asyncio.get_running_loop()

    def gated(operations: list[Any], *how: Any) -> Any:
        if any(isinstance(operation, Say) for operation in operations):
            loop.call_soon_threadsafe(saying.set)
            asyncio.run_coroutine_threadsafe(gate.wait(), loop).result(10)
        return run_group(operations, *how)

    async def starts_late(self: Outside) -> None:
        await saying.wait()

    monkeypatch.setattr(writer, "run_group", gated)
    monkeypatch.setattr(Outside, "start", starts_late)
    engine = await start(ChattyBotConsumer.as_asgi())
    await until(lambda: engine.writer.waiting, "the mark of the old words behind the new ones")
    gate.set()
    assert await Chat(engine, 1).heard(1) == ["You said: new"]
