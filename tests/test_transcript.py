"""The rows' numbers, and what is written again when a row is fed again."""

import asyncio
from typing import Any

import pytest
from django.db import OperationalError, connection

from bots.chatty import ChattyBotConsumer
from gateway import node, writer
from gateway.errors import AlreadyRunning, Later
from gateway.models import Conversation, Message, Node, Status
from gateway.transcript import Memory, Say, rows, sqlite
from gateway.types import Outbound
from gateway.writer import commit_here, run_group
from tests.communicator import Chat, eventually
from tests.engines import StartEngine, start

__all__ = ["start"]

pytestmark = pytest.mark.django_db(transaction=True)


def words(text: str) -> Outbound:
    return Outbound(kind="message", method="send_message", params={"text": text}, text=text)


@pytest.fixture
def inbound_row(db: None) -> Message:
    from gateway.models import Bot

    bot = Bot.objects.create(name="bot")
    conversation = Conversation.objects.create(bot=bot, protocol="telegram", key="1", address={"chat_id": 1}, rev=1)
    return Message.objects.create(
        conversation=conversation, bot=bot, direction="in", kind="message", sender="visitor", rev=1, method="message",
        status=Status.IN_HAND,
    )  # fmt: skip


def say_again(row: Message, text: str, feedings: int) -> Any:
    return commit_here(
        Say(row.conversation_id, words(text), cause=row.pk, ordinal=1, redelivered=feedings),
    )()


def test_the_same_words_again_are_the_same_row(inbound_row: Message) -> None:
    first = say_again(inbound_row, "hello", 0)
    second = say_again(inbound_row, "hello", 1)
    assert (second.row, second.duplicate) == (first.row, True)


def test_other_words_replace_what_is_still_queued(inbound_row: Message) -> None:
    first = say_again(inbound_row, "it is 10:00", 0)
    second = say_again(inbound_row, "it is 10:01", 1)
    assert second.row == first.row
    message = Message.objects.get(pk=first.row)
    assert (message.text, message.payload, message.seq) == ("it is 10:01", {"text": "it is 10:01"}, 1)
    assert message.seen_rev == message.rev > first.rev


def test_other_words_after_the_first_have_left_are_a_row_of_their_own(inbound_row: Message) -> None:
    first = say_again(inbound_row, "it is 10:00", 0)
    Message.objects.filter(pk=first.row).update(status=Status.SENT)
    second = say_again(inbound_row, "it is 10:01", 1)
    again = say_again(inbound_row, "it is 10:01", 1)
    assert second.row != first.row
    assert again.row == second.row
    assert Message.objects.get(pk=second.row).attempt == 1


def test_numbers_have_no_gap(inbound_row: Message) -> None:
    memory = Memory()
    pk = inbound_row.conversation_id
    run_group([Say(pk, words("a")), Say(pk, words("b"))], memory)
    note = Outbound(kind="note", method="ask_human", text="psst")
    run_group([Say(pk, note), Say(pk, words("c"))], memory)
    rows = Message.objects.filter(conversation=pk, direction="out").order_by("pk")
    assert [row.seq for row in rows] == [1, 2, None, 3]
    assert [row.rev for row in rows] == [2, 3, 4, 5]
    assert [row.seen_rev for row in rows] == [2, 3, 0, 5]


