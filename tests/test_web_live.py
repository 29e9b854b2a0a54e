"""Readers of rows: no gap, nothing twice, one query for many readers."""

import asyncio
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any
from uuid import uuid4

import pytest
from django.db import OperationalError

from gateway.post import Told
from gateway.ring import Ring
from gateway.transcript import Written
from gateway.web import live as live_module
from gateway.web.live import Live, Reader
from gateway.web.rows import CHUNK, Shown
from tests.communicator import until
from tests.test_post import Pair, pair, told_what_they_follow

__all__ = ["pair"]


class Rows:
    """A conversation whose rows are numbers, and the engine over it."""

    def __init__(self) -> None:
        self.rev = 0
        self.reads = 0
        self.failures = 0
        self.forgotten = 0
        self.unknown: set[int] = set()
        self.gate = asyncio.Event()
        self.gate.set()
        self._callbacks: set[Callable[[int, Written | None], None]] = set()
        self.ring = SimpleNamespace(subscribe=self.subscribe)

    def subscribe(self, conversation: int, callback: Callable[[int, Written | None], None]) -> Callable[[], None]:
        self._callbacks.add(callback)
        return lambda: self._callbacks.discard(callback)

    @property
    def followed(self) -> bool:
        return bool(self._callbacks)

    def write(self, count: int = 1, *, here: bool = False) -> None:
        """`here`: by this process, which hands over what it has written."""
        for _ in range(count):
            self.rev += 1
            written = Written(self.rev - 1, self.rev) if here else None
            for callback in tuple(self._callbacks):
                callback(self.rev, written)

    def of(self, written: Written) -> list[Shown] | None:
        return None if written.rev in self.unknown else [Shown(written.rev, str(written.rev))]

    def forget(self) -> None:
        self.forgotten += 1

    async def read(self, function: Callable[..., Any], *args: Any) -> Any:
        self.reads += 1
        if self.failures:
            self.failures -= 1
            raise OperationalError("gone")
        found = function(*args)
        await self.gate.wait()
        await asyncio.sleep(0)
        return found

    def newer(self, after: int) -> list[Shown]:
        return [Shown(rev, str(rev)) for rev in range(after + 1, min(self.rev, after + CHUNK) + 1)]


class Outlet:
    def __init__(self) -> None:
        self.got: list[int] = []

    def offer(self, text: str) -> None:
        self.got.append(int(text))

    async def put(self, text: str) -> None:
        await asyncio.sleep(0)
        self.got.append(int(text))


@pytest.fixture
def rows(monkeypatch: pytest.MonkeyPatch) -> Rows:
    found = Rows()
    monkeypatch.setattr(live_module, "VisitorsView", lambda *_: found)
    monkeypatch.setattr(live_module, "OperatorsView", lambda *_: found)
    monkeypatch.setattr(live_module, "PAUSE_SECONDS", 0.01)
    return found


@pytest.fixture
def live(rows: Rows) -> Live:
    return Live(rows)  # type: ignore[arg-type]


async def up_to(outlet: Outlet, rev: int) -> None:
    await until(lambda: outlet.got[-1:] == [rev], f"rev {rev}", lambda: outlet.got[-5:])


async def test_a_reader_catches_up_and_then_hears(rows: Rows, live: Live) -> None:
    rows.write(3 * CHUNK + 5)
    outlet = Outlet()
    await live.follow_as_visitor(Reader(outlet, 7), 1)
    rows.write(2)
    await up_to(outlet, rows.rev)
    assert outlet.got == list(range(8, rows.rev + 1))


async def test_what_is_written_while_somebody_joins_is_neither_lost_nor_doubled(rows: Rows, live: Live) -> None:
    outlets = [Outlet() for _ in range(20)]
    joining = []
    for outlet in outlets:
        rows.write(37)
        joining.append(asyncio.create_task(live.follow_as_visitor(Reader(outlet, 0), 1)))
        await asyncio.sleep(0)
    rows.write(500)
    await asyncio.gather(*joining)
    rows.write()
    for outlet in outlets:
        await up_to(outlet, rows.rev)
        assert outlet.got == list(range(1, rows.rev + 1))


async def test_many_readers_and_many_rings_make_few_reads(rows: Rows, live: Live) -> None:
    outlets = [Outlet() for _ in range(50)]
    for outlet in outlets:
        await live.follow_as_visitor(Reader(outlet, 0), 1)
    await asyncio.sleep(0.01)
    before = rows.reads
    rows.gate.clear()
    rows.write()
    await asyncio.sleep(0)
    rows.write(100)
    rows.gate.set()
    for outlet in outlets:
        await up_to(outlet, 101)
    assert rows.reads - before == 2


