"""The fake keeps Telegram's rules about updates, seen by a plain HTTP client."""

import asyncio
from typing import Any

import aiohttp

from tests.conftest import Caller
from tests.fake_telegram import (
    KINDS,
    FakeTelegram,
    Tally,
    in_thread,
    one_of_each_kind,
    tally,
    wire_token,
)
from tests.fake_telegram.threads import outage


def ids(answer: tuple[int, dict[str, Any]]) -> list[int]:
    status, body = answer
    assert status == 200
    return [update["update_id"] for update in body["result"]]


async def test_an_unknown_token_is_401_and_a_strange_path_404(fake: FakeTelegram, call: Caller) -> None:
    assert await call("getMe", token=wire_token(99)) == (
        401,
        {"ok": False, "error_code": 401, "description": "Unauthorized"},
    )
    async with aiohttp.ClientSession() as session, session.get(f"{fake.url}/else") as response:
        assert response.status == 404


async def test_an_offset_confirms_everything_below_it(fake: FakeTelegram, call: Caller) -> None:
    ada = fake.user(7)
    for n in range(5):
        ada.says(str(n))
    first = ids(await call("getUpdates"))
    assert len(first) == 5
    assert ids(await call("getUpdates")) == first
    assert ids(await call("getUpdates", offset=first[2])) == first[2:]
    assert ids(await call("getUpdates", offset=0)) == first[2:]
    assert ids(await call("getUpdates", offset=first[-1] + 1)) == []
    assert fake.bot.updates.confirmed == first


async def test_a_negative_offset_forgets_all_but_the_last(fake: FakeTelegram, call: Caller) -> None:
    for n in range(5):
        fake.user(7).says(str(n))
    last = ids(await call("getUpdates", offset=-2))
    assert len(last) == 2
    assert ids(await call("getUpdates")) == last


async def test_the_limit_holds_and_a_wrong_one_means_100(fake: FakeTelegram, call: Caller) -> None:
    for n in range(120):
        fake.user(7).says(str(n))
    assert len(ids(await call("getUpdates", limit=3))) == 3
    assert len(ids(await call("getUpdates", limit=100))) == 100
    assert len(ids(await call("getUpdates", limit=500))) == 100


async def test_a_long_poll_ends_with_the_first_update(fake: FakeTelegram, call: Caller) -> None:
    poll = asyncio.create_task(call("getUpdates", timeout=30))
    await fake.wait_for(lambda: fake.bot.updates.poll)
    assert not poll.done()
    fake.user(7).says("hi")
    assert len(ids(await asyncio.wait_for(poll, 5))) == 1


async def test_the_older_of_two_polls_ends_with_409(fake: FakeTelegram, call: Caller) -> None:
    older = asyncio.create_task(call("getUpdates", timeout=30))
    await fake.wait_for(lambda: fake.bot.updates.poll)
    newer = asyncio.create_task(call("getUpdates", timeout=30))
    status, body = await asyncio.wait_for(older, 5)
    assert (status, body["error_code"]) == (409, 409)
    assert "terminated by other getUpdates request" in body["description"]
    fake.user(7).says("hi")
    assert len(ids(await asyncio.wait_for(newer, 5))) == 1


async def test_a_poll_whose_client_is_gone_is_no_conflict(fake: FakeTelegram, call: Caller) -> None:
    poll = asyncio.create_task(call("getUpdates", timeout=30))
    await fake.wait_for(lambda: fake.bot.updates.poll)
    poll.cancel()
    await fake.wait_for(lambda: fake.bot.updates.poll is None)
    fake.user(7).says("hi")
    assert len(ids(await call("getUpdates"))) == 1


async def test_a_webhook_and_polling_exclude_each_other(fake: FakeTelegram, call: Caller) -> None:
    poll = asyncio.create_task(call("getUpdates", timeout=30))
    await fake.wait_for(lambda: fake.bot.updates.poll)
    assert (await call("setWebhook", url="http://127.0.0.1:9/x"))[0] == 200
    assert (await asyncio.wait_for(poll, 5))[0] == 409
    status, body = await call("getUpdates")
    assert status == 409
    assert "webhook is active" in body["description"]
    assert (await call("deleteWebhook"))[0] == 200
    assert ids(await call("getUpdates")) == []


async def test_allowed_updates_are_remembered_and_concern_later_updates(fake: FakeTelegram, call: Caller) -> None:
    samples = one_of_each_kind(fake.user(7))
    assert fake.put(samples["message_reaction"]) is None
    assert fake.put(samples["message"]) is not None
    await call("getUpdates", allowed_updates=["message_reaction"])
    assert fake.put(samples["message"]) is None
    await call("getUpdates")
    assert fake.put(samples["message_reaction"]) is not None
    assert fake.put(samples["message"], force=True) is not None
    assert len(ids(await call("getUpdates"))) == 3


def test_there_is_a_sample_of_every_kind() -> None:
    samples = one_of_each_kind(FakeTelegram().user(7))
    assert set(samples) == set(KINDS)
    assert len(KINDS) == 26


def test_from_a_synchronous_test_and_through_an_outage() -> None:
    with in_thread(FakeTelegram()) as fake:
        port = fake.port
        fake.user(7).says("hi")
        with outage(fake):
            fake.user(7).says("while away")
        assert fake.port == port
        assert asyncio.run(poll_once(fake)) == ["hi", "while away"]


async def poll_once(fake: FakeTelegram) -> list[str]:
    url = f"{fake.url}/bot{fake.token}/getUpdates"
    async with aiohttp.ClientSession() as session, session.get(url) as response:
        return [update["message"]["text"] for update in (await response.json())["result"]]


def test_the_tally() -> None:
    assert tally({1: ["a", "b"]}, {1: ["a", "b"]}).exact
    assert tally({1: ["a", "a"]}, {1: ["a", "a"]}).exact
    lost = tally({1: ["a", "b", "c"]}, {1: ["c", "a", "a"], 2: ["x"]})
    assert lost == Tally(missing={1: ["b"]}, doubled={1: ["a"]}, foreign={2: ["x"]}, disordered=[1])
    assert tally({1: ["a", "b"]}, {1: ["a", "b", "a"]}).disordered == []
    assert tally({1: ["a", "b"]}, {1: ["a", "b", "a"]}).doubles == 1
