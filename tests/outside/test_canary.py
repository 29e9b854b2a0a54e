"""Tokens that must be nowhere: a whole product, everything that can happen to it, and a look into all that it left."""

import contextlib
import http.client
import json
import subprocess
import sys
from pathlib import Path

import pytest
from websockets.exceptions import ConnectionClosed

from tests.fake_telegram import FakeTelegram, in_thread
from tests.fake_telegram.faults import cut, half_answer, no_json, refuse, server_error
from tests.gateway_process import ROOT, GatewayProcess
from tests.outside.clients import Browser, FrameSocket, Operator, Visitor, make_operators

pytestmark = pytest.mark.timeout(180)

TOKEN = "7000000001:canary-AAAAbbbb_CCCCdddd-EEEEffff"
ODD_TOKEN = "canary.of.no.usual/form"
SECRET = "canary-secret-of-the-webhook"
KEY = "canary-key-" + "0123456789abcdef" * 3
WORDS = "canary words of a person"
PAGES = [
    "/", "/nothing-here", "/console/", "/admin/", "/readyz", "/healthz", "/metrics", "/widget.js", "/robots.txt",
    "/admin/gateway/bot/", "/admin/gateway/bot/1/change/", "/admin/gateway/message/",
    "/admin/gateway/message/1/change/", "/admin/gateway/conversation/",
    "/admin/gateway/contact/", "/admin/gateway/node/", "/admin/auth/user/",
    "/admin/gateway/message/?at__year=0", "/admin/gateway/message/?nonsense=1", "/admin/jsi18n/", "/telegram/bot/",
]  # fmt: skip
COMMANDS = [
    ["check", "--deploy"], ["telegram_webhook", "info"], ["telegram_webhook", "set"], ["telegram_webhook", "delete"],
    ["announce", "hello", "--dry-run"], ["create_operator", "bea"], ["migrate", "--plan"], ["doctor"], ["outbox"],
]  # fmt: skip


def settings_of(telegram: FakeTelegram, **more: str) -> dict[str, str]:
    return {
        "TELEGRAM_API_URL": telegram.url, "TELEGRAM_BOT_TOKEN": TOKEN, "TELEGRAM_BOTS": f"odd={ODD_TOKEN}",
        "TELEGRAM_WEBHOOK_SECRET": SECRET, "SECRET_KEY": KEY, "LOG_LEVEL": "DEBUG", "FLOOD_LIMITS": "off", **more,
    }  # fmt: skip


class Leaks:
    """Everything that was read, and what must not be in it."""

    def __init__(self) -> None:
        self.secrets = {"token": TOKEN, "odd token": ODD_TOKEN, "webhook secret": SECRET, "SECRET_KEY": KEY}
        self.found: list[str] = []
        self.read = 0

    def look(self, where: str, content: str | bytes, *more: str) -> None:
        text = content if isinstance(content, str) else content.decode("latin-1")
        self.read += len(text)
        for name, secret in self.secrets.items():
            for spelling in {secret, secret.replace(":", "%3A"), json.dumps(secret)[1:-1]}:
                if spelling in text:
                    place = text.index(spelling)
                    self.found.append(f"{name} in {where}: …{text[max(place - 100, 0) : place]}<HERE>")
        for secret in more:
            if secret in text:
                self.found.append(f"{secret[:12]}… in {where}: {text[max(text.index(secret) - 100, 0) :][:100]}")


FAULTS = [
    (refuse(409, "Conflict: terminated by other getUpdates request"), "getUpdates"),
    (cut(acting=False), "getUpdates"), (server_error(502, html=True), "getUpdates"), (half_answer(), "sendMessage"),
    (no_json(acting=False), "sendMessage"), (refuse(400, f"Bad Request: bot{TOKEN}"), "sendMessage"),
    (refuse(403, "Forbidden: bot was blocked by the user"), "sendMessage"),
]  # fmt: skip


def converse(telegram: FakeTelegram) -> None:
    ada = telegram.user(7, "Ada")
    for number, (fault, method) in enumerate(FAULTS):
        telegram.fail(fault, method=method)
        ada.says(f"{WORDS} {number}")
    ada.says("tell")
    ada.says("the end")
    telegram.wait(lambda: "echo the end" in ada.answers, 60)
    # Afterwards, since who hears this does not ask again for half a minute.
    telegram.fail(refuse(401, f"Unauthorized: bot{TOKEN}"), method="getUpdates")


def visit(gateway: GatewayProcess) -> list[str]:
    """A visitor's and an operator's tokens and cookies."""
    with Visitor(gateway) as visitor:
        visitor.send("message", id="1", text=WORDS)
        visitor.expect("message", text=f"echo {WORDS}")
        visitor.send("message", id="2", text="tell")
        visitor.socket.send("{ no json")
        visitor.expect("error")
        token = visitor.token
    with FrameSocket(gateway, "/ws/chat/") as other, contextlib.suppress(ConnectionClosed):
        other.send("hello", token=token[:-3] + "xyz")
        other.expect("error", code="bad_token")
        other.send("hello", token=token)
    with Visitor(gateway, token=token):
        pass
    make_operators(gateway, "root")
    with Operator(gateway, "root") as operator:
        conversation = operator.expect("conversation", protocol="webchat")["conversation"]
        operator.send("watch", conversation=conversation, since=0)
        operator.expect("message", text="tell")
    return [token]


