"""The gateway's own bots, several at once: on Telegram, on the web, and at the console."""

import json
import sqlite3
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

import pytest

from tests.fake_telegram import FakeTelegram, FakeUser, in_thread, wire_token
from tests.gateway_process import NAME, GatewayProcess
from tests.outside.clients import Operator, Visitor, make_operators
from tests.outside.test_crash import SETTLED

pytestmark = pytest.mark.timeout(90)
QUESTIONS = [
    "How did you hear of us?",
    "How likely are you to recommend us, from 0 to 10?",
    "Would you use it again?",
    "Anything else that we should know?",
]


class Page(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        if self.path == "/slow":
            time.sleep(1.5)
        self.send_response(404 if self.path == "/gone" else 200)
        self.end_headers()
        self.wfile.write(f"<title>Page {self.path}</title>".encode())

    def log_message(self, format: str, *args: Any) -> None:
        pass


@pytest.fixture(scope="module")
def site() -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), Page) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


@pytest.fixture(scope="module")
def telegram() -> Iterator[FakeTelegram]:
    with in_thread(FakeTelegram({"bot": wire_token(21), "survey": wire_token(22), "desk": wire_token(23)})) as fake:
        yield fake


@pytest.fixture(scope="module")
def gateway(telegram: FakeTelegram) -> Iterator[GatewayProcess]:
    """The product as it is, without a map of the tests."""
    tokens = ",".join(f"{name}={bot.token}" for name, bot in telegram.bots.items())
    limits = {"FLOOD_LIMITS": "off", "RATE_LIMITS": "off"}
    env = {"TELEGRAM_API_URL": telegram.url, "TELEGRAM_BOTS": tokens, "PAGES_ALLOW_PRIVATE": "on", **limits}
    with GatewayProcess(env) as process:
        make_operators(process, "olga")
        yield process


def press(user: FakeUser, label: str) -> None:
    """Presses the button with that label under the bot's last message."""
    message = user.chat.last
    rows = message["reply_markup"]["inline_keyboard"]
    user.presses(message, next(button["callback_data"] for row in rows for button in row if button["text"] == label))


def kept(gateway: GatewayProcess) -> list[tuple[Any, ...]]:
    with sqlite3.connect(f"file:{gateway.data_dir / NAME}?mode=ro", uri=True) as database:
        columns = "round, protocol, name, source, score, again, remark"
        return database.execute(f"SELECT {columns} FROM bots_surveyanswers").fetchall()


def test_a_survey_goes_on_after_kill_9_and_repeats_no_question(telegram: FakeTelegram, gateway: GatewayProcess) -> None:
    ada = telegram.bots["survey"].user(7, "Ada")
    ada.says("/start")
    telegram.wait(lambda: ada.answers[1:] == QUESTIONS[:1])
    press(ada, "A friend")
    telegram.wait(lambda: ada.answers[-1] == QUESTIONS[1])
    time.sleep(SETTLED)
    gateway.kill()
    ada.says("8")
    gateway.start()
    telegram.wait(lambda: ada.answers[-1] == QUESTIONS[2], within=20)
    press(ada, "Yes")
    telegram.wait(lambda: ada.answers[-1] == QUESTIONS[3])
    ada.says("well done")
    telegram.wait(lambda: ada.answers[-1].startswith("Thank you"))
    choices = [f"{QUESTIONS[0]}\n✓ A friend", QUESTIONS[1], f"{QUESTIONS[2]}\n✓ Yes", f"{QUESTIONS[3]}\n✓ well done"]
    assert ada.answers[1:-1] == choices
    assert kept(gateway) == [(1, "telegram", "Ada", "friend", 8, "yes", "well done")]
    assert all(telegram.bots["survey"].queries.values()), "a pressed button still spins"


