"""No request body is larger than Django's own limit, also where nobody says in advance how large it is."""

from gateway.types import Application, Event, Receive, Scope, Send

LIMIT_BYTES = 1024 * 1024
ANSWER = b"The request is too large.\n"


def limit_body(application: Application, limit: int = LIMIT_BYTES) -> Application:
    """Answers 413 and closes the connection as soon as a body is announced as, or grows, larger than `limit` bytes."""

    async def limited(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await application(scope, receive, send)
        elif announced(scope) > limit:
            await refuse(send)
        else:
            counted = CountedBody(receive, send, limit)
            await application(scope, counted.receive, counted.send)

    return limited


def announced(scope: Scope) -> int:
    lengths = [value for name, value in scope.get("headers", ()) if name.lower() == b"content-length"]
    return max((int(value.lstrip(b"0")[:20] or b"0") for value in lengths if value.isdigit()), default=0)


async def refuse(send: Send) -> None:
    headers = [
        (b"content-type", b"text/plain; charset=utf-8"),
        (b"content-length", str(len(ANSWER)).encode()),
        (b"connection", b"close"),
    ]
    await send({"type": "http.response.start", "status": 413, "headers": headers})
    await send({"type": "http.response.body", "body": ANSWER})


class CountedBody:
    """`receive` and `send` of one request. A body that grows too large looks, to the application, like a client that
    went away; what it still sends is dropped, since the answer is given."""

    def __init__(self, receive: Receive, send: Send, limit: int) -> None:
        self._receive = receive
        self._send = send
        self._left = limit
        self._started = False
        self._refused = False

    async def receive(self) -> Event:
        if self._refused:
            return {"type": "http.disconnect"}
        event = await self._receive()
        if event["type"] == "http.request":
            self._left -= len(event.get("body", b""))
        if self._left >= 0:
            return event
        self._refused = True
        if not self._started:
            await refuse(self._send)
        return {"type": "http.disconnect"}

    async def send(self, event: Event) -> None:
        self._started = True
        if not self._refused:
            await self._send(event)
