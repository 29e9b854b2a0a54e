"""A handler that goes wrong hurts its own conversation and no other. Each way of going wrong is really gone."""

import asyncio
import contextlib
import gc
import re
import sys
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest
from asgiref.sync import sync_to_async
from channels.consumer import AsyncConsumer, SyncConsumer
from channels.db import database_sync_to_async
from channels.exceptions import StopConsumer
from django.db import OperationalError, connections

import gateway.connections
from bots.chatty import ChattyBotConsumer
from gateway import conversations, pool, quarantine, slow
from gateway import engine as engine_module
from gateway.connections import Allowance, on_connected
from gateway.engine import Engine
from gateway.models import UNSETTLED, Conversation, Message, Status
from gateway.pool import Pool
from gateway.quarantine import Quarantine
from gateway.recorder import path_of
from gateway.transcript import InRow
from gateway.types import Inbound
from tests.communicator import Chat, eventually, until
from tests.engine_moments import leave_dead_lease, stop, until_in_hand
from tests.engines import StartEngine, start
from tests.wrongs import SECRET, WRONG

__all__ = ["start"]

pytestmark = pytest.mark.django_db(transaction=True)

SORRY = "Sorry, something went wrong on our side. Please try again."
WAIT = "This takes longer than usual. Please wait."
NOTICE_SECONDS = 2.0
LOADED_SECONDS = 3.0  # what a machine that does something else as well may add


def answer(text: str) -> dict[str, Any]:
    return {"type": "telegram.message", "text": text}


class SyncWrong(SyncConsumer):
    def telegram_message(self, message: dict[str, Any]) -> None:
        word = message["text"]
        if word in WRONG:
            WRONG[word]()
        self.send(answer(word))


class AsyncWrong(AsyncConsumer):
    async def telegram_message(self, message: dict[str, Any]) -> None:
        word = message["text"]
        if word in WRONG:
            WRONG[word]()
        if word == "cancels":
            task = asyncio.current_task()
            assert task is not None
            task.cancel()
            await asyncio.sleep(0)
        await self.send(answer(word))


async def plain_wrong(scope: Any, receive: Any, send: Any) -> None:
    while True:
        event = await receive()
        if event["text"] in WRONG:
            WRONG[event["text"]]()
        await send(answer(event["text"]))


@pytest.mark.parametrize("application", [SyncWrong.as_asgi(), AsyncWrong.as_asgi(), plain_wrong])
async def test_whatever_a_handler_raises_ends_its_own_event_alone(start: StartEngine, application: Any) -> None:
    engine = await start(application)
    ways = [*WRONG, "cancels"] if application.__name__ == "AsyncWrong" else list(WRONG)
    wrong = {way: Chat(engine, 100 + number) for number, way in enumerate(ways)}
    others = [Chat(engine, number) for number in range(10)]
    began = time.monotonic()
    await asyncio.gather(
        *(chat.says("before", way, "after") for way, chat in wrong.items()),
        *(other.says("a", "b") for other in others),
    )
    for other in others:
        assert await other.heard(2) == ["a", "b"]
    for way, chat in wrong.items():
        heard = await chat.heard(3)
        assert sorted(heard) == sorted(["before", SORRY, "after"]), way
        statuses = [row.status for row in await chat.settled()]
        assert statuses == [Status.DONE, Status.FAILED, Status.DONE], way
    took = time.monotonic() - began
    print(f"{len(wrong)} ways of going wrong, all told within {took:.2f} s")
    assert took < NOTICE_SECONDS + LOADED_SECONDS
    assert engine.lanes.errors == len(ways)
    assert not engine.health()


async def test_a_log_of_an_error_has_ids_and_no_word(start: StartEngine, caplog: pytest.LogCaptureFixture) -> None:
    chat = Chat(await start(SyncWrong.as_asgi()), 1)
    (receipt,) = await chat.says("value")
    (row,) = await chat.settled()
    (logged,) = [record for record in caplog.records if record.levelname == "ERROR"]
    uuid = str((await Conversation.objects.aget()).uuid)
    assert f"Conversation {uuid}, row {receipt.row}, bot bot" in logged.getMessage()
    assert "ValueError" in caplog.text
    assert "go_wrong" in caplog.text, "the author's frames"
    assert SECRET not in caplog.text
    assert SECRET in row.error, "it is in the row, for those who may read it"


