"""Messages between connections: a group, one channel by its name, a room by its URL, a notification on connect."""

import json

from asgiref.sync import async_to_sync
from channels.generic.websocket import AsyncJsonWebsocketConsumer, AsyncWebsocketConsumer, WebsocketConsumer
from django.conf import settings

from tests.notes.models import Clients


class ClientsConsumer(WebsocketConsumer):
    def connect(self):
        Clients.objects.create(channel_name=self.channel_name)
        # Correction, here and below: a connection that is never accepted waits in its handshake for ever.
        self.accept()

    def disconnect(self, close_code):
        Clients.objects.filter(channel_name=self.channel_name).delete()

    def chat_message(self, event):
        self.send(text_data=event["text"])


class GroupChatConsumer(WebsocketConsumer):
    def connect(self):
        async_to_sync(self.channel_layer.group_add)("chat", self.channel_name)
        self.accept()

    def disconnect(self, close_code):
        async_to_sync(self.channel_layer.group_discard)("chat", self.channel_name)

    def receive(self, text_data):
        async_to_sync(self.channel_layer.group_send)(
            "chat",
            {
                "type": "chat.message",
                "text": text_data,
            },
        )

    def chat_message(self, event):
        self.send(text_data=event["text"])

    def chat_system_message(self, event):
        self.send(text_data=event["text"])


class RoomConsumer(AsyncWebsocketConsumer):
    """The room that the browser's page talks to."""

    async def connect(self):
        self.group_name = self.scope["url_route"]["kwargs"]["room_name"]
        if self.group_name == "closed":
            await self.close()
            return
        await self.channel_layer.group_add(self.group_name, self.channel_name)
        await self.accept()

    async def disconnect(self, close_code):
        await self.channel_layer.group_discard(self.group_name, self.channel_name)

    async def receive(self, text_data):
        text_data_json = json.loads(text_data)
        message = text_data_json["message"]
        if message == "/close":
            await self.close(code=4123)
            return
        await self.channel_layer.group_send(self.group_name, {"type": "chat_message", "message": message})

    async def chat_message(self, event):
        message = event["message"]
        await self.send(text_data=json.dumps({"message": message}))


class MemberConsumer(AsyncJsonWebsocketConsumer):
    """Tells a room who has said what."""

    async def connect(self):
        self.room_id = self.scope["url_route"]["kwargs"]["room_id"]
        self.group_name = f"room-{self.room_id}"
        await self.channel_layer.group_add(self.group_name, self.channel_name)
        await self.accept()

    async def disconnect(self, close_code):
        await self.channel_layer.group_discard(self.group_name, self.channel_name)

    async def receive_json(self, content):
        await self.channel_layer.group_send(
            self.group_name,
            {
                "type": "chat.message",
                "room_id": self.room_id,
                "username": self.scope["user"].username,
                "message": content["message"],
            },
        )

    async def chat_message(self, event):
        await self.send_json(
            {
                "msg_type": settings.MSG_TYPE_MESSAGE,
                "room": event["room_id"],
                "username": event["username"],
                "message": event["message"],
            },
        )


def get_notification():
    return ["Your parcel has arrived."]


class CenterConsumer(WebsocketConsumer):
    def connect(self):
        async_to_sync(self.channel_layer.group_add)("center_name", self.channel_name)
        self.accept()
        notifications = get_notification()
        if notifications:
            async_to_sync(self.channel_layer.group_send)(
                "center_name",
                {
                    "type": "notify",
                    "data": notifications,
                },
            )

    def disconnect(self, close_code):
        async_to_sync(self.channel_layer.group_discard)("center_name", self.channel_name)

    # Addition: the handler that the event's type names.
    def notify(self, event):
        self.send(text_data=json.dumps(event["data"]))
