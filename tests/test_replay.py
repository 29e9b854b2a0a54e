"""Conversations that an earlier release has had, had again: what is said and what is kept must be the same.

RECORD=1 writes down anew what comes of the updates. Whoever does so has changed what people see.
"""

import json
import os
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from channels.routing import ProtocolTypeRouter, URLRouter

from bots.models import FrequentQuestion
from config.asgi import chat_bots
from gateway.models import Conversation
from gateway.telegram.updates import parse
from gateway.testing.outside import Outside
from gateway.testing.run import Run
from tests.fake_telegram import FakeTelegram, in_thread, wire_token
from tests.gateway_process import NAME, GatewayProcess

pytestmark = pytest.mark.django_db(transaction=True)

RECORDED = Path(__file__).parent / "recorded" / "conversations.json"
ROWS = Path(__file__).parent / "recorded" / "rows_of_0010.sql"
MIGRATED = "SELECT name FROM django_migrations WHERE app = 'gateway'"
KNOWN = (
    (1, "What are your opening hours?", "open close time", "9 to 17."),
    (2, "Can I get a refund?", "money back, return", "Within 14 days."),
)

Recording = list[dict[str, Any]]


async def had_again(recorded: Recording) -> Recording:
    """One update after the other, so that the outside's ids are the same as well."""
    await FrequentQuestion.objects.all().adelete()
    for pk, question, keywords, answer in KNOWN:
        await FrequentQuestion.objects.acreate(pk=pk, question=question, keywords=keywords, answer=answer)
    async with Run(ProtocolTypeRouter({"telegram": URLRouter(chat_bots)}), patience=60) as run:
        return [await one_again(run, one) for one in recorded]


async def one_again(run: Run, recorded: dict[str, Any]) -> dict[str, Any]:
    outside = run.engine.protocols["telegram"]
    assert isinstance(outside, Outside)
    steps = []
    for step in recorded["steps"]:
        before = len(outside.sent)
        await run.engine.accept([parse(recorded["bot"], step["update"])])
        await run.quiet()
        said = [[sent.method, sent.params, sent.target] for sent in outside.sent[before:]]
        steps.append({"update": step["update"], "said": said})
    return {**recorded, "steps": steps, "kept": await run.engine.read(kept, recorded["bot"])}


def kept(bot: str) -> list[Any]:
    """Of that bot's conversations so far."""
    found = Conversation.objects.filter(bot__name=bot).order_by("key")
    return [[one.key, one.open, one.session] for one in found]


async def test_recorded_conversations_are_the_same() -> None:
    recorded = json.loads(RECORDED.read_text())
    again = json.loads(json.dumps(await had_again(recorded)))
    if os.environ.get("RECORD"):
        RECORDED.write_text(as_lines(again))
        return
    assert again == recorded
    assert sum(len(step["said"]) for one in recorded for step in one["steps"]) > 25


def as_lines(recording: Recording) -> str:
    """A line for each update: a difference can be read."""
    return "[\n" + ",\n".join(map(as_block, recording)) + "\n]\n"


def as_block(one: dict[str, Any]) -> str:
    steps = ",\n".join("  " + shown(step) for step in one["steps"])
    head = ", ".join(f"{shown(name)}: {shown(value)}" for name, value in one.items() if name not in ("steps", "kept"))
    return f'{{{head}, "steps": [\n{steps}\n], "kept": {shown(one["kept"])}}}'


def shown(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)


# Rows of the release before


def test_rows_of_the_release_before_go_on(tmp_path: Path) -> None:
    """In the middle of a survey one answer is queued, and one word is in hand."""
    with closing(sqlite3.connect(tmp_path / NAME)) as database:
        database.executescript(ROWS.read_text())
        before = set(database.execute(MIGRATED))
    with in_thread(FakeTelegram({"survey": wire_token(22)})) as telegram:
        dot = telegram.user(22, "Dot")
        tokens = {"TELEGRAM_API_URL": telegram.url, "TELEGRAM_BOTS": f"survey={telegram.token}"}
        gateway = GatewayProcess({"FLOOD_LIMITS": "off", **tokens}, data_dir=tmp_path)
        gateway.manage("migrate")
        with gateway:
            telegram.wait(lambda: len(dot.answers) == 2, within=60)
            dot.says("Maybe")
            telegram.wait(lambda: len(dot.answers) == 3, within=60)
            assert gateway.terminate() == 0
    assert dot.answers == [
        "A word from the release before.",
        "Would you use it again?\n✓ Maybe",
        "Anything else that we should know?",
    ]
    with closing(sqlite3.connect(tmp_path / NAME)) as database:
        assert set(database.execute(MIGRATED)) > before
        (session,) = database.execute("SELECT session FROM gateway_conversation").fetchone()
    assert json.loads(session)["answers"] == {"source": "search", "score": 10, "again": "maybe"}
