"""The fake fails as it is told."""

import asyncio
import time
from typing import Any

import aiohttp
import pytest

from tests.conftest import Caller
from tests.fake_telegram import (
    FakeTelegram,
    cut,
    flood,
    half_answer,
    hang,
    refuse,
    server_error,
    slow,
)


async def test_a_flooded_chat_waits_and_its_neighbour_does_not(fake: FakeTelegram, call: Caller) -> None:
    fake.user(7)
    fake.user(8)
    fake.fail(flood(1), chat=7)
    began = time.monotonic()
    status, body = await call("sendMessage", chat_id=7, text="x")
    assert (status, body["parameters"]) == (429, {"retry_after": 1})
    assert (await call("sendMessage", chat_id=8, text="x"))[0] == 200
    assert (await call("sendMessage", chat_id=7, text="too early"))[0] == 429
    assert [sent.early for sent in fake.sends] == [False, False, True]
    await asyncio.sleep(began + 1.05 - time.monotonic())
    assert (await call("sendMessage", chat_id=7, text="now"))[0] == 200


async def test_a_flooded_bot_waits_everywhere(fake: FakeTelegram, call: Caller) -> None:
    fake.user(7)
    fake.user(8)
    fake.fail(flood(30, whole_bot=True), chat=7)
    assert (await call("sendMessage", chat_id=7, text="x"))[0] == 429
    assert (await call("sendMessage", chat_id=8, text="x"))[0] == 429
    assert (await call("getUpdates"))[0] == 200


@pytest.mark.parametrize(
    ("fault", "status", "kind"),
    [
        (server_error(500), 500, "application/json"),
        (server_error(502, html=True), 502, "text/html"),
        (refuse(403, "Forbidden: user is deactivated"), 403, "application/json"),
    ],
)
async def test_refusals_and_errors_do_not_act(fake: FakeTelegram, fault: Any, status: int, kind: str) -> None:
    ada = fake.user(7)
    fake.fail(fault, method="sendMessage", times=2)
    async with aiohttp.ClientSession() as session:
        for expected in (status, status, 200):
            url = f"{fake.url}/bot{fake.token}/sendMessage"
            async with session.post(url, json={"chat_id": 7, "text": "x"}) as response:
                assert response.status == expected
                assert response.content_type == (kind if expected != 200 else "application/json")
    assert ada.answers == ["x"]


@pytest.mark.parametrize(
    ("fault", "acted"),
    [(cut(acting=False), 0), (cut(acting=True), 1), (half_answer(), 1)],
    ids=["before", "after", "half"],
)
async def test_a_broken_line(fake: FakeTelegram, call: Caller, fault: Any, acted: int) -> None:
    ada = fake.user(7)
    fake.fail(fault)
    with pytest.raises(aiohttp.ClientError):
        await call("sendMessage", chat_id=7, text="x")
    assert len(ada.answers) == acted
    assert fake.sends[0].ok == bool(acted)


@pytest.mark.parametrize("acting", [False, True])
async def test_a_hanging_call_stays_under_way(fake: FakeTelegram, call: Caller, acting: bool) -> None:
    ada = fake.user(7)
    fake.fail(hang(acting=acting))
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(call("sendMessage", chat_id=7, text="x"), 0.2)
    assert len(ada.answers) == int(acting)
    await fake.wait_for(lambda: not fake.under_way)


async def test_a_call_is_done_though_its_client_has_died(fake: FakeTelegram, call: Caller) -> None:
    ada = fake.user(7)
    fake.latency = 0.2
    dying = asyncio.create_task(call("sendMessage", chat_id=7, text="x"))
    await fake.wait_for(lambda: fake.under_way)
    dying.cancel()
    await fake.wait_for(lambda: ada.answers == ["x"])


async def test_a_slow_call_acts_at_once(fake: FakeTelegram, call: Caller) -> None:
    ada = fake.user(7)
    fake.fail(slow(0.3))
    waiting = asyncio.create_task(call("sendMessage", chat_id=7, text="x"))
    await fake.wait_for(lambda: ada.answers == ["x"])
    assert not waiting.done()
    assert (await waiting)[0] == 200


async def test_latency_lies_on_both_sides_of_the_act(fake: FakeTelegram, call: Caller) -> None:
    fake.user(7)
    fake.latency = 0.2
    began = time.monotonic()
    await call("sendMessage", chat_id=7, text="x")
    assert time.monotonic() - began >= 0.19
