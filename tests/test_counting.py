"""From rows to the dashboard's numbers: each row once, visits and their times, and what the tables then say."""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.utils import timezone

from gateway import counting, dashboard
from gateway.dashboard import Asked
from gateway.models import Bookmark, Bot, Conversation, Message, Status, Tally, Visit

pytestmark = pytest.mark.django_db

NOON = datetime(2026, 11, 4, 12, 0, tzinfo=UTC)  # A Wednesday.
PERSON, BOT, OPERATOR = ("in", "visitor"), ("out", "bot"), ("out", "operator")


@pytest.fixture
def place() -> Conversation:
    return Conversation.objects.create(bot=Bot.objects.create(name="shop"), protocol="telegram", key="7")


def write(place: Conversation, said: Iterable[tuple[tuple[str, str], float]], **more: Any) -> None:
    """Words, each with the seconds after noon at which it was said."""
    for (direction, sender), seconds in said:
        place.seq += 1
        fields: dict[str, Any] = {"seq": place.seq, "rev": place.seq, "method": "message", **more}
        at = NOON + timedelta(seconds=seconds)
        Message.objects.create(
            conversation=place, bot=place.bot, direction=direction, sender=sender, kind="message", at=at,
            **{"status": "done", **fields},
        )  # fmt: skip


def count_all() -> int:
    total = 0
    while count := counting.count_on():
        total += count
    return total


def asked(place: Conversation, **more: Any) -> Asked:
    return Asked(**{"bots": (place.bot_id,), "protocol": "", "first": NOON.date(), "last": NOON.date(), **more})


def test_each_word_is_counted_once(place: Conversation) -> None:
    write(place, [(PERSON, 0), (BOT, 1), (PERSON, 60), (OPERATOR, 90), (("out", "system"), 100)])
    assert count_all() == 5
    assert count_all() == 0
    tally = Tally.objects.get()
    assert (tally.came_in, tally.by_bot, tally.by_operator, tally.by_system, tally.visits) == (2, 1, 1, 1, 1)
    assert (str(tally.day), tally.hour) == ("2026-11-04", 12)
    write(place, [(PERSON, 120)])
    assert count_all() == 1
    tally.refresh_from_db()
    assert tally.came_in == 3


