"""What a page may do with the widget: attributes, calls, events, languages, themes, rooms, lines."""

import re
from typing import TYPE_CHECKING, Any

import pytest

from tests.browser.chat import Chat
from tests.browser.conftest import HostSite, OpenPage, Trouble, expect
from tests.browser.script import Script
from tests.gateway_process import GatewayProcess

if TYPE_CHECKING:
    from playwright.sync_api import Page, Route

pytestmark = [pytest.mark.browser, pytest.mark.timeout(120)]
LISTEN = """() => {
    window.told = [];
    for (const name of ["open", "close", "unread", "message", "state", "ended"]) {
        addEventListener(`switchboard:${name}`, (event) => told.push([name, event.detail?.text ?? event.detail]));
    }
}"""


@pytest.fixture
def page(open_page: OpenPage) -> "Page":
    return open_page("about:blank")


@pytest.fixture
def script(page: "Page") -> Script:
    return Script(page)


@pytest.fixture
def chat(page: "Page", script: Script, gateway: GatewayProcess) -> Chat:
    page.goto(gateway.url)
    return Chat(page)


def call(chat: Chat, what: str) -> Any:
    return chat.widget.evaluate(f"chat => chat.{what}")


def until_told(chat: Chat, event: list[Any]) -> None:
    for _ in range(300):
        if event in chat.page.evaluate("told"):
            return
        chat.page.wait_for_timeout(20)
    raise AssertionError(f"{event} was not told")


def test_nothing_connects_before_somebody_asks(chat: Chat, script: Script) -> None:
    loaded = chat.page.evaluate("performance.getEntriesByType('resource').map(one => new URL(one.name).pathname)")
    assert [path for path in loaded if "widget" in path] == ["/widget.js"]
    assert script.lines == []
    with chat.page.expect_response("**/chat.js"):
        chat.launcher.hover()
    assert script.lines == []


def test_calls_and_events(chat: Chat, script: Script) -> None:
    chat.page.evaluate(LISTEN)
    call(chat, "open()")
    script.wait_for("hello")
    script.welcome()
    expect(chat.panel).to_be_visible()
    assert call(chat, "isOpen") is True
    chat.page.wait_for_timeout(100)
    script.message(1, 1, "first")
    expect(chat.bubbles("bot")).to_have_count(1)
    call(chat, "close()")
    expect(chat.panel).to_be_hidden()
    script.message(2, 2, "second")
    expect(chat.badge).to_have_text("1")
    expect(chat.widget.locator(".preview")).to_contain_text("second")
    chat.widget.locator(".preview .show").click()
    expect(chat.panel).to_be_visible()
    until_told(chat, ["unread", 0])
    script.say(type="ended", rate=False)
    expect(chat.widget.locator(".card")).to_be_visible()
    told = chat.page.evaluate("told")
    assert [one for one in told if one[0] in ("open", "close")] == [["open", None], ["close", None], ["open", None]]
    assert [one for one in told if one[0] in ("unread", "message")] == [
        ["message", "first"], ["message", "second"], ["unread", 1], ["unread", 0],
    ]  # fmt: skip
    assert ["state", "online"] in told
    assert told[-1][0] == "ended"


def test_a_preview_can_be_put_away(chat: Chat, script: Script) -> None:
    chat.open()
    script.wait_for("hello")
    script.welcome()
    chat.page.wait_for_timeout(100)
    call(chat, "close()")
    script.message(1, 1, "psst")
    preview = chat.widget.locator(".preview")
    expect(preview).to_be_visible()
    chat.widget.get_by_role("button", name="Dismiss", exact=True).click()
    expect(preview).to_be_hidden()
    expect(chat.badge).to_have_text("1")
    chat.page.reload()
    script.wait_for("hello", 2)
    script.welcome(seq=1)
    script.message(1, 1, "psst")
    expect(preview).to_contain_text("psst")


def test_who_the_visitor_is_goes_with_the_hello(chat: Chat, script: Script) -> None:
    chat.open()
    assert "identity" not in script.wait_for("hello")
    script.welcome()
    identity = {"id": "7", "name": "Ann", "expires": 2_000_000_000}
    chat.widget.evaluate("(chat, identity) => chat.identify(identity, 'signed')", identity)
    hello = script.wait_for("hello", 2)
    assert (hello["identity"], hello["signature"], hello["token"]) == (identity, "signed", "t1")
    chat.widget.evaluate("chat => chat.identify(null)")
    assert "identity" not in script.wait_for("hello", 3)
    assert script.wait_for("hello", 3)["token"] is None


