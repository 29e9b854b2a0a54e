"""What a log line says, what it is about, and that it never holds what people wrote."""

import json
import logging
import re
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from channels.consumer import SyncConsumer
from django.db import OperationalError
from django.test import Client

from gateway import logs
from gateway.errors import Unknown
from gateway.models import Conversation
from gateway.redact import Redact
from gateway.watch import WELL_SECONDS, Watch
from tests.communicator import Chat, until
from tests.engine_moments import outside
from tests.engines import StartEngine, start
from tests.fake_telegram import FakeTelegram
from tests.gateway_process import ROOT, GatewayProcess
from tests.outside.clients import Operator, Visitor, make_operators

__all__ = ["start"]

StartGateway = Callable[..., GatewayProcess]
MARK = "MARKED-xyzzy"
FORM = "application/x-www-form-urlencoded"


class Kept(logging.Handler):
    """The records, filtered and formatted as the product does it."""

    def __init__(self, kind: str, *, debug: bool = False) -> None:
        super().__init__()
        self.lines: list[str] = []
        self.setFormatter(logs.formatter(kind))
        for rule in (logs.Mistakes(), logs.Context(), logs.Wordless(debug=debug), Redact()):
            self.addFilter(rule)

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(self.format(record))

    def objects(self, **wanted: str) -> list[dict[str, Any]]:
        found = [json.loads(line) for line in self.lines]
        return [line for line in found if all(line.get(key) == value for key, value in wanted.items())]


touched: dict[str, tuple[list[logging.Handler], bool, int]] = {}


@pytest.fixture(autouse=True)
def loggers_as_they_were() -> Iterator[None]:
    yield
    for name, (handlers, propagate, level) in touched.items():
        logger = logging.getLogger(name)
        logger.handlers, logger.propagate = handlers, propagate
        logger.setLevel(level)
    touched.clear()


def log_to(kept: Kept, name: str = "gateway.example") -> logging.Logger:
    """The logger of that name writes there, and nowhere else, until the test ends."""
    logger = logging.getLogger(name)
    touched.setdefault(name, (logger.handlers, logger.propagate, logger.level))
    logger.handlers, logger.propagate = [kept], False
    logger.setLevel(logging.DEBUG)
    return logger


def failing(error: Exception) -> Exception:
    try:
        raise error
    except Exception as raised:
        return raised


# One line


def test_json_has_the_facts_and_the_ids() -> None:
    kept = Kept("json")
    log_to(kept).error("Row %s is %s", 7, "ill", extra=logs.event("dead_letter", row=7, bot="bot"))
    (line,) = kept.objects()
    assert line.pop("time").endswith("+00:00")
    assert line.pop("node") == logs.NODE
    assert line == {
        "level": "error", "logger": "gateway.example", "message": "Row 7 is ill", "event": "dead_letter", "row": 7,
        "bot": "bot",
    }  # fmt: skip


def test_what_is_about_nothing_has_no_ids() -> None:
    kept = Kept("json")
    log_to(kept).info("Hello\nand more")
    (line,) = kept.objects()
    assert set(line) == {"time", "level", "logger", "node", "message"}
    assert len(kept.lines[0].splitlines()) == 1


def test_a_line_has_the_events_name_at_its_end() -> None:
    kept = Kept("line")
    logger = log_to(kept)
    logger.error("It is ill", extra=logs.event("dead_letter", row=7))
    logger.error("It is well")
    assert kept.lines[0].endswith("ERROR   gateway.example: It is ill [dead_letter]")
    assert kept.lines[1].endswith("ERROR   gateway.example: It is well")


@pytest.mark.parametrize("kind", ["line", "json"])
def test_tokens_are_left_out_of_words_and_tracebacks(kind: str) -> None:
    kept, token = Kept(kind), "123456789:AAexample-of-a-token-that-is-none-0"
    error = failing(OSError(f"no route to /bot{token}/getMe"))
    log_to(kept).error("Calling %s", token, exc_info=error, extra=logs.event("x", part=token))
    assert token not in kept.lines[0]
    assert "<token>" in kept.lines[0]


