"""Operators at the console, visitors in the widget, both in a real browser."""

import re
from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest

from tests.browser.chat import Chat
from tests.browser.conftest import OPERATOR, PASSWORD, HostSite, OpenPage, expect
from tests.browser.hostile import HOSTILE
from tests.gateway_process import GatewayProcess

if TYPE_CHECKING:
    from playwright.sync_api import Locator, Page, WebSocketRoute

pytestmark = [pytest.mark.browser, pytest.mark.timeout(180)]


@pytest.fixture
def visitor(open_page: OpenPage, gateway: GatewayProcess, shop: HostSite) -> Chat:
    return Chat(open_page(shop.url)).open()


def begin(visitor: Chat, console: "Page", text: str) -> None:
    """The visitor writes `text`, the operator opens the conversation."""
    visitor.say(text)
    expect(visitor.bubbles("bot")).to_have_count(1)
    item = console.locator("#list button", has_text=text).first
    item.click()
    expect(words(console, "visitor")).to_have_text([text])


def words(console: "Page", sender: str) -> "Locator":
    return console.locator(f"#transcript .{sender}:not(.quiet) .words")


def answer(console: "Page", text: str) -> None:
    console.locator("#text").fill(text)
    console.locator("#text").press("Enter")


def test_an_operator_takes_over_answers_and_hands_back(visitor: Chat, console: "Page") -> None:
    begin(visitor, console, "is a person there?")
    expect(words(console, "bot")).to_have_text(["You said: is a person there?"])
    expect(console.locator("#text")).to_be_disabled()

    console.get_by_role("button", name="Take over", exact=True).click()
    expect(console.locator("#about")).to_contain_text("held by you")
    answer(console, "Yes, I am Ann.")
    expect(visitor.bubbles("operator")).to_have_text(["Yes, I am Ann."])
    expect(visitor.widget.locator(".message.operator .name")).to_have_text([OPERATOR])

    visitor.say("how nice")
    expect(words(console, "visitor")).to_have_text(["is a person there?", "how nice"])
    answer(console, "Anything else?")
    expect(visitor.bubbles("operator")).to_have_count(2)
    expect(visitor.bubbles("bot")).to_have_count(1)

    console.get_by_role("button", name="Hand back", exact=True).click()
    expect(console.get_by_role("button", name="Take over", exact=True)).to_be_visible()
    expect(console.locator("#text")).to_be_disabled()
    visitor.say("and you, bot?")
    expect(visitor.bubbles("bot")).to_have_text(["You said: is a person there?", "You said: and you, bot?"])
    expect(words(console, "bot").last).to_have_text("You said: and you, bot?")


def test_words_appear_live_and_the_list_moves(visitor: Chat, console: "Page") -> None:
    begin(visitor, console, "live one")
    visitor.say("live two")
    expect(words(console, "visitor")).to_have_text(["live one", "live two"])
    expect(console.locator("#list button").first).to_contain_text("You said: live two")
    expect(console.locator("#transcript .bot .status").last).to_have_text("sent")


def test_hostile_words_are_words_to_the_operator(visitor: Chat, console: "Page") -> None:
    for text in HOSTILE:
        visitor.say(text)
    expect(visitor.bubbles("bot")).to_have_count(len(HOSTILE), timeout=30_000)
    console.locator("#list button", has_text=HOSTILE[-1]).first.click()
    expect(words(console, "visitor")).to_have_count(len(HOSTILE))
    assert words(console, "visitor").evaluate_all("all => all.map(one => one.textContent)") == HOSTILE
    assert words(console, "visitor").locator("*").count() == 0
    assert console.evaluate("window.hacked") is None


def test_two_operators_talk_over_nobody(
    visitor: Chat, console: "Page", open_page: OpenPage, gateway: GatewayProcess
) -> None:
    gateway.manage("create_operator", "ben", "--password", PASSWORD)
    begin(visitor, console, "one of you, please")
    ben = open_page(f"{gateway.url}/console/")
    sign_in(ben, "ben")
    ben.goto(console.url)
    expect(words(ben, "visitor")).to_have_text(["one of you, please"])
    console.get_by_role("button", name="Take over", exact=True).click()
    expect(ben.locator("#about")).to_contain_text(f"held by {OPERATOR}")
    expect(ben.get_by_role("button", name="Take over", exact=True)).to_be_hidden()
    expect(ben.locator("#text")).to_be_disabled()