async def test_a_database_that_is_away_delays_and_loses_nothing(
    start: StartEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = await start(ChattyBotConsumer.as_asgi())
    chat, real, failures = Chat(engine, 1), run_group, [OperationalError("server closed the connection")] * 3

    def flaky(*args: Any) -> Any:
        if failures:
            raise failures.pop()
        return real(*args)

    monkeypatch.setattr(writer, "run_group", flaky)
    await chat.says("a")
    assert await chat.heard(1) == ["You said: a"]
    assert engine.health() == {}


async def test_a_queue_in_the_rows(start: StartEngine, monkeypatch: pytest.MonkeyPatch) -> None:
    """More than fits in memory stays in the rows, and is fed in order nonetheless."""
    from gateway import lane

    monkeypatch.setattr(lane, "LONGEST_QUEUE", 5)
    monkeypatch.setattr(lane, "RELOADED_ROWS", 7)
    chat = Chat(await start(ChattyBotConsumer.as_asgi()), 1)
    for n in range(0, 60, 20):
        await chat.says(*map(str, range(n, n + 20)))
    assert await chat.heard(60) == [f"You said: {n}" for n in range(60)]
    assert all(row.feedings == 1 for row in await chat.settled())


async def test_words_of_another_process_are_found_by_looking(start: StartEngine) -> None:
    engine = await start(ChattyBotConsumer.as_asgi())
    chat = Chat(engine, 1)
    await chat.says("a")
    await chat.heard(1)
    pk = (await Conversation.objects.aget()).pk
    heard: list[int] = []
    stop = engine.ring.subscribe(pk, lambda rev, _: heard.append(rev))
    await engine.read(commit_here, Say(pk, words("news"), sender="system"))
    assert await chat.heard(2) == ["You said: a", "news"]
    await eventually(lambda: asyncio.sleep(0, bool(heard)), "a ring by looking")
    stop()


async def test_what_was_queued_at_the_stop_is_delivered_by_the_next_process(start: StartEngine) -> None:
    engine = await start(ChattyBotConsumer.as_asgi())
    engine.protocols["telegram"].faults = [Later("wait", 60)]  # type: ignore[attr-defined]
    chat = Chat(engine, 1)
    await chat.says("a")

    async def waiting() -> bool:
        return bool(await chat.rows(status="queued", sends=1))

    await eventually(waiting, "the first send's refusal")
    await engine.stop()
    engine._node = None
    await Message.objects.filter(direction="out").aupdate(due_at=None)
    chat = Chat(await start(ChattyBotConsumer.as_asgi()), 1)
    assert await chat.heard(1) == ["You said: a"]


def test_a_lease_that_moves_is_refused_and_a_dead_one_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(node, "WATCH_SECONDS", 0.3)
    monkeypatch.setattr(node, "WATCH_STEP_SECONDS", 0.05)
    first, _ = node.claim()
    second, _ = node.claim()
    assert second.pk != first.pk, "the first never moved"
    assert not node.beat(first)
    monkeypatch.setattr(node.time, "sleep", lambda _: node.beat(second))
    with pytest.raises(AlreadyRunning, match="DATABASE_URL"):
        node.claim()
    node.leave(second)
    assert not Node.objects.exists()


async def test_a_conversation_that_was_deleted_begins_anew(start: StartEngine) -> None:
    engine = await start(ChattyBotConsumer.as_asgi())
    chat = Chat(engine, 1)
    await chat.says("a")
    await chat.settled()
    await Conversation.objects.all().adelete()
    await chat.says("b")
    assert (await chat.heard(2))[1] == "You said: b"
    assert (await Conversation.objects.aget()).seq == 2


@pytest.mark.django_db
@pytest.mark.skipif(connection.vendor != "sqlite", reason="its planner is the one that was wrong")
@pytest.mark.parametrize(("table", "key"), [(rows.CONTACTS, "external_id"), (rows.CONVERSATIONS, "key")])
def test_who_is_new_is_looked_up_by_their_key(table: rows.Table[Any], key: str) -> None:
    """And not among all people of the bot, which would take longer with everybody who comes."""
    sql = sqlite._select(table, ("id",), f"bot_id = %s AND protocol = %s AND {key} IN {{keys}}", 0)
    with connection.cursor() as cursor:
        cursor.execute(f"EXPLAIN QUERY PLAN {sql.replace('?', '%s')}", [1, "telegram", "[]"])
        plan = " ".join(str(row[3]) for row in cursor.fetchall())
    assert f"bot_id=? AND protocol=? AND {key}=?" in plan
