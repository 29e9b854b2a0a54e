"""A real browser on the real product, and a page of another origin whose policy is as strict as policies get."""

import os
import shutil
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from tests.gateway_process import GatewayProcess

try:
    from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Dialog, Page, expect, sync_playwright
except ImportError:
    MISSING = "Playwright is not installed"
    expect: Any = None
else:
    expect.set_options(timeout=15_000)
    MISSING = ""

OPERATOR, PASSWORD = "ann", "a-long-password-for-ann"
ARGUMENTS = [
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
]  # fmt: skip
TELL_VIOLATIONS = """addEventListener("securitypolicyviolation", (event) =>
    console.error(`policy violated: ${event.effectiveDirective} ${event.blockedURI} ${event.sample}`))"""


def chromium() -> str | None:
    names = ("chromium", "chromium-browser", "google-chrome")
    return os.environ.get("CHROMIUM") or next((path for name in names if (path := shutil.which(name))), None)


@pytest.fixture(scope="package")
def browser() -> "Iterator[Browser]":
    path = None if MISSING else chromium()
    if path is None:
        reason = MISSING or "there is no Chromium (set CHROMIUM to its path)"
        if os.environ.get("CI"):
            pytest.fail(f"{reason}, though CI is set", pytrace=False)
        pytest.skip(reason)
    # The synchronous Playwright keeps a loop in this thread: it must be gone before other tests want theirs.
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=ARGUMENTS)
        yield browser
        browser.close()


class HostSite(ThreadingHTTPServer):
    """Somebody's site: one page, with the widget's tag as the documentation gives it."""

    daemon_threads = True
    gateway = ""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), HostPage)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"

    @property
    def policy(self) -> str:
        place = self.gateway.removeprefix("http://")
        return (
            f"default-src 'none'; script-src {self.gateway}; connect-src ws://{place} {self.gateway}; "
            f"img-src {self.gateway}; style-src 'none'; require-trusted-types-for 'script'; trusted-types 'none'"
        )


class HostPage(BaseHTTPRequestHandler):
    server: HostSite

    def do_GET(self) -> None:
        tag = f'<script type="module" src="{self.server.gateway}/widget.js" data-bot="bot"></script>'
        page = f'<!doctype html><html lang="en"><meta charset="utf-8"><title>A shop</title><h1>A shop</h1>{tag}</html>'
        self.send_response(200)
        self.send_header("Content-Type", "text/html; charset=utf-8")
        self.send_header("Content-Security-Policy", self.server.policy)
        self.end_headers()
        self.wfile.write(page.encode())

    def log_message(self, format: str, *args: Any) -> None:
        pass


@pytest.fixture(scope="package")
def shop(browser: "Browser") -> Iterator[HostSite]:
    """The other site. Asks for the browser first, so that nothing is started where there is none."""
    with serving(HostSite()) as site:
        yield site


@contextmanager
def serving(site: HostSite) -> Iterator[HostSite]:
    with site:
        threading.Thread(target=site.serve_forever, daemon=True).start()
        yield site
        site.shutdown()


@pytest.fixture(scope="package")
def neighbour(browser: "Browser") -> Iterator[HostSite]:
    """One more site that is listed, until a bot has a list of its own."""
    with serving(HostSite()) as site:
        yield site


@pytest.fixture(scope="package")
def gateway(shop: HostSite, neighbour: HostSite) -> Iterator[GatewayProcess]:
    with GatewayProcess({"WIDGET_ORIGINS": f"{shop.url},{neighbour.url}", "UPLOADS": "on"}) as gateway:
        gateway.manage("create_operator", OPERATOR, "--password", PASSWORD)
        shop.gateway = neighbour.gateway = gateway.url
        yield gateway


@dataclass
class Trouble:
    """What a page complained of: console errors, exceptions, policy violations, dialogs."""

    seen: list[str] = field(default_factory=list)
    forgiven: list[str] = field(default_factory=list)

    def watch(self, page: "Page") -> None:
        page.on("console", self.console)
        page.on("pageerror", lambda error: self.seen.append(f"exception: {error}"))
        page.on("dialog", self.dialog)

    def console(self, message: "ConsoleMessage") -> None:
        if message.type == "error":
            self.seen.append(f"{message.text} ({message.location.get('url')})")

    def dialog(self, dialog: "Dialog") -> None:
        self.seen.append(f"dialog: {dialog.message}")
        dialog.dismiss()

    def forgive(self, text: str) -> None:
        """What contains `text` is part of the test, also where it comes later."""
        self.forgiven.append(text)

    def left(self) -> list[str]:
        return [seen for seen in self.seen if not any(text in seen for text in self.forgiven)]


@pytest.fixture
def trouble() -> Iterator[Trouble]:
    """Fails the test in the end if any page complained."""
    trouble = Trouble()
    yield trouble
    assert trouble.left() == []


OpenPage = Callable[..., "Page"]


@pytest.fixture
def open_page(browser: "Browser", trouble: Trouble) -> "Iterator[OpenPage]":
    """`open_page(url, **options of a browser context)`: a page of a new visitor, watched for trouble."""
    contexts: list[BrowserContext] = []

    def open_(url: str, **options: Any) -> Page:
        context = browser.new_context(**options)
        contexts.append(context)
        context.add_init_script(TELL_VIOLATIONS)
        page = context.new_page()
        trouble.watch(page)
        page.goto(url)
        return page

    yield open_
    for context in contexts:
        context.close()


@pytest.fixture
def console(open_page: OpenPage, gateway: GatewayProcess) -> "Page":
    """The console, an operator signed in."""
    page = open_page(f"{gateway.url}/console/")
    page.get_by_label("Name").fill(OPERATOR)
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in", exact=True).click()
    expect(page.locator("#line")).to_have_text("Live")
    return page
