"""Who watches a conversation, by what their sockets say of themselves."""

import pytest

from gateway import hints
from gateway.post import Hint
from gateway.web import whispers
from gateway.web.whispers import Watchers

ANA, BEN = {"user": "ana", "name": "Ana"}, {"user": "ben", "name": "Ben"}


def here(who: dict[str, str], by: str, *, gone: bool = False) -> Hint:
    return hints.here("a-uuid", **who, by=by, gone=gone)


def test_somebody_is_there_as_long_as_one_of_their_pages_is() -> None:
    watchers = Watchers()
    assert watchers.note(7, here(BEN, "b1")) == (True, True)
    assert watchers.note(7, here(ANA, "a1")) == (True, True)
    assert watchers.note(7, here(ANA, "a2")) == (False, True)
    assert watchers.of(7) == [ANA, BEN]
    assert watchers.note(7, here(ANA, "a1")) == (False, False)
    assert watchers.note(7, here(ANA, "a1", gone=True)) == (False, False)
    assert watchers.note(7, here(ANA, "a2", gone=True)) == (True, False)
    assert watchers.note(7, here(ANA, "a2", gone=True)) == (False, False)
    assert watchers.of(7) == [BEN]
    assert watchers.of(8) == []


def test_who_is_called_otherwise_now_is_told() -> None:
    watchers = Watchers()
    watchers.note(7, here(ANA, "a1"))
    assert watchers.note(7, here({**ANA, "name": "Anne"}, "a1")) == (True, False)
    assert watchers.of(7) == [{"user": "ana", "name": "Anne"}]


def test_who_says_nothing_for_long_is_gone(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 100.0
    monkeypatch.setattr("gateway.web.whispers.time.monotonic", lambda: now)
    watchers = Watchers()
    watchers.note(7, here(ANA, "a1"))
    now = 130.0
    watchers.note(7, here(BEN, "b1"))
    watchers.note(7, here(ANA, "a1"))
    now = 100.0 + whispers.ONLINE_SECONDS + 25
    assert watchers.note(7, here(BEN, "b1")) == (False, False)
    now = 130.0 + whispers.ONLINE_SECONDS + 1
    assert watchers.note(7, here(BEN, "b1")) == (True, False)
    assert watchers.of(7) == [BEN]


def test_nothing_is_kept_of_what_nobody_watches() -> None:
    watchers = Watchers()
    watchers.note(7, here(ANA, "a1"))
    watchers.note(7, here(ANA, "a1", gone=True))
    assert not watchers._here
