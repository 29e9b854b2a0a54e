"""The console for everybody: axe finds nothing in any state, and a keyboard alone is enough."""

import re
from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest

from tests.browser.chat import Chat
from tests.browser.conftest import OPERATOR, PASSWORD, HostSite, OpenPage, expect
from tests.browser.test_back_office import check
from tests.browser.test_console import sign_in
from tests.gateway_process import GatewayProcess

if TYPE_CHECKING:
    from playwright.sync_api import Locator, Page, WebSocketRoute

pytestmark = [pytest.mark.browser, pytest.mark.timeout(180)]

REPLIES = """
from gateway.console_models import Reply
for shortcut, text in (("hours", "We are here from nine to six."), ("late", "We are sorry that this is late.")):
    Reply.objects.get_or_create(shortcut=shortcut, defaults={"text": text})
"""


LEADS = f"""
from django.contrib.auth.models import Group, User
User.objects.get(username="{OPERATOR}").groups.add(Group.objects.get(name="Console: lead"))
"""

UNKNOWN = """
from gateway.models import Message
row = Message.objects.get(direction="in", text="did it arrive?")
Message.objects.filter(cause=row).update(status="unknown", sends=1, unknowns=1)
"""

WAITS = """
from django.utils import timezone
from gateway.models import Conversation
Conversation.objects.filter(last__contains="a person please").update(waiting=True, waiting_since=timezone.now())
"""

NOTIFICATIONS = """
window.asked = 0;
window.told = [];
window.Notification = class extends EventTarget {
    static permission = "default";
    static async requestPermission() { window.asked++; return (this.permission = "granted"); }
    constructor(title, { body }) { super(); window.told.push(body); document.documentElement.dataset.told = body; }
};
Object.defineProperty(document, "visibilityState", { get: () => "hidden" });
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
    console.get_by_role("button", name="Take over", exact=True).click()
    check(console)
    console.get_by_role("button", name="Answer", exact=True).click()
    console.locator("#text").fill("Ann here.")
    console.locator("#text").press("Enter")
    expect(visitor.bubbles("operator")).to_have_count(1)
    console.locator("#text").fill("/")
    check(console)
    console.keyboard.press("Escape")
    console.get_by_role("button", name="Close", exact=True).click()
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
    expect(console.get_by_role("button", name="Take over", exact=True)).to_be_visible()
    console.keyboard.press("/")
    expect(console.get_by_role("searchbox")).to_be_focused()


def test_a_begun_answer_is_kept(visitor: Chat, console: "Page") -> None:
    begin(visitor, console, "are you still there?")
    console.get_by_role("button", name="Take over", exact=True).click()
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
            console.get_by_role("group", name="Save the transcript").get_by_role(
                "button", name=name, exact=True
            ).click()
        assert part in download.value.path().read_text()
    assert console.locator("#line").inner_text() == "Live"


def test_two_operators_and_the_visitor_see_each_other(
    visitor: Chat, console: "Page", open_page: OpenPage, gateway: GatewayProcess
) -> None:
    gateway.manage("create_operator", "dora", "--password", PASSWORD)
    begin(visitor, console, "who is there?")
    dora = open_page(f"{gateway.url}/console/")
    dora.get_by_label("Name").fill("dora")
    dora.get_by_label("Password").fill(PASSWORD)
    dora.get_by_role("button", name="Sign in", exact=True).click()
    dora.goto(console.url)
    expect(console.locator("#presence")).to_contain_text("Also here: dora")
    expect(dora.locator("#presence")).to_contain_text(f"Also here: {OPERATOR}")
    visitor.say("hush")
    expect(said(dora)).to_have_text(["who is there?", "You said: who is there?", "hush", "You said: hush"])
    visitor.text.press_sequentially("well", delay=30)  # At once after words, which end the typing where it is shown.
    expect(dora.locator("#presence")).to_contain_text("The visitor is typing…")
    expect(dora.locator("#presence")).not_to_contain_text("typing")
    console.get_by_role("button", name="Take over", exact=True).click()
    expect(console.locator("#text")).to_be_enabled()
    console.locator("#text").press_sequentially("Yes", delay=30)
    expect(dora.locator("#presence")).to_contain_text(f"{OPERATOR} is typing…")
    note(console, "mine until noon")
    expect(dora.locator("#transcript .private .words")).to_have_text(["mine until noon"])

    console.get_by_role("button", name="Assign", exact=True).click()
    console.get_by_label("To", exact=True).select_option("dora")
    console.get_by_role("dialog").get_by_role("button", name="Assign", exact=True).click()
    expect(dora.locator("#about")).to_contain_text("held by you")
    expect(console.locator("#text")).to_be_enabled()  # Still a note.
    console.get_by_role("button", name="Answer", exact=True).click()
    expect(console.locator("#text")).to_be_disabled()


def test_people_and_words_are_found(visitor: Chat, console: "Page") -> None:
    begin(visitor, console, "a zebra on the roof")
    search = console.get_by_role("searchbox")
    search.fill("zebra on")
    expect(console.locator("#list > li")).to_have_count(1)
    search.fill("no such words anywhere")
    console.goto(console.url.split("#")[0])
    search.fill("no such words anywhere")
    expect(console.locator("#list-empty")).to_contain_text("Nothing fits.")
    console.get_by_role("button", name="Show all", exact=True).click()
    expect(console.locator("#list > li").first).to_be_visible()


def test_ban_lift_and_close(visitor: Chat, console: "Page", gateway: GatewayProcess) -> None:
    gateway.manage("shell", "-c", LEADS)
    begin(visitor, console, "be nice to me")
    console.get_by_role("button", name="Ban this person", exact=True).click()
    console.get_by_role("dialog").get_by_role("button", name="Ban", exact=True).click()
    expect(console.locator("#card .banned")).to_be_visible()
    visitor.say("still there?")
    expect(said(console).last).to_have_text("still there?")
    console.get_by_role("button", name="Lift the ban", exact=True).click()
    expect(console.locator("#card .banned")).to_have_count(0)
    visitor.say("and now?")
    expect(visitor.bubbles("bot").last).to_have_text("You said: and now?")
    expect(visitor.bubbles("bot")).to_have_count(2)
    console.get_by_role("button", name="Take over", exact=True).click()
    expect(console.locator("#about")).to_contain_text("held by you")
    console.get_by_role("button", name="Close", exact=True).click()
    console.get_by_role("dialog").get_by_role("button", name="Close", exact=True).click()
    expect(console.locator("#about")).to_contain_text("ended")
    visitor.say("once more")
    expect(visitor.bubbles("bot").last).to_have_text("You said: once more")


def test_an_answer_of_which_nothing_is_known_is_sent_again(
    visitor: Chat, console: "Page", gateway: GatewayProcess
) -> None:
    """As far as the button: a widget's line leaves no such doubt, so nothing can be sent to it once more."""
    visitor.say("did it arrive?")
    expect(visitor.bubbles("bot")).to_have_count(1)
    gateway.manage("shell", "-c", UNKNOWN)
    console.locator("#list button", has_text="did it arrive?").first.click()
    answered = console.locator("#transcript .bot")
    expect(answered.locator(".status")).to_contain_text("not known whether it arrived")
    answered.get_by_role("button", name="Send again", exact=True).click()
    expect(answered.locator(".status")).not_to_contain_text("not known whether it arrived")


