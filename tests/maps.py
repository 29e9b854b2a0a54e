"""Application maps such as users write: the product's own map, with other bots in it."""

import asyncio
import logging
import os
import signal
import time
from typing import Any

from channels.consumer import AsyncConsumer, StopConsumer, SyncConsumer
from channels.routing import ProtocolTypeRouter, URLRouter
from django.conf import settings
from django.urls import path

from config.asgi import application as base
from gateway.models import Conversation

logger = logging.getLogger(__name__)

Event = dict[str, Any]
NAP = 0.2


class SleepyBot(SyncConsumer):
    """Blocks its thread before it answers."""

    def telegram_message(self, event: Event) -> None:
        time.sleep(NAP)
        self.send({"type": "telegram.message", "text": f"slept on {event['text']}"})


class DrowsyBot(AsyncConsumer):
    """The same, without blocking a thread; "begin" tells at once that it has begun."""

    async def telegram_message(self, event: Event) -> None:
        await self.send({"type": "telegram.message", "text": f"began {event['text']}"})
        await asyncio.sleep(1.5)
        await self.send({"type": "telegram.message", "text": f"ended {event['text']}"})


class AsyncEcho(AsyncConsumer):
    """Echoes messages and, by name, what was pressed."""

    async def chat_received_message(self, event: Event) -> None:
        await self.send({"type": "chat.send_message", "text": f"echo {event['text']}"})

    async def chat_button(self, event: Event) -> None:
        await self.send({"type": "chat.send_message", "text": f"pressed {event['data']}"})


class TelegramButtons(SyncConsumer):
    """Speaks Telegram: an inline keyboard, and a press that is answered and then edits its message."""

    def telegram_message(self, event: Event) -> None:
        row = [{"text": word, "callback_data": word} for word in ("yes", "no")]
        self.send(
            {
                "type": "telegram.message",
                "text": f"sure about {event['text']}?",
                "ref": "question",
                "reply_markup": {"inline_keyboard": [row]},
            }
        )

    def telegram_callback_query(self, event: Event) -> None:
        query = event["update"]["callback_query"]
        self.send({"type": "telegram.answer_callback_query", "callback_query_id": query["id"], "text": "noted"})
        self.send({"type": "telegram.edit_message_text", "ref": "question", "text": f"you chose {query['data']}"})


class NeutralButtons(SyncConsumer):
    """The same dialogue in the neutral names: it runs on every chat."""

    def chat_received_message(self, event: Event) -> None:
        buttons = [[{"text": "Yes", "data": "yes"}, {"text": "No", "data": "no"}]]
        self.send({"type": "chat.send_message", "text": f"sure about {event['text']}?", "buttons": buttons})

    def chat_button(self, event: Event) -> None:
        self.send({"type": "chat.send_message", "text": f"you chose {event['data']}"})


class CounterBot(SyncConsumer):
    """Counts its messages in the session; "bye" ends the scope from inside."""

    def telegram_message(self, event: Event) -> None:
        session = self.scope["session"]
        session["count"] = session.get("count", 0) + 1
        resumed = " resumed" if self.scope["resumed"] else ""
        self.send({"type": "telegram.message", "text": f"{event['text']} is {session['count']}{resumed}"})
        if event["text"] == "bye":
            raise StopConsumer


class FragileBot(SyncConsumer):
    """Raises on "boom", counts everything else."""

    def telegram_message(self, event: Event) -> None:
        if event["text"] == "boom":
            raise ValueError("boom")
        session = self.scope["session"]
        session["count"] = session.get("count", 0) + 1
        self.send({"type": "telegram.message", "text": f"{event['text']} is {session['count']}"})


class UnrulyBot(SyncConsumer):
    """Blocks its thread for as many seconds as it is told, raises, or echoes."""

    def telegram_message(self, event: Event) -> None:
        word, _, rest = event["text"].partition(" ")
        if word == "block":
            time.sleep(float(rest))
        if word == "raise":
            raise ValueError(word)
        self.send({"type": "telegram.message", "text": event["text"]})


class LibrarianBot(SyncConsumer):
    """Looks something up and then waits for something slow, with its connection still open; "quick" does neither."""

    def telegram_message(self, event: Event) -> None:
        if event["text"] != "quick":
            Conversation.objects.count()
            time.sleep(3)
        self.send({"type": "telegram.message", "text": event["text"]})