@pytest.mark.parametrize("letter", ["x", "7", "x-", "7:", "x:", "sessionid="])
def test_a_long_word_in_a_line_holds_nobody_up(letter: str) -> None:
    kept = Kept("line")
    began = time.thread_time()
    log_to(kept).error("%s", letter * 100_000)
    assert time.thread_time() - began < 1
    assert len(kept.lines) == 1


@pytest.mark.parametrize("kind", ["line", "json"])
def test_an_exceptions_words_are_left_out_of_ours_and_its_place_is_not(kind: str) -> None:
    kept = Kept(kind)
    log_to(kept).error("It failed", exc_info=failing(ValueError(MARK)))
    log_to(kept).error("It failed", exc_info=failing(OperationalError("disk I/O error")))
    assert MARK not in kept.lines[0]
    assert "ValueError" in kept.lines[0]
    assert "test_logs.py" in kept.lines[0]
    assert "disk I/O error" in kept.lines[1]


def test_with_debug_and_in_a_bots_own_lines_they_stay() -> None:
    developing, producing = Kept("line", debug=True), Kept("line")
    log_to(developing).error("It failed", exc_info=failing(ValueError("why")))
    log_to(producing, "bots.example").error("It failed", exc_info=failing(ValueError("why")))
    assert "why" in developing.lines[0]
    assert "why" in producing.lines[0]


# What strangers do wrong

MULTIPART = "multipart/form-data; boundary=x\0"
MISTAKEN: dict[str, Callable[[Client], Any]] = {
    "ALLOWED_HOSTS": lambda browser: browser.get("/", headers={"host": "evil.example"}),
    "GET/POST parameters exceeded": lambda browser: browser.post("/console/login/", "a=1&" * 1001, FORM),
    "Unable to parse request body": lambda browser: browser.post("/console/login/", b"--x\r\nnonsense", MULTIPART),
    "Not Found": lambda browser: browser.get("/nothing-here"),
}  # fmt: skip


@pytest.mark.django_db
@pytest.mark.parametrize("told", MISTAKEN)
def test_a_strangers_mistake_is_a_plain_line_and_no_flood_of_them(client: Client, told: str) -> None:
    kept = Kept("line")
    log_to(kept, "django")
    assert {MISTAKEN[told](client).status_code for _ in range(40)} <= {400, 404}
    assert len(kept.lines) == 10
    for line in kept.lines:
        assert told in line
        assert "WARNING" in line
        assert len(line.splitlines()) == 1


def test_how_many_were_left_out_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    kept = Kept("line")
    logger = log_to(kept, "django.security.DisallowedHost")
    for _ in range(14):
        logger.error("Invalid HTTP_HOST header: %r" % ("x" * 9000), extra={"status_code": 400})
    now = time.monotonic()
    monkeypatch.setattr("gateway.limits.time.monotonic", lambda: now + 61)
    logger.error("Invalid HTTP_HOST header: 'y'", extra={"status_code": 400})
    assert len(kept.lines) == 11
    assert len(kept.lines[0]) < 700
    assert kept.lines[-1].endswith("Invalid HTTP_HOST header: 'y' (and 4 more like it)")


def test_a_fault_of_ours_keeps_its_traceback(settings: Any) -> None:
    kept = Kept("line")
    for _ in range(20):
        log_to(kept, "django.request").error("It failed", exc_info=failing(ValueError()), extra={"status_code": 500})
    assert "".join(kept.lines).count("Traceback") == 20
    assert settings.LOGGING["handlers"]["console"]["filters"][0] == "mistakes"


# What a line is about


class Talkative(SyncConsumer):
    def telegram_message(self, event: dict[str, Any]) -> None:
        logging.getLogger("bots.example").info("I have heard something")
        if event["text"] == "raise":
            raise ValueError(event["text"])
        if event["text"] == "dawdle":
            time.sleep(1)
        self.send({"type": "telegram.message", "text": "yes"})


