import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from aiohttp import web

from gateway.telegram import polling
from gateway.telegram.backoff import Backoff
from gateway.telegram.bots import TelegramBot
from gateway.telegram.contact import Contact
from gateway.telegram.kinds import ALL_KINDS
from gateway.telegram.polling import Poller
from tests.telegram_stand_in import TOKEN, BotApi, Failure, StandInEngine, bot_api, client_of, raw, until
from tests.telegram_updates import message


def update(update_id: Any, **more: Any) -> dict[str, Any]:
    return {"update_id": update_id, "message": message(**more)}


class Polling:
    """A poller at work against a Bot API."""

    def __init__(self, api: BotApi, engine: StandInEngine, poller: Poller, task: asyncio.Task[None]) -> None:
        self.api, self.engine, self.poller, self.task = api, engine, poller, task

    @property
    def offsets(self) -> list[int | None]:
        return [params.get("offset") for params in self.api.of("getUpdates")]

    @property
    def ids(self) -> list[int | None]:
        return [inbound.update_id for inbound in self.engine.accepted]

    async def polls(self, count: int) -> None:
        await until(lambda: len(self.offsets) >= count)


@asynccontextmanager
async def polling_of(
    script: list[Any], *, engine: StandInEngine | None = None, webhook: list[Any] | None = None
) -> AsyncIterator[Polling]:
    engine = engine or StandInEngine()
    async with bot_api() as api, client_of(api.url) as client:
        api.script = {"getUpdates": script, "getWebhookInfo": webhook or []}
        bot = TelegramBot("bot", client, Contact("bot"))
        poller = Poller(bot, engine, Backoff(first=0.02, longest=0.05))  # type: ignore[arg-type]
        task = asyncio.create_task(poller.run())
        try:
            yield Polling(api, engine, poller, task)
        finally:
            await poller.stop(task)


async def test_the_offset_moves_once_the_batch_is_accepted() -> None:
    async with polling_of([[update(7), update(8)], [update(9)]]) as at_work:
        await at_work.polls(3)
        assert at_work.offsets == [None, 9, 10]
        assert at_work.ids == [7, 8, 9]
        assert at_work.engine.batches == 2


async def test_nothing_is_confirmed_while_it_is_being_accepted() -> None:
    engine = StandInEngine(hold=asyncio.Event())
    async with polling_of([[update(7)]], engine=engine) as at_work:
        await until(lambda: engine.batches)
        await asyncio.sleep(0.1)
        assert at_work.offsets == [None]
        assert engine.hold is not None
        engine.hold.set()
        await at_work.polls(2)
        assert at_work.offsets == [None, 8]


async def test_what_is_asked_for() -> None:
    async with polling_of([]) as at_work:
        await at_work.polls(1)
        assert at_work.api.of("getUpdates")[0] == {
            "timeout": 20, "limit": 100, "allowed_updates": ["message", "callback_query", "my_chat_member"],
        }  # fmt: skip
    async with polling_of([], engine=StandInEngine(handled=None)) as at_work:
        await at_work.polls(1)
        assert at_work.api.of("getUpdates")[0]["allowed_updates"] == list(ALL_KINDS)


async def test_what_could_not_be_stored_is_asked_for_again() -> None:
    engine = StandInEngine(unready=2)
    async with polling_of([[update(7)], [update(7)], [update(7)]], engine=engine) as at_work:
        await at_work.polls(4)
        assert at_work.offsets == [None, None, None, 8]
        assert at_work.ids == [7]


@pytest.mark.parametrize("url", ["https://e.example/hook", ""])
async def test_a_webhook_is_removed_before_the_first_poll_and_keeps_what_waits(url: str) -> None:
    async with polling_of([], webhook=[{"url": url}]) as at_work:
        await at_work.polls(1)
        methods = [method for method, _ in at_work.api.calls]
        assert methods == ["getWebhookInfo", *(["deleteWebhook"] if url else []), "getUpdates"]
        assert at_work.api.of("deleteWebhook") == ([{"drop_pending_updates": False}] if url else [])


async def test_a_conflict_is_said_once_and_outlived(caplog: pytest.LogCaptureFixture) -> None:
    conflict = Failure(409, "Conflict: terminated by other getUpdates request")
    async with polling_of([conflict, conflict, conflict, [update(7)]]) as at_work:
        await at_work.polls(5)
        assert at_work.ids == [7]
    assert [record.levelname for record in caplog.records if "409" in record.message] == ["WARNING"]


async def test_a_webhook_set_by_somebody_else_is_removed_again() -> None:
    conflict = Failure(409, "Conflict: can't use getUpdates method while webhook is active")
    async with polling_of([conflict, [update(7)]], webhook=[{"url": ""}, {"url": "https://other"}]) as at_work:
        await until(lambda: at_work.ids == [7])
        assert len(at_work.api.of("deleteWebhook")) == 1


