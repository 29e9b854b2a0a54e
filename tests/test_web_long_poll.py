"""The public socket as requests, on the real engine; and once over real HTTP, under both servers."""

import asyncio
import json
from typing import Any

import httpx
import pytest
from channels.testing import HttpCommunicator
from django.contrib.auth.models import User
from django.db import OperationalError
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from gateway import limits
from gateway.models import Bot, Message
from gateway.web.endpoint import Refusal
from gateway.web.long_poll import LongPoll, Poll
from tests.conftest import StartGateway
from tests.web_sockets import ORIGIN, Web, web

__all__ = ["web"]

pytestmark = pytest.mark.django_db(transaction=True)

Answer = dict[str, Any]


async def ask(body: Any, *, method: str = "POST", origin: str | None = ORIGIN, address: str = "10.0.0.9") -> Answer:
    """Status, headers and what the JSON of the answer holds."""
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    headers = [(b"origin", origin.encode())] if origin is not None else []
    wire = HttpCommunicator(LongPoll.as_asgi(), method, "/chat/poll/", body=content, headers=headers)
    wire.scope["client"] = (address, 1)
    answer = await wire.get_response(timeout=10)
    answer["headers"] = {name.decode(): value.decode() for name, value in answer["headers"]}
    return {**answer, **(json.loads(answer["body"]) if answer["body"] else {})}


async def poll(token: str | None, *frames: dict[str, Any], since: int = 0, wait: float = 0, **more: Any) -> Answer:
    return await ask({"hello": {"token": token, "since": since, **more}, "frames": list(frames), "wait": wait})


def said(text: str, id: str = "1") -> dict[str, str]:
    return {"type": "message", "id": id, "text": text}


def of(answer: Answer, kind: str) -> list[dict[str, Any]]:
    return [frame for frame in answer["frames"] if frame["type"] == kind]


async def test_a_whole_conversation_by_requests_alone(web: Web) -> None:
    first = await poll(None)
    token = of(first, "welcome")[0]["token"]
    shown: list[str] = []
    since, frames = 0, [said("hello")]
    while len(shown) < 2:
        answer = await poll(token, *frames, since=since, wait=10)
        frames = []
        for message in of(answer, "message"):
            shown.append(message["text"])
            since = max(since, message["rev"])
    assert shown == ["hello", "You said: hello"]


async def test_operators_see_who_types_by_requests_alone(web: Web) -> None:
    welcome = of(await poll(None), "welcome")[0]
    await poll(welcome["token"], said("hush"))
    operator = await web.operator(await User.objects.acreate(username="ann", is_staff=True))
    await operator.send("watch", conversation=welcome["conversation"])
    await operator.expect("message", seq=1)
    await poll(welcome["token"], {"type": "typing"})
    told = {"type": "typing", "from": "visitor", "conversation": welcome["conversation"]}
    assert await operator.expect("typing") == told


async def test_the_same_id_twice_is_one_row(web: Web) -> None:
    token = of(await poll(None), "welcome")[0]["token"]
    acks = [of(await poll(token, said("hush")), "ack")[0] for _ in range(2)]
    assert acks[0] == acks[1]
    assert await Message.objects.filter(direction="in").acount() == 1


async def test_it_waits_for_news_and_is_woken_by_it(web: Web) -> None:
    visitor = await web.visitor()
    await visitor.send("message", id="1", text="hush")
    await visitor.expect("message", id="1")
    waiting = asyncio.create_task(poll(visitor.welcome["token"], since=visitor.rev, wait=20))
    await asyncio.sleep(0.1)
    assert not waiting.done()
    await visitor.send("message", id="2", text="hush")
    assert [message["text"] for message in of(await waiting, "message")] == ["hush"]


async def test_a_wait_without_news_ends_by_itself(web: Web) -> None:
    token = of(await poll(None), "welcome")[0]["token"]
    answer = await poll(token, wait=0.2)
    assert [frame["type"] for frame in answer["frames"]] == ["welcome"]


