"""Lines to the Bot API against servers that speak HTTP byte by byte."""

import asyncio
import shutil
import socket
import ssl
import subprocess
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from gateway.errors import Later, Unknown
from gateway.telegram import lines as lines_module
from gateway.telegram.lines import Answer, Lines

REQUEST = b"POST /x HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\n{}"
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi"

Talk = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


class Server:
    """`talk` has each of its lines; `lines` counts them."""

    def __init__(self, talk: Talk, tls: ssl.SSLContext | None = None) -> None:
        self.talk = talk
        self.tls = tls
        self.lines = 0
        self._writers: list[asyncio.StreamWriter] = []
        self._tasks: list[asyncio.Task[None]] = []

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.lines += 1
        self._writers.append(writer)
        task = asyncio.current_task()
        assert task is not None
        self._tasks.append(task)
        try:
            await self.talk(reader, writer)
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()

    @asynccontextmanager
    async def lines_to_it(self) -> AsyncIterator[Lines]:
        server = await asyncio.start_server(self._serve, "127.0.0.1", 0, ssl=self.tls)
        scheme = "http" if self.tls is None else "https"
        lines = Lines(urlsplit(f"{scheme}://127.0.0.1:{server.sockets[0].getsockname()[1]}"))
        try:
            yield lines
        finally:
            lines.close()
            server.close()
            for writer in self._writers:
                writer.transport.abort()
            await asyncio.gather(*self._tasks, return_exceptions=True)


async def request(reader: asyncio.StreamReader) -> None:
    await reader.readuntil(b"\r\n\r\n")
    await reader.readexactly(2)


def each(*answers: bytes) -> Talk:
    """A line that gives these answers, one a request, and is closed then."""

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for answer in answers:
            await request(reader)
            writer.write(answer)
            await writer.drain()

    return talk


async def test_one_line_serves_call_after_call() -> None:
    server = Server(each(OK, OK, OK))
    async with server.lines_to_it() as lines:
        for _ in range(3):
            assert await lines.ask(REQUEST, 5) == Answer(200, {}, b"hi")
    assert server.lines == 1


@pytest.mark.parametrize(
    ("answer", "body"),
    [
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n", b"abcde"),
        (b"HTTP/1.1 100 Continue\r\n\r\n" + OK, b"hi"),
        (b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n" + OK, b"hi"),
        (b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nhi", b"hi"),
        (b"HTTP/1.0 200 OK\r\n\r\nuntil the end", b"until the end"),
        (b"HTTP/1.1 204 No Content\r\n\r\n", b""),
    ],
)
async def test_every_way_to_say_where_an_answer_ends(answer: bytes, body: bytes) -> None:
    server = Server(each(answer))
    async with server.lines_to_it() as lines:
        assert (await lines.ask(REQUEST, 5)).body == body


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"HTTP/1.1 200 OK\r\nContent-Le",
        b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhi",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\nhi",
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: Upgrade\r\n\r\n",
        b"SSH-2.0-OpenSSH_9.2\r\n",
    ],
)
async def test_what_is_no_whole_answer_is_unknown(answer: bytes) -> None:
    server = Server(each(answer))
    async with server.lines_to_it() as lines:
        with pytest.raises(Unknown):
            await lines.ask(REQUEST, 5)


async def test_what_was_closed_while_nobody_called_is_not_written_on() -> None:
    """The loop has not heard of it yet: nothing of the second call is on the first line."""

    async def once(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await request(reader)
        writer.write(OK)
        writer.get_extra_info("socket").shutdown(socket.SHUT_WR)
        await reader.read()

    server = Server(once)
    async with server.lines_to_it() as lines:
        await lines.ask(REQUEST, 5)
        time.sleep(0.1)  # noqa: ASYNC251  # the close arrives in the kernel, and the loop cannot hear of it
        assert (await lines.ask(REQUEST, 5)).body == b"hi"
    assert server.lines == 2


async def test_a_second_answer_to_one_call_is_nobodys() -> None:
    server = Server(each(OK + OK, OK))
    async with server.lines_to_it() as lines:
        for _ in range(2):
            assert (await lines.ask(REQUEST, 5)).body == b"hi"
    assert server.lines == 2


async def test_silence_ends_a_call_and_a_word_begins_it_anew() -> None:
    async def slowly(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await request(reader)
        for part in (OK[:10], OK[10:30], OK[30:]):
            await asyncio.sleep(0.2)
            writer.write(part)
        await request(reader)
        await reader.read()

    server = Server(slowly)
    async with server.lines_to_it() as lines:
        assert (await lines.ask(REQUEST, 0.4)).body == b"hi"
        began = asyncio.get_running_loop().time()
        with pytest.raises(Unknown, match="in time"):
            await lines.ask(REQUEST, 0.4)
        assert 0.39 <= asyncio.get_running_loop().time() - began < 3
    assert server.lines == 1


async def test_whoever_gives_up_takes_the_line_along() -> None:
    """Its answer may come yet, and must not be the next call's."""

    async def late(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await request(reader)
        await asyncio.sleep(0.2)
        writer.write(OK)
        await reader.read()

    server = Server(late)
    async with server.lines_to_it() as lines:
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(lines.ask(REQUEST, 5), 0.1)
        assert (await lines.ask(REQUEST, 5)).body == b"hi"
        assert server.lines == 2
        assert len(lines._open) == 1


async def test_what_nobody_needs_any_more_is_closed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lines_module, "KEEP_ALIVE_SECONDS", 0.2)
    server = Server(each(OK, OK))
    async with server.lines_to_it() as lines:
        await asyncio.gather(*(lines.ask(REQUEST, 5) for _ in range(3)))
        assert len(lines._open) == 3
        async with asyncio.timeout(5):
            while lines._open:  # noqa: ASYNC110  # a line tells nobody of its end
                await asyncio.sleep(0.02)


async def test_who_is_not_trusted_gets_no_word(tmp_path: Path) -> None:
    command = (
        "openssl req -x509 -newkey rsa:2048 -nodes -keyout key.pem -out cert.pem -days 1 -subj /CN=localhost"
        " -addext subjectAltName=IP:127.0.0.1"
    )
    if shutil.which("openssl") is None:
        pytest.skip("needs openssl")
    subprocess.run(command.split(), cwd=tmp_path, check=True, capture_output=True)  # noqa: ASYNC221
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(tmp_path / "cert.pem", tmp_path / "key.pem")
    server = Server(each(OK, OK), tls)
    async with server.lines_to_it() as lines:
        with pytest.raises(Later, match="TLS"):
            await lines.ask(REQUEST, 5)
        assert lines._tls is not None
        lines._tls.load_verify_locations(tmp_path / "cert.pem")
        for _ in range(2):
            assert (await lines.ask(REQUEST, 5)).body == b"hi"
