"""What another process left in the rows goes on before anything of the same conversation that is written afterwards."""

import asyncio
import random
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from channels.consumer import AsyncConsumer

from bots.chatty import ChattyBotConsumer
from gateway.engine import Engine
from gateway.models import Conversation, Kind, Status
from gateway.transcript import Accept, Hear, Memory, Say, group
from gateway.types import Outbound
from gateway.writer import Operation, run_group
from tests.communicator import Chat, eventually, until
from tests.engine_moments import outside, until_all_sent
from tests.engines import StartEngine, start

__all__ = ["start"]

pytestmark = pytest.mark.django_db(transaction=True)

Leave = Callable[[Operation[Any]], Awaitable[int]]


def leaver(engine: Engine) -> Leave:
    """Another process, which owns nothing: gives the conversation that it has written to."""

    def leave(operation: Operation[Any]) -> int:
        group, _ = run_group([operation], Memory(mine=frozenset(), alone=False))
        (pk,) = group.news
        return pk

    async def left(operation: Operation[Any]) -> int:
        return await engine.read(leave, operation)

    return left


def accept(chat: Chat, text: str) -> Accept:
    return Accept(chat.inbound(text), handled=True, farewell=False)


async def test_what_was_left_goes_first_though_nobody_rang(start: StartEngine) -> None:
    engine = await start(ChattyBotConsumer.as_asgi())
    chat = Chat(engine, 1)
    await chat.says("first")
    await chat.heard(1)
    await leaver(engine)(accept(chat, "second"))
    await chat.says("third")
    await until_all_sent(chat)
    assert await chat.heard(3) == ["You said: first", "You said: second", "You said: third"]


async def test_answers_that_were_left_leave_before_new_ones(start: StartEngine) -> None:
    engine = await start(ChattyBotConsumer.as_asgi())
    chat = Chat(engine, 1)
    await chat.says("first")
    await chat.sent(1)
    (conversation,) = await engine.read(lambda: list(Conversation.objects.all()))
    await leaver(engine)(Say(conversation.pk, words("news")))
    await chat.says("second")
    await until_all_sent(chat)
    assert await chat.heard(3) == ["You said: first", "news", "You said: second"]


async def test_words_of_two_processes_keep_the_order_of_their_rows(start: StartEngine) -> None:
    """Rung or not, at any moment."""
    engine = await start(ChattyBotConsumer.as_asgi())
    chats = [Chat(engine, user) for user in range(1, 6)]
    leave = leaver(engine)
    for number in range(60):
        chat = random.choice(chats)
        if random.random() < 0.5:
            pk = await leave(accept(chat, str(number)))
            if random.random() < 0.7:
                engine.hearing.hear([pk])
        else:
            await chat.says(str(number))
        await asyncio.sleep(random.random() * 0.01)
    engine.hearing.hear(await engine.read(lambda: list(Conversation.objects.values_list("pk", flat=True))))  # The look.
    for chat in chats:
        texts = [row.text for row in await chat.rows(direction="in")]
        assert await chat.heard(len(texts)) == [f"You said: {text}" for text in texts]
        assert {(row.status, row.feedings) for row in await chat.rows(direction="in")} <= {(Status.DONE, 1)}


class Busy(AsyncConsumer):
    may = asyncio.Event()

    async def telegram_message(self, message: dict[str, Any]) -> None:
        await self.may.wait()
        await self.send({"type": "telegram.message", "text": f"{message['text']} {message['redelivered']}"})


async def test_one_that_is_busy_takes_nothing_in_hand(start: StartEngine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Busy, "may", asyncio.Event())
    engine = await start(Busy.as_asgi())
    chat = Chat(engine, 1)
    await chat.says("first")
    pk = await leaver(engine)(accept(chat, "second"))
    engine.hearing.hear([pk])
    await until(lambda: not engine.hearing.is_behind(pk), "it has heard")
    assert [row.status for row in await chat.rows(direction="in")] == [Status.IN_HAND, Status.RECEIVED]
    Busy.may.set()
    assert await chat.heard(2) == ["first False", "second False"]


async def test_what_was_left_is_in_hand_in_one_transaction(start: StartEngine, monkeypatch: pytest.MonkeyPatch) -> None:
    """It costs the owner no more transactions than what it has accepted itself."""
    monkeypatch.setattr(Busy, "may", asyncio.Event())
    engine = await start(Busy.as_asgi())
    chat = Chat(engine, 1)
    pk = await leaver(engine)(accept(chat, "first"))
    asked: list[str] = []
    submit = engine.writer.submit

    def noted(operation: Operation[Any]) -> Any:
        asked.append(type(operation).__name__)
        return submit(operation)

    monkeypatch.setattr(engine.writer, "submit", noted)
    engine.hearing.hear([pk])
    await eventually(lambda: in_hand(chat), "it is in hand")
    assert asked == [Hear.__name__]
    Busy.may.set()
    assert await chat.heard(1) == ["first False"]


async def in_hand(chat: Chat) -> bool:
    return bool(await chat.rows(status=Status.IN_HAND))


async def test_what_a_leaver_took_in_hand_waits_for_its_heir(start: StartEngine) -> None:
    engine = await start(ChattyBotConsumer.as_asgi())
    chat = Chat(engine, 1)
    pk = await leaver(engine)(accept(chat, "first"))
    engine.writer.memory.mine = engine.members.mine  # As the writer still has it.
    engine.members.mine = frozenset()
    engine.hearing.hear([pk])
    await until(lambda: not engine.hearing.is_behind(pk), "it has heard")
    await eventually(lambda: put_back(chat), "it is put back")


async def put_back(chat: Chat) -> bool:
    (row,) = await chat.rows(direction="in")
    return (row.status, row.feedings) == (Status.RECEIVED, 0)


async def test_of_more_than_is_read_at_once_nothing_is_overtaken(
    start: StartEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(group, "MOST_LEFT", 3)
    engine = await start(ChattyBotConsumer.as_asgi())
    chat = Chat(engine, 1)
    (receipt,) = await engine.accept([chat.inbound("hi", method="nobody_handles")])
    outside(engine).delay = 0.03
    texts = [str(number) for number in range(8)]
    await asyncio.gather(*(engine.submit(Say(receipt.conversation, words(text))) for text in texts[:6]))
    await leaver(engine)(Say(receipt.conversation, words(texts[6])))
    engine.hearing.hear([receipt.conversation])
    await until(lambda: not engine.hearing.is_behind(receipt.conversation), "it has heard")
    await engine.submit(Say(receipt.conversation, words(texts[7])))
    assert await chat.heard(8) == texts


def words(text: str) -> Outbound:
    return Outbound(kind=Kind.MESSAGE, method="send_message", params={"text": text}, text=text)
