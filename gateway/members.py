"""The processes that are one gateway: which parts are this one's, who has died, who has too much.

Once a second each of them looks at the nodes and the owners. Nothing here is on a message's way.
"""

import asyncio
import logging
import math
from typing import TYPE_CHECKING

from django.db import DatabaseError, InterfaceError

from gateway import node, owners, recovery
from gateway.errors import NotReady
from gateway.logs import event
from gateway.owners import Owners, Seen
from gateway.parts import PARTS, part_of
from gateway.recorder import last_words

if TYPE_CHECKING:
    from gateway.engine import Engine

logger = logging.getLogger(__name__)

LOOK_SECONDS = 1.0
DEAD_AFTER_LOOKS = 6
LET_GO_SECONDS = 10.0


class Members:
    """`mine`: the parts that this process runs; all of them where it is the only one. `peers`: the others that live.
    `shared`: whether there may be others."""

    def __init__(self, engine: "Engine") -> None:
        self._engine = engine
        self._me = 0
        self.shared = False
        self.mine: frozenset[int] = frozenset()
        self.peers: frozenset[int] = frozenset()
        self._owners: Owners = {}
        self._beats: dict[int, tuple[int, int]] = {}
        self._called = asyncio.Event()

    @property
    def share(self) -> float:
        """How much of the gateway is this process's: 1, all."""
        return len(self.mine) / PARTS

    @property
    def patience(self) -> float:
        """For so long what was committed is surely still this process's."""
        return node.DOUBT_SECONDS if self.shared else math.inf

    def owner(self, part: int) -> int | None:
        return self._owners.get(part)

    def leads(self, protocol: str, bot: str) -> bool:
        """Whether this process does what is to be done once for that bot."""
        return part_of(protocol, bot, "") in self.mine

    def begin(self, me: int, parts: frozenset[int], *, shared: bool) -> None:
        self._me, self.shared = me, shared
        self._engine.writer.memory.alone = not shared
        self._owners = dict.fromkeys(parts, me)
        self._set(parts)

    def _set(self, parts: frozenset[int]) -> None:
        self.mine = self._engine.writer.memory.mine = parts
        self._engine.outbox.pace(self.share)

    def call(self) -> None:
        """Somebody has given something away: no need to wait for the next look."""
        self._called.set()

    async def run(self) -> None:
        while True:
            try:
                await self._round()
            except (DatabaseError, InterfaceError, NotReady) as error:
                logger.debug("Could not look at the other nodes (%s).", type(error).__name__)
            except Exception:
                logger.exception("Looking at the other nodes met what it did not expect.")
            self._called.clear()
            await asyncio.wait([asyncio.ensure_future(self._called.wait())], timeout=LOOK_SECONDS)

    async def _round(self) -> None:
        seen = await self._engine.read(owners.look, self._me)
        if self._me not in seen.beats:
            return  # The beat tells it too, and all ends.
        self._note(seen)
        for dead, (beat, looks) in tuple(self._beats.items()):
            if looks >= DEAD_AFTER_LOOKS:
                await self._bury(dead, beat)
        if None in seen.owners.values() and not self._engine.stopping:
            await self._engine.read(owners.claim_free, self._me)
        # Whoever gave them may have ended in the middle of a call.
        await self._take_up(await self._unowned(), recover=True)
        if not self._engine.stopping:
            await self._balance()

    def _note(self, seen: Seen) -> None:
        for operator, ago in seen.operators:
            self._engine.operator_elsewhere(operator, ago)
        before, self._beats = self._beats, {}
        for other, beat in seen.beats.items():
            if other != self._me:
                known, looks = before.get(other, (beat, 0))
                self._beats[other] = beat, looks + 1 if beat == known else 0
        for other, waits in seen.parked.items():
            if self._beats[other][1] == 0:  # What an old beat said is over by now.
                for protocol, bot, seconds in waits:
                    self._engine.outbox.park(protocol, bot, seconds)
        self._owners = seen.owners
        self.peers = frozenset(self._beats)

    async def _unowned(self) -> frozenset[int]:
        """What the rows say is this process's, and it does not run yet."""
        seen = await self._engine.read(owners.look, self._me)
        self._owners = seen.owners
        if self._engine.stopping:
            return frozenset()  # What is being handed over looks the same, and must not come back.
        return frozenset(number for number, owner in seen.owners.items() if owner == self._me) - self.mine

    async def _bury(self, dead: int, beat: int) -> None:
        parts = await self._engine.read(owners.bury, dead, beat, self._me)
        if parts is None:
            return
        self._beats.pop(dead, None)
        self.peers -= {dead}
        logger.error(
            "Node %d has not moved for %d looks: it is taken for dead, and its %d parts are taken over.",
            dead,
            DEAD_AFTER_LOOKS,
            len(parts),
            extra=event("node_dead", node=dead),
        )
        await self._take_up(parts, recover=True, running=last_words(dead))

    async def _take_up(self, parts: frozenset[int], *, recover: bool = False, running: set[int] | None = None) -> None:
        """They are this process's in the rows; from here on it runs them as well."""
        if not parts:
            return
        if recover:
            await recovery.recover(self._engine, parts, running)
        found = await recovery.look(self._engine, parts)
        self._set(self.mine | parts)  # In one step with what waits there: nothing new may overtake it.
        recovery.begin(self._engine, parts, found)
        await self._engine.adopt(found.orphans)
        await self._take_in()

    async def _take_in(self) -> None:
        for protocol in self._engine.protocols.values():
            await protocol.take_in()

    # Giving away

    async def _balance(self) -> None:
        """The one that has most gives to the one that has fewest."""
        counts = dict.fromkeys((self._me, *self.peers), 0)
        for owner in self._owners.values():
            if owner in counts:
                counts[owner] += 1
        living = {one: count for one, count in counts.items() if one == self._me or self._moves(one)}
        richest = min(living, key=lambda one: (-living[one], one))
        poorest = min(living, key=lambda one: (living[one], one))
        surplus = (living[richest] - living[poorest]) // 2
        if richest == self._me and surplus > 0:
            await self._give(self._choose(surplus), poorest)

    def _moves(self, other: int) -> bool:
        return other in self._beats and self._beats[other][1] <= 1

    def _choose(self, count: int) -> frozenset[int]:
        """Those first in which nobody is talking: an open scope goes on elsewhere as after a restart."""
        busy = self._engine.lanes.parts() | self._engine.outbox.parts()
        return frozenset(sorted(self.mine, key=lambda part: (part in busy, part))[:count])

    async def _give(self, parts: frozenset[int], to: int) -> None:
        self._set(self.mine - parts)
        await self._engine.writer.written()  # What was marked as this process's before that is known from here on.
        await self._take_in()
        late = await recovery.let_go(self._engine, parts, LET_GO_SECONDS)
        given = parts - late
        gone = bool(given) and await self._engine.submit(owners.Give(given, self._me, to))
        if gone:
            logger.info("%d parts go to node %d.", len(given), to)
            self._owners |= dict.fromkeys(given, to)
            self._engine.ring.call(to)
        if late:
            await self._take_up(late)

    async def hand_over(self) -> None:
        """Before a planned stop: what nobody is busy with goes at once, the rest as soon as it is done."""
        heirs = [peer for peer in self.peers if self._moves(peer)]
        if not heirs or not self.mine:
            return
        busy = self._engine.lanes.parts() | self._engine.outbox.parts()
        for parts in (self.mine - busy, self.mine & busy):
            for place, heir in enumerate(heirs):
                await self._give(frozenset(sorted(parts)[place :: len(heirs)]), heir)
