"""Starting and stopping, seen by whoever deploys it."""

import re
import signal
import socket
import time
import urllib.request

import pytest

from tests.conftest import StartGateway, telegram_env
from tests.fake_telegram import FakeTelegram, FakeUser, cut, in_thread, refuse, server_error
from tests.fake_telegram.threads import outage
from tests.gateway_process import GatewayProcess
from tests.services import postgres_database, redis_database

pytestmark = pytest.mark.timeout(90)
CANARY = "CANARY_dont_print_me_CANARY"


def test_a_second_gateway_over_the_same_file_is_refused(
    telegram: FakeTelegram, start_gateway: StartGateway, server: str
) -> None:
    first = start_gateway(server=server)
    second = start_gateway(server=server, data_dir=first.data_dir, ready=False)
    code = second.wait(20)
    assert code != 0
    assert re.search(r"another|already|second", second.log_text(), re.IGNORECASE)
    if server == "daphne":
        assert "Traceback" not in second.log_text()
    assert first.running
    ada = telegram.user(7)
    ada.says("hi")
    telegram.wait(lambda: ada.answers == ["You said: hi"])


@pytest.mark.services
def test_a_second_gateway_over_postgresql_joins_and_goes_on_alone(
    telegram: FakeTelegram, start_gateway: StartGateway, server: str
) -> None:
    people = [telegram.user(number) for number in range(100, 110)]
    with postgres_database() as url:
        both = {"DATABASE_URL": url, "CHANNELS_URL": redis_database(), "SECRET_KEY": "the same for both " * 3}
        first = start_gateway(both, server=server)
        second = start_gateway(both, server=server)
        say_to_all(telegram, people, "a")
        # uvicorn ends with the signal that it was sent.
        assert first.terminate(40) in (0, -signal.SIGTERM), first.log_text()
        say_to_all(telegram, people, "b")
        assert second.running
        second.kill()


def say_to_all(telegram: FakeTelegram, people: list[FakeUser], word: str) -> None:
    for person in people:
        person.says(word)
    telegram.wait(lambda: all(person.answers[-1:] == [f"You said: {word}"] for person in people), 30)


def test_after_kill_9_the_next_start_is_not_refused(telegram: FakeTelegram, start_gateway: StartGateway) -> None:
    gateway = start_gateway()
    gateway.kill()
    gateway.start()
    assert gateway.running


def test_a_busy_port_is_said(start_gateway: StartGateway, telegram: FakeTelegram) -> None:
    gateway = GatewayProcess(telegram_env(telegram))
    with socket.create_server(("127.0.0.1", gateway.port)):
        try:
            gateway.start(ready=False)
            assert gateway.wait(20) != 0
        finally:
            gateway.kill()
    log = gateway.log_text()
    gateway.close()
    assert str(gateway.port) in log
    assert "Traceback" not in log
    assert not telegram.bot.calls("getUpdates"), "it took updates in, though nobody could reach it"


def test_sigterm_lets_a_handler_finish(telegram: FakeTelegram, start_gateway: StartGateway, server: str) -> None:
    gateway = start_gateway(application="drowsy", server=server)
    ada = telegram.user(7)
    ada.says("it")
    telegram.wait(lambda: ada.answers == ["began it"])
    code = gateway.terminate()
    assert code == 0 if server == "daphne" else code in (0, -15)
    assert ada.answers == ["began it", "ended it"]
    gateway.start()
    ada.says("more")
    telegram.wait(lambda: "ended more" in ada.answers)
    assert ada.answers == ["began it", "ended it", "began more", "ended more"]


def test_the_token_is_in_no_log_and_on_no_page(start_gateway: StartGateway, server: str) -> None:
    with in_thread(FakeTelegram({"bot": f"1234567890:{CANARY}"})) as telegram:
        env = {**telegram_env(telegram), "LOG_LEVEL": "DEBUG"}
        with GatewayProcess(env, server="uvicorn" if server == "uvicorn" else "daphne") as gateway:
            live_through_trouble(telegram)
            for path in ("/", "/readyz", "/healthz", "/telegram/bot/", "/nowhere"):
                assert CANARY not in gateway.body(path)
            gateway.terminate()
            assert len(gateway.log_text()) > 0
            assert CANARY not in gateway.log_text()


def live_through_trouble(telegram: FakeTelegram) -> None:
    ada = telegram.user(7)
    for n, fault in enumerate((None, server_error(502, html=True), cut(acting=False), refuse(400, "Bad Request: x"))):
        if fault:
            telegram.fail(fault, method="sendMessage")
        before = len(telegram.sends)
        ada.says(str(n))
        telegram.wait(lambda before=before: len(telegram.sends) > before)  # type: ignore[misc]
    with outage(telegram):
        time.sleep(0.5)
    ada.says("last")
    telegram.wait(lambda: "You said: last" in ada.answers, within=40)


def test_an_unknown_token_is_said_and_ends_nothing(telegram: FakeTelegram, start_gateway: StartGateway) -> None:
    gateway = start_gateway({"TELEGRAM_BOT_TOKEN": f"5555555555:{CANARY}"}, ready=False)
    deadline = time.monotonic() + 30
    while gateway.status("/readyz") != 503 or "token" not in gateway.log_text():
        assert time.monotonic() < deadline
        time.sleep(0.1)
    assert gateway.running
    assert gateway.status("/healthz") == 200
    assert gateway.status("/") == 200
    assert CANARY not in gateway.log_text() + gateway.body("/readyz")


def test_without_a_token_the_web_runs_and_telegram_says_it_is_off() -> None:
    with GatewayProcess() as gateway:
        assert "telegram" in gateway.log_text().lower()
        assert gateway.status("/") == 200
        assert gateway.status("/console/login/") == 200
        assert gateway.status("/nowhere") == 404


def test_oversized_pages_are_refused(telegram: FakeTelegram, start_gateway: StartGateway) -> None:
    gateway = start_gateway()
    request = urllib.request.Request(gateway.url + "/console/login/", b"x" * (3 * 1024 * 1024))
    with pytest.raises(OSError, match=r"413|403|reset|Broken pipe"):
        urllib.request.urlopen(request, timeout=10)
    assert gateway.status("/healthz") == 200
