"""The widget in a real browser, on a page of another origin."""

from typing import TYPE_CHECKING

import pytest

from tests.browser.chat import Chat
from tests.browser.conftest import HostSite, OpenPage, Trouble, expect, serving
from tests.browser.hostile import HOSTILE
from tests.gateway_process import GatewayProcess

if TYPE_CHECKING:
    from playwright.sync_api import Page

pytestmark = [pytest.mark.browser, pytest.mark.timeout(180)]


@pytest.fixture
def host_page(open_page: OpenPage, gateway: GatewayProcess, shop: HostSite) -> "Page":
    return open_page(shop.url)


def test_a_visitor_of_another_site_talks_with_the_bot(host_page: "Page") -> None:
    chat = Chat(host_page).open()
    expect(chat.status).to_have_text("Online")
    chat.say("Guten Morgen")
    expect(chat.sent()).to_have_text("Guten Morgen")
    expect(chat.bubbles("bot")).to_have_text("You said: Guten Morgen")


def test_a_reload_keeps_the_conversation_and_the_open_panel(host_page: "Page") -> None:
    chat = Chat(host_page).open()
    chat.say("remember me")
    expect(chat.bubbles("bot")).to_have_count(1)
    host_page.reload()
    expect(chat.panel).to_be_visible()
    expect(chat.bubbles("visitor")).to_have_text(["remember me"])
    expect(chat.bubbles("bot")).to_have_text(["You said: remember me"])


def test_a_second_tab_shows_the_same(host_page: "Page", shop: HostSite) -> None:
    chat = Chat(host_page).open()
    chat.say("one")
    expect(chat.bubbles("bot")).to_have_count(1)
    tab = host_page.context.new_page()
    tab.goto(shop.url)
    other = Chat(tab).open()
    expect(other.bubbles("bot")).to_have_text(["You said: one"])
    other.say("two")
    expect(chat.bubbles("visitor")).to_have_text(["one", "two"])
    expect(chat.bubbles("bot")).to_have_text(["You said: one", "You said: two"])


def test_what_comes_while_the_panel_is_closed_is_counted(host_page: "Page", gateway: GatewayProcess) -> None:
    chat = Chat(host_page).open()
    chat.say("first")
    expect(chat.bubbles("bot")).to_have_count(1)
    expect(chat.badge).to_be_hidden()
    chat.text.press("Escape")
    expect(chat.panel).to_be_hidden()
    gateway.manage("announce", "We close at six.")
    expect(chat.badge).to_have_text("1")
    expect(chat.launcher).to_have_attribute("aria-label", "Open the chat, 1 unread")
    chat.open()
    expect(chat.badge).to_be_hidden()


def test_shift_enter_is_a_new_line_and_a_long_text_makes_the_field_grow(host_page: "Page") -> None:
    chat = Chat(host_page).open()
    low = chat.text.bounding_box()
    chat.text.fill("line one")
    chat.text.press("Shift+Enter")
    chat.text.type("line two")
    high = chat.text.bounding_box()
    assert low
    assert high
    assert high["height"] > low["height"]
    chat.text.press("Enter")
    expect(chat.bubbles("bot")).to_have_text("You said: line one\nline two", use_inner_text=True)


def test_hostile_words_are_words(host_page: "Page") -> None:
    chat = Chat(host_page).open()
    for text in HOSTILE:
        chat.say(text)
    expect(chat.bubbles("bot")).to_have_count(len(HOSTILE), timeout=30_000)
    assert chat.bubbles("visitor").evaluate_all("all => all.map(one => one.textContent)") == HOSTILE
    assert chat.bubbles("bot").evaluate_all("all => all.map(one => one.textContent)") == [
        f"You said: {text}" for text in HOSTILE
    ]
    tags = chat.widget.locator(".bubble *").evaluate_all("all => [...new Set(all.map(one => one.localName))]")
    assert tags in ([], ["a"])
    links = chat.widget.locator(".bubble a").evaluate_all("all => all.map(one => [one.protocol, one.rel, one.target])")
    assert links
    assert all(link == ["https:", "noopener noreferrer nofollow", "_blank"] for link in links)
    assert host_page.evaluate("window.hacked") is None


