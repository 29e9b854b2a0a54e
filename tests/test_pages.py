"""The pages and the two health answers, through Django's test client."""

import json
from html.parser import HTMLParser
from typing import Any

import pytest
from django.contrib import admin
from django.contrib.auth.models import User
from django.db import OperationalError
from django.test import Client

from gateway import engine
from gateway.errors import NotReady
from gateway.models import Bot, Contact, Conversation, Message, Node
from gateway.web import health, widget_files

PAGES = ["/", "/chat/", "/console/login/", "/nothing-here", "/console/"]


@pytest.fixture
def operator(client: Client, django_user_model: type[User]) -> Client:
    client.force_login(django_user_model.objects.create_user("ann", is_staff=True, first_name="Ann", last_name="Lee"))
    return client


@pytest.fixture
def superuser(client: Client, django_user_model: type[User]) -> Client:
    client.force_login(django_user_model.objects.create_superuser("root"))
    return client


# The pages


class Inline(HTMLParser):
    """Collects what a strict policy would refuse: scripts and styles inside the page, and handlers."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        names = {name for name, _ in attrs}
        if tag == "script" and ("type", "application/json") in attrs:
            return  # Data, which no browser runs.
        if tag == "style" or (tag == "script" and "src" not in names) or "style" in names:
            self.found.append(tag)
        self.found += [name for name in names if name.startswith("on")]


@pytest.mark.django_db
@pytest.mark.parametrize("path", PAGES)
def test_pages_have_nothing_inline_and_a_strict_policy(operator: Client, path: str) -> None:
    response = operator.get(path, follow=True)
    page = Inline()
    page.feed(response.content.decode())
    assert page.found == []
    assert "default-src 'self'" in response["Content-Security-Policy"]
    assert "unsafe" not in response["Content-Security-Policy"]


def test_the_demo_page_gives_the_tag_to_copy(client: Client, settings: Any) -> None:
    settings.PUBLIC_URL = "https://chat.example"
    page = client.get("/").content.decode()
    assert "&lt;script type=&quot;module&quot;" in page.replace('"', "&quot;")
    assert "https://chat.example/widget.js" in page
    assert '<script type="module" src="/widget.js" data-bot="bot">' in page


def test_the_console_asks_who_is_there(client: Client) -> None:
    response = client.get("/console/")
    assert response.status_code == 302
    assert response["Location"] == "/console/login/?next=/console/"
    assert b"Operators&#x27; console" in client.get("/console/login/").content.replace(b"'", b"&#x27;")


@pytest.mark.django_db
def test_an_operator_signs_in_and_out(client: Client, django_user_model: type[User]) -> None:
    django_user_model.objects.create_user("ann", password="secret-of-ann", is_staff=True)
    wrong = client.post("/console/login/", {"username": "ann", "password": "no"})
    assert b"do not match" in wrong.content
    right = client.post("/console/login/", {"username": "ann", "password": "secret-of-ann"})
    assert (right.status_code, right["Location"]) == (302, "/console/")
    page = client.get("/console/")
    assert b'data-operator="ann"' in page.content
    assert "no-store" in page["Cache-Control"]
    assert "noindex" in page["X-Robots-Tag"]
    assert client.get("/console/logout/").status_code == 405
    assert client.post("/console/logout/")["Location"] == "/console/login/"
    assert client.get("/console/").status_code == 302


@pytest.mark.django_db
def test_who_is_no_operator_is_told_so(client: Client, django_user_model: type[User]) -> None:
    client.force_login(django_user_model.objects.create_user("bob"))
    response = client.get("/console/")
    assert response.status_code == 403
    assert b"not an operator" in response.content
    assert b"Sign out" in response.content


@pytest.mark.django_db
def test_a_form_that_comes_from_elsewhere_gets_a_page_of_ours() -> None:
    response = Client(enforce_csrf_checks=True).post("/console/login/", {"username": "a", "password": "b"})
    assert response.status_code == 403
    assert b"Please try again" in response.content


def test_what_is_not_there_gets_a_page_of_ours(client: Client) -> None:
    response = client.get("/nothing-here")
    assert response.status_code == 404
    assert b"There is nothing here" in response.content


def test_a_fault_gets_a_page_of_ours(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: Any) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(widget_files, "load", fail)
    client.raise_request_exception = False
    response = client.get("/widget.js")
    assert response.status_code == 500
    assert b"Something went wrong" in response.content


def test_robots_stay_out_of_the_console(client: Client) -> None:
    assert b"Disallow: /console/" in client.get("/robots.txt").content
    assert b"noindex" in client.get("/console/login/").content
    assert client.get("/favicon.ico")["Location"] == "/static/favicon.svg"


# Health


class Running:
    stopping = False

    def __init__(self, wrong: dict[str, str]) -> None:
        self.wrong = wrong

    def health(self) -> dict[str, str]:
        return self.wrong

    def contact_ages(self) -> dict[str, float | None]:
        return {"telegram bot": 1.26}


def ready(client: Client) -> tuple[int, dict[str, Any]]:
    response = client.get("/readyz")
    assert "no-store" in response["Cache-Control"]
    return response.status_code, json.loads(response.content)


def test_alive_asks_no_database(client: Client) -> None:
    response = client.get("/healthz")
    assert (response.status_code, response.content) == (200, b"ok")


@pytest.mark.django_db
def test_ready_when_all_parts_are(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine, "current", lambda: Running({}))
    parts = {"database": "ok", "layer": "ok", "gateway": "ok"}
    assert ready(client) == (200, {"ready": True, "parts": parts, "contact": {"telegram bot": 1.3}})


@pytest.mark.django_db
def test_a_protocol_that_is_not_well_is_named(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    wrong = {"telegram:shop": "no contact for 70 s"}
    monkeypatch.setattr(engine, "current", lambda: Running(wrong))
    status, body = ready(client)
    assert (status, body["ready"]) == (503, False)
    assert body["parts"] == {"database": "ok", "layer": "ok", "gateway": "ok", **wrong}


@pytest.mark.django_db
def test_pages_alone_are_not_the_gateway(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    def current() -> None:
        raise NotReady

    monkeypatch.setattr(engine, "current", current)
    status, body = ready(client)
    assert status == 503
    assert "use manage.py serve" in body["parts"]["gateway"]


@pytest.mark.django_db
def test_a_database_that_is_away_is_said_without_its_secrets(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail() -> None:
        raise OperationalError("password of db.internal is wrong")

    monkeypatch.setattr(health.connection, "cursor", fail)
    status, body = ready(client)
    assert status == 503
    assert body["parts"]["database"] == "does not answer (OperationalError)"


def test_a_gateway_without_a_layer_is_ready(settings: Any) -> None:
    settings.CHANNEL_LAYERS = {}
    assert health.layer() == "ok"


# Django's administration


@pytest.fixture
def words() -> Message:
    bot = Bot.objects.create(name="shop")
    contact = Contact.objects.create(bot=bot, protocol="telegram", external_id="7", name="Mina Park")
    conversation = Conversation.objects.create(bot=bot, contact=contact, protocol="telegram", key="7", seq=1, rev=1)
    return Message.objects.create(
        conversation=conversation, bot=bot, direction="in", kind="message", sender="visitor", seq=1, rev=1,
        seen_rev=1, text="where is my parcel", method="message", status="done", payload={"text": "where…"},
    )  # fmt: skip


@pytest.mark.django_db
@pytest.mark.parametrize("model", [Bot, Contact, Conversation, Message, Node])
def test_the_administration_shows_every_model(superuser: Client, words: Message, model: Any) -> None:
    Node.objects.create(slot="main", place="here")
    name = model._meta.model_name
    assert superuser.get(f"/admin/gateway/{name}/").status_code == 200
    assert superuser.get(f"/admin/gateway/{name}/{model.objects.get().pk}/change/").status_code == 200


@pytest.mark.django_db
def test_words_are_found(superuser: Client, words: Message) -> None:
    uuid = str(words.conversation.uuid)
    assert uuid in superuser.get("/admin/gateway/conversation/", {"q": uuid}).content.decode()
    assert b"1 conversation" in superuser.get("/admin/gateway/conversation/", {"q": "Mina"}).content
    assert b"1 message" in superuser.get("/admin/gateway/message/", {"q": "parcel", "status": "done"}).content
    assert b"0 messages" in superuser.get("/admin/gateway/message/", {"q": "nobody wrote this"}).content


@pytest.mark.django_db
@pytest.mark.parametrize("model", [Contact, Conversation, Message, Node])
def test_the_administration_makes_and_deletes_no_words(rf: Any, superuser: Client, model: Any) -> None:
    name = model._meta.model_name
    assert superuser.get(f"/admin/gateway/{name}/add/").status_code == 403
    request = rf.get("/")
    request.user = User.objects.get(username="root")
    assert not admin.site.get_model_admin(model).has_delete_permission(request)


@pytest.mark.django_db
def test_a_message_cannot_be_changed(superuser: Client, words: Message) -> None:
    assert superuser.post(f"/admin/gateway/message/{words.pk}/change/", {"text": "other"}).status_code == 403
    words.refresh_from_db()
    assert words.text == "where is my parcel"


@pytest.mark.django_db
def test_a_person_is_linked_and_a_bot_gets_its_sites(superuser: Client, words: Message) -> None:
    user = User.objects.get(username="root")
    contact = Contact.objects.get()
    sent = superuser.post(f"/admin/gateway/contact/{contact.pk}/change/", {"user": user.pk, "name": "Other"})
    assert sent.status_code == 302
    contact.refresh_from_db()
    assert (contact.user, contact.name) == (user, "Mina Park")
    bot = Bot.objects.get()
    superuser.post(f"/admin/gateway/bot/{bot.pk}/change/", {"name": "x", "widget_origins": "https://a.example"})
    bot.refresh_from_db()
    assert (bot.name, bot.widget_origins) == ("shop", "https://a.example")
