"""Bots with a channel layer, and layers whose failure ends nobody."""

import asyncio
from typing import Any

import pytest
from channels.consumer import AsyncConsumer, SyncConsumer
from channels.exceptions import StopConsumer
from channels.layers import channel_layers, get_channel_layer
from django.db import transaction
from redis.exceptions import ConnectionError as RedisConnectionError

from gateway import layers, redis_layer
from gateway.layers import MemoryLayer
from gateway.lifespan import Lifespan
from gateway.models import Bot, Conversation, Status
from gateway.redis_layer import RedisLayer
from gateway.web import health
from tests.communicator import Chat, eventually
from tests.engines import StartEngine, start

__all__ = ["start"]


class Member(AsyncConsumer):
    async def telegram_message(self, message: dict[str, Any]) -> None:
        await self.channel_layer.group_add("room", self.channel_name)
        await self.send({"type": "telegram.message", "text": f"said {message['text']}"})

    async def room_news(self, event: dict[str, Any]) -> None:
        if event["text"] == "boom":
            raise ValueError("in a layer's handler")
        if event["text"] == "stop":
            raise StopConsumer
        await self.send({"type": "telegram.message", "text": f"news {event['text']}"})


async def send_news(text: str) -> None:
    layer = get_channel_layer()
    assert layer is not None
    await layer.group_send("room", {"type": "room.news", "text": text})


@pytest.mark.django_db(transaction=True)
async def test_a_bot_hears_its_layer_and_such_words_have_no_ordinal(start: StartEngine) -> None:
    chat = Chat(await start(Member.as_asgi()), 1)
    await chat.says("a")
    await chat.heard(1)
    await send_news("x")
    assert await chat.heard(2) == ["said a", "news x"]
    first, second = await chat.rows(direction="out")
    assert (first.ordinal, second.ordinal, second.cause_id) == (1, None, None)


@pytest.mark.django_db(transaction=True)
async def test_an_exception_in_a_layers_handler_loses_no_word(start: StartEngine) -> None:
    chat = Chat(await start(Member.as_asgi()), 1)
    await chat.says("a")
    await chat.heard(1)
    await chat.settled()
    await asyncio.gather(send_news("boom"), chat.says("b", "c"))
    assert await chat.heard(3) == ["said a", "said b", "said c"]
    assert {row.status for row in await chat.settled()} == {Status.DONE}


@pytest.mark.django_db(transaction=True)
async def test_stop_consumer_in_a_layers_handler_ends_the_scope(start: StartEngine) -> None:
    chat = Chat(await start(Member.as_asgi()), 1)
    await chat.says("a")
    await chat.settled()
    await send_news("stop")

    async def ended() -> bool:
        return not (await Conversation.objects.aget()).open

    await eventually(ended, "the end of the scope")
    await chat.says("b")
    assert await chat.heard(2) == ["said a", "said b"]


class InTransaction(SyncConsumer):
    """A handler that says something inside its own transaction, and raises after it."""

    def telegram_message(self, message: dict[str, Any]) -> None:
        with transaction.atomic():
            Bot.objects.create(name=message["text"])
            self.send({"type": "telegram.message", "text": "inside"})
        self.send({"type": "telegram.message", "text": "after"})


@pytest.mark.django_db(transaction=True)
async def test_send_never_waits_for_the_database(start: StartEngine) -> None:
    chat = Chat(await start(InTransaction.as_asgi()), 1)
    await chat.says("one", "two")
    assert await chat.heard(4) == ["inside", "after"] * 2


async def test_many_consumers_on_the_memory_layer_walk_it_seldom(monkeypatch: pytest.MonkeyPatch) -> None:
    layer, walks = MemoryLayer(), []
    monkeypatch.setattr(layers.InMemoryChannelLayer, "_clean_expired", lambda self: walks.append(1))
    channels = [await layer.new_channel() for _ in range(200)]
    readers = [asyncio.create_task(layer.receive(channel)) for channel in channels]
    await asyncio.sleep(0)
    for channel in channels:
        await layer.send(channel, {"type": "x", "to": channel})
    assert [message["to"] for message in await asyncio.gather(*readers)] == channels
    assert len(walks) <= 1


async def test_receive_outlives_redis(monkeypatch: pytest.MonkeyPatch) -> None:
    answers: list[Any] = [RedisConnectionError("gone"), TimeoutError(), OSError(), {"type": "back"}]

    async def receive(self: RedisLayer, channel: str) -> Any:
        answer = answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    monkeypatch.setattr(redis_layer.RedisChannelLayer, "receive", receive)
    monkeypatch.setattr(layers, "LONGEST_PAUSE_SECONDS", 0.1)
    assert await RedisLayer(hosts=["redis://127.0.0.1:1"]).receive("specific.x!y") == {"type": "back"}


async def test_who_is_cancelled_while_listening_ends_at_once_and_the_client_soon(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """As a client that swallows the first cancelling: Channels waits for the end of what it cancels."""
    swallowed, over = asyncio.Event(), asyncio.Event()

    async def receive(channel: str) -> Any:
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            swallowed.set()
        try:
            await asyncio.sleep(60)
        finally:
            over.set()

    monkeypatch.setattr(layers, "CANCEL_AGAIN_SECONDS", 0.01)
    listening = asyncio.create_task(layers.receive_patiently(receive, "specific.x!y"))
    await asyncio.sleep(0)
    listening.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asyncio.wait_for(listening, 1)
    await asyncio.wait_for(swallowed.wait(), 1)
    await asyncio.wait_for(over.wait(), 1)


async def test_a_client_that_cancels_itself_ends_nobody() -> None:
    """Time-outs cancel, and now and then such a cancelling gets out of a client."""
    outcomes: list[Any] = [asyncio.CancelledError(), {"type": "news"}]

    async def receive(channel: str) -> dict[str, Any]:
        outcome = outcomes.pop(0)
        if isinstance(outcome, BaseException):
            raise outcome
        return dict(outcome)

    assert await layers.receive_patiently(receive, "specific.x!y") == {"type": "news"}


def test_the_layer_is_patient_before_anybody_can_ask_for_it(settings: Any) -> None:
    """A probe while the gateway starts is another thread, and Channels makes another layer for it."""
    settings.CHANNEL_LAYERS = {"default": {"BACKEND": "channels_redis.core.RedisChannelLayer", "CONFIG": {}}}
    Lifespan()
    assert "default" in channel_layers.backends
    assert "receive" in vars(get_channel_layer())


def test_a_layer_that_cannot_be_made_is_spoken_of_by_who_starts(settings: Any) -> None:
    settings.CHANNEL_LAYERS = {"default": {"BACKEND": "no.such.Layer"}}
    Lifespan()
    assert health.layer() == "cannot be loaded"