@pytest.mark.django_db(transaction=True)
async def test_a_bots_own_line_names_the_conversation(start: StartEngine) -> None:
    kept = Kept("json")
    log_to(kept, "bots.example")
    engine = await start(Talkative.as_asgi())
    for number in (1, 2):
        await Chat(engine, number).says("hello")
        await Chat(engine, number).heard(1)
    for number in (1, 2):
        (row,) = await Chat(engine, number).rows(direction="in")
        about = {"conversation": str(row.conversation.uuid), "bot": "bot", "protocol": "telegram"}
        (line,) = kept.objects(**about)
        assert line["row"] == row.pk


class Vanishing(SyncConsumer):
    """Says something in a conversation that is gone."""

    def telegram_message(self, event: dict[str, Any]) -> None:
        Conversation.objects.filter(uuid=self.scope["conversation"]).delete()
        self.send({"type": "telegram.message", "text": MARK})


@pytest.mark.django_db(transaction=True)
async def test_what_cannot_be_written_names_the_conversation(start: StartEngine) -> None:
    kept = Kept("json")
    log_to(kept, "gateway.lane")
    engine = await start(Vanishing.as_asgi())
    await Chat(engine, 1).says("hello")
    await until(lambda: kept.objects(level="info"), "a line", lambda: kept.lines)
    (line, *_) = kept.objects(level="info")
    assert len(line["conversation"]) == 36
    assert line["bot"] == "bot"
    assert MARK not in kept.lines[0]


@pytest.mark.django_db(transaction=True)
async def test_alarms_have_names_and_ids(start: StartEngine) -> None:
    kept = Kept("json")
    for name in ("gateway.failures", "gateway.metrics"):
        log_to(kept, name)
    engine = await start(Talkative.as_asgi())
    chat = Chat(engine, 1)
    await chat.says("raise")
    await engine.accept([chat.inbound(MARK, error="Nobody understands it.")])
    await until(lambda: len(kept.objects()) >= 2, "two alarms", lambda: kept.lines)
    failed, dead = await chat.rows(direction="in")
    (line,) = kept.objects(event="handler_failed", level="error")
    assert (line["row"], line["conversation"], line["bot"]) == (failed.pk, str(failed.conversation.uuid), "bot")
    (line,) = kept.objects(event="dead_letter", level="error")
    assert (line["row"], line["conversation"], line["bot"]) == (dead.pk, str(dead.conversation.uuid), "bot")


@pytest.mark.django_db(transaction=True)
async def test_a_slow_handler_and_an_unknown_send_are_alarms_too(start: StartEngine) -> None:
    kept = Kept("json")
    for name in ("gateway.failures", "gateway.outbox"):
        log_to(kept, name)
    engine = await start(Talkative.as_asgi(), SLOW_HANDLER_SECONDS=0.2)
    outside(engine).faults = [Unknown("The line was cut.")]
    chat = Chat(engine, 1)
    await chat.says("dawdle")
    await until(lambda: kept.objects(event="unknown_send"), "an unknown send", lambda: kept.lines)
    (row,) = await chat.rows(direction="in")
    (line,) = kept.objects(event="slow_handler", level="error")
    assert (line["row"], line["conversation"]) == (row.pk, str(row.conversation.uuid))
    assert "test_logs.py" in line["message"]
    (line,) = kept.objects(event="unknown_send", level="error")
    assert (line["bot"], line["protocol"]) == ("bot", "telegram")
    assert line["row"] > row.pk


def test_every_alarm_is_in_the_documentation() -> None:
    text = Path(ROOT, "docs", "operations.md").read_text(encoding="utf-8")
    source = "".join(path.read_text(encoding="utf-8") for path in Path(ROOT, "gateway").rglob("*.py"))
    names = set(re.findall(r'event\(\s*"(\w+)"', source)) | {"database_trouble", "layer_trouble", "telegram_trouble"}
    assert {"lost_lease", "dead_letter", "slow_handler", "pool_full", "unknown_send", "handler_failed"} <= names
    assert not [name for name in names if f"`{name}`" not in text]


