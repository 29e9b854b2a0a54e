"""`/console/replies/`: answers that are ready to be used. Everybody reads them; who leads changes them."""

from typing import TYPE_CHECKING, Any, cast

from django import forms
from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.db.models import Q, QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from gateway import audit
from gateway.access import Rights
from gateway.models import Bot, Reply, Role
from gateway.web.console import ConsoleRequest, for_operators, show

# The stubs give the class a parameter that it does not have at run time.
if TYPE_CHECKING:
    ModelForm = forms.ModelForm[Reply]
else:
    ModelForm = forms.ModelForm


class ReplyForm(ModelForm):
    class Meta:
        model = Reply
        fields = ("shortcut", "bot", "text")

    def __init__(self, *args: Any, rights: Rights, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        bot = cast("forms.ModelChoiceField[Bot]", self.fields["bot"])
        bot.queryset = Bot.objects.filter(rights.where(Role.LEAD, "pk")).order_by("name")
        bot.empty_label = "all bots" if rights.general >= Role.LEAD else "choose one"
        bot.required = rights.general < Role.LEAD


def usable(rights: Rights) -> QuerySet[Reply]:
    return Reply.objects.filter(Q(bot=None) | rights.where(Role.WATCH)).select_related("bot")


def may_change(rights: Rights, reply: Reply) -> bool:
    return rights.general >= Role.LEAD if reply.bot_id is None else rights.may(Role.LEAD, reply.bot_id)


@require_safe
@for_operators(Role.WATCH)
def replies(request: HttpRequest) -> HttpResponse:
    theirs = cast("ConsoleRequest", request)
    sought = request.GET.get("q", "").replace("\0", "")[:100]
    rows = usable(theirs.rights)
    if sought:
        rows = rows.filter(Q(shortcut__icontains=sought) | Q(text__icontains=sought))
    entries = [{"reply": reply, "changeable": may_change(theirs.rights, reply)} for reply in rows[:500]]
    leads = theirs.rights.anywhere(Role.LEAD)
    return show(theirs, "switchboard/replies.html", entries=entries, sought=sought, leads=leads)


@require_http_methods(["GET", "HEAD", "POST"])
@for_operators(Role.LEAD)
def reply(request: HttpRequest, pk: int | None = None) -> HttpResponse:
    """The form of one reply, or of a new one."""
    theirs = cast("ConsoleRequest", request)
    known = _theirs_to_change(theirs, pk) if pk is not None else None
    form = ReplyForm(request.POST or None, instance=known, rights=theirs.rights)
    if request.method == "POST" and form.is_valid():
        saved = form.save()
        audit.record(theirs.user, "reply-change" if known else "reply-new", bot=saved.bot, detail={"reply": saved.pk})
        messages.success(request, f"“/{saved.shortcut}” is saved.")
        return redirect("console-replies")
    return show(theirs, "switchboard/reply.html", form=form, reply=known)


@require_POST
@for_operators(Role.LEAD)
def delete_reply(request: HttpRequest, pk: int) -> HttpResponse:
    theirs = cast("ConsoleRequest", request)
    known = _theirs_to_change(theirs, pk)
    audit.record(theirs.user, "reply-delete", bot=known.bot, detail={"reply": known.pk})
    known.delete()
    messages.success(request, f"“/{known.shortcut}” is deleted.")
    return redirect("console-replies")


def _theirs_to_change(request: ConsoleRequest, pk: int) -> Reply:
    known = get_object_or_404(usable(request.rights), pk=pk)
    if not may_change(request.rights, known):
        raise PermissionDenied("This reply is for those who lead its bot to change.")
    return known
