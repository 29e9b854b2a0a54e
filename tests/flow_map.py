"""The product's map with sockets and a page that write, read and echo as fast, or as slowly, as they are let."""

import asyncio
import json

from channels.generic.websocket import AsyncWebsocketConsumer
from channels.routing import ProtocolTypeRouter, URLRouter
from django.urls import path, re_path

from config.asgi import application as base
from gateway.flow import flow_control
from gateway.types import Receive, Scope, Send

PAGE_MEGABYTES = 200
FLOOD_BYTES = 16 * 1024


class Flood(AsyncWebsocketConsumer):
    """Writes numbered frames for as long as it may; ?frames= and ?bytes= bound it."""

    async def connect(self) -> None:
        await self.accept()
        asked = dict(pair.split("=") for pair in self.scope["query_string"].decode().split("&") if pair)
        size = int(asked.get("bytes", FLOOD_BYTES))
        self.flood = asyncio.create_task(self.write(int(asked.get("frames", 10**9)), size))

    async def write(self, frames: int, size: int) -> None:
        for number in range(frames):
            await self.send(f"{number} ".ljust(size, "x"))

    async def disconnect(self, code: int) -> None:
        self.flood.cancel()
        print(f"flood ended with {code}", flush=True)


class Echo(AsyncWebsocketConsumer):
    async def receive(self, text_data: str | None = None, bytes_data: bytes | None = None) -> None:
        await self.send(text_data, bytes_data)

    async def disconnect(self, code: int) -> None:
        print(f"echo ended with {code}", flush=True)


class Lazy(AsyncWebsocketConsumer):
    """Needs a while for each frame, and tells how many there were when it is asked."""

    heard = 0

    async def receive(self, text_data: str | None = None, bytes_data: bytes | None = None) -> None:
        self.heard += 1
        if text_data == "how many?":
            await self.send(json.dumps(self.heard))
        else:
            await asyncio.sleep(0.005)


async def page(scope: Scope, receive: Receive, send: Send) -> None:
    """A large page, a chunk at a time."""
    await send({"type": "http.response.start", "status": 200, "headers": []})
    for _ in range(PAGE_MEGABYTES * 16):
        await send({"type": "http.response.body", "body": b"x" * 65536, "more_body": True})
    await send({"type": "http.response.body", "body": b"the end"})


application = ProtocolTypeRouter(
    {
        **base.application_mapping,
        "http": flow_control(URLRouter([path("page", page), re_path("", base.application_mapping["http"])])),
        "websocket": flow_control(
            URLRouter(
                [
                    path("ws/flood/", Flood.as_asgi()),
                    path("ws/echo/", Echo.as_asgi()),
                    path("ws/lazy/", Lazy.as_asgi()),
                    re_path("", base.application_mapping["websocket"]),
                ]
            )
        ),
    }
)
