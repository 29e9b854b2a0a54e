"""The gateway's side of a visitor's line, spoken by a test."""

import json
import re
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from playwright.sync_api import Page, WebSocketRoute


def frame(seq: int, rev: int, text: str, sender: str = "bot", **more: Any) -> dict[str, Any]:
    """A message frame."""
    at = "2026-01-02T03:04:05Z"
    known = {"type": "message", "seq": seq, "rev": rev, "text": text, "name": "", "buttons": [], "at": at}
    return {**known, "from": sender, **more}


class Script:
    """The gateway's side of the line: keeps what the widget says, says what the test wants."""

    def __init__(self, page: "Page") -> None:
        self.heard: list[dict[str, Any]] = []
        self.lines: list[WebSocketRoute] = []
        self.page = page
        page.route_web_socket(re.compile("/ws/chat/"), self.accept)

    def accept(self, line: "WebSocketRoute") -> None:
        self.lines.append(line)
        line.on_message(lambda frame: self.heard.append(json.loads(frame)))

    def wait_for(self, kind: str, count: int = 1) -> dict[str, Any]:
        """The `count`-th frame of that type, once it has come."""
        for _ in range(150):
            found = [frame for frame in self.heard if frame["type"] == kind]
            if len(found) >= count:
                return found[count - 1]
            self.page.wait_for_timeout(100)
        raise AssertionError(f"no {kind} number {count} in {self.heard}")

    def say(self, **frame: Any) -> None:
        self.lines[-1].send(json.dumps(frame))

    def welcome(self, token: str = "t1", conversation: str = "c1", seq: int = 0, **more: Any) -> None:
        self.say(type="welcome", token=token, conversation=conversation, seq=seq, rev=0, bot="bot", **more)

    def message(self, seq: int, rev: int, text: str, sender: str = "bot", **more: Any) -> None:
        self.say(**frame(seq, rev, text, sender, **more))
