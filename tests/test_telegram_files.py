"""Telegram's files at the console and in the widget: proxied, never by a link that holds the token."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from aiohttp import web as http
from channels.routing import URLRouter
from channels.testing import HttpCommunicator
from django.urls import path

from gateway.errors import DeliveryError, Refused
from gateway.telegram import media
from gateway.telegram.client import Client, Session
from gateway.telegram.updates import parse
from gateway.web import files, remote_files
from gateway.web.remote_files import make_room
from tests.test_web_files import answered, png

TOKEN = "123456:AAaabbccddeeffgghhiijjkkllmmnnoopp12"
PHOTO = [{"file_id": "small", "width": 1, "height": 1}, {"file_id": "large", "width": 3, "height": 2, "file_size": 75}]


class Api:
    """Two methods of the Bot API, over real HTTP."""

    def __init__(self) -> None:
        self.content = png()
        self.asked: list[str] = []

    async def get_file(self, request: http.Request) -> http.Response:
        file_id = (await request.json())["file_id"]
        if file_id == "gone":
            return http.json_response({"ok": False, "error_code": 400, "description": "wrong file_id"}, status=400)
        return http.json_response({"ok": True, "result": {"file_id": file_id, "file_path": f"photos/{file_id}.jpg"}})

    async def file(self, request: http.Request) -> http.Response:
        self.asked.append(request.path)
        return http.Response(body=self.content) if "broken" not in request.path else http.Response(status=404)


@pytest.fixture
async def api() -> AsyncIterator[tuple[Api, Client]]:
    served, app = Api(), http.Application()
    app.router.add_post(f"/bot{TOKEN}/getFile", served.get_file)
    app.router.add_get(f"/file/bot{TOKEN}/{{path:.*}}", served.file)
    runner = http.AppRunner(app)
    await runner.setup()
    site = http.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    port = runner.addresses[0][1]
    async with Session() as session:
        yield served, Client(f"http://127.0.0.1:{port}", TOKEN, session)
    await runner.cleanup()


class Running:
    """An engine with one protocol, as far as files go."""

    def __init__(self, client: Client) -> None:
        self.protocols = {"telegram": self}
        self._client = client

    async def fetch_file(self, bot: str, file_id: str) -> AsyncIterator[bytes]:
        async for chunk in self._client.download(file_id, media.LARGEST):
            yield chunk


async def fetch(url: str) -> dict[str, Any]:
    parts = urlsplit(url)
    address = "chat/files/remote/<str:protocol>/<str:bot>/<str:file>/"
    route = URLRouter([path(address, remote_files.remote_files)])
    wire = HttpCommunicator(route, "GET", f"{parts.path}?{parts.query}")
    await wire.send_input({"type": "http.request", "body": b""})
    return await answered(wire)


def test_what_a_message_brings() -> None:
    message = {
        "message_id": 5, "date": 1, "chat": {"id": 1, "type": "private"}, "from": {"id": 1, "first_name": "A"},
        "photo": PHOTO, "caption": "Look",
    }  # fmt: skip
    inbound = parse("bot", {"update_id": 1, "message": message})
    assert inbound.text == "Look"
    assert inbound.rich == {"files": [{
        "remote": ["telegram", "bot", "large"], "name": "photo.jpg", "type": "image/jpeg", "size": 75, "width": 3,
        "height": 2, "image": True,
    }]}  # fmt: skip


@pytest.mark.parametrize(
    "content", [{"photo": []}, {"photo": "x"}, {"document": {}}, {"voice": {"file_id": 5}}, {"sticker": [1]}, {}]
)
def test_what_is_no_file_brings_none(content: dict[str, Any]) -> None:
    assert media.files_of(content, "bot") == []


async def test_a_picture_is_fetched_once_and_handed_out(
    api: tuple[Api, Client], settings: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    served, client = api
    settings.DATA_DIR = tmp_path
    monkeypatch.setattr(remote_files.engine, "current", lambda: Running(client))
    [facts] = media.files_of({"photo": PHOTO}, "bot")
    shown = files.shown(facts)
    assert TOKEN not in str(shown)
    assert "remote" not in shown
    for _ in range(2):
        got = await fetch(shown["url"])
        assert (got["status"], got["body"]) == (200, png())
        assert got["headers"]["content-type"] == "image/png"
        assert TOKEN not in str(got["headers"])
    assert len(served.asked) == 1
    assert (await fetch(shown["url"].replace("large", "other")))["status"] == 403
    assert (await fetch(shown["url"].replace("photo.jpg", "evil.html")))["status"] == 403
    served.content = b"<html><script>alert(1)</script>"
    page = await fetch(files.shown({**facts, "remote": ["telegram", "bot", "page"]})["url"])
    assert page["headers"]["content-type"] == "application/octet-stream"
    assert page["headers"]["content-disposition"].startswith("attachment")
    for wrong in ("gone", "broken"):
        assert (await fetch(files.shown({**facts, "remote": ["telegram", "bot", wrong]})["url"]))["status"] == 502


async def test_a_file_that_is_too_large_is_given_up(api: tuple[Api, Client]) -> None:
    served, client = api
    served.content = b"x" * 200_000
    with pytest.raises(Refused):
        [chunk async for chunk in client.download("large", 100_000)]


async def test_no_error_tells_the_token() -> None:
    async with Session() as session:
        client = Client("http://127.0.0.1:9", TOKEN, session)
        with pytest.raises(DeliveryError) as caught:
            [chunk async for chunk in client.download("large", 100)]
    assert TOKEN not in repr(caught.value)
    assert caught.value.__context__ is None


def test_what_was_looked_at_last_stays(tmp_path: Path) -> None:
    import os

    for number in range(5):
        place = tmp_path / str(number)
        place.write_bytes(b"x" * 100)
        os.utime(place, (number, number))
    make_room(tmp_path, 250)
    assert sorted(place.name for place in tmp_path.iterdir()) == ["3", "4"]
