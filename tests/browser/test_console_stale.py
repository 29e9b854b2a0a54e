"""Who answers without having seen a colleague's answer: their words are held back, and they choose."""

from typing import TYPE_CHECKING

import pytest

from tests.browser.chat import Chat
from tests.browser.conftest import OPERATOR, PASSWORD, HostSite, OpenPage, Trouble, expect
from tests.browser.test_console import answer, begin, sign_in, words
from tests.browser.test_console_access import LEADS
from tests.gateway_process import GatewayProcess

if TYPE_CHECKING:
    from playwright.sync_api import Page

pytestmark = [pytest.mark.browser, pytest.mark.timeout(180)]
ANNS, CLEOS = "I am Ann.", "I am, says Cleo."


@pytest.fixture
def visitor(open_page: OpenPage, gateway: GatewayProcess, shop: HostSite) -> Chat:
    return Chat(open_page(shop.url)).open()


@pytest.fixture
def cleo(visitor: Chat, console: "Page", open_page: OpenPage, gateway: GatewayProcess, trouble: Trouble) -> "Page":
    """A console whose line was away while Ann answered: it has seen by now what it had missed, and was asked."""
    gateway.manage("create_operator", "cleo", "--password", PASSWORD)
    gateway.manage("shell", "-c", LEADS)
    begin(visitor, console, "who is quicker?")
    page = open_page(f"{gateway.url}/console/")
    sign_in(page, "cleo")
    page.goto(console.url)
    page.get_by_role("button", name="Take over", exact=True).click()
    expect(page.locator("#about")).to_contain_text("held by you")
    trouble.forgive("ERR_INTERNET_DISCONNECTED")
    page.context.set_offline(True)
    expect(page.locator("#line")).to_have_text("No connection. Trying again…")
    answer(page, CLEOS)

    assign(console, OPERATOR)
    expect(console.locator("#about")).to_contain_text("held by you")
    answer(console, ANNS)
    expect(visitor.bubbles("operator")).to_have_text([ANNS])
    assign(console, "cleo")
    expect(console.locator("#about")).to_contain_text("held by cleo")

    page.context.set_offline(False)
    expect(words(page, "operator")).to_have_text([ANNS])
    expect(page.locator("#transcript .operator .name")).to_have_text([OPERATOR])
    expect(page.locator("#notice")).to_contain_text("Somebody answered meanwhile")
    expect(page.locator("#text")).to_have_value(CLEOS)
    expect(visitor.bubbles("operator")).to_have_text([ANNS])
    return page


def assign(console: "Page", name: str) -> None:
    console.get_by_role("button", name="Assign", exact=True).click()
    console.get_by_label("To", exact=True).select_option(name)
    console.get_by_role("dialog").get_by_role("button", name="Assign", exact=True).click()


def test_mine_is_sent_as_well(cleo: "Page", visitor: Chat, console: "Page") -> None:
    cleo.get_by_role("button", name="Send mine as well", exact=True).click()
    expect(visitor.bubbles("operator")).to_have_text([ANNS, CLEOS])
    expect(words(console, "operator")).to_have_text([ANNS, CLEOS])
    expect(cleo.locator("#notice")).to_be_hidden()
    expect(cleo.locator("#text")).to_have_value("")
    cleo.reload()
    expect(words(cleo, "operator")).to_have_text([ANNS, CLEOS])
    expect(cleo.locator("#text")).to_have_value("")


def test_mine_is_discarded(cleo: "Page", visitor: Chat) -> None:
    cleo.get_by_role("button", name="Discard mine", exact=True).click()
    expect(cleo.locator("#notice")).to_be_hidden()
    expect(cleo.locator("#text")).to_have_value("")
    cleo.reload()
    expect(words(cleo, "operator")).to_have_text([ANNS])
    expect(cleo.locator("#text")).to_have_value("")
    answer(cleo, "As Ann said.")
    expect(visitor.bubbles("operator")).to_have_text([ANNS, "As Ann said."])


def test_mine_is_kept_until_it_is_chosen_about(cleo: "Page", visitor: Chat) -> None:
    cleo.reload()
    expect(words(cleo, "operator")).to_have_text([ANNS])
    expect(cleo.locator("#text")).to_have_value(CLEOS)
    cleo.locator("#text").fill("Ann is right.")
    cleo.locator("#text").press("Enter")
    expect(visitor.bubbles("operator")).to_have_text([ANNS, "Ann is right."])
    expect(cleo.locator("#notice")).to_be_hidden()
