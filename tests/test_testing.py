"""The communicator for authors, held against bots that use all of it."""

import asyncio
import re
import traceback
from pathlib import Path
from typing import Any

import pytest
from asgiref.sync import async_to_sync
from channels.consumer import AsyncConsumer, SyncConsumer
from channels.layers import get_channel_layer
from channels.routing import ProtocolTypeRouter, URLRouter
from django.contrib.auth.models import User
from django.urls import path

from bots.chatty import ChattyBotConsumer
from gateway import AsyncBotConsumer, BotConsumer, Button, Disconnect, Form, Message, Rating, Result, Resume, Unsendable
from gateway.bot import button_rows
from gateway.errors import Denied, Refused
from gateway.testing import Chat, Outside, protocols
from gateway.traces import authors_part

pytestmark = pytest.mark.django_db(transaction=True)
everywhere = pytest.mark.parametrize("protocol", protocols())


class Waiter(BotConsumer):
    """Uses every method of the base class."""

    def received(self, message: Message) -> None:
        self.session["order"] = [*self.session.get("order", []), message["text"]]
        match message["text"]:
            case "help":
                self.ask_human("a guest is lost")
            case "bye":
                self.close()
            case "who":
                self.reply(f"{self.person.name} {self.person.language} {self.person.user_id}")
            case text:
                self.reply(f"{text}: still or sparkling?", [("Still", "s"), ("Sparkling", "p")], ref="q")

    def pressed(self, button: Button) -> None:
        self.edit("q", f"noted: {button['data']}", [["Change"]])

    def resumed(self, event: Resume) -> None:
        self.reply("meanwhile: " + ", ".join(said["text"] for said in event["messages"]))

    def ended(self, event: Disconnect) -> None:
        self.reply(f"bye ({event['code']}) after {len(self.session['order'])}")


class AsyncWaiter(AsyncBotConsumer):
    async def received(self, message: Message) -> None:
        self.session["order"] = [*self.session.get("order", []), message["text"]]
        match message["text"]:
            case "help":
                await self.ask_human("a guest is lost")
            case "bye":
                await self.close()
            case "who":
                await self.reply(f"{self.person.name} {self.person.language} {self.person.user_id}")
            case text:
                await self.reply(f"{text}: still or sparkling?", [("Still", "s"), ("Sparkling", "p")], ref="q")

    async def pressed(self, button: Button) -> None:
        await self.edit("q", f"noted: {button['data']}", [["Change"]])

    async def resumed(self, event: Resume) -> None:
        await self.reply("meanwhile: " + ", ".join(said["text"] for said in event["messages"]))

    async def ended(self, event: Disconnect) -> None:
        await self.reply(f"bye ({event['code']}) after {len(self.session['order'])}")


@everywhere
@pytest.mark.parametrize("waiter", [Waiter, AsyncWaiter])
class TestEitherKind:
    async def test_buttons_and_edits(self, waiter: type[Waiter], protocol: str) -> None:
        async with Chat(waiter.as_asgi(), protocol=protocol) as ann:
            await ann.says("water")
            assert await ann.hears() == "water: still or sparkling?"
            assert ann.buttons == [["Still", "Sparkling"]]
            await ann.presses("Sparkling")
            assert await ann.sees("noted") == "noted: p"
            assert ann.buttons == [["Change"]]
            await ann.hears_nothing()
            assert await ann.errors() == []

    async def test_silence_and_close(self, waiter: type[Waiter], protocol: str) -> None:
        async with Chat(waiter.as_asgi(), protocol=protocol) as ann:
            await ann.says("tea")
            assert await ann.hears() == "tea: still or sparkling?"
            await ann.silence(600)
            assert await ann.state() == "bot"
            await ann.silence(600)
            assert await ann.hears() == "bye (idle) after 1"
            assert await ann.state() == "ended"
            await ann.says("bye")
            assert await ann.hears() == "bye (closed) after 1"
            assert await ann.state() == "ended"

    async def test_an_operator(self, waiter: type[Waiter], protocol: str) -> None:
        async with Chat(waiter.as_asgi(), protocol=protocol) as ann:
            await ann.says("help")
            assert await ann.state() == "waiting"
            assert await ann.notes() == ["a guest is lost"]
            olga = await ann.operator()
            with pytest.raises(Denied):
                await olga.says("not mine yet")
            await olga.takes_over()
            await ann.says("is anybody there?")
            await olga.says("I am here.")
            assert await ann.hears() == "I am here."
            await ann.silence()
            assert await ann.state() == "held"
            await olga.hands_back()
            assert await ann.hears() == "meanwhile: is anybody there?, I am here."
            assert await ann.state() == "bot"

    async def test_a_restart_resumes_and_moved_time_goes_on(self, waiter: type[Waiter], protocol: str) -> None:
        async with Chat(waiter.as_asgi(), protocol=protocol, timeout=100) as ann:
            await ann.says("tea")
            await ann.hears()
            await ann.silence(60)
            await ann.restart()
            assert await ann.hears() == "bye (shutdown) after 1"
            assert await ann.session() == {"order": ["tea"]}
            await ann.silence(60)
            assert await ann.hears() == "bye (idle) after 1"