# Every hook


class WrongHooks(AsyncConsumer):
    """Raises in its constructor or in the hook that its bot is named after."""

    where = ""

    def __init__(self) -> None:
        if self.where == "constructor":
            raise ValueError("no such setting")

    async def telegram_message(self, message: dict[str, Any]) -> None:
        await self.send({**answer(message["text"]), "ref": "r"})
        self.wrong("message")

    async def telegram_callback_query(self, event: dict[str, Any]) -> None:
        self.wrong("button")

    async def telegram_result(self, event: dict[str, Any]) -> None:
        self.wrong("result")

    async def telegram_resume(self, event: dict[str, Any]) -> None:
        self.wrong("resume")

    async def telegram_disconnect(self, event: dict[str, Any]) -> None:
        self.wrong("disconnect")
        raise StopConsumer

    def wrong(self, where: str) -> None:
        if where == self.where:
            raise ValueError(where)


def wrong_in(where: str) -> Any:
    return type("WrongHooks", (WrongHooks,), {"where": where}).as_asgi()  # type: ignore[attr-defined]


@pytest.mark.parametrize("where", ["constructor", "message", "button"])
async def test_an_error_in_a_hook_that_somebody_waits_for_is_told(start: StartEngine, where: str) -> None:
    chat = Chat(await start(wrong_in(where)), 1)
    began = time.monotonic()
    await (chat.presses("x") if where == "button" else chat.says("x"))
    (row, *_) = await chat.settled()
    await until(lambda: SORRY in chat._texts(), "the notice")
    print(f"{where}: told after {time.monotonic() - began:.2f} s")
    assert row.status == Status.FAILED


@pytest.mark.parametrize("where", ["result", "resume", "disconnect"])
async def test_an_error_in_any_other_hook_leaves_the_conversation_usable_and_is_for_operators(
    start: StartEngine, where: str, django_user_model: Any
) -> None:
    """Nobody asked for these: an apology would answer nothing, and a farewell's would call back who has left."""
    engine = await start(wrong_in(where))
    chat = Chat(engine, 1)
    await chat.says("a")
    await chat.heard(1)
    conversation = await Conversation.objects.aget()
    if where == "resume":
        ann = await django_user_model.objects.acreate(username="ann", is_staff=True)
        await engine.take(str(conversation.uuid), ann)
        await engine.release(str(conversation.uuid), ann)
    if where == "disconnect":
        await engine.lanes.get(conversation).end("closed")

    async def failed() -> bool:
        return bool(await chat.rows(kind=where, status=Status.FAILED))

    await eventually(failed, "the hook's failure")
    await chat.says("b")
    assert "b" in await chat.heard(2)
    await chat.settled()
    assert SORRY not in chat._texts()
    assert engine.lanes.errors >= 1
    (row, *_) = await chat.rows(kind=where, status=Status.FAILED)
    assert row.error == f"ValueError: {where}"


async def returns_at_once(scope: Any, receive: Any, send: Any) -> None:
    return


def no_application(scope: Any, receive: Any, send: Any) -> Any:
    raise LookupError("the map is wrong")


def no_coroutine(scope: Any, receive: Any, send: Any) -> Any:
    return None


@pytest.mark.parametrize("application", [returns_at_once, no_application, no_coroutine])
async def test_an_application_that_takes_nothing_fails_the_event_and_says_so(
    start: StartEngine, application: Any
) -> None:
    chat = Chat(await start(application), 1)
    await chat.says("a")
    (row,) = await chat.settled()
    assert (row.status, bool(row.error)) == (Status.FAILED, True)
    assert await chat.heard(1) == [SORRY]


