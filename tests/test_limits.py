"""Windows, places and addresses, by themselves."""

from typing import Any

import pytest

from gateway import addresses, limits
from gateway.limits import SHUT_SECONDS, Door, Kept, Limits, Meter, Pace, Places, Rate, Verdict


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(limits, "time", clock)
    return clock


def test_a_window_moves(clock: Clock) -> None:
    meter = Meter((Rate(2, 10.0),))
    assert [meter.admit(), meter.admit()] == [0, 0]
    clock.now += 4
    assert meter.admit() == 6
    clock.now += 6
    assert meter.admit() == 0


def test_two_rates_hold_at_once(clock: Clock) -> None:
    meter = Meter((Rate(10, 1.0), Rate(100, 60.0)))
    admitted = 0
    for _ in range(200):
        admitted += not meter.admit()
        clock.now += 0.05
    assert admitted == 100
    clock.now += 60
    assert [meter.admit() > 0 for _ in range(11)] == [False] * 10 + [True]


def test_what_is_refused_is_not_counted(clock: Clock) -> None:
    meter = Meter((Rate(1, 1.0),))
    meter.admit()
    for _ in range(10):
        clock.now += 0.09
        assert meter.admit() > 0
    clock.now += 0.11
    assert meter.admit() == 0


def test_without_rates_anything_goes() -> None:
    meter = Meter(())
    assert {meter.admit() for _ in range(10_000)} == {0.0}


def test_a_pace_warns_and_then_ends(clock: Clock) -> None:
    pace = Pace((Rate(10, 1.0),))
    verdicts = [pace.weigh() for _ in range(21)]
    assert verdicts == [Verdict.ADMITTED] * 10 + [Verdict.REFUSED] * 10 + [Verdict.TOO_MUCH]
    clock.now += 2
    assert pace.weigh() is Verdict.TOO_MUCH, "whoever comes back at once is not looked at"
    clock.now += SHUT_SECONDS
    assert pace.weigh() is Verdict.ADMITTED


def test_what_is_said_at_once_is_heard_evenly(clock: Clock) -> None:
    pace, heard = Pace((Rate(10, 1.0), Rate(100, 60.0))), list[float]()
    began = clock.now
    while len(heard) < 10:
        if wait := pace.turn():
            clock.now += wait
        else:
            heard.append(round(clock.now - began, 3))
    assert heard == [round(n / 10, 3) for n in range(10)]
    assert {Pace((Rate(100, 60.0),)).turn() for _ in range(100)} == {0.0}, "of a minute there are no turns"


def test_a_crowd_comes_in_one_by_one_and_a_single_one_at_once(clock: Clock) -> None:
    door = Door(0.02)
    assert [round(door.wait(), 3) for _ in range(4)] == [0.0, 0.02, 0.04, 0.06]
    clock.now += 1
    assert door.wait() == 0


def test_a_crowd_fills_no_memory() -> None:
    kept = Kept(lambda: Meter((Rate(20, 60.0),)), most=100)
    first = kept.of("first")
    for n in range(1_000):
        kept.of(n)
        kept.of("first")
    assert len(kept) == 100
    assert kept.of("first") is first


def test_places_are_given_back() -> None:
    places = Places(2)
    assert [places.take("a"), places.take("a"), places.take("a"), places.take("b")] == [True, True, False, True]
    places.leave("a")
    assert places.take("a")
    for key in ("a", "a", "b"):
        places.leave(key)
    assert not places._taken


def test_off_and_nought_are_no_limit(settings: Any) -> None:
    settings.RATE_LIMITS, settings.NEW_CHATS_PER_MINUTE, settings.SOCKETS_PER_VISITOR = True, 0, 0
    some = Limits()
    assert not any(some.starts.of("a").admit() for _ in range(100))
    assert all(some.visitors_sockets.take("a") for _ in range(100))
    assert some.addresses_sockets._most == 50
    settings.RATE_LIMITS = False
    assert Limits().addresses_sockets._most is None
    assert not any(Limits().wait_to_sign_in("a", "ann") for _ in range(100))


@pytest.mark.parametrize(
    ("trusted", "peer", "forwarded", "address"),
    [
        ([], "203.0.113.9", "", "203.0.113.9"),
        ([], "203.0.113.9", "198.51.100.1", "203.0.113.9"),
        ([], "127.0.0.1", "198.51.100.1", "127.0.0.1"),
        (["127.0.0.1"], "127.0.0.1", "198.51.100.1", "198.51.100.1"),
        (["127.0.0.1"], "127.0.0.1", "", "127.0.0.1"),
        (["127.0.0.1"], "127.0.0.1", "nonsense", "127.0.0.1"),
        (["127.0.0.1"], "127.0.0.1", "6.6.6.6, 198.51.100.1", "198.51.100.1"),
        (["127.0.0.1", "10.0.0.0/8"], "127.0.0.1", "6.6.6.6, 198.51.100.1, 10.1.2.3", "198.51.100.1"),
        (["127.0.0.1"], "203.0.113.9", "198.51.100.1", "203.0.113.9"),
        (["127.0.0.1"], "::ffff:127.0.0.1", "198.51.100.1", "198.51.100.1"),
        (["nonsense", "::1"], "::1", "2001:db8::1:2:3:4", "2001:db8::/64"),
        ([], "2001:db8:0:0:1::9", "", "2001:db8::/64"),
        ([], "fe80::1%eth0", "", "fe80::/64"),
        ([], "", "", None),
        ([], "a socket file", "", None),
    ],
)
def test_whose_address_it_is(settings: Any, trusted: list[str], peer: str, forwarded: str, address: str | None) -> None:
    settings.TRUSTED_PROXIES = trusted
    assert addresses.of(peer, forwarded) == address


def test_behind_a_proxy_that_nobody_named_visitors_are_not_one(settings: Any) -> None:
    settings.PUBLIC_URL = "https://chat.example"
    assert addresses.of("127.0.0.1", "198.51.100.1") is None
    assert addresses.of("10.0.0.7", "") is None
    assert addresses.of("8.8.4.4", "") == "8.8.4.4"
    settings.TRUSTED_PROXIES = ["127.0.0.1"]
    assert addresses.of("127.0.0.1", "198.51.100.1") == "198.51.100.1"


def test_several_headers_are_one_list(settings: Any) -> None:
    settings.TRUSTED_PROXIES = ["127.0.0.1"]
    headers = [(b"x-forwarded-for", b"6.6.6.6"), (b"X-Forwarded-For", b"198.51.100.1")]
    assert addresses.of_scope({"client": ("127.0.0.1", 1), "headers": headers}) == "198.51.100.1"
    assert addresses.of_scope({"client": None}) is None
