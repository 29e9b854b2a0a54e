"""What every page and file says to browsers, and what nobody finds by asking oddly."""

import itertools
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client, override_settings
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gateway.models import Bot, Contact, Conversation, Message, Node
from gateway.redact import redact
from gateway.web import widget_files
from tests.conftest import EVERYTHING

pytestmark = pytest.mark.django_db(transaction=True)
OPEN = [
    "/", "/console/login/", "/admin/login/", "/healthz", "/readyz", "/robots.txt", "/favicon.ico", "/widget.js",
    "/chat/", "/static/switchboard.css", "/static/admin/css/base.css", "/static/admin/js/core.js", "/nothing-here",
]  # fmt: skip
INSIDE = [
    "/console/", "/admin/", "/admin/gateway/message/", "/admin/gateway/bot/add/", "/admin/auth/user/",
    "/admin/password_change/", "/admin/gateway/conversation/?q=x", "/admin/nothing-here/",
]  # fmt: skip


@pytest.fixture
def root(client: Client) -> Client:
    client.force_login(User.objects.create_superuser("root"))
    return client


def problems(response: Any) -> list[str]:
    headers = response.headers
    policy = headers.get("Content-Security-Policy", "")
    found = []
    if "default-src 'self'" not in policy or "frame-ancestors 'none'" not in policy or "unsafe" in policy:
        found.append(f"policy {policy!r}")
    for name, value in {"X-Content-Type-Options": "nosniff", "Referrer-Policy": "same-origin"}.items():
        if headers.get(name) != value:
            found.append(f"{name} {headers.get(name)!r}")
    if headers.get("X-Frame-Options") != "DENY":
        found.append("may be framed")
    if "Permissions-Policy" not in headers:
        found.append("no Permissions-Policy")
    return found


@pytest.mark.parametrize("path", OPEN)
def test_open_pages_and_files_have_their_headers(client: Client, path: str) -> None:
    assert problems(client.get(path)) == []


@pytest.mark.parametrize("path", INSIDE)
def test_pages_inside_have_their_headers(root: Client, path: str) -> None:
    response = root.get(path)
    assert problems(response) == []
    # Django lets the form that changes one's own password be kept: there is nothing in it.
    assert path == "/admin/password_change/" or response.status_code == 404 or "no-store" in response["Cache-Control"]