async def test_one_notice_a_minute_however_many_errors(start: StartEngine, monkeypatch: pytest.MonkeyPatch) -> None:
    chat = Chat(await start(SyncWrong.as_asgi()), 1)
    await chat.says(*["value"] * 20)
    await chat.settled()
    assert await chat.heard(1) == [SORRY]
    monkeypatch.setattr(conversations, "NOTICE_PAUSE_SECONDS", 0.0)
    await chat.says("value")
    assert await chat.heard(2) == [SORRY, SORRY]


# What a handler leaves behind, and what it sends


async def leave(how: str) -> None:
    await asyncio.sleep(5 if how == "sleeps" else 0.01)
    if how == "exits":
        sys.exit(1)
    raise ValueError(SECRET)


class Leaver(AsyncConsumer):
    """Leaves tasks and threads behind, some of which ask for the end of the process."""

    async def telegram_message(self, message: dict[str, Any]) -> None:
        for how in ("sleeps", "exits", "raises"):
            asyncio.create_task(leave(how))  # noqa: RUF006  # as a careless bot does
        threading.Thread(target=time.sleep, args=(5,), daemon=True).start()
        await self.send(answer(message["text"]))


async def test_what_a_handler_leaves_behind_cannot_end_the_process(
    start: StartEngine, caplog: pytest.LogCaptureFixture
) -> None:
    engine = await start(Leaver.as_asgi())
    chat = Chat(engine, 1)
    await chat.says("a")
    await chat.heard(1)
    await asyncio.sleep(0.1)
    await chat.says("b")
    assert await chat.heard(2) == ["a", "b"]
    await stop(engine)
    gc.collect()  # asyncio reports what nobody asks for any more.
    await until(lambda: "never retrieved" in caplog.text, "the report")
    assert "ValueError" in caplog.text
    assert SECRET not in caplog.text


class Chatterbox(AsyncConsumer):
    """Never stops sending, and does not mind being refused."""

    async def telegram_message(self, message: dict[str, Any]) -> None:
        if message["text"] == "stop":
            return
        while True:
            with contextlib.suppress(Exception):
                await self.send(answer("and another thing"))


async def test_a_handler_that_never_stops_sending_is_stopped_at_a_bound(
    start: StartEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engine_module, "DRAIN_SECONDS", 1.0)
    monkeypatch.setattr(engine_module, "FAREWELL_SECONDS", 0.5)
    engine = await start(Chatterbox.as_asgi(), HANDLER_SENDS_MAX=50)
    chat, other = Chat(engine, 1), Chat(engine, 2)
    await chat.says("go")
    await chat.heard(50)
    await other.says("stop")
    await other.settled()
    await asyncio.sleep(0.2)
    assert len(await chat.rows(direction="out")) == 50


class SyncChatterbox(SyncConsumer):
    def telegram_message(self, message: dict[str, Any]) -> None:
        for _ in range(60):
            self.send(answer("more"))


async def test_the_error_of_the_bound_names_its_setting(start: StartEngine) -> None:
    chat = Chat(await start(SyncChatterbox.as_asgi(), HANDLER_SENDS_MAX=50), 1)
    await chat.says("go")
    (row,) = await chat.settled()
    assert row.status == Status.FAILED
    assert "50 things in one event" in row.error
    assert "HANDLER_SENDS_MAX" in row.error


GARBAGE: list[Any] = [
    None, "text", {}, {"type": 7}, {"type": "telegram.message"}, {"type": "telegram.message", "text": 5},
    {"type": "http.response.start"}, {"type": "chat.nonsense"}, [], {"type": "telegram.", "text": object()},
]  # fmt: skip


class Garbler(AsyncConsumer):
    async def telegram_message(self, message: dict[str, Any]) -> None:
        await self.send(GARBAGE[int(message["text"])] if message["text"].isdigit() else answer("fine"))


async def test_garbage_fails_its_own_event(start: StartEngine) -> None:
    engine = await start(Garbler.as_asgi())
    chats = [Chat(engine, number) for number in range(len(GARBAGE))]
    await asyncio.gather(*(chat.says(str(number), "ok") for number, chat in enumerate(chats)))
    for chat in chats:
        _, good = await chat.settled()
        assert good.status == Status.DONE
        await until(lambda chat=chat: "fine" in chat._texts(), "the answer to what came next")
    assert (await Chat(engine, 0).rows(direction="in"))[0].status == Status.FAILED
    assert not engine.health()


