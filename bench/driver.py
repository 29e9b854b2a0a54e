"""The outside of what is measured, in a process of its own: the Bot API, Telegram's webhooks, visitors, operators.

Reads a command a line as JSON from its input, `{"do": name, "token": …, …}`, and answers each with a line.
"""

import asyncio
import json
import sys
import threading
import time
from collections.abc import Awaitable, Callable
from typing import Any

import uvloop

from bench import load, sockets
from bench.bot_api import Bot, BotApi
from bench.usage import usage
from bench.webhooks import address

Command = dict[str, Any]
ARRIVAL_SECONDS = 60.0
LONGEST_SECONDS = 60.0


async def arrived(bot: Bot, *, way: str) -> dict[str, Any]:
    """Returns once the bot has polled, or its webhook is registered and listens."""
    event = bot.polled if way == "polling" else bot.registered
    await asyncio.wait_for(event.wait(), ARRIVAL_SECONDS)
    if way == "webhook":
        await asyncio.wait_for(listens(bot.webhook_url), ARRIVAL_SECONDS)
    return {}


async def listens(url: str) -> None:
    while True:
        try:
            _, writer = await asyncio.open_connection(*address(url))
        except OSError:
            await asyncio.sleep(0.05)  # Libraries register their webhook before they listen.
        else:
            writer.close()
            return


async def conversations(bot: Bot, pid: int, *, count: int, settle: float) -> load.Result:
    """So many new ones, each said one thing to; then what they hold and cost when nobody speaks."""
    await load.flood(bot, pid, way="webhook", chats=50, connections=50, window=200, delay=0, warm=0, seconds=1)
    await asyncio.sleep(1.0)
    before = usage(pid)
    new = load.WebhookLoad(bot, chats=0, window=200)
    await new.start(50)
    deadline = time.perf_counter() + LONGEST_SECONDS
    while new.echoes < count and time.perf_counter() < deadline:  # noqa: ASYNC110  # looked at a hundred times a second
        await asyncio.sleep(0.01)
    used, born = usage(pid).since(before), new.echoes
    await new.finish(patience=10)
    await asyncio.sleep(1.0)
    quiet = usage(pid)
    await asyncio.sleep(settle)
    after = usage(pid)
    new.close()
    idle = after.since(quiet)
    return {
        "conversations": new.echoes,
        "per_second": round(born / used.clock, 1),
        "us": round(used.processor / born, 1),
        "kib_each": round(after.since(before).resident / new.echoes, 1),
        "idle_busy": round(idle.processor / idle.clock / 1e6, 4),
    }


OF_A_BOT: dict[str, Callable[..., Awaitable[dict[str, Any]]]] = {
    "arrived": arrived,
    "flood": load.flood,
    "spread": load.spread,
    "pace": load.pace,
    "burst": load.burst,
    "conversations": conversations,
}
OF_SOCKETS: dict[str, Callable[..., Awaitable[dict[str, Any]]]] = {
    "talk": sockets.talk,
    "idle": sockets.idle,
    "idle_over": sockets.idle_over,
    "fan_out": sockets.fan_out,
}


async def run(api: BotApi, command: Command) -> dict[str, Any]:
    name = command.pop("do")
    if name in OF_SOCKETS:
        return await OF_SOCKETS[name](**command)
    return await OF_A_BOT[name](api.bot(command.pop("token")), **command)


async def answer(api: BotApi, line: str) -> str:
    try:
        return json.dumps(await run(api, json.loads(line)))
    except Exception as error:
        return json.dumps({"error": f"{type(error).__name__}: {error}"})


async def main() -> None:
    loop, lines = asyncio.get_running_loop(), asyncio.Queue[str]()

    def read() -> None:
        for line in sys.stdin:
            loop.call_soon_threadsafe(lines.put_nowait, line)
        loop.call_soon_threadsafe(lines.put_nowait, "")

    api = BotApi()
    print(json.dumps({"port": await api.listen()}), flush=True)
    threading.Thread(target=read, daemon=True).start()
    while line := await lines.get():
        print(await answer(api, line), flush=True)


if __name__ == "__main__":
    uvloop.run(main())
