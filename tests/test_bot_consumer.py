"""The base classes by themselves: what exists on a class, and what each call sends. tests/test_testing.py runs them."""

import os
import subprocess
import sys
from typing import Any

import pytest
from channels.consumer import SyncConsumer

import gateway
from gateway import AsyncBotConsumer, BotConsumer, Form, Message, Rating, Unsendable
from gateway.bot import HANDLERS, button_rows
from gateway.handlers import Route


def handled(consumer: type) -> set[str]:
    return {name for name, handler in HANDLERS.items() if Route(consumer).handles(handler.replace("_", ".", 1))}


class Hears(BotConsumer):
    def received(self, message: Message) -> None: ...


class HearsAndFeels(Hears):
    def pressed(self, button: Any) -> None: ...


class Feels:
    def pressed(self, button: Any) -> None: ...


class Mixed(Feels, BotConsumer): ...


class Telegrams(BotConsumer):
    def telegram_message(self, event: Any) -> None: ...


class Asks(BotConsumer):
    def filled(self, form: Form) -> None: ...
    def rated(self, rating: Rating) -> None: ...


class Own(BotConsumer):
    """Writes one handler itself, as in a plain consumer."""

    def chat_received_message(self, event: Any) -> None:
        self.reply("own")

    def received(self, message: Message) -> None:
        self.reply("not called")


@pytest.mark.parametrize(
    ("consumer", "names"),
    [
        (BotConsumer, set()),
        (AsyncBotConsumer, set()),
        (Hears, {"received"}),
        (HearsAndFeels, {"received", "pressed"}),
        (Mixed, {"pressed"}),
        (Asks, {"filled", "rated"}),
        (Telegrams, set()),
    ],
)
def test_a_handler_exists_only_where_there_is_a_method_for_it(consumer: type, names: set[str]) -> None:
    """Else the gateway would open scopes for events that the bot does not know."""
    assert handled(consumer) == names


def test_the_pool_sees_which_kind_it_is() -> None:
    assert Route(Hears).sync
    assert not Route(AsyncBotConsumer).sync


def test_async_in_a_sync_bot_is_told_at_once() -> None:
    with pytest.raises(TypeError, match="received is async: derive from AsyncBotConsumer"):

        class Wrong(BotConsumer):
            async def received(self, message: Message) -> None: ...


def test_sync_in_an_async_bot_is_told_at_once() -> None:
    with pytest.raises(TypeError, match="pressed is not async: derive from BotConsumer"):

        class Wrong(AsyncBotConsumer):
            def pressed(self, button: Any) -> None: ...


def sent_by(bot: Any) -> list[dict[str, Any]]:
    sent: list[dict[str, Any]] = []
    bot.base_send = sent.append
    return sent


def test_only_what_was_given_is_sent() -> None:
    bot = Hears()
    sent = sent_by(bot)
    bot.reply("a")
    bot.reply("b", ["Yes"], "q", parse_mode="HTML")
    bot.edit("q", "c")
    bot.ask_human("d")
    bot.typing()
    bot.close()
    yes = [[{"text": "Yes", "data": "Yes"}]]
    assert sent == [
        {"type": "chat.send_message", "text": "a"},
        {"type": "chat.send_message", "text": "b", "buttons": yes, "ref": "q", "parse_mode": "HTML"},
        {"type": "chat.edit_message", "text": "c", "ref": "q"},
        {"type": "chat.ask_human", "text": "d"},
        {"type": "chat.typing"},
        {"type": "chat.close"},
    ]


async def test_the_async_one_sends_the_same() -> None:
    sync, bot = Hears(), AsyncBotConsumer()
    wanted, sent = sent_by(sync), []

    async def keep(event: dict[str, Any]) -> None:
        sent.append(event)

    bot.base_send = keep
    calls = {"reply": ("a", ["x"], "r"), "edit": ("r", "b"), "ask_human": ("c",), "typing": (), "close": ()}
    for call, arguments in calls.items():
        getattr(sync, call)(*arguments)
        await getattr(bot, call)(*arguments)
    assert sent == wanted


def test_a_handler_of_ones_own_wins() -> None:
    bot = Own()
    sent = sent_by(bot)
    bot.chat_received_message({"type": "chat.received_message", "text": "hi"})
    assert [event["text"] for event in sent] == ["own"]


YES = {"text": "Yes", "data": "y"}
NO = {"text": "No", "data": "n"}


@pytest.mark.parametrize(
    ("given", "rows"),
    [
        (["Yes", "No"], [[{"text": "Yes", "data": "Yes"}, {"text": "No", "data": "No"}]]),
        ([("Yes", "y"), ("No", "n")], [[YES, NO]]),
        ([("Yes", "y")], [[YES]]),
        ((("Yes", "y"), ("No", "n")), [[YES, NO]]),
        ([[("Yes", "y")], [("No", "n")]], [[YES], [NO]]),
        ([[YES, ("No", "n")]], [[YES, NO]]),
        ([YES], [[YES]]),
        ([["Yes"]], [[{"text": "Yes", "data": "Yes"}]]),
    ],
)
def test_short_forms_of_buttons(given: Any, rows: Any) -> None:
    assert button_rows(given) == rows


@pytest.mark.parametrize("given", [[1], [["Yes"], "No"], [("a", "b", "c")], [{"text": "no data"}], [("a", 1)]])
def test_odd_buttons_are_told_with_the_mend(given: Any) -> None:
    with pytest.raises(Unsendable, match="is no button: give its text"):
        button_rows(given)


def test_a_bot_is_a_plain_consumer() -> None:
    assert issubclass(BotConsumer, SyncConsumer)
    assert BotConsumer.as_asgi().consumer_class is BotConsumer


def test_public_names_are_there_and_no_others() -> None:
    assert all(getattr(gateway, name) for name in gateway.__all__)
    with pytest.raises(AttributeError, match="no attribute 'Engine'"):
        gateway.Engine  # noqa: B018


def test_importing_the_package_and_a_bot_needs_no_django_set_up() -> None:
    """Django imports the package before there are models, and a bot's module is imported by whoever likes."""
    code = "import gateway, sys; assert not [m for m in sys.modules if m.startswith(('django', 'channels'))]\n"
    code += "from gateway import BotConsumer; assert 'gateway.models' not in sys.modules"
    bare = {name: value for name, value in os.environ.items() if name != "DJANGO_SETTINGS_MODULE"}
    ended = subprocess.run([sys.executable, "-c", code], env=bare, capture_output=True, text=True, timeout=30)
    assert ended.returncode == 0, ended.stderr