class BusyBot(AsyncConsumer):
    """Echoes. "spin" runs in circles for six seconds and lets everybody else run in between; "compute" takes the loop
    for a second, in turns of a millisecond."""

    async def telegram_message(self, event: Event) -> None:
        until = time.perf_counter() + {"spin": 6.0, "compute": 1.0}.get(event["text"], 0.0)
        while time.perf_counter() < until:
            turn = time.perf_counter() + 0.001
            while event["text"] == "compute" and time.perf_counter() < turn:
                pass
            await asyncio.sleep(0)
        await self.send({"type": "telegram.message", "text": event["text"]})


class DeadlyBot(SyncConsumer):
    """Takes its time for every message; "kill" and "exit" end the process it runs in."""

    def telegram_message(self, event: Event) -> None:
        time.sleep(NAP / 2)
        if event["text"] == "kill":
            os.kill(os.getpid(), signal.SIGKILL)
        if event["text"] == "exit":
            os._exit(3)
        time.sleep(NAP / 2)
        self.send({"type": "telegram.message", "text": f"survived {event['text']}"})


class HelpdeskBot(SyncConsumer):
    """Answers until somebody wants a human."""

    def chat_received_message(self, event: Event) -> None:
        if event["text"] == "human":
            self.send({"type": "chat.ask_human", "text": "somebody wants a human"})
        self.send({"type": "chat.send_message", "text": f"bot: {event['text']}"})

    def chat_resume(self, event: Event) -> None:
        self.send({"type": "chat.send_message", "text": f"back after {len(event['messages'])} words"})


class LongBot(SyncConsumer):
    """Answers with as many UTF-16 units as it is asked for, of words with emoji in between."""

    def telegram_message(self, event: Event) -> None:
        line = "wörter 😀 und ליבי noch mehr "
        self.send({"type": "telegram.message", "text": (line * (int(event["text"]) // len(line) + 1)).rstrip()})


class TattlingBot(AsyncConsumer):
    """Fails with what it was told: at "raise" itself, at "task" in a task that nobody waits for; else it echoes."""

    async def telegram_message(self, event: Event) -> None:
        logger.info("Somebody has said something.")
        if event["text"].startswith("raise"):
            raise ValueError(event["text"])
        if event["text"].startswith("task"):
            self.task = asyncio.create_task(self.fail(event["text"]))
        await self.send({"type": "telegram.message", "text": event["text"]})

    async def fail(self, text: str) -> None:
        raise ValueError(text)


class FirstBot(SyncConsumer):
    def telegram_message(self, event: Event) -> None:
        self.send({"type": "telegram.message", "text": f"first, {self.scope['bot']}: {event['text']}"})


class SecondBot(SyncConsumer):
    def telegram_message(self, event: Event) -> None:
        self.send({"type": "telegram.message", "text": f"second, {self.scope['bot']}: {event['text']}"})


class TalebearerBot(SyncConsumer):
    """Puts the tokens that it can read into a log line and into an exception; else echoes."""

    def chat_received_message(self, event: Event) -> None:
        if event["text"].startswith("tell"):
            address = f"{settings.TELEGRAM_API_URL}/bot{settings.TELEGRAM_BOT_TOKEN}/getFile"
            logging.getLogger("talebearer").error("cannot fetch %s", address)
            raise ValueError(address, settings.TELEGRAM_BOTS, settings.TELEGRAM_WEBHOOK_SECRET)
        self.send({"type": "chat.send_message", "text": f"echo {event['text']}"})


def map_with(bot: Any) -> ProtocolTypeRouter:
    """The product's map, with one bot on Telegram and on the web."""
    return ProtocolTypeRouter({**base.application_mapping, "telegram": bot, "webchat": bot})


chatty = base
sleepy = map_with(SleepyBot.as_asgi())
drowsy = map_with(DrowsyBot.as_asgi())
async_echo = map_with(AsyncEcho.as_asgi())
telegram_buttons = map_with(TelegramButtons.as_asgi())
neutral_buttons = map_with(NeutralButtons.as_asgi())
counter = map_with(CounterBot.as_asgi())
unruly = ProtocolTypeRouter({**base.application_mapping, "telegram": UnrulyBot.as_asgi(), "webchat": BusyBot.as_asgi()})
librarian = map_with(LibrarianBot.as_asgi())
talebearer = map_with(TalebearerBot.as_asgi())
deadly = map_with(DeadlyBot.as_asgi())
tattling = map_with(TattlingBot.as_asgi())
fragile = map_with(FragileBot.as_asgi())
helpdesk = map_with(HelpdeskBot.as_asgi())
long = map_with(LongBot.as_asgi())
two_bots = map_with(URLRouter([path("first/", FirstBot.as_asgi()), path("second/", SecondBot.as_asgi())]))
