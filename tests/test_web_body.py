"""A request's body never grows larger than it may, whatever it says of itself."""

from typing import Any

import pytest

from gateway.web.body import limit_body

LIMIT = 100
Event = dict[str, Any]


async def reads_all(scope: Any, receive: Any, send: Any) -> None:
    """An application that answers with how much it got, and nothing to a client that went away."""
    size = 0
    while True:
        event = await receive()
        if event["type"] == "http.disconnect":
            return
        size += len(event["body"])
        if not event.get("more_body"):
            break
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": str(size).encode()})


async def ask(chunks: list[bytes], *lengths: bytes, application: Any = reads_all) -> tuple[list[Event], int]:
    """What was sent, and how many chunks were read."""
    events = [{"type": "http.request", "body": chunk, "more_body": True} for chunk in chunks]
    events[-1]["more_body"] = False
    sent: list[Event] = []
    waiting = list(events)

    async def receive() -> Event:
        return waiting.pop(0)

    async def send(event: Event) -> None:
        sent.append(event)

    headers = [(b"Content-Length", length) for length in lengths]
    await limit_body(application, LIMIT)({"type": "http", "headers": headers}, receive, send)
    return sent, len(events) - len(waiting)


@pytest.mark.parametrize("chunks", [[b""], [b"x" * 100], [b"x" * 50] * 2])
async def test_what_fits_passes(chunks: list[bytes]) -> None:
    sent, _ = await ask(chunks)
    assert sent[1]["body"] == str(sum(map(len, chunks))).encode()


@pytest.mark.parametrize("length", [b"101", b"000101", b"9" * 5000])
async def test_what_is_announced_too_large_is_not_read(length: bytes) -> None:
    sent, read = await ask([b"x"], length)
    assert sent[0]["status"] == 413
    assert (b"connection", b"close") in sent[0]["headers"]
    assert read == 0


async def test_one_of_two_lengths_is_enough() -> None:
    sent, _ = await ask([b"x"], b"1", b"101")
    assert sent[0]["status"] == 413


@pytest.mark.parametrize("length", [None, b"10", b"-5", b"many"])
async def test_what_grows_too_large_is_cut(length: bytes | None) -> None:
    sent, read = await ask([b"x" * 60] * 10, *([length] if length else []))
    assert [event["type"] for event in sent] == ["http.response.start", "http.response.body"]
    assert sent[0]["status"] == 413
    assert read == 2


async def test_only_one_answer_is_given() -> None:
    async def stubborn(scope: Any, receive: Any, send: Any) -> None:
        while (await receive())["type"] != "http.disconnect":
            continue
        assert (await receive())["type"] == "http.disconnect"
        await send({"type": "http.response.start", "status": 400, "headers": []})

    sent, _ = await ask([b"x" * 101], application=stubborn)
    assert [event.get("status") for event in sent] == [413, None]


async def test_what_has_begun_to_answer_is_only_cut() -> None:
    async def hasty(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        assert (await receive())["type"] == "http.disconnect"

    sent, _ = await ask([b"x" * 101], application=hasty)
    assert [event.get("status") for event in sent] == [200]


async def test_other_scopes_pass_untouched() -> None:
    seen = []

    async def application(scope: Any, receive: Any, send: Any) -> None:
        seen.append((scope["type"], receive, send))

    await limit_body(application)({"type": "lifespan"}, "receive", "send")  # type: ignore[arg-type]
    assert seen == [("lifespan", "receive", "send")]