async def test_that_an_operator_has_it_is_no_news_at_every_request(web: Web) -> None:
    ann = await User.objects.acreate(username="ann", is_staff=True, is_superuser=True)
    visitor = await web.visitor()
    await visitor.send("message", id="1", text="hush")
    await visitor.expect("message", id="1")
    operator = await web.operator(ann)
    await operator.send("take", conversation=visitor.welcome["conversation"])
    await visitor.expect("operator")
    waiting = asyncio.create_task(poll(visitor.welcome["token"], since=visitor.rev, wait=20))
    await asyncio.sleep(0.2)
    assert not waiting.done()
    await operator.send("release", conversation=visitor.welcome["conversation"])
    assert [frame["name"] for frame in of(await waiting, "operator")] == ["ann", None]


async def test_history_and_errors_answer_too(web: Web) -> None:
    visitor = await web.visitor()
    token = visitor.welcome["token"]
    answer = await poll(token, {"type": "history", "before": 5}, {"type": "nonsense", "id": "n"}, said("x" * 5000))
    assert len(of(answer, "history")) == 1
    assert {error["code"] for error in of(answer, "error")} == {"unknown_type", "too_long"}


async def test_a_room_by_requests(web: Web) -> None:
    body = {"hello": {"name": "Ann"}, "room": "lobby", "frames": [said("hush")], "wait": 0}
    answer = await ask(body)
    assert of(answer, "welcome")[0]["options"]["room"] == "lobby"
    assert of(answer, "ack")[0]["seq"] == 1
    assert (await ask({"hello": {}, "room": "a/b"}))["code"] == "bad_room"


async def test_a_forged_token_gets_a_new_one(web: Web) -> None:
    answer = await poll("forged", wait=20)
    assert [frame["type"] for frame in answer["frames"]] == ["error", "welcome"]


async def test_words_are_kept_where_the_client_has_gone(web: Web) -> None:
    token = of(await poll(None), "welcome")[0]["token"]
    body = json.dumps({"hello": {"token": token}, "frames": [said("hush")], "wait": 20}).encode()
    wire = HttpCommunicator(
        LongPoll.as_asgi(), "POST", "/chat/poll/", body=body, headers=[(b"origin", ORIGIN.encode())]
    )
    await wire.send_input({"type": "http.request", "body": body})
    await wire.send_input({"type": "http.disconnect"})
    await wire.wait(10)
    assert [row.text async for row in Message.objects.filter(direction="in")] == ["hush"]


# Who may ask


async def test_pages_of_no_list_are_refused(web: Web) -> None:
    for origin in ("https://evil.example", None, "null", "http://127.0.0.1:80001"):
        answer = await ask({"hello": {}}, origin=origin)
        assert (answer["status"], answer["code"]) == (403, "bad_origin")


async def test_pages_of_a_bots_list_may_talk_with_that_bot_alone(web: Web) -> None:
    await Bot.objects.aupdate_or_create(name="other", defaults={"widget_origins": "https://shop.example"})
    for method in ("OPTIONS", "POST"):
        answer = await ask({"hello": {"bot": "bot"}}, method=method, origin="https://shop.example")
        assert answer["headers"]["access-control-allow-origin"] == "https://shop.example"
        assert answer["headers"]["vary"] == "Origin"
        assert "access-control-allow-credentials" not in answer["headers"]
    assert of(answer, "error")[0]["code"] == "bad_origin"
    assert answer["code"] == 4003


async def test_a_preflight_is_answered(web: Web) -> None:
    answer = await ask(b"", method="OPTIONS")
    assert answer["status"] == 204
    assert "content-type" in answer["headers"]["access-control-allow-headers"]


async def test_it_is_post_alone(web: Web) -> None:
    assert (await ask(b"", method="GET"))["status"] == 405


async def test_requests_count_as_sockets_do(web: Web, settings: Any) -> None:
    settings.RATE_LIMITS, settings.MESSAGES_PER_MINUTE, settings.SOCKETS_PER_ADDRESS = True, 3, 1
    limits.current.cache_clear()
    try:
        token = of(await poll(None), "welcome")[0]["token"]
        answers = [await poll(token) for _ in range(4)]
        assert answers[-1]["code"] == 4008
        assert of(answers[-1], "error")[0]["code"] == "rate_limited"
        waiting = asyncio.create_task(ask({"hello": {"token": None}, "wait": 20, "frames": []}, address="10.0.0.7"))
        await waiting
        held = [asyncio.create_task(ask({"hello": {"token": "x"}}, address="10.0.0.8")) for _ in range(3)]
        assert {answer["status"] for answer in await asyncio.gather(*held)} == {200, 429}
    finally:
        limits.current.cache_clear()


