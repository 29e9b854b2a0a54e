"""The smallest map that shows how `serve` starts and stops; FAULT in the environment makes it misbehave."""

import asyncio
import os

from channels.generic.websocket import AsyncWebsocketConsumer
from channels.routing import ProtocolTypeRouter

from gateway.types import Receive, Scope, Send

FAULT = os.environ.get("FAULT", "")


class EchoConsumer(AsyncWebsocketConsumer):
    async def receive(self, text_data: str = "", bytes_data: bytes = b"") -> None:
        await self.send(text_data)


async def pages(scope: Scope, receive: Receive, send: Send) -> None:
    """/slow says that it has begun and is answered a second and a half later."""
    if scope["path"] == "/slow":
        print("slow begun", flush=True)
        await asyncio.sleep(1.5)
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"served"})


async def lifespan(scope: Scope, receive: Receive, send: Send) -> None:
    await receive()
    if FAULT == "refuse":
        await send({"type": "lifespan.startup.failed", "message": "Another gateway runs over this database."})
        return
    if FAULT == "raise":
        raise RuntimeError("no such table")
    print("map started", flush=True)
    await send({"type": "lifespan.startup.complete"})
    await receive()
    print("map stopped", flush=True)
    await send({"type": "lifespan.shutdown.complete"})


application = ProtocolTypeRouter({"http": pages, "websocket": EchoConsumer.as_asgi(), "lifespan": lifespan})
