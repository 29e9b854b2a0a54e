"""What strangers and operators wrote, wherever the console shows it besides the transcript: text, and never run."""

import csv
import io
import json
import re
from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest

from tests.browser.chat import Chat
from tests.browser.conftest import HostSite, OpenPage, expect
from tests.browser.hostile import HOSTILE, NAMES
from tests.browser.test_console_access import NOTIFICATIONS
from tests.browser.test_hostile_names import nothing_ran, root, rows
from tests.gateway_process import GatewayProcess

if TYPE_CHECKING:
    from playwright.sync_api import Locator, Page, WebSocketRoute

__all__ = ["root", "rows"]
pytestmark = [pytest.mark.browser, pytest.mark.timeout(180)]

RATED = """
import json
from gateway.models import Conversation
from gateway.web.models import Rating
texts = json.loads({content!r})
place = Conversation.objects.get(key="h0")
for seq, text in enumerate(texts):
    Rating.objects.create(bot=place.bot, conversation=place, seq=seq, score=1 + seq % 5, text=text)
"""
FORMULA = "=cmd|'/c calc'!A1"


def texts(found: "Locator") -> list[str]:
    return [str(one) for one in found.evaluate_all("all => all.map(one => one.textContent)")]


def open_talk(root: "Page", name: str) -> None:
    root.locator("#list button", has=root.locator(".person", has_text=name)).first.click()
    expect(root.locator("#name")).to_have_text(name)


def test_tags_notes_and_ready_replies(root: "Page", gateway: GatewayProcess) -> None:
    open_talk(root, NAMES[0])
    tags = [name[:40].lower() for name in NAMES if not re.search("[\u200b-\u202e\u2066]", name)]
    for tag in tags:
        root.get_by_label("Add a tag").fill(tag)
        root.get_by_label("Add a tag").press("Enter")
        expect(root.locator("#card .tag-list .tag > span", has_text=tag).first).to_be_visible()
    assert sorted(texts(root.locator("#card .tag-list .tag > span"))) == sorted(tags)
    assert sorted(texts(root.locator("#list [aria-current] .tag"))) == sorted(tags)
    root.get_by_role("button", name="Note", exact=True).click()
    for number, text in enumerate(HOSTILE, start=1):
        root.locator("#text").fill(text)
        root.locator("#text").press("Enter")
        expect(root.locator("#transcript .private .words")).to_have_count(number)
    assert texts(root.locator("#transcript .private .words")) == HOSTILE
    expect(root.locator("#card .notes p").first).to_have_text(HOSTILE[-1])
    assert root.locator("#card .notes p *, #transcript .private .words *").count() == 0
    nothing_ran(root)

    root.goto(f"{gateway.url}/console/replies/new/")
    root.get_by_label("Shortcut").fill("<b>x</b>")
    root.get_by_label("Text").fill("\n".join(HOSTILE))
    root.get_by_role("button", name="Save", exact=True).click()
    expect(root.locator(".sheets .words", has_text=HOSTILE[0])).to_be_visible()
    assert root.locator(".sheets .words *").count() == 0
    nothing_ran(root)
    root.goto(f"{gateway.url}/console/")
    open_talk(root, NAMES[0])
    root.get_by_role("button", name="Take over", exact=True).click()
    root.locator("#text").fill("/<b>")
    expect(root.locator("#replies [role=option]")).to_contain_text("<b>x</b>")
    assert root.locator("#replies [role=option] :is(script, img, svg, a)").count() == 0
    root.locator("#text").press("Escape")
    root.locator("#text").fill("")
    nothing_ran(root)


