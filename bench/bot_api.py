"""The Bot API as cheap as it can be: for each token a bot that hands out updates and notes what is answered.

Every text is `u<number>c<chat>`, which all encodings of a request's body leave as it is, so that nothing is decoded.
"""

import asyncio
import json
import re
from collections import deque
from collections.abc import Callable
from typing import Any, cast
from urllib.parse import parse_qs

import httptools

MARK = re.compile(rb"u(\d+)c(\d+)")
MOST_UPDATES = 100
# Long polls of an idle bot are answered empty after this long.
POLL_SECONDS = 10.0
UPDATE = (
    b'{"update_id":%d,"message":{"message_id":%d,"from":{"id":%d,"is_bot":false,"first_name":"Ann","last_name":"Other",'
    b'"username":"ann%d","language_code":"en"},"chat":{"id":%d,"first_name":"Ann","last_name":"Other","username":"ann%d",'
    b'"type":"private"},"date":1790000000,"text":"u%dc%d"}}'
)
MESSAGE = (
    b'{"ok":true,"result":{"message_id":%d,"from":{"id":1000000001,"is_bot":true,"first_name":"Echo","username":"echo_bot"},'
    b'"chat":{"id":%d,"first_name":"Ann","last_name":"Other","username":"ann%d","type":"private"},"date":1790000000,'
    b'"text":"u%dc%d"}}'
)
ME = {
    "id": 1000000001,
    "is_bot": True,
    "first_name": "Echo",
    "username": "echo_bot",
    "can_join_groups": True,
    "can_read_all_group_messages": False,
    "supports_inline_queries": False,
}
HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n"


def update(number: int, chat: int) -> bytes:
    return UPDATE % (number, number, chat, chat, chat, chat, number, chat)


def answer(body: bytes) -> bytes:
    return HEAD % len(body) + body


def result(value: Any) -> bytes:
    return answer(json.dumps({"ok": True, "result": value}).encode())


TRUE = result(True)


class Bot:
    """One bot at Telegram's side. `echoed(number, chat)` is called for each answer that arrives; `more(n)` gives the
    next updates, at most n, to whoever polls."""

    def __init__(self) -> None:
        self.webhook_url = ""
        self.secret = ""
        self.delay = 0.0
        self.polled = asyncio.Event()
        self.registered = asyncio.Event()
        self.echoed: Callable[[int, int], None] = lambda number, chat: None
        self.more: Callable[[int], list[bytes]] = lambda most: []
        self._polls: deque[ApiConnection] = deque()
        self._message_id = 0

    def feed_polls(self) -> None:
        """Answers the poll that waits, if there is something."""
        while self._polls:
            updates = self.more(MOST_UPDATES)
            if not updates:
                return
            self._polls.popleft().write(self._updates(updates))

    def _updates(self, updates: list[bytes]) -> bytes:
        return answer(b'{"ok":true,"result":[' + b",".join(updates) + b"]}")

    # Methods

    def send_message(self, connection: "ApiConnection", body: bytes) -> None:
        found = MARK.search(body)
        if found is None:
            connection.write(TRUE)
            return
        number, chat = int(found[1]), int(found[2])
        self._message_id += 1
        text = answer(MESSAGE % (self._message_id, chat, chat, number, chat))
        if self.delay:
            asyncio.get_running_loop().call_later(self.delay, connection.write, text)
        else:
            connection.write(text)
        self.echoed(number, chat)

    def get_updates(self, connection: "ApiConnection", body: bytes) -> None:
        self.polled.set()
        updates = self.more(MOST_UPDATES)
        if updates:
            connection.write(self._updates(updates))
            return
        self._polls.append(connection)
        asyncio.get_running_loop().call_later(POLL_SECONDS, self._give_nothing, connection)

    def _give_nothing(self, connection: "ApiConnection") -> None:
        if connection in self._polls:
            self._polls.remove(connection)
            connection.write(self._updates([]))

    def forget(self, connection: "ApiConnection") -> None:
        if connection in self._polls:
            self._polls.remove(connection)

    def set_webhook(self, connection: "ApiConnection", body: bytes) -> None:
        wanted = arguments(body)
        self.webhook_url, self.secret = wanted["url"], wanted.get("secret_token", "")
        self.registered.set()
        connection.write(TRUE)

    def get_webhook_info(self, connection: "ApiConnection", body: bytes) -> None:
        connection.write(result({"url": self.webhook_url, "has_custom_certificate": False, "pending_update_count": 0}))

    def get_me(self, connection: "ApiConnection", body: bytes) -> None:
        connection.write(result(ME))

    def delete_webhook(self, connection: "ApiConnection", body: bytes) -> None:
        self.webhook_url = ""
        connection.write(TRUE)


METHODS: dict[bytes, Callable[[Bot, "ApiConnection", bytes], None]] = {
    b"sendMessage": Bot.send_message,
    b"getUpdates": Bot.get_updates,
    b"setWebhook": Bot.set_webhook,
    b"getWebhookInfo": Bot.get_webhook_info,
    b"getMe": Bot.get_me,
    b"deleteWebhook": Bot.delete_webhook,
}


def arguments(body: bytes) -> dict[str, str]:
    """Of a call in JSON or as a form: libraries differ."""
    if body.startswith(b"{"):
        return {key: str(value) for key, value in json.loads(body).items()}
    return {key: values[0] for key, values in parse_qs(body.decode()).items()}


class BotApi:
    """The bots by their tokens; whoever asks with a new one gets a bot."""

    def __init__(self) -> None:
        self.bots: dict[str, Bot] = {}
        self.calls = 0

    def bot(self, token: str) -> Bot:
        if token not in self.bots:
            self.bots[token] = Bot()
        return self.bots[token]

    async def listen(self) -> int:
        """The port."""
        server = await asyncio.get_running_loop().create_server(lambda: ApiConnection(self), "127.0.0.1", 0)
        return int(server.sockets[0].getsockname()[1])


class ApiConnection(asyncio.Protocol):
    """One keep-alive connection of a client of the Bot API."""

    def __init__(self, api: BotApi) -> None:
        self._api = api
        self._parser = httptools.HttpRequestParser(self)
        self._bot: Bot | None = None
        self._url = b""
        self._body = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.Transport", transport)

    def connection_lost(self, error: Exception | None) -> None:
        if self._bot is not None:
            self._bot.forget(self)

    def data_received(self, data: bytes) -> None:
        self._parser.feed_data(data)

    def on_url(self, url: bytes) -> None:
        self._url, self._body = url, b""

    def on_body(self, body: bytes) -> None:
        self._body += body

    def on_message_complete(self) -> None:
        # /bot<token>/<method>, and what little a GET says behind a question mark.
        path, _, query = self._url.partition(b"?")
        _, token, method = path.split(b"/")
        self._api.calls += 1
        self._bot = self._api.bot(token.removeprefix(b"bot").decode())
        handle = METHODS.get(method)
        if handle is None:
            self.write(TRUE)
        else:
            handle(self._bot, self, self._body or query)

    def write(self, content: bytes) -> None:
        if not self.transport.is_closing():
            self.transport.write(content)
