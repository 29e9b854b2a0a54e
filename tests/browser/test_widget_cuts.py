"""A line that is cut after so many bytes, in whichever direction they go: nothing is lost, nothing stands twice."""

import os
import random
from collections.abc import Iterator

import pytest

from tests.browser.chat import Chat
from tests.browser.conftest import HostSite, OpenPage, Trouble, expect, serving
from tests.faulty_proxy import FaultyProxy
from tests.gateway_process import GatewayProcess

CUTS = int(os.environ.get("CUTS") or (500 if os.environ.get("LONG") else 10))
# A handshake is about 700 bytes both ways, a hello and its welcome as many, a word and its answer 500.
FARTHEST = 2_500
SOCKET = b"Upgrade: websocket"
MOST_WAITING = 4

pytestmark = [pytest.mark.browser, pytest.mark.timeout(60 + CUTS * 6)]


@pytest.fixture
def line(gateway: GatewayProcess) -> Iterator[FaultyProxy]:
    with FaultyProxy("127.0.0.1", gateway.port) as line:
        yield line


@pytest.fixture
def far_shop(line: FaultyProxy, gateway: GatewayProcess) -> Iterator[HostSite]:
    with serving(HostSite()) as site:
        site.gateway = f"http://127.0.0.1:{line.port}"
        gateway.manage("shell", "-c", ALLOW % site.url)
        yield site
        # The gateway is the whole folder's: what is left here would turn the others' pages away.
        gateway.manage("shell", "-c", ALLOW % "")


@pytest.mark.parametrize("refused", [None, SOCKET], ids=["sockets", "requests"])
def test_nothing_is_lost_and_nothing_doubled(
    open_page: OpenPage,
    gateway: GatewayProcess,
    line: FaultyProxy,
    far_shop: HostSite,
    trouble: Trouble,
    refused: bytes | None,
) -> None:
    for cut in ("WebSocket connection to", "net::ERR_"):
        trouble.forgive(cut)
    line.refuses = refused
    chat = Chat(open_page(far_shop.url))
    chat.page.evaluate(WATCH)
    expect(chat.open().status).to_have_text("Online", timeout=30_000)
    rng = random.Random(4711)
    said: list[str] = []
    for _ in range(CUTS):
        line.cut_after = rng.randint(1, FARTHEST)
        while line.cut_after is not None:
            if chat.widget.locator("[data-state=sending]").count() < MOST_WAITING:
                said.append(f"word {len(said)}")
                chat.say(said[-1])
            chat.page.wait_for_timeout(rng.choice([1, 50, 200]))
        if rng.random() < 0.5:  # else the next cut finds words that are still on their way
            expect(chat.sent()).to_have_count(len(said), timeout=60_000)
    expect(chat.sent()).to_have_count(len(said), timeout=60_000)
    expect(chat.bubbles("bot")).to_have_count(len(said), timeout=60_000)
    assert chat.sent().all_text_contents() == said
    assert sorted(chat.bubbles("bot").all_text_contents()) == sorted(f"You said: {text}" for text in said)
    numbers = chat.widget.locator(".message").evaluate_all("all => all.map(one => Number(one.dataset.seq))")
    assert numbers == list(range(1, 2 * len(said) + 1))
    told = gateway.manage("shell", "-c", STORED % said[0])
    assert told.split()[-2:] == [str(2 * len(said)), str(2 * len(said))]
    once, again = told_resumes(chat)
    print(f"G17: {CUTS} cuts, {len(said)} words each way, 0 gaps, 0 doubles; back {once[-1]:.1f} s after a cut at most")
    print(f"     ({len(once) - 1} times), {again[-1]:.1f} s after the last of several ({len(again) - 1} times)")
    assert once[-1] <= 2


def told_resumes(chat: Chat) -> tuple[list[float], list[float]]:
    """Seconds from a cut to the welcome: after one cut, and after the last of several that followed one another."""
    told = sorted(chat.page.evaluate("resumed"), key=lambda one: one[1])
    return [0.0, *(took for cuts, took in told if cuts == 1)], [0.0, *(took for cuts, took in told if cuts > 1)]


WATCH = """() => {
    window.resumed = [];
    let cuts = 0, last = 0;
    addEventListener("switchboard:state", ({ detail }) => {
        if (detail === "online" && cuts) resumed.push([cuts, (performance.now() - last) / 1000]);
        cuts = detail === "online" ? 0 : cuts + (detail === "waiting");
        if (detail === "waiting") last = performance.now();
    });
}"""

ALLOW = "from gateway.models import Bot; Bot.objects.update_or_create(name='bot', defaults={'widget_origins': %r})"
STORED = """
from gateway.models import Message
first = Message.objects.filter(text=%r, sender="visitor").latest("pk")
rows = Message.objects.filter(conversation=first.conversation, seq__isnull=False)
print(rows.count(), rows.latest("seq").seq)
"""
