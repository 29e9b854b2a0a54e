"""What a bot may offer beside words, each from the welcome's options: forms, an end, a rating, files, rich text."""

import re
from typing import TYPE_CHECKING, Any

import pytest

from tests.browser.chat import Chat
from tests.browser.conftest import HostSite, OpenPage, Trouble, expect
from tests.browser.hostile import HOSTILE, NAMES
from tests.browser.script import Script
from tests.gateway_process import GatewayProcess

if TYPE_CHECKING:
    from playwright.sync_api import Page, Route

pytestmark = [pytest.mark.browser, pytest.mark.timeout(120)]
FIELDS = [
    {"name": "name", "label": "Your name", "type": "text", "required": True},
    {"name": "email", "label": "E-mail", "type": "email", "required": True},
    {"name": "about", "label": "What is it about?", "type": "textarea", "required": False},
]
OFFERED: dict[str, Any] = {"uploads": None, "form": None, "rating": False, "online": True, "room": None}
UPLOADS = {"max": 1000, "types": ["image/png", "text/plain"]}
PNG = bytes.fromhex(
    "89504e470d0a1a0a0000000d4948445200000001000000010802000000907753de0000000c49444154789c63f8cfc0000003010100c9fe92"
    "ef0000000049454e44ae426082"
)


@pytest.fixture
def page(open_page: OpenPage) -> "Page":
    return open_page("about:blank")


@pytest.fixture
def script(page: "Page") -> Script:
    return Script(page)


@pytest.fixture
def chat(page: "Page", script: Script, gateway: GatewayProcess, shop: HostSite) -> Chat:
    page.goto(shop.url)
    chat = Chat(page).open()
    script.wait_for("hello")
    return chat


def offer(script: Script, **options: Any) -> None:
    script.welcome(options={**OFFERED, **options})


# Forms


def test_a_form_before_the_talk(chat: Chat, script: Script) -> None:
    offer(script, form={"when": "before", "fields": FIELDS})
    form = chat.widget.locator("form.ask")
    expect(form).to_be_visible()
    expect(chat.text).to_be_hidden()
    form.get_by_label("E-mail").fill("half@")
    form.get_by_role("button").click()
    expect(form.get_by_label("Your name")).to_be_focused()
    expect(form.get_by_label("Your name")).to_have_attribute("aria-invalid", "true")
    expect(form.locator("em")).to_have_text(["Please fill this in.", "Please write a whole e-mail address.", ""])
    form.get_by_label("Your name").fill(HOSTILE[0])
    form.get_by_label("E-mail").fill("ann@a.example")
    form.get_by_label("E-mail").press("Enter")
    sent = script.wait_for("form")
    assert sent["values"] == {"name": HOSTILE[0], "email": "ann@a.example", "about": ""}
    script.say(type="ack", id=sent["id"], seq=None, rev=0)
    expect(form).to_have_count(0)
    expect(chat.text).to_be_focused()
    chat.page.reload()
    script.wait_for("hello", 2)
    offer(script, form={"when": "before", "fields": FIELDS})
    expect(chat.status).to_have_text("Online")
    expect(form).to_have_count(0)


def test_a_form_that_is_refused_says_why(chat: Chat, script: Script) -> None:
    offer(script, form={"when": "offline", "fields": FIELDS[:1]}, online=False)
    form = chat.widget.locator("form.ask")
    expect(chat.status).to_contain_text("We are away")
    form.get_by_label("Your name").fill("Ann")
    form.get_by_role("button").click()
    sent = script.wait_for("form")
    script.say(type="error", code="bad_form", detail="Your name: at most 2 characters.", id=sent["id"])
    expect(form.get_by_role("alert")).to_have_text("Your name: at most 2 characters.")
    expect(form.get_by_role("button")).to_be_enabled()


def test_a_form_is_not_shown_to_whom_it_is_not_for(chat: Chat, script: Script) -> None:
    offer(script, form={"when": "offline", "fields": FIELDS}, online=True)
    expect(chat.status).to_have_text("Online")
    expect(chat.widget.locator("form.ask")).to_have_count(0)
    expect(chat.text).to_be_visible()