# The soft limit


class Blocker:
    """Lets handlers block until the test lets them go."""

    def __init__(self) -> None:
        self.gate = threading.Event()

    def block(self) -> None:
        self.gate.wait(30)


blocker = Blocker()


class SyncSlow(SyncConsumer):
    def telegram_message(self, message: dict[str, Any]) -> None:
        if message["text"] == "block":
            blocker.block()
        self.send(answer(message["text"]))


class AsyncSlow(AsyncConsumer):
    async def telegram_message(self, message: dict[str, Any]) -> None:
        if message["text"] == "block":
            while not blocker.gate.is_set():  # noqa: ASYNC110  # what it waits for is no loop's
                await asyncio.sleep(0.01)
        await self.send(answer(message["text"]))


@pytest.fixture(autouse=True)
def gate(monkeypatch: pytest.MonkeyPatch) -> Iterator[threading.Event]:
    blocker.gate = threading.Event()
    monkeypatch.setattr(slow, "LOOK_SECONDS", 0.02)
    yield blocker.gate
    blocker.gate.set()


@pytest.mark.parametrize("consumer", [SyncSlow, AsyncSlow])
async def test_over_the_soft_limit_the_user_and_the_log_are_told_and_the_lane_waits(
    start: StartEngine, consumer: Any, gate: threading.Event, caplog: pytest.LogCaptureFixture
) -> None:
    engine = await start(consumer.as_asgi(), SLOW_HANDLER_SECONDS=0.2)
    chat, other = Chat(engine, 1), Chat(engine, 2)
    await chat.says("block", SECRET)
    assert await chat.heard(1) == [WAIT]
    await other.says("quick")
    assert await other.heard(1) == ["quick"]
    first, second = await chat.rows(direction="in")
    assert (first.status, first.feedings, second.feedings) == (Status.IN_HAND, 1, 0)
    assert (engine.slow.alarms, len(engine.slow)) == (1, 1)
    (alarm,) = [record.getMessage() for record in caplog.records if "has not finished" in record.getMessage()]
    assert f"row {first.pk}, bot bot: {consumer.__name__}.telegram_message" in alarm
    assert re.search(rf"{re.escape(__file__)}:\d+ \((block|telegram_message)\)", alarm)
    gate.set()
    assert await chat.heard(3) == [WAIT, "block", SECRET]
    assert [row.feedings for row in await chat.settled()] == [1, 1]
    assert len(engine.slow) == 0
    assert SECRET not in caplog.text


async def test_an_operator_answers_while_the_handler_is_blocked(
    start: StartEngine, gate: threading.Event, django_user_model: Any
) -> None:
    engine = await start(SyncSlow.as_asgi(), SLOW_HANDLER_SECONDS=0.2)
    chat = Chat(engine, 1)
    ann = await django_user_model.objects.acreate(username="ann", is_staff=True)
    await chat.says("block")
    assert await chat.heard(1) == [WAIT]
    uuid = str((await Conversation.objects.aget()).uuid)
    await engine.take(uuid, ann)
    await engine.say(uuid, ann, client_id="1", text="I am here", seen=2)
    assert await chat.heard(2) == [WAIT, "I am here"]
    gate.set()
    await chat.settled()
    assert [row.status for row in await chat.rows(direction="out", text="block")] == [Status.NOTE]
    await engine.release(uuid, ann)
    await chat.says("again")
    assert (await chat.heard(3))[2] == "again"


async def test_no_end_of_a_scope_waits_for_a_blocked_handler(start: StartEngine, gate: threading.Event) -> None:
    engine = await start(SyncSlow.as_asgi())
    chat = Chat(engine, 1)
    await chat.says("block")
    await until_in_hand(chat)
    lane = engine.lanes.known((await Conversation.objects.aget()).pk)
    assert lane is not None
    async with asyncio.timeout(5):
        assert await lane.end("closed")
        await engine.accept([chat.inbound(kind="update", method="my_chat_member", blocked=True)])
    gate.set()
    await chat.settled()