def test_a_part_that_falls_ill_is_told_once_and_so_is_its_recovery() -> None:
    kept = Kept("json")
    log_to(kept, "gateway.watch")
    watch = Watch(engine=None)  # type: ignore[arg-type]
    for moment in range(5):
        watch.look({"telegram bot": "No word from Telegram."}, moment)
    for moment in range(5, 7):  # Comes and goes.
        watch.look({}, moment)
    watch.look({"telegram bot": "No word from Telegram."}, 7)
    (line,) = kept.objects()
    assert (line["event"], line["level"], line["part"]) == ("telegram_trouble", "error", "telegram bot")
    watch.look({}, 7 + WELL_SECONDS)
    assert [line["event"] for line in kept.objects()] == ["telegram_trouble", "telegram_well"]


# A whole gateway


def talk(gateway: GatewayProcess, telegram: FakeTelegram) -> None:
    """Everybody says the mark: a user, a visitor, an operator; in words, names, edits, failures."""
    ada = telegram.user(7, f"{MARK} name", username=f"{MARK}user")
    said = ada.says(f"{MARK} words")
    telegram.wait(lambda: ada.answers)
    ada.edits(said, f"{MARK} edited")
    with Operator(gateway, "olga") as olga, Visitor(gateway) as visitor:
        visitor.send("message", id="1", text=f"{MARK} from the web")
        visitor.expect("message", sender="bot")
        visitor.send("message", id="2", text=f"raise {MARK}")
        about = olga.expect("conversation", protocol="telegram")
        olga.send("take", conversation=about["conversation"])
        olga.expect("conversation", conversation=about["conversation"], state="held")
        olga.send("say", conversation=about["conversation"], id="o1", text=f"{MARK} from an operator", seen=9)
        olga.expect("ack", id="o1")
        olga.send("release", conversation=about["conversation"])
        olga.expect("conversation", conversation=about["conversation"], holder=None)
        visitor.expect("message", sender="system")
    before = len(ada.answers)
    ada.says(f"raise {MARK}")
    ada.says(f"task {MARK}")
    ada.says(f"{MARK} \x00 and the end")
    telegram.wait(lambda: any("and the end" in answer for answer in ada.answers[before:]))


@pytest.mark.timeout(90)
def test_at_debug_no_word_of_anybody_is_logged(
    telegram: FakeTelegram, start_gateway: StartGateway, server: str
) -> None:
    env = {"LOG_LEVEL": "DEBUG", "LOG_FORMAT": "json"}
    gateway = start_gateway(env, application="tattling", server=server)
    make_operators(gateway, "olga")
    talk(gateway, telegram)
    gateway.terminate()
    log = gateway.log_text()
    assert MARK not in log
    lines = [json.loads(line) for line in log.splitlines() if line.startswith("{")]
    assert {"handler_failed"} <= {line.get("event") for line in lines}
    assert any(line["message"] == "Somebody has said something." and line["conversation"] for line in lines)
    (failed, *_) = [line for line in lines if line.get("event") == "handler_failed"]
    assert "ValueError" in failed["error"]


@pytest.mark.timeout(90)
def test_a_developers_gateway_logs_no_statement_either(telegram: FakeTelegram, start_gateway: StartGateway) -> None:
    """With DEBUG on Django keeps every statement, with the words in it, and would log it."""
    gateway = start_gateway({"LOG_LEVEL": "DEBUG", "DEBUG": "on"}, application="chatty")
    ada = telegram.user(7)
    ada.says(MARK)
    telegram.wait(lambda: ada.answers)
    assert gateway.status("/console/login/") == 200
    gateway.terminate()
    assert MARK not in gateway.log_text()
