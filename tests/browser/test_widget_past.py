"""Older messages by pages, and what must not be read aloud."""

from typing import TYPE_CHECKING

import pytest

from tests.browser.chat import Chat
from tests.browser.conftest import HostSite, OpenPage, expect
from tests.browser.script import Script, frame
from tests.gateway_process import GatewayProcess

if TYPE_CHECKING:
    from playwright.sync_api import Page

pytestmark = [pytest.mark.browser, pytest.mark.timeout(120)]
NEWEST = 120


@pytest.fixture
def page(open_page: OpenPage) -> "Page":
    return open_page("about:blank")


@pytest.fixture
def script(page: "Page") -> Script:
    return Script(page)


@pytest.fixture
def chat(page: "Page", script: Script, gateway: GatewayProcess, shop: HostSite) -> Chat:
    """A conversation of 120 messages, of which the newest fifty have come."""
    page.goto(shop.url)
    chat = Chat(page).open()
    assert script.wait_for("hello")["recent"] == 50
    script.welcome(seq=NEWEST)
    for seq in range(NEWEST - 49, NEWEST + 1):
        script.message(seq, seq, f"number {seq}")
    expect(chat.bubbles("bot")).to_have_count(50)
    expect(chat.bubbles("bot").last).to_be_in_viewport()
    return chat


def up(chat: Chat) -> None:
    chat.widget.locator(".scroll").evaluate("node => { node.scrollTop = 0; }")


def page_of(script: Script, first: int, last: int) -> None:
    messages = [frame(seq, seq, f"number {seq}") for seq in range(first, last + 1)]
    script.say(type="history", messages=messages, more=first > 1)


def test_who_scrolls_up_gets_the_past_in_pages_and_keeps_the_place(chat: Chat, script: Script) -> None:
    assert not any(heard["type"] == "history" for heard in script.heard)
    up(chat)
    assert script.wait_for("history") == {"type": "history", "before": 71, "limit": 50}
    seen = chat.bubbles("bot").first
    place = seen.bounding_box()
    page_of(script, 21, 70)
    expect(chat.bubbles("bot")).to_have_count(100)
    assert place
    after = chat.widget.locator("[data-seq='71'] .bubble").bounding_box()
    assert after
    assert abs(after["y"] - place["y"]) < 40
    up(chat)
    assert script.wait_for("history", 2) == {"type": "history", "before": 21, "limit": 50}
    page_of(script, 1, 20)
    expect(chat.bubbles("bot")).to_have_text([f"number {seq}" for seq in range(1, NEWEST + 1)])
    expect(chat.widget.locator(".earlier")).to_be_hidden()


def test_an_old_message_edited_lately_waits_for_its_neighbours(chat: Chat, script: Script) -> None:
    script.message(30, 500, "number 30, mended")
    script.message(100, 501, "number 100, mended")
    expect(chat.widget.locator("[data-seq='100'] .bubble")).to_have_text("number 100, mended")
    expect(chat.bubbles("bot")).to_have_count(50)
    script.lines[-1].close(code=4012)
    assert script.wait_for("hello", 2)["since"] == 501


def test_the_past_is_not_read_aloud_and_news_are(chat: Chat, script: Script) -> None:
    news = chat.widget.locator(".quiet[role=status]")
    chat.page.wait_for_timeout(500)
    expect(news).to_have_text("")
    up(chat)
    script.wait_for("history")
    page_of(script, 21, 70)
    expect(chat.bubbles("bot")).to_have_count(100)
    expect(news).to_have_text("")
    script.message(121, 121, "Good news")
    expect(news).to_have_text("Bot: Good news")


def test_who_reads_above_is_told_of_news_and_not_moved(chat: Chat, script: Script) -> None:
    chat.page.wait_for_timeout(500)
    chat.widget.locator(".scroll").hover()
    chat.page.mouse.wheel(0, -700)
    newer = chat.widget.locator(".newer")
    expect(chat.bubbles("bot").last).not_to_be_in_viewport()
    script.message(121, 121, "while you read")
    expect(newer).to_be_visible()
    expect(chat.bubbles("bot").last).not_to_be_in_viewport()
    newer.click()
    expect(chat.bubbles("bot").last).to_be_in_viewport()
    expect(newer).to_be_hidden()


def test_a_reload_with_the_real_gateway_pages_up_to_the_first_word(
    open_page: OpenPage, gateway: GatewayProcess, shop: HostSite
) -> None:
    chat = Chat(open_page(shop.url)).open()
    for number in range(40):
        chat.say(f"word {number}")
    expect(chat.bubbles("bot")).to_have_count(40, timeout=30_000)
    chat.page.reload()
    expect(chat.widget.locator("[data-seq='80']")).to_have_count(1)
    expect(chat.widget.locator("[data-seq='30']")).to_have_count(0)
    up(chat)
    expect(chat.bubbles("visitor")).to_have_text([f"word {number}" for number in range(40)])
    expect(chat.bubbles("bot")).to_have_text([f"You said: word {number}" for number in range(40)])
