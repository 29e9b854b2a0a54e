"""What the outbox holds of what waits, and in which order it leaves. Texts are numbers, so that order can be seen."""

import asyncio
from typing import Any

import pytest
from asgiref.sync import sync_to_async

from bots.chatty import ChattyBotConsumer
from gateway import backlog, leaving, outbox, writer
from gateway.engine import Engine
from gateway.errors import Later, Refused, Unknown
from gateway.models import Conversation, Message, Status
from gateway.transcript import Mark, OutRow, Say
from gateway.transcript.mending import Resend
from gateway.types import Outbound
from gateway.writer import commit_here, run_group
from tests.communicator import Chat, eventually, until
from tests.engine_moments import outside, stop, until_all_sent
from tests.engines import StartEngine, start

__all__ = ["start"]

pytestmark = pytest.mark.django_db(transaction=True)


def words(text: str) -> Outbound:
    return Outbound("message", "send_message", {"text": text}, text)


async def met(chat: Chat) -> int:
    """The conversation of somebody who has written; nobody has answered."""
    (receipt,) = await chat.engine.accept([chat.inbound("hi", method="nobody_handles")])
    return receipt.conversation


async def say(engine: Engine, conversation: int, texts: range, **how: Any) -> None:
    await asyncio.gather(*(engine.submit(Say(conversation, words(str(text)), **how)) for text in texts))


async def elsewhere(operation: Any) -> Any:
    """In a process of its own."""
    return await sync_to_async(commit_here)(operation)


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """An outbox that holds hardly anything."""
    monkeypatch.setattr(backlog, "LONGEST_LANE", 3)
    monkeypatch.setattr(backlog, "MOST_ANSWERS", 8)
    monkeypatch.setattr(backlog, "MOST_ANNOUNCEMENTS", 4)
    monkeypatch.setattr(outbox, "RETRY_SECONDS", 0.01)


@pytest.mark.usefixtures("small")
@pytest.mark.parametrize("announcement", [False, True])
async def test_more_than_is_held_leaves_in_order(start: StartEngine, announcement: bool) -> None:
    engine = await start(ChattyBotConsumer.as_asgi())
    outside(engine).delay = 0.002
    chats = [Chat(engine, user) for user in range(1, 6)]
    places = [await met(chat) for chat in chats]
    held = 0

    async def watch() -> None:
        nonlocal held
        while True:
            held = max(held, len(engine.outbox))
            await asyncio.sleep(0)

    watching = asyncio.create_task(watch())
    for part in (range(20), range(20, 40)):
        await asyncio.gather(*(say(engine, place, part, announcement=announcement) for place in places))
    for chat in chats:
        await chat.heard(40)
        assert chat._texts() == [str(number) for number in range(40)]
    watching.cancel()
    assert 0 < held <= 8 + len(chats)


@pytest.mark.usefixtures("small")
async def test_what_was_left_in_the_table_is_loaded_in_order(start: StartEngine) -> None:
    engine = await start(ChattyBotConsumer.as_asgi())
    chats = [Chat(engine, user) for user in (1, 2, 3)]
    places = [await met(chat) for chat in chats]
    outside(engine).faults = [Later("wait", 60)] * 3
    await asyncio.gather(*(say(engine, place, range(20)) for place in places))
    await stop(engine)
    await Message.objects.filter(direction="out").aupdate(due_at=None)
    engine = await start(ChattyBotConsumer.as_asgi())
    await asyncio.gather(*(say(engine, place, range(20, 30)) for place in places))
    for user in (1, 2, 3):
        assert await Chat(engine, user).heard(30) == [str(number) for number in range(30)]


@pytest.mark.usefixtures("small")
async def test_a_full_lane_keeps_nobody_else_waiting(start: StartEngine) -> None:
    engine = await start(ChattyBotConsumer.as_asgi())
    stuck, free = Chat(engine, 1), Chat(engine, 2)
    places = [await met(stuck), await met(free)]
    outside(engine).faults = [Later("wait", 60)]
    await say(engine, places[0], range(30))
    await say(engine, places[1], range(5))
    assert await free.heard(5) == ["0", "1", "2", "3", "4"]
    assert stuck._texts() == []


