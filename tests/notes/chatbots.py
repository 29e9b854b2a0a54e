"""The same examples where a chat takes the place of a socket: what an author knows of consumers holds for bots."""
# ruff: noqa: UP031, RUF100

import asyncio
import contextlib

from asgiref.sync import async_to_sync
from channels.consumer import AsyncConsumer, SyncConsumer
from channels.db import database_sync_to_async
from channels.exceptions import StopConsumer

from tests.notes.models import Clients, Log


class ChattyBotConsumer(SyncConsumer):
    def telegram_message(self, message):
        """
        Simple echo handler for telegram messages in any chat.
        """
        self.send({
            "type": "telegram.message",
            "text": "You said: %s" % message["text"],
        })  # fmt: skip


class StoryBot(SyncConsumer):
    """Tells how long it has lived; `heard` lives as long as the instance, the session as long as the scope."""

    heard = 0

    def chat_received_message(self, event):
        self.heard += 1
        session = self.scope["session"]
        session["heard"] = session.get("heard", 0) + 1
        scope = "{user_id} {name} {username}".format(**self.scope)
        self.say(f"{event['text']} from {scope}")
        self.say(f"instance {self.heard}, scope {session['heard']}, resumed {self.scope['resumed']}")
        if event["text"] == "bye":
            raise StopConsumer

    def say(self, text):
        self.send({"type": "chat.send_message", "text": text})


class LogBot(SyncConsumer):
    def chat_received_message(self, event):
        Log.objects.create(type="bot, sync", client=[self.scope["name"], event["text"]])
        self.send({"type": "chat.send_message", "text": "logged"})


class AsyncLogBot(AsyncConsumer):
    async def chat_received_message(self, event):
        client = [self.scope["name"], event["text"]]
        await database_sync_to_async(Log.objects.create)(type="bot, async", client=client)
        await self.send({"type": "chat.send_message", "text": "logged"})


class PingBot(AsyncConsumer):
    async def chat_received_message(self, message):
        await asyncio.sleep(1)
        await self.send({"type": "chat.send_message", "text": "pong"})


class TickerBot(AsyncConsumer):
    """Speaks three times by itself, and has a task that must not outlive the scope."""

    ticking = None

    async def chat_received_message(self, event):
        if event["text"] == "bye":
            await self.send({"type": "chat.close"})
        elif self.ticking is None:
            self.ticking = asyncio.create_task(self.tick(), name=f"ticker {self.scope['name']}")

    async def tick(self):
        for _ in range(3):
            await asyncio.sleep(0.1)
            await self.send({"type": "chat.send_message", "text": "tick"})
        await asyncio.Event().wait()

    async def chat_disconnect(self, event):
        if self.ticking is not None:
            self.ticking.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self.ticking


class RoomBot(SyncConsumer):
    """Everybody who writes to it is in one room with the others, and with the sockets of the group "chat"."""

    joined = False

    def chat_received_message(self, event):
        if not self.joined:
            self.joined = True
            async_to_sync(self.channel_layer.group_add)("chat", self.channel_name)
        text = f"{self.scope['name']}: {event['text']}"
        async_to_sync(self.channel_layer.group_send)("chat", {"type": "chat.message", "text": text})

    def chat_message(self, event):
        self.send({"type": "chat.send_message", "text": event["text"]})

    chat_system_message = chat_message

    def chat_disconnect(self, event):
        async_to_sync(self.channel_layer.group_discard)("chat", self.channel_name)


class AsyncRoomBot(AsyncConsumer):
    joined = False

    async def chat_received_message(self, event):
        if not self.joined:
            self.joined = True
            await self.channel_layer.group_add("chat", self.channel_name)
        text = f"{self.scope['name']}: {event['text']}"
        await self.channel_layer.group_send("chat", {"type": "chat.message", "text": text})

    async def chat_message(self, event):
        await self.send({"type": "chat.send_message", "text": event["text"]})

    chat_system_message = chat_message

    async def chat_disconnect(self, event):
        await self.channel_layer.group_discard("chat", self.channel_name)


class ClientsBot(SyncConsumer):
    """Keeps the name of its channel where others find it."""

    def chat_received_message(self, event):
        Clients.objects.get_or_create(channel_name=self.channel_name)
        self.send({"type": "chat.send_message", "text": "kept"})

    def chat_message(self, event):
        self.send({"type": "chat.send_message", "text": event["text"]})

    def chat_disconnect(self, event):
        Clients.objects.filter(channel_name=self.channel_name).delete()
