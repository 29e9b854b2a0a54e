"""What an application sees of the engine: feeding, settling, saying, the ends of a scope."""

import asyncio
import threading
from typing import Any

import pytest
from channels.consumer import AsyncConsumer, SyncConsumer
from channels.exceptions import StopConsumer
from channels.routing import URLRouter
from django.db import DataError
from django.urls import path

from bots.chatty import ChattyBotConsumer
from gateway.engine import Engine
from gateway.errors import Later, NotReady, Refused, Unknown
from gateway.models import Conversation, Message, Status
from tests.communicator import Chat, Outside, eventually, until
from tests.engine_moments import leave_dead_lease
from tests.engines import StartEngine, start

__all__ = ["start"]

pytestmark = pytest.mark.django_db(transaction=True)


def outside(engine: Engine) -> Outside:
    server = engine.protocols["telegram"]
    assert isinstance(server, Outside)
    return server


async def test_the_documentations_consumer_runs_unchanged(start: StartEngine) -> None:
    chat = Chat(await start(ChattyBotConsumer.as_asgi()), 1)
    await chat.says("hello")
    assert await chat.heard(1) == ["You said: hello"]
    (inbound,) = await chat.settled()
    assert (inbound.status, inbound.seq, inbound.feedings) == (Status.DONE, 1, 1)
    (outbound,) = await chat.sent(1)
    assert (outbound.seq, outbound.cause_id, outbound.ordinal, outbound.external_id) == (2, inbound.pk, 1, 1)


async def test_order_within_a_conversation(start: StartEngine) -> None:
    chat = Chat(await start(ChattyBotConsumer.as_asgi()), 1)
    await chat.says(*map(str, range(50)))
    assert await chat.heard(50) == [f"You said: {n}" for n in range(50)]
    conversation = await Conversation.objects.aget()
    seqs = [row.seq for row in await chat.rows(seq__isnull=False)]
    assert sorted(seqs) == list(range(1, 101))
    assert conversation.seq == 100
    assert conversation.rev >= 200


async def test_a_second_delivery_is_a_no_op(start: StartEngine) -> None:
    engine = await start(ChattyBotConsumer.as_asgi())
    chat = Chat(engine, 1)
    update = chat.inbound("once")
    (first,) = await engine.accept([update])
    (second, third) = await engine.accept([update, update])
    assert not first.duplicate
    assert second.duplicate
    assert third.duplicate
    assert first.row == second.row == third.row
    await chat.says("after")
    assert await chat.heard(2) == ["You said: once", "You said: after"]


class Sleepy(SyncConsumer):
    together = threading.Barrier(20)

    def telegram_message(self, message: dict[str, Any]) -> None:
        self.together.wait(10)  # Returns once all twenty are here at once.
        self.send({"type": "telegram.message", "text": "awake"})


async def test_slow_sync_handlers_do_not_wait_for_each_other(start: StartEngine) -> None:
    engine = await start(Sleepy.as_asgi())
    chats = [Chat(engine, n) for n in range(20)]
    await asyncio.gather(*(chat.says("hi") for chat in chats))
    assert await asyncio.gather(*(chat.heard(1) for chat in chats)) == [["awake"]] * 20


class Counter(AsyncConsumer):
    async def telegram_message(self, message: dict[str, Any]) -> None:
        session = self.scope["session"]
        session["count"] = session.get("count", 0) + 1
        text = f"{session['count']} {self.scope['resumed']}"
        await self.send({"type": "telegram.message", "text": text})
        if message["text"] == "boom":
            raise ValueError("bad word")


async def test_an_exception_ends_the_event_and_the_instance_not_the_conversation(start: StartEngine) -> None:
    chat = Chat(await start(Counter.as_asgi()), 1)
    await chat.says("a", "boom", "b")
    heard = await chat.heard(4)
    assert heard[0] == "1 False"
    assert heard[1] == "2 False"
    assert heard[2].startswith("Sorry")
    assert heard[3] == "2 True", "a fresh instance, with the session as last settled"
    rows = await chat.settled()
    assert [row.status for row in rows] == [Status.DONE, Status.FAILED, Status.DONE]
    assert rows[1].error == "ValueError: bad word"


async def test_silence_ends_the_scope_and_a_new_one_begins_empty(start: StartEngine) -> None:
    chat = Chat(await start(Counter.as_asgi(), CONVERSATION_TIMEOUT=0.4), 1)
    await chat.says("a")
    await chat.heard(1)

    async def ended() -> bool:
        return not (await Conversation.objects.aget()).open

    await eventually(ended, "the end of the scope")
    await chat.says("b")
    assert await chat.heard(2) == ["1 False", "1 False"]


