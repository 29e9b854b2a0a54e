"""A TCP line that can be made slow, dead, cut or reset, in a thread of its own.

with FaultyProxy("127.0.0.1", 5432) as line:
    line.latency = 0.2           # seconds for every piece, each way
    line.open = False            # nothing passes and nobody is told, on lines that are there and on new ones
    line.cut_after = 500         # so many bytes from now on, both ways together; then every line is reset
    line.refuses = b"Upgrade: "  # a line is reset as soon as this passes
    line.reset()                 # all lines that are there
"""

import asyncio
import socket
import struct
from types import TracebackType
from typing import Self

from tests.fake_telegram.threads import LoopThread

PIECE = 64 * 1024
LOOK_SECONDS = 0.02
NO_LINGER = struct.pack("ii", 1, 0)


class FaultyProxy:
    def __init__(self, host: str, port: int) -> None:
        self.latency: float = 0.0
        self.open = True
        self.cut_after: int | None = None
        self.refuses: bytes | None = None
        self.port = 0
        self._target = (host, port)
        self._lines: set[asyncio.StreamWriter] = set()
        self._thread = LoopThread()

    async def _listen(self) -> None:
        server = await asyncio.start_server(self._join, "127.0.0.1", 0)
        self.port = server.sockets[0].getsockname()[1]

    async def _join(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._lines.add(writer)
        try:
            await self._until_open()
            there, back = await asyncio.open_connection(*self._target)
            self._lines.add(back)
            await asyncio.gather(self._pass(reader, back), self._pass(there, writer))
        except OSError:
            self._reset(writer)

    async def _pass(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while piece := await reader.read(PIECE):
            if self.refuses is not None and self.refuses in piece:
                raise ConnectionResetError
            await asyncio.sleep(self.latency)
            await self._until_open()
            writer.write(piece[: self.cut_after])
            await writer.drain()
            self._count(len(piece))
        writer.close()
        self._lines.discard(writer)

    async def _until_open(self) -> None:
        while not self.open:  # noqa: ASYNC110  # changed from another thread
            await asyncio.sleep(LOOK_SECONDS)

    def _count(self, passed: int) -> None:
        if self.cut_after is not None and (left := self.cut_after - passed) <= 0:
            self.cut_after = None
            self._reset_all()
        elif self.cut_after is not None:
            self.cut_after = left

    def _reset_all(self) -> None:
        for writer in tuple(self._lines):
            self._reset(writer)

    def _reset(self, writer: asyncio.StreamWriter) -> None:
        self._lines.discard(writer)
        line: socket.socket | None = writer.get_extra_info("socket")
        if line is not None and line.fileno() >= 0:
            line.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, NO_LINGER)
        writer.transport.abort()

    def reset(self) -> None:
        self._thread.loop.call_soon_threadsafe(self._reset_all)

    def __enter__(self) -> Self:
        self._thread.run(self._listen())
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._thread.loop.call_soon_threadsafe(self._reset_all)
        self._thread.stop()