def test_each_bot_has_its_own_consumer(telegram: FakeTelegram, gateway: GatewayProcess) -> None:
    first, desk = (telegram.bots[name].user(8, "Bea") for name in ("bot", "desk"))
    first.says("hi")
    desk.says("hi")
    telegram.wait(lambda: first.answers and desk.answers)
    assert first.answers == ["You said: hi"]
    assert "pass on to a colleague" in desk.answers[0]
    with Visitor(gateway, bot="survey") as visitor:
        visitor.send("message", id="m1", text="hi")
        asked = visitor.expect("message", text=QUESTIONS[0])
        assert [button["text"] for row in asked["buttons"] for button in row] == ["A friend", "A search", "Elsewhere"]


def test_the_desk_through_all_its_states(gateway: GatewayProcess) -> None:
    with Operator(gateway, "olga") as olga, Visitor(gateway, bot="desk") as visitor:
        visitor.send("message", id="m1", text="who can read this?")
        visitor.expect(
            "message",
            text="The bot, and the operators of this site, in their console. Everything is kept until they delete it.",
        )
        id = visitor.welcome["conversation"]
        olga.expect("conversation", conversation=id, state="bot")
        visitor.send("message", id="m2", text="do you sell bicycles?")
        visitor.expect("message", text="I have asked a colleague. Somebody will answer you here.")
        olga.expect("conversation", conversation=id, state="waiting")
        olga.send("watch", conversation=id, since=0)
        assert olga.expect("message", conversation=id, text="I do not know: “do you sell bicycles?”")
        olga.send("take", conversation=id)
        olga.expect("conversation", conversation=id, state="held")
        newest = max(visitor.words)
        olga.send("say", conversation=id, id="o1", text="We do!", seen=newest)
        visitor.expect("message", text="We do!")
        visitor.send("message", id="m3", text="splendid")
        olga.expect("message", conversation=id, text="splendid")
        olga.send("release", conversation=id)
        asked = visitor.expect("message", text="olga has handed you back to me. Is everything solved?")
        ((yes, _),) = asked["buttons"]
        visitor.send("button", id="b1", data=yes["data"])
        visitor.expect("message", text="Good! Write whenever you need something.")
        olga.expect("conversation", conversation=id, state="ended")
        assert not any("bicycles?”" in word["text"] for word in visitor.words.values())


def test_pages_are_reported_in_one_message(gateway: GatewayProcess, site: str) -> None:
    with Visitor(gateway, bot="pages") as visitor:
        visitor.send("message", id="m1", text=f"{site}/a {site}/gone {site}/slow")
        first = visitor.expect("message", text="Fetching 3 pages…")
        deadline = time.monotonic() + 15
        while "3 pages in" not in visitor.words[first["seq"]]["text"]:
            assert time.monotonic() < deadline, json.dumps(visitor.frames)
            visitor.quiet(0.1)
        shown = [
            frame["text"] for frame in visitor.frames if frame["type"] == "message" and frame["seq"] == first["seq"]
        ]
        assert shown[1].startswith("2 of 3 pages…")
        lines = shown[-1].splitlines()
        assert lines[2].startswith(f"✓ Page /a ({site}/a), ")
        assert lines[3] == f"✗ {site}/gone: 404 Not Found"
        assert lines[4].startswith(f"✓ Page /slow ({site}/slow), ")
        assert set(visitor.words) == {1, first["seq"]}


def test_the_demo_page_lets_a_visitor_choose(gateway: GatewayProcess) -> None:
    page = gateway.body("/?bot=desk")
    assert 'src="/widget.js" data-bot="desk"' in page
    assert [name for name in ("bot", "survey", "pages", "desk") if f'href="/?bot={name}"' in page] == [
        "bot", "survey", "pages", "desk",
    ]  # fmt: skip
    for url in ("/", "/?bot=", "/?bot=nobody", "/?bot=%22%3E%3Cscript%3E"):
        assert 'src="/widget.js" data-bot="bot"' in gateway.body(url)
