"""A gateway over tests/flow_map.py, and clients that behave badly, down to the bytes."""

import asyncio
import contextlib
import multiprocessing
import socket
import struct
import threading
import time
from collections.abc import Iterator
from typing import Any, Self

from websockets.asyncio.client import connect

from tests.gateway_process import GatewayProcess
from tests.usage import memory

MEGABYTE = 1024 * 1024
MASK = b"\x01\x02\x03\x04"


class FlowProcess(GatewayProcess):
    def __init__(self, server: str = "daphne", **env: str) -> None:
        chosen = {"DJANGO_SETTINGS_MODULE": "tests.flow_settings", **env}
        super().__init__(chosen, server="uvicorn" if server == "uvicorn" else "daphne")

    def _command(self) -> list[str]:
        mine = {"config.asgi:application": "tests.flow_map:application"}
        return [mine.get(word, word) for word in super()._command()]

    @property
    def memory(self) -> int:
        """Bytes in RAM."""
        return memory(self)


def frame(payload: bytes = b"", *, first: int = 0x81, masked: bool = True, length: bytes | None = None) -> bytes:
    """A client's frame. `first`: FIN, reserved bits and opcode; `length`: another one than that of the payload."""
    size = len(payload)
    if length is None:
        length = bytes([size]) if size < 126 else struct.pack("!BH", 126, size) if size < 65536 else b""
        length = length or struct.pack("!BQ", 127, size)
    head = bytes([first, length[0] | (0x80 if masked else 0)]) + length[1:]
    if not masked:
        return head + payload
    key = (MASK * (size // 4 + 1))[:size]
    mixed = int.from_bytes(payload, "big") ^ int.from_bytes(key, "big")
    return head + MASK + mixed.to_bytes(size, "big")


class RawSocket:
    """A WebSocket without a library: writes bytes, reads frames, or nothing at all."""

    def __init__(self, port: int, path: str, *, receives: int = 0, cookie: str = "", within: float = 10) -> None:
        self.line = socket.socket()
        if receives:
            self.line.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receives)
        self.line.settimeout(within)
        self.line.connect(("127.0.0.1", port))
        self._unread = b""
        head = (
            f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            f"Origin: http://127.0.0.1:{port}\r\n"
            "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n"
            + (f"Cookie: {cookie}\r\n" if cookie else "")
        )
        self.line.sendall(head.encode() + b"\r\n")
        while b"\r\n\r\n" not in self._unread:
            more = self.line.recv(1)  # Not a byte of the first frame.
            assert more, f"no handshake: {self._unread!r}"
            self._unread += more
        self.answer, self._unread = self._unread, b""

    @property
    def status(self) -> int:
        return int(self.answer.split()[1])

    def send(self, *raw: bytes) -> None:
        """Bytes as they are. What the other side no longer wants is no error."""
        try:
            self.line.sendall(b"".join(raw))
        except OSError:
            return

    def read(self) -> tuple[int, bytes] | None:
        """The next frame's opcode and payload; None at the end. Raises TimeoutError."""
        try:
            head = self._exactly(2)
            size = head[1] & 127
            if size > 125:
                size = int.from_bytes(self._exactly(2 if size == 126 else 8), "big")
            return head[0] & 15, self._exactly(size)
        except (EOFError, ConnectionError):
            return None

    def read_words(self) -> bytes | None:
        """The payload of the next frame that is no ping."""
        found = self.read()
        while found is not None and found[0] == 9:
            self.send(frame(found[1], first=0x8A))
            found = self.read()
        return found[1] if found else None

    def _exactly(self, size: int) -> bytes:
        while len(self._unread) < size:
            more = self.line.recv(65536)
            if not more:
                raise EOFError
            self._unread += more
        found, self._unread = self._unread[:size], self._unread[size:]
        return found

    def prefetch(self, size: int) -> None:
        """Takes up to so many bytes off the line, for later."""
        self._unread += self.line.recv(size)

    def closing_code(self) -> int | None:
        """Reads on to the end; the code that came, if any."""
        code = None
        while (found := self.read()) is not None:
            opcode, payload = found
            if opcode == 8 and code is None:
                code = int.from_bytes(payload[:2], "big") if payload else 1005
                self.send(frame(payload[:2], first=0x88))
        return code

    def close(self) -> None:
        self.line.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class Peak:
    """The most memory, in bytes above the beginning, that the process takes while this is open."""

    def __init__(self, gateway: FlowProcess) -> None:
        self._gateway = gateway
        self._base = self._peak = gateway.memory
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._watch)

    def _watch(self) -> None:
        while not self._over.wait(0.02):
            self._peak = max(self._peak, self._gateway.memory)

    @property
    def grown(self) -> int:
        return max(self._peak, self._gateway.memory) - self._base

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()


@contextlib.contextmanager
def flooding(gateway: FlowProcess, path: str, raw: bytes) -> Iterator[Any]:
    """Somebody in another process who writes `raw` again and again, and never reads; `.value` is the bytes so far."""
    spawn = multiprocessing.get_context("spawn")
    written = spawn.Value("Q", 0)
    process = spawn.Process(target=flood, args=(gateway.port, path, raw, written), daemon=True)
    process.start()
    try:
        deadline = time.monotonic() + 30
        while not written.value:
            assert time.monotonic() < deadline, "nothing was written"
            time.sleep(0.02)
        yield written
    finally:
        process.kill()
        process.join()


def flood(port: int, path: str, raw: bytes, written: Any) -> None:
    with RawSocket(port, path, within=60) as line, contextlib.suppress(OSError):
        while True:
            written.value += line.line.send(raw)


async def round_trips(gateway: GatewayProcess, seconds: float, pause: float = 0.01) -> list[float]:
    """How long one echo after the other took, in ms, shortest first."""
    times = []
    async with connect(gateway.socket_url + "/ws/echo/", compression=None, open_timeout=10) as line:
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            begun = time.perf_counter()
            await line.send("ping")
            await line.recv()
            times.append((time.perf_counter() - begun) * 1000)
            await asyncio.sleep(pause)
    return sorted(times)


def p99(times: list[float]) -> float:
    return times[int(len(times) * 0.99)]
