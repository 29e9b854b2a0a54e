"""Questions that are asked together."""

import asyncio

import pytest

from gateway.web import gathered
from gateway.web.gathered import Gathered

pytestmark = pytest.mark.asyncio


class Database:
    """Answers when it is let, with how often it had been asked by then."""

    def __init__(self) -> None:
        self.asked: list[frozenset[str]] = []
        self.free = asyncio.Semaphore(0)
        self.error: Exception | None = None

    async def read(self, keys: frozenset[str]) -> dict[str, str]:
        self.asked.append(keys)
        number = len(self.asked)
        await self.free.acquire()
        if self.error is not None:
            raise self.error
        return {key: f"{key}{number}" for key in keys}


async def test_what_comes_while_a_question_is_under_way_is_the_next_one() -> None:
    database = Database()
    questions = Gathered(database.read)
    first = asyncio.create_task(questions.ask("a"))
    await asyncio.sleep(0.01)
    later = [asyncio.create_task(questions.ask(key)) for key in ("a", "b", "a")]
    await asyncio.sleep(0.01)
    database.free.release()
    assert await first == "a1"
    database.free.release()
    # What was asked before they came is no answer to them: it may be old.
    assert await asyncio.gather(*later) == ["a2", "b2", "a2"]
    assert database.asked == [{"a"}, {"a", "b"}]


async def test_all_hear_of_an_error_and_the_next_are_asked_anew() -> None:
    database = Database()
    questions, database.error = Gathered(database.read), ValueError()
    both = [asyncio.create_task(questions.ask(key)) for key in ("a", "b")]
    database.free.release()
    assert [type(error) for error in await asyncio.gather(*both, return_exceptions=True)] == [ValueError] * 2
    database.error = None
    database.free.release()
    assert await questions.ask("a") == "a2"


async def test_who_has_gone_takes_no_answer_from_others(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gathered, "LARGEST", 2)
    database = Database()
    questions = Gathered(database.read)
    asking = [asyncio.create_task(questions.ask(key)) for key in ("a", "a", "b")]
    await asyncio.sleep(0.01)
    asking[0].cancel()
    for _ in range(2):
        database.free.release()
    assert await asyncio.gather(*asking[1:]) == ["a1", "b2"]
