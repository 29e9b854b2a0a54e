"""The limits of a whole process, by stock clients: who floods is stopped, and nobody else notices."""

import contextlib
import http.client
import json
import os
import statistics
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from websockets.exceptions import InvalidStatus

from tests.conftest import StartGateway
from tests.fake_telegram import FakeTelegram
from tests.flooders import floods
from tests.gateway_process import GatewayProcess, Server
from tests.outside.clients import FrameSocket, Visitor

pytestmark = pytest.mark.timeout(180)
LIMITED = {"RATE_LIMITS": "on", "MESSAGES_PER_MINUTE": "100000"}
FLOODS = 24
TURNS, WORDS = 2, 60
# While all of them come for the first time, and each says the ten words that a second allows.
WAVE_WORDS, WAVE_MS = 12, 1000
MOST_SHARE = 0.2  # of a processor, for all floods together: they wait, and nobody looks at what they send
HICCUP_MS = 25  # Of the machine, on a base of a few milliseconds.


def waits(visitor: Visitor, count: int, tag: str) -> list[float]:
    """Milliseconds from a word to the bot's answer, for words at an even pace."""
    found = []
    for n in range(count):
        began = time.perf_counter()
        visitor.send("message", id=f"{tag}{n}", text=f"{tag} {n}")
        visitor.expect("message", text=f"You said: {tag} {n}")
        found.append((time.perf_counter() - began) * 1000)
        time.sleep(0.12)
    return found


def at(found: list[float], percent: int) -> float:
    return statistics.quantiles(found, n=100)[percent - 1]


class Share:
    """Of a processor, that the process takes until it is asked for."""

    def __init__(self, gateway: GatewayProcess) -> None:
        assert gateway.process is not None
        self._stat = Path(f"/proc/{gateway.process.pid}/stat")
        self._began, self._taken = time.monotonic(), self._seconds()

    def _seconds(self) -> float:
        fields = self._stat.read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    @property
    def taken(self) -> float:
        return (self._seconds() - self._taken) / (time.monotonic() - self._began)


def tokens_of(gateway: GatewayProcess) -> list[str]:
    tokens = []
    for _ in range(FLOODS):
        with Visitor(gateway) as visitor:
            tokens.append(visitor.token)
    return tokens


def test_floods_are_closed_and_a_calm_visitor_does_not_notice(start_gateway: StartGateway, server: Server) -> None:
    """By turns: alone, beside floods, and beside the same floods at another gateway, which take this machine's
    processors as well. What these do to a calm visitor is no doing of ours; whatever is more than that would be."""
    env = {**LIMITED, "NEW_CHATS_PER_MINUTE": "0"}
    here, there = start_gateway(env, server=server), start_gateway(env, server=server)
    with Visitor(here) as calm:
        flooders = {gateway: tokens_of(gateway) for gateway in (here, there)}
        waits(calm, 5, "warm")
        found: dict[str, list[float]] = {"alone": [], "wave": [], "here": [], "there": []}
        shares, ends = {}, Counter[bool]()
        for turn in range(TURNS):
            share = Share(here)
            found["alone"] += waits(calm, WORDS, f"alone {turn}")
            shares["alone"] = share.taken
            for name, gateway in (("here", here), ("there", there)):
                with floods(gateway.port, flooders[gateway]) as ended:
                    share = Share(here)
                    waited = waits(calm, WORDS, f"{name} {turn}")
                    found["wave" if gateway is here else name] += waited[:WAVE_WORDS]
                    found[name] += waited[WAVE_WORDS:]
                    shares[name] = share.taken
                time.sleep(3)
                ends += ended if gateway is here else Counter()
        assert not [frame for frame in calm.frames if frame["type"] == "error"]
    for name, waited in found.items():
        figures = ", ".join(f"p{percent} {at(waited, percent):.1f}" for percent in (50, 95, 99))
        print(f"{server}, {name}: {figures}, slowest {max(waited):.1f} ms; {shares.get(name, 0):.0%} of a processor")
    print(f"{ends[True]} of {ends.total()} lines were closed with 4008 before they ended")
    assert ends[True] >= FLOODS
    assert ends[True] > ends.total() / 2, "those who write and never read may miss the code"
    assert shares["here"] < shares["alone"] + MOST_SHARE
    for percent in (50, 95, 99):
        assert at(found["here"], percent) < 2 * at(found["there"], percent) + HICCUP_MS
    assert max(found["wave"]) < WAVE_MS


def test_so_many_sockets_and_beginnings_an_address(start_gateway: StartGateway) -> None:
    gateway = start_gateway(LIMITED)
    with contextlib.ExitStack() as stack:
        visitors = [stack.enter_context(Visitor(gateway)) for _ in range(10)]
        eleventh = stack.enter_context(FrameSocket(gateway, "/ws/chat/"))
        eleventh.send("hello", token=None)
        assert eleventh.expect("error")["code"] == "rate_limited"
        assert eleventh.ended() == 4008
        for n in range(40):
            stack.enter_context(Visitor(gateway, token=visitors[n % 10].token))
        with pytest.raises(InvalidStatus) as refused:
            FrameSocket(gateway, "/ws/chat/")
        assert refused.value.response.status_code == 403
        assert "SOCKETS_PER_ADDRESS" in gateway.log_text()
        assert gateway.status("/healthz") == 200
        visitors[0].close()
        again = stack.enter_context(FrameSocket(gateway, "/ws/chat/"))
        again.send("hello", token=visitors[0].token)
        again.expect("welcome")


def post(gateway: GatewayProcess, path: str, body: bytes, headers: dict[str, str]) -> tuple[int, str | None]:
    connection = http.client.HTTPConnection("127.0.0.1", gateway.port, timeout=20)
    try:
        connection.request("POST", path, body, headers)
        answer = connection.getresponse()
        answer.read()
        return answer.status, answer.getheader("Retry-After")
    finally:
        connection.close()


SECRET = "only-telegram-knows_1"
UPDATE = {
    "update_id": 77,
    "message": {
        "message_id": 1, "date": 1_790_000_000, "text": "once",
        "chat": {"id": 4242, "type": "private"}, "from": {"id": 4242, "is_bot": False, "first_name": "Mallory"},
    },
}  # fmt: skip


def test_fifty_replays_at_once_are_handled_once(
    telegram: FakeTelegram, start_gateway: StartGateway, backend: dict[str, str]
) -> None:
    webhook = {"TELEGRAM_WEBHOOK_URL": "{url}", "TELEGRAM_WEBHOOK_SECRET": SECRET}
    mallory = telegram.user(4242)  # Before the words: Telegram refuses an answer to a chat that it does not know.
    gateway = start_gateway({**LIMITED, **backend, **webhook})
    headers = {"X-Telegram-Bot-Api-Secret-Token": SECRET}
    with ThreadPoolExecutor(50) as pool:
        body = json.dumps(UPDATE).encode()
        answers = list(pool.map(lambda _: post(gateway, "/telegram/bot/", body, headers), range(50)))
    assert {status for status, _ in answers} == {200}
    telegram.wait(lambda: mallory.answers)
    mallory.says("twice")
    telegram.wait(lambda: len(mallory.answers) > 1)
    assert mallory.answers == ["You said: once", "You said: twice"]
    misses = [post(gateway, "/telegram/bot/", body, {"X-Telegram-Bot-Api-Secret-Token": "wrong"}) for _ in range(22)]
    assert [status for status, _ in misses] == [401] * 20 + [429] * 2
    assert misses[20][1] is not None
    assert post(gateway, "/telegram/bot/", body, headers)[0] == 200
