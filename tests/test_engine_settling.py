"""What becomes of a row in hand when its handler, its application or its feeding is out of the ordinary."""

import asyncio
import pickle
import threading
from collections.abc import Callable
from copy import deepcopy
from operator import methodcaller
from typing import Any

import pytest
from channels.consumer import AsyncConsumer, SyncConsumer
from channels.middleware import BaseMiddleware

from bots.chatty import ChattyBotConsumer
from gateway.instance import Instance
from gateway.models import Conversation, Message, Status
from gateway.pool import Place
from tests.communicator import Chat, until
from tests.engine_moments import leave_dead_lease, stop, until_closed
from tests.engines import StartEngine, start

__all__ = ["start"]

pytestmark = pytest.mark.django_db(transaction=True)


# Handlers that go wrong


class Rebinder(AsyncConsumer):
    """Does to its session what is not allowed: it is to be changed in place."""

    async def telegram_message(self, message: dict[str, Any]) -> None:
        if message["text"] == "removed":
            del self.scope["session"]
        if message["text"] == "list":
            self.scope["session"] = []
        if message["text"] == "none":
            self.scope["session"] = None
        await self.send({"type": "telegram.message", "text": message["text"]})


@pytest.mark.parametrize("word", ["removed", "list", "none"])
async def test_a_rebound_session_fails_its_own_event_alone(start: StartEngine, word: str) -> None:
    chat = Chat(await start(Rebinder.as_asgi()), 1)
    await chat.says(word, "ok")
    failed, done = await chat.settled()
    assert (failed.status, done.status) == (Status.FAILED, Status.DONE)
    assert (failed.feedings, done.feedings) == (1, 1)
    assert "changed in place" in failed.error


class Exhausted(SyncConsumer):
    def telegram_message(self, message: dict[str, Any]) -> None:
        if message["text"] == "next":
            next(iter(()))
        self.send({"type": "telegram.message", "text": message["text"]})


async def test_stop_iteration_in_a_sync_handler_fails_its_event(start: StartEngine) -> None:
    chat = Chat(await start(Exhausted.as_asgi()), 1)
    await chat.says("next", "ok")
    failed, done = await chat.settled()
    assert (failed.status, done.status) == (Status.FAILED, Status.DONE)
    assert "StopIteration" in failed.error


async def test_a_constructor_that_raises_is_named_in_the_row(start: StartEngine) -> None:
    async def never_begins(scope: dict[str, Any], receive: Any, send: Any) -> None:
        raise KeyError("no such setting")

    chat = Chat(await start(never_begins), 1)
    await chat.says("a")
    (row,) = await chat.settled()
    assert (row.status, row.error) == (Status.FAILED, "KeyError: 'no such setting'")


class AlwaysRaises(AsyncConsumer):
    async def telegram_message(self, message: dict[str, Any]) -> None:
        await self.send({"type": "telegram.message", "text": "said"})
        raise ValueError("always")


async def test_one_apology_a_minute_even_where_the_lane_is_forgotten_between(start: StartEngine) -> None:
    engine = await start(AlwaysRaises.as_asgi())
    chat = Chat(engine, 1)
    for text in "abc":
        await chat.says(text)
        await chat.settled()
        await until(lambda: not len(engine.lanes), "the lane to be forgotten")
    assert len(await chat.rows(direction="out", sender="system")) == 1


# Whether a row has begun


def spread(event: dict[str, Any]) -> dict[str, Any]:
    return {**event}


@pytest.mark.parametrize("copied", [spread, dict, dict.copy, deepcopy, methodcaller("copy")])
async def test_a_copied_event_has_begun(start: StartEngine, copied: Callable[[Any], Any]) -> None:
    class Copying(BaseMiddleware):
        async def __call__(self, scope: Any, receive: Any, send: Any) -> Any:
            async def receive_copy() -> dict[str, Any]:
                return copied(await receive())  # type: ignore[no-any-return]

            return await self.inner(scope, receive_copy, send)

    chat = Chat(await start(Copying(AlwaysRaises.as_asgi())), 1)
    await chat.says("a")
    (row,) = await chat.settled()
    assert row.status == Status.FAILED
    said = await chat.rows(direction="out", sender="bot")
    assert [(words.cause_id, words.ordinal) for words in said] == [(row.pk, 1)], "its handler ran once"


async def test_a_handler_may_pickle_its_event(start: StartEngine) -> None:
    class Keeper(AsyncConsumer):
        async def telegram_message(self, message: dict[str, Any]) -> None:
            kept = pickle.loads(pickle.dumps(message))
            await self.send({"type": "telegram.message", "text": f"{type(kept).__name__} {kept['text']}"})

    chat = Chat(await start(Keeper.as_asgi()), 1)
    await chat.says("a")
    assert await chat.heard(1) == ["dict a"]