@pytest.mark.parametrize(("code", "description"), [(401, "Unauthorized"), (404, "Not Found")])
async def test_a_refused_token_is_said_and_tried_again(
    code: int, description: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(polling, "REFUSED_PAUSE", 0.02)
    refused = Failure(code, description)
    async with polling_of([refused, refused, [update(7)]]) as at_work:
        await until(lambda: len(at_work.offsets) == 2)
        assert "TELEGRAM_BOT_TOKEN" in at_work.poller.bot.contact.trouble
        await until(lambda: at_work.ids == [7])
        assert at_work.poller.bot.contact.trouble == ""
    assert [record.levelname for record in caplog.records if str(code) in record.message] == ["ERROR"]
    assert TOKEN not in caplog.text


async def abort(request: web.Request) -> web.StreamResponse:
    assert request.transport is not None
    request.transport.abort()
    return web.Response()


@pytest.mark.parametrize(
    "trouble",
    [Failure(500), Failure(400), Failure(429, "Too Many", {"retry_after": 0}), abort, raw(502, b"<html>"), {"a": 1},
     None, raw(200, b"<html>"), "text"],
)  # fmt: skip
async def test_no_trouble_ends_the_poller(trouble: Any) -> None:
    async with polling_of([trouble, trouble, [update(7)]]) as at_work:
        await until(lambda: at_work.ids == [7])


async def test_not_even_what_nobody_expected(monkeypatch: pytest.MonkeyPatch) -> None:
    engine = StandInEngine()
    accept, blows = engine.accept, iter([True])

    async def blow_up(inbounds: Any) -> Any:
        if next(blows, False):
            raise ZeroDivisionError
        return await accept(inbounds)

    monkeypatch.setattr(engine, "accept", blow_up)
    async with polling_of([[update(7)], [update(7)]], engine=engine) as at_work:
        await until(lambda: at_work.ids == [7])


async def test_an_entry_without_a_valid_id_is_left_out_and_counted(caplog: pytest.LogCaptureFixture) -> None:
    batch = ["text", {}, update("7"), update(True), update(2**63), update(8), None]
    async with polling_of([[{"a": 1}], batch]) as at_work:
        await at_work.polls(3)
        assert at_work.ids == [8]
        assert at_work.offsets == [None, None, 9]
        assert at_work.poller.malformed == 7


async def test_what_nobody_understands_is_accepted_as_it_is() -> None:
    async with polling_of([[update(7, chat="?"), update(8)]]) as at_work:
        await at_work.polls(2)
        assert [bool(inbound.error) for inbound in at_work.engine.accepted] == [True, False]


async def test_an_update_that_cannot_be_read_is_passed_and_kept() -> None:
    deep = b'{"update_id":8,"message":' + b"[" * 100_000 + b"]" * 100_000 + b"}"
    entry = b'{"update_id":7,"message":null}'
    both = raw(200, b'{"ok":true,"result":[' + entry + b"," + deep + b"]}")
    alone = raw(200, b'{"ok":true,"result":[' + deep + b"]}")
    async with polling_of([both, [update(7)], alone, alone, [update(9)]]) as at_work:
        await until(lambda: len(at_work.ids) == 3)
        await at_work.polls(6)
        assert at_work.ids == [7, 8, 9]
        assert [bool(inbound.error) for inbound in at_work.engine.accepted] == [False, True, False]
        assert [params["limit"] for params in at_work.api.of("getUpdates")] == [100, 1, 100, 1, 1, 100]
        assert at_work.offsets == [None, None, 8, 8, 9, 10]


async def test_a_stop_calls_a_poll_off() -> None:
    async with polling_of([]) as at_work:
        await at_work.polls(1)
        async with asyncio.timeout(5):
            await at_work.poller.stop(at_work.task)
        assert at_work.task.done()


async def test_a_stop_waits_for_a_batch_that_is_being_accepted() -> None:
    engine = StandInEngine(hold=asyncio.Event())
    async with polling_of([[update(7)]], engine=engine) as at_work:
        await until(lambda: engine.batches)
        stopping = asyncio.create_task(at_work.poller.stop(at_work.task))
        await asyncio.sleep(0.05)
        assert not stopping.done()
        assert engine.hold is not None
        engine.hold.set()
        await stopping
        assert at_work.ids == [7]
        assert at_work.poller.offset == 8
        assert len(at_work.offsets) == 1


def test_pauses_grow_and_differ() -> None:
    backoff = Backoff()
    pauses = [backoff.next() for _ in range(12)]
    assert pauses[0] == 1
    assert all(15 <= pause <= 30 for pause in pauses[5:])
    assert len(set(pauses[5:])) > 1
    assert backoff.next(at_least=99) == 99
    backoff.reset()
    assert backoff.next() == 1


def test_a_long_silence_is_trouble(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    now = 1000.0
    contact = Contact("bot", clock=lambda: now)
    assert (contact.age, contact.trouble) == (None, "")
    now += 44
    contact.failed("No connection.")
    contact.failed("No connection.")
    assert contact.trouble == ""
    now += 2
    assert contact.trouble == "No word from Telegram for 46 s. No connection."
    contact.succeeded()
    now += 5
    assert (contact.age, contact.trouble) == (5, "")
    assert [record.levelname for record in caplog.records] == ["WARNING", "INFO"]
