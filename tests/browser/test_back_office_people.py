"""Replies, people, nodes and the audit log in a real browser: what a lead does there, with axe after each step."""

import json
import re
from typing import TYPE_CHECKING

import pytest

from tests.browser.chat import Chat
from tests.browser.conftest import OpenPage, expect
from tests.browser.hostile import HOSTILE
from tests.browser.test_back_office import BOSS, boss, check, visitor
from tests.gateway_process import GatewayProcess

if TYPE_CHECKING:
    from playwright.sync_api import Page

__all__ = ["boss", "visitor"]
pytestmark = [pytest.mark.browser, pytest.mark.timeout(120)]

ANOTHER = "from gateway.models import Node; Node.objects.create(slot='another', place='another')"
SIZES = [("light", 390), ("dark", 390), ("light", 820), ("light", 1360), ("dark", 1360)]


def look(boss: "Page", scheme: str, width: int) -> None:
    boss.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
    boss.set_viewport_size({"width": width, "height": 844})


def in_order(page: "Page") -> None:
    check(page)
    wide = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
    assert wide <= 0, f"{page.url} is wider than the screen"


@pytest.mark.parametrize(("scheme", "width"), SIZES)
def test_a_reply_is_written_found_changed_and_deleted(
    boss: "Page", gateway: GatewayProcess, scheme: str, width: int
) -> None:
    look(boss, scheme, width)
    boss.goto(f"{gateway.url}/console/replies/")
    in_order(boss)
    boss.get_by_role("link", name="New reply", exact=True).click()
    in_order(boss)
    boss.get_by_role("button", name="Save", exact=True).click()  # The browser says what is missing.
    expect(boss.get_by_role("heading", name="New reply")).to_be_visible()
    boss.get_by_label("Shortcut").fill(f"late-{scheme}-{width}")
    boss.get_by_label("Text").fill(HOSTILE[0])
    boss.get_by_role("button", name="Save", exact=True).click()
    boss.get_by_label("Search").fill(f"late-{scheme}-{width}")
    boss.get_by_role("button", name="Search", exact=True).click()
    expect(boss.locator(".sheets .words")).to_have_text([HOSTILE[0]])
    in_order(boss)
    boss.get_by_role("link", name=re.compile("^Change ")).click()
    in_order(boss)
    boss.get_by_role("button", name="Delete this reply", exact=True).click()
    boss.get_by_label("Search").fill(f"late-{scheme}-{width}")
    boss.get_by_role("button", name="Search", exact=True).click()
    expect(boss.get_by_text("No reply has")).to_be_visible()
    in_order(boss)


@pytest.mark.usefixtures("visitor")
@pytest.mark.parametrize(("scheme", "width"), SIZES)
def test_the_audit_log_and_the_nodes(boss: "Page", gateway: GatewayProcess, scheme: str, width: int) -> None:
    look(boss, scheme, width)
    boss.goto(f"{gateway.url}/console/")
    boss.locator("#list button", has_text="You said: hello").first.click()
    boss.get_by_role("button", name="Take over", exact=True).click()
    boss.get_by_role("button", name="Hand back", exact=True).click()
    expect(boss.get_by_role("button", name="Take over", exact=True)).to_be_visible()
    boss.goto(f"{gateway.url}/console/audit/")
    expect(boss.locator("tbody tr").first).to_contain_text(f"{BOSS} release", use_inner_text=True)
    in_order(boss)
    boss.get_by_label("Operator").fill("nobody at all")
    boss.get_by_role("button", name="Filter", exact=True).click()
    expect(boss.get_by_text("Nothing here for this filter.")).to_be_visible()
    in_order(boss)
    boss.goto(f"{gateway.url}/console/nodes/")
    expect(boss.locator("tbody tr")).to_have_count(1)
    in_order(boss)


def test_the_nodes_are_asked_for_anew_and_whoever_reads_stays_there(boss: "Page", gateway: GatewayProcess) -> None:
    boss.goto(f"{gateway.url}/console/nodes/")
    boss.evaluate("document.kept = true")
    boss.get_by_role("region", name="Nodes").focus()
    gateway.manage("shell", "-c", ANOTHER)
    expect(boss.locator("tbody tr")).to_have_count(2)
    expect(boss.get_by_role("region", name="Nodes")).to_be_focused()
    assert boss.evaluate("document.kept")
    gateway.manage("shell", "-c", "from gateway.models import Node; Node.objects.filter(place='another').delete()")
    expect(boss.locator("tbody tr")).to_have_count(1)


@pytest.mark.parametrize(("scheme", "width"), SIZES)
def test_a_person_is_found_exported_and_erased(
    boss: "Page", open_page: OpenPage, gateway: GatewayProcess, scheme: str, width: int
) -> None:
    look(boss, scheme, width)
    chat = Chat(open_page(f"{gateway.url}/chat/"))
    chat.say(f"forget me {scheme} {width}")
    expect(chat.bubbles("bot")).to_have_count(1)
    boss.goto(f"{gateway.url}/console/")
    boss.locator("#list button", has_text=f"forget me {scheme} {width}").click()
    if width < 1180:
        boss.get_by_role("button", name="Person", exact=True).click()
    boss.get_by_role("link", name="All that is kept", exact=True).click()
    expect(boss.get_by_role("heading", name="Known as")).to_be_visible()
    in_order(boss)
    with boss.expect_download() as download:
        boss.get_by_role("button", name="Export everything", exact=True).click()
    assert f"forget me {scheme} {width}" in json.dumps(json.loads(download.value.path().read_text()))
    boss.get_by_text("Erase this person…").click()
    in_order(boss)
    number = boss.get_by_label("Type webchat:")
    number.fill("webchat:somebody else")
    boss.get_by_role("button", name="Erase for good", exact=True).click()
    expect(boss.get_by_text("Nothing was erased")).to_be_visible()
    in_order(boss)
    boss.get_by_text("Erase this person…").click()
    number.fill(boss.locator("label[for=number]").inner_text().removeprefix("Type "))
    boss.get_by_role("button", name="Erase for good", exact=True).click()
    expect(boss.get_by_text("is being erased everywhere")).to_be_visible()
    in_order(boss)
    boss.goto(f"{gateway.url}/console/?search=forget+me+{scheme}+{width}")
    expect(boss.locator("#list-empty")).to_contain_text("Nothing fits.")
    in_order(boss)
