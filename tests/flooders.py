"""People who flood, in a process of their own and with few calls: what they cost is the gateway's, and not theirs."""

import contextlib
import json
import multiprocessing
import os
import selectors
import socket
import time
from collections import Counter
from collections.abc import Iterator
from typing import Any

from tests.flow_process import frame

CLOSED_4008 = frame((4008).to_bytes(2), first=0x88, masked=False)[:4]
COMES_BACK_SECONDS = 0.05
WORDS = b"".join(
    frame(json.dumps({"type": "message", "id": f"{n}", "text": "flood"}).encode()) for n in range(800)
)  # 60 KB


class Flooder:
    """One who says hello and then writes as fast as the line takes it. `polite`: leaves once it reads 4008; else it
    writes on until the line ends."""

    def __init__(self, port: int, token: str, *, polite: bool) -> None:
        self.token, self.polite = token, polite
        self.line = socket.socket()
        self.line.setblocking(False)
        self.line.connect_ex(("127.0.0.1", port))
        self._writing = (
            f"GET /ws/chat/ HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            f"Origin: http://127.0.0.1:{port}\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
            "Sec-WebSocket-Version: 13\r\n\r\n"
        ).encode()
        self._greeted = False
        self._read = b""

    @property
    def wants(self) -> int:
        return selectors.EVENT_READ | (selectors.EVENT_WRITE if self._writing else 0)

    @property
    def was_told(self) -> bool:
        return CLOSED_4008 in self._read

    def go_on(self, ready: int) -> bool:
        """Whether its line is still of use."""
        try:
            return self._go_on(ready)
        except BlockingIOError:
            return True
        except OSError:
            return False

    def _go_on(self, ready: int) -> bool:
        if ready & selectors.EVENT_READ:
            more = self.line.recv(65_536)
            self._read = (self._read + more)[-4096:]
            if not self._greeted and b"HTTP/1.1 101" in self._read:
                self._greeted = True
                self._writing = frame(json.dumps({"type": "hello", "token": self.token}).encode())
            if not more or (self.polite and self.was_told):
                return False
        if ready & selectors.EVENT_WRITE:
            self._writing = self._writing[self.line.send(self._writing) :]
            self._writing = self._writing or (WORDS if self._greeted else b"")
        return True


def flood(port: int, tokens: list[str], ends: Any) -> None:
    """Each comes back as soon as its line has ended. Every other one is polite. Never returns."""
    os.nice(10)
    selector = selectors.DefaultSelector()
    due = [(0.0, token, number % 2 == 0) for number, token in enumerate(tokens)]
    while True:
        for entry in [entry for entry in due if entry[0] <= time.monotonic()]:
            due.remove(entry)
            one = Flooder(port, entry[1], polite=entry[2])
            selector.register(one.line, one.wants, one)
        for key, ready in selector.select(0.02):
            one = key.data
            if one.go_on(ready):
                selector.modify(one.line, one.wants, one)
                continue
            selector.unregister(one.line)
            one.line.close()
            ends.put(one.was_told)
            due.append((time.monotonic() + COMES_BACK_SECONDS, one.token, one.polite))


@contextlib.contextmanager
def floods(port: int, tokens: list[str]) -> Iterator[Counter[bool]]:
    """They flood as long as the block; afterwards: how many lines ended, by whether 4008 was read from them."""
    spawn = multiprocessing.get_context("spawn")
    ends: Any = spawn.Queue()
    process = spawn.Process(target=flood, args=(port, tokens, ends), daemon=True)
    found = Counter[bool]()
    process.start()
    try:
        found[ends.get(timeout=30)] += 1  # It has begun, and the first wave with it.
        yield found
        while not ends.empty():
            found[ends.get()] += 1
    finally:
        process.kill()
        process.join()
