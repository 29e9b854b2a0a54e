"""Generic consumers: text and binary frames, groups on the class, JSON, and how a handshake ends."""
# ruff: noqa: RUF012

import json
from decimal import Decimal

from channels.exceptions import AcceptConnection, DenyConnection
from channels.generic.websocket import (
    AsyncJsonWebsocketConsumer,
    AsyncWebsocketConsumer,
    JsonWebsocketConsumer,
    WebsocketConsumer,
)
from django.core.serializers.json import DjangoJSONEncoder


class MyConsumer(WebsocketConsumer):
    groups = ["broadcast"]

    # Correction: accepting twice and then closing are three alternatives, which one connection cannot all take.
    def connect(self):
        if self.scope["subprotocols"]:
            self.accept("subprotocol")
        elif self.scope["query_string"] == b"refuse":
            self.close()
        else:
            self.accept()

    def receive(self, text_data=None, bytes_data=None):
        if text_data == "close":
            self.close()
        elif text_data == "close 4123":
            self.close(code=4123)
        elif bytes_data is not None:
            # Correction: bytes, since a binary frame cannot be made of a str.
            self.send(bytes_data=b"Hello " + bytes_data)
        else:
            self.send(text_data="Hello world!")

    # Addition: "disconnect" had no body, and "broadcast" nobody who hears it.
    def disconnect(self, close_code):
        pass

    def chat_system_message(self, event):
        self.send(text_data=event["text"])


class MyAsyncConsumer(AsyncWebsocketConsumer):
    groups = ["broadcast"]

    async def connect(self):
        if self.scope["subprotocols"]:
            await self.accept("subprotocol")
        elif self.scope["query_string"] == b"refuse":
            await self.close()
        else:
            await self.accept()

    async def receive(self, text_data=None, bytes_data=None):
        if text_data == "close":
            await self.close()
        elif text_data == "close 4123":
            await self.close(code=4123)
        elif bytes_data is not None:
            await self.send(bytes_data=b"Hello " + bytes_data)
        else:
            await self.send(text_data="Hello world!")

    async def disconnect(self, close_code):
        pass

    async def chat_system_message(self, event):
        await self.send(text_data=event["text"])


class PriceConsumer(JsonWebsocketConsumer):
    """Prices are decimals on this side; plain JSON can neither read nor write them."""

    def receive_json(self, content):
        self.send_json({"twice": content["price"] * 2, "exact": isinstance(content["price"], Decimal)})

    @classmethod
    def decode_json(cls, text_data):
        return json.loads(text_data, parse_float=Decimal)

    @classmethod
    def encode_json(cls, content):
        return json.dumps(content, cls=DjangoJSONEncoder)


class AsyncPriceConsumer(AsyncJsonWebsocketConsumer):
    async def receive_json(self, content):
        await self.send_json({"twice": content["price"] * 2, "exact": isinstance(content["price"], Decimal)})

    @classmethod
    async def decode_json(cls, text_data):
        return json.loads(text_data, parse_float=Decimal)

    @classmethod
    async def encode_json(cls, content):
        return json.dumps(content, cls=DjangoJSONEncoder)


class JsonChatConsumer(WebsocketConsumer):
    """JSON by hand, as the first tutorials have it."""

    def connect(self):
        self.accept()

    def disconnect(self, close_code):
        pass

    def receive(self, text_data):
        text_data_json = json.loads(text_data)
        message = text_data_json["message"]
        self.send(text_data=json.dumps({"message": message}))


class DoorConsumer(WebsocketConsumer):
    """Accepts or denies from wherever the decision is made, without calling accept or close."""

    def connect(self):
        self.check(self.scope["url_route"]["kwargs"]["word"])

    def check(self, word):
        if word == "sesame":
            raise AcceptConnection
        raise DenyConnection

    def receive(self, text_data):
        self.send(text_data="inside")
