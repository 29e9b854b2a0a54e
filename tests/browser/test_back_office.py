"""Announcements, the dashboard and people in a real browser: what an operator does there, and axe on every page."""

from typing import TYPE_CHECKING

import pytest

from tests.browser.chat import Chat
from tests.browser.conftest import HostSite, OpenPage, expect
from tests.gateway_process import GatewayProcess

if TYPE_CHECKING:
    from axe_playwright_python.sync_playwright import Axe
    from playwright.sync_api import Page
else:
    Axe = pytest.importorskip("axe_playwright_python.sync_playwright").Axe

pytestmark = [pytest.mark.browser, pytest.mark.timeout(120)]

BOSS, PASSWORD = "boss", "a-boss-of-tests-7"
HOSTILE = "<img src=x onerror=alert(1)> we close at six"
RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
PROMOTE = "from django.contrib.auth.models import User; User.objects.filter(username='boss').update(is_superuser=True)"
PATHS = ("announcements/", "announcements/new/", "dashboard/", "dashboard/?period=7", "people/?q=visitor")


def check(page: "Page") -> None:
    """What moves in has not its full colours yet."""
    page.emulate_media(reduced_motion="reduce")
    found = Axe().run(page, options={"runOnly": RULES}).response["violations"]
    assert [f"{one['id']}: {node['target']} {node['failureSummary']}" for one in found for node in one["nodes"]] == []


@pytest.fixture
def boss(open_page: OpenPage, gateway: GatewayProcess) -> "Page":
    """The console, somebody signed in who may do everything."""
    gateway.manage("create_operator", BOSS, "--password", PASSWORD)
    gateway.manage("shell", "-c", PROMOTE)
    page = open_page(f"{gateway.url}/console/announcements/")
    page.get_by_label("Name").fill(BOSS)
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in", exact=True).click()
    expect(page.get_by_role("heading", name="Announcements")).to_be_visible()
    return page


@pytest.fixture
def visitor(open_page: OpenPage, shop: HostSite) -> Chat:
    chat = Chat(open_page(shop.url)).open()
    chat.say("hello")
    expect(chat.bubbles("bot")).to_have_count(1)
    return chat


def test_an_announcement_from_its_draft_to_its_report(boss: "Page", visitor: Chat) -> None:
    boss.get_by_role("link", name="New announcement", exact=True).click()
    boss.get_by_label("Text").fill(HOSTILE)
    boss.get_by_label("Protocol").select_option("webchat")
    boss.get_by_role("button", name="Count and preview", exact=True).click()
    expect(boss.locator(".bubble")).to_have_text(HOSTILE)
    check(boss)
    number = boss.locator(".figure").inner_text()
    boss.get_by_label(f"Type {number} to confirm").fill("no")
    boss.get_by_role("button", name="Announce", exact=True).click()
    expect(boss.get_by_text("That is not the number")).to_be_visible()
    boss.get_by_label(f"Type {number} to confirm").fill(number)
    boss.get_by_role("button", name="Announce", exact=True).click()
    expect(visitor.bubbles("system")).to_have_text([HOSTILE])
    expect(boss.locator(".page-head .chip")).to_have_text("Done")
    expect(boss.locator("[data-text=sent]")).to_have_text(number)
    check(boss)


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [390, 1360])
def test_every_page_is_in_order(boss: "Page", gateway: GatewayProcess, scheme: str, width: int) -> None:
    boss.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
    boss.set_viewport_size({"width": width, "height": 844})
    for path in PATHS:
        boss.goto(f"{gateway.url}/console/{path}")
        check(boss)
        wide = boss.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
        assert wide <= 0, f"{path} is wider than the screen"


@pytest.mark.usefixtures("visitor")
def test_the_dashboard_shows_what_was_said(boss: "Page", gateway: GatewayProcess) -> None:
    messages = boss.locator("section:has(#messages)")
    boss.goto(f"{gateway.url}/console/dashboard/")
    for _ in range(30):  # The gateway counts every quarter of a minute.
        if messages.locator("svg.chart rect").count():
            break
        boss.wait_for_timeout(1000)
        boss.reload()
    expect(messages.locator("svg.chart rect").first).to_be_visible()
    expect(messages.locator("tbody tr")).to_have_count(30)
    check(boss)
    boss.get_by_label("Period").select_option("7")
    boss.get_by_role("button", name="Show", exact=True).click()
    expect(messages.locator("tbody tr")).to_have_count(7)
    with boss.expect_download() as download:
        boss.get_by_role("link", name="Messages as CSV", exact=True).click()
    assert download.value.path().read_text().startswith("day,")
