"""Calls of the Bot API over HTTP, and what their failures mean to us."""

import re
from base64 import b64encode
from collections.abc import AsyncIterator, Callable, Mapping
from functools import partial
from types import TracebackType
from typing import Any, Self
from urllib.parse import quote, unquote, urlsplit

from gateway.errors import DeliveryError, Refused
from gateway.redact import redact
from gateway.telegram import answers, wire
from gateway.telegram.lines import PORTS, Answer, Lines, Told

CALL_SECONDS = 30.0
# Of a bot's methods; more would be names that somebody makes up.
MOST_HEADS = 500
# What may stand in the first line of a request without ending it, or in a header.
VISIBLE = re.compile(r"[!-~]+")


class Session:
    """The lines of all bots, by where they go. They have no limit of their own: a bot's sends have one, so that they
    wait neither for polls nor for another bot's."""

    def __init__(self) -> None:
        self._lines: dict[tuple[str, str], Lines] = {}

    def lines(self, api_url: str) -> Lines:
        """Must be called on the loop. Raises ValueError for what is no address."""
        place = urlsplit(api_url)
        if place.scheme not in PORTS or not place.hostname or not VISIBLE.fullmatch(api_url):
            raise ValueError("no address")
        key = place.scheme, place.netloc
        if key not in self._lines:
            self._lines[key] = Lines(place)
        return self._lines[key]

    async def close(self) -> None:
        for lines in self._lines.values():
            lines.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: type[BaseException] | BaseException | TracebackType | None) -> None:
        await self.close()


class Client:
    """The Bot API for one bot, whose `token` may become another one."""

    def __init__(self, api_url: str, token: str, session: Session) -> None:
        self._api_url = api_url.rstrip("/")
        self.token = token
        self._session = session
        self._proven = ""
        self._lines: Lines | None = None
        self._heads: dict[tuple[str, str], bytes] = {}

    @property
    def is_proven(self) -> bool:
        """The Bot API has done something for this very token."""
        return self._proven == self.token

    async def call(self, method: str, params: Mapping[str, Any] | None = None, *, silence: float = CALL_SECONDS) -> Any:
        """The method's result. `method` in snake case; `silence`: seconds without a word while an answer is awaited.

        Raises Refused, Later or Unknown, nothing else, and no token in any of them.
        """
        lines = self._lines or self._new_lines()
        token = self.token
        return self.read(token, await lines.ask(self._request(method, params or {}), silence))

    def begin(self, method: str, params: Mapping[str, Any], tell: Callable[[str, Told], None]) -> bool:
        """Makes the call this very moment, on a line that is free. `tell` gets what `read` reads. False: none is."""
        line = None if self._lines is None else self._lines.kept()
        if self._lines is None or line is None:
            return False
        try:
            request = self._request(method, params)
        except DeliveryError:
            self._lines.rests(line)
            return False  # `call` says why.
        line.ask(request, CALL_SECONDS, partial(tell, self.token))
        return True

    def read(self, token: str, told: Told) -> Any:
        """The result of a call that was made with that token. Raises as `call`."""
        try:
            if not isinstance(told, Answer):
                raise told
            result = answers.read(told.status, told.headers, told.body)
        except DeliveryError as error:
            error.args = (self._clean(str(error)),)
            raise
        self._proven = token
        return result

    def _request(self, method: str, params: Mapping[str, Any]) -> bytes:
        body = write(params)
        head = self._heads.get((self.token, method)) or self._new_head(self.token, method)
        return b"%b%d\r\n\r\n%b" % (head, len(body), body)

    def _new_lines(self) -> Lines:
        try:
            self._lines = self._session.lines(self._api_url)
        except ValueError:
            pass
        else:
            return self._lines
        raise not_an_address()

    def _new_head(self, token: str, method: str) -> bytes:
        """All of a request but for its length and its body, which are all that calls of a method differ in."""
        place = urlsplit(f"{self._api_url}/bot{token}/{quote(camel_case(method), safe='')}")
        target = f"{place.path}?{place.query}" if place.query else place.path
        host = place.netloc.rpartition("@")[2]
        if not VISIBLE.fullmatch(target + host):
            raise not_an_address()
        lines = [
            f"POST {target} HTTP/1.1",
            f"Host: {host}",
            "Content-Type: application/json",
            "Accept: application/json",
            "Accept-Encoding: identity",
            "User-Agent: switchboard",
        ]
        if place.username is not None:
            known = f"{unquote(place.username)}:{unquote(place.password or '')}"
            lines.append(f"Authorization: Basic {b64encode(known.encode()).decode()}")
        if len(self._heads) >= MOST_HEADS:
            self._heads.clear()
        head = self._heads[token, method] = "\r\n".join([*lines, "Content-Length: "]).encode()
        return head

    async def download(self, file_id: str, most: int) -> AsyncIterator[bytes]:
        """A file's bytes. Its address holds the token, and is known here alone. Raises as `call`."""
        found = await self.call("get_file", {"file_id": file_id})
        path = found.get("file_path") if isinstance(found, dict) else None
        if not isinstance(path, str) or ".." in path:
            raise Refused("The Bot API does not say where the file is.")
        # aiohttp takes a third of a second to import: only whoever fetches files waits for it.
        from gateway.telegram.downloads import download

        async for chunk in download(f"{self._api_url}/file/bot{self.token}/{path}", most):
            yield chunk

    def _clean(self, text: str) -> str:
        """Nothing keeps a server from telling us our own token."""
        return redact(text.replace(self.token, "<token>"))[:500]


def not_an_address() -> DeliveryError:
    return answers.NotTheApi("TELEGRAM_API_URL, or the bot's token in it, makes no valid address.")


def camel_case(method: str) -> str:
    first, *rest = method.split("_")
    return first + "".join(word.capitalize() for word in rest)


def write(params: Mapping[str, Any]) -> bytes:
    try:
        return wire.encode(params)
    except (ValueError, TypeError, RecursionError):
        raise Refused("The arguments cannot be written as JSON.") from None
