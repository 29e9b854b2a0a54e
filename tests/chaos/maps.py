"""Application maps of the runs, and the bots in them. Importing this installs the fail point of FAIL_AT."""

import os
import random
import signal
import time
from typing import Any, ClassVar

from channels.consumer import StopConsumer, SyncConsumer
from channels.routing import ProtocolTypeRouter

from config.asgi import application as base
from gateway.ring import Ring
from tests.chaos import failpoints
from tests.wrongs import WRONG

Event = dict[str, Any]


class Counter(SyncConsumer):
    """Counts its messages in the session. Its answer says which message it was and what the count was."""

    state_in_session = True
    extras: ClassVar[Event] = {}

    def telegram_message(self, event: Event) -> None:
        session = self.scope["session"]
        session["count"] = session.get("count", 0) + 1
        self.send({"type": "telegram.message", "text": f"{event['text']} is {session['count']}", **self.extras})


class AtMostOnce(Counter):
    """The same; a send whose outcome is unknown is not repeated."""

    extras: ClassVar[Event] = {"at_most_once": True}


class Trouble(SyncConsumer):
    """Echoes. "block 30" sleeps on its thread, "raise" raises, "poison" kills the process."""

    def chat_received_message(self, event: Event) -> None:
        word, _, rest = event["text"].partition(" ")
        if word == "block":
            time.sleep(float(rest))
        elif word == "raise":
            raise ValueError(word)
        elif word == "poison":
            os.kill(os.getpid(), signal.SIGKILL)
        self.send({"type": "chat.send_message", "text": f"echo {event['text']}"})


class Wrong(SyncConsumer):
    """Echoes, with buttons. Goes wrong in the way that the message or the button is named after."""

    buttons: ClassVar[list[list[Event]]] = [[{"text": way, "data": way}] for way in WRONG]

    def chat_received_message(self, event: Event) -> None:
        self.go_wrong(event["text"])
        self.send({"type": "chat.send_message", "text": f"echo {event['text']}", "buttons": self.buttons})

    def chat_button(self, event: Event) -> None:
        self.go_wrong(event["data"])

    def go_wrong(self, way: str) -> None:
        if way in WRONG:
            WRONG[way]()


class Leaver(Counter):
    """Has a farewell: what ended, and when, is a row."""

    def chat_disconnect(self, event: Event) -> None:
        raise StopConsumer


def map_with(bot: Any) -> ProtocolTypeRouter:
    """The product's map, with one bot on Telegram and on the web."""
    return ProtocolTypeRouter({**base.application_mapping, "telegram": bot, "webchat": bot})


counter = map_with(Counter.as_asgi())
at_most_once = map_with(AtMostOnce.as_asgi())
trouble = map_with(Trouble.as_asgi())
wrong = map_with(Wrong.as_asgi())
leaver = map_with(Leaver.as_asgi())


def lose_rings(share: float) -> None:
    """Of every call that would tell this process's sockets of news, that share is lost."""
    ring = Ring.ring
    Ring.ring = lambda self, *news: None if random.random() < share else ring(self, *news)  # type: ignore[method-assign]


lose_rings(float(os.environ.get("LOSE_RINGS", "0")))
failpoints.install(os.environ.get("FAIL_AT", ""))