def test_a_slice_makes_no_difference(place: Conversation, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(counting, "SLICE_ROWS", 1)
    write(place, [(PERSON, 0), (BOT, 2), (OPERATOR, 30)])
    assert count_all() == 3
    visit = Visit.objects.get()
    assert (visit.first_answer, visit.human_answer, visit.length) == (2.0, 30.0, 30.0)


def test_after_half_an_hour_another_visit_begins(place: Conversation) -> None:
    write(place, [(PERSON, 0), (BOT, 5), (PERSON, 1800), (PERSON, 1805 + 1801), (BOT, 1805 + 1811)])
    count_all()
    assert list(Visit.objects.order_by("pk").values_list("first_answer", "length")) == [(5.0, 1800.0), (10.0, 10.0)]
    assert sum(Tally.objects.values_list("visits", flat=True)) == 2


def test_a_human_is_timed_from_being_asked_for(place: Conversation) -> None:
    write(place, [(PERSON, 0), (BOT, 1)])
    write(place, [(BOT, 10)], seq=None, method="ask_human", status=Status.NOTE)
    write(place, [(OPERATOR, 70)])
    count_all()
    visit = Visit.objects.get()
    assert (visit.first_answer, visit.human_answer) == (1.0, 60.0)


def test_an_announcement_begins_no_visit_and_is_no_answer(place: Conversation) -> None:
    write(place, [(("out", "system"), 0)])
    count_all()
    assert not Visit.objects.exists()
    write(place, [(PERSON, 10), (("out", "system"), 20)])
    count_all()
    assert Visit.objects.get().first_answer is None


def test_what_may_not_be_all_there_yet_is_left_for_later(place: Conversation) -> None:
    write(place, [(PERSON, 0)])
    Message.objects.update(at=timezone.now())
    assert counting.count_on() == 0
    assert counting.count_on(timezone.now() + counting.SETTLED) == 1


def test_of_two_that_count_one_is_first(place: Conversation, monkeypatch: pytest.MonkeyPatch) -> None:
    write(place, [(PERSON, 0)])
    latest = counting._latest_visits

    def overtaken(words: Any) -> Any:
        Bookmark.objects.update(row=Message.objects.get().pk)
        return latest(words)

    monkeypatch.setattr(counting, "_latest_visits", overtaken)
    assert counting.count_on() == 0
    assert not Tally.objects.exists()


def test_a_deleted_conversation_stops_nothing(place: Conversation, monkeypatch: pytest.MonkeyPatch) -> None:
    write(place, [(PERSON, 0)])
    latest = counting._latest_visits

    def deleted(words: Any) -> Any:
        place.delete()
        return latest(words)

    monkeypatch.setattr(counting, "_latest_visits", deleted)
    assert counting.count_on() == 1
    assert not Visit.objects.exists()


# Tables


def test_messages_and_visits_by_day_and_protocol(place: Conversation) -> None:
    web = Conversation.objects.create(bot=place.bot, protocol="webchat", key="w")
    write(place, [(PERSON, 0), (BOT, 1), (PERSON, 86_400)])
    write(web, [(PERSON, 0)])
    count_all()
    two_days = asked(place, last=NOON.date() + timedelta(days=1))
    table = dashboard.messages(two_days)
    assert table.columns == ("day", "telegram", "webchat")
    assert table.rows == [("2026-11-04", 2, 1), ("2026-11-05", 1, 0)]
    assert dashboard.conversations(two_days).rows == [("2026-11-04", 1, 1), ("2026-11-05", 1, 0)]
    assert dashboard.messages(asked(place, protocol="webchat")).rows == [("2026-11-04", 1)]
    assert dict(row[:2] for row in dashboard.senders(two_days).rows)["people"] == 3
    wednesday = dashboard.busiest_hours(two_days).rows[2]
    assert (wednesday[0], wednesday[1 + 12], sum(map(int, wednesday[1:]))) == ("Wed", 2, 2)


def test_times_by_steps(place: Conversation) -> None:
    write(place, [(PERSON, 0), (BOT, 3), (PERSON, 4000), (BOT, 4100), (PERSON, 9000)])
    count_all()
    first, human, length = dashboard.times(asked(place)).rows
    assert first == ("first answer", 1, 0, 1, 0, 0, 0, 0, 100.0)
    assert human[1:] == (0, 0, 0, 0, 0, 0, 0, None)
    assert length[1:5] == (1, 0, 1, 0)


def test_failures_by_reason_without_what_people_wrote(place: Conversation) -> None:
    write(place, [(PERSON, 0), (PERSON, 1)], status="failed", error="ValueError: invalid literal: 'my secret'")
    write(place, [(BOT, 2)], status="unknown", error="time-out")
    write(place, [(BOT, 2)], status="sent")
    assert dashboard.failures(asked(place)).rows == [("ValueError", "failed", 2), ("time-out", "unknown", 1)]
    assert dashboard.failures(asked(place, protocol="webchat")).rows == []


def test_other_bots_are_not_counted_in(place: Conversation) -> None:
    write(place, [(PERSON, 0), (BOT, 1)], error="x")
    count_all()
    nobody = asked(place, bots=())
    for make in dashboard.TABLES.values():
        assert not any(isinstance(cell, int) and cell for row in make(nobody).rows for cell in row[1:])


def test_now(place: Conversation) -> None:
    since = timezone.now() - timedelta(seconds=90)
    Conversation.objects.filter(pk=place.pk).update(open=True, waiting=True, waiting_since=since)
    shown = dashboard.now([place.bot_id], "", since + timedelta(seconds=90))
    assert (shown["bot"], shown["waiting"], shown["held"], shown["longest"]) == (0, 1, 0, 90.0)
    assert dashboard.now([place.bot_id], "webchat", since)["waiting"] == 0