# The pool


async def test_blocked_threads_add_threads_and_surplus_ones_leave(
    monkeypatch: pytest.MonkeyPatch, gate: threading.Event
) -> None:
    monkeypatch.setattr(pool, "SURPLUS_SECONDS", 0.1)
    monkeypatch.setattr(pool, "UNUSED_CONNECTION_SECONDS", 0.1)
    threads = Pool("test", 4, 12)
    blocked = [threads.submit(gate.wait, 30) for _ in range(8)]
    assert await asyncio.wrap_future(threads.submit(lambda: "done")) == "done"
    assert threads.threads == 9
    gate.set()
    await asyncio.gather(*map(asyncio.wrap_future, blocked))
    await until(lambda: threads.threads == 4, "the surplus to leave")
    assert await asyncio.wrap_future(threads.submit(lambda: "still")) == "still"
    threads.shutdown()


async def test_at_its_cap_a_pool_says_so_and_keeps_the_order(
    gate: threading.Event, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pool, "STUCK_SECONDS", 0.1)
    threads, order = Pool("test", 2, 4), list[int]()
    for _ in range(4):
        threads.submit(gate.wait, 30)
    waiting = [threads.submit(order.append, number) for number in range(5)]
    await until(lambda: threads.times_full, "the cap")
    await until(lambda: threads.trouble, "the trouble")
    assert "4 of at most 4 threads are blocked" in threads.trouble
    assert [record.levelname for record in caplog.records if "HANDLER_THREADS_MAX" in record.getMessage()] == ["ERROR"]
    assert threads.waiting == 5
    gate.set()
    await asyncio.gather(*map(asyncio.wrap_future, waiting))
    assert sorted(order) == list(range(5))
    await until(lambda: not threads.trouble, "the end of the trouble")
    assert threads.times_full == 1
    threads.shutdown()


def spin(seconds: float) -> None:
    until_then = time.monotonic() + seconds
    while time.monotonic() < until_then:
        pass


async def test_threads_that_are_only_busy_add_none() -> None:
    threads = Pool("test", 2, 50)
    done = [threads.submit(spin, 0.1) for _ in range(8)]
    await asyncio.gather(*map(asyncio.wrap_future, done))
    assert threads.threads == 2
    threads.shutdown()


async def test_an_idle_thread_gives_its_database_connection_back(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pool, "UNUSED_CONNECTION_SECONDS", 0.1)
    threads = Pool("test", 1, 1)

    def use() -> Any:
        Message.objects.exists()
        return connections["default"]

    used = await asyncio.wrap_future(threads.submit(use))
    await until(lambda: used.connection is None, "the end of the connection")
    threads.shutdown()


class Server:
    """Stands for the connection of a thread to a database server."""

    vendor = "postgresql"

    def __init__(self) -> None:
        self.opened = 0
        self.connection: object | None = object()

    def connect(self) -> None:
        self.connection, self.opened = object(), self.opened + 1
        on_connected(self)

    def close(self) -> None:
        self.connection = None


async def test_handlers_hold_only_so_many_connections_and_then_wait_for_one(
    monkeypatch: pytest.MonkeyPatch, gate: threading.Event
) -> None:
    held, mine = list[Server](), threading.local()
    monkeypatch.setattr(connections, "all", lambda **_: [mine.server] if hasattr(mine, "server") else [])
    threads = Pool("test", 4, 4, Allowance(2))

    def look_up(wait: bool) -> int:
        mine.server = Server()
        held.append(mine.server)
        mine.server.connect()
        if wait:
            gate.wait(30)
        mine.server.close()
        return int(mine.server.opened)

    first = [threads.submit(look_up, True) for _ in range(2)]
    await until(lambda: len(held) == 2, "two that hold one")
    third = threads.submit(look_up, False)
    await until(lambda: len(held) == 3 and held[2].connection is None, "a third that waits without one")
    assert not third.done()
    gate.set()
    assert [await asyncio.wrap_future(call) for call in (*first, third)] == [1, 1, 2]
    assert await asyncio.wrap_future(threads.submit(look_up, False)) == 1, "all were given back"
    threads.shutdown()


