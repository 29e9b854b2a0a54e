"""`/console/audit/`: what operators did, newest first."""

from typing import Any, cast
from uuid import UUID

from django import forms
from django.db.models import Q, QuerySet
from django.http import HttpRequest, HttpResponse
from django.views.decorators.http import require_safe

from gateway.access import Rights
from gateway.models import Audit, Bot, Role
from gateway.web.console import ConsoleRequest, for_operators, show

PAGE = 50


class Filter(forms.Form):
    """Every field may be left out; one that makes no sense is told and passed over."""

    who = forms.CharField(required=False, max_length=150, label="Operator")
    action = forms.CharField(required=False, max_length=32, label="Action")
    bot = forms.CharField(required=False, max_length=64, label="Bot")
    conversation = forms.UUIDField(required=False, label="Conversation")
    before = forms.IntegerField(required=False, min_value=1, max_value=2**63 - 1, widget=forms.HiddenInput)


@require_safe
@for_operators(Role.LEAD)
def audit_page(request: HttpRequest) -> HttpResponse:
    theirs = cast("ConsoleRequest", request)
    form = Filter(request.GET or None)
    form.is_valid()
    wanted: dict[str, Any] = getattr(form, "cleaned_data", {})
    rows = list(found(theirs.rights, wanted)[: PAGE + 1])
    bots = dict(Bot.objects.filter(pk__in={row.bot_id for row in rows if row.bot_id}).values_list("pk", "name"))
    entries = [{"row": row, "bot": bots.get(row.bot_id or 0, "")} for row in rows[:PAGE]]
    return show(
        theirs, "switchboard/audit.html", form=form, entries=entries, older=older(request, rows), actions=actions()
    )


def found(rights: Rights, wanted: dict[str, Any]) -> QuerySet[Audit]:
    """What is of no bot (a sign of the whole gateway) is for those who lead in general."""
    seen = rights.where(Role.LEAD) & Q(bot__isnull=False)
    rows = Audit.objects.filter(seen | Q(bot=None) if rights.general >= Role.LEAD else seen)
    if wanted.get("who"):
        rows = rows.filter(who=wanted["who"])
    if wanted.get("action"):
        rows = rows.filter(action=wanted["action"])
    if wanted.get("bot"):
        rows = rows.filter(bot__in=Bot.objects.filter(name=wanted["bot"]))
    if isinstance(wanted.get("conversation"), UUID):
        rows = rows.filter(conversation=wanted["conversation"])
    if wanted.get("before"):
        rows = rows.filter(pk__lt=wanted["before"])
    return rows.order_by("-pk")


def older(request: HttpRequest, rows: list[Audit]) -> str:
    """The address of the next page, or "" where this is the last."""
    if len(rows) <= PAGE:
        return ""
    query = request.GET.copy()
    query["before"] = str(rows[PAGE - 1].pk)
    return f"?{query.urlencode()}"


def actions() -> list[str]:
    return list(Audit.objects.order_by("action").values_list("action", flat=True).distinct()[:100])
