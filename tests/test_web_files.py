"""Files: what is taken, who may have it, how it is handed out, and how it reaches bots, visitors and operators."""

import json
import struct
import zlib
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

import httpx
import pytest
from channels.routing import URLRouter
from channels.testing import HttpCommunicator
from django.contrib.auth.models import User
from django.urls import path
from django.utils import timezone
from hypothesis import given
from hypothesis import strategies as st

from gateway import limits
from gateway.models import Bot, Conversation
from gateway.web import file_links, file_types, files
from gateway.web.downloads import downloads
from gateway.web.models import File, WidgetOptions
from gateway.web.uploads import Uploads, most_bytes
from tests.communicator import application
from tests.conftest import StartGateway
from tests.web_sockets import ORIGIN, Client, Parrot, Web, web

__all__ = ["web"]

pytestmark = pytest.mark.django_db(transaction=True)

Answer = dict[str, Any]


def png(width: int = 3, height: int = 2) -> bytes:
    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
    pixels = chunk(b"IDAT", zlib.compress((b"\0" + b"\xff\0\0" * width) * height))
    return b"\x89PNG\r\n\x1a\n" + header + pixels + chunk(b"IEND", b"")


class Collector(Parrot):
    """Says what files it got and gives the last one back; `send` and a URL or an id sends that."""

    def webchat_message(self, event: dict[str, Any]) -> None:
        if event["text"].startswith("send "):
            self.send({"type": "chat.send_message", "files": [event["text"].removeprefix("send ")]})
        elif event.get("files"):
            names = ", ".join(file["name"] for file in event["files"])
            self.send({"type": "chat.send_message", "text": f"Got {names}", "files": event["files"][-1:]})
        else:
            super().webchat_message(event)


@pytest.fixture(autouse=True)
def uploads_on(settings: Any, tmp_path: Path) -> None:
    settings.UPLOADS = True
    settings.DATA_DIR = tmp_path


@pytest.fixture
async def open_web(web: Web) -> Web:
    application.application_mapping = {"webchat": Collector.as_asgi()}
    web.engine.route.cache_clear()
    bot, _ = await Bot.objects.aget_or_create(name="bot")
    await WidgetOptions.objects.acreate(bot=bot, uploads=True)
    return web


async def upload(
    token: str | None,
    content: bytes,
    name: str = "photo.png",
    *,
    bot: str = "bot",
    origin: str = ORIGIN,
    chunks: int = 1,
    announced: int | None = None,
) -> Answer:
    headers = [(b"origin", origin.encode()), (b"x-file-name", quote(name).encode())]
    if token is not None:
        headers.append((b"authorization", f"Bearer {token}".encode()))
    if announced is not None:
        headers.append((b"content-length", str(announced).encode()))
    wire = HttpCommunicator(Uploads.as_asgi(), "POST", f"/chat/files/?bot={bot}", headers=headers)
    size = len(content) // chunks + 1
    for start in range(0, max(len(content), 1), size):
        more = start + size < len(content)
        await wire.send_input({"type": "http.request", "body": content[start : start + size], "more_body": more})
    return await answered(wire)


async def answered(wire: HttpCommunicator) -> Answer:
    start = await wire.receive_output(10)
    body, more = b"", True
    while more:
        event = await wire.receive_output(10)
        body, more = body + event.get("body", b""), event.get("more_body", False)
    headers = {name.decode(): value.decode() for name, value in start["headers"]}
    told = json.loads(body) if headers.get("content-type") == "application/json" else {}
    return {"status": start["status"], "headers": headers, "body": body, **told}


async def fetch(url: str, method: str = "GET", **headers: str) -> Answer:
    parts = urlsplit(url)
    route = URLRouter([path("chat/files/<uuid:file>/", downloads)])
    sent = [(name.encode(), value.encode()) for name, value in headers.items()]
    wire = HttpCommunicator(route, method, f"{parts.path}?{parts.query}", headers=sent)
    await wire.send_input({"type": "http.request", "body": b""})
    return await answered(wire)


async def with_file(visitor: Client, file: Answer, text: str = "") -> dict[str, Any]:
    await visitor.send("message", id=file["id"], text=text, files=[file["id"]])
    return await visitor.expect("message", id=file["id"])


# A file's whole way


