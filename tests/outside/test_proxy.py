"""deploy/nginx.conf before two processes of one gateway: pages, sockets, long polls, the webhook, one that ends."""

import contextlib
import json
import os
import shutil
import signal
import ssl
import subprocess
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from websockets.sync.client import ClientConnection, connect
from websockets.typing import Origin

from tests.chaos import nodes
from tests.chaos.nodes import Nodes
from tests.gateway_process import ROOT, free_port
from tests.private_servers import until

LACKS = nodes.lacks() or ("" if shutil.which("nginx") else "nginx is not installed")
pytestmark = [pytest.mark.timeout(240), pytest.mark.skipif(bool(LACKS), reason=LACKS)]
CERTIFICATE = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=localhost"]
CERTIFICATE += ["-addext", "subjectAltName=DNS:localhost"]

KEPT = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")


@dataclass
class Proxy:
    port: int
    plain_port: int
    here: Nodes
    trust: ssl.SSLContext

    @property
    def url(self) -> str:
        return f"https://localhost:{self.port}"

    def ask(self, path: str, body: Any = None, **headers: str) -> tuple[int, dict[str, str], str]:
        data = None if body is None else json.dumps(body).encode()
        headers = {"Content-Type": "application/json", "Origin": self.url} | headers
        request = urllib.request.Request(self.url + path, data, headers)
        try:
            with urllib.request.urlopen(request, timeout=40, context=self.trust) as answer:
                return answer.status, dict(answer.headers), answer.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, dict(error.headers), error.read().decode()

    def socket(self) -> ClientConnection:
        url = f"wss://localhost:{self.port}/ws/chat/"
        return connect(url, ssl=self.trust, origin=Origin(self.url), open_timeout=10)