# Looks


def test_the_language_is_the_pages_or_what_was_asked_for(open_page: OpenPage, gateway: GatewayProcess) -> None:
    page = open_page(f"{gateway.url}/chat/?language=ko", locale="de-DE")
    chat = Chat(page)
    expect(chat.text).to_have_attribute("placeholder", "메시지를 입력하세요…")
    expect(chat.status).to_have_text("연결됨")
    chat.say("안녕하세요")
    expect(chat.bubbles("bot")).to_have_text("You said: 안녕하세요")
    expect(chat.widget.locator(".message.bot .name")).to_have_text("봇")
    chat.widget.evaluate("chat => chat.setLanguage('fr')")
    expect(chat.text).to_have_attribute("placeholder", "Écrivez un message…")
    expect(chat.status).to_have_text("En ligne")
    chat.widget.evaluate("chat => chat.setLanguage('xx')")
    expect(chat.status).to_have_text("Online")


def test_a_theme_and_colours_of_the_site(chat: Chat, script: Script) -> None:
    chat.widget.evaluate(
        "chat => { chat.setAttribute('theme', 'dark'); chat.style.setProperty('--switchboard-accent', '#0a7a4b'); }"
    )
    chat.open()
    assert chat.launcher.evaluate("node => getComputedStyle(node).backgroundColor") == "rgb(10, 122, 75)"
    assert chat.panel.evaluate("node => getComputedStyle(node).backgroundColor") == "rgb(24, 27, 38)"


NOISE = """
* { font: italic 30px/3 cursive !important; letter-spacing: 4px; text-transform: uppercase; color: red;
  text-align: right; text-indent: 40px; text-shadow: 0 0 3px lime; white-space: nowrap; word-spacing: 9px; }
body > * { position: relative; width: 100%; max-width: 500px; margin: 20px auto; padding: 30px; transform: rotate(2deg);
  border: 4px solid green; background: yellow; opacity: .6; }
button, textarea, section { background: magenta !important; border: 9px solid; }
"""
DRESS = """css => {
    const sheet = new CSSStyleSheet();
    sheet.replaceSync(css);
    document.adoptedStyleSheets = [sheet];
}"""
LOOK = """chat => ["launcher", "panel", "heading"].map((name) => {
    const node = chat.shadowRoot.querySelector(name === "heading" ? "h2" : `.${name}`);
    const { x, y, width, height } = node.getBoundingClientRect();
    const style = getComputedStyle(node);
    const kept = ["color", "backgroundColor", "font", "letterSpacing", "textTransform", "textAlign", "textShadow"];
    return [x, y, width, height, ...kept.map((key) => style[key])];
})"""


def test_a_pages_rules_for_everything_do_not_reach_it(chat: Chat, script: Script) -> None:
    chat.page.emulate_media(reduced_motion="reduce")
    chat.open()
    script.wait_for("hello")
    script.welcome()
    expect(chat.panel).to_be_visible()
    before = chat.widget.evaluate(LOOK)
    chat.page.evaluate(DRESS, NOISE)
    assert chat.page.evaluate("getComputedStyle(document.querySelector('h1')).fontStyle") == "italic"
    assert chat.widget.evaluate(LOOK) == before
    # Where it stands, and whether, is the page's to say.
    chat.page.evaluate("document.adoptedStyleSheets[0].insertRule('switchboard-chat { inset-inline-end: 90px; }')")
    assert before[1][0] - chat.widget.evaluate(LOOK)[1][0] == 70
    chat.page.emulate_media(media="print")
    expect(chat.launcher).to_be_hidden()


def test_a_phone_on_its_side_gets_the_whole_screen_too(
    open_page: OpenPage, gateway: GatewayProcess, shop: HostSite
) -> None:
    page = open_page(shop.url, viewport={"width": 844, "height": 390}, has_touch=True, reduced_motion="reduce")
    chat = Chat(page).open()
    expect(chat.panel).to_have_attribute("aria-modal", "true")
    assert chat.panel.bounding_box() == {"x": 0, "y": 0, "width": 844, "height": 390}
    expect(chat.launcher).to_be_hidden()


KEYBOARD = """
const seen = Object.assign(new EventTarget(), { height: innerHeight, offsetTop: 0, scale: 1 });
Object.defineProperty(window, "visualViewport", { value: seen });
window.see = (change) => (Object.assign(seen, change), seen.dispatchEvent(new Event("resize")));
"""
PHONE = {"viewport": {"width": 390, "height": 844}, "has_touch": True, "reduced_motion": "reduce"}