async def test_what_another_process_queues_or_sends_again_is_found(start: StartEngine) -> None:
    engine = await start(ChattyBotConsumer.as_asgi())
    chat = Chat(engine, 1)
    place = await met(chat)
    outside(engine).faults = [Refused("no")]
    await say(engine, place, range(1))

    async def failed() -> bool:
        return await Message.objects.filter(status=Status.FAILED).aexists()

    await eventually(failed, "the refusal")
    await say(engine, place, range(1, 4))
    assert await chat.heard(3) == ["1", "2", "3"]
    row = await Message.objects.aget(status=Status.FAILED)
    engine.outbox._backlog._newest += backlog.OVERLAP_ROWS * 10  # As after many more rows.
    await elsewhere(Say(place, words("4")))
    await elsewhere(Resend(row.pk, "ann"))
    assert sorted(await chat.heard(5)) == ["0", "1", "2", "3", "4"]
    (row, *_) = await until_all_sent(chat)
    assert (row.status, row.error) == (Status.SENT, "")


async def test_a_lane_survives_what_it_did_not_expect(start: StartEngine, monkeypatch: pytest.MonkeyPatch) -> None:
    """Both before the call, which then waits, and after it, whose outcome is written as soon as it can be."""
    monkeypatch.setattr(outbox, "RETRY_SECONDS", 0.01)
    engine = await start(ChattyBotConsumer.as_asgi())
    chat = Chat(engine, 1)
    place = await met(chat)
    left = {Status.SENDING: 2, Status.SENT: 2}

    def flaky(operations: list[Any], *more: Any) -> Any:
        for operation in operations:
            if isinstance(operation, Mark) and left.get(operation.status):
                left[operation.status] -= 1
                raise ValueError("nobody knows why")
        return run_group(operations, *more)

    monkeypatch.setattr(writer, "run_group", flaky)
    await say(engine, place, range(3))
    rows = await until_all_sent(chat)
    assert chat._texts() == ["0", "1", "2"]
    assert [row.status for row in rows] == [Status.SENT] * 3
    assert not any(left.values())


async def test_a_deleted_conversation_ends_its_lane_alone(start: StartEngine) -> None:
    engine = await start(ChattyBotConsumer.as_asgi())
    gone, chat = Chat(engine, 1), Chat(engine, 2)
    place, other = await met(gone), await met(chat)
    outside(engine).faults = [Later("wait", 1.0)]
    await say(engine, place, range(3))

    async def waiting() -> bool:
        return await Message.objects.filter(status=Status.QUEUED, due_at__isnull=False).aexists()

    await eventually(waiting, "the lane's pause")  # Else the two might wait for each other's locks.
    await Conversation.objects.filter(pk=place).adelete()
    await say(engine, other, range(2))
    assert await chat.heard(2) == ["0", "1"]
    await until(lambda: len(engine.outbox) == 0, "an empty outbox")
    assert gone._texts() == []


# Unknown


