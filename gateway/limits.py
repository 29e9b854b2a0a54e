"""How often, and how many at once: counted by whom, for a bounded number of them, on a clock that nobody sets."""

import math
import time
from collections import Counter, OrderedDict
from collections.abc import Callable
from enum import Enum
from functools import cache
from threading import Lock
from typing import Generic, NamedTuple, TypeVar

from django.conf import settings

KEPT = 10_000
PATIENCE = 10
LONGEST_NAME = 150

T = TypeVar("T")


class Rate(NamedTuple):
    """At most `most` in any `seconds`."""

    most: int
    seconds: float


REFUSALS = (Rate(PATIENCE, 60.0),)
# For whom was too much: nothing is looked up for somebody who comes back the moment their socket is closed.
SHUT_SECONDS = 10.0
# Between two sockets of one address, which is several times what one costs: in between others are heard.
DOOR_SECONDS = 0.02


class Meter:
    """A moving window for each rate. What is refused is not counted."""

    __slots__ = ("_rates", "_times")

    def __init__(self, rates: tuple[Rate, ...]) -> None:
        self._rates = rates
        self._times: list[float] = []  # Of every visitor: an empty deque takes ten times the room.

    def admit(self) -> float:
        """0, and it is counted; or the seconds after which it would be admitted."""
        now = time.monotonic()
        wait = max((self._wait(rate, now) for rate in self._rates), default=0.0)
        if wait <= 0:
            self._times.append(now)
            del self._times[: -max((rate.most for rate in self._rates), default=1)]
        return max(wait, 0.0)

    def _wait(self, rate: Rate, now: float) -> float:
        if len(self._times) < rate.most:
            return 0.0
        return self._times[-rate.most] + rate.seconds - now


class Kept(Generic[T]):
    """One of something a key. The one asked for longest ago is forgotten first, so that no crowd fills the memory."""

    def __init__(self, make: Callable[[], T], most: int = KEPT) -> None:
        self._make = make
        self._most = most
        self._known: OrderedDict[object, T] = OrderedDict()
        self._lock = Lock()

    def of(self, key: object) -> T:
        with self._lock:
            found = self._known.pop(key, None)
            if found is None:
                found = self._make()
            self._known[key] = found
            if len(self._known) > self._most:
                self._known.popitem(last=False)
            return found

    def __len__(self) -> int:
        return len(self._known)


class Places:
    """How many of a key there may be at once; `most` None: any number. A key without any is forgotten."""

    def __init__(self, most: int | None) -> None:
        self._most = most
        self._taken: Counter[object] = Counter()

    def take(self, key: object) -> bool:
        if self._most is not None and self._taken[key] >= self._most:
            return False
        self._taken[key] += 1
        return True

    def leave(self, key: object) -> None:
        self._taken[key] -= 1
        if self._taken[key] <= 0:
            del self._taken[key]


class Door:
    """Lets one in after the other, so that a crowd is no wall for those who are inside."""

    __slots__ = ("_free_at", "_seconds")

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._free_at = 0.0

    def wait(self) -> float:
        """Seconds until it is this one's turn, which is taken."""
        now = time.monotonic()
        turn = max(self._free_at, now)
        self._free_at = turn + self._seconds
        return turn - now


class Verdict(Enum):
    ADMITTED = "admitted"
    REFUSED = "refused"
    TOO_MUCH = "too much"


class Pace:
    """One visitor's frames, over all their sockets. Some are refused one by one; more in a minute are too much, and
    then so is everything for a while.

    What is admitted has its turns: whoever says at once what a whole second allows is heard word by word, evenly, so
    that two dozen of them are no wall for everybody else.
    """

    __slots__ = ("_frames", "_refusals", "_shut_until", "_turns")

    def __init__(self, frames: tuple[Rate, ...]) -> None:
        self._frames = Meter(frames)
        self._refusals: Meter | None = None
        turns = tuple(Rate(1, rate.seconds / rate.most) for rate in frames if rate.seconds <= 1)
        self._turns = Meter(turns) if turns else None
        self._shut_until = 0.0

    def weigh(self) -> Verdict:
        if self._shut_until and time.monotonic() < self._shut_until:
            return Verdict.TOO_MUCH
        if not self._frames.admit():
            return Verdict.ADMITTED
        self._refusals = self._refusals or Meter(REFUSALS)
        if not self._refusals.admit():
            return Verdict.REFUSED
        self._shut_until = time.monotonic() + SHUT_SECONDS
        return Verdict.TOO_MUCH

    def turn(self) -> float:
        """0, and it is taken; or the seconds after which the next word has its turn."""
        return self._turns.admit() if self._turns is not None else 0.0


class Limits:
    """Everything that is limited in this process, by the settings. With RATE_LIMITS off nothing is."""

    def __init__(self) -> None:
        self._frames = rates(Rate(settings.MESSAGES_PER_SECOND, 1.0), Rate(settings.MESSAGES_PER_MINUTE, 60.0))
        self.paces = Kept(self.pace)
        self.visitors_sockets = Places(figure(settings.SOCKETS_PER_VISITOR))
        self.addresses_sockets = Places(figure(settings.SOCKETS_PER_ADDRESS))
        self.doors = Kept(lambda: Door(DOOR_SECONDS if settings.RATE_LIMITS else 0.0))
        self.starts = minutely(settings.NEW_CHATS_PER_MINUTE)
        self.webhook_misses = minutely(settings.WEBHOOK_MISSES_PER_MINUTE)
        self.uploads = minutely(settings.UPLOADS_PER_MINUTE)
        self._logins = minutely(settings.LOGINS_PER_MINUTE)

    def pace(self) -> Pace:
        return Pace(self._frames)

    def wait_to_sign_in(self, address: str | None, name: str) -> float:
        """Seconds; 0 where it may be tried, and is counted."""
        keys = [("name", name.casefold()[:LONGEST_NAME]), *([("address", address)] if address else [])]
        return max(self._logins.of(key).admit() for key in keys)


def rates(*wanted: Rate) -> tuple[Rate, ...]:
    """None of them where limits are off, or a figure is 0."""
    return tuple(rate for rate in wanted if figure(rate.most) is not None)


def figure(most: int) -> int | None:
    return most if settings.RATE_LIMITS and most > 0 else None


def minutely(most: int) -> Kept[Meter]:
    wanted = rates(Rate(most, 60.0))
    return Kept(lambda: Meter(wanted))


@cache
def current() -> Limits:
    return Limits()


def header(wait: float) -> str:
    """`Retry-After`: whole seconds."""
    return str(max(math.ceil(wait), 1))