def test_who_answers_on_a_stale_view_keeps_the_text(
    visitor: Chat, console: "Page", open_page: OpenPage, gateway: GatewayProcess
) -> None:
    gateway.manage("create_operator", "cleo", "--password", PASSWORD)
    begin(visitor, console, "who is quicker?")
    deaf = open_page("about:blank")
    deaf.route_web_socket(re.compile("/ws/chat/admin/"), without("I am Ann."))
    deaf.goto(f"{gateway.url}/console/")
    sign_in(deaf, "cleo")
    deaf.goto(console.url)
    expect(words(deaf, "visitor")).to_have_text(["who is quicker?"])

    console.get_by_role("button", name="Take over", exact=True).click()
    answer(console, "I am Ann.")
    expect(visitor.bubbles("operator")).to_have_text(["I am Ann."])
    console.get_by_role("button", name="Hand back", exact=True).click()

    deaf.get_by_role("button", name="Take over", exact=True).click()
    answer(deaf, "I am, says Cleo.")
    expect(deaf.locator("#notice")).to_contain_text("Somebody answered meanwhile")
    expect(deaf.locator("#text")).to_have_value("I am, says Cleo.")
    expect(visitor.bubbles("operator")).to_have_count(1)


def without(text: str) -> "Callable[[WebSocketRoute], None]":
    """A line on which the messages with `text` in them get lost."""

    def route(client: "WebSocketRoute") -> None:
        server = client.connect_to_server()
        client.on_message(server.send)
        server.on_message(lambda frame: None if text in frame and "message" in frame else client.send(frame))

    return route


def test_the_address_keeps_the_open_conversation(visitor: Chat, console: "Page") -> None:
    begin(visitor, console, "stay with me")
    console.reload()
    expect(words(console, "visitor")).to_have_text(["stay with me"])
    expect(console.locator("#list button[aria-current]")).to_have_count(1)
    console.get_by_role("button", name="Take over", exact=True).click()
    box = console.locator("#text").bounding_box()
    assert box
    assert box["height"] > 30


def test_arrows_walk_through_the_list(visitor: Chat, console: "Page", open_page: OpenPage, shop: HostSite) -> None:
    begin(visitor, console, "the lower one")
    upper = Chat(open_page(shop.url)).open()
    upper.say("the upper one")
    expect(upper.bubbles("bot")).to_have_count(1)
    expect(console.locator("#list button").first).to_contain_text("the upper one")
    console.locator("#list button[aria-current]").focus()
    console.keyboard.press("ArrowUp")
    expect(words(console, "visitor")).to_have_text(["the upper one"])
    console.keyboard.press("ArrowDown")
    expect(words(console, "visitor")).to_have_text(["the lower one"])


def test_on_a_phone_the_list_then_the_transcript(visitor: Chat, open_page: OpenPage, gateway: GatewayProcess) -> None:
    visitor.say("small screen")
    expect(visitor.bubbles("bot")).to_have_count(1)
    page = open_page(f"{gateway.url}/console/", viewport={"width": 390, "height": 780})
    sign_in(page, OPERATOR)
    page.locator("#list button", has_text="small screen").first.click()
    expect(words(page, "visitor")).to_have_text(["small screen"])
    expect(page.locator("#list")).to_be_hidden()
    page.get_by_role("button", name="Back to the list", exact=True).click()
    expect(page.locator("#list")).to_be_visible()


def test_who_is_no_operator_is_told_so_and_may_leave(open_page: OpenPage, gateway: GatewayProcess) -> None:
    page = open_page(f"{gateway.url}/console/")
    sign_in(page, OPERATOR)
    page.get_by_role("button", name="Sign out", exact=True).click()
    expect(page.get_by_role("button", name="Sign in", exact=True)).to_be_visible()


def test_the_administration_keeps_the_policy(open_page: OpenPage, gateway: GatewayProcess) -> None:
    page = open_page(f"{gateway.url}/admin/")
    expect(page.get_by_label("Username")).to_be_visible()


def sign_in(page: "Page", name: str) -> None:
    page.get_by_label("Name").fill(name)
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in", exact=True).click()
    expect(page.locator("#line")).to_have_text("Live")
