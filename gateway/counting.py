"""From the transcript's rows to the dashboard's: each row is counted once, however often this is asked or stopped.

It reads outside of any transaction and writes briefly: the writer of words must not wait for it.
"""

from collections import defaultdict
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Any, NamedTuple

from django.db import transaction
from django.db.models import Q
from django.utils import timezone

from gateway.models import Conversation, Direction, Message, Sender
from gateway.tallies import Bookmark, Tally, Visit
from gateway.transcript import statements
from gateway.transcript.rows import Table

NAME = "tallies"
SLICE_ROWS = 500
VISIT_ENDS = timedelta(minutes=30)
# Two processes may commit in another order than that of their keys: a row counts when none before it can still come.
SETTLED = timedelta(seconds=5)
COLUMNS = ("pk", "conversation_id", "bot_id", "conversation__protocol", "at", "direction", "sender", "method")
COUNTS = ("came_in", "by_bot", "by_operator", "by_system", "visits")
CHANGING = ("last_at", "asked_at", "first_answer", "human_answer", "length")
BY = {Sender.BOT: "by_bot", Sender.OPERATOR: "by_operator", Sender.SYSTEM: "by_system"}


class Word(NamedTuple):
    pk: int
    conversation: int
    bot: int
    protocol: str
    at: datetime
    direction: str
    sender: str
    method: str


Hour = tuple[int, str, date, int]

VISITS, TALLIES = Table(Visit, Visit), Table(Tally, Tally)


@dataclass(slots=True)
class Counted:
    """What a slice of rows adds. `visits`: each conversation's latest; `changed`, those to be saved."""

    hours: dict[Hour, dict[str, int]] = field(default_factory=lambda: defaultdict(lambda: defaultdict(int)))
    visits: dict[int, Visit] = field(default_factory=dict)
    changed: list[Visit] = field(default_factory=list)


def count_on(now: datetime | None = None) -> int:
    """Counts some rows more. Returns how many; 0 where all are counted, or another process was first."""
    mark, _ = Bookmark.objects.get_or_create(name=NAME)
    words = _next_words(mark.row, (now or timezone.now()) - SETTLED)
    if not words:
        return 0
    counted = Counted(visits=_latest_visits(words))
    for word in words:
        _count(counted, word)
    with transaction.atomic():
        moved = Bookmark.objects.filter(pk=mark.pk, row=mark.row).update(row=words[-1].pk, at=timezone.now())
        if not moved:
            return 0
        _save(counted)
    return len(words)


def _next_words(after: int, until: datetime) -> list[Word]:
    """Words, and the bots' calls for a human. Rows of no interest are passed over by the database."""
    wanted = Q(seq__isnull=False) | Q(method="ask_human")
    found = Message.objects.filter(wanted, pk__gt=after).order_by("pk").values_list(*COLUMNS)
    words = [Word(*row) for row in found[:SLICE_ROWS]]
    young = next((index for index, word in enumerate(words) if word.at > until), len(words))
    return words[:young]


def _latest_visits(words: list[Word]) -> dict[int, Visit]:
    """Those that may go on, by conversation."""
    places, since = {word.conversation for word in words}, min(word.at for word in words) - VISIT_ENDS
    found = Visit.objects.filter(conversation__in=list(places), last_at__gte=since).order_by("pk")
    return {visit.conversation_id: visit for visit in found}


def _count(counted: Counted, word: Word) -> None:
    hour = counted.hours[word.bot, word.protocol, word.at.date(), word.at.hour]
    visit = counted.visits.get(word.conversation)
    is_over = visit is None or word.at - visit.last_at > VISIT_ENDS
    if word.direction == Direction.IN:
        hour["came_in"] += 1
        if is_over:
            hour["visits"] += 1
            visit = counted.visits[word.conversation] = _begun(word)
        is_over = False
    elif word.method != "ask_human":
        hour[BY.get(Sender(word.sender), "by_system")] += 1
    if visit is not None and not is_over:
        _go_on(visit, word)
        if visit not in counted.changed[-1:]:
            counted.changed.append(visit)


def _begun(word: Word) -> Visit:
    at = word.at
    place = {"conversation_id": word.conversation, "bot_id": word.bot, "protocol": word.protocol}
    return Visit(**place, began_at=at, last_at=at)


def _go_on(visit: Visit, word: Word) -> None:
    if word.method == "ask_human":
        visit.asked_at = visit.asked_at or word.at
        return
    visit.last_at = max(visit.last_at, word.at)
    visit.length = (visit.last_at - visit.began_at).total_seconds()
    if word.sender in (Sender.BOT, Sender.OPERATOR) and visit.first_answer is None:
        visit.first_answer = (word.at - visit.began_at).total_seconds()
    if word.sender == Sender.OPERATOR and visit.human_answer is None:
        visit.human_answer = (word.at - (visit.asked_at or visit.began_at)).total_seconds()


def _save(counted: Counted) -> None:
    _save_hours({hour: counts for hour, counts in counted.hours.items() if counts})
    visits = list({id(visit): visit for visit in counted.changed}.values())
    # A conversation may have been deleted since its words were read.
    places = Conversation.objects.filter(pk__in={visit.conversation_id for visit in visits})
    there = set(places.values_list("pk", flat=True))
    kept = [visit for visit in visits if visit.conversation_id in there]
    known = [visit for visit in kept if visit.pk is not None]
    Visit.objects.bulk_create([visit for visit in kept if visit.pk is None])
    # The ORM would build one statement of a thousand cases.
    _update(VISITS, {visit.pk: _columns(visit) for visit in known})


def _save_hours(hours: dict[Hour, dict[str, int]]) -> None:
    """Nobody else changes them now: the bookmark is ours until the transaction ends."""
    found = Tally.objects.filter(day__in={day for _, _, day, _ in hours})
    tallies = {(tally.bot_id, tally.protocol, tally.day, tally.hour): tally for tally in found}
    for hour, counts in hours.items():
        bot, protocol, day, number = hour
        if hour not in tallies:
            tallies[hour] = Tally(bot_id=bot, protocol=protocol, day=day, hour=number)
        for name, count in counts.items():
            setattr(tallies[hour], name, getattr(tallies[hour], name) + count)
    changed = [tallies[hour] for hour in hours]
    known = [tally for tally in changed if tally.pk is not None]
    Tally.objects.bulk_create([tally for tally in changed if tally.pk is None])
    changes = {tally.pk: {name: getattr(tally, name) for name in COUNTS} for tally in known}
    _update(TALLIES, changes)


def _update(table: Table[Any], changes: dict[int, dict[str, Any]]) -> None:
    base = statements.database()
    base.update(list(statements.changes_of_columns(base, table, changes)))


def _columns(visit: Visit) -> dict[str, Any]:
    return {name: getattr(visit, name) for name in CHANGING}
