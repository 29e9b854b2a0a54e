"""Which pages may open a socket."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.models import Bot
from gateway.web import origins


@pytest.mark.parametrize(
    ("text", "origin"),
    [
        ("https://shop.example", "https://shop.example"),
        ("HTTPS://Shop.Example", "https://shop.example"),
        ("https://shop.example:443", "https://shop.example"),
        ("http://shop.example:80/", "http://shop.example"),
        ("http://shop.example:443", "http://shop.example:443"),
        ("https://shop.example:8443", "https://shop.example:8443"),
        ("http://[::1]:8000", "http://[::1]:8000"),
        ("https://bücher.example", "https://xn--bcher-kva.example"),
        (" https://shop.example ", "https://shop.example"),
        ("null", None),
        ("", None),
        ("*", None),
        ("https://*.shop.example", None),
        ("shop.example", None),
        ("https://", None),
        ("https://shop.example/page", None),
        ("https://shop.example?a", None),
        ("https://me@shop.example", None),
        ("https://shop.example:port", None),
        ("https://shop.example:99999", None),
        ("https://[::1", None),
    ],
)
def test_what_an_origin_is(text: str, origin: str | None) -> None:
    assert origins.normalise(text) == origin


@given(st.text())
def test_any_text_is_an_origin_or_none(text: str) -> None:
    found = origins.normalise(text)
    assert found is None or origins.normalise(found) == found


def header(*values: str) -> dict[str, Any]:
    return {"headers": [(b"host", b"x"), *((b"origin", value.encode()) for value in values)]}


def test_the_browsers_word() -> None:
    assert origins.of(header("https://Shop.example")) == "https://shop.example"
    assert origins.of(header()) is None
    assert origins.of(header("null")) is None
    assert origins.of(header("https://a.example", "https://b.example")) is None
    assert origins.as_sent(header()) == "none at all"
    assert origins.as_sent(header("evil\nline")) == "'evil\\nline'"


@pytest.mark.parametrize(
    ("public_url", "origin", "is_ours"),
    [
        ("http://127.0.0.1:8000", "http://127.0.0.1:8000", True),
        ("http://127.0.0.1:8000", "http://localhost:8000", True),
        ("http://127.0.0.1:8000", "http://[::1]:8000", True),
        ("http://localhost:8000", "http://127.0.0.1:8000", True),
        ("http://0.0.0.0:8000", "http://localhost:8000", True),
        ("http://127.0.0.1:8000", "http://127.0.0.1:8001", False),
        ("http://127.0.0.1:8000", "https://127.0.0.1:8000", False),
        ("http://127.0.0.1:8000", "http://127.0.0.1", False),
        ("https://chat.example/under", "https://chat.example", True),
        ("https://chat.example", "https://chat.example:443", True),
        ("https://chat.example", "http://chat.example", False),
        ("https://chat.example", "http://localhost", False),
        ("https://chat.example", "https://chat.example.evil.example", False),
        ("https://chat.example", "https://evilchat.example", False),
        ("https://chat.example", "https://www.chat.example", False),
    ],
)
def test_our_own_origin(settings: Any, public_url: str, origin: str, is_ours: bool) -> None:
    settings.PUBLIC_URL = public_url
    assert (origins.normalise(origin) in origins.own()) is is_ours


OWN, SHOP, CLUB, EVIL = "https://chat.example", "https://shop.example", "https://club.example", "https://evil.example"


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("origin", "on_any", "with_bot", "with_club"),
    [(OWN, True, True, True), (SHOP, True, True, False), (CLUB, True, False, True), (EVIL, False, False, False)],
)
def test_a_bots_own_list_replaces_the_setting(
    settings: Any, origin: str, on_any: bool, with_bot: bool, with_club: bool
) -> None:
    settings.PUBLIC_URL, settings.WIDGET_ORIGINS = OWN, [SHOP + "/", "nonsense"]
    Bot.objects.create(name="bot")
    Bot.objects.create(name="club", widget_origins=f"\n{CLUB}:443\r\nhttps://other.example\n")
    assert (origins.is_static(origin) or origins.on_any_list(origin)) is on_any
    assert origins.on_list_of(origin, "bot") is with_bot
    assert origins.on_list_of(origin, "club") is with_club


def test_mistakes_are_found() -> None:
    assert origins.mistaken(["https://shop.example", "*", " ", "shop.example"]) == ["*", "shop.example"]
