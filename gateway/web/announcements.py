"""`/console/announcements/`: one text to many. A draft is counted, confirmed with its number, then watched."""

from datetime import timedelta
from typing import Any, cast

from django import forms
from django.contrib import messages
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import redirect
from django.utils import timezone
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from gateway import announcing, audit
from gateway.access import Rights
from gateway.audience import Audience
from gateway.models import Announcement, AnnouncementState, Bot, Contact, Role, Tag
from gateway.protocols import find_protocols
from gateway.web.console import ConsoleRequest, for_operators, show

LISTED = 100
LONGEST_TEXT = 4096
MOST_LANGUAGES = 200
HOURS = {"1": "the last hour", "24": "the last day", "168": "the last 7 days", "720": "the last 30 days"}
EVER = ""
NEW, FINAL = AnnouncementState.DRAFT, (AnnouncementState.DONE, AnnouncementState.CANCELLED)


class AnnouncementForm(forms.Form):
    text = forms.CharField(max_length=LONGEST_TEXT, widget=forms.Textarea(attrs={"rows": 5, "dir": "auto"}))
    bot = forms.ModelChoiceField(Bot.objects.none(), required=False, empty_label="every bot that I lead")
    protocol = forms.ChoiceField(required=False)
    language = forms.ChoiceField(required=False)
    tag = forms.ModelChoiceField(Tag.objects.all(), required=False, empty_label="any or none", to_field_name="name")
    since = forms.ChoiceField(required=False, choices=[*HOURS.items(), (EVER, "any time")], initial="720")

    def __init__(self, *args: Any, rights: Rights, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.led = Bot.objects.filter(rights.where(Role.LEAD, "pk")).order_by("name")
        self._field("bot").queryset = self.led
        names = sorted(protocol.scope_type for protocol in find_protocols())
        self._field("protocol").choices = [("", "every one"), *((name, name) for name in names)]
        self._field("language").choices = [("", "any"), *((name, name) for name in languages(self.led))]

    def _field(self, name: str) -> Any:
        return self.fields[name]

    def clean(self) -> dict[str, Any] | None:
        cleaned = super().clean()
        if not self.errors and (why := announcing.refusal(self.cleaned_data["text"], self.audience())):
            self.add_error("text", why)
        return cleaned

    def audience(self) -> Audience:
        given = self.cleaned_data
        bots = [given["bot"]] if given["bot"] else list(self.led)
        since = timezone.now() - timedelta(hours=int(given["since"])) if given["since"] else None
        tag = given["tag"].name if given["tag"] else ""
        return Audience(tuple(bot.pk for bot in bots), given["protocol"], given["language"], tag, since)


def languages(bots: QuerySet[Bot]) -> list[str]:
    spoken = Contact.objects.filter(bot__in=bots).exclude(language="").order_by("language")
    return list(spoken.values_list("language", flat=True).distinct()[:MOST_LANGUAGES])


@require_safe
@for_operators(Role.LEAD)
def announcements(request: HttpRequest) -> HttpResponse:
    theirs, now = cast("ConsoleRequest", request), timezone.now()
    rows = Announcement.objects.select_related("author")[:LISTED]
    shown = [row for row in rows if is_theirs(row, theirs.rights)]
    entries = [{"row": row, "report": announcing.report(row, now), **described(row)} for row in shown]
    return show(theirs, "switchboard/announcements.html", entries=entries)


@require_http_methods(["GET", "HEAD", "POST"])
@for_operators(Role.LEAD)
def new_announcement(request: HttpRequest) -> HttpResponse:
    theirs = cast("ConsoleRequest", request)
    form = AnnouncementForm(request.POST or None, rights=theirs.rights)
    if request.method == "POST" and form.is_valid():
        row = announcing.draft(form.cleaned_data["text"], form.audience(), theirs.user)
        return redirect("console-announcement", row.pk)
    return show(theirs, "switchboard/announcement_new.html", form=form)


@require_safe
@for_operators(Role.LEAD)
def announcement(request: HttpRequest, pk: str) -> HttpResponse:
    theirs = cast("ConsoleRequest", request)
    row = found(theirs, pk)
    report = announcing.report(row, timezone.now())
    return show(theirs, "switchboard/announcement.html", row=row, report=report, **described(row), **said(row, report))


@require_safe
@for_operators(Role.LEAD)
def progress(request: HttpRequest, pk: str) -> JsonResponse:
    """What the page shows of a running one: its state, and texts by the names of their places in the page."""
    row = found(cast("ConsoleRequest", request), pk)
    report = announcing.report(row, timezone.now())
    counts = {name: getattr(report, name) for name in ("sent", "failed", "unknown", "dropped", "queued", "held")}
    return JsonResponse({"state": row.state, "percent": report.percent, "texts": {**counts, **said(row, report)}})


@require_POST
@for_operators(Role.LEAD)
def act(request: HttpRequest, pk: str, action: str) -> HttpResponse:
    theirs = cast("ConsoleRequest", request)
    row = found(theirs, pk)
    if action == "discard":
        Announcement.objects.filter(pk=row.pk, state=NEW).delete()
        return redirect("console-announcements")
    if action == "confirm" and request.POST.get("number", "").strip() != str(row.counted):
        messages.error(request, f"That is not the number: it goes to {row.counted}. Type it to confirm.")
    elif (
        announcing.confirm(row) if action == "confirm" else announcing.turn(action, row.pk, theirs.user.get_username())
    ):
        note(theirs, row, action)
    else:
        messages.warning(request, f"It is {row.get_state_display()} by now: nothing was changed.")
    return redirect("console-announcement", row.pk)


def note(request: ConsoleRequest, row: Announcement, action: str) -> None:
    bots = row.audience["bots"]
    bot = Bot.objects.filter(pk=bots[0]).first() if len(bots) == 1 else None
    name = "announce" if action == "confirm" else f"announce-{action}"
    audit.record(request.user, name, bot=bot, detail={"announcement": row.pk, "counted": row.counted})


def found(request: ConsoleRequest, pk: str) -> Announcement:
    row = Announcement.objects.select_related("author").filter(pk=pk).first()
    if row is None or not is_theirs(row, request.rights):
        raise Http404("There is no such announcement.")
    return row


def is_theirs(row: Announcement, rights: Rights) -> bool:
    """Whoever leads all of its bots."""
    return all(rights.may(Role.LEAD, bot) for bot in row.audience["bots"])


def described(row: Announcement) -> dict[str, str]:
    """Its audience in words."""
    stored = row.audience
    bots = Bot.objects.filter(pk__in=stored["bots"]).order_by("name").values_list("name", flat=True)
    parts = ["all bots" if len(bots) == Bot.objects.count() else ", ".join(bots) or "no bot"]
    parts += [stored[name] for name in ("protocol", "language") if stored.get(name)]
    parts += [f"tagged {stored['tag']}"] if stored.get("tag") else []
    parts += [f"a word since {stored['since'][:16].replace('T', ' ')} UTC"] if stored.get("since") else []
    return {"audience": " · ".join(parts)}


def said(row: Announcement, report: announcing.Report) -> dict[str, str]:
    """How far it is and how fast, in words."""
    far = f"{report.settled:,} of {report.total:,}"
    if row.state != AnnouncementState.RUNNING:
        return {"far": far, "pace": ""}
    pace = f"{report.a_second:.1f} a second"
    if report.seconds_left is not None:
        pace += f", about {spoken(report.seconds_left)} left"
    return {"far": far, "pace": pace}


def spoken(seconds: float) -> str:
    if seconds < 90:
        return f"{max(round(seconds), 1)} s"
    return f"{round(seconds / 60)} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"
