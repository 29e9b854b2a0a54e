"""`/console/dashboard/`: how much, how fast, when, and what failed; each with a picture, its table and a CSV file."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any, cast

from django import forms
from django.db.models import Avg, Count
from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from django.views.decorators.http import require_safe

from gateway import dashboard
from gateway.dashboard import Asked, Table
from gateway.models import Bot, Role
from gateway.protocols import find_protocols
from gateway.web import charts
from gateway.web.announcements import spoken
from gateway.web.charts import Chart
from gateway.web.console import ConsoleRequest, for_operators, show
from gateway.web.models import Rating
from gateway.web.tables import csv_text, download

PERIODS = {"1": "today", "7": "7 days", "30": "30 days", "90": "90 days", "365": "a year"}
USUAL = "30"
COMMENTS = 8


class Filter(forms.Form):
    """Every field may be left out; one that makes no sense is told and passed over."""

    bot = forms.ChoiceField(required=False)
    protocol = forms.ChoiceField(required=False)
    period = forms.ChoiceField(required=False, choices=list(PERIODS.items()), initial=USUAL, label="Period")

    def __init__(self, *args: Any, bots: dict[str, int], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.bots = bots
        protocols = sorted(protocol.scope_type for protocol in find_protocols())
        for name, choices in (("bot", bots), ("protocol", protocols)):
            field = cast("forms.ChoiceField", self.fields[name])
            field.choices = [("", "all"), *((choice, choice) for choice in choices)]

    def asked(self) -> Asked:
        self.is_valid()
        given: dict[str, str] = getattr(self, "cleaned_data", {})
        today, bot = timezone.now().date(), given.get("bot")
        days = int(given.get("period") or USUAL)
        bots = (self.bots[bot],) if bot else tuple(self.bots.values())
        return Asked(bots, given.get("protocol") or "", today - timedelta(days=days - 1), today)


def ratings(asked: Asked) -> Table:
    rows = _ratings(asked).order_by().values_list("score").annotate(Count("pk"))
    counts = dict(rows)
    return Table("ratings", "Ratings", ("score", "ratings"), [(n, counts.get(n, 0)) for n in range(1, 6)])


def _ratings(asked: Asked) -> Any:
    found = Rating.objects.filter(bot__in=asked.bots, at__gte=asked.since, at__lt=asked.until)
    return found.filter(conversation__protocol=asked.protocol) if asked.protocol else found


TABLES: dict[str, Callable[[Asked], Table]] = {**dashboard.TABLES, "ratings": ratings}
CHARTS: dict[str, Callable[[Table], Chart]] = {
    "messages": charts.stacked, "conversations": charts.stacked, "senders": charts.ranked, "times": charts.shares,
    "hours": charts.heat, "failures": charts.ranked, "ratings": charts.stacked,
}  # fmt: skip


@require_safe
@for_operators(Role.WATCH)
def page(request: HttpRequest) -> HttpResponse:
    theirs = cast("ConsoleRequest", request)
    form = _filter(theirs)
    asked = form.asked()
    tables = [make(asked) for make in TABLES.values()]
    parts = [{"table": table, "chart": CHARTS[table.name](table), "empty": _is_empty(table)} for table in tables]
    rated = _ratings(asked)
    now = dashboard.now(asked.bots, asked.protocol, timezone.now())
    return show(
        theirs,
        "switchboard/dashboard.html",
        form=form,
        parts=parts,
        now=now,
        longest="–" if now["longest"] is None else spoken(now["longest"]),
        average=rated.aggregate(average=Avg("score"))["average"],
        comments=rated.exclude(text="").select_related("conversation", "bot").order_by("-pk")[:COMMENTS],
        until=dashboard.counted_until(),
        query=_query(request),
    )


@require_safe
@for_operators(Role.WATCH)
def csv_file(request: HttpRequest, name: str) -> HttpResponse:
    """One table; `name` comes from an allow-list, see urls.py."""
    asked = _filter(cast("ConsoleRequest", request)).asked()
    table = TABLES[name](asked)
    file = f"{name}-{asked.first}-{asked.last}.csv"
    return download(csv_text(table.columns, table.rows), "text/csv", file)


def _filter(request: ConsoleRequest) -> Filter:
    seen = Bot.objects.filter(request.rights.where(Role.WATCH, "pk"))
    return Filter(request.GET or None, bots=dashboard.bots_by_name(seen))


def _is_empty(table: Table) -> bool:
    return not any(charts.number(cell) for row in table.rows for cell in row[1:])


def _query(request: HttpRequest) -> str:
    """The filter, for the addresses of the files."""
    query = request.GET.copy()
    for name in set(query) - set(Filter.base_fields):
        del query[name]
    return query.urlencode()
