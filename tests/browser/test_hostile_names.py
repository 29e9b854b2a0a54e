"""What strangers call themselves, their groups, buttons and files: text everywhere, and never run."""

import json
from typing import TYPE_CHECKING

import pytest

from tests.browser.chat import Chat
from tests.browser.conftest import PASSWORD, HostSite, OpenPage, expect
from tests.browser.hostile import HOSTILE, NAMES
from tests.browser.script import Script
from tests.gateway_process import GatewayProcess

if TYPE_CHECKING:
    from playwright.sync_api import Page

pytestmark = [pytest.mark.browser, pytest.mark.timeout(180)]

ROWS = """
import json
from django.contrib.auth.models import User
from gateway.models import Bot, Contact, Conversation, Message
names, texts = json.loads({content!r})
bot = Bot.objects.get_or_create(name="bot")[0]
User.objects.filter(username="root").update(is_superuser=True)
there = Contact.objects.filter(bot=bot, external_id="h0").exists()  # Another module has asked for them.
for n, name in enumerate([] if there else names):
    known = {{"bot": bot, "protocol": "telegram", "external_id": f"h{{n}}", "name": name, "username": name[:200]}}
    contact = Contact.objects.create(**known)
    talk = Conversation.objects.create(
        bot=bot, contact=contact, protocol="telegram", key=f"h{{n}}", seq=1, rev=1, last=name,
        chat={{"id": n, "title": name}}, last_at="2026-01-01T00:00:00Z",
    )
    Message.objects.create(
        conversation=talk, bot=bot, direction="in", kind="message", sender="visitor", seq=1, rev=1, seen_rev=1,
        name=name, text=texts[n % len(texts)], method="message", status="dead", error=name,
        buttons=[[{{"text": name, "data": "x"}}]], payload={{"document": {{"file_name": name}}, "text": texts}},
    )
"""


@pytest.fixture(scope="module")
def rows(gateway: GatewayProcess) -> None:
    gateway.manage("create_operator", "root", "--password", PASSWORD)
    gateway.manage("shell", "-c", ROWS.format(content=json.dumps([NAMES, HOSTILE])))


@pytest.fixture
def root(rows: None, open_page: OpenPage, gateway: GatewayProcess) -> "Page":
    page = open_page(f"{gateway.url}/console/")
    page.get_by_label("Name").fill("root")
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in", exact=True).click()
    expect(page.locator("#line")).to_have_text("Live")
    return page


def nothing_ran(page: "Page") -> None:
    assert page.evaluate("window.hacked") is None
    assert page.locator("[onerror], [onload], [onmouseover], svg[onload], iframe").count() == 0


def test_to_operators(root: "Page") -> None:
    for name in NAMES:
        item = root.locator("#list button", has=root.locator(".person", has_text=name)).first
        item.click()
        expect(root.locator("#name")).to_have_text(name)
        expect(root.locator("#transcript .name").first).to_have_text(name)
        expect(root.locator("#transcript .offered").first).to_have_text(name)
        expect(root.locator("#transcript .status").first).to_contain_text(name)
        assert root.locator("#transcript .words *, #transcript .offered *, #name *").count() == 0
    nothing_ran(root)


def test_to_administrators(root: "Page", gateway: GatewayProcess) -> None:
    pages = ["message", "conversation", "contact", "bot"]
    for page in pages:
        root.goto(f"{gateway.url}/admin/gateway/{page}/")
        nothing_ran(root)
        for row in range(min(root.locator("#result_list tbody tr").count(), len(NAMES)) if page != "bot" else 1):
            root.goto(f"{gateway.url}/admin/gateway/{page}/")
            root.locator("#result_list tbody tr th a").nth(row).click()
            root.wait_for_load_state()
            nothing_ran(root)
    for name in NAMES[:5]:
        root.goto(f"{gateway.url}/admin/gateway/contact/")
        root.locator("#searchbar").fill(name)
        root.locator("#searchbar").press("Enter")
        root.wait_for_load_state()
        nothing_ran(root)


def test_to_visitors(open_page: OpenPage, gateway: GatewayProcess, shop: HostSite) -> None:
    page = open_page("about:blank")
    script = Script(page)
    page.goto(shop.url)
    chat = Chat(page).open()
    script.wait_for("hello")
    script.welcome()
    for seq, name in enumerate(NAMES, start=1):
        script.say(
            type="message", seq=seq, rev=seq, text=name, name=name, at="2026-01-02T03:04:05Z",
            buttons=[[{"text": name, "data": name[:60]}]], **{"from": "operator"},
        )  # fmt: skip
    expect(chat.bubbles("operator")).to_have_count(len(NAMES))
    assert chat.bubbles("operator").evaluate_all("all => all.map(one => one.textContent)") == NAMES
    labels = chat.widget.locator(".message.operator button")
    assert labels.last.text_content() == NAMES[-1]
    assert chat.widget.locator(".message script, .message svg, .message img, .message iframe").count() == 0
    for link in chat.widget.locator(".message a").evaluate_all("all => all.map(one => one.protocol)"):
        assert link in ("http:", "https:")
    nothing_ran(page)


# Too fast


def test_too_fast_is_told_and_can_be_sent_again(open_page: OpenPage, gateway: GatewayProcess, shop: HostSite) -> None:
    page = open_page("about:blank")
    script = Script(page)
    page.goto(shop.url)
    chat = Chat(page).open()
    script.wait_for("hello")
    script.welcome()
    chat.say("one too many")
    said = script.wait_for("message")
    detail = "Too fast: this was not sent. Send it again in a moment."
    script.say(type="error", code="rate_limited", detail=detail, id=said["id"])
    expect(chat.widget.locator(".message.visitor")).to_contain_text("too fast, and was not sent")
    chat.widget.get_by_role("button", name="Try again", exact=True).click()
    assert script.wait_for("message", 2) == said
    script.say(type="ack", id=said["id"], seq=1, rev=1)
    expect(chat.sent()).to_have_text(["one too many"])
    script.lines[-1].close(code=4008)
    expect(chat.status).to_have_text("That was too fast. The chat goes on in a moment.")