async def test_who_waits_too_long_for_a_connection_is_told_which_setting_mends_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(gateway.connections, "WAIT_SECONDS", 0.05)
    threads, allowance = Pool("test", 1, 1), Allowance(1)
    await asyncio.wrap_future(threads.submit(allowance.take, Server()))
    with pytest.raises(OperationalError, match="HANDLER_CONNECTIONS_MAX"):
        allowance.take(Server())  # type: ignore[arg-type]
    threads.shutdown()


class Hopper(AsyncConsumer):
    """Hops to a thread in each of the ways that there are, and blocks it."""

    async def telegram_message(self, message: dict[str, Any]) -> None:
        match message["text"]:
            case "sync_to_async":
                await sync_to_async(blocker.block)()
            case "database":
                await database_sync_to_async(blocker.block)()
            case "to_thread":
                await asyncio.to_thread(blocker.block)
            case "executor":
                await asyncio.get_running_loop().run_in_executor(None, blocker.block)
        await self.send(answer(message["text"]))


async def test_more_blocked_handlers_than_threads_stop_nobody(start: StartEngine, gate: threading.Event) -> None:
    engine = await start(SyncSlow.as_asgi())
    chats = [Chat(engine, number) for number in range(pool.HANDLER_THREADS + 10)]
    await asyncio.gather(*(chat.says("block") for chat in chats))
    other = Chat(engine, 999)
    began = time.monotonic()
    await other.says("quick")
    assert await other.heard(1) == ["quick"]
    took = time.monotonic() - began
    print(f"{len(chats)} blocked: answered after {took:.3f} s by {engine.pools.handlers.threads} threads")
    assert engine.pools.handlers.threads > pool.HANDLER_THREADS
    assert not engine.health()
    gate.set()
    for chat in chats:
        assert await chat.heard(1) == ["block"]


@pytest.mark.parametrize("way", ["sync_to_async", "database", "to_thread", "executor"])
async def test_more_blocked_hops_than_threads_stop_nobody(start: StartEngine, gate: threading.Event, way: str) -> None:
    engine = await start(Hopper.as_asgi())
    chats = [Chat(engine, number) for number in range(24)]
    await asyncio.gather(*(chat.says(way) for chat in chats))
    other = Chat(engine, 999)
    await other.says("quick")
    assert await other.heard(1) == ["quick"]
    assert await asyncio.get_running_loop().getaddrinfo("127.0.0.1", 80), "names are looked up by the same threads"
    gate.set()
    for chat in chats:
        assert await chat.heard(1) == [way]


# Poison. A death is simulated: nothing that is in hand is settled, and the next engine finds it in the rows.


class Poisonous(AsyncConsumer):
    """Ends "the process" on "poison", after it has waited as long as everybody else."""

    deadly: asyncio.Event

    async def telegram_message(self, message: dict[str, Any]) -> None:
        if message["text"].startswith("poison"):
            await asyncio.sleep(0.02)
            Poisonous.deadly.set()
            await asyncio.sleep(60)
        await asyncio.sleep(0.03)
        await self.send(answer(message["text"]))


async def everybody_settled() -> bool:
    return not await Message.objects.filter(direction="in", status__in=UNSETTLED).aexists()


async def die(engine: Engine) -> None:
    """As if it had been killed: its lease stays, and what was recorded of its handlers."""
    engine.draining = True
    assert engine._node is not None
    lease = engine._node.pk
    for lane in engine.lanes.all():
        await lane.abandon()
    record = path_of(lease).read_bytes()
    await stop(engine)
    path_of(lease).write_bytes(record)
    await leave_dead_lease(lease)