def configuration(place: Path, port: int, plain_port: int, gateways: list[int]) -> str:
    """The sample, with names, ports and files of this machine in the place of its own."""
    text = (ROOT / "deploy" / "nginx.conf").read_text()
    for number, gateway in enumerate(gateways, start=1):
        text = text.replace(f"gateway{number}:8000", f"127.0.0.1:{gateway}")
    text = text.replace("/etc/nginx/chat.example", str(place / "localhost")).replace("chat.example", "localhost")
    text = text.replace("listen 443", f"listen 127.0.0.1:{port}").replace("listen 80", f"listen 127.0.0.1:{plain_port}")
    text = text.replace("proxy_set_header Host $host;", "proxy_set_header Host $http_host;")  # A port that is no 443.
    kinds = "".join(
        f"{kind}_temp_path {place}/{kind};" for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    text = text.replace("http {", f"http {{ access_log off; {kinds}", 1)
    return f"daemon off; pid {place}/nginx.pid; error_log {place}/error.log;\n{text}"


@contextlib.contextmanager
def nginx(place: Path, port: int, plain_port: int, gateways: list[int]) -> Iterator[None]:
    subprocess.run(
        [*CERTIFICATE, "-keyout", place / "localhost.key", "-out", place / "localhost.pem"],
        check=True,
        capture_output=True,
    )
    file = place / "nginx.conf"
    file.write_text(configuration(place, port, plain_port, gateways))
    program = subprocess.Popen(["nginx", "-c", file, "-p", place], stderr=subprocess.PIPE, text=True)
    try:
        yield
    finally:
        program.send_signal(signal.SIGQUIT)
        with contextlib.suppress(subprocess.TimeoutExpired):
            program.wait(5)
        program.kill()


@pytest.fixture
def proxy(tmp_path: Path) -> Iterator[Proxy]:
    port, plain_port = free_port(), free_port()
    os.chmod(tmp_path, 0o755)  # nginx' workers are another user's
    env = {
        "PUBLIC_URL": f"https://localhost:{port}",
        "ALLOWED_HOSTS": "localhost,127.0.0.1",
        "TRUSTED_PROXIES": "127.0.0.1",
        "RATE_LIMITS": "on",
        "SOCKETS_PER_ADDRESS": "50",
    }
    with nodes.nodes(2, "counter", intake="webhook", **env) as here:
        nodes.start(here)
        with nginx(tmp_path, port, plain_port, [gateway.port for gateway in here.gateways]):
            trust = ssl.create_default_context(cafile=tmp_path / "localhost.pem")
            proxy = Proxy(port, plain_port, here, trust)
            until(lambda: answers(proxy), "nginx answers", 10)
            yield proxy


def answers(proxy: Proxy) -> bool:
    with contextlib.suppress(OSError):
        return proxy.ask("/healthz")[0] == 200
    return False


def frame(socket: ClientConnection, kind: str, **keys: Any) -> dict[str, Any]:
    while True:
        found: dict[str, Any] = json.loads(socket.recv(timeout=15))
        if found["type"] == kind and all(found.get(key) == value for key, value in keys.items()):
            return found


def test_the_sample_in_front_of_two_processes(proxy: Proxy) -> None:
    pages(proxy)
    plain_is_sent_to_tls(proxy)
    sockets(proxy)
    long_polls(proxy)
    webhook(proxy)
    whoever_asks_is_counted(proxy)
    one_that_ends(proxy)


def pages(proxy: Proxy) -> None:
    status, headers, _ = proxy.ask("/readyz")
    assert status == 200
    status, headers, body = proxy.ask("/console/login/")
    assert status == 200, body
    assert headers["Strict-Transport-Security"]
    assert "Secure" in headers["Set-Cookie"]
    assert proxy.ask("/metrics")[0] == 404


def plain_is_sent_to_tls(proxy: Proxy) -> None:
    class Stay(urllib.request.HTTPRedirectHandler):
        def redirect_request(self, *_: Any) -> None:
            return None

    with pytest.raises(urllib.error.HTTPError) as moved:
        urllib.request.build_opener(Stay).open(f"http://127.0.0.1:{proxy.plain_port}/demo/?a=1", timeout=5)
    assert (moved.value.code, moved.value.headers["Location"][:8]) == (301, "https://")


def sockets(proxy: Proxy) -> None:
    """Two tabs, wherever they land, see the same talk."""
    with proxy.socket() as first:
        first.send(json.dumps({"type": "hello"}))
        token = frame(first, "welcome")["token"]
        with proxy.socket() as second:
            second.send(json.dumps({"type": "hello", "token": token}))
            frame(second, "welcome")
            first.send(json.dumps({"type": "message", "id": "1", "text": "hi"}))
            for socket in (first, second):
                assert frame(socket, "message", **{"from": "bot"})["text"]


def long_polls(proxy: Proxy) -> None:
    welcome = json.loads(proxy.ask("/chat/poll/", {"hello": {}})[2])["frames"][0]
    hello, since, heard = {"token": welcome["token"]}, 0, []
    frames = [{"type": "message", "id": "1", "text": "hi"}]
    while not any(said["from"] == "bot" for said in heard):
        asked = {"hello": {**hello, "since": since}, "frames": frames, "wait": 20}
        status, _, body = proxy.ask("/chat/poll/", asked)
        assert status == 200, body
        heard += [said for said in json.loads(body)["frames"] if said["type"] == "message"]
        since, frames = len(heard), []
    idle = proxy.ask("/chat/poll/", {"hello": {**hello, "since": since}, "wait": 3})
    assert idle[0] == 200


def webhook(proxy: Proxy) -> None:
    """As Telegram does it, with the secret and over TLS; a wrong one is refused."""
    registered = proxy.here.telegram.bot.webhook
    path = urlsplit(registered.url).path
    person = proxy.here.people(1)[0]
    who = {"id": person.id, "first_name": "Ann", "is_bot": False}
    message = {"message_id": 1, "date": 0, "chat": {"id": person.id, "type": "private"}, "from": who, "text": "hi"}
    update = {"update_id": 900_000_001, "message": message}
    for secret, status in ((registered.secret, 200), ("wrong", 401)):
        assert proxy.ask(path, update, **{"X-Telegram-Bot-Api-Secret-Token": secret})[0] == status
    until(lambda: bool(person.answers), "an answer", 15)


def whoever_asks_is_counted(proxy: Proxy) -> None:
    """The address is what nginx has seen, whatever the asker says of it."""
    let_in = [
        "welcome" in proxy.ask("/chat/poll/", {"hello": {}}, **{"X-Forwarded-For": f"203.0.113.{number}"})[2]
        for number in range(12)
    ]
    assert sum(let_in) <= 10, "another address in a header makes another visitor"


def one_that_ends(proxy: Proxy) -> None:
    """A planned stop of either: the next question is answered by the other."""
    assert proxy.here.gateways[0].terminate(within=40) == 0
    assert [proxy.ask("/readyz")[0] for _ in range(5)] == [200] * 5
    with proxy.socket() as socket:
        socket.send(json.dumps({"type": "hello"}))
        frame(socket, "welcome")