# The end


def test_a_visitor_ends_rates_and_begins_anew(chat: Chat, script: Script) -> None:
    offer(script, rating=True)
    script.message(1, 1, "Hello")
    chat.widget.get_by_role("button", name="End the conversation", exact=True).click()
    chat.widget.get_by_role("button", name="Go on", exact=True).click()
    expect(chat.widget.locator(".card")).to_have_count(0)
    chat.widget.get_by_role("button", name="End the conversation", exact=True).click()
    chat.widget.get_by_role("button", name="End it", exact=True).click()
    script.wait_for("end")
    script.say(type="ended", rate=True)
    expect(chat.widget.locator(".card")).to_contain_text("This conversation has ended.")
    chat.widget.get_by_role("radio", name="4 of 5", exact=True).check()
    chat.widget.get_by_label("Anything to add?").fill("quick")
    chat.widget.locator(".card").get_by_role("button", name="Send", exact=True).click()
    rated = script.wait_for("rate")
    assert (rated["score"], rated["text"]) == (4, "quick")
    script.say(type="ack", id=rated["id"], seq=None, rev=2)
    expect(chat.widget.locator(".card")).to_contain_text("Thank you")
    chat.widget.get_by_role("button", name="Start a new one", exact=True).click()
    assert script.wait_for("hello", 2)["token"] is None
    script.welcome("t2", "c2")
    expect(chat.widget.locator(".message")).to_have_count(0)
    expect(chat.text).to_be_focused()


def test_a_rating_that_was_not_taken_is_not_thanked_for(chat: Chat, script: Script) -> None:
    offer(script, rating=True)
    script.message(1, 1, "Hello")
    script.say(type="ended", rate=True)
    chat.widget.get_by_role("radio", name="1 of 5", exact=True).check()
    card = chat.widget.locator(".card")
    card.get_by_role("button", name="Send", exact=True).click()
    script.say(type="error", code="bad_frame", detail="There is nothing to rate.", id=script.wait_for("rate")["id"])
    expect(card).to_contain_text("This could not be sent.")


def test_who_writes_on_after_the_end_goes_on(chat: Chat, script: Script) -> None:
    offer(script)
    script.message(1, 1, "Hello")
    script.say(type="ended", rate=False)
    expect(chat.widget.locator(".card")).to_be_visible()
    chat.say("one thing more")
    assert script.wait_for("message")["text"] == "one thing more"
    expect(chat.widget.locator(".card")).to_have_count(0)


# Operators


def test_an_operator_comes_types_and_goes(chat: Chat, script: Script) -> None:
    offer(script)
    chat.page.wait_for_timeout(100)
    script.say(type="operator", name="Ann <b>Lee</b>")
    expect(chat.bubbles("system")).to_have_text(["Ann <b>Lee</b> has joined"])
    expect(chat.status).to_have_text("Ann <b>Lee</b> has joined")
    script.say(type="typing", name="Ann", **{"from": "operator"})
    expect(chat.widget.locator(".typing")).to_have_text("Ann is writing…")
    script.message(1, 1, "Hi", "operator", name="Ann")
    script.say(type="operator", name=None)
    expect(chat.bubbles("system").last).to_have_text("Ann <b>Lee</b> has left")
    expect(chat.status).to_have_text("Online")


def test_who_was_there_already_is_not_announced_again(chat: Chat, script: Script) -> None:
    script.welcome(seq=1, options=OFFERED)
    script.say(type="operator", name="Ann")
    script.message(1, 1, "Hi", "operator", name="Ann")
    expect(chat.status).to_have_text("Ann has joined")
    expect(chat.bubbles("operator")).to_have_count(1)
    expect(chat.bubbles("system")).to_have_count(0)


# Rich text


