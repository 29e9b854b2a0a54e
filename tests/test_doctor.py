"""The doctor says what is wrong and what mends it, whatever is broken, and within seconds."""

import json
import shutil
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from gateway import doctor, examinations
from gateway.doctor import Finding, examine, fail, ok
from tests.conftest import telegram_env
from tests.fake_telegram import FakeTelegram, hang
from tests.gateway_process import ROOT, GatewayProcess, free_port, migrated_file
from tests.private_servers import PrivatePostgres, PrivateRedis, missing_private_servers

StartGateway = Callable[..., GatewayProcess]
Found = dict[str, list[dict[str, str]]]


# The frame


def test_one_that_hangs_and_one_that_raises_leave_the_others_alone() -> None:
    forever = threading.Event()

    def hangs() -> Iterator[Finding]:
        yield ok("first", "found before")
        forever.wait()

    def raises() -> Iterator[Finding]:
        raise RuntimeError("of all things")
        yield

    def is_well() -> Iterator[Finding]:
        yield ok("well", "all is well")

    try:
        found = examine({"stuck": hangs, "broken": raises, "well": is_well}, seconds=0.5)
    finally:
        forever.set()
    assert [(finding.name, finding.state) for finding in found] == [
        ("first", "ok"), ("stuck", "fail"), ("broken", "fail"), ("well", "ok"),
    ]  # fmt: skip
    assert "0.5 s" in found[1].told
    assert "RuntimeError: of all things" in found[2].told


def test_no_token_is_shown(settings: Any) -> None:
    token = "123456789:AAexample-of-a-token-that-is-none-0"

    def tells() -> Iterator[Finding]:
        yield fail("telling", f"no route to bot{token}", f"try {token}")

    (found,) = examine({"telling": tells})
    assert token not in found.told + found.mend


def test_every_protocol_that_has_an_examination_is_asked() -> None:
    assert {"database", "port", "Telegram"} <= set(doctor.all_examinations())


# The settings and the machine


def test_what_a_system_check_says_is_a_line(settings: Any) -> None:
    settings.PUBLIC_URL = "chat.example"
    found = list(examinations.system_checks())
    assert ("fail", True) in {(finding.state, "PUBLIC_URL" in finding.told) for finding in found}
    assert all(finding.mend for finding in found)


def test_a_folder_that_cannot_be_written_to(settings: Any, tmp_path: Path) -> None:
    settings.DATA_DIR = tmp_path
    assert [finding.state for finding in examinations.data_folder()] == ["ok"]
    settings.DATA_DIR = tmp_path / "missing"
    (found,) = examinations.data_folder()
    assert found.state == "fail"
    assert "DATA_DIR" in found.mend