async def test_a_process_with_many_sockets_is_woken_once_a_word(rows: Rows, live: Live, pair: Pair) -> None:
    """A ring of another process, one read, all sockets."""
    layer, one, other = pair
    rings = 0

    def hear(told: Told) -> None:
        nonlocal rings
        rings += bool(told.news)
        ring._hear_told(told)

    rows.ring = ring = Ring(rows.read)  # type: ignore[assignment]
    other.post._hear, other.follows = hear, {7}
    outlets = [Outlet() for _ in range(1000)]
    for outlet in outlets:
        await live.follow_as_visitor(Reader(outlet, 0), 7)
    await told_what_they_follow(layer)
    reads = rows.reads
    for word in range(1, 6):
        rows.rev = word
        one.post.news({7: word})
        await up_to(outlets[-1], word)
    assert all(outlet.got == [1, 2, 3, 4, 5] for outlet in outlets)
    assert (rings, rows.reads - reads) == (5, 5)


async def test_more_news_than_one_read_holds_comes_whole(rows: Rows, live: Live) -> None:
    outlet = Outlet()
    await live.follow_as_visitor(Reader(outlet, 0), 1)
    rows.write(3 * CHUNK)
    await up_to(outlet, 3 * CHUNK)
    assert outlet.got == list(range(1, 3 * CHUNK + 1))


async def test_visitors_and_operators_are_read_for_apart(rows: Rows, live: Live) -> None:
    visitor, operator = Outlet(), Outlet()
    await live.follow_as_visitor(Reader(visitor, 0), 1)
    await live.follow_as_operator(Reader(operator, 0), 1, uuid4())
    rows.write()
    await up_to(visitor, 1)
    await up_to(operator, 1)


async def test_the_last_one_to_leave_ends_the_feed(rows: Rows, live: Live) -> None:
    first, second, outlet = Reader(Outlet(), 0), Reader(Outlet(), 0), Outlet()
    await live.follow_as_visitor(first, 1)
    await live.follow_as_visitor(second, 1)
    live.leave(first)
    live.leave(first)
    assert rows.followed
    live.leave(second)
    assert not rows.followed
    before = rows.reads
    rows.write()
    await asyncio.sleep(0.01)
    assert rows.reads == before
    await live.follow_as_visitor(Reader(outlet, 0), 1)
    assert outlet.got == [1]


async def test_a_database_that_was_away_costs_no_word(rows: Rows, live: Live) -> None:
    outlet = Outlet()
    rows.failures = 2
    await live.follow_as_visitor(Reader(outlet, 0), 1)
    rows.failures = 2
    rows.write(3)
    await up_to(outlet, 3)
    assert outlet.got == [1, 2, 3]


async def test_what_was_written_here_is_not_read_again(rows: Rows, live: Live) -> None:
    outlets = [Outlet() for _ in range(3)]
    rows.write(5)
    for outlet in outlets:
        await live.follow_as_visitor(Reader(outlet, 0), 1)
    before = rows.reads
    rows.write(10, here=True)
    assert all(outlet.got == list(range(1, 16)) for outlet in outlets)
    assert rows.reads == before


async def test_a_gap_is_read_and_nothing_shown_twice(rows: Rows, live: Live) -> None:
    outlet = Outlet()
    await live.follow_as_visitor(Reader(outlet, 0), 1)
    rows.gate.clear()
    rows.write()  # Elsewhere.
    await asyncio.sleep(0)
    rows.write(7, here=True)  # While that is read.
    rows.gate.set()
    await up_to(outlet, 8)
    rows.write(2, here=True)
    assert outlet.got == list(range(1, 11))
    assert rows.reads == 2
    assert rows.forgotten == 1


async def test_more_than_is_kept_while_a_read_is_under_way_is_read(rows: Rows, live: Live) -> None:
    outlet = Outlet()
    await live.follow_as_visitor(Reader(outlet, 0), 1)
    rows.gate.clear()
    rows.write()
    await asyncio.sleep(0)
    rows.write(2 * live_module.KEPT_WRITTEN, here=True)
    rows.gate.set()
    await up_to(outlet, rows.rev)
    assert outlet.got == list(range(1, rows.rev + 1))


async def test_what_cannot_be_told_from_what_was_written_is_read(rows: Rows, live: Live) -> None:
    outlet = Outlet()
    await live.follow_as_operator(Reader(outlet, 0), 1, uuid4())
    rows.unknown = {2}
    rows.write(3, here=True)
    await up_to(outlet, 3)
    assert outlet.got == [1, 2, 3]


async def test_who_joins_hears_what_is_written_while_they_catch_up(rows: Rows, live: Live) -> None:
    early, late = Outlet(), Outlet()
    await live.follow_as_visitor(Reader(early, 0), 1)
    rows.write(3, here=True)
    rows.gate.clear()
    joining = asyncio.create_task(live.follow_as_visitor(Reader(late, 0), 1, 3))
    await asyncio.sleep(0)
    rows.write(4, here=True)
    rows.gate.set()
    await joining
    rows.write(2, here=True)
    for outlet in (early, late):
        await up_to(outlet, 9)
        assert outlet.got == list(range(1, 10))
