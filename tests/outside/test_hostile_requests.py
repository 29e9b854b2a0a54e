"""Whatever is thrown at the long poll and at the uploads is answered in JSON, shows nobody else's words, leaves nothing
behind, and the good request after it is served. Real sockets, byte by byte."""

import contextlib
import json
import random
import socket
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import StartGateway
from tests.gateway_process import GatewayProcess, Server
from tests.outside.clients import Visitor
from tests.test_web_files import ALLOW, png
from tests.usage import memory

pytestmark = pytest.mark.timeout(240)
MIB = 1024 * 1024
MOST_BYTES = 2 * MIB
CANARY = "a word that is nobody else's"
DEEP = 10_000
NOTHING = 0  # The line was cut without an answer, which is what a body gets that never comes whole.


@dataclass
class Answer:
    status: int
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


def ask(
    gateway: GatewayProcess, path: str, body: bytes, *lines: str, method: str = "POST", length: str | None = None
) -> Answer:
    """`length`: another Content-Length than that of the body; "" for none."""
    said = str(len(body)) if length is None else length
    head = [f"{method} {path} HTTP/1.1", f"Host: 127.0.0.1:{gateway.port}", f"Origin: {gateway.url}", *lines]
    head += [f"Content-Length: {said}"] if said else []
    raw = "\r\n".join([*head, "Connection: close", "", ""]).encode("latin-1") + body
    with socket.create_connection(("127.0.0.1", gateway.port), timeout=30) as line:
        with contextlib.suppress(OSError):
            line.sendall(raw)
            if length is not None:
                line.shutdown(socket.SHUT_WR)
        return answer_of(line)


def answer_of(line: socket.socket) -> Answer:
    found = b""
    with contextlib.suppress(OSError):
        while more := line.recv(65_536):
            found += more
    if not found:
        return Answer(NOTHING, b"")
    head, _, body = found.partition(b"\r\n\r\n")
    return Answer(int(head.split()[1]), body)


def in_chunks(body: bytes, size: int = 65_536) -> bytes:
    parts = [body[at : at + size] for at in range(0, len(body), size)]
    return b"".join(b"%x\r\n%b\r\n" % (len(part), part) for part in parts) + b"0\r\n\r\n"


@contextlib.contextmanager
def unharmed(gateway: GatewayProcess) -> Iterator[Visitor]:
    """Somebody who talks before and after, whose words nobody else hears; and nothing went wrong inside."""
    with Visitor(gateway) as calm:
        calm.send("message", id="before", text=CANARY)
        calm.expect("message", text=f"You said: {CANARY}")
        yield calm
        calm.send("message", id="after", text="after")
        calm.expect("message", text="You said: after")
    assert gateway.running
    assert "Traceback" not in gateway.log_text()
    assert CANARY not in gateway.log_text()


# The long poll


def poll(gateway: GatewayProcess, asked: Any, *lines: str) -> Answer:
    body = asked if isinstance(asked, bytes) else json.dumps(asked).encode()
    return ask(gateway, "/chat/poll/", body, "Content-Type: application/json", *lines)


ANYTHING: list[Any] = [
    None,
    True,
    -1,
    0,
    2**63,
    2**70,
    1.5,
    1e300,
    "",
    "x",
    "\0",
    "\ud800",
    "x" * 70_000,
    [],
    [1],
    {},
    {"a": {}},
]


def odd_bodies() -> list[bytes]:
    """No request, or one whose parts are of a wrong kind."""
    raw = [
        b"", b" ", b"null", b"7", b'"x"', b"[]", b"{", b"}", b"\x00", b"\xff\xfe", b"\xef\xbb\xbf{}", b"{}", b"NaN",
        b'{"hello":}', b"{'hello':{}}", b"hello=1", b"<xml/>", b'{"hello":{}}{"hello":{}}', b'{"hello":{},"hello":7}',
        b'{"hello":{},"wait":Infinity}', b'{"hello":{},"wait":1e999}', b'{"hello":{},"wait":' + b"9" * 5_000 + b"}",
        b"[" * DEEP, b"[" * DEEP + b"]" * DEEP, b'{"a":' * DEEP, b'{"hello":' * DEEP + b"1" + b"}" * DEEP,
        b'{"hello":{"x":' + b"[" * DEEP + b"]" * DEEP + b"}}",
        b'{"hello":{},"frames":[' + b"[" * DEEP + b"]" * DEEP + b"]}",
        b'{"hello":{},"frames":[' + b'{"type":' * DEEP + b"1" + b"}" * DEEP + b"]}",
        b'{"hello":{},"frames":[' + b"1," * 30_000 + b"1]}", b"1" * 200_000,
        b'{"hello":{"since":' + b"9" * 5_000 + b"}}",
    ]  # fmt: skip
    keyed = [
        {"hello": {}, key: value} for key in ("hello", "frames", "wait", "room", "unheard_of") for value in ANYTHING
    ]
    hellos = [
        {"hello": {key: value}} for key in ("token", "since", "bot", "recent", "type", "identity") for value in ANYTHING
    ]
    return [*raw, *(json.dumps(body).encode() for body in (*keyed, *hellos))]


