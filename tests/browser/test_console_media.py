"""Files at the console, from a widget and from Telegram: pictures are seen, the rest is saved, nobody else is asked."""

from collections.abc import Iterator
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import pytest

from gateway.web.file_types import FORBIDDEN, INVISIBLE
from tests.browser.chat import Chat
from tests.browser.conftest import OPERATOR, PASSWORD, OpenPage, expect
from tests.browser.hostile import NAMES
from tests.browser.test_console import sign_in
from tests.browser.test_widget_offers import PNG
from tests.conftest import telegram_env
from tests.fake_telegram import FakeTelegram
from tests.gateway_process import GatewayProcess
from tests.test_web_files import png

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Locator, Page

pytestmark = [pytest.mark.browser, pytest.mark.timeout(180)]
OFFER = """
from gateway.models import Bot
from gateway.web.models import WidgetOptions
WidgetOptions.objects.update_or_create(bot=Bot.objects.get_or_create(name="bot")[0], defaults={"uploads": True})
"""
SVG = b'<svg xmlns="http://www.w3.org/2000/svg"><script>window.hacked = 1</script></svg>'


@pytest.fixture
def both(browser: "Browser", telegram: FakeTelegram) -> Iterator[GatewayProcess]:
    """A gateway that has Telegram and takes uploads."""
    with GatewayProcess({**telegram_env(telegram), "UPLOADS": "on"}) as gateway:
        gateway.manage("create_operator", OPERATOR, "--password", PASSWORD)
        gateway.manage("shell", "-c", OFFER)
        yield gateway


@pytest.fixture
def desk(both: GatewayProcess, open_page: OpenPage) -> "Page":
    page = open_page(f"{both.url}/console/")
    sign_in(page, OPERATOR)
    return page


@pytest.fixture
def asked(desk: "Page") -> set[str]:
    """The hosts that the console's page asked for anything."""
    hosts: set[str] = set()
    desk.on("request", lambda request: hosts.add(urlsplit(request.url).netloc))
    return hosts


def open_talk(desk: "Page", text: str) -> "Locator":
    desk.locator("#list button", has_text=text).first.click()
    return desk.locator("#transcript .visitor .files")


def is_seen(picture: "Locator", width: int) -> None:
    expect(picture).to_be_visible()
    decoded = "async one => { one.loading = 'eager'; await one.decode(); return one.naturalWidth; }"
    assert picture.evaluate(decoded) == width


def test_a_visitors_files(both: GatewayProcess, desk: "Page", asked: set[str], open_page: OpenPage) -> None:
    chat = Chat(open_page(f"{both.url}/chat/"))
    picker = chat.widget.locator("input[type=file]")
    expect(chat.widget.get_by_role("button", name="Attach a file", exact=True)).to_be_visible()
    picker.set_input_files([
        {"name": "the box.png", "mimeType": "image/png", "buffer": PNG},
        *({"name": name, "mimeType": "text/plain", "buffer": b"words"} for name in ("=cmd|calc.txt", "<b>b</b>.txt")),
    ])  # fmt: skip
    expect(chat.widget.locator(".waiting")).to_have_count(3)
    expect(chat.widget.locator(".waiting progress")).to_have_count(0)
    chat.say("three files")
    expect(chat.sent()).to_have_text(["three files"])
    files = open_talk(desk, "three files")
    is_seen(files.get_by_role("img", name="the box.png", exact=True), 1)
    expect(files.locator("a.file bdi")).to_have_text(["=cmd_calc.txt", "_b_b__b_.txt"])
    with desk.expect_download() as download:
        files.locator("a.file").first.click()
    assert download.value.path().read_bytes() == b"words"
    assert asked == {urlsplit(both.url).netloc}


def test_telegrams_files(telegram: FakeTelegram, both: GatewayProcess, desk: "Page", asked: set[str]) -> None:
    ada = telegram.user(7, "Ada")
    telegram.bot.files |= {"photo-7": png(), "drawing": SVG, "lies": SVG}
    ada.sends_photo("look at this")
    for number, name in enumerate(NAMES):
        kind = "image/png" if name.endswith("png") else "image/svg+xml"
        ada.says(None, document={"file_id": "lies" if number % 2 else "drawing", "file_name": name, "mime_type": kind})
    telegram.wait(lambda: len(ada.answers) == 1 + len(NAMES), 30)
    files = open_talk(desk, "You said:")
    is_seen(files.get_by_role("img", name="photo.jpg", exact=True), 3)
    names = files.locator("a.file bdi, span.file bdi").evaluate_all("all => all.map(one => one.textContent)")
    pictures = files.get_by_role("img").evaluate_all("all => all.map(one => one.alt)")
    assert len(names) + len(pictures) == 1 + len(NAMES)
    assert not any(FORBIDDEN.search(name) or INVISIBLE.search(name) for name in (*names, *pictures))
    with desk.expect_download() as download:
        files.locator("a.file").first.click()
    assert download.value.path().read_bytes() == SVG
    assert desk.evaluate("window.hacked") is None
    assert files.locator("script, svg, iframe, [onerror]").count() == 0
    assert telegram.token not in desk.content()
    assert asked == {urlsplit(both.url).netloc}
