"""The widget against a scripted line: frames that a whole product sends rarely."""

from typing import TYPE_CHECKING

import pytest

from tests.browser.chat import Chat
from tests.browser.conftest import HostSite, OpenPage, expect
from tests.browser.script import Script
from tests.gateway_process import GatewayProcess

if TYPE_CHECKING:
    from playwright.sync_api import Page

pytestmark = [pytest.mark.browser, pytest.mark.timeout(120)]
HELLO = {"type": "hello", "token": None, "since": 0, "bot": "bot", "language": "en"}
CHOICE = [[{"text": "Yes", "data": "y"}, {"text": "No", "data": "n"}]]


@pytest.fixture
def page(open_page: OpenPage) -> "Page":
    return open_page("about:blank")


@pytest.fixture
def script(page: "Page") -> Script:
    return Script(page)


@pytest.fixture
def chat(page: "Page", script: Script, gateway: GatewayProcess, shop: HostSite) -> Chat:
    page.goto(shop.url)
    chat = Chat(page).open()
    assert script.wait_for("hello") == {**HELLO, "recent": 50}
    script.welcome()
    return chat


def test_an_edit_replaces_and_an_older_revision_does_not(chat: Chat, script: Script) -> None:
    script.message(1, 1, "first")
    script.message(2, 2, "second")
    script.message(1, 4, "first, mended")
    script.message(1, 3, "first, half mended")
    script.message(3, 5, "third")
    expect(chat.bubbles("bot")).to_have_text(["first, mended", "second", "third"])


def test_messages_stand_in_their_order_whatever_order_they_come_in(chat: Chat, script: Script) -> None:
    for seq in (3, 1, 2):
        script.message(seq, seq, f"number {seq}")
    expect(chat.bubbles("bot")).to_have_text(["number 1", "number 2", "number 3"])


def test_only_the_newest_chips_can_be_pressed(chat: Chat, script: Script) -> None:
    script.say(type="message", seq=1, rev=1, text="Sure?", name="", buttons=CHOICE, at="", **{"from": "bot"})
    chat.widget.get_by_role("button", name="Yes", exact=True).click()
    pressed = script.wait_for("button")
    assert pressed["data"] == "y"
    script.say(type="ack", id=pressed["id"], seq=2, rev=2)
    expect(chat.sent()).to_have_text(["Yes"])
    expect(chat.widget.get_by_role("button", name="No", exact=True)).to_be_enabled()
    script.message(3, 3, "Good.")
    expect(chat.widget.get_by_role("button", name="No", exact=True)).to_be_disabled()


@pytest.mark.parametrize("first", ["ack", "message"])
def test_own_words_stand_once(chat: Chat, script: Script, first: str) -> None:
    chat.say("mine")
    said = script.wait_for("message")
    if first == "ack":
        script.say(type="ack", id=said["id"], seq=1, rev=1)
    script.message(1, 1, "mine", "visitor", id=said["id"])
    if first == "message":
        script.say(type="ack", id=said["id"], seq=1, rev=1)
    script.message(2, 2, "theirs")
    expect(chat.bubbles("bot")).to_have_count(1)
    expect(chat.sent()).to_have_text(["mine"])


def test_what_was_not_acknowledged_is_said_again_under_its_id(chat: Chat, script: Script) -> None:
    script.message(1, 7, "hello")
    expect(chat.bubbles("bot")).to_have_count(1)
    chat.say("do you hear me?")
    said = script.wait_for("message")
    script.lines[-1].close(code=4012)
    assert script.wait_for("hello", 2) == {**HELLO, "token": "t1", "since": 7}
    script.welcome()
    assert script.wait_for("message", 2) == said


def test_a_bad_token_begins_anew(chat: Chat, script: Script) -> None:
    script.message(1, 9, "old words")
    expect(chat.bubbles("bot")).to_have_count(1)
    chat.page.reload()
    assert script.wait_for("hello", 2) == {**HELLO, "token": "t1", "recent": 50}
    script.say(type="error", code="bad_token", detail="expired")
    script.welcome("t2", "c2")
    script.message(1, 1, "new words")
    expect(chat.bubbles("bot")).to_have_text(["new words"])
    script.lines[-1].close(code=4012)
    assert script.wait_for("hello", 3) == {**HELLO, "token": "t2", "since": 1}


def test_a_bad_token_in_the_middle_empties_the_list(chat: Chat, script: Script) -> None:
    script.message(1, 9, "old words")
    expect(chat.bubbles("bot")).to_have_count(1)
    script.lines[-1].close(code=4012)
    script.wait_for("hello", 2)
    script.say(type="error", code="bad_token", detail="expired")
    script.welcome("t2", "c2")
    expect(chat.bubbles("bot")).to_have_count(0)


def test_who_is_not_ready_is_asked_again(page: "Page", script: Script, gateway: GatewayProcess, shop: HostSite) -> None:
    page.goto(shop.url)
    chat = Chat(page).open()
    script.wait_for("hello")
    script.say(type="error", code="not_ready", detail="starting")
    expect(chat.status).to_have_text("The chat is starting. One moment…")
    script.wait_for("hello", 2)
    script.welcome()
    expect(chat.status).to_have_text("Online")


def test_operator_and_system_are_told_apart(chat: Chat, script: Script) -> None:
    script.message(1, 1, "We close at six.", "system")
    script.say(type="message", seq=2, rev=2, text="Hi", name="Ann", buttons=[], at="", **{"from": "operator"})
    expect(chat.bubbles("system")).to_have_text(["We close at six."])
    expect(chat.widget.locator(".message.operator .name")).to_have_text(["Ann"])


def test_typing_is_shown_until_the_answer(chat: Chat, script: Script) -> None:
    script.say(type="typing", **{"from": "operator"})
    expect(chat.widget.locator(".typing")).to_be_visible()
    script.message(1, 1, "Here I am", "operator")
    expect(chat.widget.locator(".typing")).to_be_hidden()