@pytest.mark.parametrize("path", ["/", "/chat/"])
def test_the_keyboard_of_a_phone_covers_nothing(open_page: OpenPage, gateway: GatewayProcess, path: str) -> None:
    """As Safari tells of it: the page stays as high as it was, what is seen of it does not."""
    page = open_page("about:blank", **PHONE)
    page.add_init_script(KEYBOARD)
    page.goto(f"{gateway.url}{path}")
    chat = Chat(page)
    if path == "/":
        chat.open()
    for number in range(12):
        chat.say(f"word {number}")
    expect(chat.bubbles("bot")).to_have_count(12)
    chat.text.focus()
    for seen in ({"height": 508}, {"height": 508, "offsetTop": 120}, {"height": 844, "offsetTop": 0}):
        page.evaluate("change => see(change)", seen)
        top, height = seen.get("offsetTop", 0), seen["height"]
        assert chat.panel.bounding_box() == {"x": 0, "y": top, "width": 390, "height": height}
        for part in (chat.text, chat.bubbles("bot").last):
            box = part.bounding_box()
            assert box
            assert top <= box["y"] < box["y"] + box["height"] <= top + height
    page.evaluate("see({ height: 422, offsetTop: 200, scale: 2 })")  # Zoomed in: the page stays as it is.
    assert chat.panel.bounding_box() == {"x": 0, "y": 0, "width": 390, "height": 844}


def test_reduced_motion_is_respected(open_page: OpenPage, gateway: GatewayProcess) -> None:
    chat = Chat(open_page(gateway.url, reduced_motion="reduce")).open()
    expect(chat.panel).to_be_visible()
    assert chat.panel.evaluate("node => getComputedStyle(node).animationName") == "none"
    assert chat.launcher.evaluate("node => getComputedStyle(node).transitionProperty") == "none"


def test_the_chat_as_a_page_of_its_own(open_page: OpenPage, gateway: GatewayProcess) -> None:
    page = open_page(f"{gateway.url}/chat/?heading=Ask%20%3Cus%3E", viewport={"width": 820, "height": 1000})
    chat = Chat(page)
    expect(chat.panel).to_be_visible()
    expect(chat.launcher).to_be_hidden()
    expect(page.get_by_role("heading", name="Ask <us>")).to_be_visible()
    expect(chat.widget.get_by_role("button", name="Close the chat", exact=True)).to_have_count(0)
    assert chat.panel.bounding_box() == {"x": 0, "y": 0, "width": 820, "height": 1000}
    chat.say("hello")
    expect(chat.bubbles("bot")).to_have_text("You said: hello")
    chat.text.press("Escape")
    expect(chat.panel).to_be_visible()


def test_on_a_wide_page_who_types_stands_among_the_words(page: "Page", script: Script, gateway: GatewayProcess) -> None:
    page.set_viewport_size({"width": 1400, "height": 800})
    page.goto(f"{gateway.url}/chat/")
    chat = Chat(page)
    script.wait_for("hello")
    script.welcome()
    script.message(1, 1, "hello")
    script.say(type="typing", **{"from": "bot"})
    typing, bubble = chat.widget.locator(".typing"), chat.bubbles("bot")
    expect(typing).to_be_visible()
    assert abs(typing.evaluate(LEFT) - bubble.evaluate(LEFT)) < 2


LEFT = "node => node.getBoundingClientRect().left"


# Rooms


def test_a_room_tells_who_spoke(page: "Page", script: Script, gateway: GatewayProcess) -> None:
    page.goto(f"{gateway.url}/chat/?room=tea&name=Ann")
    chat = Chat(page)
    hello = script.wait_for("hello")
    assert hello["name"] == "Ann"
    assert script.lines[0].url.endswith("/ws/chat/room/tea/")
    script.welcome(options={"room": "tea"})
    script.message(1, 1, "mine", "visitor", id="v1", name="Ann")
    script.message(2, 2, "theirs", "visitor", name="Ben")
    expect(chat.bubbles("visitor")).to_have_text(["mine"])
    expect(chat.bubbles("other")).to_have_text(["theirs"])
    expect(chat.widget.locator(".message.other .name")).to_have_text("Ben")
    script.say(type="typing", name="Ben", **{"from": "visitor"})
    expect(chat.widget.locator(".typing")).to_contain_text("Ben is writing…")
    chat.say("/name Anna")
    assert script.wait_for("name") == {"type": "name", "name": "Anna"}
    script.say(type="name", name="Anna")
    expect(chat.bubbles("system")).to_have_text(["You are called Anna now"])
    script.say(type="error", code="bad_name", detail="A name has at most 40 characters.")
    expect(chat.bubbles("system").last).to_have_text("A name has at most 40 characters.")
    script.lines[-1].close(code=4012)
    assert script.wait_for("hello", 2)["name"] == "Anna"