async def test_a_picture_reaches_the_bot_the_visitor_and_the_operator(open_web: Web) -> None:
    visitor = await open_web.visitor()
    offered = visitor.welcome["options"]["uploads"]
    assert "image/png" in offered["types"]
    brought = await upload(visitor.welcome["token"], png(), "../../Urlaub\u202egnp.exe")
    assert brought["status"] == 201
    said = await with_file(visitor, brought)
    assert said["text"] == ""
    [file] = said["files"]
    assert file["name"] == "_.._Urlaubgnp.exe.png"
    assert (file["type"], file["size"], file["width"], file["height"], file["image"]) == (
        "image/png", len(png()), 3, 2, True
    )  # fmt: skip
    given_back = await visitor.expect("message", sender="bot")
    assert given_back["text"] == f"Got {file['name']}"
    assert given_back["files"] == [file]
    got = await fetch(file["url"])
    assert (got["status"], got["body"]) == (200, png())
    ann = await User.objects.acreate_superuser("ann")
    operator = await open_web.operator(ann)
    await operator.send("watch", conversation=visitor.welcome["conversation"])
    assert (await operator.expect("message", seq=1))["files"] == [file]
    assert (await Conversation.objects.aget()).last == "Got _.._Urlaubgnp.exe.png"


async def test_history_and_a_later_tab_show_the_file(open_web: Web) -> None:
    visitor = await open_web.visitor()
    said = await with_file(visitor, await upload(visitor.welcome["token"], png()))
    await visitor.send("history", before=100)
    assert said in (await visitor.expect("history"))["messages"]
    later = await open_web.visitor(visitor.welcome["token"])
    assert (await later.expect("message", seq=1))["files"] == said["files"]


async def test_a_bot_sends_by_url_and_by_id(open_web: Web) -> None:
    visitor = await open_web.visitor()
    brought = await upload(visitor.welcome["token"], b"a,b\n1,2\n", "table.csv")
    await visitor.send("message", id="1", text=f"send {brought['id']}")
    [file] = (await visitor.expect("message", sender="bot"))["files"]
    assert (file["name"], file["type"], file["image"]) == ("table.csv", "text/plain", False)
    await visitor.send("message", id="2", text="send https://shop.example/a/cat.jpg?x=1")
    [file] = (await visitor.expect("message", sender="bot"))["files"]
    assert (file["url"], file["name"], file["image"]) == ("https://shop.example/a/cat.jpg?x=1", "cat.jpg", True)
    await visitor.send("message", id="3", text="send javascript:alert(1)")
    assert (await visitor.expect("message", sender="system"))["text"].startswith("Sorry")


# What is taken


@pytest.mark.parametrize("chunks", [1, 7])
async def test_a_file_that_is_too_large_is_cut_off_while_it_comes(open_web: Web, settings: Any, chunks: int) -> None:
    settings.UPLOAD_MAX_BYTES = 1000
    token = (await open_web.visitor()).welcome["token"]
    answer = await upload(token, png() + b"x" * 5000, chunks=chunks)
    assert (answer["status"], answer["code"]) == (413, "file_too_large")
    answer = await upload(token, png(), announced=5000)
    assert (answer["status"], answer["code"]) == (413, "file_too_large")
    assert not [place for place in files.folder().rglob("*") if place.is_file()]
    assert not await File.objects.aexists()


@pytest.mark.parametrize(
    "content",
    [
        b"<html><script>alert(1)</script>",
        b"<?xml version='1.0'?><svg xmlns='http://www.w3.org/2000/svg' onload='alert(1)'/>",
        b"  \n<SvG onload=alert(1)>",
        b"hello <script>alert(1)</script>",
        b"MZ\x90\x00\x03",
        b"\x7fELF\x02\x01",
        b"PK\x03\x04rest",
        b"\x00\x01\x02",
        b"caf\xe9 au lait",
    ],
)
async def test_what_might_run_is_not_taken_whatever_it_is_called(open_web: Web, content: bytes) -> None:
    token = (await open_web.visitor()).welcome["token"]
    answer = await upload(token, content, "photo.png")
    assert (answer["status"], answer["code"]) == (415, "file_type")
    assert not [place for place in files.folder().rglob("*") if place.is_file()]


async def test_who_may_bring_files(open_web: Web, settings: Any) -> None:
    token = (await open_web.visitor()).welcome["token"]
    for wrong, keys in [
        ((401, "bad_token"), {"token": None}),
        ((401, "bad_token"), {"token": "forged"}),
        ((403, "bad_origin"), {"token": token, "origin": "https://evil.example"}),
        ((404, "unknown_bot"), {"token": token, "bot": "no such"}),
        ((400, "bad_frame"), {"token": token, "content": b""}),
    ]:
        answer = await upload(**{"content": png(), **keys})  # type: ignore[arg-type]
        assert (answer["status"], answer["code"]) == wrong
    settings.UPLOADS = False
    assert (await upload(token, png()))["code"] == "uploads_off"
    settings.UPLOADS = True
    await WidgetOptions.objects.aupdate(uploads=False)
    assert (await upload(token, png()))["code"] == "uploads_off"


