"""Plain consumers, and the chat that knows its visitors' names."""
# ruff: noqa: UP031, RUF100

import asyncio

from asgiref.sync import async_to_sync
from channels.consumer import AsyncConsumer, SyncConsumer
from channels.exceptions import StopConsumer
from channels.generic.websocket import WebsocketConsumer


class EchoConsumer(SyncConsumer):
    def websocket_connect(self, event):
        self.send({"type": "websocket.accept"})

    def websocket_receive(self, event):
        self.send({"type": "websocket.send", "text": event["text"]})


class AsyncEchoConsumer(AsyncConsumer):
    async def websocket_connect(self, event):
        await self.send({"type": "websocket.accept"})

    async def websocket_receive(self, event):
        await self.send({"type": "websocket.send", "text": event["text"]})


class StoppingEchoConsumer(AsyncEchoConsumer):
    """Stops when the connection ends; Channels ends the two above with an exception, for want of a handler."""

    async def websocket_connect(self, event):
        # Addition: by its name it is seen whether the instance has ended.
        asyncio.current_task().set_name("stopping echo")
        await super().websocket_connect(event)

    async def websocket_disconnect(self, event):
        raise StopConsumer


class AliasEchoConsumer(EchoConsumer):
    channel_layer_alias = "echo_alias"

    # Addition: without a group, nobody could tell which layer it listens on.
    def websocket_connect(self, event):
        async_to_sync(self.channel_layer.group_add)("chat", self.channel_name)
        super().websocket_connect(event)

    def chat_system_message(self, event):
        self.send({"type": "websocket.send", "text": event["text"]})


class ChatConsumer(WebsocketConsumer):
    def connect(self):
        self.username = "Anonymous"
        self.accept()
        self.send(text_data="[Welcome %s!]" % self.username)

    def receive(self, *, text_data):
        if text_data.startswith("/name"):
            self.username = text_data[5:].strip()
            self.send(text_data="[set your username to %s]" % self.username)
        else:
            self.send(text_data=self.username + ": " + text_data)

    def disconnect(self, message):
        pass
