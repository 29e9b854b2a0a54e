"""Connections that are logged, that wait, that have a task of their own; and what they know about themselves."""

import asyncio
import contextlib

from channels.consumer import AsyncConsumer
from channels.db import database_sync_to_async
from channels.generic.websocket import AsyncWebsocketConsumer, JsonWebsocketConsumer, WebsocketConsumer

from tests.notes.models import Log


class LogConsumer(WebsocketConsumer):
    # Correction: a generic consumer's connect is given no message.
    def connect(self):
        Log.objects.create(
            type="connected",
            client=self.scope["client"],
        )
        # Correction: a connection that is never accepted waits in its handshake until the server gives it up.
        self.accept()

    def disconnect(self, close_code):
        Log.objects.create(type=f"left with {close_code}", client=self.scope["client"])


class AsyncLogConsumer(AsyncWebsocketConsumer):
    async def connect(self):
        await database_sync_to_async(Log.objects.create)(type="connected", client=self.scope["client"])
        await self.accept()

    async def receive(self, text_data):
        await self.send(text_data=str(await self.count()))

    @database_sync_to_async
    def count(self):
        return Log.objects.filter(client=self.scope["client"]).count()

    async def disconnect(self, close_code):
        await database_sync_to_async(Log.objects.create)(type=f"left with {close_code}", client=self.scope["client"])


class PingConsumer(AsyncConsumer):
    async def websocket_connect(self, message):
        await self.send({"type": "websocket.accept"})

    async def websocket_receive(self, message):
        await asyncio.sleep(1)
        await self.send({"type": "websocket.send", "text": "pong"})


class TickerConsumer(AsyncWebsocketConsumer):
    """Its background task is named after the room, and must not outlive the connection."""

    async def connect(self):
        await self.accept()
        name = self.scope["url_route"]["kwargs"]["room_name"]
        self.ticking = asyncio.create_task(self.tick(), name=f"ticker {name}")

    async def tick(self):
        while True:
            await self.send(text_data="tick")
            await asyncio.sleep(0.1)

    async def disconnect(self, close_code):
        self.ticking.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self.ticking


class ScopeConsumer(JsonWebsocketConsumer):
    """Tells what it knows about its connection, and counts in the session that the browser's pages have too."""

    def receive_json(self, content):
        session = self.scope["session"]
        session["asked"] = session.get("asked", 0) + 1
        session.save()
        self.send_json(
            {
                "user": self.scope["user"].username,
                "asked": session["asked"],
                "agent": dict(self.scope["headers"]).get(b"user-agent", b"").decode(),
                "path": self.scope["path"],
                "room": self.scope["url_route"]["kwargs"]["room_name"],
            }
        )