class Polite(AsyncConsumer):
    async def telegram_message(self, message: dict[str, Any]) -> None:
        if message["text"] == "close":
            await self.send({"type": "telegram.close"})
        if message["text"] == "stop":
            raise StopConsumer
        await self.send({"type": "telegram.message", "text": f"said {message['text']}"})

    async def telegram_disconnect(self, message: dict[str, Any]) -> None:
        await self.send({"type": "telegram.message", "text": f"bye {message['code']}"})


async def test_close_feeds_the_farewell_before_what_waits(start: StartEngine) -> None:
    chat = Chat(await start(Polite.as_asgi()), 1)
    await chat.says("close", "next")
    assert await chat.heard(3) == ["said close", "bye closed", "said next"]
    assert (await Conversation.objects.aget()).open


async def test_stop_consumer_ends_the_scope(start: StartEngine) -> None:
    chat = Chat(await start(Polite.as_asgi()), 1)
    await chat.says("stop", "next")
    assert await chat.heard(1) == ["said next"]
    rows = await chat.settled()
    assert [row.status for row in rows] == [Status.DONE, Status.DONE]


async def test_idle_end_says_goodbye(start: StartEngine) -> None:
    chat = Chat(await start(Polite.as_asgi(), CONVERSATION_TIMEOUT=0.3), 1)
    await chat.says("hi")
    assert await chat.heard(2) == ["said hi", "bye idle"]

    async def ended() -> bool:
        return not (await Conversation.objects.aget()).open

    await eventually(ended, "the end of the scope")


async def test_an_event_without_handler_is_settled_and_opens_no_scope(start: StartEngine) -> None:
    chat = Chat(await start(ChattyBotConsumer.as_asgi()), 1)
    await chat.presses("red")
    (row,) = await chat.settled()
    assert (row.status, row.kind) == (Status.DONE, "button")
    assert not row.conversation.open
    engine = chat.engine
    await until(lambda: outside(engine).sent, "the courtesy")
    assert [d.method for d in outside(engine).sent] == ["answer_callback_query"]


class Neutral(AsyncConsumer):
    async def chat_received_message(self, message: dict[str, Any]) -> None:
        assert "update" not in message
        buttons = [[{"text": "Yes", "data": "y"}]]
        await self.send({"type": "chat.send_message", "text": "sure?", "buttons": buttons, "ref": "q"})

    async def chat_button(self, event: dict[str, Any]) -> None:
        await self.send({"type": "chat.edit_message", "ref": "q", "text": f"chose {event['data']}"})

    async def chat_result(self, event: dict[str, Any]) -> None:
        await self.send({"type": "chat.send_message", "text": f"{event['ref']} {event['ok']}"})


async def test_neutral_names_results_and_edits(start: StartEngine) -> None:
    chat = Chat(await start(Neutral.as_asgi()), 1)
    await chat.says("hi")
    assert await chat.heard(2) == ["sure?", "q True"]
    await chat.presses("y")
    (question,) = await chat.rows(ref="q", kind="message")

    async def edited() -> bool:
        return (await Message.objects.aget(pk=question.pk)).text == "chose y"

    await eventually(edited, "the edit in the transcript")
    (edit,) = [d for d in outside(chat.engine).sent if d.method == "edit_message_text"]
    assert edit.target == question.external_id
    row = await Message.objects.aget(pk=question.pk)
    assert (row.seq, row.seen_rev > question.seen_rev) == (question.seq, True)


async def test_routed_by_path(start: StartEngine) -> None:
    routes = URLRouter([path("bot/", ChattyBotConsumer.as_asgi()), path("count/", Counter.as_asgi())])
    engine = await start(routes)
    one, two = Chat(engine, 1), Chat(engine, 2, bot="count")
    await one.says("x")
    await two.says("x")
    assert await one.heard(1) == ["You said: x"]
    assert await two.heard(1) == ["1 False"]
    assert engine.methods("telegram", "count") == {"message"}
    assert not engine.routes("telegram", "nobody")


async def plain(scope: dict[str, Any], receive: Any, send: Any) -> None:
    while True:
        event = await receive()
        if event["type"] == "telegram.disconnect":
            return
        await send({"type": "telegram.message", "text": f"plain {event.get('text', event['type'])}"})


async def test_an_application_that_is_no_consumer_gets_everything(start: StartEngine) -> None:
    chat = Chat(await start(plain), 1)
    await chat.says("hi")
    await chat.presses("b")
    assert await chat.heard(2) == ["plain hi", "plain telegram.callback_query"]
    assert chat.engine.methods("telegram", "bot") is None