def odd_frames() -> list[Any]:
    types = (
        "message",
        "button",
        "typing",
        "history",
        "rename",
        "rating",
        "hello",
        "watch",
        "take",
        "say",
        "seen",
        "form",
    )
    filled = [
        {"type": kind, key: value} for kind in types for key in ("id", "text", "data", "before") for value in ANYTHING
    ]
    return [*ANYTHING, *filled]


def spoilt(good: bytes, count: int = 60) -> list[bytes]:
    """With bytes changed at random; the same ones in every run."""
    chance = random.Random(2026)
    bodies = []
    for _ in range(count):
        body = bytearray(good)
        for _ in range(3):
            body[chance.randrange(len(body))] = chance.randrange(256)
        bodies.append(bytes(body))
    return bodies


@pytest.fixture
def gateway(start_gateway: StartGateway, server: Server) -> GatewayProcess:
    gateway = start_gateway({"UPLOADS": "on", "UPLOAD_MAX_BYTES": str(MOST_BYTES)}, server=server)
    gateway.manage("shell", "-c", ALLOW)
    return gateway


def test_odd_polls_are_answered_in_words(gateway: GatewayProcess) -> None:
    good = json.dumps(
        {"hello": {"since": 0}, "frames": [{"type": "message", "id": "1", "text": "x"}], "wait": 0}
    ).encode()
    bodies = [*odd_bodies(), *spoilt(good)]
    assert len(bodies) >= 200
    with unharmed(gateway), ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(lambda body: poll(gateway, body), bodies))
        assert not [body[:99] for body, got in zip(bodies, answers, strict=True) if got.status not in {200, 400, 413}]
        assert all(isinstance(got.json, dict) for got in answers)
        assert not [got for got in answers if CANARY.encode() in got.body]
        assert poll(gateway, good).json["frames"][0]["type"] == "welcome"


def test_odd_frames_in_a_poll_are_answered_as_on_the_socket(gateway: GatewayProcess) -> None:
    told = odd_frames()
    groups = [told[at : at + 24] for at in range(0, len(told), 24)]
    with unharmed(gateway), ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(lambda frames: poll(gateway, {"hello": {}, "frames": frames}), groups))
        assert {got.status for got in answers} <= {200, 413}
        assert not [got for got in answers if CANARY.encode() in got.body]


def test_no_cursor_and_no_token_of_a_poll_opens_anothers_words(gateway: GatewayProcess) -> None:
    with unharmed(gateway) as calm:
        own = poll(gateway, {"hello": {}}).json["frames"][0]["token"]
        half = len(calm.token) // 2
        tokens = [
            own,
            calm.token[:-1],
            calm.token.lower(),
            calm.token[:half] + own[half:],
            calm.welcome["conversation"],
            "",
        ]
        cursors = [0, 1, -1, 2, 10**6, 2**31, 2**63 - 1]
        for token in tokens:
            for since in cursors:
                for extra in ({}, {"conversation": calm.welcome["conversation"]}, {"recent": 50}):
                    got = poll(
                        gateway,
                        {
                            "hello": {"token": token, "since": since, **extra},
                            "frames": [{"type": "history", "before": since}],
                        },
                    )
                    assert got.status == 200
                    assert CANARY.encode() not in got.body
        theirs = poll(gateway, {"hello": {"token": calm.token, "since": 0}, "wait": 1})
        assert CANARY.encode() in theirs.body, "the canary would be seen"


def test_polls_that_never_come_whole_or_are_never_waited_for(gateway: GatewayProcess) -> None:
    body = json.dumps({"hello": {}, "wait": 25}).encode()
    head = (
        f"POST /chat/poll/ HTTP/1.1\r\nHost: x\r\nOrigin: {gateway.url}\r\nContent-Length: {len(body)}\r\n\r\n".encode()
    )
    with unharmed(gateway), contextlib.ExitStack() as stack:
        lines = [
            stack.enter_context(socket.create_connection(("127.0.0.1", gateway.port), timeout=30)) for _ in range(60)
        ]
        for number, line in enumerate(lines):
            line.sendall((head + body)[: len(head) - 5 + number])
        for line in lines[::2]:
            line.close()  # Without having read a byte.
        began = time.monotonic()
        assert gateway.status("/healthz") == 200
        assert poll(gateway, {"hello": {}}).status == 200
        assert time.monotonic() - began < 5


