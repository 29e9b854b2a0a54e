"""Settings that would let somebody in are told, with the name of the setting, and without any secret."""

from typing import Any

import pytest
from django.core.checks import run_checks

TOKEN = "12345678:canary_canary_canary_canary_abc"
SOUND = {
    "PUBLIC_URL": "https://chat.example", "ALLOWED_HOSTS": ["chat.example"], "DEBUG": False, "RATE_LIMITS": True,
    "SECRET_KEY": "k" * 20 + "0123456789-abcdefghijklmnopqrstuv", "TELEGRAM_BOT_TOKEN": TOKEN,
    "TRUSTED_PROXIES": ["10.0.0.1"], "WIDGET_ORIGINS": ["https://shop.example"],
    "TELEGRAM_WEBHOOK_URL": "https://chat.example", "SESSION_COOKIE_SECURE": True, "CSRF_COOKIE_SECURE": True,
    "SECURE_HSTS_SECONDS": 31_536_000,
}  # fmt: skip


@pytest.fixture(autouse=True)
def sound(settings: Any) -> Any:
    for name, value in SOUND.items():
        setattr(settings, name, value)
    return settings


def told() -> list[str]:
    """What is said of the settings; each with its hint."""
    found = [message for message in run_checks(include_deployment_checks=True) if not message.is_silenced()]
    return [f"{message.id} {message.msg} {message.hint}" for message in found]


def test_a_sound_deployment_is_told_nothing() -> None:
    assert told() == []


@pytest.mark.parametrize(
    ("name", "value", "code"),
    [
        ("PUBLIC_URL", "chat.example", "E001"),
        ("PUBLIC_URL", "ftp://chat.example", "E001"),
        ("PUBLIC_URL", "http://chat.example", "W001"),
        ("DEBUG", True, "E002"),
        ("SECRET_KEY", "short", "W002"),
        ("ALLOWED_HOSTS", ["*"], "W003"),
        ("TRUSTED_PROXIES", ["nginx"], "W004"),
        ("TRUSTED_PROXIES", ["10.0.0.1", "0.0.0.0/0"], "W005"),
        ("TRUSTED_PROXIES", [], "I001"),
        ("RATE_LIMITS", False, "W006"),
        ("WIDGET_ORIGINS", ["*"], "W010"),
        ("WIDGET_ORIGINS", ["https://*.shop.example"], "W010"),
        ("WIDGET_ORIGINS", ["shop.example"], "W010"),
        ("WIDGET_ORIGINS", ["https://shop.example/page"], "W010"),
        ("TELEGRAM_BOTS", {"a shop": TOKEN}, "W020"),
        ("TELEGRAM_BOTS", {"shop": ""}, "W020"),
        ("TELEGRAM_BOT_TOKEN", "canary_canary_canary_canary_abc", "W021"),
        ("TELEGRAM_WEBHOOK_URL", "http://chat.example", "W022"),
        ("TELEGRAM_WEBHOOK_SECRET", "canary secret with blanks", "E020"),
        ("TELEGRAM_WEBHOOK_SECRET", "canary", "W023"),
    ],
)
def test_a_mistake_is_told(settings: Any, name: str, value: Any, code: str) -> None:
    setattr(settings, name, value)
    ours = [line for line in told() if line.startswith("switchboard.")]
    assert [line.split()[0] for line in ours] == [f"switchboard.{code}"]
    assert name in ours[0]
    assert "canary" not in ours[0]


@pytest.mark.parametrize(
    "url", ["http://127.0.0.1:8000", "http://localhost:8000", "http://192.168.1.7:8000", "http://[::1]"]
)
def test_a_laptop_is_told_nothing(settings: Any, url: str) -> None:
    settings.PUBLIC_URL, settings.DEBUG, settings.TRUSTED_PROXIES = url, True, []
    assert [message.id for message in run_checks() if not message.is_silenced()] == []
