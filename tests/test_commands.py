"""quickstart, create_operator, and what serve says before it serves."""

import os
import re
import socket
from collections.abc import Iterator
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.core.exceptions import ImproperlyConfigured
from django.core.management import CommandError, call_command
from django.db import OperationalError

from config.embedded import secret_key
from gateway.listening import CannotListen, check_address
from gateway.management.commands import quickstart, serve


def run(*command: str, **options: object) -> str:
    out = StringIO()
    call_command(*command, stdout=out, **options)
    return out.getvalue()


def shown_password(text: str) -> str:
    match = re.search(r"(?:password:|shown this once:) (\S+)", text)
    assert match
    return match[1]


@pytest.mark.django_db
class TestQuickstart:
    def test_first_run_makes_an_operator_who_can_sign_in(self) -> None:
        password = shown_password(run("quickstart"))
        user = User.objects.get(username="operator")
        assert (user.is_staff, user.is_superuser, user.check_password(password)) == (True, True, True)

    def test_second_run_changes_nothing_and_shows_no_secret(self) -> None:
        password = shown_password(run("quickstart"))
        before = list(User.objects.values())
        again = run("quickstart")
        assert again == "Everything is prepared.\n"
        assert password not in again
        assert list(User.objects.values()) == before

    def test_passwords_are_not_the_same_twice(self) -> None:
        first = shown_password(run("quickstart"))
        User.objects.all().delete()
        assert shown_password(run("quickstart")) != first

    def test_somebody_who_is_no_operator_keeps_the_name(self) -> None:
        User.objects.create_user("operator", password="their own words")
        text = run("quickstart")
        assert "name:     operator2" in text
        theirs = User.objects.get(username="operator")
        assert (theirs.is_staff, theirs.check_password("their own words")) == (False, True)

    def test_a_database_that_is_away_is_said_plainly(self, monkeypatch: pytest.MonkeyPatch) -> None:
        def fail(_: object) -> None:
            raise OperationalError("connection refused")

        monkeypatch.setattr(quickstart.Command, "prepare_database", fail)
        with pytest.raises(CommandError, match=r"The database cannot be used \(DATABASE_URL\): connection refused"):
            run("quickstart")


@pytest.mark.django_db
class TestCreateOperator:
    def test_makes_an_operator_with_a_password_shown_once(self) -> None:
        password = shown_password(run("create_operator", "ann"))
        user = User.objects.get(username="ann")
        assert (user.is_staff, user.is_active, user.is_superuser) == (True, True, False)
        assert user.check_password(password)

    def test_takes_a_given_password_and_does_not_show_it(self) -> None:
        assert "lamp-post-seven" not in run("create_operator", "ann", password="lamp-post-seven")
        assert User.objects.get(username="ann").check_password("lamp-post-seven")

    @pytest.mark.parametrize("password", ["", "short", "12345678901", "password"])
    def test_refuses_weak_passwords_and_makes_nobody(self, password: str) -> None:
        with pytest.raises(CommandError, match="password"):
            run("create_operator", "ann", password=password)
        assert not User.objects.exists()

    @pytest.mark.parametrize("name", ["", "a b", "x" * 151])
    def test_refuses_names_that_cannot_be(self, name: str) -> None:
        with pytest.raises(CommandError):
            run("create_operator", name)
        assert not User.objects.exists()

    def test_promotes_somebody_and_lets_the_password_be(self) -> None:
        User.objects.create_user("ann", password="their own words", is_active=False)
        assert "stays as it was" in run("create_operator", "ann")
        user = User.objects.get(username="ann")
        assert (user.is_staff, user.is_active, user.check_password("their own words")) == (True, True, True)

    def test_makes_a_password_for_somebody_who_has_none(self) -> None:
        User.objects.create_user("ann")
        password = shown_password(run("create_operator", "ann"))
        assert User.objects.get(username="ann").check_password(password)

    def test_sets_a_new_password_where_asked(self) -> None:
        run("create_operator", "ann")
        run("create_operator", "ann", password="lamp-post-seven")
        assert User.objects.get(username="ann").check_password("lamp-post-seven")


