"""What the dashboard shows, as tables of numbers: how much, how fast, when, and what failed. It only reads."""

from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from typing import Any

from django.db.models import Count, Max, Min, Q, QuerySet, Sum

from gateway import indexed
from gateway.models import Bot, Conversation, Direction, Message, Status
from gateway.tallies import Tally, Visit

Cell = str | int | float | None
WEEKDAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
STEPS = (("5 s", 5), ("30 s", 30), ("2 min", 120), ("10 min", 600), ("1 h", 3600), ("1 day", 86_400))
LONGER = "longer"
MOST_REASONS = 20


@dataclass(frozen=True, slots=True)
class Table:
    """`name`: in addresses; `title`, `columns`: for people. The first column says what each row is of."""

    name: str
    title: str
    columns: tuple[str, ...]
    rows: list[tuple[Cell, ...]] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Asked:
    """`bots`: primary keys of those that are shown; `first` to `last` are days (UTC), both among them."""

    bots: tuple[int, ...]
    protocol: str
    first: date
    last: date

    @property
    def days(self) -> list[date]:
        return [self.first + timedelta(days=n) for n in range((self.last - self.first).days + 1)]

    @property
    def since(self) -> datetime:
        return datetime.combine(self.first, datetime.min.time(), UTC)

    @property
    def until(self) -> datetime:
        return datetime.combine(self.last + timedelta(days=1), datetime.min.time(), UTC)

    def tallies(self) -> QuerySet[Tally]:
        return self._of_protocol(Tally.objects.filter(bot__in=self.bots, day__gte=self.first, day__lte=self.last))

    def visits(self) -> QuerySet[Visit]:
        began = Visit.objects.filter(bot__in=self.bots, began_at__gte=self.since, began_at__lt=self.until)
        return self._of_protocol(began)

    def _of_protocol(self, rows: QuerySet[Any]) -> QuerySet[Any]:
        return rows.filter(protocol=self.protocol) if self.protocol else rows


# How much


def messages(asked: Asked) -> Table:
    return _by_day(asked, "messages", "Messages", ("came_in", "by_bot", "by_operator", "by_system"))


def conversations(asked: Asked) -> Table:
    """Visits: a person who comes back after half an hour begins another one."""
    return _by_day(asked, "conversations", "Conversations", ("visits",))


def _by_day(asked: Asked, name: str, title: str, columns: tuple[str, ...]) -> Table:
    found = asked.tallies().values_list("day", "protocol").annotate(*(Sum(column) for column in columns)).order_by()
    counts: dict[date, Counter[str]] = defaultdict(Counter)
    for day, protocol, *sums in found:
        counts[day][protocol] += sum(sums)
    protocols = sorted({protocol for of_day in counts.values() for protocol in of_day})
    rows: list[tuple[Cell, ...]] = [(str(day), *(counts[day][one] for one in protocols)) for day in asked.days]
    return Table(name, title, ("day", *protocols), rows)


def senders(asked: Asked) -> Table:
    """Who said how much."""
    names = {"people": "came_in", "bots": "by_bot", "operators": "by_operator", "announcements": "by_system"}
    sums = asked.tallies().aggregate(**{name: Sum(column) for name, column in names.items()})
    return Table("senders", "Who speaks", ("who", "messages"), [(name, sums[name] or 0) for name in names])


def busiest_hours(asked: Asked) -> Table:
    """What came in, by the day of the week and the hour (UTC)."""
    found = asked.tallies().values_list("day", "hour").annotate(words=Sum("came_in")).order_by()
    counts: Counter[tuple[int, int]] = Counter()
    for day, hour, words in found:
        counts[day.weekday(), hour] += words
    rows: list[tuple[Cell, ...]] = [
        (name, *(counts[weekday, hour] for hour in range(24))) for weekday, name in enumerate(WEEKDAYS)
    ]
    return Table("hours", "Busiest hours", ("day", *(f"{hour:02}" for hour in range(24))), rows)


# How fast


