"""People who go on talking while somebody looks: on the web through the real socket, on Telegram through the demo's."""

import asyncio
import contextlib
import itertools
import os
import random
import threading
from collections.abc import Awaitable, Callable

import aiohttp

from demo import words
from demo.telegram import Telegram

WEB, TELEGRAM = 4, 3
BOTS = ("bot", "desk")
chance = random.Random()  # noqa: S311  # a story, no secret
numbers = itertools.count(1)


def start(port: str, telegram: Telegram) -> None:
    """In a thread of its own, which ends with the process."""
    run = threading.Thread(target=lambda: asyncio.run(talk(port, telegram)), daemon=True, name="visitors")
    run.start()


async def talk(port: str, telegram: Telegram) -> None:
    await asyncio.sleep(5)
    await asyncio.gather(
        *(for_ever(lambda: on_the_web(port)) for _ in range(WEB)),
        *(for_ever(lambda: on_telegram(telegram)) for _ in range(TELEGRAM)),
    )


async def for_ever(visit: Callable[[], Awaitable[None]]) -> None:
    while True:
        # The gateway may be starting, or stopping: somebody comes again.
        with contextlib.suppress(aiohttp.ClientError, OSError):
            await visit()
        await asyncio.sleep(chance.uniform(4, 20))


async def on_the_web(port: str) -> None:
    origin = f"http://127.0.0.1:{port}"
    headers, address = {"Accept-Language": chance.choice(words.NAMES)[1]}, f"{origin}/ws/chat/"
    async with aiohttp.ClientSession(headers=headers) as session, session.ws_connect(address, origin=origin) as socket:
        await socket.send_json({"type": "hello", "token": None, "since": 0, "bot": chance.choice(BOTS)})
        for line in chance.choice(words.SCRIPTS):
            await socket.send_json({"type": "typing"})
            await asyncio.sleep(thinking(line))
            await socket.send_json({"type": "message", "id": f"demo-{next(numbers)}", "text": line})
        await asyncio.sleep(chance.uniform(5, 40))


async def on_telegram(telegram: Telegram) -> None:
    name, language = chance.choice(words.NAMES)
    number = 5_000_000 + chance.randrange(400)
    person = {"id": number, "is_bot": False, "first_name": name, "language_code": language}
    token = chance.choice([os.environ["TELEGRAM_BOT_TOKEN"], os.environ["TELEGRAM_BOTS"].partition("=")[2]])
    for line in chance.choice(words.SCRIPTS):
        await asyncio.sleep(thinking(line))
        telegram.write(token, person, line)


def thinking(line: str) -> float:
    return chance.uniform(2, 5) + len(line) / 12
