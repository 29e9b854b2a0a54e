"""The bot that fetches pages: what it tells, and what it refuses to touch."""

import asyncio
import gzip
import time
from collections.abc import AsyncIterator, Callable
from typing import Any

import httpx
import pytest
import pytest_asyncio
from aiohttp import web

from bots import fetching, pages, public_addresses
from bots.fetching import Page, fetch, find_title, open_client
from bots.pages import PagesConsumer, find_urls
from bots.public_addresses import is_public
from gateway.testing import Chat, protocols
from tests.communicator import until

everywhere = pytest.mark.parametrize("protocol", protocols())
Handler = Callable[[web.Request], Any]


class Site:
    """A server on this machine. `seen`: the paths that were asked for; `now`: how many are being answered."""

    def __init__(self) -> None:
        self.seen: list[str] = []
        self.now = 0
        self.gate = asyncio.Event()
        self.url = ""

    async def answer(self, request: web.Request) -> web.StreamResponse:
        self.seen.append(request.path)
        self.now += 1
        try:
            handler: Handler = getattr(self, request.path.split("/")[1])
            response: web.StreamResponse = await handler(request)
            return response
        finally:
            self.now -= 1

    async def page(self, request: web.Request) -> web.Response:
        return web.Response(text=f"<html><title>Page {request.path.split('/')[-1]}</title>", content_type="text/html")

    async def gated(self, request: web.Request) -> web.Response:
        await self.gate.wait()
        return await self.page(request)

    async def later(self, request: web.Request) -> web.Response:
        await asyncio.sleep(int(request.path.split("/")[-1]) / 50)
        return await self.page(request)

    async def missing(self, request: web.Request) -> web.Response:
        return web.Response(status=404, text="<title>Nothing</title>")

    async def hop(self, request: web.Request) -> web.Response:
        left = int(request.path.split("/")[-1])
        raise web.HTTPFound(f"/hop/{left - 1}" if left else "/page/end")

    async def away(self, request: web.Request) -> web.Response:
        raise web.HTTPFound(request.query["to"])

    async def endless(self, request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        await response.write(b"<title>Endless</title>")
        while True:
            await response.write(b"x" * 65536)

    async def hang(self, request: web.Request) -> web.StreamResponse:
        await asyncio.sleep(60)
        raise AssertionError("nobody waits so long")

    async def packed(self, request: web.Request) -> web.Response:
        body = gzip.compress(b"<title>Bomb</title>" + bytes(10_000_000))
        return web.Response(body=body, headers={"Content-Encoding": "gzip"})


@pytest_asyncio.fixture
async def site() -> AsyncIterator[Site]:
    found = Site()
    runner = web.AppRunner(application(found), shutdown_timeout=0.1)
    await runner.setup()
    place = web.TCPSite(runner, "127.0.0.1", 0)
    await place.start()
    found.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    yield found
    await runner.cleanup()


def application(site: Site) -> web.Application:
    made = web.Application()
    made.router.add_get("/{path:.*}", site.answer)
    return made


@pytest.fixture
def private_allowed(settings: Any) -> None:
    settings.PAGES_ALLOW_PRIVATE = True


@pytest.fixture(autouse=True)
def private_refused(settings: Any) -> None:
    settings.PAGES_ALLOW_PRIVATE = False


async def fetched(url: str) -> Page:
    async with open_client() as client:
        return await fetch(client, url)


# One page


@pytest.mark.usefixtures("private_allowed")
async def test_titles_failures_and_redirects(site: Site) -> None:
    page = await fetched(f"{site.url}/page/1")
    assert (page.title, page.failure) == ("Page 1", "")
    assert 0 < page.seconds < 10
    assert (await fetched(f"{site.url}/missing/")).failure == "404 Not Found"
    assert (await fetched(f"{site.url}/hop/4")).title == "Page end"
    assert (await fetched(f"{site.url}/hop/5")).failure == "more than 5 redirects"
    assert (await fetched(f"{site.url}/away/?to=file:///etc/passwd")).failure == "not http or https"
    assert (await fetched("http://127.0.0.1:1/")).failure == "cannot be reached"
    assert (await fetched("http://nowhere.invalid/")).failure == "cannot be reached"
    assert (await fetched(f"http://{'x' * 70}.example/")).failure
    assert (await fetched("http://[::1/")).failure == "no valid address"


@pytest.mark.usefixtures("private_allowed")
async def test_bytes_and_time_are_bounded(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fetching, "SECONDS", 1.0)
    assert (await fetched(f"{site.url}/endless/")).title == "Endless"
    assert (await fetched(f"{site.url}/packed/")).title == ""
    assert (await fetched(f"{site.url}/hang/")).failure == "no answer in time"


@pytest.mark.parametrize(
    ("body", "charset", "title"),
    [
        (b"<TITLE lang=en>\n A  &amp; B </TITLE>", None, "A & B"),
        ("<title>Größe</title>".encode("latin-1"), "latin-1", "Größe"),
        ('<meta charset="euc-kr"><title>안녕</title>'.encode("euc-kr"), None, "안녕"),
        (b"<title>x</title>", "no-such-charset", "x"),
        (b"<title>x</title>", "zlib", "x"),
        (b"<title>a\xe2\x80\xaeb\x00c</title>", None, "a b c"),
        (b"<title>" + b"x" * 80, None, "x" * 49 + "…"),
        (b"<titles>no</titles>", None, ""),
        (b"<title" * 43_000, None, ""),
        (b"", None, ""),
    ],
)
def test_a_pages_title(body: bytes, charset: str | None, title: str) -> None:
    assert find_title(body, charset) == title


# What it refuses


INSIDE = """
    127.0.0.1 10.0.0.1 172.16.0.1 192.168.1.1 169.254.169.254 100.64.0.1 0.0.0.0 224.0.0.1 239.1.1.1 240.0.0.1
    255.255.255.255 ::1 :: fe80::1 fe80::1%eth0 fc00::1 fec0::1 ff02::1 ::ffff:127.0.0.1 ::127.0.0.1 2002:7f00:1::
    64:ff9b::7f00:1 64:ff9b::a00:1 2001:db8::1
"""


@pytest.mark.parametrize("address", INSIDE.split())
def test_addresses_that_are_not_public(address: str) -> None:
    assert not is_public(address)


@pytest.mark.parametrize("address", ["8.8.8.8", "2606:4700::1", "::ffff:8.8.8.8", "64:ff9b::808:808", "2002:808:808::"])
def test_addresses_that_are_public(address: str) -> None:
    assert is_public(address)


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "2130706433", "0x7f.1", "[::1]", "[::ffff:127.0.0.1]"])
async def test_this_machine_is_not_asked_under_any_name(site: Site, host: str) -> None:
    page = await fetched(f"{site.url.replace('127.0.0.1', host)}/page/1")
    assert page.failure in ("refused: not a public address", "cannot be reached")
    assert site.seen == []


