"""The page of the examples in a real browser: open, message, error and close."""

from typing import TYPE_CHECKING

import pytest

from tests.browser.conftest import OpenPage, Trouble, expect
from tests.gateway_process import GatewayProcess

if TYPE_CHECKING:
    from playwright.sync_api import Page

pytestmark = [pytest.mark.browser, pytest.mark.timeout(120)]


def happened(page: "Page") -> object:
    return page.locator("#events li")


def say(page: "Page", text: str) -> None:
    page.get_by_label("Message").fill(text)
    page.get_by_role("button", name="Send").click()


def test_two_browsers_in_a_room(open_page: OpenPage, gateway: GatewayProcess, trouble: Trouble) -> None:
    trouble.forgive("Chat socket closed unexpectedly")
    ada, bob = (open_page(f"{gateway.url}/notes/room/attic/") for _ in range(2))
    for page in (ada, bob):
        expect(happened(page)).to_have_text(["open"])
    say(ada, "up here")
    say(bob, "<b>me too</b>")
    for page in (ada, bob):
        expect(page.get_by_label("Log")).to_have_value("up here\n<b>me too</b>\n")
    say(ada, "/close")
    expect(happened(ada)).to_have_text(["open", "close 4123"])
    expect(happened(bob)).to_have_text(["open"])


def test_a_room_that_is_closed(open_page: OpenPage, gateway: GatewayProcess, trouble: Trouble) -> None:
    trouble.forgive("Chat socket closed unexpectedly")
    trouble.forgive("WebSocket connection to")
    page = open_page(f"{gateway.url}/notes/room/closed/")
    expect(happened(page)).to_have_text(["error", "close 1006"])
