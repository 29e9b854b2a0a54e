"""Sockets in the test's own loop, on the real engine. Import `web` by name."""

import asyncio
import itertools
import json
from collections.abc import AsyncIterator
from types import SimpleNamespace
from typing import Any

import pytest
import pytest_asyncio
from channels.consumer import SyncConsumer
from channels.testing import WebsocketCommunicator

from gateway import engine as engine_module
from gateway.engine import Engine
from gateway.types import Application
from gateway.web.admin_socket import AdminChatConsumer
from gateway.web.public_socket import PublicChatConsumer
from gateway.web.server import Server
from tests import communicator

Frame = dict[str, Any]
ORIGIN = "http://127.0.0.1:8000"


class Parrot(SyncConsumer):
    """Says after; offers a choice at "choose", edits it when pressed, is quiet at "hush"."""

    def webchat_message(self, event: Frame) -> None:
        if event["text"] == "hush":
            return
        self.send({"type": "webchat.message", "text": f"You said: {event['text']}", **OFFERS.get(event["text"], {})})

    def webchat_callback_query(self, event: Frame) -> None:
        self.send({"type": "chat.edit_message", "ref": "choice", "text": f"You chose {event['data']}"})


OFFERS = {"choose": {"buttons": [[{"text": "Tea please", "data": "tea"}]], "ref": "choice"}}


class Client:
    """One end of a socket. `frames` is everything that came."""

    def __init__(self, application: Application, path: str, *, origin: str | None = ORIGIN, **scope: Any) -> None:
        self.wire = WebsocketCommunicator(application, path, headers=[])
        if origin is not None:
            self.wire.scope["headers"].append((b"origin", origin.encode()))
        self.wire.scope["headers"] += scope.pop("headers", [])
        self.wire.scope.update(scope)
        self.frames: list[Frame] = []
        self._unread: list[Frame] = []
        self.code: int | None = None
        self.welcome: Frame = {}

    async def open(self) -> bool:
        await self.wire.send_input({"type": "websocket.connect"})
        return bool((await self.wire.receive_output(10))["type"] == "websocket.accept")

    async def send(self, type: str, **keys: Any) -> None:
        await self.raw(json.dumps({"type": type, **keys}))

    async def raw(self, content: str | bytes) -> None:
        kind = "text" if isinstance(content, str) else "bytes"
        await self.wire.send_input({"type": "websocket.receive", kind: content})

    async def expect(self, type: str, **keys: Any) -> Frame:
        """The next frame of that type with those keys ("sender": its "from"); others are kept for later calls."""
        wanted = {"type": type, **{"from" if key == "sender" else key: value for key, value in keys.items()}}
        passed: list[Frame] = []
        while True:
            frame = self._unread.pop(0) if self._unread else await self._read(wanted)
            if wanted.items() <= frame.items():
                self._unread = passed + self._unread
                return frame
            passed.append(frame)

    async def _read(self, wanted: Frame) -> Frame:
        try:
            event = await asyncio.wait_for(self.wire.output_queue.get(), 10)
        except TimeoutError:
            raise AssertionError(f"no {wanted}; came: {self.frames}") from None
        assert event["type"] == "websocket.send", f"{event} instead of {wanted}; came: {self.frames}"
        frame: Frame = json.loads(event["text"])
        self.frames.append(frame)
        return frame

    async def ended(self) -> int:
        """Reads on until the other side closes; its code."""
        while True:
            event = await asyncio.wait_for(self.wire.output_queue.get(), 10)
            if event["type"] == "websocket.close":
                self.code = event["code"]
                await self.wire.wait(10)
                return event["code"]
            self.frames.append(json.loads(event["text"]))

    async def leave(self) -> None:
        if self.code is None and not self.wire.future.done():
            await self.wire.send_input({"type": "websocket.disconnect", "code": 1001})
            await self.wire.wait(10)

    @property
    def messages(self) -> list[Frame]:
        return [frame for frame in self.frames if frame["type"] == "message"]

    @property
    def rev(self) -> int:
        return max((frame["rev"] for frame in self.messages), default=0)


class Web:
    """The web chat of one engine, and who is connected to it."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self._clients: list[Client] = []
        self._ids = itertools.count(1)

    def client(self, application: Application, path: str, **how: Any) -> Client:
        client = Client(application, path, **how)
        self._clients.append(client)
        return client

    def client_to_public(self, **how: Any) -> Client:
        return self.client(PublicChatConsumer.as_asgi(), "/ws/chat/", **how)

    def client_to_admin(self, **how: Any) -> Client:
        return self.client(AdminChatConsumer.as_asgi(), "/ws/chat/admin/", **how)

    async def socket(self, **how: Any) -> Client:
        """The public socket, accepted, before its hello."""
        client = self.client_to_public(**how)
        assert await client.open()
        return client

    async def visitor(self, token: str | None = None, since: int = 0, bot: str = "bot", **how: Any) -> Client:
        client = await self.socket(**how)
        await client.send("hello", token=token, since=since, bot=bot)
        client.welcome = await client.expect("welcome")
        return client

    async def operator(self, user: Any, **how: Any) -> Client:
        client = self.client_to_admin(user=user, **how)
        assert await client.open()
        return client

    async def leave(self) -> None:
        for client in self._clients:
            await client.leave()


@pytest_asyncio.fixture
async def web(transactional_db: None, settings: Any, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Web]:
    settings.ASGI_APPLICATION = "tests.communicator.application"
    communicator.application.application_mapping = {"webchat": Parrot.as_asgi()}
    monkeypatch.setattr(engine_module, "find_protocols", lambda: [Server])
    engine = Engine()
    await engine.start()
    world = Web(engine)
    yield world
    await world.leave()
    if engine._node is not None:
        await engine.stop()


def nobody() -> Any:
    return SimpleNamespace(is_authenticated=False, is_active=False, is_staff=False)
