"""`/console/people/`: everything that is kept of one person, to be exported or erased. For those who administer."""

import json
from typing import Any, cast
from uuid import UUID

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.db.models import Count, Q, QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.utils import timezone
from django.views.decorators.http import require_POST, require_safe

from gateway import audit, erasing, people
from gateway.erasure import Erasure
from gateway.models import Bot, Contact, Conversation, Message, Role
from gateway.web import speakers
from gateway.web.console import ConsoleRequest, for_operators, show
from gateway.web.tables import download

LISTED = 50
LONGEST_SOUGHT = 100


@require_safe
@for_operators(Role.ADMINISTER)
def found(request: HttpRequest) -> HttpResponse:
    theirs = cast("ConsoleRequest", request)
    sought = request.GET.get("q", "").replace("\0", "").encode("utf-8", "replace").decode()[:LONGEST_SOUGHT].strip()
    entries = _seen(theirs).filter(_named(sought)).annotate(places=Count("conversation"))[:LISTED] if sought else []
    bots = Bot.objects.filter(theirs.rights.where(Role.ADMINISTER, "pk")).order_by("name")
    more: dict[str, Any] = {"waiting": Erasure.objects.filter(done_at=None).count()}
    if sought:
        more["speakers"] = speakers.find(theirs.rights.where(Role.ADMINISTER), sought)[:LISTED]
    return show(theirs, "switchboard/people.html", sought=sought, entries=entries, bots=bots, **more)


def _named(sought: str) -> Q:
    return Q(name__icontains=sought) | Q(username__iexact=sought.removeprefix("@")) | Q(external_id=sought[:64])


def _seen(request: ConsoleRequest) -> QuerySet[Contact]:
    return Contact.objects.filter(request.rights.where(Role.ADMINISTER)).select_related("bot").order_by("name", "pk")


@require_safe
@for_operators(Role.ADMINISTER)
def of_conversation(request: HttpRequest, uuid: UUID) -> HttpResponse:
    """From a conversation to its person."""
    places = Conversation.objects.filter(cast("ConsoleRequest", request).rights.where(Role.ADMINISTER))
    place = get_object_or_404(places.filter(contact__isnull=False), uuid=uuid)
    return redirect("console-person", place.contact_id)


@require_POST
@for_operators(Role.ADMINISTER)
def speaker(request: HttpRequest, pk: str) -> HttpResponse:
    """From who spoke in a room to their page. They become a contact, like those who talk alone with the bot."""
    bot = get_object_or_404(Bot, cast("ConsoleRequest", request).rights.where(Role.ADMINISTER, "pk"), pk=int(pk))
    try:
        contact = speakers.contact_of(bot, str(UUID(request.POST.get("id", ""))))
    except ValueError:
        contact = None
    if contact is None:
        raise Http404
    return redirect("console-person", contact.pk)


@require_safe
@for_operators(Role.ADMINISTER)
def person(request: HttpRequest, pk: str) -> HttpResponse:
    theirs = cast("ConsoleRequest", request)
    contact, contacts = _person(theirs, pk)
    places = people.conversations_of(one.pk for one in contacts)
    entries = places.select_related("bot").annotate(rows=Count("messages"))
    rows = Message.objects.filter(conversation__in=places).count()
    return show(theirs, "switchboard/person.html", contact=contact, contacts=contacts, entries=entries, rows=rows)


@require_POST
@for_operators(Role.ADMINISTER)
def export(request: HttpRequest, pk: str) -> HttpResponse:
    theirs = cast("ConsoleRequest", request)
    contact, contacts = _person(theirs, pk)
    audit.record(theirs.user, "export-person", bot=contact.bot, detail={"contacts": len(contacts)})
    kept = people.export(people.same_person(contact))
    text = json.dumps({"exported": timezone.now().isoformat(), **kept}, ensure_ascii=False, indent=2)
    return download(text, "application/json", f"person-{contact.pk}.json")


@require_POST
@for_operators(Role.ADMINISTER)
def erase(request: HttpRequest, pk: str) -> HttpResponse:
    """The person's address is to be retyped: whoever erases has looked at who goes."""
    theirs = cast("ConsoleRequest", request)
    contact, contacts = _person(theirs, pk)
    number = request.POST.get("number", "").strip()
    if number != f"{contact.protocol}:{contact.external_id}":
        messages.error(request, f"Nothing was erased: type {contact.protocol}:{contact.external_id} to confirm.")
        return redirect("console-person", contact.pk)
    erasing.ask(contact, theirs.user.get_username())
    audit.record(theirs.user, "erase-person", bot=contact.bot, detail={"contacts": len(contacts)})
    messages.success(request, "The person is being erased everywhere. It takes seconds.")
    return redirect("console-people")


@require_POST
@for_operators(Role.ADMINISTER)
def keep(request: HttpRequest, pk: str) -> HttpResponse:
    """For how many days a bot's words are kept; nothing: for ever."""
    theirs = cast("ConsoleRequest", request)
    bot = get_object_or_404(Bot, theirs.rights.where(Role.ADMINISTER, "pk"), pk=int(pk))
    given = request.POST.get("days", "").strip()
    if given and not (given.isascii() and given.isdecimal() and 0 < int(given[:9]) <= 36_500 and len(given) < 9):
        messages.error(request, "Nothing was changed: a number of days from 1 to 36500, or nothing.")
        return redirect("console-people")
    bot.retention_days = int(given) if given else None
    bot.save(update_fields=["retention_days"])
    audit.record(theirs.user, "retention", bot=bot, detail={"days": bot.retention_days or "for ever"})
    messages.success(request, f"{bot.name}: words are kept {f'for {given} days' if given else 'for ever'}.")
    return redirect("console-people")


def _person(request: ConsoleRequest, pk: str) -> tuple[Contact, list[Contact]]:
    """Everywhere means with every bot, so it takes the right at every one of them."""
    contact: Any = get_object_or_404(_seen(request), pk=int(pk))
    contacts = list(people.same_person(contact).select_related("bot"))
    if not all(request.rights.may(Role.ADMINISTER, one.bot_id) for one in contacts):
        raise PermissionDenied("This person also writes to bots that you do not administer.")
    return contact, contacts