# Bad input

HOSTILE: list[Any] = [
    b"", b"{", b"[]", b"\xff", b'"x"', b"[" * 10_000, b'{"hello":' * 5000, {}, {"hello": 1}, {"hello": {}, "frames": 1},
    {"hello": {}, "wait": -1}, {"hello": {}, "wait": 26}, {"hello": {}, "wait": "long"}, {"hello": {}, "wait": True},
    {"hello": {}, "frames": [{}] * 65}, b'{"hello": {}, "wait": NaN}', b'{"hello": {}, "wait": 1e999}',
]  # fmt: skip


@pytest.mark.parametrize("body", HOSTILE, ids=range(len(HOSTILE)))
async def test_what_is_no_request_is_refused_in_words(web: Web, body: Any) -> None:
    answer = await ask(body)
    assert (answer["status"], answer["code"]) == (400, "bad_frame")


async def test_a_large_body_is_cut_off(web: Web) -> None:
    answer = await ask(b'{"hello": {}, "x": "' + b"x" * 300_000 + b'"}')
    assert (answer["status"], answer["code"]) == (413, "too_large")


async def test_frames_inside_are_judged_as_on_the_socket(web: Web) -> None:
    answer = await poll(None, 1, [], "x", {"type": 5, "id": "five"}, {"id": {"a": 1}}, {"type": "typing", "id": "t"})  # type: ignore[arg-type]
    assert len(of(answer, "error")) == 5


async def test_a_hello_that_is_none_is_answered(web: Web) -> None:
    for hello in ({"since": "x"}, {"token": 5}, {"bot": "no such"}):
        answer = await ask({"hello": hello, "frames": [said("x")], "wait": 0})
        assert answer["frames"][0]["type"] == "error"


@given(st.binary(max_size=300) | st.recursive(st.none() | st.integers() | st.text(), st.lists).map(json.dumps))
@hypothesis_settings(suppress_health_check=[HealthCheck.too_slow])
def test_any_body_is_taken_or_refused(body: bytes | str) -> None:
    try:
        Poll(body if isinstance(body, bytes) else body.encode())
    except Refusal as refusal:
        assert refusal.status == 400  # noqa: PT017


# Real HTTP


def test_over_real_http(start_gateway: StartGateway, server: str) -> None:
    gateway = start_gateway({"WIDGET_ORIGINS": "https://shop.example"}, server=server)
    headers = {"Origin": "https://shop.example", "Content-Type": "application/json"}
    with httpx.Client(base_url=gateway.url, timeout=30, headers=headers) as client:
        preflight = client.options("/chat/poll/", headers={"Access-Control-Request-Method": "POST"})
        assert preflight.status_code == 204
        welcome = client.post("/chat/poll/", json={"hello": {}}).json()["frames"][0]
        answer = client.post(
            "/chat/poll/", json={"hello": {"token": welcome["token"]}, "frames": [said("hi")], "wait": 20}
        ).json()
        texts = [frame["text"] for frame in of(answer, "message")]
        while "You said: hi" not in texts:
            body = {"hello": {"token": welcome["token"], "since": len(texts)}, "wait": 20}
            texts += [frame["text"] for frame in of(client.post("/chat/poll/", json=body).json(), "message")]
        refused = client.post("/chat/poll/", json={}, headers={"Origin": "https://evil.example"})
        assert refused.status_code == 403


async def test_an_origin_that_cannot_be_asked_about_is_to_come_again(web: Web, monkeypatch: pytest.MonkeyPatch) -> None:
    """Refused, a page would take it for good."""

    async def away(*arguments: Any) -> Any:
        raise OperationalError("away")

    monkeypatch.setattr(web.engine, "read", away)
    answer = await ask({"hello": {}}, origin="https://shop.example")
    assert (answer["status"], answer["code"]) == (503, "not_ready")
