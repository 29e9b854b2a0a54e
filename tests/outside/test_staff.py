"""Signing in, and the end of it, by stock clients at the whole process, under both servers."""

import http.client
import http.cookiejar
import time
import urllib.parse
import urllib.request
from contextlib import ExitStack

import pytest

from tests.conftest import StartGateway
from tests.gateway_process import GatewayProcess
from tests.outside.clients import PASSWORD, Browser, FrameSocket, make_operators

pytestmark = pytest.mark.timeout(180)
NOT_ALLOWED = 4001
SOON = 5.0  # seconds
LOADED = 2.0  # what a machine that does something else as well may add


def status(gateway: GatewayProcess, session: str) -> int:
    """Of the console, for whoever shows that session."""
    connection = http.client.HTTPConnection("127.0.0.1", gateway.port, timeout=20)
    try:
        connection.request("GET", "/console/", headers={"Cookie": f"sessionid={session}"})
        return connection.getresponse().status
    finally:
        connection.close()


def session_of(browser: Browser) -> str:
    return next((cookie.value or "" for cookie in browser.jar if cookie.name == "sessionid"), "")


def plant(browser: Browser, session: str) -> None:
    """Somebody else has put it into this browser."""
    place = ("127.0.0.1", False, False, "/", True, False, None, True, None, None, {})
    domain, given, dotted, path, has_path, secure, expires, discard, comment, url, rest = place
    browser.jar.set_cookie(
        http.cookiejar.Cookie(
            0, "sessionid", session, None, False, domain, given, dotted, path, has_path, secure, expires, discard,
            comment, url, rest,
        )
    )  # fmt: skip


MAKE_SESSION = """
from django.contrib.sessions.backends.db import SessionStore
session = SessionStore(); session["seen"] = True; session.create(); print(session.session_key)
"""


@pytest.mark.parametrize("known", ["invented", "of nobody yet"])
def test_a_session_that_was_known_before_is_worth_nothing_after(
    start_gateway: StartGateway, server: str, known: str
) -> None:
    gateway = start_gateway(server=server)
    make_operators(gateway, "ann")
    planted = "a" * 32 if known == "invented" else gateway.manage("shell", "-v", "0", "-c", MAKE_SESSION).split()[-1]
    ann = Browser(gateway)
    plant(ann, planted)
    ann.sign_in("ann", PASSWORD)
    assert session_of(ann) not in ("", planted)
    assert status(gateway, session_of(ann)) == 200
    assert status(gateway, planted) == 302


REVOKED = {
    "deactivated": "user.is_active = False; user.save()",
    "no staff": "user.is_staff = False; user.save()",
    "password": "user.set_password('another one'); user.save()",
    "deleted": "user.delete()",
    "sessions": "Session.objects.filter(pk__in=[s.pk for s in Session.objects.all() if s.get_decoded()"
    ".get('_auth_user_id') == str(user.pk)]).delete()",
}
HEAD = "from django.contrib.auth.models import User\nfrom django.contrib.sessions.models import Session"


def sign_out(browser: Browser) -> None:
    token = next(cookie.value or "" for cookie in browser.jar if cookie.name == "csrftoken")
    data = urllib.parse.urlencode({"csrfmiddlewaretoken": token}).encode()
    asked = urllib.request.Request(f"{browser.gateway.url}/console/logout/", data, {"Origin": browser.gateway.url})
    with browser._opener.open(asked, timeout=10):
        pass


def test_a_revocation_ends_the_live_socket_within_seconds(
    start_gateway: StartGateway, server: str, backend: dict[str, str]
) -> None:
    gateway = start_gateway(backend, server=server)
    names = [*(way.replace(" ", "-") for way in REVOKED), "signs-out", "stays"]
    make_operators(gateway, *names)
    with ExitStack() as stack:
        browsers, sockets = {}, {}
        for name in names:
            browsers[name] = Browser(gateway)
            browsers[name].sign_in(name, PASSWORD)
            sockets[name] = stack.enter_context(FrameSocket(gateway, "/ws/chat/admin/", cookie=browsers[name].cookie))
            sockets[name].send("hello")
        ways = "\n".join(
            f"user = User.objects.get(username={way.replace(' ', '-')!r}); {statement}"
            for way, statement in REVOKED.items()
        )
        gateway.manage("shell", "-c", f"{HEAD}\n{ways}")
        sign_out(browsers["signs-out"])
        began = time.monotonic()
        assert {name: sockets[name].ended() for name in names[:-1]} == dict.fromkeys(names[:-1], NOT_ALLOWED)
        took = time.monotonic() - began
        print(f"{len(names) - 1} sockets ended {took:.1f} s after the last of them was revoked")
        assert took < SOON + LOADED
        sockets["stays"].send("watch", conversation="none")
        assert sockets["stays"].expect("error")
        assert status(gateway, session_of(browsers["signs-out"])) == 302