class ButtonsOnly(BotConsumer):
    """Shows buttons and does not care."""

    def received(self, message: Message) -> None:
        self.reply("choose", [["this", "that"]])


class Answering(ButtonsOnly):
    """Says a word of Telegram's own to whoever presses there."""

    def telegram_callback_query(self, query: dict[str, Any]) -> None:
        self.send({"type": "telegram.answer_callback_query", "text": f"noted: {query['data']}"})


@pytest.mark.parametrize(
    ("bot", "answer"), [(Waiter, {}), (AsyncWaiter, {}), (Answering, {"text": "noted: that"}), (ButtonsOnly, {})]
)
async def test_a_press_is_answered_once(bot: type[BotConsumer], answer: dict[str, str]) -> None:
    async with Chat(bot.as_asgi()) as ann:
        await ann.says("water")
        await ann.hears()
        await ann.presses("Still" if bot in (Waiter, AsyncWaiter) else "that")
        answered = await ann.gets("answer_callback_query")
        assert answered.pop("callback_query_id")
        assert answered == answer
        await ann.hears_nothing()
        outside = ann.run.engine.protocols["telegram"]
        assert isinstance(outside, Outside)
        assert [sent.method for sent in outside.sent].count("answer_callback_query") == 1


@everywhere
async def test_who_is_talking(protocol: str) -> None:
    user = await User.objects.acreate(username="ben")
    async with Chat(Waiter.as_asgi(), protocol=protocol, name="Ben", language="fr", user=user) as ben:
        await ben.says("who")
        assert await ben.hears() == f"Ben fr {user.pk}"
        ann = ben.another("Ann")
        await ann.says("who")
        assert await ann.hears() == "Ann en None"
        await ben.hears_nothing()


class Holding(AsyncConsumer):
    """Answers at once, then holds the event until the test opens the gate."""

    gate: asyncio.Event

    async def chat_received_message(self, event: dict[str, Any]) -> None:
        again = event["redelivered"]
        await self.send({"type": "chat.send_message", "text": "working"})
        await self.gate.wait()
        await self.send({"type": "chat.send_message", "text": f"done, {again}"})


@everywhere
async def test_a_killed_process_has_its_event_fed_again(protocol: str) -> None:
    Holding.gate = asyncio.Event()
    async with Chat(Holding.as_asgi(), protocol=protocol) as ann:
        await ann.says("go")
        assert await ann.hears() == "working"
        await ann.restart(killed=True)
        Holding.gate.set()
        assert await ann.hears() == "done, True", "and what was already said is not said again"
        await ann.hears_nothing()


@everywhere
async def test_a_restart_waits_for_what_is_in_hand(protocol: str) -> None:
    Holding.gate = asyncio.Event()
    async with Chat(Holding.as_asgi(), protocol=protocol, patience=0.5) as ann:
        await ann.says("go")
        with pytest.raises(AssertionError, match="still in hand"):
            await ann.restart()
        Holding.gate.set()
        await ann.restart()
        assert [await ann.hears(), await ann.hears()] == ["working", "done, False"]