async def test_a_name_that_leads_inside_is_refused(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(public_addresses, "_look_up", lambda host, port: ["8.8.8.8", "127.0.0.1"])
    page = await fetched(f"{site.url.replace('127.0.0.1', 'example.com')}/page/1")
    assert page.failure == "refused: not a public address"
    assert site.seen == []


async def test_a_redirect_that_leads_inside_is_refused(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    port = site.url.rpartition(":")[2]
    # The first site counts as public here, the second does not.
    monkeypatch.setattr(public_addresses, "is_public", lambda address: address == "127.0.0.1")
    monkeypatch.setattr(
        public_addresses, "_look_up", lambda host, port: ["127.0.0.1"] if host == "out.example" else ["127.0.0.2"]
    )
    page = await fetched(f"http://out.example:{port}/away/?to=http://in.example:{port}/page/1")
    assert page.failure == "refused: not a public address"
    assert site.seen == ["/away/"]


async def test_what_is_connected_to_is_what_was_checked(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """A name that resolves differently at the second look gains nothing: there is none."""
    looks: list[str] = []

    def rebind(host: str, port: int) -> list[str]:
        looks.append(host)
        return ["127.0.0.1"]

    monkeypatch.setattr(public_addresses, "is_public", lambda address: True)
    monkeypatch.setattr(public_addresses, "_look_up", rebind)
    port = site.url.rpartition(":")[2]
    assert (await fetched(f"http://rebind.example:{port}/page/1")).title == "Page 1"
    assert looks == ["rebind.example"]


def test_the_name_stays_in_the_request_and_in_tls() -> None:
    request = httpx.Request("GET", "https://example.com:444/x?y=1")
    pinned = public_addresses.at_address(request, "example.com", "2606:4700::1")
    assert str(pinned.url) == "https://[2606:4700::1]:444/x?y=1"
    assert pinned.headers["Host"] == "example.com:444"
    assert pinned.extensions["sni_hostname"] == "example.com"


# The bot


def test_addresses_in_a_message() -> None:
    text = "see HTTPS://a.example/x, (http://b.example/y(z)) http://b.example/ ftp://c.example http://a@d.example/ a.b"
    assert find_urls(text) == ["HTTPS://a.example/x", "http://b.example/y(z))", "http://b.example/"]
    assert find_urls("(http://a.example/)") == ["http://a.example/"]
    assert find_urls("http://a.example http://a.example") == ["http://a.example"]
    assert find_urls("http:// https://") == []


@everywhere
@pytest.mark.django_db(transaction=True)
@pytest.mark.usefixtures("private_allowed")
async def test_twenty_pages_at_once_and_one_message(site: Site, protocol: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pages, "EDIT_SECONDS", 0.05)
    urls = [f"{site.url}/{'gated' if n else 'page'}/{n}" for n in range(19)] + [f"{site.url}/missing/"]
    async with Chat(PagesConsumer.as_asgi(), protocol=protocol) as ada:
        await ada.says(" ".join(urls))
        assert await ada.hears() == "Fetching 20 pages…"
        assert (await ada.sees("2 of 20 pages…")).count("\n") == 3
        await until(lambda: site.now == 18, "18 requests at once", lambda: site.now)
        site.gate.set()
        report = await ada.sees("20 pages in ")
        lines = report.splitlines()
        assert lines[0].endswith(", 1 failed")
        assert lines[2].startswith(f"✓ Page 0 ({urls[0]}), 0.")
        assert [line.split()[2] for line in lines[2:21]] == [str(n) for n in range(19)]
        assert lines[21] == f"✗ {urls[19]}: 404 Not Found"
        await ada.hears_nothing()
        assert await ada.errors() == []


@pytest.mark.django_db(transaction=True)
@pytest.mark.usefixtures("private_allowed")
async def test_edits_are_not_more_than_one_each_second(site: Site) -> None:
    async with Chat(PagesConsumer.as_asgi()) as ada:
        began = time.monotonic()
        await ada.says(" ".join(f"{site.url}/later/{n}" for n in range(20)))
        await ada.sees("20 pages in ")
        # One at each full second, and the last one.
        assert len(await edits(ada)) <= 1 + (time.monotonic() - began) // pages.EDIT_SECONDS


async def edits(chat: Chat) -> list[str]:
    row = await chat.conversation()
    return [message.text async for message in row.messages.filter(kind="edit")]


@pytest.mark.django_db(transaction=True)
async def test_what_it_cannot_do_it_says(site: Site) -> None:
    async with Chat(PagesConsumer.as_asgi()) as ada:
        await ada.says("hello")
        assert await ada.hears() == pages.HELP
        await ada.says(" ".join(f"{site.url}/page/{n}" for n in range(25)))
        assert await ada.hears() == "Fetching 20 pages (the first 20 of 25)…"
        report = await ada.sees("20 pages in ")
        assert report.count("refused: not a public address") == 20
        assert site.seen == []


def test_a_full_report_fits_in_one_message() -> None:
    page = Page("https://" + "x" * 500, 9.99, find_title(b"<title>" + "😀".encode() * 200, None))
    text = pages.report(pages.summary([page] * 20, 10.0), [page] * 20)
    assert len(text.encode("utf-16-le")) // 2 <= 4096


@pytest.mark.django_db(transaction=True)
@pytest.mark.usefixtures("private_allowed")
async def test_killed_while_it_fetches_it_reports_once(site: Site) -> None:
    async with Chat(PagesConsumer.as_asgi()) as ada:
        await ada.says(f"{site.url}/gated/1")
        assert await ada.hears() == "Fetching 1 page…"
        await ada.restart(killed=True)
        site.gate.set()
        assert "Page 1" in await ada.sees("1 page in ")
        await ada.hears_nothing()