async def test_restart_keeps_the_session_and_resumes(start: StartEngine) -> None:
    engine = await start(Counter.as_asgi())
    chat = Chat(engine, 1)
    await chat.says("a", "b")
    await chat.heard(2)
    await chat.settled()
    await engine.stop()
    engine._node = None
    chat = Chat(await start(Counter.as_asgi()), 1)
    await chat.says("c")
    assert await chat.heard(1) == ["3 True"]


async def test_what_a_dead_process_had_in_hand_is_fed_again_and_not_said_again(start: StartEngine) -> None:
    engine = await start(ChattyBotConsumer.as_asgi())
    chat = Chat(engine, 1)
    (receipt,) = await chat.says("a")
    await chat.heard(1)
    await chat.settled()
    await engine.stop()
    engine._node = None
    await Message.objects.filter(pk=receipt.row).aupdate(status=Status.IN_HAND)
    chat = Chat(await start(ChattyBotConsumer.as_asgi()), 1)
    (row,) = await chat.settled()
    assert (row.status, row.feedings) == (Status.DONE, 2)
    await chat.says("b")
    assert await chat.heard(1) == ["You said: b"], "what was already said is not said again"


async def test_poison_is_dead_after_three_feedings(start: StartEngine) -> None:
    engine = await start(ChattyBotConsumer.as_asgi())
    chat = Chat(engine, 1)
    (receipt,) = await chat.says("a")
    await chat.settled()
    await engine.stop()
    engine._node = None
    await Message.objects.filter(pk=receipt.row).aupdate(status=Status.IN_HAND, feedings=3)
    await leave_dead_lease()
    chat = Chat(await start(ChattyBotConsumer.as_asgi()), 1)
    await chat.says("b")
    sorry, answer = await chat.heard(2)
    assert (sorry.startswith("Sorry"), answer) == (True, "You said: b")
    dead, done = await chat.settled()
    assert (dead.status, done.status) == (Status.DEAD, Status.DONE)


async def test_later_refused_and_unknown(start: StartEngine) -> None:
    engine = await start(ChattyBotConsumer.as_asgi())
    outside(engine).faults = [Later("wait", 0.05), Refused("bad"), Unknown("cut"), None]
    chat = Chat(engine, 1)
    await chat.says("a", "b")
    assert await chat.heard(1) == ["You said: b"]
    first, second = await chat.rows(direction="out")
    assert (first.status, first.error, first.sends) == (Status.FAILED, "bad", 2)

    async def sent() -> bool:
        return (await Message.objects.aget(pk=second.pk)).status == Status.SENT

    await eventually(sent, "the second send of what was unknown")
    assert (await Message.objects.aget(pk=second.pk)).sends == 2
    assert engine.outbox.unknown == 1


class Once(AsyncConsumer):
    async def telegram_message(self, message: dict[str, Any]) -> None:
        await self.send({"type": "telegram.message", "text": "once", "at_most_once": True})


async def test_at_most_once_stays_unknown(start: StartEngine) -> None:
    engine = await start(Once.as_asgi())
    outside(engine).faults = [Unknown("cut")]
    chat = Chat(engine, 1)
    await chat.says("a")

    async def unknown() -> bool:
        return bool(await chat.rows(direction="out", status=Status.UNKNOWN))

    await eventually(unknown, "the unknown row")
    assert outside(engine).sent == []


async def test_taking_over(start: StartEngine, django_user_model: Any) -> None:
    engine = await start(Resumer.as_asgi())
    chat = Chat(engine, 1)
    operator = await django_user_model.objects.acreate(username="olga", is_staff=True)
    await chat.says("hi")
    await chat.heard(1)
    uuid = str((await Conversation.objects.aget()).uuid)
    await engine.take(uuid, operator)
    await chat.says("anyone?")
    receipt = await engine.say(uuid, operator, client_id="1", text="It is me", seen=3)
    again = await engine.say(uuid, operator, client_id="1", text="It is me", seen=3)
    assert (again.row, again.duplicate) == (receipt.row, True)
    assert await chat.heard(2) == ["bot hi", "It is me"]
    await engine.release(uuid, operator)
    assert (await chat.heard(3))[2] == "meanwhile anyone?, It is me"
    await chat.says("thanks")
    assert (await chat.heard(4))[3] == "bot thanks"
    held = (await chat.rows(direction="in"))[1]
    assert (held.status, held.feedings) == (Status.DONE, 0)


