"""The clocks of one bot towards the outside: how fast it calls, and when it must not call at all. Knows no protocol.

One call a chat at a time, and none inside a wait that the outside has asked for. Whoever must wait sleeps until their
time; nobody looks again and again.
"""

import asyncio
import heapq
import itertools
from collections.abc import Callable
from dataclasses import dataclass, field

from msgspec import Struct

from gateway.types import Limits, Rate

OPERATOR, BOT, ANNOUNCEMENT = range(3)
"""Who goes first where several want the bot's next call."""

SAME_END_SECONDS = 1.5
"""Waits that end so close together are one: the outside tells the rest of it in whole seconds."""
KEPT_CHATS = 1000
LEAST_SHARE = 1 / 256
"""Of one that has nothing to call: what it calls nonetheless must come to an end."""

Time = Callable[[], float]


class Bucket:
    """`rate.burst` calls at once, then one whenever its time has come. Of no rate: always.

    `free_at`: when the next call may be made.
    """

    __slots__ = ("_every", "_full_at", "_rate", "_slack", "free_at")

    def __init__(self, rate: Rate | None) -> None:
        self._rate = None if rate is None or rate.per_second <= 0 else rate
        self._every = self._slack = self._full_at = self.free_at = 0.0
        self.pace(1.0)

    def pace(self, share: float) -> None:
        """That share of the rate is this one's; others have the rest."""
        if self._rate is not None:
            self._every = 1 / (self._rate.per_second * share)
            self._slack = max(self._rate.burst * share - 1, 0) * self._every
            self.free_at = self._full_at - self._slack

    def take(self, now: float) -> None:
        if self._rate is not None:
            self._full_at = max(self._full_at, now) + self._every
            self.free_at = self._full_at - self._slack

    def is_full(self, now: float) -> bool:
        return self._full_at <= now


class Chat:
    """`busy`: a call is under way; `turns` are waited for, `asking` by answers, which announcements let pass."""

    __slots__ = ("_freed", "announcements", "asking", "busy", "calls", "parked_until", "turns")

    def __init__(self, limits: Limits) -> None:
        self.calls, self.announcements = Bucket(limits.calls), Bucket(limits.announcements)
        self.parked_until = 0.0
        self.busy = False
        self.turns = self.asking = 0
        self._freed: asyncio.Event | None = None

    def is_taken(self, rank: int) -> bool:
        return self.busy or (rank == ANNOUNCEMENT and self.asking > 0)

    def free_at(self, turn: "Turn") -> float:
        """When its clocks let such a call go."""
        free_at = self.parked_until
        if turn.counts and self.calls.free_at > free_at:
            free_at = self.calls.free_at
        return max(free_at, self.announcements.free_at) if turn.rank == ANNOUNCEMENT else free_at

    def take(self, now: float, turn: "Turn") -> None:
        self.busy = True
        if turn.counts:
            self.calls.take(now)
        if turn.rank == ANNOUNCEMENT:
            self.announcements.take(now)

    async def until_free(self) -> None:
        if self._freed is None:
            self._freed = asyncio.Event()
        await self._freed.wait()

    def free(self) -> None:
        self.busy = False
        freed, self._freed = self._freed, None
        if freed is not None:
            freed.set()

    def is_idle(self, now: float) -> bool:
        """It knows nothing that a new one would not."""
        still = not self.busy and not self.turns and self.parked_until <= now
        return still and self.calls.is_full(now) and self.announcements.is_full(now)


class Turn(Struct, frozen=True):
    """`counts`: it puts words into the chat, which is what a chat's own limits are about."""

    rank: int
    counts: bool


@dataclass(order=True, slots=True)
class Waiter:
    """Somebody whose chat is ready and who waits for the bot. `granted` False: the chat is ready no more."""

    rank: int
    number: int
    chat: Chat = field(compare=False)
    turn: Turn = field(compare=False)
    granted: "asyncio.Future[bool]" = field(compare=False)