def test_the_title_tells_who_waits_and_the_browser_is_asked_only_on_demand(
    visitor: Chat, open_page: OpenPage, gateway: GatewayProcess
) -> None:
    page = open_page("about:blank")
    page.add_init_script(NOTIFICATIONS)
    page.route_web_socket(re.compile("/ws/chat/admin/"), waiting("a person please"))
    page.goto(f"{gateway.url}/console/")
    sign_in(page, OPERATOR)
    visitor.say("hello")
    expect(visitor.bubbles("bot")).to_have_count(1)
    assert page.evaluate("[window.asked, window.told]") == [0, []]
    page.get_by_role("button", name="Notifications", exact=True).click()
    expect(page.get_by_role("button", name="Notifications", exact=True)).to_have_attribute("aria-pressed", "true")
    page.wait_for_timeout(2500)  # It tells of nothing while the page has just come.
    visitor.say("a person please")
    expect(page.locator("html")).to_have_attribute("data-told", re.compile(r"^Visitor \w{4} waits for a human[.]$"))
    assert page.evaluate("[window.asked, window.told.length]") == [1, 1]
    gateway.manage("shell", "-c", WAITS)
    page.reload()
    expect(page).to_have_title(re.compile(r"^\(\d+\) "))


def waiting(text: str) -> "Callable[[WebSocketRoute], None]":
    """A line on which the conversation with that last word is said to wait for a human."""

    def heard(frame: str | bytes) -> str | bytes:
        if isinstance(frame, str) and '"type":"conversation"' in frame and text in frame:
            return frame.replace('"state":"bot"', '"state":"waiting"')
        return frame

    def route(client: "WebSocketRoute") -> None:
        server = client.connect_to_server()
        client.on_message(server.send)
        server.on_message(lambda frame: client.send(heard(frame)))

    return route