async def test_hears_nothing_means_it() -> None:
    async with Chat(ChattyBotConsumer.as_asgi()) as ann:
        await ann.hears_nothing()
        await ann.says("hi")
        with pytest.raises(AssertionError, match="Ann hears 'You said: hi'"):
            await ann.hears_nothing()
        assert await ann.hears() == "You said: hi"
        await ann.hears_nothing()


async def test_what_was_expected_in_vain_is_told_with_the_transcript() -> None:
    async with Chat(ChattyBotConsumer.as_asgi(), patience=0.5) as ann:
        await ann.says("hi")
        await ann.hears()
        with pytest.raises(AssertionError, match=r"(?s)waited 0.5 s for a message.*visitor, message.*'You said: hi'"):
            await ann.hears()
        with pytest.raises(AssertionError, match="a button 'yes'"):
            await ann.presses("yes")


class Photographer(SyncConsumer):
    """Speaks Telegram alone."""

    def telegram_message(self, event: dict[str, Any]) -> None:
        size = event["update"]["message"]["photo"][0]["width"]
        self.send({"type": "telegram.send_photo", "photo": "id", "caption": f"{size} wide"})
        self.send({"type": "telegram.send_chat_action", "action": "typing"})

    def telegram_message_reaction(self, event: dict[str, Any]) -> None:
        self.send({"type": "telegram.message", "text": event["new_reaction"][0]["emoji"]})

    def telegram_disconnect(self, event: dict[str, Any]) -> None:
        self.send({"type": "telegram.send_message", "chat_id": 1, "text": event["code"]})


class Receptionist(BotConsumer):
    def filled(self, form: Form) -> None:
        self.reply(f"Welcome, {form['values']['name']}")

    def rated(self, rating: Rating) -> None:
        self.typing()
        self.reply(f"{rating['score']} of 5: {rating['text']}")


async def test_a_form_and_a_rating() -> None:
    async with Chat(Receptionist.as_asgi(), protocol="webchat") as ann:
        await ann.does("form", values={"name": "Ann"})
        assert await ann.hears() == "Welcome, Ann"
        await ann.does("rating", score=4, text="kind")
        assert await ann.hears() == "4 of 5: kind"


async def test_a_protocols_own_events_and_calls() -> None:
    async with Chat(Photographer.as_asgi(), chat={"id": -7, "type": "supergroup", "title": "All"}) as ann:
        await ann.says("", photo=[{"width": 640}])
        assert await ann.hears() == "640 wide"
        assert await ann.gets("send_photo") == {"photo": "id", "caption": "640 wide", "chat_id": -7}
        assert (await ann.gets("send_chat_action"))["action"] == "typing"
        await ann.does("message_reaction", new_reaction=[{"type": "emoji", "emoji": "+1"}])
        assert await ann.hears() == "+1"
        await ann.blocks_the_bot()
        assert (await ann.gets("send_message"))["text"] == "+1"
        assert (await ann.gets("send_message"))["text"] == "blocked"
        assert await ann.state() == "ended"


async def test_what_the_web_cannot_do_is_an_error_of_the_row() -> None:
    async with Chat(Photographer.as_asgi(), protocol="webchat") as ann:
        await ann.says("", photo=[{"width": 640}])
        assert await ann.errors() == ["the web chat cannot do send_photo"]


class Raising(BotConsumer):
    def received(self, message: Message) -> None:
        raise ValueError("bad word")


@everywhere
async def test_an_exception_is_an_apology_and_an_error(protocol: str, caplog: pytest.LogCaptureFixture) -> None:
    async with Chat(Raising.as_asgi(), protocol=protocol) as ann:
        await ann.says("hi")
        assert (await ann.hears()).startswith("Sorry")
        assert await ann.errors() == ["ValueError: bad word"]
    (record,) = [record for record in caplog.records if record.levelname == "ERROR"]
    assert "bot bot: its handler raised" in record.getMessage()
    assert record.exc_info
    frames = [frame.name for frame in traceback.extract_tb(record.exc_info[2])]
    assert frames == ["received"], "the author's own, without what leads there"


