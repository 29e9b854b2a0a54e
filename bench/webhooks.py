"""Telegram's side of a webhook: a few keep-alive connections, one update at a time on each."""

import asyncio
from collections.abc import Callable, Sequence
from functools import partial
from typing import cast
from urllib.parse import urlsplit

import httptools


class WebhookConnection(asyncio.Protocol):
    """`answered(connection, status)` is called for each answer; status 0: the line was cut."""

    def __init__(
        self, number: int, url: str, secret: str, answered: Callable[["WebhookConnection", int], None]
    ) -> None:
        place = urlsplit(url)
        self.number = number
        self._head = (
            f"POST {place.path or '/'} HTTP/1.1\r\nHost: {place.netloc}\r\nContent-Type: application/json\r\n"
            f"X-Telegram-Bot-Api-Secret-Token: {secret}\r\nContent-Length: "
        ).encode()
        self._answered = answered
        self._parser = httptools.HttpResponseParser(self)
        self._under_way = False
        self.update_id = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.Transport", transport)

    def post(self, number: int, update: bytes) -> None:
        """`update_id`: of what is under way or was last."""
        self._under_way, self.update_id = True, number
        self.transport.write(self._head + b"%d\r\n\r\n" % len(update) + update)

    def data_received(self, data: bytes) -> None:
        self._parser.feed_data(data)

    def on_message_complete(self) -> None:
        self._under_way = False
        self._answered(self, self._parser.get_status_code())

    def connection_lost(self, error: Exception | None) -> None:
        if self._under_way:
            self._answered(self, 0)


def address(url: str) -> tuple[str, int]:
    place = urlsplit(url)
    return str(place.hostname), int(place.port or 80)


def same(connection: WebhookConnection) -> WebhookConnection:
    return connection


async def connect(
    count: int, urls: Sequence[str], secret: str, answered: Callable[[WebhookConnection, int], None]
) -> list[WebhookConnection]:
    loop, connections = asyncio.get_running_loop(), []
    for number in range(count):
        url = urls[number % len(urls)]
        connections.append(WebhookConnection(number, url, secret, answered))
        await loop.create_connection(partial(same, connections[-1]), *address(url))
    return connections