async def test_uploads_are_paced_and_bounded(open_web: Web, settings: Any) -> None:
    token = (await open_web.visitor()).welcome["token"]
    settings.RATE_LIMITS, settings.UPLOADS_PER_MINUTE = True, 2
    limits.current.cache_clear()
    try:
        answers = [await upload(token, png()) for _ in range(3)]
    finally:
        limits.current.cache_clear()
    assert [answer["status"] for answer in answers] == [201, 201, 429]
    assert int(answers[2]["headers"]["retry-after"]) > 0
    settings.RATE_LIMITS, settings.UPLOADS_MAX_BYTES = False, 10
    assert (await upload(token, png()))["code"] == "no_room"


async def test_a_message_names_only_ones_own_files(open_web: Web) -> None:
    visitor, thief = await open_web.visitor(), await open_web.visitor()
    brought = await upload(visitor.welcome["token"], png())
    for wrong in (brought["id"], "nonsense", "6f0c0000-0000-4000-8000-000000000000"):
        await thief.send("message", id="x", text="mine", files=[wrong])
        assert (await thief.expect("error", id="x"))["code"] == "bad_file"
    for wrong in ("text", [1], ["x" * 37], [brought["id"]] * 11):  # type: ignore[assignment]
        await thief.send("message", id="x", text="mine", files=wrong)
        assert (await thief.expect("error", id="x"))["code"] == "bad_frame"
    await visitor.send("message", id="y", text="  ", files=[])
    assert (await visitor.expect("error", id="y"))["code"] == "bad_frame"


# How it is handed out


async def test_only_a_valid_link_opens_a_file(open_web: Web, monkeypatch: pytest.MonkeyPatch) -> None:
    visitor = await open_web.visitor()
    url = (await upload(visitor.welcome["token"], png()))["url"]
    bare, query = url.split("?")
    other = bare.replace(bare[-10:-2], "00000000")
    broken = ["", "?until=99999999999&key=x", query.replace("key=", "key=0"), query.replace("until=", "until=9")]
    for wrong in [f"{bare}?{part}" for part in broken] + [f"{other}?{query}"]:
        assert (await fetch(wrong))["status"] == 403
    assert (await fetch(url, "POST"))["status"] == 405
    later = timezone.now().timestamp() + 9 * 24 * 3600
    monkeypatch.setattr(file_links.time, "time", lambda: later)
    assert (await fetch(url))["status"] == 403


async def test_nothing_that_is_handed_out_can_run(open_web: Web) -> None:
    token = (await open_web.visitor()).welcome["token"]
    picture = await fetch((await upload(token, png()))["url"])
    text = await fetch((await upload(token, b"plain", 'a"b\n.txt'))["url"])
    for answer in (picture, text):
        assert answer["headers"]["x-content-type-options"] == "nosniff"
        assert "sandbox" in answer["headers"]["content-security-policy"]
    assert picture["headers"]["content-disposition"].startswith("inline;")
    assert text["headers"]["content-disposition"] == "attachment; filename*=UTF-8''a_b.txt"


@pytest.mark.parametrize(
    ("asked", "status", "part"),
    [
        ("bytes=0-3", 206, b"0123"), ("bytes=7-", 206, b"789"), ("bytes=-2", 206, b"89"),
        ("bytes=5-500", 206, b"56789"),
        ("bytes=20-", 200, b"0123456789"), ("bytes=4-2", 200, b"0123456789"), ("bytes=-", 200, b"0123456789"),
        ("lines=1-2", 200, b"0123456789"), ("bytes=0-1,3-4", 200, b"0123456789"), ("bytes=-0", 200, b"0123456789"),
    ],
)  # fmt: skip
async def test_players_get_the_part_that_they_ask_for(open_web: Web, asked: str, status: int, part: bytes) -> None:
    token = (await open_web.visitor()).welcome["token"]
    url = (await upload(token, b"0123456789", "digits.txt"))["url"]
    answer = await fetch(url, range=asked)
    assert (answer["status"], answer["body"]) == (status, part)
    assert (await fetch(url, "HEAD"))["body"] == b""


# Its end


