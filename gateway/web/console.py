"""What all pages of the console have in common: who may come in, and the way from one to the other."""

from collections.abc import Callable
from functools import wraps
from typing import Any, NamedTuple, cast

from django.contrib.auth.models import User
from django.contrib.auth.views import redirect_to_login
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.cache import never_cache

from gateway.access import Rights, rights_of
from gateway.models import Role


class Page(NamedTuple):
    """An entry of the navigation. `name`: of its address; `icon`: in console_icons.svg; `role`: who is shown it."""

    name: str
    label: str
    icon: str
    role: Role


PAGES = [
    Page("console", "Conversations", "chats", Role.WATCH),
    Page("console-replies", "Replies", "replies", Role.WATCH),
    Page("console-dashboard", "Dashboard", "chart", Role.WATCH),
    Page("console-announcements", "Announce", "announce", Role.LEAD),
    Page("console-people", "People", "people", Role.ADMINISTER),
    Page("console-audit", "Audit log", "audit", Role.LEAD),
    Page("console-nodes", "Nodes", "nodes", Role.LEAD),
]


class ConsoleRequest(HttpRequest):
    """An operator's, as `for_operators` hands it on."""

    user: User
    rights: Rights


View = Callable[..., HttpResponseBase]


def for_operators(role: Role) -> Callable[[View], View]:
    """A page of the console, for active staff who have that role at some bot. The view gets a ConsoleRequest.

    Which bots' rows it shows is the view's to ask, of `request.rights`.
    """

    def around(view: View) -> View:
        @never_cache
        @wraps(view)
        def answer(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
            if not request.user.is_authenticated:
                return redirect_to_login(request.get_full_path(), "console-login")
            if not request.user.is_staff:
                raise PermissionDenied("You are signed in, but this account is not an operator's.")
            theirs = cast("ConsoleRequest", request)
            theirs.rights = rights_of(request.user)
            if not theirs.rights.anywhere(role):
                raise PermissionDenied(f"This page is for those who {role.label}. Your role is another one.")
            response = view(theirs, *args, **kwargs)
            response["X-Robots-Tag"] = "noindex, nofollow"
            return response

        return answer

    return around


def show(request: ConsoleRequest, template: str, **context: Any) -> HttpResponse:
    """Renders a template that extends `switchboard/console_base.html`."""
    return render(request, template, {**context, "pages": navigation(request), "rights": request.rights})


def navigation(request: ConsoleRequest) -> list[dict[str, Any]]:
    addresses = [(page, reverse(page.name)) for page in PAGES if request.rights.anywhere(page.role)]
    under = [address for _, address in addresses if request.path.startswith(address)]
    here = max(under, key=len, default="")
    return [{"page": page, "address": address, "here": address == here} for page, address in addresses]
