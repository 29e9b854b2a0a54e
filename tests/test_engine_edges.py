"""What happens at the edges of a scope, of a hold and of a delivery: rare moments, each made to happen."""

import asyncio
import gc
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from asgiref.sync import ThreadSensitiveContext
from channels.consumer import AsyncConsumer
from channels.exceptions import StopConsumer
from django.utils import timezone

from bots.chatty import ChattyBotConsumer
from gateway.engine import Engine
from gateway.errors import Denied, Later, Refused
from gateway.instance import Instance
from gateway.models import Bot, Conversation, Message, Status
from gateway.transcript import End, Mark, Memory, Recover, Release, Say, Take
from gateway.transcript.saying import out_row
from gateway.types import Outbound
from gateway.writer import run_group
from tests.communicator import Chat, Outside, eventually
from tests.engines import StartEngine, start

__all__ = ["start"]

pytestmark = pytest.mark.django_db(transaction=True)


def outside(engine: Engine, protocol: str = "telegram") -> Outside:
    server = engine.protocols[protocol]
    assert isinstance(server, Outside)
    return server


async def stop(engine: Engine) -> None:
    await engine.stop()
    engine._node = None


def words(text: str, **fields: Any) -> Outbound:
    return Outbound(kind="message", method="send_message", params={"text": text}, text=text, **fields)


async def scope_closed() -> bool:
    return not (await Conversation.objects.aget()).open


class Recorder(AsyncConsumer):
    """Echoes, keeps a count in its session, and says what else it is fed."""

    async def telegram_message(self, message: dict[str, Any]) -> None:
        session = self.scope["session"]
        session["count"] = session.get("count", 0) + 1
        await self.send({"type": "telegram.message", "text": f"{message['text']} {session['count']}"})

    async def telegram_disconnect(self, event: dict[str, Any]) -> None:
        await self.send({"type": "telegram.message", "text": f"bye {event['code']}"})
        raise StopConsumer


# The ends of a scope


async def test_a_message_that_waits_when_the_time_comes_keeps_the_scope(start: StartEngine) -> None:
    engine = await start(Recorder.as_asgi())
    chat = Chat(engine, 1)
    await chat.says("a")
    await chat.settled()
    pk = (await Conversation.objects.aget()).pk
    accepted = asyncio.ensure_future(chat.says("b"))
    await asyncio.sleep(0)  # Its row is asked for before the end is.
    assert await engine.submit(End(pk, "idle", farewell=True, idle=True)) is False
    await accepted
    assert await chat.heard(2) == ["a 1", "b 2"]
    assert not await chat.rows(kind="disconnect")


async def test_a_message_right_after_the_end_opens_the_next_scope(start: StartEngine) -> None:
    engine = await start(Recorder.as_asgi())
    chat = Chat(engine, 1)
    await chat.says("a")
    await chat.settled()
    pk = (await Conversation.objects.aget()).pk
    lane = engine.lanes.known(pk)
    assert lane is not None
    ended, _ = await asyncio.gather(lane.end("idle", idle=True), chat.says("b"))
    assert ended
    assert await chat.heard(3) == ["a 1", "bye idle", "b 1"]


async def test_stop_consumer_in_the_farewell_of_a_shutdown_leaves_the_scope_open(start: StartEngine) -> None:
    engine = await start(Recorder.as_asgi())
    chat = Chat(engine, 1)
    await chat.says("a")
    await chat.settled()
    await stop(engine)
    assert not await scope_closed()
    chat = Chat(await start(Recorder.as_asgi()), 1)
    await chat.says("b")
    assert (await chat.heard(1))[-1] == "b 2"


async def test_a_deadline_that_passed_while_the_process_was_away(start: StartEngine) -> None:
    engine = await start(Recorder.as_asgi())
    chat = Chat(engine, 1)
    await chat.says("a")
    await chat.settled()
    await stop(engine)
    await Conversation.objects.aupdate(deadline=timezone.now())
    chat = Chat(await start(Recorder.as_asgi()), 1)
    await eventually(scope_closed, "the end of the scope")
    assert [row.payload["code"] for row in await chat.rows(kind="disconnect")] == ["idle"]


async def test_a_farewell_after_a_block_waits_for_what_was_said_before(start: StartEngine) -> None:
    engine = await start(Recorder.as_asgi())
    chat = Chat(engine, 1)
    await chat.says("a")
    blocked = chat.inbound(kind="update", method="my_chat_member", blocked=True)
    await engine.accept([chat.inbound("b"), blocked])
    assert await chat.heard(3) == ["a 1", "b 2", "bye blocked"]
    await eventually(scope_closed, "the end of the scope")


