"""The widget as a visitor uses it."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from playwright.sync_api import Locator, Page


class Chat:
    """The widget on a page. Playwright's selectors reach into its open shadow root."""

    def __init__(self, page: "Page") -> None:
        self.page = page
        self.widget = page.locator("switchboard-chat")
        self.launcher = self.widget.locator(".launcher")
        self.panel = self.widget.locator(".panel")
        self.status = self.widget.locator(".status")
        self.text = self.widget.locator(".foot > form textarea")
        self.badge = self.widget.locator(".badge")

    def open(self) -> "Chat":
        self.launcher.click()
        return self

    def say(self, text: str) -> None:
        self.text.fill(text)
        self.text.press("Enter")

    def bubbles(self, sender: str) -> "Locator":
        """What `sender` said: "visitor", "bot", "operator" or "system"."""
        return self.widget.locator(f".message.{sender} .bubble")

    def sent(self) -> "Locator":
        """The visitor's own words that are stored."""
        return self.widget.locator(".message.visitor[data-state=sent] .bubble")