# Trouble


def test_who_slept_comes_back_at_once(chat: Chat, script: Script) -> None:
    chat.page.clock.install()
    chat.page.reload()
    chat.open()
    script.wait_for("hello")
    script.welcome()
    expect(chat.status).to_have_text("Online")
    chat.page.clock.fast_forward(30_000)
    chat.page.clock.run_for(100)
    assert len(script.lines) == 1
    chat.page.clock.fast_forward(3_600_000)
    chat.page.clock.run_for(20_000)
    script.wait_for("hello", 2)
    script.welcome()
    expect(chat.status).to_have_text("Online")


def test_what_could_not_be_loaded_is_tried_again(page: "Page", gateway: GatewayProcess, trouble: Trouble) -> None:
    trouble.forgive("ERR_FAILED")
    broken = re.compile("/widget/.*/chat.js")
    page.route(broken, lambda route: route.abort())
    page.goto(gateway.url)
    chat = Chat(page)
    chat.launcher.click()
    expect(chat.launcher).to_have_attribute("aria-expanded", "false")
    page.unroute(broken)
    chat.launcher.click()
    expect(chat.status).to_have_text("Online")


def test_on_a_slow_network_the_button_says_that_it_is_at_work(
    page: "Page", gateway: GatewayProcess, shop: HostSite
) -> None:
    page.goto(shop.url)
    line = page.context.new_cdp_session(page)
    slow = {"offline": False, "latency": 600, "downloadThroughput": 20_000, "uploadThroughput": 20_000}
    line.send("Network.emulateNetworkConditions", slow)
    chat = Chat(page).open()
    expect(chat.launcher).to_have_attribute("aria-busy", "true")
    expect(chat.panel).to_be_visible()
    expect(chat.launcher).not_to_have_attribute("aria-busy", "true")
    chat.say("slow")
    expect(chat.bubbles("bot")).to_have_text(["You said: slow"])


def without_sockets(page: "Page") -> None:
    """As on a network whose proxy lets no WebSocket through."""
    page.add_init_script(
        """window.WebSocket = class extends EventTarget {
            constructor() { super(); setTimeout(() => this.onclose?.({ code: 1006 }), 20); }
            close() {} send() {}
        };"""
    )


def test_where_sockets_are_blocked_requests_do(
    page: "Page", gateway: GatewayProcess, shop: HostSite, trouble: Trouble
) -> None:
    without_sockets(page)
    page.goto(shop.url)
    chat = Chat(page).open()
    expect(chat.status).to_have_text("Online", timeout=30_000)
    for number in range(5):
        chat.say(f"by request {number}")
    answers = [f"You said: by request {number}" for number in range(5)]
    expect(chat.bubbles("bot")).to_have_text(answers)
    expect(chat.sent()).to_have_count(5)
    gateway.manage("announce", "We close at six.")
    expect(chat.bubbles("system")).to_have_text(["We close at six."])
    page.reload()
    expect(chat.bubbles("bot")).to_have_text(answers, timeout=30_000)


def test_requests_that_fail_are_a_line_that_is_lost(page: "Page", gateway: GatewayProcess, trouble: Trouble) -> None:
    without_sockets(page)
    asked: list[dict[str, Any]] = []

    def answer(route: "Route") -> None:
        asked.append(route.request.post_data_json)
        route.fulfill(status=503, json={"code": "not_ready", "detail": ""})

    page.route("**/chat/poll/", answer)
    page.goto(gateway.url)
    chat = Chat(page).open()
    chat.say("kept")
    expect(chat.status).to_have_text("No connection. Trying again…")
    page.wait_for_timeout(4_000)
    assert 1 <= len(asked) <= 4
    assert asked[0]["hello"]["token"] is None
    page.unroute("**/chat/poll/")
    expect(chat.bubbles("bot")).to_have_text(["You said: kept"], timeout=30_000)
    trouble.forgive("503")
