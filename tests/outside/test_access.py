"""The limits of a whole process, by stock clients: who floods is stopped, and nobody else notices."""

import contextlib
import http.client
import json
import multiprocessing
import os
import statistics
import time
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from pathlib import Path

import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import connect
from websockets.typing import Origin

from tests.conftest import StartGateway
from tests.fake_telegram import FakeTelegram
from tests.gateway_process import GatewayProcess
from tests.outside.clients import FrameSocket, Visitor

pytestmark = pytest.mark.timeout(180)
LIMITED = {"RATE_LIMITS": "on", "MESSAGES_PER_MINUTE": "100000"}
FLOODS = 24
MOST_SHARE = 0.3  # of a processor, for all floods together: they wait, and nobody looks at what they send


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


def flood(url: str, token: str, until: float) -> list[int]:
    """Writes as fast as it can, and comes back whenever it is sent away; the closing codes."""
    closed = []
    while time.time() < until:
        with (
            contextlib.suppress(OSError, InvalidStatus),
            connect(f"ws{url[4:]}/ws/chat/", origin=Origin(url)) as socket,
        ):
            try:
                socket.send(json.dumps({"type": "hello", "token": token}))
                for n in range(100_000):
                    socket.send(json.dumps({"type": "message", "id": f"{time.monotonic_ns()}-{n}", "text": "flood"}))
            except ConnectionClosed as error:
                closed.append(error.rcvd.code if error.rcvd else 0)
        time.sleep(0.05)
    return closed


def flood_all(url: str, tokens: list[str], until: float) -> list[int]:
    os.nice(10)
    with ThreadPoolExecutor(len(tokens)) as pool:
        return [code for codes in pool.map(lambda token: flood(url, token, until), tokens) for code in codes]


def p99(found: list[float]) -> float:
    return statistics.quantiles(found, n=100)[98]


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


def test_floods_are_closed_and_a_calm_visitor_does_not_notice(start_gateway: StartGateway) -> None:
    gateway = start_gateway({**LIMITED, "NEW_CHATS_PER_MINUTE": "0"})
    with Visitor(gateway) as calm:
        tokens = []
        for _ in range(FLOODS):
            with Visitor(gateway) as visitor:
                tokens.append(visitor.token)
        waits(calm, 5, "warm")
        quiet = Share(gateway)
        alone = waits(calm, 60, "alone")
        before = quiet.taken
        # In a process of their own: the calm visitor shares no interpreter with them.
        with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
            flooding = pool.submit(flood_all, gateway.url, tokens, time.time() + 12)
            time.sleep(2)
            flooded = Share(gateway)
            beside = waits(calm, 60, "beside")
            under = flooded.taken
            closed = flooding.result(60)
        assert not [frame for frame in calm.frames if frame["type"] == "error"]
    assert len(closed) >= FLOODS
    # Who writes and never reads may miss the code: its line is cut two seconds after it.
    assert set(closed) <= {4008, 0}
    assert closed.count(4008) > len(closed) / 2
    print(
        f"{len(closed)} sockets closed with 4008; a calm visitor waited p50 {statistics.median(alone):.1f} ms, "
        f"p99 {p99(alone):.1f} ms alone, p50 {statistics.median(beside):.1f} ms, p99 {p99(beside):.1f} ms beside them; "
        f"the gateway took {before:.0%} and {under:.0%} of a processor"
    )
    assert under < before + MOST_SHARE
    # The flooders take this machine's processors too: a bound, and not the figure.
    assert statistics.median(beside) < 5 * statistics.median(alone) + 100


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
