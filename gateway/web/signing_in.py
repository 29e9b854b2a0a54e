"""Passwords cannot be guessed at leisure: not from one address, and not of one name from many."""

from collections.abc import Callable
from functools import wraps
from typing import Any

from django.http import HttpRequest, HttpResponseBase
from django.shortcuts import render

from gateway import addresses, limits
from gateway.metrics import refused

View = Callable[..., HttpResponseBase]


def paced(view: View) -> View:
    """A page to sign in at. What is sent to it beyond LOGINS_PER_MINUTE gets 429 and is not looked at."""

    @wraps(view)
    def answer(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        if request.method != "POST":
            return view(request, *args, **kwargs)
        name = request.POST.get("username", "")
        wait = limits.current().wait_to_sign_in(addresses.of_request(request), name)
        return too_many(request, wait) if wait else view(request, *args, **kwargs)

    return answer


def too_many(request: HttpRequest, wait: float) -> HttpResponseBase:
    refused("login", "rate_limited")
    response = render(request, "429.html", status=429)
    response["Retry-After"] = limits.header(wait)
    return response