def test_refusals_and_faults_have_them_too(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    client.raise_request_exception = False
    refused = client.get("/", headers={"host": "evil.example"})
    assert (refused.status_code, problems(refused)) == (400, [])
    forged = Client(enforce_csrf_checks=True).post("/console/login/", {})
    assert (forged.status_code, problems(forged)) == (403, [])
    monkeypatch.setattr(widget_files, "load", lambda *_: 1 / 0)
    broken = client.get("/widget.js")
    assert (broken.status_code, problems(broken)) == (500, [])


def test_tls_is_told_wherever_the_public_address_has_it(client: Client) -> None:
    assert "Strict-Transport-Security" not in client.get("/")
    with override_settings(SECURE_HSTS_SECONDS=31_536_000):
        for path in OPEN:
            assert client.get(path)["Strict-Transport-Security"] == "max-age=31536000"


@pytest.mark.parametrize("name", ["X-Forwarded-Host", "X-Forwarded-Proto", "X-Forwarded-For", "X-Real-IP", "Forwarded"])
def test_no_proxys_header_is_believed_unasked(root: Client, name: str) -> None:
    value = {"X-Forwarded-Proto": "https"}.get(name, "evil.example")
    for path in ("/", "/console/", "/nothing-here"):
        response = root.get(path, headers={name.lower(): value})
        assert not response.wsgi_request.is_secure()
        assert response.wsgi_request.get_host() == "testserver"
        assert b"evil.example" not in response.content


def test_cookies_are_for_us_alone(client: Client) -> None:
    User.objects.create_user("ann", password="right and long", is_staff=True)
    client.post("/console/login/", {"username": "ann", "password": "right and long"})
    session = client.cookies["sessionid"]
    assert (session["samesite"], session["httponly"]) == ("Lax", True)
    with override_settings(SESSION_COOKIE_SECURE=True):
        client.post("/console/logout/")
        client.post("/console/login/", {"username": "ann", "password": "right and long"})
        assert client.cookies["sessionid"]["secure"] is True


def test_a_debug_page_shows_no_token(client: Client, settings: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    token, other = "12345678:canary_canary_canary_canary_abc", "token-of-no-usual-form"
    settings.DEBUG, settings.TELEGRAM_BOT_TOKEN = True, token
    settings.TELEGRAM_BOTS, settings.TELEGRAM_WEBHOOK_SECRET = {"shop": other}, "canary-secret-of-the-webhook"

    def fail(*_: Any) -> None:
        url = f"https://api.telegram.org/bot{token}/getMe"
        raise ValueError(url, other, settings.TELEGRAM_WEBHOOK_SECRET, settings.SECRET_KEY)

    monkeypatch.setattr(widget_files, "load", fail)
    client.raise_request_exception = False
    for accept in ("text/html", "text/plain"):
        response = client.get("/widget.js", headers={"accept": accept})
        page = response.content.decode()
        assert response.status_code == 500
        assert "api.telegram.org" in page
        for secret in (token, other, settings.TELEGRAM_WEBHOOK_SECRET, settings.SECRET_KEY):
            assert secret not in page


def test_what_is_redacted(settings: Any) -> None:
    settings.TELEGRAM_BOTS = {"shop": "no-usual/form"}
    visitors = "WyI0ZjEyMzQ1Njc4OTAiLCJib3QiXQ:1vMabc:" + "a" * 43
    line = (
        f"bot123456:AAAA_bbbb-CCCC-dddd-eeee and no-usual/form, no-usual%2Fform, {visitors}; sessionid=abc123; 12:30:45"
    )
    assert redact(line) == "bot<token> and <token>, <token>, <token>; sessionid=<token>; 12:30:45"


# Odd questions

NASTY = [
    "", " ", "0", "-1", "1.5", "9" * 400, "x" * 9_000, "'", '"', "';--", "1' OR '1'='1", "1; DROP TABLE user",
    "%", "_", "\\", "\x00", "\u202e", "é", "😀", "[]", "{}", "null", "None", "..", "../../etc/passwd", "{{7*7}}",
    "%(x)s", "{0.__class__}", "<script>", "a,b", "-", "--", "1.2.3", "-1.-2", "id__in", "2026-13-45", "0000-00-00",
    "\u0663", "1e309", "nan", "\r\nX: y", "\xed\xa0\x80",
]  # fmt: skip
MODELS: list[Any] = [Bot, Contact, Conversation, Message, Node]
NAMES = [
    "q", "o", "p", "all", "e", "_facets", "_to_field", "_popup", "protocol", "protocol__exact", "bot__id__exact", "bot",
    "bot__operators__password__startswith", "open__exact", "waiting__exact", "direction__exact", "status__exact",
    "status__regex", "kind__in", "pk", "id__gt", "uuid", "conversation__session__contains", "holder__password",
    "contact__user__password__startswith", "at__year", "user__password__regex", "bot__isnull", "payload", "'", "\x00",
    "x" * 500,
]  # fmt: skip


@pytest.mark.timeout(180)
def test_no_odd_filter_is_a_fault(root: Client) -> None:
    """Every parameter with every nasty value, at one list after the other; of these a part where time is short."""
    questions = zip(itertools.product(NAMES, NASTY), itertools.cycle(MODELS), strict=False)
    answers = {
        root.get(f"/admin/gateway/{model._meta.model_name}/", {name: value}).status_code
        for (name, value), model in itertools.islice(questions, None, None, 1 if EVERYTHING else 7)
    }
    assert answers <= {200, 302, 400}


@pytest.mark.parametrize("value", NASTY)
def test_no_odd_address_is_a_fault(root: Client, value: str) -> None:
    for path in ("/", "/console/", "/console/login/", "/widget.js"):
        assert root.get(path, {"bot": value, "next": value, "q": value}).status_code < 500
    for model in MODELS:
        assert root.get(f"/admin/gateway/{model._meta.model_name}/{value[:200]}/change/").status_code < 500


@pytest.mark.parametrize(
    "asked",
    [
        {},
        {"app_label": "gateway"},
        {"app_label": "nothing", "model_name": "bot", "field_name": "x"},
        {"app_label": "gateway", "model_name": "bot", "field_name": "x"},
        {"app_label": "gateway", "model_name": "bot", "field_name": "name"},
    ],
)
def test_an_odd_completion_leaves_no_traceback(
    root: Client, caplog: pytest.LogCaptureFixture, asked: dict[str, str]
) -> None:
    with caplog.at_level("INFO"):
        assert root.get("/admin/autocomplete/", asked).status_code == 400
    assert [record.getMessage() for record in caplog.records if record.exc_info and record.exc_info[2]] == []


def test_a_completion_without_rights_is_forbidden(client: Client) -> None:
    client.force_login(User.objects.create_user("ann", is_staff=True))
    asked = {"app_label": "gateway", "model_name": "conversation", "field_name": "holder"}
    assert client.get("/admin/autocomplete/", asked).status_code == 403


def test_a_password_cannot_be_asked_for_letter_by_letter(root: Client) -> None:
    for lookup in ("contact__user__password__startswith", "holder__password__startswith", "user__password__regex"):
        for model in (Contact, Conversation, Message):
            assert root.get(f"/admin/gateway/{model._meta.model_name}/", {lookup: "pbkdf2"}).status_code in (302, 400)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(model=st.sampled_from(MODELS), asked=st.dictionaries(st.sampled_from(NAMES) | st.text(), st.text(), max_size=4))
def test_no_question_at_random_is_a_fault(root: Client, model: Any, asked: dict[str, str]) -> None:
    encoded = {name.encode("utf-8", "replace"): value.encode("utf-8", "replace") for name, value in asked.items()}
    assert root.get(f"/admin/gateway/{model._meta.model_name}/", encoded).status_code in (200, 302, 400)


@pytest.mark.parametrize(
    "next_page", ["https://evil.example/", "//evil.example", "javascript:alert(1)", "/\\evil.example"]
)
@pytest.mark.parametrize("path", ["/console/login/", "/admin/login/"])
def test_signing_in_leads_to_nobody_elses_page(client: Client, path: str, next_page: str) -> None:
    User.objects.create_superuser("ann", password="right and long")
    sent = client.post(f"{path}?next=x", {"username": "ann", "password": "right and long", "next": next_page})
    assert sent.status_code == 302
    assert sent["Location"].startswith(("/console/", "/admin/"))
