"""Rings between the processes of one gateway: a channel each, ids only and never words.

Each process tells the others which conversations its sockets follow, and is rung for those alone: one that has nothing
to do with a message costs it nothing. What is rung within ten milliseconds goes in one ring to each that it concerns.
"""

import asyncio
import logging
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any
from zlib import crc32

from django.db import connection

from gateway.layers import ended, receive_patiently

logger = logging.getLogger(__name__)

GATHER_SECONDS = 0.01
IDLE_SECONDS = 1.0
PROBE_SECONDS = 0.25
# What a process follows is told again so often: a ring may be lost, and a layer flushed.
TELL_SECONDS = 10.0
PUBLISH_SECONDS = 1.0
MOST_HINTS = 1000

News = dict[int, int]
Hint = dict[str, Any]


@dataclass(slots=True)
class Told:
    """What a ring tells. `call`: conversations in which rows were left for whoever hears this, their owner; `look`:
    somebody has given parts away."""

    news: News = field(default_factory=dict)
    hints: list[tuple[int, Hint]] = field(default_factory=list)
    call: set[int] = field(default_factory=set)
    look: bool = False


@dataclass(slots=True)
class Follows:
    """What another process shows. `all`: everything, to an operator. Unknown yet: it may be anything."""

    pks: set[int] = field(default_factory=set)
    all: bool = True
    told_at: float = 0.0

    def concerned(self, told: Told) -> Told:
        if self.all:
            return Told(told.news, told.hints)
        if not self.pks:
            return Told()
        news = {pk: rev for pk, rev in told.news.items() if pk in self.pks}
        return Told(news, [(pk, hint) for pk, hint in told.hints if not pk or pk in self.pks])


class Post:
    """`peers`: who else there is now; `follows`: what this process shows, and whether it is everything."""

    def __init__(
        self,
        layer: Any,
        me: int,
        peers: Callable[[], Iterable[int]],
        follows: Callable[[], tuple[Iterable[int], bool]],
        hear: Callable[[Told], None],
    ) -> None:
        # A layer may have something cheaper for what may be lost.
        self._ring = getattr(layer, "ring", layer.send)
        self._receive = getattr(layer, "hear", layer.receive)
        self._me = me
        self._peers, self._follows, self._hear = peers, follows, hear
        self._others: dict[int, Follows] = {}
        self._unsent = Told()
        self._calls: dict[int, Told] = {}
        self._changed: dict[int, bool] = {}
        self._tasks: list[asyncio.Task[None]] = []
        self._wanted = asyncio.Event()
        self._probed_at = 0.0
        self.trouble = ""

    def start(self) -> None:
        self._tasks = [asyncio.create_task(job) for job in (self._listen(), self._publish_for_ever())]

    async def stop(self) -> None:
        await self._publish()
        await ended(self._tasks)

    # What is to be told

    def news(self, news: News) -> None:
        self._unsent.news |= news
        self._wanted.set()

    def hint(self, conversation: int, hint: Hint) -> None:
        if len(self._unsent.hints) < MOST_HINTS:
            self._unsent.hints.append((conversation, hint))
            self._wanted.set()

    def call(self, node: int, conversation: int) -> None:
        self._calls.setdefault(node, Told()).call.add(conversation)
        self._wanted.set()

    def look(self, node: int) -> None:
        self._calls.setdefault(node, Told()).look = True
        self._wanted.set()

    def follow(self, conversation: int, *, followed: bool) -> None:
        """What this process shows has changed."""
        self._changed[conversation] = followed
        self._wanted.set()

    # To and fro

    async def _publish_for_ever(self) -> None:
        while True:
            wanted = asyncio.ensure_future(self._wanted.wait())
            await asyncio.wait([wanted], timeout=IDLE_SECONDS)
            wanted.cancel()
            await asyncio.sleep(GATHER_SECONDS)
            self._wanted.clear()
            await self._publish()

    async def _publish(self) -> None:
        told, self._unsent = self._unsent, Told()
        calls, self._calls = self._calls, {}
        changed, self._changed = self._changed, {}
        now = asyncio.get_running_loop().time()
        if now - self._probed_at >= (PROBE_SECONDS if told.news or told.hints else IDLE_SECONDS):
            self._probed_at = now
            await self._send(self._me, {})  # Whoever is alone, too, wants to know whether the layer answers.
        peers = set(self._peers())
        self._others = {peer: self._others.get(peer) or Follows() for peer in peers}
        for peer, other in self._others.items():
            message = self._message(other.concerned(told), calls.get(peer, Told()), changed)
            if now - other.told_at >= TELL_SECONDS:
                other.told_at = now
                pks, everything = self._follows()
                message |= {"follows": list(pks), "all": everything}
            if message:
                await self._send(peer, message)

    def _message(self, concerned: Told, calls: Told, changed: dict[int, bool]) -> dict[str, Any]:
        parts = {
            "news": list(map(list, concerned.news.items())),
            "hints": concerned.hints,
            "call": list(calls.call),
            "look": calls.look,
            "changed": list(map(list, changed.items())),
        }
        return {name: part for name, part in parts.items() if part}

    async def _send(self, peer: int, message: dict[str, Any]) -> None:
        try:
            # Not wait_for: before Python 3.12 it may swallow the cancelling of this task.
            async with asyncio.timeout(PUBLISH_SECONDS):
                await self._ring(channel(peer), {"type": "switchboard.ring", "from": self._me, **message})
        except Exception as error:
            # Any failure of the layer costs a ring, and a lost ring is made good by looking.
            self.trouble = f"does not answer ({type(error).__name__}); words go on, other processes hear of them late"
        else:
            self.trouble = ""

    async def _listen(self) -> None:
        while True:
            message = await receive_patiently(self._receive, channel(self._me))
            try:
                self._note(message)
                self._hear(read(message))
            except Exception:
                logger.exception("A ring could not be read.")

    def _note(self, message: dict[str, Any]) -> None:
        other = self._others.get(int(message.get("from", 0)))
        if other is None:
            return
        if "follows" in message:
            other.pks, other.all = set(map(int, message["follows"])), bool(message.get("all"))
        for pk, followed in message.get("changed", []):
            if not pk:
                other.all = followed
            else:
                (other.pks.add if followed else other.pks.discard)(pk)


def channel(node: int) -> str:
    """Several gateways may share a layer, each with a database of its own."""
    database = crc32(str(connection.settings_dict.get("NAME", "")).encode())
    return f"switchboard.{database:08x}.node.{node}"


def read(message: dict[str, Any]) -> Told:
    return Told(
        {int(pk): int(rev) for pk, rev in message.get("news", [])},
        [(int(pk), hint) for pk, hint in message.get("hints", [])],
        set(map(int, message.get("call", []))),
        bool(message.get("look")),
    )