async def test_a_plain_application_cancelled_as_its_event_comes_gets_it_again(
    start: StartEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    running: list[asyncio.Task[Any]] = []
    to_cancel: list[asyncio.Task[Any]] = []
    hand_over = Instance._hand_over

    async def stubborn(scope: dict[str, Any], receive: Any, send: Any) -> None:
        task = asyncio.current_task()
        assert task is not None
        running.append(task)
        while True:
            try:
                event = await receive()
            except asyncio.CancelledError:
                task.uncancel()
                continue
            await send({"type": "telegram.message", "text": event["text"]})

    def cancelling(instance: Instance) -> None:
        hand_over(instance)
        if to_cancel:
            to_cancel.pop().cancel()

    monkeypatch.setattr(Instance, "_hand_over", cancelling)
    chat = Chat(await start(stubborn), 1)
    await chat.says("a")
    await chat.settled()
    to_cancel += running
    await chat.says("b")
    assert await chat.heard(2) == ["a", "b"]
    assert (to_cancel, len(running)) == ([], 1)


async def test_what_a_plain_application_says_has_the_ordinal_of_its_event(start: StartEngine) -> None:
    async def plain(scope: dict[str, Any], receive: Any, send: Any) -> None:
        while True:
            event = await receive()
            for part in event["text"]:
                await send({"type": "telegram.message", "text": part})

    chat = Chat(await start(plain), 1)
    await chat.says("ab")
    await chat.heard(2)
    (inbound,) = await chat.rows(direction="in")
    said = await chat.rows(direction="out")
    assert [(row.cause_id, row.ordinal) for row in said] == [(inbound.pk, 1), (inbound.pk, 2)]


# Fed again


async def test_another_answer_to_a_row_fed_again_is_said_and_logged(
    start: StartEngine, caplog: pytest.LogCaptureFixture
) -> None:
    engine = await start(ChattyBotConsumer.as_asgi())
    chat = Chat(engine, 1)
    (receipt,) = await chat.says("a")
    await chat.heard(1)
    await chat.settled()
    await stop(engine)
    await Message.objects.filter(pk=receipt.row).aupdate(status=Status.IN_HAND, payload={"text": "other"})
    chat = Chat(await start(ChattyBotConsumer.as_asgi()), 1)
    assert await chat.heard(1) == ["You said: other"]
    logged = [record.getMessage() for record in caplog.records if record.levelname == "WARNING"]
    assert any(f"Row {receipt.row}" in line and "another answer" in line for line in logged)


async def test_the_clock_runs_on_after_a_dead_letter(start: StartEngine) -> None:
    engine = await start(ChattyBotConsumer.as_asgi())
    chat = Chat(engine, 1)
    (receipt,) = await chat.says("poison")
    await chat.settled()
    await stop(engine)
    await Message.objects.filter(pk=receipt.row).aupdate(status=Status.IN_HAND, feedings=3)
    await Conversation.objects.aupdate(deadline=None)
    await leave_dead_lease()
    chat = Chat(await start(ChattyBotConsumer.as_asgi(), CONVERSATION_TIMEOUT=0.1), 1)
    (row,) = await chat.settled()
    assert row.status == Status.DEAD
    await until_closed()


# A conversation's place in the pool


class Later:
    """A pool whose threads come when the test says so."""

    def __init__(self) -> None:
        self.waiting: list[Callable[[], None]] = []

    def start(self, call: Callable[[], None]) -> None:
        self.waiting.append(call)


class Interrupted:
    """A lock after whose next release somebody else comes first."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.then: Callable[[], Any] | None = None

    def __enter__(self) -> None:
        self._lock.acquire()

    def __exit__(self, *error: object) -> None:
        self._lock.release()
        then, self.then = self.then, None
        if then is not None:
            then()


def test_a_place_asks_for_one_thread_where_a_call_comes_as_it_falls_free(monkeypatch: pytest.MonkeyPatch) -> None:
    pool, lock, ran = Later(), Interrupted(), list[int]()
    place = Place(pool)
    monkeypatch.setattr(place, "_lock", lock)
    place.submit(ran.append, 1)
    lock.then = lambda: place.submit(ran.append, 2)
    pool.waiting.pop()()
    assert len(pool.waiting) == 1
    pool.waiting.pop()()
    assert (ran, pool.waiting, place.busy) == ([1, 2], [], False)
