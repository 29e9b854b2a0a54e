"""Stock clients: a WebSocket with JSON frames, and a browser's cookies."""

import http.cookiejar
import json
import re
import time
import urllib.parse
import urllib.request
from contextlib import ExitStack
from types import TracebackType
from typing import Any, Self

from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection, connect
from websockets.typing import Origin

from tests.gateway_process import GatewayProcess

Frame = dict[str, Any]
PASSWORD = "correct horse battery"


class FrameSocket:
    """A socket that sends and awaits JSON frames. `frames` is everything that has come."""

    def __init__(self, gateway: GatewayProcess, path: str, *, origin: str | None = "", cookie: str = "") -> None:
        shown = gateway.url if origin == "" else origin
        headers = {"Cookie": cookie} if cookie else {}
        self.frames: list[Frame] = []
        self._unread: list[Frame] = []
        self._stack = ExitStack()
        self.socket: ClientConnection = self._stack.enter_context(
            connect(
                gateway.socket_url + path,
                origin=None if shown is None else Origin(shown),
                additional_headers=headers,
                compression=None,
                open_timeout=10,
            )
        )

    def send(self, type: str, **keys: Any) -> None:
        self.socket.send(json.dumps({"type": type, **keys}))

    def expect(self, type: str, within: float = 10, *, sender: str = "", **keys: Any) -> Frame:
        """The next frame of that type with those keys (`sender`: its "from"); others are kept for later calls."""
        keys |= {"from": sender} if sender else {}
        deadline = time.monotonic() + within
        passed: list[Frame] = []
        while True:
            frame = self._unread.pop(0) if self._unread else self._read(deadline, type, keys)
            if frame["type"] == type and all(frame.get(key) == value for key, value in keys.items()):
                self._unread = passed + self._unread
                return frame
            passed.append(frame)

    def _read(self, deadline: float, type: str, keys: Frame) -> Frame:
        try:
            frame = json.loads(self.socket.recv(timeout=max(deadline - time.monotonic(), 0)))
        except TimeoutError:
            raise AssertionError(f"no {type} frame with {keys}; came: {self.frames}") from None
        self.frames.append(frame)
        return dict(frame)

    def quiet(self, seconds: float = 0.5) -> list[Frame]:
        """Listens for a while; what has come that nobody has asked for."""
        deadline = time.monotonic() + seconds
        while (left := deadline - time.monotonic()) > 0:
            try:
                frame = json.loads(self.socket.recv(timeout=left))
            except TimeoutError:
                break
            self.frames.append(frame)
            self._unread.append(frame)
        return self._unread

    def ended(self, within: float = 10) -> int | None:
        """Reads on until the other side closes; its closing code."""
        deadline = time.monotonic() + within
        try:
            while True:
                self.frames.append(json.loads(self.socket.recv(timeout=max(deadline - time.monotonic(), 0))))
        except ConnectionClosed as closed:
            return closed.rcvd.code if closed.rcvd else None

    def close(self) -> None:
        self._stack.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


class Visitor(FrameSocket):
    """The public socket, greeted. `words` is what it knows of the conversation, by seq."""

    def __init__(
        self, gateway: GatewayProcess, *, token: str | None = None, since: int = 0, bot: str = "bot", cookie: str = ""
    ) -> None:
        super().__init__(gateway, "/ws/chat/", cookie=cookie)
        self.send("hello", token=token, since=since, bot=bot)
        self.welcome = self.expect("welcome")

    @property
    def token(self) -> str:
        return str(self.welcome["token"])

    @property
    def words(self) -> dict[int, Frame]:
        known: dict[int, Frame] = {}
        for frame in self.frames:
            if frame["type"] == "message" and frame["rev"] >= known.get(frame["seq"], frame)["rev"]:
                known[frame["seq"]] = frame
        return known

    @property
    def rev(self) -> int:
        return max((frame["rev"] for frame in self.frames if frame["type"] == "message"), default=0)


class Browser:
    """Somebody with cookies, who can sign in at the console."""

    def __init__(self, gateway: GatewayProcess) -> None:
        self.gateway = gateway
        self.jar = http.cookiejar.CookieJar()
        self._opener = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(self.jar))

    def get(self, path: str) -> str:
        with self._opener.open(self.gateway.url + path, timeout=10) as response:
            return str(response.read().decode())

    def sign_in(self, username: str, password: str) -> None:
        page = self.get("/console/login/")
        field = re.search(r'name="csrfmiddlewaretoken" value="([^"]+)"', page)
        assert field is not None, page
        form = {"username": username, "password": password, "csrfmiddlewaretoken": field[1]}
        origin = {"Origin": self.gateway.url, "Referer": f"{self.gateway.url}/console/login/"}
        data = urllib.parse.urlencode(form).encode()
        request = urllib.request.Request(f"{self.gateway.url}/console/login/", data, origin)
        with self._opener.open(request, timeout=10) as response:
            assert not str(response.url).rstrip("/").endswith("login"), "signing in was refused"

    @property
    def cookie(self) -> str:
        return "; ".join(f"{cookie.name}={cookie.value}" for cookie in self.jar)


class Operator(FrameSocket):
    """The admin socket of somebody who signed in, greeted."""

    def __init__(self, gateway: GatewayProcess, username: str, password: str = PASSWORD) -> None:
        browser = Browser(gateway)
        browser.sign_in(username, password)
        super().__init__(gateway, "/ws/chat/admin/", cookie=browser.cookie)
        self.send("hello")


def make_operators(gateway: GatewayProcess, *usernames: str) -> None:
    """Staff with the password that `Operator` knows."""
    made = f"get_user_model().objects.create_user(name, password={PASSWORD!r}, is_staff=True)"
    lines = ["from django.contrib.auth import get_user_model", f"for name in {usernames!r}: {made}"]
    gateway.manage("shell", "-c", "\n".join(lines))