def test_a_poll_that_is_too_large_costs_no_memory(gateway: GatewayProcess) -> None:
    large = b'{"hello":{},"x":"' + b"x" * (20 * MIB) + b'"}'
    with unharmed(gateway):
        poll(gateway, {"hello": {}})
        before = memory(gateway)
        for _ in range(3):
            assert poll(gateway, large).status in {413, NOTHING}
            got = ask(gateway, "/chat/poll/", in_chunks(large), "Transfer-Encoding: chunked", length="")
            assert got.status in {413, NOTHING}
        assert memory(gateway) - before < 4 * MIB
        for length in ("-1", "x", "99999999999999999999999", "1e3", "5, 6", "+5", "0x10"):
            assert ask(gateway, "/chat/poll/", b'{"hello":{}}', length=length).status in {400, 413, NOTHING}


def test_more_polls_at_once_than_sockets_are_allowed(start_gateway: StartGateway, server: Server) -> None:
    gateway = start_gateway(
        {"RATE_LIMITS": "on", "SOCKETS_PER_ADDRESS": "8", "NEW_CHATS_PER_MINUTE": "0"}, server=server
    )
    with unharmed(gateway) as calm, ThreadPoolExecutor(16) as pool:
        waiting = {"hello": {"token": calm.token, "since": 10**6}, "wait": 3}
        statuses = [got.status for got in pool.map(lambda _: poll(gateway, waiting), range(16))]
        assert set(statuses) == {200, 429}
        assert statuses.count(200) <= 7
        assert poll(gateway, {"hello": {"token": calm.token}}).status == 200, "their places are free again"
        time.sleep(1.1)


# Uploads

PAGE, PICTURE = b"<html><script>alert(1)</script>", png()
NAMES = (
    "../../../etc/passwd", "..\\..\\x.png", "/etc/passwd", "%2e%2e%2f%2e%2e%2fx.png", "a%00.png", "x.svg", "x.html",
    "%0d%0aSet-Cookie: a=b", "x.png.exe", "CON", ".", "..", "", "%", "%zz", "%ff%fe", "%F0%9F%98%80",
    "%E2%80%AEgnp.exe", "x" * 1900, "x" * 6000, "a/b/c",
    "\"><script>", "'; DROP TABLE x; --", "~root", "-rf", "a\tb", "\xe9\xff.png",
)  # fmt: skip
CONTENTS = (
    b"", PAGE, b"<svg onload=alert(1)>", b" \n\t<SVG/onload=alert(1)>", b"\xef\xbb\xbf<!doctype html>", b"MZ\x90\0",
    b"\x7fELF\x02", b"#!/bin/sh\n", b"PK\x03\x04", b"%PDF-1.4<script>", b"\x89PNG\r\n\x1a\n",
    b"GIF89a<script>alert(1)</script>", b"\xff\xd8\xff", b"\0" * 1000, b"\xff" * 1000,
    PICTURE[:20], PICTURE + PAGE, b"RIFF\0\0\0\0WEBP",
    b"<?xml version='1.0'?><x/>", b"\x1f\x8b\x08",
)  # fmt: skip


def bring(
    gateway: GatewayProcess, token: str, content: bytes, *lines: str, query: str = "?bot=bot", **how: Any
) -> Answer:
    return ask(gateway, f"/chat/files/{query}", content, f"Authorization: Bearer {token}", *lines, **how)


def path_of(url: str) -> str:
    return url[url.index("/chat/") :]


def kept(gateway: GatewayProcess) -> list[Path]:
    return [place for place in gateway.data_dir.rglob("*") if place.is_file() and place.parent.name != "__pycache__"]


def test_no_name_and_no_content_of_a_file_does_harm(gateway: GatewayProcess) -> None:
    with unharmed(gateway) as calm:
        at_first = set(kept(gateway))
        for name in NAMES:
            got = bring(gateway, calm.token, PICTURE, f"X-File-Name: {name}")
            assert got.status in {201, 400, 431}, (name, got)
        for content in CONTENTS:
            got = bring(gateway, calm.token, content, "X-File-Name: x.png", "Content-Type: image/png")
            assert got.status in {201, 400, 415}, (content[:30], got)
            if got.status == 201:
                shown = ask(gateway, path_of(got.json["url"]), b"", method="GET")
                assert shown.status == 200
        for page in (PAGE, CONTENTS[2], CONTENTS[3], CONTENTS[4]):
            assert bring(gateway, calm.token, page, "X-File-Name: x.png").status == 415
        new = set(kept(gateway)) - at_first
        assert new
        assert all(place.is_relative_to(gateway.data_dir / "files") for place in new)
        assert not [place for place in new if place.name.startswith("arriving")]
        assert not [place for place in new if place.suffix in {".exe", ".html", ".svg"}]


