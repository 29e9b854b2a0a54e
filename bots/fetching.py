"""One page from the internet: its title, how long it took, or why it failed. Bounded in time, bytes and hops."""

import asyncio
import html
import re
import time
import unicodedata
from dataclasses import dataclass
from weakref import WeakKeyDictionary

import httpx

from bots.public_addresses import NotPublic, PublicOnly

SECONDS = 10.0
CONNECT_SECONDS = 3.0
LARGEST_BODY = 256 * 1024
MOST_REDIRECTS = 5
MOST_AT_ONCE = 100
LONGEST_TITLE = 50
# Not compressed: a small answer that unpacks into gigabytes would pass a bound on what came in.
HEADERS = {"User-Agent": "Switchboard pages bot", "Accept-Encoding": "identity", "Connection": "close"}
# Bounded in every repetition: the page is a stranger's.
TITLE = re.compile(rb"<title(?:\s[^>]{0,200})?>([^<]{0,1000})", re.IGNORECASE)
CHARSET = re.compile(rb"charset\s{0,9}=\s{0,9}[\"']?([A-Za-z0-9_-]{1,40})", re.IGNORECASE)
HEAD_BYTES = 2048

_places: "WeakKeyDictionary[asyncio.AbstractEventLoop, asyncio.Semaphore]" = WeakKeyDictionary()


@dataclass(frozen=True, slots=True)
class Page:
    """`failure` is empty where the page came; `seconds` is from the first byte sent to the last one read."""

    url: str
    seconds: float
    title: str = ""
    failure: str = ""


def open_client() -> httpx.AsyncClient:
    """Follows no redirect by itself: it would read the whole of each answer on the way."""
    timeout = httpx.Timeout(SECONDS, connect=CONNECT_SECONDS)
    return httpx.AsyncClient(transport=PublicOnly(), headers=HEADERS, timeout=timeout, trust_env=False)


async def fetch(client: httpx.AsyncClient, url: str) -> Page:
    """Never raises for what a page or its server does."""
    async with _place():
        began = time.perf_counter()
        title = failure = ""
        try:
            async with asyncio.timeout(SECONDS):
                title, failure = await _get(client, url)
        except (TimeoutError, httpx.TimeoutException):
            failure = "no answer in time"
        except (httpx.RequestError, httpx.InvalidURL) as error:
            failure = _reason(error)
        return Page(url, time.perf_counter() - began, title, failure)


def _place() -> asyncio.Semaphore:
    """Sockets are the whole process's: whoever asks for more than there are waits."""
    return _places.setdefault(asyncio.get_running_loop(), asyncio.Semaphore(MOST_AT_ONCE))


async def _get(client: httpx.AsyncClient, url: str) -> tuple[str, str]:
    """The title, and the failure if it is one."""
    request = client.build_request("GET", url)
    for _ in range(MOST_REDIRECTS + 1):
        response = await client.send(request, stream=True)
        try:
            if response.next_request is None:
                failure = f"{response.status_code} {response.reason_phrase}".strip() if response.is_error else ""
                return find_title(await _read(response), response.charset_encoding), failure
            request = response.next_request
        finally:
            await response.aclose()
    return "", f"more than {MOST_REDIRECTS} redirects"


async def _read(response: httpx.Response) -> bytes:
    """The beginning of the body, as it came; nothing where it came compressed all the same."""
    body = bytearray()
    if response.headers.get("content-encoding", "identity") != "identity":
        return b""
    async for chunk in response.aiter_raw():
        body += chunk
        if len(body) >= LARGEST_BODY:
            break
    return bytes(body[:LARGEST_BODY])


def find_title(body: bytes, charset: str | None) -> str:
    """What stands in the page's title, on one line and not too long; "" where there is none."""
    found = TITLE.search(body)
    if found is None:
        return ""
    said = CHARSET.search(body[:HEAD_BYTES])
    text = html.unescape(_decode(found[1], charset or (said[1].decode("ascii") if said else "utf-8")))
    # Control and direction characters would let a title write over the lines beside it.
    shown = "".join(c if unicodedata.category(c)[0] != "C" else " " for c in text)
    return shorten(" ".join(shown.split()), LONGEST_TITLE)


def _decode(raw: bytes, charset: str) -> str:
    try:
        return raw.decode(charset, "replace")
    except (LookupError, ValueError):
        return raw.decode("utf-8", "replace")


def _reason(error: Exception) -> str:
    if isinstance(error, NotPublic):
        return "refused: not a public address"
    names = {
        httpx.InvalidURL: "no valid address",
        httpx.UnsupportedProtocol: "not http or https",
        httpx.ConnectError: "cannot be reached",
        httpx.ReadError: "the connection broke",
        httpx.ProtocolError: "does not speak HTTP",
    }
    return next((text for kind, text in names.items() if isinstance(error, kind)), "failed")


def shorten(text: str, limit: int) -> str:
    return text if len(text) <= limit else f"{text[: limit - 1]}…"
