"""The list's filters: what they show, what the address keeps, and what comes and goes while they are set."""

from typing import TYPE_CHECKING

import pytest

from tests.browser.chat import Chat
from tests.browser.conftest import OpenPage, expect
from tests.gateway_process import GatewayProcess

if TYPE_CHECKING:
    from playwright.sync_api import Locator, Page

pytestmark = [pytest.mark.browser, pytest.mark.timeout(180)]


@pytest.fixture
def zoo(request: pytest.FixtureRequest, open_page: OpenPage, gateway: GatewayProcess) -> Chat:
    """A visitor of the bot who has said the test's name."""
    chat = Chat(open_page(f"{gateway.url}/chat/"))
    chat.say(request.node.name)
    expect(chat.bubbles("bot")).to_have_count(1)
    return chat


@pytest.fixture
def survey(open_page: OpenPage, gateway: GatewayProcess) -> Chat:
    chat = Chat(open_page(f"{gateway.url}/chat/?bot=survey"))
    chat.say("zoo of the survey")
    expect(chat.bubbles("bot").first).to_be_visible()
    return chat


def rows(console: "Page") -> "Locator":
    return console.locator("#list button .from")


def only(console: "Page", kind: str) -> None:
    """Everything in the list is of that protocol and bot."""
    expect(rows(console).first).to_have_text(kind)
    expect(rows(console).filter(has_not_text=kind)).to_have_count(0)


def choose(console: "Page", **choices: str) -> None:
    if not console.locator("#filters details[open]").count():
        console.locator("#filters summary").click()
    for label, option in choices.items():
        console.locator(f"#filters select[name={label}]").select_option(option)


@pytest.mark.usefixtures("zoo", "survey")
def test_a_bot_is_chosen_and_the_address_keeps_it(console: "Page") -> None:
    choose(console, bot="survey")
    only(console, "webchat · survey")
    assert "bot=survey" in console.url
    console.reload()
    only(console, "webchat · survey")
    expect(console.locator("#filters summary")).to_have_class("on")
    choose(console, bot="survey", protocol="telegram")
    expect(console.locator("#list-empty")).to_contain_text("Nothing fits.")
    choose(console, bot="survey", protocol="webchat")
    only(console, "webchat · survey")
    choose(console, bot="", protocol="")
    expect(rows(console).filter(has_text="webchat · bot").first).to_be_visible()


def test_a_state_and_mine_follow_what_happens(console: "Page", zoo: Chat) -> None:
    all_rows = console.locator("#list button")
    row = console.locator("#list button", has_text="test_a_state")
    row.click()
    console.get_by_role("button", name="Take over", exact=True).click()
    expect(console.locator("#about")).to_contain_text("held by you")
    choose(console)
    console.get_by_label("Mine only").check()
    expect(all_rows.filter(has_not_text="held by you")).to_have_count(0)
    expect(row).to_be_visible()
    console.goto(console.url.split("#")[0])  # Nothing is open: what does not fit goes.
    expect(row).to_be_visible()
    choose(console)
    console.get_by_label("Mine only").uncheck()
    console.locator('#counts a[data-state="held"]').click()
    expect(console.locator('#counts a[data-state="held"]')).to_have_attribute("aria-current", "true")
    expect(all_rows.filter(has_not_text="held by")).to_have_count(0)
    zoo.say("test_a_state goes on")
    expect(all_rows.first).to_contain_text("test_a_state goes on")
    row.click()
    console.get_by_role("button", name="Hand back", exact=True).click()
    expect(console.get_by_role("button", name="Take over", exact=True)).to_be_visible()
    console.goto(console.url.split("#")[0])
    expect(console.locator("#line")).to_have_text("Live")
    expect(row).to_have_count(0)
    console.locator('#counts a[data-state="held"]').click()
    expect(row).to_be_visible()


@pytest.mark.usefixtures("zoo")
def test_a_tag_is_given_and_filtered_by(console: "Page") -> None:
    console.locator("#list button", has_text="test_a_tag").click()
    console.get_by_label("Add a tag").fill("<b>vip</b>")
    console.get_by_label("Add a tag").press("Enter")
    expect(console.locator("#card .tag-list .tag span")).to_have_text(["<b>vip</b>"])
    expect(console.locator("#list [aria-current] .tag")).to_have_text(["<b>vip</b>"])
    console.goto(console.url.split("#")[0])
    choose(console, tag="<b>vip</b>")
    expect(console.locator("#list .tag")).to_have_text(["<b>vip</b>"])
    expect(console.locator("#list button")).to_have_count(1)
    console.locator("#list button").click()
    console.get_by_role("button", name="Take the tag <b>vip</b> away", exact=True).click()
    expect(console.locator("#card .tag-list .tag")).to_have_count(0)
    console.goto(console.url.split("#")[0])
    expect(console.locator("#list-empty")).to_contain_text("Nothing fits.")
    console.get_by_role("button", name="Show all", exact=True).click()
    expect(console.locator("#list button").first).to_be_visible()
