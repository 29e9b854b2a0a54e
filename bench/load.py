"""Updates for one bot, and what became of them: how many came back, how late, in which order."""

import asyncio
import time
from collections import deque
from collections.abc import Sequence
from itertools import count
from typing import Any
from urllib.parse import urlsplit

from bench.bot_api import Bot, update
from bench.usage import busy_seconds, seconds_of_server, usage
from bench.webhooks import WebhookConnection, connect

FIRST_CHAT = 1_000_001
Result = dict[str, Any]

# Numbers go on over all loads of a run: a gateway rightly takes an update_id only once.
_numbers = count(1)
_fresh_chats = count(100_000_000)


def percentile(ordered: list[float], share: float) -> float:
    return ordered[min(int(len(ordered) * share), len(ordered) - 1)] if ordered else 0.0


def milliseconds(latencies: list[float]) -> Result:
    ordered = sorted(latencies)
    return {f"p{share}_ms": round(percentile(ordered, share / 100) * 1000, 3) for share in (50, 95, 99)}


class Load:
    """`chats`: how many write in turns; 0: each update is of somebody new. `window`: how many may be unanswered."""

    def __init__(self, bot: Bot, *, chats: int, window: int) -> None:
        self.bot = bot
        self.window = window
        self.echoes = self.inversions = self.twice = self.refused = 0
        self.latencies: list[float] = []
        self.sent_at: dict[int, float] = {}
        self.over = False
        self._first = next(_numbers)
        self._chats = chats
        self._newest: dict[int, int] = {}
        bot.echoed = self._echoed

    def next(self, turn: int) -> tuple[int, bytes]:
        """An update and its number."""
        number = next(_numbers)
        chat = FIRST_CHAT + turn % self._chats if self._chats else next(_fresh_chats)
        self.sent_at[number] = time.perf_counter()
        return number, update(number, chat)

    def _echoed(self, number: int, chat: int) -> None:
        began = self.sent_at.pop(number, None)
        if began is None:
            self.twice += number >= self._first  # Else it is a late answer to the load before.
            return
        self.latencies.append(time.perf_counter() - began)
        self.echoes += 1
        if number < self._newest.get(chat, 0):
            self.inversions += 1
        else:
            self._newest[chat] = number
        self.go_on()

    def _refuse(self, connection: WebhookConnection) -> None:
        """Telegram would post it again; here it is counted, and nobody waits for its answer."""
        self.refused += 1
        self.sent_at.pop(connection.update_id, None)

    @property
    def room(self) -> int:
        return 0 if self.over else self.window - len(self.sent_at)

    def go_on(self) -> None:
        """There may be room for more."""

    def close(self) -> None:
        """Leaves the bot alone."""

    async def measure(self, pids: Sequence[int], warm: float, seconds: float) -> Result:
        """Runs while the load does; figures are of the `seconds` after the first `warm` ones."""
        await asyncio.sleep(warm)
        self.latencies.clear()
        before, echoes, own = usage(*pids), self.echoes, time.process_time()
        await asyncio.sleep(seconds)
        used, done = usage(*pids).since(before), self.echoes - echoes
        driver = (time.process_time() - own) * 1e6
        return {
            "echoes": done,
            "per_second": round(done / used.clock, 1),
            "us": round(used.processor / max(done, 1), 1),
            "user_us": round(used.user / max(done, 1), 1),
            "system_us": round(used.system / max(done, 1), 1),
            "busy": round(used.processor / used.clock / 1e6, 3),
            "driver_us": round(driver / max(done, 1), 1),
            **milliseconds(self.latencies),
            "inversions": self.inversions,
            "twice": self.twice,
            "refused": self.refused,
        }

    async def finish(self, patience: float) -> None:
        """Sends no more; waits a little for what is unanswered."""
        self.over = True
        deadline = time.perf_counter() + patience
        while self.sent_at and time.perf_counter() < deadline:  # noqa: ASYNC110  # looked at fifty times a second
            await asyncio.sleep(0.02)


class PolledLoad(Load):
    """A hundred at a time wait at Telegram, as after a downtime."""

    def __init__(self, bot: Bot, *, chats: int, window: int) -> None:
        super().__init__(bot, chats=chats, window=window)
        self._turn = 0
        bot.more = self._more

    def _more(self, most: int) -> list[bytes]:
        if self.room < most:
            return []
        self._turn += most
        return [self.next(self._turn + place)[1] for place in range(most)]

    def go_on(self) -> None:
        if self.room >= 100:
            self.bot.feed_polls()