def test_a_traceback_without_an_authors_part_is_kept_whole() -> None:
    with pytest.raises(Unsendable) as raised:
        button_rows([1])  # type: ignore[list-item]
    assert authors_part(raised.value.__traceback__) is raised.tb
    below = raised.tb.tb_next
    assert below is not None
    assert authors_part(below) is below


class Reporter(BotConsumer):
    def received(self, message: Message) -> None:
        self.reply(message["text"], ref="r")

    def result(self, event: Result) -> None:
        self.reply(f"{event['ref']}: {event['ok']} {event.get('error', '')}".strip())


async def test_a_fault_outside_reaches_the_bot_as_a_result() -> None:
    async with Chat(Reporter.as_asgi()) as ann:
        outside = ann.run.engine.protocols["telegram"]
        assert isinstance(outside, Outside)
        outside.faults = [Refused("chat not found")]
        await ann.says("hi")
        assert await ann.hears() == "r: False chat not found"
        await ann.says("again")
        assert [await ann.hears(), await ann.hears()] == ["again", "r: True"]


@pytest.mark.parametrize("whole", [True, False])
async def test_several_bots_are_told_apart(whole: bool) -> None:
    bots = URLRouter([path("bot/", ChattyBotConsumer.as_asgi()), path("waiter/", Waiter.as_asgi())])
    application = ProtocolTypeRouter({"telegram": bots, "webchat": bots}) if whole else bots
    async with Chat(application, bot="waiter") as ann:
        await ann.says("tea")
        assert await ann.hears() == "tea: still or sparkling?"
        ben = ann.another("Ben", bot="bot", protocol="webchat")
        await ben.says("tea")
        assert await ben.hears() == "You said: tea"


def test_an_unknown_protocol_is_named() -> None:
    with pytest.raises(LookupError, match="No protocol is named 'fax': telegram, webchat"):
        Chat(ChattyBotConsumer.as_asgi(), protocol="fax")


async def test_a_chat_that_was_not_entered_says_so() -> None:
    with pytest.raises(RuntimeError, match="async with"):
        await Chat(ChattyBotConsumer.as_asgi()).says("hi")


# docs/bots.md


def example(part: str) -> str:
    text = (Path(__file__).resolve().parent.parent / "docs" / "bots.md").read_text()
    (found,) = [block for block in re.findall(r"```python\n(.*?)```", text, re.DOTALL) if part in block]
    return str(found)


@everywhere
async def test_the_bot_of_the_documentation_passes_its_test(protocol: str) -> None:
    names: dict[str, Any] = {"pytest": pytest, "Chat": Chat, "protocols": protocols}
    exec(example("class PizzaConsumer") + example("def test_orders_a_pizza"), names)
    await names["test_orders_a_pizza"](protocol)


@everywhere
async def test_the_groups_of_the_documentation(protocol: str) -> None:
    names: dict[str, Any] = {"BotConsumer": BotConsumer, "Message": Message, "async_to_sync": async_to_sync}
    exec(example("class NewsConsumer"), names)
    async with Chat(names["NewsConsumer"].as_asgi(), protocol=protocol) as ann:
        ben = ann.another("Ben")
        for person in (ann, ben):
            await person.says("subscribe")
            assert await person.hears() == "You will hear of it."
        layer = get_channel_layer()
        assert layer
        await layer.group_send("news", {"type": "news.flash", "text": "It rains."})
        assert [await ann.hears(), await ben.hears()] == ["It rains.", "It rains."]


@everywhere
async def test_the_plain_consumer_of_the_documentation(protocol: str) -> None:
    names: dict[str, Any] = {"SyncConsumer": SyncConsumer}
    exec(example("class ParrotConsumer"), names)
    async with Chat(names["ParrotConsumer"].as_asgi(), protocol=protocol) as ann:
        await ann.says("hello")
        assert await ann.hears() == "HELLO"
