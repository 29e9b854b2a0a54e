"""The benchmark's own parts, at tiny numbers: what `make bench` says rests on them."""

import asyncio
import json
import os
import xml.etree.ElementTree as ElementTree
from collections.abc import Iterator

import pytest

from bench.__main__ import main
from bench.bot_api import Bot, BotApi
from bench.chart import chart
from bench.contestants import Driver, DriverFailed
from bench.load import Load, PolledLoad, milliseconds
from bench.report import Measured, ratios, tables
from bench.scenarios import Bench, Plan
from bench.steps import STEPS, place_of
from bench.trip import table
from bench.usage import usage

TINY = Plan(rounds=1, warm=0.2, seconds=0.5, conversations=60, sockets=10, watchers=5, settle=0.1, servers=("uvicorn",))


@pytest.fixture
def driver() -> Iterator[Driver]:
    with Driver() as started:
        yield started


@pytest.mark.timeout(120)
def test_a_tiny_run_has_all_its_figures(driver: Driver) -> None:
    figures: Measured = {}

    def note(scenario: str, name: str, measured: dict[str, object]) -> None:
        figures.setdefault(scenario, {}).setdefault(name, []).append(measured)

    bench = Bench(driver, TINY, note)
    with bench.each(["uvicorn", "python-telegram-bot"], "webhook") as ready:
        for one in ready:
            bench.flood("webhook", one)
        gateway = ready[0]
        assert gateway.gateway is not None
        url = gateway.gateway.url
        new = {"token": gateway.token, "count": TINY.conversations, "settle": TINY.settle}
        bench.measure("conversations", "conversations", gateway, **new)
        bench.measure("web round trip", "talk", gateway, url=url, visitors=3, rate=0, warm=0.2, seconds=0.5)
        bench.measure("idle sockets", "idle", gateway, url=url, count=TINY.sockets, settle=0.1)
        bench.fan_out(gateway)
    assert bench.failures == []
    flood = figures["webhook"]["uvicorn"][0]
    assert flood["echoes"] > 0
    assert (flood["inversions"], flood["twice"], flood["refused"]) == (0, 0, 0)
    assert 0 < flood["p50_ms"] <= flood["p95_ms"] <= flood["p99_ms"]
    assert flood["us"] == pytest.approx(flood["user_us"] + flood["system_us"], abs=0.2)
    assert figures["conversations"]["uvicorn"][0]["conversations"] >= TINY.conversations
    assert figures["web round trip"]["uvicorn"][0]["trips"] > 0
    assert figures["fan-out"]["uvicorn"][0]["words"] > 0
    results = {"figures": figures, "ratios": ratios(figures)}
    assert "uvicorn / python-telegram-bot" in results["ratios"]["webhook"]
    shown = tables(results)
    assert [name for name in figures if f"| {name} |" not in shown] == []
    ElementTree.fromstring(chart(json.loads(json.dumps(results))))


def test_what_the_driver_cannot_do_is_said(driver: Driver) -> None:
    with pytest.raises(DriverFailed, match="KeyError"):
        driver.do("dance", token="1:A")


async def test_late_double_and_overtaking_answers_are_told_apart() -> None:
    bot = Bot()
    before = Load(bot, chats=1, window=9)
    late, _ = before.next(0)
    load = Load(bot, chats=1, window=9)
    (first, _), (second, _) = load.next(0), load.next(0)
    for number in (late, second, first, first):
        bot.echoed(number, 1)
    assert (load.echoes, load.inversions, load.twice) == (2, 1, 1)


async def test_polls_get_whole_batches_and_wait_for_room() -> None:
    bot = Bot()
    PolledLoad(bot, chats=10, window=250)
    assert [len(bot.more(100)) for _ in range(3)] == [100, 100, 0]


def test_the_use_of_a_process_is_counted() -> None:
    before = usage(os.getpid())
    while usage(os.getpid()).since(before).processor < 20_000:
        sum(range(10_000))
    assert usage(os.getpid()).since(before).clock >= 0.01


def test_the_median_is_in_milliseconds() -> None:
    assert milliseconds([0.001, 0.002, 0.003])["p50_ms"] == 2.0


def test_a_trip_says_what_its_steps_do_not() -> None:
    steps = {"webhook: the update read": [10, 0.001], "writer: rows loaded": [5, 0.002]}
    trip = table({"steps": steps, "threads": {"loop": 0.004, "writer": 0.002, "handler": 0.001}})
    assert [row[1:] for row in trip["steps"][:2]] == [
        ["the rest of the loop: uvloop, uvicorn's HTTP, tasks", 0.0, 300.0],
        ["writer: rows loaded", 0.5, 200.0],
    ]


@pytest.mark.parametrize(("module", "owner", "function"), [step[1:] for step in STEPS])
def test_every_step_of_the_trip_is_where_it_is_looked_for(module: str, owner: str, function: str) -> None:
    assert callable(getattr(place_of(module, owner), function))


def test_a_group_that_there_is_not_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ONLY", "webhok")
    with pytest.raises(SystemExit, match="no group is named webhok; there are webhook"):
        main()


async def test_a_call_without_a_mark_is_answered() -> None:
    """Whatever else a library asks at its start."""
    port = await BotApi().listen()
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(b"POST /bot1:A/setMyCommands HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n{}")
    assert b'"ok": true' in await asyncio.wait_for(reader.readuntil(b"}"), 10)
    writer.close()