def times(asked: Asked) -> Table:
    """How many visits were answered, and were over, within which time."""
    visits = asked.visits()
    spans = {"first answer": "first_answer", "a human's answer": "human_answer", "first word to last": "length"}
    counts: dict[str, Count] = {}
    for column in spans.values():
        counts |= _steps(column)
    counted = visits.aggregate(**counts)
    rows: list[tuple[Cell, ...]] = [
        (label, *(counted[name] for name in _steps(column)), _median(visits, column)) for label, column in spans.items()
    ]
    names = (*(f"≤ {name}" for name, _ in STEPS), LONGER, "median, s")
    return Table("times", "How fast", ("time", *names), rows)


def _steps(column: str) -> dict[str, Count]:
    """By name, how many are within each step. What was never answered has no length that says anything."""
    answered = Q(first_answer__isnull=False)
    edges = [0.0, *(float(seconds) for _, seconds in STEPS)]
    within = {
        f"{column}_{n}": Q(**{f"{column}__lte": high, **({f"{column}__gt": low} if n else {})})
        for n, (low, high) in enumerate(pairwise(edges))
    }
    longer = Q(**{f"{column}__gt": edges[-1]})
    both = {**within, f"{column}_longer": longer}
    return {name: Count("pk", filter=condition & answered) for name, condition in both.items()}


def _median(visits: QuerySet[Visit], column: str) -> float | None:
    answered = visits.filter(**{f"{column}__isnull": False, "first_answer__isnull": False})
    values = answered.order_by(column).values_list(column, flat=True)
    count = answered.count()
    return round(values[count // 2], 1) if count else None


# What failed


def failures(asked: Asked) -> Table:
    """What did not arrive or could not be handled, by its reason."""
    found = Message.objects.alias(of=indexed.beside("bot")).filter(indexed.failed(), of__in=asked.bots)
    found = found.filter(at__gte=asked.since, at__lt=asked.until)
    if asked.protocol:
        found = found.filter(conversation__protocol=asked.protocol)
    counts: Counter[tuple[str, str]] = Counter()
    for direction, status, error, count in (
        found.order_by().values_list("direction", "status", "error").annotate(Count("pk"))
    ):
        counts[status, reason(direction, error)] += count
    rows: list[tuple[Cell, ...]] = [(why, status, count) for (status, why), count in counts.most_common(MOST_REASONS)]
    return Table("failures", "What failed", ("reason", "state", "rows"), rows)


def reason(direction: str, error: str) -> str:
    """Of what a handler raised only its kind: what it said may be what somebody wrote."""
    shown = error.partition(":")[0] if direction == Direction.IN else error
    return shown[:120].strip() or "no reason given"


# Now


def now(bots: Iterable[int], protocol: str, moment: datetime) -> dict[str, Any]:
    """How many conversations are in which state, and for how many seconds the first has waited for a human."""
    found = Conversation.objects.filter(bot__in=list(bots))
    if protocol:
        found = found.filter(protocol=protocol)
    queued = Message.objects.alias(of=indexed.beside("bot")).filter(indexed.leaving(), of__in=list(bots))
    waiting = found.filter(waiting=True, holder__isnull=True).aggregate(rows=Count("pk"), since=Min("waiting_since"))
    since = waiting["since"]
    return {
        "bot": found.filter(open=True, waiting=False, holder__isnull=True).count(),
        "waiting": waiting["rows"],
        "held": found.filter(holder__isnull=False).count(),
        "longest": (moment - since).total_seconds() if since else None,
        "queued": queued.filter(status=Status.QUEUED).count(),
    }


def counted_until() -> datetime | None:
    """The last word that is in the counts."""
    newest: datetime | None = Visit.objects.aggregate(newest=Max("last_at"))["newest"]
    return newest


TABLES = {
    "messages": messages, "conversations": conversations, "senders": senders, "times": times, "hours": busiest_hours,
    "failures": failures,
}  # fmt: skip


def bots_by_name(bots: QuerySet[Bot]) -> dict[str, int]:
    return dict(bots.order_by("name").values_list("name", "pk"))
