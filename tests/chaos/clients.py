"""What several runs do from outside: post an update, wait for answers, look at the clock."""

import http.client
import json
import time
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import count
from typing import Any

from tests.chaos.lab import Lab
from tests.fake_telegram import FakeUser
from tests.gateway_process import GatewayProcess

SECRET = "only-telegram-knows"
ids = count(700_000_001)


@dataclass(frozen=True)
class Posted:
    """`status` 0: the line broke without an answer."""

    update_id: int
    status: int
    retry_after: str | None
    seconds: float


def an_update(chat: int, text: str) -> dict[str, Any]:
    person = {"id": chat, "is_bot": False, "first_name": "Ada"}
    content = {"message_id": 1, "date": 1_790_000_000, "chat": {"id": chat, "type": "private"}, "from": person}
    return {"update_id": next(ids), "message": {**content, "text": text}}


def post(gateway: GatewayProcess, update: dict[str, Any], within: float = 60) -> Posted:
    """Sends it to the webhook once, as Telegram would; the secret is that of SECRET."""
    connection = http.client.HTTPConnection("127.0.0.1", gateway.port, timeout=within)
    headers = {"Content-Type": "application/json", "X-Telegram-Bot-Api-Secret-Token": SECRET}
    began = time.monotonic()
    try:
        connection.request("POST", "/telegram/bot/", json.dumps(update), headers)
        answer = connection.getresponse()
        status, retry_after = answer.status, answer.getheader("Retry-After")
    except (OSError, http.client.HTTPException):
        status, retry_after = 0, None
    finally:
        connection.close()
    return Posted(update["update_id"], status, retry_after, time.monotonic() - began)


def answered(people: Sequence[FakeUser], times: int) -> bool:
    return all(len(person.answers) >= times for person in people)


def latencies(here: Lab, people: Sequence[FakeUser], word: str, pause: float = 0.02) -> list[float]:
    """Everybody says it once, one after the other; the seconds until each answer reached Telegram, shortest first.

    AssertionError where somebody gets none.
    """
    said, before = {}, {person.id: len(person.answers) for person in people}
    began = len(here.telegram.calls)
    for person in people:
        said[person.id] = time.monotonic()
        person.says(word)
        time.sleep(pause)
    here.wait(lambda: all(len(one.answers) > before[one.id] for one in people), f"an answer to everybody's {word!r}")
    heard: dict[int, float] = {}
    for call in list(here.telegram.calls)[began:]:
        if call.method.lower() == "sendmessage" and call.chat_id in said:
            heard.setdefault(call.chat_id, call.began)
    return sorted(heard[chat] - said[chat] for chat in said)


def p99(sorted_seconds: Sequence[float]) -> float:
    return sorted_seconds[min(int(len(sorted_seconds) * 0.99), len(sorted_seconds) - 1)]