async def leaves_when_alone(scope: dict[str, Any], receive: Callable[[], Awaitable[Any]], send: Any) -> None:
    while True:
        try:
            event = await asyncio.wait_for(receive(), 0.2)
        except TimeoutError:
            return
        await send({"type": "telegram.message", "text": f"{event['text']} {scope['resumed']}"})


async def test_a_plain_application_that_waits_only_so_long(start: StartEngine) -> None:
    chat = Chat(await start(leaves_when_alone), 1)
    await chat.says("a", "b")
    assert await chat.heard(2) == ["a False", "b False"]
    await eventually(scope_closed, "the return of the application")
    await chat.says("c")
    assert (await chat.heard(3))[2] == "c False", "a new scope"


# Results and edits


class Teller(AsyncConsumer):
    async def telegram_message(self, message: dict[str, Any]) -> None:
        await self.send({"type": "telegram.message", "text": "one", "ref": "r"})
        await self.send({"type": "telegram.edit_message_text", "text": "two", "ref": "r"})
        await self.send({"type": "telegram.impossible", "ref": "no"})
        if message["text"] == "stop":
            raise StopConsumer

    async def chat_result(self, event: dict[str, Any]) -> None:
        await self.send({"type": "telegram.message", "text": f"{event['ref']} {event['ok']}"})


async def test_a_message_and_its_edit_in_one_handler(start: StartEngine) -> None:
    chat = Chat(await start(Teller.as_asgi()), 1)
    await chat.says("x")
    heard = await chat.heard(4)
    assert (heard[0], sorted(heard[1:])) == ("one", ["no False", "r True", "r True"])
    (question,) = await chat.rows(ref="r", kind="message")
    (edit,) = [d for d in outside(chat.engine).sent if d.method == "edit_message_text"]
    assert (question.text, question.seq, edit.target) == ("two", 2, question.external_id)
    assert question.external_id is not None


@pytest.mark.parametrize("protocol", ["telegram", "webchat"])
async def test_a_result_opens_no_scope(start: StartEngine, protocol: str) -> None:
    chat = Chat(await start(Teller.as_asgi()), 1, protocol=protocol)
    await chat.says("stop")

    async def reported() -> bool:
        return len(await chat.rows(kind="result", status=Status.DONE)) >= 2

    await eventually(reported, "the results")
    assert all(row.feedings == 0 for row in await chat.rows(kind="result"))
    assert await scope_closed()


async def test_a_refused_send_reports_its_reason(start: StartEngine) -> None:
    engine = await start(Teller.as_asgi())
    outside(engine).faults = [Refused("too long")]
    chat = Chat(engine, 1)
    await chat.says("x")
    await chat.heard(1)
    results = await chat.rows(kind="result", payload__contains="too long")
    assert [row.payload for row in results] == [{"ref": "r", "ok": False, "error": "too long"}]


async def test_a_chat_that_must_wait_keeps_its_order_and_no_other_waits(start: StartEngine) -> None:
    engine = await start(ChattyBotConsumer.as_asgi())
    outside(engine).faults = [Later("wait", 0.4)]
    slow, quick = Chat(engine, 1), Chat(engine, 2)
    await slow.says("a", "b", "c")

    async def refused() -> bool:
        return bool(await slow.rows(status=Status.QUEUED, sends=1))

    await eventually(refused, "the first refusal")
    await quick.says("x")
    await quick.heard(1)
    assert await slow.heard(3) == [f"You said: {text}" for text in "abc"]
    order = [d.address["chat_id"] for d in outside(engine).sent]
    assert order == [2, 1, 1, 1]


# Taken over


class Slow(AsyncConsumer):
    async def telegram_message(self, message: dict[str, Any]) -> None:
        await asyncio.sleep(0.3)
        await self.send({"type": "telegram.message", "text": "late"})


async def test_late_words_of_the_bot_become_notes(start: StartEngine, django_user_model: Any) -> None:
    engine = await start(Slow.as_asgi())
    chat = Chat(engine, 1)
    operator = await django_user_model.objects.acreate(username="olga", is_staff=True)
    await chat.says("x")
    conversation = await Conversation.objects.aget()
    await engine.take(str(conversation.uuid), operator)
    await chat.settled()
    (late,) = await chat.rows(direction="out", kind="message")
    assert (late.status, late.seq, late.text) == (Status.NOTE, None, "late")
    assert outside(engine).sent == []
    assert (await Conversation.objects.aget()).deadline is None, "the clock stands while it is held"