def test_strangers_bring_nothing(gateway: GatewayProcess) -> None:
    with unharmed(gateway) as calm:
        at_first, token = set(kept(gateway)), calm.token
        half = len(token) // 2
        for forged in (
            "",
            "x",
            token[:-1],
            token[1:],
            token.upper(),
            token[:half] + "A" + token[half + 1 :],
            token * 40,
            calm.welcome["conversation"],
        ):
            assert bring(gateway, forged, PICTURE).status in {401, 431, 400}, forged
        assert ask(gateway, "/chat/files/?bot=bot", PICTURE).status == 401
        twice = f"Authorization: Bearer {token}"
        assert bring(gateway, token, PICTURE, twice).status in {400, 401}
        for query in (
            "?bot=nobody",
            "?bot=",
            "?bot=%00",
            "?bot=" + "x" * 3000,
            "?bot=../bot",
            "?bot=bot&bot=nobody",
            "?",
            "?bot[]=bot",
        ):
            assert bring(gateway, token, PICTURE, query=query).status in {201, 400, 401, 404, 414}, query
        for method in ("GET", "PUT", "DELETE", "PATCH", "TRACE", "FOO"):
            assert ask(gateway, "/chat/files/?bot=bot", b"", method=method).status in {400, 405, 501}, method
        foreign = ask(
            gateway, "/chat/files/?bot=bot", PICTURE, "Origin: https://evil.example", f"Authorization: Bearer {token}"
        )
        assert foreign.status in {400, 403}
        assert not [place for place in set(kept(gateway)) - at_first if place.name.startswith("arriving")]


def test_files_that_are_too_large_or_never_come_whole_leave_nothing(gateway: GatewayProcess) -> None:
    with unharmed(gateway) as calm:
        bring(gateway, calm.token, PICTURE)
        at_first, before = set(kept(gateway)), memory(gateway)
        for size in (MOST_BYTES + 1, 5 * MIB, 40 * MIB):
            assert bring(gateway, calm.token, b"x" * size).status in {413, NOTHING}
            chunked = bring(gateway, calm.token, in_chunks(b"x" * size), "Transfer-Encoding: chunked", length="")
            assert chunked.status in {413, NOTHING}
        # More is announced than comes; and the line is cut in the middle.
        for announced in (1000, MOST_BYTES):
            assert bring(gateway, calm.token, PICTURE, length=str(announced)).status in {400, NOTHING}
        for broken in (b"zz\r\n" + PICTURE, b"ffffffffffffffff\r\nx", b"-5\r\nx", b"5\r\nhello"):
            got = bring(gateway, calm.token, broken, "Transfer-Encoding: chunked", length="")
            assert got.status in {400, 413, 415, NOTHING}
        assert memory(gateway) - before < 8 * MIB
        deadline = time.monotonic() + 15
        while left := set(kept(gateway)) - at_first:
            assert time.monotonic() < deadline, left
            time.sleep(0.2)


def test_no_odd_path_leads_to_a_file(gateway: GatewayProcess) -> None:
    with unharmed(gateway) as calm:
        link = path_of(bring(gateway, calm.token, PICTURE).json["url"])
        bare, _, query = link.partition("?")
        nil = "00000000-0000-4000-8000-000000000000"
        paths = [
            bare, f"{bare}?", f"{bare}?{query[:-1]}", f"{bare}?{query.upper()}", f"/chat/files/{nil}/?{query}",
            f"/chat/files/../../switchboard.sqlite3?{query}", f"/chat/files/%2e%2e/%2e%2e/switchboard.sqlite3?{query}",
            f"/chat/files/..%2f..%2fswitchboard.sqlite3/?{query}", f"{bare}../?{query}", f"/chat/files/x/?{query}",
            f"/chat/files/remote/web/bot/../?{query}", f"/chat/files/remote/telegram/bot/%2e%2e/?{query}",
        ]  # fmt: skip
        for path in paths:
            got = ask(gateway, path, b"", method="GET")
            assert got.status in {301, 302, 400, 403, 404}, path
            assert PICTURE not in got.body
        assert PICTURE in ask(gateway, link, b"", method="GET").body
