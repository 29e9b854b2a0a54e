"""People who write all the time, somebody who looks on, and the books afterwards: for tests of what may fail."""

import contextlib
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from tests.fake_telegram import FakeTelegram, FakeUser, Tally, tally
from tests.gateway_process import GatewayProcess, Server
from tests.outside.clients import Visitor

PEOPLE = 10
PACE = 0.1
PROMPT = 2.0
PAGES_WITHIN = 8.0
BACK_WITHIN = 30.0
LOADED = 2.0  # what a machine that others use as well may add to any answer


@dataclass
class Traffic:
    """People who write all the time, and somebody who looks at pages and sockets while the outage lasts."""

    telegram: FakeTelegram
    gateway: GatewayProcess
    said: dict[int, list[str]] = field(default_factory=dict)
    slowest: dict[str, float] = field(default_factory=dict)
    statuses: dict[str, set[object]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.people = [self.telegram.user(100 + n) for n in range(PEOPLE)]
        self._over = threading.Event()

    def say(self, person: FakeUser) -> None:
        texts = self.said.setdefault(person.id, [])
        texts.append(str(len(texts)))
        person.says(texts[-1])

    def everybody_says_something(self) -> None:
        for person in self.people:
            self.say(person)

    @contextlib.contextmanager
    def flowing(self, pace: float = PACE) -> Iterator[None]:
        """Somebody writes every `pace` seconds."""
        self._over.clear()
        thread = threading.Thread(target=self._flow, args=(pace,), daemon=True)
        thread.start()
        try:
            yield
        finally:
            self._over.set()
            thread.join()

    def _flow(self, pace: float) -> None:
        while not self._over.wait(pace):
            self.say(self.people[sum(map(len, self.said.values())) % PEOPLE])

    def look(self, seconds: float, paths: tuple[str, ...] = ("/healthz", "/readyz", "/", "/metrics")) -> None:
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            for path in paths:
                self.note(path, lambda path=path: self.gateway.status(path))  # type: ignore[misc]
            self.note("console", self.console)
            time.sleep(0.2)

    def console(self) -> int:
        """The status of a page that asks the database who is there."""
        request = urllib.request.Request(self.gateway.url + "/console/", headers={"Cookie": "sessionid=" + "x" * 32})
        try:
            with urllib.request.urlopen(request, timeout=20) as response:
                return int(response.status)
        except urllib.error.HTTPError as error:
            return error.code

    def note(self, what: str, ask: Callable[[], object]) -> None:
        began = time.monotonic()
        self.statuses.setdefault(what, set()).add(ask())
        self.slowest[what] = max(self.slowest.get(what, 0.0), time.monotonic() - began)

    @property
    def expected(self) -> dict[int, list[str]]:
        return {chat: [f"{text} is {n + 1}" for n, text in enumerate(texts)] for chat, texts in self.said.items()}

    @property
    def seen(self) -> dict[int, list[str]]:
        """What Telegram showed them. That an answer came from a resumed scope is no matter here."""
        answers = self.telegram.bot.answers
        return {chat: [text.removesuffix(" resumed") for text in texts] for chat, texts in answers.items()}

    def until_answered(self, within: float = BACK_WITHIN) -> float:
        """Seconds until nobody waits for anything."""
        began = time.monotonic()
        self.telegram.wait(lambda: not tally(self.expected, self.seen).missing, within + LOADED)
        return time.monotonic() - began

    def check_the_books(self) -> None:
        """Nobody has lost anything, or had it twice, or in another order; and the sessions have counted right."""
        seen = self.count()
        assert seen.exact, seen

    def count(self) -> Tally:
        self.telegram.wait(lambda: not self.telegram.under_way)
        return tally(self.expected, self.seen)

    def check_the_answers(self, took: float) -> None:
        """Everybody was told promptly that it is not the time, and since when it is again."""
        print(f"{self.slowest}, webhook {self.slowest_webhook:.2f} s, all answered after {took:.1f} s")
        assert self.webhooks == {200, 503}
        assert self.slowest_webhook < PROMPT + LOADED
        assert self.statuses.get("console", set()) <= {200, 503}
        console = self.slowest.pop("console", 0.0)
        assert console < PAGES_WITHIN
        assert max(self.slowest.values()) < PROMPT + LOADED
        assert self.statuses["/healthz"] == {200}
        assert 503 in self.statuses["/readyz"]
        self.gateway.wait_until_ready(BACK_WITHIN)

    @property
    def webhooks(self) -> set[int | None]:
        return {attempt.status for attempt in self.telegram.bot.webhook.attempts}

    @property
    def slowest_webhook(self) -> float:
        return max(attempt.ended - attempt.began for attempt in self.telegram.bot.webhook.attempts)


@contextlib.contextmanager
def gateway_over(
    telegram: FakeTelegram,
    intake: str = "webhook",
    *,
    server: Server = "daphne",
    **env: str,
) -> Iterator[Traffic]:
    wanted = {
        "TELEGRAM_API_URL": telegram.url,
        "TELEGRAM_BOT_TOKEN": telegram.token,
        "FLOOD_LIMITS": "off",
        **({"TELEGRAM_WEBHOOK_URL": "{url}"} if intake == "webhook" else {}),
        **env,
    }
    with GatewayProcess(wanted, application="counter", server=server) as gateway:
        traffic = Traffic(telegram, gateway)
        traffic.everybody_says_something()
        traffic.until_answered()
        yield traffic


def sit_through(traffic: Traffic, begin: Callable[[], object], end: Callable[[], object], seconds: float) -> float:
    """The outage; gives the seconds until everything was as it should be after it."""
    with Visitor(traffic.gateway) as visitor, traffic.flowing():
        begin()
        visitor.send("message", id="meanwhile", text="hello")
        traffic.note("socket", lambda: visitor.expect("error", code="not_ready")["id"])
        traffic.look(seconds)
        end()
    took = traffic.until_answered()
    traffic.check_the_books()
    return took
