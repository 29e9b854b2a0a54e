"""The pages."""

import json
from typing import cast

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.templatetags.static import static
from django.views.decorators.http import require_safe

from gateway.models import Role
from gateway.web import bots, listing
from gateway.web.console import ConsoleRequest, for_operators, show
from gateway.web.frames import encode

DEFAULT_BOT = "bot"
STATES = [("waiting", "Waiting"), ("held", "Held"), ("bot", "Bot"), ("ended", "Ended")]
CHAT_OPTIONS = ("bot", "room", "name", "heading", "language", "theme")
ROBOTS = "User-agent: *\nDisallow: /admin/\nDisallow: /console/\n"


@require_safe
def demo(request: HttpRequest) -> HttpResponse:
    """`/?bot=<name>` has the widget talk with that bot; a name that the map does not spell out is passed over."""
    names = bots.spelled_out()
    first = DEFAULT_BOT if DEFAULT_BOT in names or not names else names[0]
    asked = request.GET.get("bot", first)
    chosen = asked if asked in names else first
    known = {"widget_url": f"{settings.PUBLIC_URL}/widget.js", "bots": names, "bot": chosen}
    return render(request, "switchboard/demo.html", known)


@require_safe
def chat(request: HttpRequest) -> HttpResponse:
    """`/chat/?bot=<name>&room=<name>&language=<code>`: the widget as a whole page, for links and web views."""
    given = {name: request.GET[name] for name in CHAT_OPTIONS if request.GET.get(name)}
    return render(request, "switchboard/chat.html", {"bot": DEFAULT_BOT, **given})


@require_safe
@for_operators(Role.WATCH)
def console(request: HttpRequest) -> HttpResponse:
    """The list's first page comes with it: what is there is seen before the socket is open."""
    theirs = cast("ConsoleRequest", request)
    rights, asked = theirs.rights, listing.asked(request.GET.dict())
    page = json.loads(encode(listing.page(rights, theirs.user, asked)))
    choices = listing.choices(rights)
    return show(theirs, "switchboard/console.html", asked=asked, page=page, states=STATES, **choices)


@require_safe
def favicon(request: HttpRequest) -> HttpResponse:
    return HttpResponse(status=302, headers={"Location": static("favicon.svg")})


@require_safe
def robots(request: HttpRequest) -> HttpResponse:
    return HttpResponse(ROBOTS, content_type="text/plain")
