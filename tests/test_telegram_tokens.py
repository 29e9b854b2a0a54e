import asyncio
from pathlib import Path
from typing import Any

import pytest
from django.core.exceptions import ImproperlyConfigured

from config.embedded import from_file
from gateway.telegram import bots, polling
from gateway.telegram.backoff import Backoff
from gateway.telegram.bots import TelegramBot
from gateway.telegram.contact import Contact
from gateway.telegram.polling import Poller
from gateway.telegram.tokens import in_file, named_in_file
from tests.telegram_stand_in import TOKEN, Failure, StandInEngine, bot_api, client_of, until


def test_a_file_of_tokens(tmp_path: Path) -> None:
    file = tmp_path / "tokens"
    file.write_text("# two shops\nshop=1:a\n\n pizza = 2:b , third=3:c\n")
    assert named_in_file(str(file)) == {"shop": "1:a", "pizza": "2:b", "third": "3:c"}
    file.write_text("4:d\n")
    assert in_file(str(file)) == "4:d"
    assert in_file("") == ""
    assert named_in_file("") == {}


def test_a_file_that_cannot_be_read_is_named_and_not_shown(tmp_path: Path) -> None:
    with pytest.raises(ImproperlyConfigured, match=r"TELEGRAM_BOT_TOKEN_FILE=.*nowhere cannot be read"):
        from_file("TELEGRAM_BOT_TOKEN_FILE", in_file, str(tmp_path / "nowhere"))
    binary = tmp_path / "binary"
    binary.write_bytes("1:geheimnis-ü".encode())
    with pytest.raises(ImproperlyConfigured) as caught:
        from_file("TELEGRAM_BOT_TOKEN_FILE", in_file, str(binary))
    assert "geheim" not in str(caught.value)


async def test_a_refused_token_is_replaced_as_soon_as_its_file_changes(
    tmp_path: Path, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bots, "TOKEN_SECONDS", 0.05)
    monkeypatch.setattr(polling, "REFUSED_PAUSE", 60)
    file = tmp_path / "token"
    file.write_text("999:revoked")
    settings.TELEGRAM_BOT_TOKEN_FILE, settings.TELEGRAM_BOTS_FILE = str(file), ""
    async with bot_api() as api, client_of(api.url) as client:
        api.script = {"getWebhookInfo": [Failure(401, "Unauthorized")]}
        bot = TelegramBot("bot", client, Contact("bot"))
        monkeypatch.setattr(bots, "token_in_files", lambda name: TOKEN)  # The stand-in knows no other.
        poller = Poller(bot, StandInEngine(), Backoff(first=0.02))  # type: ignore[arg-type]
        task = asyncio.create_task(poller.run())
        await until(lambda: bot.contact.trouble)
        assert not api.of("getUpdates")
        client.token = "999:revoked"
        await until(lambda: api.of("getUpdates"))
        assert client.token == TOKEN
        await poller.stop(task)


def test_a_file_that_has_gone_leaves_the_token_as_it_was(tmp_path: Path, settings: Any) -> None:
    settings.TELEGRAM_BOT_TOKEN_FILE = str(tmp_path / "gone")
    assert bots.token_in_files("bot") == ""


async def test_a_name_that_nobody_resolves_is_said_and_outlived() -> None:
    async with client_of("http://api.telegram.invalid") as client:
        bot = TelegramBot("bot", client, Contact("bot"))
        poller = Poller(bot, StandInEngine(), Backoff(first=0.02, longest=0.05))  # type: ignore[arg-type]
        task = asyncio.create_task(poller.run())
        await until(lambda: "No connection" in bot.contact._reason, seconds=30)
        assert not task.done()
        await poller.stop(task)
