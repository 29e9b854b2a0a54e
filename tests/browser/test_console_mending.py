"""What went wrong is put right at the console, also without a mouse."""

from typing import TYPE_CHECKING

import pytest

from tests.browser.chat import Chat
from tests.browser.conftest import OPERATOR, HostSite, OpenPage, expect
from tests.gateway_process import GatewayProcess

if TYPE_CHECKING:
    from playwright.sync_api import Page

pytestmark = [pytest.mark.browser, pytest.mark.timeout(180)]

GO_WRONG = """
from gateway.models import Message
row = Message.objects.get(direction="in", text="mend me")
Message.objects.filter(pk=row.pk).update(status="failed", error="ValueError: <img src=x onerror=hacked=1>")
Message.objects.filter(cause=row).update(status="unknown", sends=1, unknowns=1)
"""


def test_a_failed_event_and_an_unknown_answer(
    open_page: OpenPage, gateway: GatewayProcess, shop: HostSite, console: "Page"
) -> None:
    visitor = Chat(open_page(shop.url)).open()
    visitor.say("mend me")
    expect(visitor.bubbles("bot")).to_have_count(1)
    gateway.manage("shell", "-c", GO_WRONG)
    console.locator("#list button", has_text="mend me").first.click()
    asked, answered = console.locator("#transcript .visitor"), console.locator("#transcript .bot")
    expect(asked.locator(".status")).to_contain_text("failed: ValueError: <img")
    expect(answered.locator(".status")).to_contain_text("not known whether it arrived")

    answered.get_by_role("button", name="Drop", exact=True).click()
    expect(answered.locator(".status")).to_contain_text(f"note: seen by operators only (Dropped by {OPERATOR}.)")
    expect(answered.get_by_role("button")).to_have_count(0)

    asked.get_by_role("button", name="Give to the bot again", exact=True).focus()
    console.keyboard.press("Enter")
    expect(asked.get_by_role("button")).to_have_count(0)
    expect(asked.locator(".status")).to_have_count(0)
    expect(console.locator("#transcript")).to_be_focused()
    assert console.evaluate("window.hacked") is None