def test_rich_text_is_built_of_known_kinds_alone(chat: Chat, script: Script) -> None:
    hostile = HOSTILE[0]
    nodes = [
        "see https://b.example/ and ", {"t": "b", "c": ["bold ", {"t": "i", "c": [hostile]}]}, {"t": "br"},
        {"t": "a", "href": "https://a.example/?q=1", "c": ["good"]}, {"t": "a", "href": "javascript:hack", "c": ["b"]},
        {"t": "a", "href": "data:text/html,<script>hacked=1</script>", "c": ["worse"]}, {"t": "a", "c": ["none"]},
        {"t": "script", "c": ["window.hacked = 1"]}, {"t": "img", "href": "x", "c": []}, {"t": "constructor", "c": []},
        {"t": "list", "c": [{"t": "item", "c": ["one"]}, {"t": "item", "c": [{"t": "code", "c": ["two"]}]}]}, None, 7,
        {"t": "quote", "c": "no list"}, {"t": "pre", "c": ["  as it is"]},
    ]  # fmt: skip
    script.welcome()
    script.message(1, 1, "plain form", nodes=nodes)
    bubble = chat.bubbles("bot")
    expect(bubble.locator("strong em")).to_have_text(hostile)
    expect(bubble.locator("li")).to_have_text(["one", "two"])
    expect(bubble.locator("a")).to_have_text(["https://b.example/", "good"])
    kinds = bubble.locator("*").evaluate_all("all => [...new Set(all.map(one => one.localName))].sort()")
    assert kinds == ["a", "blockquote", "br", "code", "em", "li", "pre", "span", "strong", "ul"]
    assert chat.page.evaluate("window.hacked") is None


def test_nodes_without_end_are_cut(chat: Chat, script: Script) -> None:
    nodes: list[Any] = ["deep"]
    for _ in range(200):
        nodes = [{"t": "quote", "c": nodes}]
    script.welcome()
    script.message(1, 1, "deep", nodes=nodes)
    expect(chat.bubbles("bot").locator("blockquote").first).to_be_attached()
    assert chat.bubbles("bot").locator("blockquote").count() < 30


# Files


def files(script: Script, url: str) -> list[dict[str, Any]]:
    return [
        {
            "id": "f1",
            "name": "a.png",
            "type": "image/png",
            "size": 70,
            "url": "/chat/files/f1",
            "image": True,
            "width": 1,
        },
        {
            "id": "f2",
            "name": "b.png",
            "type": "image/png",
            "size": 70,
            "url": "https://else.example/b.png",
            "image": True,
        },
        {"id": "f3", "name": "c.svg", "type": "image/svg+xml", "size": 70, "url": "/chat/files/f3", "image": False},
        {"id": "f4", "name": "d", "type": "", "size": 70, "url": "javascript:window.hacked=1", "image": True},
        *({"id": name, "name": name, "type": "", "size": 1, "url": "/chat/files/f5", "image": False} for name in NAMES),
    ]


def test_files_are_shown_and_no_other_site_is_asked(
    page: "Page", script: Script, gateway: GatewayProcess, open_page: OpenPage
) -> None:
    page.route(re.compile("/chat/files/"), lambda route: route.fulfill(body=PNG, content_type="image/png"))
    page.goto(f"{gateway.url}/chat/")
    chat = Chat(page)
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    script.wait_for("hello")
    script.welcome()
    script.message(1, 1, "", files=files(script, gateway.url))
    shown = chat.widget.locator(".message.bot .files")
    expect(shown.locator("img")).to_have_attribute("src", f"{gateway.url}/chat/files/f1")
    expect(shown.locator("img")).to_have_attribute("alt", "a.png")
    expect(shown.locator(".file bdi:first-child").first).to_have_text("b.png")
    names = shown.locator(".file > span > bdi").evaluate_all("all => all.map(one => one.textContent)")
    assert names == ["b.png", "c.svg", "d", *NAMES]
    links = shown.locator("a").evaluate_all("all => all.map(one => one.protocol)")
    assert set(links) == {"http:", "https:"}
    assert all(url.startswith(gateway.url) for url in asked)
    assert page.evaluate("window.hacked") is None