async def test_what_is_never_said_is_forgotten_and_the_rest_goes_with_its_conversation(open_web: Web) -> None:
    visitor = await open_web.visitor()
    token = visitor.welcome["token"]
    unused, used = await upload(token, png()), await upload(token, png())
    await with_file(visitor, used)
    await File.objects.aupdate(at=timezone.now() - timezone.timedelta(hours=25))
    assert await open_web.engine.read(files.forget_unused) == 1
    assert (await fetch(unused["url"]))["status"] == 404
    assert (await fetch(used["url"]))["status"] == 200
    await Conversation.objects.all().adelete()
    assert (await fetch(used["url"]))["status"] == 404
    assert not [place for place in files.folder().rglob("*") if place.is_file()]


# What a file is


@pytest.mark.parametrize(
    ("content", "kind", "pixels"),
    [
        (png(300, 200), "image/png", (300, 200)),
        (b"GIF89a" + struct.pack("<HH", 5, 6), "image/gif", (5, 6)),
        (b"\xff\xd8\xff\xe0\0\x04ab\xff\xc0\0\x11\x08" + struct.pack(">HH", 20, 10) + b"\3", "image/jpeg", (10, 20)),
        (b"RIFF\0\0\0\0WEBPVP8X\x0a\0\0\0\0\0\0\0\x09\0\0\x13\0\0", "image/webp", (10, 20)),
        (b"RIFF\0\0\0\0WEBPVP8 \0\0\0\0\0\0\0\x9d\x01\x2a\x0a\0\x14\0", "image/webp", (10, 20)),
        (b"RIFF\0\0\0\0WEBPVP8L\0\0\0\0\x2f" + (9 | 19 << 14).to_bytes(4, "little"), "image/webp", (10, 20)),
        (png()[:16] + struct.pack(">II", 50_000, 50_000), "image/png", None),
        (b"\x89PNG\r\n\x1a\n", "image/png", None),
        (b"%PDF-1.7", "application/pdf", None),
        (b"\0\0\0\x20ftypM4A ", "audio/mp4", None),
        (b"\0\0\0\x20ftypisom", "video/mp4", None),
        ("안녕하세요".encode(), "text/plain", None),
    ],
)  # fmt: skip
def test_a_file_is_what_its_bytes_say(content: bytes, kind: str, pixels: tuple[int, int] | None) -> None:
    assert file_types.type_of(content) == kind
    assert file_types.pixels_of(content, kind) == pixels


@given(st.binary(max_size=200), st.sampled_from(sorted(file_types.MEASURES)))
def test_any_bytes_have_a_type_and_no_traceback(content: bytes, kind: str) -> None:
    assert file_types.type_of(content) in {*file_types.EXTENSIONS, file_types.UNKNOWN}
    magic = next(magic for magic, name in [*file_types.MAGIC, (b"RIFF\0\0\0\0WEBP", "image/webp")] if name == kind)
    file_types.pixels_of(magic + content, kind)


@given(st.text(max_size=300))
def test_any_name_becomes_a_safe_one(name: str) -> None:
    safe = file_types.safe_name(name, "text/plain")
    assert safe
    assert len(safe) <= file_types.NAME_CHARACTERS + 4
    assert not file_types.INVISIBLE.search(safe)
    assert not file_types.FORBIDDEN.search(safe)
    assert safe.lower().endswith(file_types.EXTENSIONS["text/plain"])
    assert safe not in (".", "..")


def test_only_who_shows_a_token_may_send_much(settings: Any) -> None:
    assert most_bytes(b"") == most_bytes(b"Bearer forged") == 0


# Real HTTP


def test_over_real_http(start_gateway: StartGateway, server: str) -> None:
    gateway = start_gateway({"UPLOADS": "on", "UPLOAD_MAX_BYTES": "3000000"}, server=server)
    gateway.manage("shell", "-c", ALLOW)
    with httpx.Client(base_url=gateway.url, timeout=30, headers={"Origin": gateway.url}) as client:
        token = client.post("/chat/poll/", json={"hello": {}}).json()["frames"][0]["token"]
        headers = {"Authorization": f"Bearer {token}", "X-File-Name": "photo.png"}
        large = png() + b"\0" * 2_500_000
        answer = client.post("/chat/files/?bot=bot", content=large, headers=headers)
        assert answer.status_code == 201, answer.text
        got = client.get(answer.json()["url"])
        assert got.content == large
        assert got.headers["content-disposition"].startswith("inline")
        chunked = client.post("/chat/files/?bot=bot", content=iter([large, large]), headers=headers)
        assert (chunked.status_code, chunked.json()["code"]) == (413, "file_too_large")


ALLOW = (
    "from gateway.models import Bot; from gateway.web.models import WidgetOptions; "
    "WidgetOptions.objects.create(bot=Bot.objects.get_or_create(name='bot')[0], uploads=True)"
)
