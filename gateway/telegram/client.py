"""Calls of the Bot API over HTTP, and what their failures mean to us.

The token is part of every URL and aiohttp puts URLs into its exceptions, so none of those may get out: ours are
raised outside the `except` that caught theirs, with words of our own.
"""

from collections.abc import AsyncIterator, Mapping
from typing import Any

import aiohttp

from gateway.errors import DeliveryError, Later, Refused, Unknown
from gateway.redact import redact
from gateway.telegram import answers, wire

CONNECT_SECONDS = 10.0
CALL_SECONDS = 30.0
# Shorter than any server's own: a line that the server closes as we write on it makes an outcome unknown.
KEEP_ALIVE_SECONDS = 4.0
MAX_ANSWER = 16 * 1024 * 1024


def open_session() -> aiohttp.ClientSession:
    """The one session of all bots. Must be called on the loop. It has no limit of its own: a bot's sends have one, so
    that they wait neither for polls nor for another bot's."""
    connector = aiohttp.TCPConnector(limit=0, limit_per_host=0, keepalive_timeout=KEEP_ALIVE_SECONDS)
    return aiohttp.ClientSession(connector=connector, cookie_jar=aiohttp.DummyCookieJar(), trust_env=False)


class Client:
    """The Bot API for one bot, whose `token` may become another one."""

    def __init__(self, api_url: str, token: str, session: aiohttp.ClientSession) -> None:
        self._api_url = api_url.rstrip("/")
        self.token = token
        self._session = session
        self._proven = ""

    @property
    def is_proven(self) -> bool:
        """The Bot API has done something for this very token."""
        return self._proven == self.token

    async def call(self, method: str, params: Mapping[str, Any] | None = None, *, silence: float = CALL_SECONDS) -> Any:
        """The method's result. `method` in snake case; `silence`: seconds without a word while an answer is awaited.

        Raises Refused, Later or Unknown, nothing else, and no token in any of them.
        """
        content = write(params or {})
        try:
            token = self.token
            status, headers, body = await self._post(camel_case(method), content, silence)
            result = answers.read(status, headers, body)
            self._proven = token
            return result
        except DeliveryError as error:
            error.args = (self._clean(str(error)),)
            raise
        except (aiohttp.ClientError, TimeoutError, OSError, ValueError) as error:
            failure = explain(error)
        raise failure

    async def _post(self, method: str, body: bytes, silence: float) -> tuple[int, Mapping[str, str], bytes]:
        limits = aiohttp.ClientTimeout(total=silence + 2 * CONNECT_SECONDS, connect=CONNECT_SECONDS, sock_read=silence)
        async with self._session.post(
            f"{self._api_url}/bot{self.token}/{method}",
            data=body,
            headers={"Content-Type": "application/json"},
            timeout=limits,
            allow_redirects=False,
        ) as response:
            return response.status, response.headers, await read_bounded(response)

    async def download(self, file_id: str, most: int) -> AsyncIterator[bytes]:
        """A file's bytes. Its address holds the token, and is known here alone. Raises as `call`."""
        found = await self.call("get_file", {"file_id": file_id})
        path = found.get("file_path") if isinstance(found, dict) else None
        if not isinstance(path, str) or ".." in path:
            raise Refused("The Bot API does not say where the file is.")
        limits = aiohttp.ClientTimeout(total=None, connect=CONNECT_SECONDS, sock_read=CALL_SECONDS)
        url, failure = f"{self._api_url}/file/bot{self.token}/{path}", None
        try:
            async with self._session.get(url, timeout=limits, allow_redirects=False) as response:
                async for chunk in _chunks(response, most):
                    yield chunk
        except (aiohttp.ClientError, TimeoutError, OSError, ValueError) as error:
            failure = explain(error)
        if failure is not None:
            raise failure

    def _clean(self, text: str) -> str:
        """Nothing keeps a server from telling us our own token."""
        return redact(text.replace(self.token, "<token>"))[:500]


def camel_case(method: str) -> str:
    first, *rest = method.split("_")
    return first + "".join(word.capitalize() for word in rest)


def write(params: Mapping[str, Any]) -> bytes:
    try:
        return wire.encode(params)
    except (ValueError, TypeError, RecursionError):
        raise Refused("The arguments cannot be written as JSON.") from None


async def _chunks(response: aiohttp.ClientResponse, most: int) -> AsyncIterator[bytes]:
    if response.status != 200:
        raise Refused(f"The file cannot be fetched ({response.status}).")
    size = 0
    async for chunk in response.content.iter_chunked(64 * 1024):
        size += len(chunk)
        if size > most:
            raise Refused(f"The file is larger than {most} bytes.")
        yield chunk


async def read_bounded(response: aiohttp.ClientResponse) -> bytes:
    chunks = bytearray()
    async for chunk in response.content.iter_chunked(64 * 1024):
        chunks += chunk
        if len(chunks) > MAX_ANSWER:
            raise Unknown(f"The answer was longer than {MAX_ANSWER // 1024 // 1024} MiB.")
    return bytes(chunks)


def explain(error: Exception) -> DeliveryError:
    """What an exception of the HTTP client means: before the request was out, surely not done; later, unknown."""
    if isinstance(error, aiohttp.InvalidURL):
        return answers.NotTheApi("TELEGRAM_API_URL, or the bot's token in it, makes no valid address.")
    if isinstance(error, aiohttp.ConnectionTimeoutError):
        return Later("No connection to the Bot API: timed out.")
    if isinstance(error, aiohttp.ClientConnectorCertificateError | aiohttp.ClientConnectorSSLError):
        return Later("No connection to the Bot API: TLS failed.")
    if isinstance(error, aiohttp.ClientConnectorError):
        return Later(f"No connection to the Bot API ({error.os_error.strerror or 'of no address'}).")
    if isinstance(error, TimeoutError):
        return Unknown("The Bot API did not answer in time.")
    return Unknown("The line to the Bot API was cut under the call.")