class Resumer(SyncConsumer):
    def telegram_message(self, message: dict[str, Any]) -> None:
        self.send({"type": "telegram.message", "text": f"bot {message['text']}"})

    def telegram_resume(self, event: dict[str, Any]) -> None:
        texts = ", ".join(message["text"] for message in event["messages"])
        self.send({"type": "telegram.message", "text": f"meanwhile {texts}"})


class Asker(AsyncConsumer):
    async def telegram_message(self, message: dict[str, Any]) -> None:
        await self.send({"type": "chat.ask_human", "text": "please"})


async def test_asking_for_a_human_waits(start: StartEngine) -> None:
    chat = Chat(await start(Asker.as_asgi(), CONVERSATION_TIMEOUT=0.2), 1)
    await chat.says("help")
    await chat.settled()
    await asyncio.sleep(0.6)
    conversation = await Conversation.objects.aget()
    assert (conversation.state, conversation.open) == ("waiting", True), "the clock stands while somebody is awaited"
    (note,) = await chat.rows(direction="out")
    assert (note.status, note.seq, note.text) == (Status.NOTE, None, "please")


class Unwise(AsyncConsumer):
    async def telegram_message(self, message: dict[str, Any]) -> None:
        if message["text"] == "session":
            self.scope["session"]["bad"] = object()
        if message["text"] == "exit":
            raise SystemExit(3)
        if message["text"] == "cancel":
            raise asyncio.CancelledError
        if message["text"] == "type":
            await self.send({"text": "no type"})
        if message["text"] == "foreign":
            await self.send({"type": "matrix.message", "text": "?"})
        await self.send({"type": "telegram.message", "text": "fine"})


@pytest.mark.parametrize("word", ["session", "exit", "cancel", "type", "foreign"])
async def test_a_handler_hurts_its_own_event_alone(start: StartEngine, word: str) -> None:
    chat = Chat(await start(Unwise.as_asgi()), 1)
    await chat.says(word, "ok")
    await until(lambda: (chat._texts() or [""])[-1] == "fine", "the next event's answer", chat._texts)
    failed, done = await chat.settled()
    assert (failed.status, done.status) == (Status.FAILED, Status.DONE)
    assert failed.error


async def test_rows_with_what_no_database_takes(start: StartEngine) -> None:
    engine = await start(ChattyBotConsumer.as_asgi())
    chat = Chat(engine, 1)
    await chat.says("nul \0 here", "lone \ud800 here", "fine")
    assert (await chat.heard(3))[2] == "You said: fine"
    assert [row.text for row in await chat.settled()] == ["nul \ufffd here", "lone \ufffd here", "fine"]


async def test_a_bad_row_fails_alone(start: StartEngine) -> None:
    engine = await start(ChattyBotConsumer.as_asgi())
    chat = Chat(engine, 1)
    bad = chat.inbound("bad", external_id=2**70)
    good = [engine.accept([chat.inbound(f"good {n}")]) for n in range(3)]
    *_, (receipt,) = await asyncio.gather(*good, engine.accept([bad]))
    assert await chat.heard(3) == [f"You said: good {n}" for n in range(3)]
    dead = await Message.objects.aget(pk=receipt.row)
    assert (dead.status, dead.update_id) == (Status.DEAD, bad.update_id), "kept, and not asked for again"
    with pytest.raises((OverflowError, DataError)):
        await engine.accept([chat.inbound("web", external_id=2**70, update_id=None)])


async def test_nothing_is_accepted_after_the_stop(start: StartEngine) -> None:
    engine = await start(ChattyBotConsumer.as_asgi())
    chat = Chat(engine, 1)
    await engine.stop()
    engine._node = None
    with pytest.raises(NotReady):
        await chat.says("late")


class Farewell(AsyncConsumer):
    async def telegram_message(self, message: dict[str, Any]) -> None:
        self.scope["session"]["seen"] = message["text"]
        await self.send({"type": "telegram.message", "text": "hi"})

    async def telegram_disconnect(self, message: dict[str, Any]) -> None:
        self.scope["session"]["seen"] = "not kept"
        await self.send({"type": "telegram.message", "text": f"bye {message['code']}"})


async def test_shutdown_ends_the_instance_not_the_scope(start: StartEngine) -> None:
    engine = await start(Farewell.as_asgi())
    chat = Chat(engine, 1)
    await chat.says("x")
    await chat.settled()
    await engine.stop()
    engine._node = None
    assert await chat.heard(2) == ["hi", "bye shutdown"]
    conversation = await Conversation.objects.aget()
    assert (conversation.open, conversation.session) == (True, {"seen": "x"})