class Clocks:
    """`limits(chat)` are a chat's, of "" the bot's. `waits`: turns that did not come at once."""

    def __init__(self, time: Time, limits: Callable[[str], Limits]) -> None:
        self._time = time
        self._limits = limits
        own = limits("")
        self._calls, self._announcements = Bucket(own.calls), Bucket(own.announcements)
        self._parked_until = 0.0
        self._refused: dict[str, float] = {}
        self._chats: dict[str, Chat] = {}
        self._purge_at = KEPT_CHATS
        self._waiters: list[Waiter] = []
        self._numbers = itertools.count()
        self._timer: asyncio.TimerHandle | None = None
        self.waits = 0

    def pace(self, share: float) -> None:
        """Of the bot's limits; a chat's are always one process's."""
        least = max(share, LEAST_SHARE)
        self._calls.pace(least)
        self._announcements.pace(least)

    # Turns

    async def turn(self, chat: str, rank: int, *, counts: bool = True) -> None:
        """Returns when that chat may be called, which is then busy until `free`. Of "" only the bot's clocks count."""
        known, turn, first = self._chat(chat), Turn(rank, counts), True
        known.turns += 1
        known.asking += rank != ANNOUNCEMENT
        try:
            while not await self._try(known, turn, first=first):
                first = False
        finally:
            known.turns -= 1
            known.asking -= rank != ANNOUNCEMENT

    async def _try(self, chat: Chat, turn: Turn, *, first: bool) -> bool:
        seconds = chat.free_at(turn) - self._time()
        if chat.is_taken(turn.rank):
            await chat.until_free()
        elif seconds > 0:
            self.waits += first
            await asyncio.sleep(seconds)
        else:
            return await self._bots_turn(chat, turn, first=first)
        return False

    async def _bots_turn(self, chat: Chat, turn: Turn, *, first: bool) -> bool:
        now = self._time()
        if not self._waiters and self._free_at(turn.rank) <= now:
            return self._take(chat, turn, now)  # Nobody to be put in order with.
        granted: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        heapq.heappush(self._waiters, Waiter(turn.rank, next(self._numbers), chat, turn, granted))
        self._grant()
        self.waits += first and not granted.done()
        try:
            return await granted
        except asyncio.CancelledError:
            if granted.done() and not granted.cancelled() and granted.result():
                chat.free()
            raise

    def _grant(self) -> None:
        """Lets everybody go whose time has come, best rank first, and comes back when the next one's has."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        while self._waiters:
            head = self._waiters[0]
            if head.granted.done():
                heapq.heappop(self._waiters)
                continue
            now = self._time()
            free_at = self._free_at(head.rank)
            if free_at > now:
                self._timer = asyncio.get_running_loop().call_later(free_at - now, self._grant)
                return
            heapq.heappop(self._waiters)
            head.granted.set_result(self._take(head.chat, head.turn, now))

    def _free_at(self, rank: int) -> float:
        free_at = max(self._parked_until, self._calls.free_at)
        return max(free_at, self._announcements.free_at) if rank == ANNOUNCEMENT else free_at

    def _take(self, chat: Chat, turn: Turn, now: float) -> bool:
        if chat.is_taken(turn.rank) or chat.free_at(turn) > now:
            return False
        chat.take(now, turn)
        self._take_bots(now, turn)
        return True

    def _take_bots(self, now: float, turn: Turn) -> None:
        self._calls.take(now)
        if turn.rank == ANNOUNCEMENT:
            self._announcements.take(now)

    def lets(self, name: str, *, counts: bool) -> Chat | None:
        """That chat, where the `turn` of an answer would return at once. It is asked twice for each: in one piece."""
        chat = self._chats.get(name) or self._chat(name)
        if self._waiters or chat.turns or chat.busy:
            return None
        free_at = max(self._parked_until, self._calls.free_at, chat.parked_until, chat.calls.free_at if counts else 0.0)
        return chat if free_at <= self._time() else None

    def take_at_once(self, chat: str, rank: int, *, counts: bool = True) -> bool:
        """As `turn`, if that would return at once; otherwise nothing is taken."""
        known, turn, now = self._chat(chat), Turn(rank, counts), self._time()
        if not self._is_ready(known, turn, now):
            return False
        known.take(now, turn)
        self._take_bots(now, turn)
        return True

    def take(self, chat: Chat, *, counts: bool) -> None:
        """The turn that `lets` has just found free."""
        now = self._time()
        chat.take(now, Turn(BOT, counts))
        self._calls.take(now)

    def _is_ready(self, chat: Chat, turn: Turn, now: float) -> bool:
        if self._waiters or chat.turns or chat.is_taken(turn.rank) or chat.free_at(turn) > now:
            return False
        return self._free_at(turn.rank) <= now

    def take_another(self, chat: str, rank: int) -> bool:
        """Whether the one who has the turn may make one more call at once, without going before anybody better."""
        known, turn, now = self._chat(chat), Turn(rank, counts=True), self._time()
        waited_for = bool(self._waiters) and self._waiters[0].rank < rank
        if waited_for or known.free_at(turn) > now or self._free_at(rank) > now:
            return False
        known.take(now, turn)
        self._take_bots(now, turn)
        return True

    def lets_another(self, chat: str, rank: int, *, counts: bool) -> bool:
        """Whether the one who has the turn could have the next one as well, if nobody else comes."""
        known, turn, now = self._chat(chat), Turn(rank, counts), self._time()
        if self._waiters or known.turns:
            return False
        return known.free_at(turn) <= now and self._free_at(rank) <= now

    def free(self, chat: str) -> None:
        """The call is over."""
        self._chat(chat).free()

    # Waits that the outside has asked for

    def parked(self, chat: str) -> float:
        """For how many seconds that chat must not be called."""
        return max(self._chat(chat).parked_until, self._parked_until) - self._time()

    def park(self, chat: str, seconds: float) -> None:
        known = self._chat(chat)
        known.parked_until = max(known.parked_until, self._time() + seconds)

    @property
    def bot_parked(self) -> float:
        """For how many seconds the whole bot must not call."""
        return max(self._parked_until - self._time(), 0.0)

    def park_bot(self, seconds: float) -> None:
        self._parked_until = max(self._parked_until, self._time() + seconds)

    def flooded(self, chat: str, seconds: float) -> None:
        """The outside has just asked for a wait and has not said whose it is.

        The chat's, unless it came to a call that goes to no chat, or a second chat is sent away until the same moment
        and nobody was let in between: then it is the bot's.
        """
        until = self._time() + seconds
        if not chat:
            self.park_bot(seconds)
            return
        self.park(chat, seconds)
        self._refused[chat] = until
        if any(name != chat and abs(end - until) <= SAME_END_SECONDS for name, end in self._refused.items()):
            self.park_bot(seconds)

    def let_in(self) -> None:
        """A call was answered otherwise: it is not the whole bot that is sent away."""
        self._refused.clear()

    # Chats

    def _chat(self, name: str) -> Chat:
        """Each call to nobody in particular is on its own."""
        if not name:
            return Chat(Limits())
        chat = self._chats.get(name)
        if chat is None:
            self._forget_idle()
            chat = self._chats[name] = Chat(self._limits(name))
        return chat

    def _forget_idle(self) -> None:
        if len(self._chats) < self._purge_at:
            return
        now = self._time()
        self._chats = {name: chat for name, chat in self._chats.items() if not chat.is_idle(now)}
        self._purge_at = max(2 * len(self._chats), KEPT_CHATS)