async def test_a_holder_who_vanishes_releases(start: StartEngine, django_user_model: Any) -> None:
    engine = await start(ChattyBotConsumer.as_asgi(), HOLDER_TIMEOUT=0.2)
    chat = Chat(engine, 1)
    operator = await django_user_model.objects.acreate(username="olga", is_staff=True)
    await chat.says("x")
    await chat.settled()
    uuid = str((await Conversation.objects.aget()).uuid)
    await engine.take(uuid, operator)

    async def free() -> bool:
        return (await Conversation.objects.aget()).holder_id is None

    await eventually(free, "the release")
    assert (await Conversation.objects.aget()).deadline is not None
    with pytest.raises(Denied, match="Take"):
        await engine.say(uuid, operator, client_id="1", text="still here?", seen=2)


# Groups of operations


@pytest.fixture
def conversation(db: None) -> Conversation:
    bot = Bot.objects.create(name="bot")
    return Conversation.objects.create(bot=bot, protocol="telegram", key="1", address={"chat_id": 1}, open=True)


def test_a_row_that_is_no_longer_queued_is_not_sent(conversation: Conversation) -> None:
    run_group([Say(conversation.pk, words("a"))], Memory())
    message = Message.objects.get()
    row = out_row(conversation, message, message.at)
    assert run_group([Mark(row, Status.SENDING)], Memory())[1] == [True]
    run_group([Mark(row, Status.SENT, external_id=7)], Memory())
    assert run_group([Mark(row, Status.SENDING)], Memory())[1] == [False]
    assert Message.objects.get().status == Status.SENT


def test_what_was_under_way_is_queued_again_or_stays_unknown(conversation: Conversation) -> None:
    run_group([Say(conversation.pk, words("a")), Say(conversation.pk, words("b", at_most_once=True))], Memory())
    Message.objects.update(status=Status.SENDING)
    assert run_group([Recover(conversation.pk)], Memory())[1] == [(0, 2)]
    assert [m.status for m in Message.objects.order_by("pk")] == [Status.QUEUED, Status.UNKNOWN]


def test_what_was_under_way_of_a_bot_that_says_nothing_twice_stays_unknown(conversation: Conversation) -> None:
    Bot.objects.update(at_most_once=True)
    run_group([Say(conversation.pk, words("a"))], Memory())
    Message.objects.update(status=Status.SENDING)
    assert run_group([Recover(conversation.pk)], Memory())[1] == [(0, 1)]
    assert Message.objects.get().status == Status.UNKNOWN


def test_taken_said_and_released_in_one_group(conversation: Conversation, django_user_model: Any) -> None:
    operator, uuid = django_user_model.objects.create(username="olga"), str(conversation.uuid)
    late, heard = Say(conversation.pk, words("late")), Say(conversation.pk, words("news"), sender="system")
    release = Release(uuid, operator, lambda _: True, 60.0)
    run_group([Take(uuid, operator), late, heard, release, Say(conversation.pk, words("again"))], Memory())
    rows = list(Message.objects.order_by("rev"))
    assert [(row.kind, row.status, row.seq) for row in rows] == [
        ("note", Status.NOTE, None),
        ("message", Status.NOTE, None),
        ("message", Status.QUEUED, 1),
        ("note", Status.NOTE, None),
        ("resume", Status.RECEIVED, None),
        ("message", Status.QUEUED, 2),
    ]
    assert [said["text"] for said in rows[4].payload["messages"]] == ["news"]
    conversation.refresh_from_db()
    assert (conversation.seq, conversation.rev) == (2, rows[-1].rev)
    assert conversation.holder_id is None


async def test_nothing_is_accepted_at_once(start: StartEngine) -> None:
    """A visitor's frames may all have been refused."""
    assert await (await start(ChattyBotConsumer.as_asgi())).accept([]) == []


KINDS = ThreadSensitiveContext, Instance, ChattyBotConsumer


async def test_what_has_ended_is_free_before_garbage_is_looked_for(start: StartEngine) -> None:
    """With cycles in it, what thousands leave behind would wait for the rarest search."""
    engine = await start(ChattyBotConsumer.as_asgi())
    gc.collect()
    of_others = [one for one in gc.get_objects() if isinstance(one, KINDS)]
    gc.disable()
    try:
        for user in range(1, 6):
            chat = Chat(engine, user)
            await chat.says("a")
            await chat.settled()
        async for conversation in Conversation.objects.all():
            lane = engine.lanes.known(conversation.pk)
            assert lane is not None
            await lane.end("closed")

        async def free() -> bool:
            return sum(isinstance(one, KINDS) for one in gc.get_objects()) <= len(of_others)

        await eventually(free, "the ends")
    finally:
        gc.enable()