async def test_every_unknown_call_is_counted_in_its_row(start: StartEngine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(outbox, "FIRST_PAUSE_SECONDS", 0.01)
    engine = await start(ChattyBotConsumer.as_asgi())
    chat = Chat(engine, 1)
    outside(engine).faults = [Unknown("cut"), Unknown("cut")]
    await say(engine, await met(chat), range(1))
    await chat.heard(1)
    (row,) = await until_all_sent(chat)
    assert (row.status, row.unknowns, row.error) == (Status.SENT, 2, "")
    assert (engine.outbox.unknown, engine.outbox.retried) == (2, 2)


async def test_a_call_that_the_process_died_under_is_counted_and_logged(
    start: StartEngine, caplog: pytest.LogCaptureFixture
) -> None:
    engine = await start(ChattyBotConsumer.as_asgi())
    again, once = Chat(engine, 1), Chat(engine, 2)
    places = [await met(again), await met(once)]
    for place in places:
        await say(engine, place, range(1))
    await until_all_sent(again)
    await until_all_sent(once)
    await stop(engine)
    await Message.objects.filter(direction="out").aupdate(status=Status.SENDING)
    await Message.objects.filter(direction="out", conversation=places[1]).aupdate(at_most_once=True)
    engine = await start(ChattyBotConsumer.as_asgi())
    again, once = Chat(engine, 1), Chat(engine, 2)
    await again.heard(1)
    (sent,), (unknown,) = await until_all_sent(again), await until_all_sent(once)
    assert (sent.status, sent.unknowns) == (Status.SENT, 1)
    assert (unknown.status, unknown.unknowns) == (Status.UNKNOWN, 1)
    assert once._texts() == []
    logged = [record for record in caplog.records if getattr(record, "event", "") == "unknown_send"]
    assert sorted(record.row for record in logged) == [sent.pk, unknown.pk]  # type: ignore[attr-defined]


# Other processes


@pytest.mark.parametrize("reading", ["of_stream", "rows"])
async def test_what_goes_elsewhere_while_it_is_read_is_left_there(
    start: StartEngine, monkeypatch: pytest.MonkeyPatch, reading: str
) -> None:
    engine = await start(ChattyBotConsumer.as_asgi())
    chat = Chat(engine, 1)
    place = await met(chat)
    outside(engine).faults = [Refused("no")]
    await say(engine, place, range(2))
    refused, sent = await until_all_sent(chat)
    assert (refused.status, sent.status) == (Status.FAILED, Status.SENT)
    read, part = getattr(leaving, reading), sent.conversation.part

    def slowly(*arguments: Any) -> Any:
        found = read(*arguments)
        engine.members.mine -= {part}
        return found

    monkeypatch.setattr(leaving, reading, slowly)
    await elsewhere(Say(place, words("2")) if reading == "of_stream" else Resend(refused.pk, "ann"))
    await until(lambda: part not in engine.members.mine, "the reading")
    await asyncio.sleep(0.1)
    assert len(engine.outbox) == 0
    assert chat._texts() == ["1"]
    assert len(await chat.rows(status=Status.QUEUED)) == 1


async def test_what_stays_after_all_goes_on_behind_its_late_call(start: StartEngine) -> None:
    engine = await start(ChattyBotConsumer.as_asgi())
    chat = Chat(engine, 1)
    place = await met(chat)
    outside(engine).delay = 0.5
    await say(engine, place, range(1))

    async def calling() -> bool:
        return bool(await chat.rows(status=Status.SENDING))

    await eventually(calling, "a call")
    late = await engine.outbox.let_go(engine.members.mine, 0.01)
    assert late
    await engine.members._take_up(late)
    outside(engine).delay = 0.0
    await say(engine, place, range(1, 2))
    await chat.sent(1)
    await say(engine, place, range(2, 3))
    assert await chat.heard(3) == ["0", "1", "2"]


async def test_nothing_overtakes_what_was_to_leave_at_once_and_found_no_room(
    start: StartEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is marked already, so that whoever reads the table just then passes over it."""
    engine = await start(ChattyBotConsumer.as_asgi())
    chat = Chat(engine, 1)
    await chat.says("1")
    await chat.sent(1)
    rows = engine.outbox._backlog
    put = rows._put

    def without_room(row: OutRow) -> None:
        stream = rows._stream(row.protocol, row.bot, announcement=False)
        stream.left = row.text == "You said: 2" and row.marked
        put(row)
        stream.left = False  # As one that has been read on, past the row.

    monkeypatch.setattr(rows, "_put", without_room)
    await chat.says("2")
    await chat.says("3")
    assert await chat.heard(3) == ["You said: 1", "You said: 2", "You said: 3"]
