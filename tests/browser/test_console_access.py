"""The console for everybody: axe finds nothing in any state, and a keyboard alone is enough."""

from typing import TYPE_CHECKING

import pytest

from tests.browser.chat import Chat
from tests.browser.conftest import HostSite, OpenPage, expect
from tests.browser.test_back_office import check
from tests.gateway_process import GatewayProcess

if TYPE_CHECKING:
    from playwright.sync_api import Locator, Page

pytestmark = [pytest.mark.browser, pytest.mark.timeout(180)]

REPLIES = """
from gateway.console_models import Reply
for shortcut, text in (("hours", "We are here from nine to six."), ("late", "We are sorry that this is late.")):
    Reply.objects.get_or_create(shortcut=shortcut, defaults={"text": text})
"""


@pytest.fixture
def visitor(open_page: OpenPage, gateway: GatewayProcess, shop: HostSite) -> Chat:
    return Chat(open_page(shop.url)).open()


def begin(visitor: Chat, console: "Page", text: str) -> None:
    visitor.say(text)
    expect(visitor.bubbles("bot")).to_have_count(1)
    console.locator("#list button", has_text=text).first.click()
    expect(said(console)).to_have_text([text, f"You said: {text}"])


def said(console: "Page") -> "Locator":
    return console.locator("#transcript li:not(.quiet) .words")


def note(console: "Page", text: str) -> None:
    console.get_by_role("button", name="Note", exact=True).click()
    console.locator("#text").fill(text)
    console.locator("#text").press("Enter")
    expect(console.locator("#transcript .private .words")).to_have_text([text])


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [390, 820, 1360])
def test_axe_finds_nothing(visitor: Chat, console: "Page", scheme: str, width: int) -> None:
    """One conversation through its states, since a start of the browser costs more than they do."""
    console.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
    console.set_viewport_size({"width": width, "height": 844})
    check(console)
    begin(visitor, console, f"axe {scheme} {width}")
    check(console)
    note(console, "be kind")
    check(console)
    console.get_by_role("button", name="Take over").click()
    check(console)
    console.get_by_role("button", name="Answer", exact=True).click()
    console.locator("#text").fill("Ann here.")
    console.locator("#text").press("Enter")
    expect(visitor.bubbles("operator")).to_have_count(1)
    console.locator("#text").fill("/")
    check(console)
    console.keyboard.press("Escape")
    console.get_by_role("button", name="Close").click()
    check(console)
    wide = console.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
    assert wide <= 0


def test_a_keyboard_is_enough(visitor: Chat, console: "Page", gateway: GatewayProcess) -> None:
    gateway.manage("shell", "-c", REPLIES)
    visitor.say("no mouse today")
    expect(visitor.bubbles("bot")).to_have_count(1)
    expect(console.locator("#list button").first).to_contain_text("no mouse today")
    console.reload()
    expect(console.locator("#line")).to_have_text("Live")
    console.keyboard.press("j")
    expect(said(console).first).to_have_text("no mouse today")
    console.keyboard.press("t")
    expect(console.locator("#text")).to_be_focused()
    console.keyboard.type("/sorry")  # In the words of a reply, not in its name.
    expect(console.locator("#replies [role=option]")).to_have_count(1)
    console.keyboard.press("Enter")
    expect(console.locator("#text")).to_have_value("We are sorry that this is late.")
    console.keyboard.press("Enter")
    expect(visitor.bubbles("operator")).to_have_text(["We are sorry that this is late."])
    console.keyboard.press("Escape")
    console.keyboard.press("n")
    console.keyboard.type("wants it tomorrow")
    console.keyboard.press("Enter")
    expect(console.locator("#transcript .private .words")).to_have_text(["wants it tomorrow"])
    console.keyboard.press("Escape")
    console.keyboard.press("h")
    expect(console.get_by_role("button", name="Take over")).to_be_visible()
    console.keyboard.press("/")
    expect(console.get_by_role("searchbox")).to_be_focused()


def test_a_begun_answer_is_kept(visitor: Chat, console: "Page") -> None:
    begin(visitor, console, "are you still there?")
    console.get_by_role("button", name="Take over").click()
    console.locator("#text").fill("One moment, I")
    console.reload()
    expect(console.locator("#text")).to_have_value("One moment, I")
    expect(visitor.bubbles("operator")).to_have_count(0)


def test_a_transcript_is_saved(visitor: Chat, console: "Page") -> None:
    begin(visitor, console, "keep these words")
    for name, part in (
        ("Text", "visitor: keep these words"),
        ("JSON", '"text": "keep these words"'),
        ("CSV", "seq,at"),
    ):
        with console.expect_download() as download:
            console.get_by_role("group", name="Save the transcript").get_by_role("button", name=name).click()
        assert part in download.value.path().read_text()
    assert console.locator("#line").inner_text() == "Live"


def test_people_and_words_are_found(visitor: Chat, console: "Page") -> None:
    begin(visitor, console, "a zebra on the roof")
    search = console.get_by_role("searchbox")
    search.fill("zebra on")
    expect(console.locator("#list > li")).to_have_count(1)
    search.fill("no such words anywhere")
    console.goto(console.url.split("#")[0])
    search.fill("no such words anywhere")
    expect(console.locator("#list-empty")).to_contain_text("Nothing fits.")
    console.get_by_role("button", name="Show all").click()
    expect(console.locator("#list > li").first).to_be_visible()
