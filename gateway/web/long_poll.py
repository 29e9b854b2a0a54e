"""`POST /chat/poll/`: the public socket for whom WebSockets are blocked. A request is a socket that lives for a moment:
the same hello, frames, answers, limits and codes, and no state of its own between two requests."""

import asyncio
import json
from typing import Any

from gateway.types import Event, Receive, Scope
from gateway.web import rooms
from gateway.web.endpoint import Endpoint, Refusal, gone
from gateway.web.public_socket import PublicChatConsumer
from gateway.web.room_socket import RoomChatConsumer

LARGEST_BODY = 256 * 1024
MOST_FRAMES = 64
LONGEST_WAIT_SECONDS = 25.0
# What belongs together comes together: a bot's three answers are one response.
GATHER_SECONDS = 0.05
END_SECONDS = 6.0
# Some frames are answered by nothing, whatever id they bear.
ANSWER_SECONDS = 5.0


class LongPoll(Endpoint):
    name = "poll"

    async def take(self, receive: Receive) -> tuple[int, bytes] | None:
        body = await self.read(receive, LARGEST_BODY)
        if body is None:
            return None
        poll = Poll(body)
        line = Line(self.scope, poll)
        client = asyncio.create_task(gone(receive))
        try:
            await line.run(client)
            if client.done():
                return None
        finally:
            client.cancel()
        if not line.accepted:
            raise Refusal(429, "rate_limited", "Too many at once. Try again in a moment.")
        return 200, line.answer()


class Poll:
    """What a request asks for. Raises Refusal."""

    def __init__(self, body: bytes) -> None:
        try:
            asked = json.loads(body)
        except (ValueError, RecursionError):
            raise bad("The body is no JSON, or is nested too deeply.") from None
        if not isinstance(asked, dict):
            raise bad("The body is a JSON object.")
        hello, sent, wait = asked.get("hello"), asked.get("frames", []), asked.get("wait", 0)
        if not isinstance(hello, dict) or not isinstance(sent, list):
            raise bad("It has a 'hello', an object, and 'frames', a list.")
        self.room = asked.get("room")
        if self.room is not None and not (isinstance(self.room, str) and rooms.is_name(self.room)):
            raise Refusal(400, "bad_room", "A room's name has 1 to 64 letters, digits, _ or -.")
        if len(sent) > MOST_FRAMES:
            raise bad(f"A request has at most {MOST_FRAMES} frames.")
        if isinstance(wait, bool) or not isinstance(wait, int | float) or not 0 <= wait <= LONGEST_WAIT_SECONDS:
            raise bad(f"'wait' is a number of seconds from 0 to {LONGEST_WAIT_SECONDS:.0f}.")
        self.wait = float(wait)
        self.hello: dict[str, Any] = hello
        self.frames: list[Any] = sent

    @property
    def texts(self) -> list[str]:
        """As a socket would get them."""
        return [json.dumps({**self.hello, "type": "hello"}), *map(json.dumps, self.frames)]

    @property
    def unanswered(self) -> "list[str]":
        """What is answered by its id, or by its type."""
        named = [frame for frame in self.frames if isinstance(frame, dict)]
        ids = [frame["id"] for frame in named if isinstance(frame.get("id"), str)]
        return ids + ["history" for frame in named if frame.get("type") == "history"]


def bad(detail: str) -> Refusal:
    return Refusal(400, "bad_frame", detail)


class Line:
    """Both ends of a socket in memory: the request plays the client."""

    def __init__(self, scope: Scope, poll: Poll) -> None:
        self.accepted = False
        route = {"args": (), "kwargs": {"room": poll.room}}
        self._scope = {**scope, "type": "websocket", "subprotocols": [], "url_route": route}
        self._consumer = PublicChatConsumer if poll.room is None else RoomChatConsumer
        self._poll = poll
        self._unanswered = poll.unanswered
        self._is_new = poll.hello.get("token") is None
        self._greeted = self._news = False
        self._code: int | None = None
        self._texts: list[str] = []
        self._incoming: asyncio.Queue[Event] = asyncio.Queue()
        self._moved = asyncio.Event()

    async def run(self, client: "asyncio.Task[None]") -> None:
        """Returns once there is something to tell, time is up, or the client has gone."""
        for event in ({"type": "websocket.connect"}, *map(_received, self._poll.texts)):
            self._incoming.put_nowait(event)
        socket = asyncio.create_task(self._consumer.as_asgi()(self._scope, self._incoming.get, self._send))
        telling = asyncio.create_task(self._until_told())
        try:
            await asyncio.wait({client, telling, socket}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            telling.cancel()
            self._incoming.put_nowait({"type": "websocket.disconnect", "code": 1000})
        # What it brought is committed, whether or not there is time to say so.
        await asyncio.wait({socket}, timeout=END_SECONDS)
        socket.cancel()

    def answer(self) -> bytes:
        told = f'{{"frames":[{",".join(self._texts)}]'
        return f"{told}}}".encode() if self._code is None else f'{told},"code":{self._code}}}'.encode()

    async def _until_told(self) -> None:
        loop = asyncio.get_running_loop()
        begun = loop.time()
        deadline = begun + self._poll.wait
        while not (self._is_answered and (self._news or self._is_new or loop.time() >= deadline)):
            latest = deadline if self._is_answered else max(deadline, begun + ANSWER_SECONDS)
            if loop.time() >= latest:
                return
            await self._until_moved(latest - loop.time())
        while await self._until_moved(GATHER_SECONDS):
            pass

    async def _until_moved(self, seconds: float) -> bool:
        self._moved.clear()
        try:
            async with asyncio.timeout(seconds):
                await self._moved.wait()
        except TimeoutError:
            return False
        return True

    @property
    def _is_answered(self) -> bool:
        return self._greeted and not self._unanswered

    async def _send(self, event: Event) -> None:
        if event["type"] == "websocket.accept":
            self.accepted = True
        elif event["type"] == "websocket.close":
            self._code = event.get("code")
        else:
            self._hear(event["text"])
        self._moved.set()

    def _hear(self, text: str) -> None:
        self._texts.append(text)
        frame = json.loads(text)
        kind = frame["type"]
        if kind == "welcome":
            self._greeted = True
        elif kind == "operator" and json.loads(self._texts[-2])["type"] == "welcome":
            pass  # It belongs to the greeting: who waits for news goes on waiting.
        else:
            self._news = True
            self._greeted = self._greeted or frame.get("code") in HOPELESS
        answered = frame.get("id", "history") if kind in ("ack", "error") else kind
        if answered in self._unanswered:
            self._unanswered.remove(answered)


HOPELESS = {"unknown_bot", "not_ready", "bad_frame", "bad_origin", "rate_limited"}
"""What a hello may be answered with instead of a welcome."""


def _received(text: str) -> Event:
    return {"type": "websocket.receive", "text": text}
