"""What both sockets have in common: one bounded queue out, frames in one after the other, coded ends."""

import asyncio
import contextlib
import logging
import sys
from collections.abc import Coroutine
from secrets import token_hex
from typing import Any, ClassVar

from channels.consumer import AsyncConsumer
from django.db import DatabaseError

from gateway import flow
from gateway.errors import NotReady
from gateway.limits import Verdict
from gateway.metrics import refused
from gateway.types import Event, Receive, Scope, Send
from gateway.web import frames
from gateway.web.frames import BadFrame, Frame, Vocabulary

logger = logging.getLogger(__name__)

QUEUE_FRAMES = 1024
QUEUE_BYTES = 1024 * 1024
CLOSE_SECONDS = 3.0
END: None = None

open_sockets: "set[Socket]" = set()


class Socket(AsyncConsumer):
    """A WebSocket. Reads frames in order; writes through one task, so that a slow client holds nobody up.

    No channel layer, and none of Channels' dispatch, which queues behind the one thread that all consumers share.
    """

    vocabulary: ClassVar[Vocabulary]
    scope: Scope
    tag: str
    finished: asyncio.Event
    _queue: asyncio.Queue[str | None]
    _tasks: "set[asyncio.Task[None]]"
    _writer: "asyncio.Task[None]"
    _unwritten: int = 0
    _over: bool = False
    _code: int | None = None

    # What the two kinds fill in

    async def refusal(self) -> str | None:
        """Why this socket is not to be accepted, for the log."""
        raise NotImplementedError

    def opened(self) -> None:
        """It is accepted."""

    def weigh(self) -> Verdict:
        """Whether the next frame is taken, before it is looked at."""
        return Verdict.ADMITTED

    async def hear(self, frame: Frame) -> None:
        """One frame. May raise BadFrame, NotReady and what the database raises: the client is told."""
        raise NotImplementedError

    async def ended(self) -> None:
        """Nothing is read or written any more. Its tasks still run."""

    def left(self) -> None:
        """Its tasks have ended too."""

    # What they use

    def offer(self, text: str) -> None:
        """Takes a frame at once. A client that leaves a whole queue unread is too slow, and comes back later."""
        if self._over:
            return
        if self._unwritten > QUEUE_BYTES or self._queue.full():
            flow.counts.slow_readers += 1
            self.end(flow.TOO_SLOW)
        else:
            self._unwritten += sys.getsizeof(text)
            self._queue.put_nowait(text)

    def offer_lightly(self, text: str) -> None:
        """Takes a frame that nobody misses."""
        if self._queue.qsize() < QUEUE_FRAMES // 2:
            self.offer(text)

    async def put(self, text: str) -> None:
        """Takes a frame as soon as there is room."""
        if self._unwritten > QUEUE_BYTES // 2:
            await self._queue.join()
        if not self._over:
            self._unwritten += sys.getsizeof(text)
            await self._queue.put(text)

    def end(self, code: int) -> None:
        """Closes with that code, after what is already queued; at once where the queue does not move."""
        if self._over:
            return
        self._over, self._code = True, code
        if code != frames.GOING_AWAY:
            refused("socket", str(code))
        try:
            self._queue.put_nowait(END)
        except asyncio.QueueFull:
            self._writer.cancel()

    def spawn(self, job: Coroutine[Any, Any, None]) -> "asyncio.Task[None]":
        """A task that ends with the socket. Where it fails, the socket ends."""
        task = asyncio.create_task(job)
        self._tasks.add(task)
        task.add_done_callback(self._task_done)
        return task

    def _task_done(self, task: "asyncio.Task[None]") -> None:
        self._tasks.discard(task)
        error = None if task.cancelled() else task.exception()
        if error is not None and not self._over:
            if not isinstance(error, NotReady):
                logger.error("A socket's task has failed (%s).", type(error).__name__, exc_info=error)
            self.end(frames.GOING_AWAY)

    # One life

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.scope, self.tag = scope, token_hex(8)
        self._queue = asyncio.Queue(QUEUE_FRAMES)
        self._tasks = set()
        await receive()
        reason = await self.refusal()
        if reason is not None:
            refused("socket", "handshake")
            logger.warning("Socket refused: %s", reason)
            await send({"type": "websocket.close"})
            return
        await send({"type": "websocket.accept"})
        await self._run(receive, send)

    async def _run(self, receive: Receive, send: Send) -> None:
        self.finished = asyncio.Event()
        self._writer = asyncio.create_task(self._write(send))
        reader = asyncio.create_task(self._read(receive))
        open_sockets.add(self)
        try:
            self.opened()
            await asyncio.wait({reader, self._writer}, return_when=asyncio.FIRST_COMPLETED)
            await self._close(send)
            await self.ended()
        finally:
            await self._clean_up({reader, self._writer})
        if not reader.cancelled() and (error := reader.exception()) is not None:
            raise error

    async def _read(self, receive: Receive) -> None:
        while not self._over:
            event = await receive()
            if event["type"] == "websocket.disconnect":
                self._over = True
                self._writer.cancel()
            else:
                await self._take(event)

    async def _take(self, event: Event) -> None:
        content = event.get("text")
        if content is None:
            content = event.get("bytes") or b""
        if flow.is_too_large(content):
            self.end(flow.FRAME_TOO_LARGE)
            return
        verdict = self.weigh()
        if verdict is Verdict.TOO_MUCH:
            self.end(flow.FLOODING)
            return
        try:
            if isinstance(content, bytes):
                raise BadFrame("bad_frame", "Frames are text, not binary.")
            frame = self.vocabulary.decode(content)
            if verdict is Verdict.REFUSED:
                refused("frame", "rate_limited")
                raise BadFrame("rate_limited", frames.TOO_FAST, getattr(frame, "id", None))
            await self._answer(frame)
        except BadFrame as bad:
            await self.put(frames.error(bad.code, bad.detail, bad.id))

    async def _answer(self, frame: Frame) -> None:
        try:
            await self.hear(frame)
        except (NotReady, DatabaseError) as error:
            logger.debug("Not ready for a frame: %s", type(error).__name__)
            raise BadFrame("not_ready", "Not ready just now: try again.", getattr(frame, "id", None)) from None

    async def _write(self, send: Send) -> None:
        with contextlib.suppress(OSError):  # The client has gone; the reader hears of it too.
            while (text := await self._queue.get()) is not END:
                await send({"type": "websocket.send", "text": text})
                self._unwritten -= sys.getsizeof(text)
                self._queue.task_done()

    async def _close(self, send: Send) -> None:
        """Writes what is queued, then the code. Where the client went first there is nothing to write."""
        if self._code is not None:
            await asyncio.wait({self._writer}, timeout=CLOSE_SECONDS)
            self._writer.cancel()
            with contextlib.suppress(OSError, TimeoutError):
                await asyncio.wait_for(send({"type": "websocket.close", "code": self._code}), CLOSE_SECONDS)
        self._over = True
        # Whoever waits for room in the queue waits no longer.
        while not self._queue.empty():
            self._queue.get_nowait()

    async def _clean_up(self, own: "set[asyncio.Task[None]]") -> None:
        open_sockets.discard(self)
        self._over = True
        running = own | self._tasks
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)
        self.left()
        self.finished.set()


async def close_all(seconds: float) -> None:
    """Ends every open socket with the code for going away; returns once they are finished, or time is up."""
    ending = tuple(open_sockets)
    for socket in ending:
        socket.end(frames.GOING_AWAY)
    waiting = [asyncio.ensure_future(socket.finished.wait()) for socket in ending]
    if waiting:
        _, late = await asyncio.wait(waiting, timeout=seconds)
        for future in late:
            future.cancel()


async def refuse(scope: Scope, receive: Receive, send: Send) -> None:
    """A path that nobody serves: HTTP 403 instead of a traceback that a scanner could fill the log with."""
    await receive()
    await send({"type": "websocket.close"})