class TestEmbeddedKey:
    def test_is_made_once_for_the_owner_alone(self, tmp_path: Path) -> None:
        folder = tmp_path / "new" / "data"
        key = secret_key(folder)
        assert len(key) >= 50
        assert secret_key(folder) == key
        assert (folder / "secret_key").stat().st_mode & 0o777 == 0o600
        assert os.listdir(folder) == ["secret_key"]

    def test_two_installations_have_different_ones(self, tmp_path: Path) -> None:
        assert secret_key(tmp_path / "a") != secret_key(tmp_path / "b")

    def test_the_first_of_two_processes_wins(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        first = secret_key(tmp_path)
        monkeypatch.setattr(Path, "exists", lambda _: False)
        assert secret_key(tmp_path) == first

    def test_an_empty_file_is_no_key(self, tmp_path: Path) -> None:
        (tmp_path / "secret_key").touch()
        with pytest.raises(ImproperlyConfigured, match="is empty"):
            secret_key(tmp_path)

    def test_a_folder_that_cannot_be_used_is_said_plainly(self, tmp_path: Path) -> None:
        (tmp_path / "data").write_text("a file")
        with pytest.raises(ImproperlyConfigured, match="Set SECRET_KEY"):
            secret_key(tmp_path / "data")


@pytest.fixture
def taken() -> Iterator[int]:
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


class TestListening:
    def test_a_busy_port_is_said_plainly(self, taken: int) -> None:
        with pytest.raises(CannotListen, match=rf"^Port {taken} on 127\.0\.0\.1 is taken .* PORT="):
            check_address("127.0.0.1", taken)

    def test_a_free_port_may_be_listened_on_afterwards(self, taken: int) -> None:
        check_address("127.0.0.1", 0)
        with socket.create_server(("127.0.0.1", 0)) as other:
            free = other.getsockname()[1]
        check_address("127.0.0.1", free)
        socket.create_server(("127.0.0.1", free)).close()

    @pytest.mark.parametrize(
        ("host", "port", "reason"),
        [("192.0.2.1", 8000, "HOST"), ("127.0.0.1", 70000, "PORT"), ("not a host", 8000, "HOST")],
    )
    def test_an_address_that_cannot_be_is_said_plainly(self, host: str, port: int, reason: str) -> None:
        with pytest.raises(CannotListen, match=reason):
            check_address(host, port)


class TestServeSays:
    def test_the_port_is_busy(self, taken: int) -> None:
        with pytest.raises(CommandError, match=f"Port {taken} .* is taken"):
            run("serve", host="127.0.0.1", port=taken)

    @pytest.mark.django_db
    def test_the_database_is_not_prepared(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(serve.connections, "close_all", lambda: None)
        monkeypatch.setattr(serve.MigrationExecutor, "migration_plan", lambda *_: ["gateway.0002"])
        with pytest.raises(CommandError, match=r"Run: .*manage\.py quickstart"):
            serve.check_database()

    def test_the_map_cannot_be_imported_and_why(self, settings: Any) -> None:
        settings.ASGI_APPLICATION = "tests.no_such_map.application"
        with pytest.raises(CommandError, match=r"tests\.no_such_map.*No module named"):
            serve.find_application()

    def test_what_to_open_and_that_telegram_is_off(self) -> None:
        lines = "\n".join(serve.announcement("127.0.0.1", 8000))
        assert "Switchboard listens on http://127.0.0.1:8000" in lines
        assert "http://127.0.0.1:8000/console/" in lines
        assert "TELEGRAM_BOT_TOKEN=… make run" in lines

    def test_telegram_on_names_the_bots_and_no_token(self, settings: Any) -> None:
        settings.TELEGRAM_BOT_TOKEN = "111:AAAA"
        settings.TELEGRAM_BOTS = {"shop": "222:BBBB"}
        assert serve.telegram() == "on, by long polling, for bot, shop"
        settings.TELEGRAM_WEBHOOK_URL = "https://chat.example"
        assert serve.telegram() == "on, by webhook at https://chat.example, for bot, shop"

    @pytest.mark.parametrize(
        ("host", "base"), [("0.0.0.0", "http://127.0.0.1:9"), ("::", "http://[::1]:9"), ("[::1]", "http://[::1]:9")]
    )
    def test_links_can_be_opened(self, host: str, base: str) -> None:
        assert f"{base}/console/" in "\n".join(serve.announcement(host, 9))

    def test_links_follow_the_public_url(self, settings: Any) -> None:
        settings.PUBLIC_URL = "https://chat.example"
        assert "https://chat.example/console/" in "\n".join(serve.announcement("127.0.0.1", 8000))
