"""A sync handler is called, and what it sends goes its way, without Channels' bridges; and nothing else changes."""

import asyncio
import time
from collections.abc import Callable
from contextlib import suppress
from contextvars import ContextVar
from typing import Any

import pytest
from asgiref.sync import AsyncToSync, SyncToAsync, async_to_sync, sync_to_async
from channels.consumer import AsyncConsumer, SyncConsumer
from channels.db import database_sync_to_async
from channels.testing import ApplicationCommunicator
from django.db import connection
from django.utils.translation import activate, get_language

from gateway import pool
from gateway.early import MOMENT_SECONDS
from gateway.errors import Unsendable
from gateway.lane import Lane
from gateway.models import Tag
from gateway.types import Application, Receive, Scope, Send
from tests.communicator import Chat
from tests.engines import StartEngine, start

__all__ = ["start"]
pytestmark = pytest.mark.django_db(transaction=True)


class Counting(SyncConsumer):
    """Counts to what it is told, and says what it was that could not be sent."""

    def telegram_message(self, event: Any) -> None:
        for number in range(int(event["text"])):
            self.send({"type": "telegram.message", "text": str(number)})
        try:
            self.send({"type": "telegram.message", "text": None})
        except Unsendable as error:
            self.send({"type": "telegram.message", "text": f"no: {error}"})