class WebhookLoad(Load):
    """Closed loop: every connection posts its next update when the last was answered and there is room."""

    async def start(self, connections: int, urls: Sequence[str] = ()) -> None:
        """`urls`: where updates are brought by turns, if not to the one that the bot has registered."""
        self._resting: deque[WebhookConnection] = deque()
        self._turns = [0] * connections
        self._step = max(self._chats // connections, 1)
        self.connections = await connect(connections, urls or [self.bot.webhook_url], self.bot.secret, self._answered)
        for connection in self.connections:
            self._post(connection)

    def _post(self, connection: WebhookConnection) -> None:
        # A chat stays on its connection: its next update leaves when its last one was taken.
        number = connection.number
        self._turns[number] += 1
        connection.post(*self.next(number * self._step + self._turns[number] % self._step))

    def _answered(self, connection: WebhookConnection, status: int) -> None:
        if status != 200:
            self._refuse(connection)
        if self.over or not status:
            return
        if self.room > 0:
            self._post(connection)
        else:
            self._resting.append(connection)

    def go_on(self) -> None:
        if self._resting and self.room > 0:
            self._post(self._resting.popleft())

    def close(self) -> None:
        for connection in self.connections:
            connection.transport.close()


class PacedLoad(Load):
    """Open loop: an update leaves when its time has come, whether or not the last ones were answered."""

    async def start(self, connections: int, rate: float) -> None:
        self._waiting: deque[tuple[int, bytes]] = deque()
        self.connections = await connect(connections, [self.bot.webhook_url], self.bot.secret, self._answered)
        self._free = deque(self.connections)
        self._pace = asyncio.create_task(self._run(rate))

    async def _run(self, rate: float) -> None:
        loop = asyncio.get_running_loop()
        began = loop.time()
        for turn in count():
            await asyncio.sleep(began + turn / rate - loop.time())
            if self.over:
                return
            self._waiting.append(self.next(turn))
            self._post()

    def _post(self) -> None:
        while self._free and self._waiting:
            self._free.popleft().post(*self._waiting.popleft())

    def _answered(self, connection: WebhookConnection, status: int) -> None:
        if status != 200:
            self._refuse(connection)
        if status:
            self._free.append(connection)
            self._post()

    def close(self) -> None:
        self._pace.cancel()
        for connection in self.connections:
            connection.transport.close()


class Burst(PolledLoad):
    """So many updates wait when the first poll comes, and no more come after them."""

    def __init__(self, bot: Bot, *, chats: int, count: int) -> None:
        self._left = count
        super().__init__(bot, chats=chats, window=count)

    def _more(self, most: int) -> list[bytes]:
        few = min(most, self._left)
        self._left -= few
        self._turn += few
        return [self.next(self._turn + place)[1] for place in range(few)]

    def go_on(self) -> None:
        """Whoever has taken a hundred polls again by himself."""


async def burst(bot: Bot, pid: int, *, count: int, chats: int, patience: float) -> Result:
    """What waited at Telegram after a downtime: how long until all of it is answered, and what memory that takes."""
    before, largest = usage(pid), 0.0
    load = Burst(bot, chats=chats, count=count)
    bot.feed_polls()
    while load.echoes < count and usage(pid).since(before).clock < patience:
        await asyncio.sleep(0.02)
        largest = max(largest, usage(pid).since(before).resident)
    used = usage(pid).since(before)
    load.over = True
    return {
        "echoes": load.echoes,
        "per_second": round(load.echoes / used.clock, 1),
        "us": round(used.processor / max(load.echoes, 1), 1),
        "mib_more": round(largest / 1024, 1),
        "inversions": load.inversions,
        "twice": load.twice,
    }


async def flood(
    bot: Bot,
    pid: int,
    *,
    way: str,
    chats: int,
    connections: int,
    window: int,
    delay: float,
    warm: float,
    seconds: float,
) -> Result:
    """As much as it takes. `delay`: seconds that the Bot API takes for a call."""
    bot.delay = delay
    load: PolledLoad | WebhookLoad
    if way == "polling":
        load = PolledLoad(bot, chats=chats, window=window)
        load.go_on()
    else:
        load = WebhookLoad(bot, chats=chats, window=window)
        await load.start(connections)
    figures = await load.measure([pid], warm, seconds)
    bot.delay = 0.0
    await load.finish(patience=10)
    load.close()
    return figures


async def spread(
    bot: Bot,
    pids: Sequence[int],
    *,
    urls: Sequence[str],
    database: int,
    chats: int,
    connections: int,
    window: int,
    warm: float,
    seconds: float,
) -> Result:
    """As much as several processes of one gateway take. `urls`: theirs; `database`: the first process of its server."""
    path = urlsplit(bot.webhook_url).path
    load = WebhookLoad(bot, chats=chats, window=window)
    await load.start(connections, [url + path for url in urls])
    await asyncio.sleep(warm)
    before, busy, echoes, began = seconds_of_server(database), busy_seconds(), load.echoes, time.perf_counter()
    figures = await load.measure(pids, 0, seconds)
    postgres = (seconds_of_server(database) - before) * 1e6
    figures["postgres_us"] = round(postgres / max(load.echoes - echoes, 1), 1)
    figures["machine_busy"] = round((busy_seconds() - busy) / (time.perf_counter() - began), 2)
    await load.finish(patience=10)
    load.close()
    return figures


async def pace(bot: Bot, pid: int, *, rate: float, chats: int, connections: int, warm: float, seconds: float) -> Result:
    load = PacedLoad(bot, chats=chats, window=1_000_000)
    await load.start(connections, rate)
    figures = await load.measure([pid], warm, seconds)
    await load.finish(patience=5)
    load.close()
    return figures