async def live_through(start: StartEngine, *inbounds: Inbound) -> tuple[Engine, int]:
    """Runs engines one after the other, until one survives. Returns it, and how many died."""
    deaths = 0
    while True:
        Poisonous.deadly = asyncio.Event()
        engine = await start(Poisonous.as_asgi())
        if not deaths:
            await engine.accept(inbounds)
        settled = asyncio.create_task(eventually(everybody_settled, "everybody settled", 30))
        deadly = asyncio.create_task(Poisonous.deadly.wait())
        await asyncio.wait([settled, deadly], return_when=asyncio.FIRST_COMPLETED)
        deadly.cancel()
        if settled.done():
            return engine, deaths
        settled.cancel()
        await die(engine)
        deaths += 1
        assert deaths < 20, "it dies for ever"


@pytest.mark.parametrize("poisons", [1, 3])
async def test_poison_dies_alone_after_three_feedings_and_no_neighbour_with_it(
    start: StartEngine, poisons: int
) -> None:
    engine = await start(Poisonous.as_asgi())
    await stop(engine)
    neighbours = [Chat(engine, number) for number in range(50)]
    poisoned = [Chat(engine, 1000 + number) for number in range(poisons)]
    inbounds = [chat.inbound(f"hello {chat.user}") for chat in neighbours[:25]]
    inbounds += [chat.inbound(text) for chat in poisoned for text in ("poison", "later")]
    inbounds += [chat.inbound(f"hello {chat.user}") for chat in neighbours[25:]]
    engine, deaths = await live_through(start, *inbounds)
    dead = [row async for row in Message.objects.filter(status=Status.DEAD)]
    done = Message.objects.filter(direction="in", status=Status.DONE)
    print(f"{poisons} poisons: {deaths} deaths, {len(dead)} dead letters, {await done.acount()} answered")
    assert [(row.text, row.feedings) for row in dead] == [("poison", 3)] * poisons
    assert await done.acount() == len(neighbours) + poisons
    assert deaths <= 2 + poisons
    assert await done.filter(feedings__gt=3).acount() == 0


async def test_a_slow_suspect_keeps_nobody_waiting_for_ever(
    start: StartEngine, gate: threading.Event, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(quarantine, "LONGEST_SECONDS", 0.3)
    Poisonous.deadly = asyncio.Event()
    engine = await start(AsyncSlow.as_asgi())
    slow_one, other = Chat(engine, 1), Chat(engine, 2)
    await slow_one.says("block")
    await until_in_hand(slow_one)
    await die(engine)
    await Message.objects.filter(status=Status.IN_HAND).aupdate(feedings=2)
    engine = await start(AsyncSlow.as_asgi())
    other.engine = engine
    await other.says("quick")
    assert await other.heard(1) == ["quick"]
    gate.set()


def put_back(*feedings: int) -> Quarantine:
    """A quarantine after a death with rows of so many feedings in hand, which are the rows 1, 2, …"""
    found = Quarantine()
    found.begin(list(enumerate(feedings, start=1)), [])
    return found


def row(pk: int, feedings: int) -> InRow:
    return InRow(pk, 1, "message", "message", {}, "", feedings)


@pytest.mark.parametrize(
    ("feedings", "condemned"),
    [((1,), False), ((2,), False), ((3,), True), ((3, 1), False), ((3, 3), False), ((6, 1), True), ((5, 6), False)],
)
async def test_who_is_blamed_for_a_death(feedings: tuple[int, ...], condemned: bool) -> None:
    quarantined = put_back(*feedings)
    assert quarantined.condemns(row(1, feedings[0])) is condemned
    assert quarantined.condemns(row(1, 0)) is False, "replayed, it is fed"


async def test_who_was_with_no_handler_is_not_to_blame(start: StartEngine) -> None:
    engine = await start(ChattyBotConsumer.as_asgi())
    chat = Chat(engine, 1)
    await chat.says("a")
    await chat.settled()
    await die(engine)
    await Message.objects.filter(direction="in").aupdate(status=Status.IN_HAND, feedings=2)
    chat.engine = await start(ChattyBotConsumer.as_asgi())
    (inbound,) = await chat.settled()
    assert (inbound.status, inbound.feedings) == (Status.DONE, 2), "once before, and now"
