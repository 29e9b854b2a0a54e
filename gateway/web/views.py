"""The pages, and the one file of the widget."""

import gzip
import hashlib
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple, cast

from django.conf import settings
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import render
from django.templatetags.static import static
from django.utils.cache import get_conditional_response
from django.views.decorators.http import require_safe

from gateway.models import Role
from gateway.web import bots
from gateway.web.console import ConsoleRequest, for_operators, show

WIDGET = Path(__file__).with_name("static") / "widget.js"
WIDGET_SECONDS = 300
DEFAULT_BOT = "bot"
ROBOTS = "User-agent: *\nDisallow: /admin/\nDisallow: /console/\n"


class Script(NamedTuple):
    body: bytes
    compressed: bytes
    etag: str


@lru_cache(maxsize=1)
def load_widget(changed: int) -> Script:
    """The file as it was at `changed` (nanoseconds), so that a new one is served without a restart."""
    body = WIDGET.read_bytes()
    return Script(body, gzip.compress(body, mtime=0), f'W/"{hashlib.sha256(body).hexdigest()[:20]}"')


@require_safe
def widget(request: HttpRequest) -> HttpResponseBase:
    """`/widget.js`: for pages of any origin; which of them may talk is the socket's question."""
    script = load_widget(WIDGET.stat().st_mtime_ns)
    response = HttpResponse(content_type="text/javascript; charset=utf-8")
    if "gzip" in request.headers.get("Accept-Encoding", ""):
        response.content = script.compressed
        response["Content-Encoding"] = "gzip"
    else:
        response.content = script.body
    response["ETag"] = script.etag
    response["Cache-Control"] = f"public, max-age={WIDGET_SECONDS}"
    response["Vary"] = "Accept-Encoding"
    answer = get_conditional_response(request, etag=script.etag, response=response) or response
    # A 304 is made anew, without these; and a module from another origin is refused where they are missing.
    answer["Access-Control-Allow-Origin"] = "*"
    answer["Cross-Origin-Resource-Policy"] = "cross-origin"
    return answer


@require_safe
def demo(request: HttpRequest) -> HttpResponse:
    """`/?bot=<name>` has the widget talk with that bot; a name that the map does not spell out is passed over."""
    names = bots.spelled_out()
    first = DEFAULT_BOT if DEFAULT_BOT in names or not names else names[0]
    asked = request.GET.get("bot", first)
    widget_url = f"{settings.PUBLIC_URL}/widget.js"
    chosen = asked if asked in names else first
    return render(request, "switchboard/demo.html", {"widget_url": widget_url, "bots": names, "bot": chosen})


@require_safe
@for_operators(Role.WATCH)
def console(request: HttpRequest) -> HttpResponse:
    return show(cast("ConsoleRequest", request), "switchboard/console.html")


@require_safe
def favicon(request: HttpRequest) -> HttpResponse:
    return HttpResponse(status=302, headers={"Location": static("favicon.svg")})


@require_safe
def robots(request: HttpRequest) -> HttpResponse:
    return HttpResponse(ROBOTS, content_type="text/plain")