def test_what_is_refused_is_marked_and_can_be_changed(host_page: "Page") -> None:
    chat = Chat(host_page).open()
    chat.say("long " * 1000)
    failed = chat.widget.locator(".message.visitor[data-state=failed]")
    expect(failed.locator(".meta")).to_contain_text("4096")
    failed.get_by_role("button", name="Change it", exact=True).click()
    expect(failed).to_have_count(0)
    expect(chat.text).to_have_value(("long " * 1000).strip())
    chat.say("short")
    expect(chat.bubbles("bot")).to_have_text("You said: short")


def test_the_gateway_goes_and_comes_back(host_page: "Page", gateway: GatewayProcess, trouble: Trouble) -> None:
    chat = Chat(host_page).open()
    chat.say("before")
    expect(chat.bubbles("bot")).to_have_count(1)
    gateway.terminate()
    expect(chat.status).to_have_text("No connection. Trying again…")
    chat.say("while away")
    expect(chat.widget.locator(".message.visitor[data-state=sending] .bubble")).to_have_text("while away")
    expect(chat.widget.locator(".message.system")).to_have_count(0)
    gateway.start()
    expect(chat.status).to_have_text("Online", timeout=45_000)
    expect(chat.sent()).to_have_text(["before", "while away"])
    expect(chat.bubbles("bot")).to_have_text(["You said: before", "You said: while away"])
    host_page.reload()
    expect(chat.bubbles("visitor")).to_have_text(["before", "while away"])
    trouble.forgive("ERR_CONNECTION_REFUSED")


def test_words_that_could_not_be_sent_outlive_the_page(
    host_page: "Page", gateway: GatewayProcess, trouble: Trouble
) -> None:
    chat = Chat(host_page).open()
    expect(chat.status).to_have_text("Online")
    host_page.context.set_offline(True)
    expect(chat.status).to_have_text("You are offline. What you write is kept and sent later.")
    chat.say("kept")
    host_page.context.set_offline(False)
    expect(chat.bubbles("bot")).to_have_text(["You said: kept"])
    trouble.forgive("ERR_INTERNET_DISCONNECTED")


def test_a_page_that_is_not_on_the_bots_list_is_told_so(
    open_page: OpenPage, gateway: GatewayProcess, shop: HostSite, neighbour: HostSite
) -> None:
    bots = "from gateway.models import Bot; Bot.objects.update_or_create(name='bot', defaults={'widget_origins': %r})"
    gateway.manage("shell", "-c", bots % shop.url)
    chat = Chat(open_page(neighbour.url)).open()
    expect(chat.status).to_have_text("The chat is not available on this page.")
    expect(chat.text).to_be_disabled()
    gateway.manage("shell", "-c", bots % "")
    # It was told once and for all: only a new page asks again.
    chat.launcher.click()
    chat.launcher.click()
    expect(chat.status).to_have_text("The chat is not available on this page.")
    chat.page.reload()
    expect(chat.status).to_have_text("Online")


def test_a_page_that_is_on_no_list_gets_no_line(open_page: OpenPage, gateway: GatewayProcess, trouble: Trouble) -> None:
    with serving(HostSite()) as stranger:
        stranger.gateway = gateway.url
        chat = Chat(open_page(stranger.url)).open()
        expect(chat.status).to_have_text("No connection. Trying again…")
        expect(chat.widget.locator(".message")).to_have_count(0)
    trouble.forgive("Unexpected response code: 403")


def test_a_phone_gets_the_whole_screen(open_page: OpenPage, gateway: GatewayProcess, shop: HostSite) -> None:
    page = open_page(shop.url, viewport={"width": 390, "height": 780}, has_touch=True)
    chat = Chat(page).open()
    expect(chat.panel).to_be_visible()
    page.wait_for_timeout(400)
    assert chat.panel.bounding_box() == {"x": 0, "y": 0, "width": 390, "height": 780}


def test_the_demo_page_opens_the_chat(open_page: OpenPage, gateway: GatewayProcess) -> None:
    page = open_page(gateway.url)
    page.get_by_role("button", name="Talk to the bot", exact=True).click()
    chat = Chat(page)
    chat.say("hello")
    expect(chat.bubbles("bot")).to_have_text("You said: hello")
    expect(page.locator("#tag")).to_have_text(
        f'<script type="module" src="{gateway.url}/widget.js" data-bot="bot"></script>'
    )
