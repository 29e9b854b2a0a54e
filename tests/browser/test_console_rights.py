"""The console of somebody who loses a bot: what was theirs is gone from the page."""

from typing import TYPE_CHECKING

import pytest

from tests.browser.chat import Chat
from tests.browser.conftest import OPERATOR, HostSite, OpenPage, expect
from tests.gateway_process import GatewayProcess

if TYPE_CHECKING:
    from playwright.sync_api import Page

pytestmark = [pytest.mark.browser, pytest.mark.timeout(180)]
LISTS = """
from django.contrib.auth.models import User
from gateway.models import Bot
bot = Bot.objects.get(name="bot")
bot.watchers.set(User.objects.filter(username__in={watchers!r}))
bot.operators.set(User.objects.filter(username__in={operators!r}))
"""


def set_lists(gateway: GatewayProcess, *, operators: tuple[str, ...] = (), watchers: tuple[str, ...] = ()) -> None:
    gateway.manage("shell", "-c", LISTS.format(operators=operators, watchers=watchers))


def test_what_is_taken_away_leaves_the_page(
    open_page: OpenPage, console: "Page", gateway: GatewayProcess, shop: HostSite
) -> None:
    visitor = Chat(open_page(shop.url)).open()
    visitor.say("for operators of this bot")
    item = console.locator("#list button", has_text="for operators of this bot").first
    item.click()
    gateway.manage("create_operator", "bea")
    try:
        set_lists(gateway, operators=("bea",), watchers=(OPERATOR,))
        expect(console.get_by_role("button", name="Take over", exact=True)).to_be_hidden()
        expect(console.locator("#text")).to_have_attribute("placeholder", "You may read here.")
        set_lists(gateway, operators=("bea",))
        expect(console.locator("#list .from", has_text="· bot")).to_have_count(0)
        expect(console.locator("#line")).to_have_text("Live")
        set_lists(gateway, operators=("bea", OPERATOR))
        expect(item).to_be_visible()
    finally:
        set_lists(gateway)