def test_an_announcement_and_its_preview(root: "Page", gateway: GatewayProcess) -> None:
    root.goto(f"{gateway.url}/console/announcements/new/")
    root.get_by_label("Text").fill("\n".join(HOSTILE))
    root.get_by_role("button", name="Count and preview", exact=True).click()
    expect(root.locator(".bubble")).to_contain_text(HOSTILE[0])
    assert texts(root.locator(".bubble")) == ["\n".join(HOSTILE)]
    assert root.locator(".bubble *").count() == 0
    nothing_ran(root)
    root.goto(f"{gateway.url}/console/announcements/")
    expect(root.locator(".sheets .words").first).to_contain_text(HOSTILE[0])
    nothing_ran(root)


def test_people_and_what_is_kept_of_them(root: "Page", gateway: GatewayProcess) -> None:
    for name in NAMES:
        root.goto(f"{gateway.url}/console/people/")
        root.get_by_label("Name, user name or number").fill(name[:100])
        root.get_by_role("button", name="Find", exact=True).click()
        nothing_ran(root)
        link = root.locator("tbody a").filter(has_text=name).first
        assert link.text_content() == name
        link.click()
        expect(root.get_by_role("heading", level=1)).to_have_text(name)
        nothing_ran(root)


def test_the_dashboard_and_its_files(root: "Page", gateway: GatewayProcess) -> None:
    gateway.manage("shell", "-c", RATED.format(content=json.dumps([*HOSTILE, FORMULA])))
    failures = root.locator("section:has(#failures)")
    for _ in range(60):  # The gateway counts every quarter of a minute.
        root.goto(f"{gateway.url}/console/dashboard/?period=7")
        if root.locator(".comments q").count() and failures.locator("tbody tr").count():
            break
        root.wait_for_timeout(500)
    assert set(texts(root.locator(".comments q"))) <= {*HOSTILE, FORMULA}
    nothing_ran(root)
    for file in root.locator("a[href*='.csv']").all():
        with root.expect_download() as download:
            file.click()
        no_formula(download.value.path().read_text())


def test_a_transcript_for_a_spreadsheet(root: "Page") -> None:
    open_talk(root, FORMULA)
    with root.expect_download() as download:
        root.get_by_role("button", name="CSV", exact=True).click()
    kept = download.value.path().read_text()
    assert f"'{FORMULA}" in kept
    no_formula(kept)


def no_formula(text: str) -> None:
    cells = [cell for row in csv.reader(io.StringIO(text)) for cell in row]
    assert cells
    assert not [cell for cell in cells if cell.lstrip()[:1] in ("=", "+", "@")]


def test_the_title_and_the_notification(
    open_page: OpenPage, shop: HostSite, gateway: GatewayProcess, console: "Page"
) -> None:
    """A name is in what the browser tells, as it is; the title has a number alone."""
    page = console.context.new_page()
    page.add_init_script(NOTIFICATIONS)
    page.route_web_socket(re.compile("/ws/chat/admin/"), called(NAMES[0], "a hostile person"))
    page.goto(f"{gateway.url}/console/")
    expect(page.locator("#line")).to_have_text("Live")
    page.get_by_role("button", name="Notifications", exact=True).click()
    page.wait_for_timeout(2500)  # It tells of nothing while the page has just come.
    visitor = Chat(open_page(shop.url)).open()
    visitor.say("a hostile person")
    expect(page.locator("html")).to_have_attribute("data-told", f"{NAMES[0]} waits for a human.")
    expect(page.locator("#list .person").first).to_have_text(NAMES[0])
    assert re.fullmatch(r"(\(\d+\) )?Console · Switchboard", page.title())
    nothing_ran(page)


def called(name: str, text: str) -> "Callable[[WebSocketRoute], None]":
    """A line on which who said `text` has that name and waits."""

    def heard(frame: str) -> str:
        told = json.loads(frame)
        if told["type"] != "conversation" or text not in told["last"]:
            return frame
        return json.dumps({**told, "name": name, "state": "waiting"})

    def route(client: "WebSocketRoute") -> None:
        server = client.connect_to_server()
        client.on_message(server.send)
        server.on_message(lambda frame: client.send(heard(str(frame))))

    return route
