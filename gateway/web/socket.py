"""What both sockets have in common: one bounded queue out, frames in one after the other, coded ends."""

import asyncio
import contextlib
import logging
import sys
from collections import deque
from collections.abc import Callable, Coroutine, Generator
from secrets import token_hex
from typing import Any, ClassVar, cast

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

open_sockets: "set[Socket]" = set()


class Begun:
    """A coroutine that was begun where nobody can wait, and waits for something after all. To be awaited once."""

    def __init__(self, coroutine: Coroutine[Any, Any, None], waits_for: Any) -> None:
        self._coroutine = coroutine
        self._waits_for = waits_for

    def __await__(self) -> Generator[Any, Any, None]:
        with contextlib.suppress(StopIteration):
            while True:
                try:
                    yield self._waits_for
                except BaseException as error:
                    self._waits_for = self._coroutine.throw(error)
                else:
                    self._waits_for = self._coroutine.send(None)


class Socket(AsyncConsumer):
    """A WebSocket. Reads frames in order. Writes at once to a client that has taken all before: that saves a task, a
    queue and a turn of the loop for every frame. For a slower one a task writes, so that it holds nobody up.

    No channel layer, and none of Channels' dispatch, which queues behind the one thread that all consumers share.
    """

    vocabulary: ClassVar[Vocabulary]
    scope: Scope
    tag: str
    finished: asyncio.Future[None]
    _send: Send
    _put_on_line: Callable[[str], bool] | None
    _ending: asyncio.Future[None]
    _tasks: "set[asyncio.Task[None]]"
    _unwritten: "deque[tuple[str | Begun, int]] | tuple[()]" = ()
    _unwritten_bytes: int = 0
    _writer: "asyncio.Task[None] | None" = None
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

    def gone(self) -> None:
        """The client has left."""

    async def ended(self) -> None:
        """Nothing is read or written any more. Its tasks still run."""

    def left(self) -> None:
        """Its tasks have ended too."""

    # What they use

    def offer(self, text: str) -> None:
        """Takes a frame at once. A client that leaves a whole queue unread is too slow, and comes back later."""
        if self._over:
            return
        if self._writer is None:
            if self._put_on_line is None or not self._put_on_line(text):
                self._write_now(text)
        elif self._is_full(QUEUE_BYTES):
            flow.counts.slow_readers += 1
            self.end(flow.TOO_SLOW)
        else:
            self._write_later(text, text)

    def offer_lightly(self, text: str) -> None:
        """Takes a frame that nobody misses."""
        if len(self._unwritten) < QUEUE_FRAMES // 2:
            self.offer(text)

    async def put(self, text: str) -> None:
        """Takes a frame as soon as there is room."""
        while self._writer is not None and not self._over and self._is_full(QUEUE_BYTES // 2):
            await asyncio.wait({self._writer})
        self.offer(text)

    def end(self, code: int) -> None:
        """Closes with that code, after what is already to be written, if that moves."""
        if self._over:
            return
        self._over, self._code = True, code
        if code != frames.GOING_AWAY:
            refused("socket", str(code))
        self._end()

    def _end(self) -> None:
        if not self._ending.done():
            self._ending.set_result(None)

    # Writing

    def _is_full(self, most: int) -> bool:
        return self._unwritten_bytes > most or len(self._unwritten) >= QUEUE_FRAMES

    def _write_now(self, text: str) -> None:
        sending = cast("Coroutine[Any, Any, None]", self._send({"type": "websocket.send", "text": text}))
        try:
            waits_for = sending.send(None)
        except StopIteration:
            return
        except Exception:
            self._end()  # The client has gone; the reader hears of it too.
        else:
            self._write_later(Begun(sending, waits_for), text)

    def _write_later(self, what: "str | Begun", text: str) -> None:
        self._unwritten = self._unwritten or deque()  # An empty one takes more room than all the rest of a socket's.
        self._unwritten.append((what, sys.getsizeof(text)))
        self._unwritten_bytes += sys.getsizeof(text)
        if self._writer is None:
            self._writer = asyncio.create_task(self._write())

    async def _write(self) -> None:
        try:
            while self._unwritten:
                what, size = self._unwritten.popleft()
                await (self._send({"type": "websocket.send", "text": what}) if isinstance(what, str) else what)
                self._unwritten_bytes -= size
            self._unwritten, self._writer = (), None
        except Exception:
            self._end()

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
        self._send = send
        self._put_on_line = (scope.get("extensions") or {}).get(flow.SERVED, {}).get("write")
        self._ending = asyncio.get_running_loop().create_future()
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
        self.finished = asyncio.get_running_loop().create_future()
        reader = asyncio.create_task(self._read(receive))
        reader.add_done_callback(lambda _: self._end())
        open_sockets.add(self)
        try:
            self.opened()
            await self._ending
            await self._close(send)
            await self.ended()
        finally:
            await self._clean_up(reader)
        if not reader.cancelled() and (error := reader.exception()) is not None:
            raise error

    async def _read(self, receive: Receive) -> None:
        while not self._over:
            event = await receive()
            if event["type"] == "websocket.disconnect":
                self._over = True
                self.gone()
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

    async def _close(self, send: Send) -> None:
        """Writes what is left, then the code. Where the client went first there is nothing to write."""
        if self._code is not None:
            if self._writer is not None:
                await asyncio.wait({self._writer}, timeout=CLOSE_SECONDS)
            self._stop_writing()
            with contextlib.suppress(OSError, TimeoutError):
                await asyncio.wait_for(send({"type": "websocket.close", "code": self._code}), CLOSE_SECONDS)
        self._over = True
        self._stop_writing()

    def _stop_writing(self) -> None:
        """Whoever waits for room waits no longer."""
        self._unwritten = ()
        if self._writer is not None:
            self._writer.cancel()

    async def _clean_up(self, reader: "asyncio.Task[None]") -> None:
        open_sockets.discard(self)
        self._over = True
        running = {reader, *self._tasks, *({self._writer} if self._writer else ())}
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)
        self.left()
        self.finished.set_result(None)


async def close_all(seconds: float) -> None:
    """Ends every open socket with the code for going away; returns once they are finished, or time is up."""
    ending = tuple(open_sockets)
    for socket in ending:
        socket.end(frames.GOING_AWAY)
    if ending:
        await asyncio.wait({socket.finished for socket in ending}, timeout=seconds)


async def refuse(scope: Scope, receive: Receive, send: Send) -> None:
    """A path that nobody serves: HTTP 403 instead of a traceback that a scanner could fill the log with."""
    await receive()
    await send({"type": "websocket.close"})