def test_a_full_disk(settings: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    settings.DATA_DIR = tmp_path
    for free, state in ((50 * 1024**2, "fail"), (500 * 1024**2, "warn"), (5 * 1024**3, "ok")):
        usage = shutil._ntuple_diskusage(free * 2, free, free)  # type: ignore[attr-defined]
        monkeypatch.setattr(shutil, "disk_usage", lambda folder, usage=usage: usage)
        assert [finding.state for finding in examinations.data_folder()] == [state]


def test_more_connections_than_files(settings: Any) -> None:
    settings.MAX_CONNECTIONS = 10**9
    (found,) = examinations.open_files()
    assert (found.state, "ulimit" in found.mend) == ("warn", True)


@pytest.mark.parametrize(("skew", "state"), [(0.5, "ok"), (-0.5, "ok"), (60.0, "warn"), (-60.0, "warn")])
def test_a_clock_that_goes_wrong(skew: float, state: str) -> None:
    found = examinations.clock("database's", skew)
    assert (found.state, ("ahead of" in found.told)) == (state, skew > 0)


def test_a_port_that_another_program_has(settings: Any) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        settings.HOST, settings.PORT = listener.getsockname()
        (found,) = examinations.address()  # It is silent.
        assert found.state == "fail"
        assert "PORT" in found.mend
    (found,) = examinations.address()
    assert (found.state, "is free" in found.told) == ("ok", True)


# The whole command


def run(env: dict[str, str], *, code: int) -> Found:
    """What the command found, by name; and that no warning came without its mend."""
    command = [sys.executable, "manage.py", "doctor", "--json"]
    done = subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == code, done.stdout + done.stderr
    assert env.get("TELEGRAM_BOT_TOKEN", "no token") not in done.stdout + done.stderr
    found: Found = {}
    for finding in json.loads(done.stdout):
        assert bool(finding["mend"]) == (finding["state"] != "ok"), finding
        found.setdefault(finding["name"], []).append(finding)
    return found


def states(found: Found) -> dict[str, set[str]]:
    return {name: {finding["state"] for finding in findings} for name, findings in found.items()}


@pytest.fixture
def embedded() -> Iterator[dict[str, str]]:
    """The environment of a gateway that is prepared and does not run."""
    gateway = GatewayProcess()
    shutil.copyfile(migrated_file(), gateway.data_dir / "switchboard.sqlite3")
    yield gateway.env
    gateway.close()


def test_all_is_well_before_the_first_start(embedded: dict[str, str], telegram: FakeTelegram) -> None:
    found = run({**embedded, **telegram_env(telegram)}, code=0)
    assert states(found) == {
        name: {"ok"}
        for name in (
            "versions", "settings", "data folder", "open files", "database", "tables", "gateway", "rows", "Redis",
            "port", "clock", "Telegram bot",
        )
    }  # fmt: skip
    assert "WAL, FULL, IMMEDIATE" in found["database"][0]["told"]


def test_for_people_there_is_a_line_each(embedded: dict[str, str]) -> None:
    command = [sys.executable, "manage.py", "doctor"]
    env = {**embedded, "DATABASE_URL": "sqlite:////nowhere/at-all.sqlite3"}
    done = subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 1
    assert "fail  database" in done.stdout
    assert "→ Run: .venv/bin/python manage.py quickstart" in done.stdout
    assert done.stdout.rstrip().endswith("1 to mend")
    assert "\x1b" not in done.stdout
    assert not Path("/nowhere").exists()


def test_tables_of_another_version(embedded: dict[str, str]) -> None:
    Path(embedded["DATA_DIR"], "switchboard.sqlite3").write_bytes(b"")
    found = run(embedded, code=1)
    assert states(found)["tables"] == {"fail"}


def test_a_wrong_token_and_a_webhook_elsewhere(embedded: dict[str, str], telegram: FakeTelegram) -> None:
    wrong = "987654:AAnobody-has-this-token-anywhere-at-all-0"
    found = run({**embedded, "TELEGRAM_API_URL": telegram.url, "TELEGRAM_BOT_TOKEN": wrong}, code=1)
    assert states(found)["Telegram bot"] == {"fail"}
    assert "BotFather" in found["Telegram bot"][0]["mend"]
    wanted = {**embedded, **telegram_env(telegram), "TELEGRAM_WEBHOOK_URL": "https://chat.example"}
    found = run(wanted, code=0)
    assert states(found)["Telegram bot"] == {"ok", "warn"}
    assert "not registered" in found["Telegram bot"][1]["told"]


def test_a_gateway_that_runs_is_known(start_gateway: StartGateway, telegram: FakeTelegram) -> None:
    gateway = start_gateway()
    found = run(gateway.env, code=0)
    assert "process" in found["gateway"][0]["told"]
    assert "answered by a gateway" in found["port"][0]["told"]
    assert states(found)["PUBLIC_URL"] == {"ok"}
    gateway.kill()
    found = run(gateway.env, code=0)
    assert states(found)["gateway"] == {"warn"}
    assert "is free" in found["port"][0]["told"]


@pytest.mark.services
@pytest.mark.skipif(bool(missing_private_servers()), reason="no PostgreSQL and Redis to freeze")
@pytest.mark.timeout(90)
def test_with_everything_frozen_it_still_answers(embedded: dict[str, str], telegram: FakeTelegram) -> None:
    with PrivatePostgres() as postgres, PrivateRedis() as redis, socket.create_server(("127.0.0.1", 0)) as silent:
        env = {
            **embedded,
            **telegram_env(telegram),
            "DATABASE_URL": postgres.url,
            "CHANNELS_URL": redis.url,
            "PORT": str(silent.getsockname()[1]),
        }
        GatewayProcess(env).manage("migrate", "-v", "0")
        well = run({**env, "PORT": str(free_port())}, code=0)
        assert states(well)["database"] == states(well)["Redis"] == states(well)["connections"] == {"ok"}
        postgres.freeze()
        redis.freeze()
        telegram.fail(hang(), times=100)
        try:
            began = time.monotonic()
            found = run(env, code=1)
            took = time.monotonic() - began
        finally:
            postgres.thaw()
            redis.thaw()
    print(f"with everything frozen the whole command took {took:.1f} s")
    assert took < 30
    for name in ("database", "Redis", "port"):
        assert "fail" in states(found)[name], found[name]
    of_telegram = [finding for name in found if name.startswith("Telegram") for finding in found[name]]
    assert "fail" in {finding["state"] for finding in of_telegram}, of_telegram
    assert states(found)["data folder"] == {"ok"}
