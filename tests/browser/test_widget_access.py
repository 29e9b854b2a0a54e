"""The widget for everybody: axe finds nothing in any state, and a keyboard alone is enough."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest

from tests.browser.chat import Chat
from tests.browser.conftest import OpenPage, expect
from tests.browser.script import Script, frame
from tests.gateway_process import GatewayProcess

if TYPE_CHECKING:
    from axe_playwright_python.sync_playwright import Axe
    from playwright.sync_api import Page
else:
    Axe = pytest.importorskip("axe_playwright_python.sync_playwright").Axe

pytestmark = [pytest.mark.browser, pytest.mark.timeout(120)]
OFFERED: dict[str, Any] = {
    "uploads": {"max": 1000, "types": []}, "form": None, "rating": True, "online": True, "room": None,
}  # fmt: skip
FORM = {"when": "before", "fields": [{"name": "name", "label": "Your name", "type": "text", "required": True}]}
CHOICE = [[{"text": "Yes", "data": "y"}, {"text": "No", "data": "n"}]]
FILE = {"id": "f", "name": "list.pdf", "type": "application/pdf", "size": 4711, "url": "/chat/files/f", "image": False}


@pytest.fixture
def page(open_page: OpenPage) -> "Page":
    return open_page("about:blank")


@pytest.fixture
def script(page: "Page") -> Script:
    return Script(page)


@pytest.fixture
def chat(page: "Page", script: Script, gateway: GatewayProcess) -> Chat:
    page.goto(gateway.url)
    chat = Chat(page).open()
    script.wait_for("hello")
    return chat


def talked(chat: Chat, script: Script, **options: Any) -> None:
    """A conversation with every kind of message in it."""
    script.welcome(seq=6, options={**OFFERED, **options})
    nodes = ["Some ", {"t": "code", "c": ["code"]}, " and ", {"t": "a", "href": "https://a.example/", "c": ["a link"]}]
    script.message(1, 1, "Welcome")
    script.message(2, 2, "https://a.example/ is mine", "visitor", id="v")
    script.message(3, 3, "Some code and a link", nodes=nodes, files=[FILE])
    script.message(4, 4, "We close at six.", "system")
    script.message(5, 5, "Hi", "operator", name="Ann")
    script.message(6, 6, "Sure?", buttons=CHOICE)
    expect(chat.widget.locator(".message code")).to_have_count(1)
    expect(chat.widget.locator(".file")).to_have_count(1)
    expect(chat.widget.get_by_role("button", name="Attach a file", exact=True)).to_be_visible()


def empty(chat: Chat, script: Script) -> None:
    script.welcome(options=OFFERED)
    expect(chat.widget.locator(".hint")).to_be_visible()


def form(chat: Chat, script: Script) -> None:
    script.welcome(options={**OFFERED, "form": FORM})
    chat.widget.locator("form.ask").get_by_role("button").click()
    expect(chat.widget.locator("form.ask em")).to_have_text("Please fill this in.")


def refused(chat: Chat, script: Script) -> None:
    talked(chat, script)
    chat.say("too much")
    script.say(type="error", code="too_long", detail="too long", id=script.wait_for("message")["id"])
    chat.say("too fast")
    script.say(type="error", code="rate_limited", detail="too fast", id=script.wait_for("message", 2)["id"])
    expect(chat.widget.get_by_role("button", name="Try again", exact=True)).to_be_visible()


def ended(chat: Chat, script: Script) -> None:
    talked(chat, script)
    script.say(type="ended", rate=True)
    chat.widget.get_by_role("radio", name="3 of 5", exact=True).check()
    expect(chat.widget.locator(".card").get_by_role("button", name="Send", exact=True)).to_be_visible()


def asked_to_end(chat: Chat, script: Script) -> None:
    talked(chat, script)
    chat.widget.get_by_role("button", name="End the conversation", exact=True).click()


def in_the_tray(chat: Chat, script: Script) -> None:
    talked(chat, script)
    picker = chat.widget.locator("input[type=file]")
    chat.page.route("**/chat/files/?*", lambda route: None)
    picker.set_input_files(
        [{"name": f"{size}.txt", "mimeType": "text/plain", "buffer": b"x" * size} for size in (2000, 9)]
    )
    expect(chat.widget.locator(".waiting")).to_have_count(2)


def typing(chat: Chat, script: Script) -> None:
    talked(chat, script)
    script.say(type="typing", name="Ann", **{"from": "operator"})
    expect(chat.widget.locator(".typing")).to_be_visible()


def offline(chat: Chat, script: Script) -> None:
    talked(chat, script)
    chat.page.context.set_offline(True)
    chat.say("kept")
    expect(chat.widget.locator("[data-state=sending]")).to_have_count(1)


def closed_with_news(chat: Chat, script: Script) -> None:
    talked(chat, script)
    chat.page.wait_for_timeout(500)
    chat.widget.get_by_role("button", name="Close the chat", exact=True).first.click()
    script.message(7, 7, "Are you there?", "operator", name="Ann")
    expect(chat.widget.locator(".preview")).to_be_visible()


def from_right_to_left(chat: Chat, script: Script) -> None:
    talked(chat, script)
    chat.widget.evaluate("chat => chat.setLanguage('ar')")
    expect(chat.widget.locator(".inside")).to_have_attribute("dir", "rtl")


def in_a_room(chat: Chat, script: Script) -> None:
    chat.page.goto(f"{chat.page.url}chat/?room=tea")
    script.wait_for("hello", 2)
    talked(chat, script, room="tea")
    script.message(7, 7, "Tea?", "visitor", name="Ben")
    expect(chat.bubbles("other")).to_have_text("Tea?")


def turned_away(chat: Chat, script: Script) -> None:
    talked(chat, script)
    script.say(type="error", code="bad_origin", detail="Not here.")
    expect(chat.text).to_be_disabled()


STATES = [
    talked, empty, form, refused, ended, asked_to_end, in_the_tray, typing, offline, closed_with_news,
    from_right_to_left, in_a_room, turned_away,
]  # fmt: skip
RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]


def violations(page: "Page") -> list[str]:
    found = Axe().run(page, options={"runOnly": RULES}).response["violations"]
    return [f"{one['id']}: {node['target']} {node['failureSummary']}" for one in found for node in one["nodes"]]


@pytest.mark.parametrize("state", STATES, ids=lambda state: state.__name__)
def test_axe_finds_nothing(chat: Chat, script: Script, state: Callable[[Chat, Script], None]) -> None:
    # What moves in has not its full colours yet.
    chat.page.emulate_media(reduced_motion="reduce")
    state(chat, script)
    for look in ("light", "dark"):
        chat.page.emulate_media(color_scheme=look)  # type: ignore[arg-type]
        assert violations(chat.page) == [], look
    chat.page.set_viewport_size({"width": 320, "height": 640})
    assert violations(chat.page) == []


# The keyboard


def focused(page: "Page") -> str:
    """The class or the label of what has the focus, in the widget or on the page."""
    return str(
        page.evaluate(
            """() => {
                let node = document.activeElement;
                while (node?.shadowRoot?.activeElement) node = node.shadowRoot.activeElement;
                return node.getAttribute("aria-label") ?? node.dataset.seq ?? node.textContent;
            }"""
        )
    )


def test_a_keyboard_alone_is_enough(chat: Chat, script: Script) -> None:
    talked(chat, script)
    page = chat.page
    expect(chat.text).to_be_focused()
    page.keyboard.press("Shift+Tab")
    assert focused(page) == "Attach a file"
    page.keyboard.press("Shift+Tab")
    assert focused(page) == "6"
    for key, at in [("ArrowUp", "5"), ("ArrowUp", "4"), ("Home", "1"), ("ArrowUp", "1"), ("End", "6")]:
        page.keyboard.press(key)
        assert focused(page) == at, key
    for key, at in [("ArrowRight", "Yes"), ("ArrowRight", "No"), ("ArrowRight", "No"), ("ArrowLeft", "Yes")]:
        page.keyboard.press(key)
        assert focused(page) == at, key
    page.keyboard.press("Shift+Tab")
    assert focused(page) == "Close the chat"
    page.keyboard.press("Tab")
    assert focused(page) == "Yes"
    page.keyboard.press("Enter")
    assert script.wait_for("button")["data"] == "y"
    chat.text.focus()
    page.keyboard.type("from the keyboard")
    page.keyboard.press("Enter")
    assert script.wait_for("message")["text"] == "from the keyboard"
    page.keyboard.press("Escape")
    expect(chat.panel).to_be_hidden()
    assert focused(page) == "Open the chat"
    page.keyboard.press("Enter")
    expect(chat.text).to_be_focused()


def test_on_a_phone_the_focus_stays_in_what_covers_the_page(open_page: OpenPage, gateway: GatewayProcess) -> None:
    page = open_page("about:blank", viewport={"width": 390, "height": 700}, has_touch=True)
    script = Script(page)
    page.goto(gateway.url)
    chat = Chat(page).open()
    script.wait_for("hello")
    talked(chat, script)
    expect(chat.panel).to_have_attribute("aria-modal", "true")
    for _ in range(12):
        page.keyboard.press("Tab")
        assert page.evaluate("document.activeElement.localName") == "switchboard-chat"


def test_arrows_follow_the_direction_of_the_language(page: "Page", script: Script, gateway: GatewayProcess) -> None:
    page.goto(f"{gateway.url}/chat/?language=ar")
    chat = Chat(page)
    script.wait_for("hello")
    script.welcome(seq=1)
    script.message(1, 1, "؟", buttons=CHOICE)
    expect(chat.widget.locator(".inside")).to_have_attribute("dir", "rtl")
    expect(chat.widget.locator(".inside")).to_have_attribute("lang", "ar")
    chat.widget.locator(".message").focus()
    for key, at in [("ArrowLeft", "Yes"), ("ArrowLeft", "No"), ("ArrowRight", "Yes")]:
        page.keyboard.press(key)
        assert focused(page) == at
    own, other = frame(2, 2, "mine", "visitor", id="v"), frame(3, 3, "theirs")
    script.say(**own)
    script.say(**other)
    mine, theirs = chat.bubbles("visitor").bounding_box(), chat.bubbles("bot").last.bounding_box()
    assert mine
    assert theirs
    assert mine["x"] < theirs["x"]