@pytest.fixture
def bridged(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """What went over asgiref's bridge."""
    sent: list[Any] = []
    call: Callable[..., Any] = AsyncToSync.__call__

    def noting(self: Any, *arguments: Any, **named: Any) -> Any:
        sent.append(arguments)
        return call(self, *arguments, **named)

    monkeypatch.setattr(AsyncToSync, "__call__", noting)
    return sent


async def test_a_few_words_need_no_bridge(start: StartEngine, bridged: list[Any]) -> None:
    chat = Chat(await start(Counting.as_asgi()), 1)
    await chat.says("10")
    assert await chat.heard(11) == [*map(str, range(10)), "no: a message needs a text"]
    assert all(row.ordinal is not None for row in await chat.rows(direction="out"))
    assert not bridged


async def test_many_words_wait_for_the_loop_now_and_then(start: StartEngine, bridged: list[Any]) -> None:
    chat = Chat(await start(Counting.as_asgi()), 1)
    await chat.says("100")
    assert await chat.heard(101) == [*map(str, range(100)), "no: a message needs a text"]
    assert 4 <= len(bridged) <= 8


def shouting(application: Application) -> Application:
    async def middleware(scope: Scope, receive: Receive, send: Send) -> None:
        async def loudly(event: Any) -> None:
            await send({**event, "text": str(event["text"]).upper()})

        await application(scope, receive, loudly)

    middleware.inner = application  # type: ignore[attr-defined]
    return middleware


async def test_a_middleware_hears_every_word(start: StartEngine) -> None:
    chat = Chat(await start(shouting(Counting.as_asgi())), 1)
    await chat.says("0")
    assert await chat.heard(1) == ["NONE"]


class Own(SyncConsumer):
    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await super().__call__(scope, receive, send)

    def telegram_message(self, event: Any) -> None:
        self.send({"type": "telegram.message", "text": type(self.base_send).__name__})


async def test_a_consumer_with_a_call_of_its_own_keeps_it(start: StartEngine) -> None:
    chat = Chat(await start(Own.as_asgi()), 1)
    await chat.says("a")
    assert await chat.heard(1) == ["AsyncToSync"]


class Grouped(SyncConsumer):
    """Is told what it says to its group, over the channel layer; one that never asks for its name does not listen."""

    def telegram_message(self, event: Any) -> None:
        assert self.channel_layer is not None
        if event["text"] == "join":
            async_to_sync(self.channel_layer.group_add)("all", self.channel_name)
        async_to_sync(self.channel_layer.group_send)("all", {"type": "told", "text": event["text"]})
        self.send({"type": "telegram.message", "text": "said"})

    def told(self, event: Any) -> None:
        self.send({"type": "telegram.message", "text": f"heard: {event['text']}"})


async def test_who_asks_for_its_name_is_heard_over_the_channel_layer(start: StartEngine) -> None:
    engine = await start(Grouped.as_asgi())
    chat, other = Chat(engine, 1), Chat(engine, 2)
    await other.says("alone")
    assert await other.heard(1) == ["said"]
    await chat.says("join")
    assert sorted(await chat.heard(2)) == ["heard: join", "said"]
    await other.says("hello")
    assert await other.heard(2) == ["said", "said"]
    assert "heard: hello" in await chat.heard(3)


# The way in


@pytest.fixture
def hopped(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """What went to a thread by asgiref's own way."""
    calls: list[Any] = []
    call: Callable[..., Any] = SyncToAsync.__call__

    async def noting(self: Any, *arguments: Any, **named: Any) -> Any:
        calls.append(arguments)
        return await call(self, *arguments, **named)

    monkeypatch.setattr(SyncToAsync, "__call__", noting)
    return calls


heard: ContextVar[int] = ContextVar("heard", default=0)


class Remembering(SyncConsumer):
    """Keeps things where authors keep them beside the session."""

    def telegram_message(self, event: Any) -> None:
        heard.set(heard.get() + 1)
        known = get_language()
        activate("ko")
        self.send({"type": "telegram.message", "text": f"{heard.get()} {known}"})


async def test_what_a_handler_sets_in_its_context_is_there_for_the_next(start: StartEngine, hopped: list[Any]) -> None:
    chat = Chat(await start(Remembering.as_asgi()), 1)
    for _ in range(2):
        await chat.says("a")
    assert await chat.heard(2) == ["1 en", "2 ko"]
    other = Chat(chat.engine, 2)
    await other.says("a")
    assert await other.heard(1) == ["1 en"], "of another conversation"
    assert not hopped


async def where_am_i() -> int:
    return id(asyncio.get_running_loop())


class Asking(SyncConsumer):
    def telegram_message(self, event: Any) -> None:
        self.send({"type": "telegram.message", "text": str(async_to_sync(where_am_i)())})


async def test_what_a_handler_awaits_runs_on_the_gateways_loop(start: StartEngine) -> None:
    chat = Chat(await start(Asking.as_asgi()), 1)
    await chat.says("a")
    assert await chat.heard(1) == [str(id(asyncio.get_running_loop()))]


class Forgetful(SyncConsumer):
    """Opens a transaction and leaves it so."""

    def telegram_message(self, event: Any) -> None:
        self.send({"type": "telegram.message", "text": f"{connection.get_autocommit()}"})
        connection.set_autocommit(False)
        Tag.objects.create(name="never")


async def test_a_transaction_that_is_left_open_ends_with_its_handler(
    start: StartEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pool, "UNUSED_CONNECTION_SECONDS", 60.0)  # Else an idle thread would end it.
    chat = Chat(await start(Forgetful.as_asgi()), 1)
    for _ in range(2):
        await chat.says("a")
    assert await chat.heard(2) == ["True", "True"]
    assert not await Tag.objects.filter(name="never").aexists()


class Dispatching(Remembering):
    @database_sync_to_async
    def dispatch(self, message: Any) -> None:
        self.send({"type": "telegram.message", "text": f"mine: {message['type']}"})


async def test_a_dispatch_of_ones_own_stays(start: StartEngine, hopped: list[Any]) -> None:
    chat = Chat(await start(Dispatching.as_asgi()), 1)
    await chat.says("a")
    assert await chat.heard(1) == ["mine: telegram.message"]
    assert hopped


async def test_the_same_class_outside_a_chat_is_as_channels_has_it(start: StartEngine, hopped: list[Any]) -> None:
    chat = Chat(await start(Remembering.as_asgi()), 1)
    await chat.says("a")
    outside = ApplicationCommunicator(Remembering.as_asgi(), {"type": "telegram"})
    await outside.send_input({"type": "telegram.message"})
    assert (await outside.receive_output())["text"] == "1 en"
    assert hopped


class AsyncLooking(AsyncConsumer):
    """Asks the database, or spoils its connection for whoever comes next."""

    async def telegram_message(self, event: Any) -> None:
        if event["text"] == "spoil":
            await sync_to_async(spoil)()
        elif event["text"] == "ask":
            await Tag.objects.acount()
        await self.send({"type": "telegram.message", "text": event["text"]})


def spoil() -> None:
    """As if its server had gone."""
    connection.ensure_connection()
    connection.connection.close()
    with suppress(Exception):
        Tag.objects.count()


async def test_an_async_handler_needs_no_thread(start: StartEngine, hopped: list[Any]) -> None:
    chat = Chat(await start(AsyncLooking.as_asgi()), 1)
    await chat.says("hi")
    assert await chat.heard(1) == ["hi"]
    assert not hopped


async def test_a_broken_connection_fails_one_call_of_an_async_bot(
    start: StartEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pool, "UNUSED_CONNECTION_SECONDS", 60.0)  # Else an idle thread would close it.
    chat = Chat(await start(AsyncLooking.as_asgi()), 1)
    for text in ("ask", "spoil", "ask"):
        await chat.says(text)
    assert await chat.heard(3) == ["ask", "spoil", "ask"]


class Lingering(SyncConsumer):
    """Has more to say than its first word, and takes its time."""

    def telegram_message(self, event: Any) -> None:
        self.send({"type": "telegram.message", "text": "at once"})
        time.sleep(1.0)
        self.send({"type": "telegram.message", "text": "later"})
        time.sleep(1.0)
        self.send({"type": "telegram.message", "text": "at the end"})


async def test_what_a_slow_handler_says_leaves_early(start: StartEngine) -> None:
    chat = Chat(await start(Lingering.as_asgi()), 1)
    await chat.says("a")
    began, at = time.monotonic(), []
    for count in (1, 2, 3):
        await chat.heard(count)
        at.append(time.monotonic() - began)
    assert at[0] < 0.9 < at[1] < 1.9 < at[2]
    assert await chat.heard(3) == ["at once", "later", "at the end"]


async def test_a_word_that_is_made_while_the_loop_takes_what_was_said_is_not_lost(
    start: StartEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    def slowly(self: Lane, *arguments: Any) -> Any:
        time.sleep(3 * MOMENT_SECONDS)  # So the loop finds that the handler takes long, and takes what it has said.
        return made(self, *arguments)

    made = Lane._compose
    monkeypatch.setattr(Lane, "_compose", slowly)
    chat = Chat(await start(Counting.as_asgi()), 1)
    await chat.says("3")
    assert await chat.heard(4) == ["0", "1", "2", "no: a message needs a text"]