class Uploads:
    """The gateway's side of an upload."""

    def __init__(self, page: "Page") -> None:
        self.names: list[str] = []
        self.headers: list[dict[str, str]] = []
        self.answers: list[tuple[int, dict[str, Any]]] = []
        page.route(re.compile(r"/chat/files/\?"), self.take)

    def take(self, route: "Route") -> None:
        allowed = {"Access-Control-Allow-Origin": "*", "Access-Control-Allow-Headers": "*"}
        if route.request.method == "OPTIONS":
            route.fulfill(
                status=204,
                headers={**allowed, "Access-Control-Allow-Headers": "authorization, x-file-name, content-type"},
            )
            return
        self.headers.append(route.request.headers)
        name = route.request.headers["x-file-name"]
        stored = {"id": f"id-{name}", "name": name, "type": "text/plain", "size": 3, "url": "/chat/files/f9"}
        status, answer = self.answers.pop(0) if self.answers else (201, stored)
        route.fulfill(status=status, json=answer, headers=allowed)


def test_files_are_uploaded_and_go_with_the_words(chat: Chat, script: Script) -> None:
    uploads = Uploads(chat.page)
    offer(script, uploads=UPLOADS)
    with chat.page.expect_file_chooser() as chooser:
        chat.widget.get_by_role("button", name="Attach a file", exact=True).click()
    chosen = [{"name": f"{name}.txt", "mimeType": "text/plain", "buffer": b"abc"} for name in ("일", "<b>two</b>")]
    chooser.value.set_files(chosen)  # type: ignore[arg-type]
    expect(chat.widget.locator(".waiting")).to_have_text(["일.txt", "<b>two</b>.txt"])
    expect(chat.widget.locator(".waiting progress")).to_have_count(0)
    chat.widget.get_by_role("button", name="Remove <b>two</b>.txt", exact=True).click()
    chat.say("the first alone")
    said = script.wait_for("message")
    assert said["files"] == ["id-%EC%9D%BC.txt"]
    assert said["text"] == "the first alone"
    assert uploads.headers[0]["authorization"] == "Bearer t1"
    expect(chat.widget.locator(".waiting")).to_have_count(0)
    expect(chat.widget.locator(".message.visitor .file")).to_have_count(1)


def test_a_file_alone_is_a_message(chat: Chat, script: Script) -> None:
    Uploads(chat.page)
    offer(script, uploads=UPLOADS)
    picker = chat.widget.locator("input[type=file]")
    picker.set_input_files([{"name": "a.txt", "mimeType": "text/plain", "buffer": b"abc"}])
    expect(chat.widget.locator(".waiting progress")).to_have_count(0)
    chat.text.press("Enter")
    said = script.wait_for("message")
    assert (said["text"], said["files"]) == ("", ["id-a.txt"])


def test_what_is_not_taken_is_told_and_not_sent(chat: Chat, script: Script, trouble: Trouble) -> None:
    uploads = Uploads(chat.page)
    uploads.answers = [(415, {"code": "file_type", "detail": "no"}), (503, {"code": "not_ready", "detail": "no"})]
    offer(script, uploads=UPLOADS)
    picker = chat.widget.locator("input[type=file]")
    picker.set_input_files([{"name": "big.txt", "mimeType": "text/plain", "buffer": b"x" * 2000}])
    expect(chat.widget.get_by_role("alert")).to_have_text("big.txt is too large: 1 kB at most")
    picker.set_input_files([{"name": "page.html", "mimeType": "text/html", "buffer": b"x"}])
    expect(chat.widget.get_by_role("alert")).to_have_text("Files such as page.html are not taken here")
    picker.set_input_files([{"name": "late.txt", "mimeType": "text/plain", "buffer": b"x"}])
    expect(chat.widget.get_by_role("alert")).to_have_text("late.txt could not be uploaded")
    chat.say("words alone")
    assert "files" not in script.wait_for("message")
    trouble.forgive("Failed to load resource")
