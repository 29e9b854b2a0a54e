"""Requests that no client of good will sends, byte by byte at a socket: each is refused or answered, none a fault."""

import socket
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.conftest import StartGateway
from tests.gateway_process import GatewayProcess

pytestmark = pytest.mark.timeout(120)
SILENT_SECONDS = 3.0  # some are never answered, since they are never whole
PATHS = [
    b"/static/../config/settings.py", b"/static/%2e%2e/%2e%2e/config/settings.py",
    b"/static/..%2f..%2fconfig/settings.py",
    b"/static/%00", b"/static/%ff", b"/%00", b"/%ff%fe", b"//evil.example/console", b"/\\evil.example", b"/console",
    b"/widget/../../x.js", b"/widget/a/..%2fx.js", b"/widget/x/%2e%2e.js", b"/admin//evil.example/", b"*",
    b"http://evil.example/", b"http://evil.example/console/", b"/?a=" + b"b" * 8000, b"/" + b"a" * 8000,
    b"/telegram/..%2fbot/", b"/telegram/%00/", b"/chat/files/%00/", b"/chat/files/..%2f..%2fetc%2fpasswd/",
    b"/chat/files/remote/telegram/bot/..%2f..%2fx/?until=1&key=x", b"/metrics?x=%ff", b"/healthz?%",
    b"/chat/?bot=%00&room=%ff&name=%F0%9F%98%80", b"/?bot=%3Cscript%3E", b"/console/login/?next=//evil.example",
    b"/console/login/?next=%00", b"/admin/login/?next=%ff", b"/ws/chat/", b"/ws/%ff",
]  # fmt: skip
METHODS = [b"FOO", b"CONNECT", b"TRACE", b"PRI", b"OPTIONS", b"DELETE", b"PATCH", b"G\0T", b"g" * 300]
HEADERS = [
    b"Host: evil.example", b"X : y", b"X: \0", b"X: y\r\n z", b"\r\n".join(b"X%d: y" % n for n in range(600)),
    b"Cookie: sessionid=\xe9\0\xff; csrftoken=\xff; messages=x", b"Cookie: sessionid=" + b"a" * 9000,
    b"Upgrade: h2c\r\nHTTP2-Settings: AAMAAABkAARAAAAAAAIAAAAA", b"Upgrade: websocket", b"Expect: nonsense",
    b"Content-Length: -1", b"Content-Length: " + b"9" * 30, b"X-Forwarded-For: " + b"1," * 4000,
    b"Content-Type: multipart/form-data; boundary=\xff", b"Range: bytes=" + b"0-1," * 2000,
]  # fmt: skip
BODIES = [
    b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nGET /healthz HTTP/1.1\r\nHost: x\r\n\r\n",
    b"Content-Length: 5\r\nContent-Length: 6\r\n\r\nhello!",
    b"Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n",
    b"Transfer-Encoding: chunked\r\n\r\n5;" + b"a" * 70_000 + b"\r\nhello\r\n0\r\n\r\n",
    b"Transfer-Encoding: chunked\r\n\r\nFFFFFFFFFFFFFFFFF\r\nhello\r\n",
    b"Transfer-Encoding: chunked\r\n\r\n-5\r\nhello\r\n",
    b"Transfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n" + b"X: y\r\n" * 5000 + b"\r\n",
    b"Content-Type: application/x-www-form-urlencoded; charset=utf-7\r\nContent-Length: 12\r\n\r\nusername=%ff",
    b"Content-Type: text/plain; charset=nonsense\r\nContent-Length: 3\r\n\r\na=1",
    b'Content-Type: multipart/form-data; boundary=x\r\nContent-Length: 76\r\n\r\n--x\r\nContent-Disposition: '
    b'form-data; name="username"; filename="../../x"\r\n\r\nhi\r\n--x--',
]  # fmt: skip
LINES = [
    b"GET /\r\n",
    b"GET / HTTP/9.9\r\n\r\n",
    b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    b"\x16\x03\x01\x02\0\x01\0",
    b"\0" * 3000,
]


def requests(port: int) -> list[bytes]:
    host = b"Host: 127.0.0.1:%d\r\nConnection: close\r\n" % port
    return [
        *(b"GET " + path + b" HTTP/1.1\r\n" + host + b"\r\n" for path in PATHS),
        *(method + b" / HTTP/1.1\r\n" + host + b"\r\n" for method in METHODS),
        *(b"GET /console/ HTTP/1.1\r\n" + host + header + b"\r\n\r\n" for header in HEADERS),
        *(
            b"POST /" + path + b" HTTP/1.1\r\n" + host + body
            for body in BODIES
            for path in (b"chat/poll/", b"console/login/")
        ),
        *LINES,
    ]


def ask(gateway: GatewayProcess, request: bytes) -> bytes:
    """All that comes back, until the other side is done or silent."""
    answer = b""
    with socket.create_connection(("127.0.0.1", gateway.port), timeout=SILENT_SECONDS) as line:
        try:
            line.sendall(request)
            while chunk := line.recv(65_536):
                answer += chunk
        except OSError:
            pass
    return answer


def problems(answer: bytes) -> list[str]:
    found = []
    heads = answer.split(b"\r\n\r\n")[0].lower().split(b"\r\n")
    if heads[0][9:10] == b"5":
        found.append("a fault")
    if answer.count(b"HTTP/1.1 2") > 1:
        found.append("two answers to one")
    places = [head.partition(b":")[2].strip() for head in heads if head.startswith(b"location:")]
    if [place for place in places if not place.startswith(b"/") or place.startswith((b"//", b"/\\"))]:
        found.append(f"leads elsewhere: {places}")
    if b"SECRET_KEY" in answer or b"Traceback" in answer:
        found.append("shows what it must not")
    return found


def test_none_is_a_fault(start_gateway: StartGateway, server: str) -> None:
    gateway = start_gateway(server=server)
    asked = requests(gateway.port)
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda request: ask(gateway, request), asked))
    bad = [
        (request[:90], answer[:90], found)
        for request, answer in zip(asked, answers, strict=True)
        if (found := problems(answer))
    ]
    assert not bad
    assert gateway.status("/healthz") == 200
    assert "Traceback" not in gateway.log_text()
    print(f"{len(asked)} raw requests: {sum(map(bool, answers))} answered, none with a fault")