def ask(
    gateway: GatewayProcess, path: str, *, body: bytes | None = None, secret: str = "wrong", cookie: str = ""
) -> str:
    connection = http.client.HTTPConnection("127.0.0.1", gateway.port, timeout=20)
    try:
        headers = {"X-Telegram-Bot-Api-Secret-Token": secret, **({"Cookie": cookie} if cookie else {})}
        connection.request("GET" if body is None else "POST", path, body, headers)
        answer = connection.getresponse()
        return f"{answer.status} {answer.headers}\n{answer.read().decode(errors='replace')}"
    finally:
        connection.close()


def sign_in(gateway: GatewayProcess) -> Browser:
    gateway.manage("shell", "-c", "from django.contrib.auth.models import User; User.objects.update(is_superuser=True)")
    browser = Browser(gateway)
    browser.sign_in("root", "correct horse battery")
    return browser


def look_at_pages(gateway: GatewayProcess, leaks: Leaks, cookie: str) -> None:
    for path in PAGES:
        for shown in ("", cookie):
            # A cookie is its owner's own: the page that they ask for with it is no leak of it.
            leaks.look(f"page {path}", ask(gateway, path, cookie=shown))
    for secret in ("wrong", "", SECRET):
        for body in (b"", b"{}", b"no json", b"x" * 2_000_000, json.dumps({"update_id": 1}).encode()):
            with contextlib.suppress(ConnectionError, http.client.HTTPException):
                leaks.look("webhook", ask(gateway, "/telegram/bot/", body=body, secret=secret))


def run(gateway: GatewayProcess, command: list[str], leaks: Leaks, secrets: list[str]) -> None:
    done = subprocess.run(
        [sys.executable, "manage.py", *command], cwd=ROOT, env=gateway.env, capture_output=True, text=True, timeout=60
    )
    leaks.look(f"command {command}", done.stdout + done.stderr, *secrets)


def look_at_what_is_left(gateway: GatewayProcess, leaks: Leaks, secrets: list[str]) -> None:
    assert gateway.process is not None
    leaks.look("process title", Path(f"/proc/{gateway.process.pid}/cmdline").read_bytes())
    log = gateway.log_text()
    assert "DEBUG" in log
    leaks.look("log", log, *secrets)
    for path in gateway.data_dir.rglob("*"):
        if path.is_file() and path.name != gateway.log_file.name:
            leaks.look(f"file {path.name}", path.read_bytes(), *[secret for secret in secrets if ":" in secret])


@pytest.mark.parametrize("way", ["polling", "webhook"])
@pytest.mark.parametrize("debug", ["off", "on"])
def test_no_token_is_anywhere(way: str, debug: str) -> None:
    leaks = Leaks()
    with in_thread(FakeTelegram({"bot": TOKEN})) as telegram:
        env = settings_of(telegram, DEBUG=debug, **({"TELEGRAM_WEBHOOK_URL": "{url}"} if way == "webhook" else {}))
        gateway = GatewayProcess(env, application="talebearer")
        try:
            # The odd token is none that Telegram knows: that bot hears 401 and 404 all the time.
            gateway.start(ready=False)
            telegram.wait(lambda: gateway.status("/healthz") == 200, 30)
            converse(telegram)
            secrets = visit(gateway)
            browser = sign_in(gateway)
            secrets += [cookie.value for cookie in browser.jar if cookie.name == "sessionid" and cookie.value]
            assert len(secrets) == 2
            look_at_pages(gateway, leaks, browser.cookie)
            assert ("DEBUG = True" in ask(gateway, "/nothing-here")) is (debug == "on")
            for command in COMMANDS:
                run(gateway, command, leaks, secrets)
            look_at_what_is_left(gateway, leaks, secrets)
            gateway.terminate()
            leaks.look("log of the stop", gateway.log_text(), *secrets)
            said = [line for line in gateway.log_text().splitlines() if WORDS in line]
            assert debug == "on" or said == []
        finally:
            print(f"--- the gateway's log ---\n{gateway.log_text()[-6000:]}")
            gateway.close()
    assert leaks.found == []
    assert leaks.read > 100_000
    print(f"{way}, DEBUG {debug}: {leaks.read} characters read, 0 hits")


def test_a_setting_that_stops_the_start_is_told_without_it(telegram: FakeTelegram) -> None:
    leaks = Leaks()
    for name, value in {
        "TELEGRAM_WEBHOOK_SECRET": "canary secret of the webhook, with blanks", "DATABASE_URL": "sqlite:////proc/nowhere",
        "TELEGRAM_API_URL": "no address", "CHANNELS_URL": "redis://:canary-password@127.0.0.1:1/0",
    }.items():  # fmt: skip
        with (
            contextlib.suppress(subprocess.TimeoutExpired),
            contextlib.closing(GatewayProcess(settings_of(telegram, **{name: value}))) as gateway,
        ):
            if name != "DATABASE_URL":
                gateway.prepare()
            command = [sys.executable, "manage.py", "serve"]
            with gateway.log_file.open("ab") as log, contextlib.suppress(subprocess.TimeoutExpired):
                subprocess.run(command, cwd=ROOT, env=gateway.env, stdout=log, stderr=log, timeout=6, check=False)
            text = gateway.log_text()
            assert text
            leaks.look(name, text, "canary secret of", "canary-password")
    assert leaks.found == []


def test_a_second_look_finds_what_is_there() -> None:
    """The test above would find a token, however it were written."""
    for text in (f"x{TOKEN}y", TOKEN.replace(":", "%3A"), f'{{"a": "{SECRET}"}}', KEY):
        leaks = Leaks()
        leaks.look("here", text)
        assert leaks.found
