"""What the log, /readyz and the figures say of faults that last, each made to last in a real process."""

import json

import pytest

from tests.conftest import StartGateway
from tests.fake_telegram import FakeTelegram, refuse, server_error
from tests.gateway_process import GatewayProcess
from tests.outside.test_outages import metric

pytestmark = pytest.mark.timeout(90)
THREADS = 4
CONFLICT = "Conflict: terminated by other getUpdates request; make sure that only one bot instance is running"


def events(gateway: GatewayProcess) -> list[str]:
    """The alarms of a log in JSON, in order."""
    told = [json.loads(line) for line in gateway.log_text().splitlines() if line.startswith("{")]
    return [line["event"] for line in told if line.get("event")]


def trouble(gateway: GatewayProcess, part: str) -> str:
    found = json.loads(gateway.body("/readyz"))["parts"].get(part, "")
    return "" if found == "ok" else str(found)


def test_every_thread_is_taken(telegram: FakeTelegram, start_gateway: StartGateway) -> None:
    env = {"HANDLER_THREADS_MAX": str(THREADS), "LOG_FORMAT": "json"}
    gateway = start_gateway(env, application="unruly")
    blocking = [telegram.user(100 + n) for n in range(THREADS + 2)]
    late = telegram.user(7)
    for user in blocking:
        user.says("block 4")
    telegram.wait(lambda: trouble(gateway, "handlers"), 20)
    late.says("hello")
    assert "HANDLER_THREADS_MAX" in trouble(gateway, "handlers")
    assert metric(gateway, 'trouble{part="handlers"}') == 1
    assert metric(gateway, 'pool_full_total{pool="handler"}') == 1
    assert gateway.status("/healthz") == 200
    telegram.wait(lambda: late.answers == ["hello"] and all(user.answers for user in blocking), 30)
    telegram.wait(lambda: gateway.status("/readyz") == 200, 20)
    assert events(gateway) == ["pool_full", "handlers_trouble"]


def test_somebody_else_polls_and_does_not_stop(telegram: FakeTelegram, start_gateway: StartGateway) -> None:
    env = {"LOG_FORMAT": "json", "DJANGO_SETTINGS_MODULE": "tests.outside.impatient_settings"}
    gateway = start_gateway(env, application="counter")
    ada = telegram.user(7)
    ada.says("zero")
    telegram.wait(lambda: ada.answers == ["zero is 1"])
    telegram.fail(refuse(409, CONFLICT), method="getUpdates", times=10_000)
    ada.says("one")  # Ends the poll that is under way; the next one meets the other poller.
    telegram.wait(lambda: gateway.status("/readyz") == 503, 60)
    assert "Something else takes this bot's updates with the same token (409)" in trouble(gateway, "telegram bot")
    assert metric(gateway, 'trouble{part="telegram bot"}') == 1
    assert metric(gateway, 'contact_age_seconds{bot="bot",protocol="telegram"}') >= 4
    polls = len(telegram.bot.calls("getUpdates"))
    assert polls < 15, "the other poller is not thrown out again and again"
    ada.says("two")
    telegram.bot.faults.scripts.clear()
    telegram.wait(lambda: ada.answers == ["zero is 1", "one is 2", "two is 3"], 40)
    telegram.wait(lambda: gateway.status("/readyz") == 200, 20)
    told = gateway.log_text()
    assert events(gateway).count("telegram_trouble") == 1
    assert told.count("Something else takes this bot's updates") == 2, "once by the poller, once by the alarm"
    assert telegram.token not in told


def test_an_address_that_is_another_server(telegram: FakeTelegram, start_gateway: StartGateway) -> None:
    """Words wait for the right address, and /readyz names the setting. Here the proxy before it comes to its senses."""
    gateway = start_gateway({"LOG_FORMAT": "json"}, application="counter")
    ada = telegram.user(7)
    telegram.fail(server_error(404, html=True), method="sendMessage", times=3)
    ada.says("one")
    ada.says("two")
    telegram.wait(lambda: "TELEGRAM_API_URL" in trouble(gateway, "telegram bot"), 20)
    assert ada.answers == []
    telegram.wait(lambda: ada.answers == ["one is 1", "two is 2"], 40)
    telegram.wait(lambda: gateway.status("/readyz") == 200, 20)
    assert events(gateway).count("telegram_trouble") == 1
