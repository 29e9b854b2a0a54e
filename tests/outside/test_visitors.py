"""The public socket, by a stock client."""

import time
import urllib.request
from collections.abc import Iterator

import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus

from tests.gateway_process import GatewayProcess, Server
from tests.outside.clients import FrameSocket, Visitor

pytestmark = pytest.mark.timeout(60)


@pytest.fixture(scope="module", params=["daphne", "uvicorn"])
def gateway(request: pytest.FixtureRequest) -> Iterator[GatewayProcess]:
    server: Server = request.param
    with GatewayProcess({"RATE_LIMITS": "off"}, server=server) as process:
        yield process


def test_a_visitor_is_welcomed_heard_and_answered(gateway: GatewayProcess) -> None:
    with Visitor(gateway) as visitor:
        assert set(visitor.welcome) == {"type", "token", "conversation", "seq", "rev", "bot", "options"}
        assert (visitor.welcome["seq"], visitor.welcome["bot"]) == (0, "bot")
        visitor.send("message", id="m1", text="hello 😀 שלום")
        ack = visitor.expect("ack", id="m1")
        assert set(ack) == {"type", "id", "seq", "rev"}
        own = visitor.expect("message", sender="visitor")
        answer = visitor.expect("message", sender="bot")
        assert (own["id"], own["seq"], own["text"]) == ("m1", ack["seq"], "hello 😀 שלום")
        assert (ack["seq"], answer["seq"]) == (1, 2)
        assert answer["text"] == "You said: hello 😀 שלום"
        assert answer["rev"] > own["rev"] == ack["rev"]
        assert answer["at"].endswith(("Z", "+00:00"))


def test_bursts_are_answered_in_order_and_numbered_without_a_gap(gateway: GatewayProcess) -> None:
    with Visitor(gateway) as visitor:
        for n in range(30):
            visitor.send("message", id=f"m{n}", text=str(n))
        for n in range(30):
            visitor.expect("message", text=f"You said: {n}")
        words = visitor.words
        assert sorted(words) == list(range(1, 61))
        said = [words[seq]["text"] for seq in sorted(words) if words[seq]["from"] == "bot"]
        assert said == [f"You said: {n}" for n in range(30)]


def test_the_conversation_goes_on_where_the_socket_was_lost(gateway: GatewayProcess) -> None:
    with Visitor(gateway) as first:
        first.send("message", id="m1", text="one")
        first.expect("message", text="You said: one")
        token, since, known = first.token, first.rev, first.words
        first.send("message", id="m2", text="two")
        first.expect("ack", id="m2")
    with Visitor(gateway, token=token, since=since) as second:
        assert second.welcome["conversation"] == first.welcome["conversation"]
        second.expect("message", text="You said: two")
        second.quiet(0.3)
        texts = [frame["text"] for frame in second.frames if frame["type"] == "message"]
        assert texts == ["two", "You said: two"]
        assert sorted({**known, **second.words}) == [1, 2, 3, 4]
    with Visitor(gateway, token=token, since=0) as third:
        third.expect("message", text="You said: two")
        assert [third.words[seq]["text"] for seq in sorted(third.words)] == [
            "one", "You said: one", "two", "You said: two",
        ]  # fmt: skip


def test_the_same_id_twice_gets_the_same_ack_and_no_second_row(gateway: GatewayProcess) -> None:
    with Visitor(gateway) as visitor:
        visitor.send("message", id="m1", text="once")
        ack = visitor.expect("ack")
        visitor.expect("message", text="You said: once")
        visitor.send("message", id="m1", text="once")
        assert visitor.expect("ack") == ack
        visitor.send("message", id="m2", text="next")
        visitor.expect("message", text="You said: next")
        assert [visitor.words[seq]["text"] for seq in sorted(visitor.words)] == [
            "once", "You said: once", "next", "You said: next",
        ]  # fmt: skip


def test_a_second_tab_shows_the_same(gateway: GatewayProcess) -> None:
    with Visitor(gateway) as one, Visitor(gateway, token=one.token) as other:
        one.send("message", id="m1", text="from one")
        assert other.expect("message", text="from one")["id"] == "m1"
        other.expect("message", text="You said: from one")
        other.send("message", id="m2", text="from the other")
        one.expect("message", text="You said: from the other")
        one.quiet(0.3)
        other.quiet(0.3)
        assert one.words == other.words


def test_visitors_do_not_see_each_other(gateway: GatewayProcess) -> None:
    with Visitor(gateway) as ada, Visitor(gateway) as bob:
        assert ada.welcome["conversation"] != bob.welcome["conversation"]
        ada.send("message", id="m1", text="private")
        ada.expect("message", text="You said: private")
        assert bob.quiet() == []


@pytest.mark.parametrize("origin", ["http://evil.example", None, "null"])
def test_a_foreign_or_missing_origin_is_refused(gateway: GatewayProcess, origin: str | None) -> None:
    with pytest.raises(InvalidStatus) as refused:
        FrameSocket(gateway, "/ws/chat/", origin=origin)
    assert refused.value.response.status_code == 403
    if origin == "http://evil.example":
        wait_for_log(gateway, "evil.example")


def wait_for_log(gateway: GatewayProcess, words: str) -> None:
    deadline = time.monotonic() + 5
    while words not in gateway.log_text():
        assert time.monotonic() < deadline, "the reason is not in the log"
        time.sleep(0.05)


def test_an_anonymous_admin_socket_is_refused(gateway: GatewayProcess) -> None:
    with pytest.raises(InvalidStatus) as refused:
        FrameSocket(gateway, "/ws/chat/admin/")
    assert refused.value.response.status_code == 403


def test_no_other_socket_is_opened(gateway: GatewayProcess) -> None:
    with pytest.raises((InvalidStatus, ConnectionClosed)):
        FrameSocket(gateway, "/ws/else/").socket.recv(timeout=5)
    assert gateway.status("/healthz") == 200


@pytest.mark.parametrize(
    ("raw", "code"),
    [
        ("no json", "bad_frame"),
        ("[]", "bad_frame"),
        ("{}", "bad_frame"),
        ('{"type": "message"}', "bad_frame"),
        ('{"type": "message", "id": 7, "text": "x"}', "bad_frame"),
        ('{"type": "message", "id": "m", "text": null}', "bad_frame"),
        ('{"type": "invented"}', "unknown_type"),
    ],
)
def test_a_bad_frame_is_told_and_the_socket_stays(gateway: GatewayProcess, raw: str, code: str) -> None:
    with Visitor(gateway) as visitor:
        visitor.socket.send(raw)
        error = visitor.expect("error")
        assert error["code"] in {code, "unknown_type"} if raw == "{}" else error["code"] == code
        assert error["detail"]
        visitor.send("message", id="after", text="still here")
        visitor.expect("message", text="You said: still here")


def test_bytes_are_no_frame(gateway: GatewayProcess) -> None:
    with Visitor(gateway) as visitor:
        visitor.socket.send(b"\x00\x01")
        assert visitor.expect("error")["code"] == "bad_frame"


def test_a_forged_token_makes_a_new_visitor(gateway: GatewayProcess) -> None:
    with Visitor(gateway, token="forged:token:of-nobody") as visitor:
        assert visitor.expect("error")["code"] == "bad_token"
        assert visitor.token != "forged:token:of-nobody"
        visitor.send("message", id="m1", text="hi")
        visitor.expect("message", text="You said: hi")


def test_an_unknown_bot_is_told(gateway: GatewayProcess) -> None:
    with FrameSocket(gateway, "/ws/chat/") as socket:
        socket.send("hello", token=None, bot="nobody")
        assert socket.expect("error")["code"] == "unknown_bot"


def test_a_frame_over_64_kib_ends_the_socket(gateway: GatewayProcess) -> None:
    with Visitor(gateway) as visitor:
        visitor.send("message", id="big", text="x" * 70_000)
        assert visitor.ended() in ({4009} if gateway.server == "daphne" else {4009, 1009})
    with Visitor(gateway) as visitor:
        visitor.send("message", id="m", text="x" * 4_000)
        visitor.expect("ack", id="m")


def test_typing_is_no_error(gateway: GatewayProcess) -> None:
    with Visitor(gateway) as visitor:
        visitor.send("typing")
        visitor.send("message", id="m", text="x")
        visitor.expect("message", text="You said: x")
        assert not [frame for frame in visitor.frames if frame["type"] == "error"]


def test_pages_carry_their_policies(gateway: GatewayProcess) -> None:
    with urllib.request.urlopen(gateway.url + "/", timeout=5) as page:
        policy = page.headers["Content-Security-Policy"]
    assert "unsafe-inline" not in policy
    assert "unsafe-eval" not in policy


def test_the_conversation_outlives_the_process() -> None:
    with GatewayProcess({"RATE_LIMITS": "off"}, application="counter") as process:
        with Visitor(process) as visitor:
            visitor.send("message", id="m1", text="a")
            visitor.expect("message", text="a is 1")
            token, since = visitor.token, visitor.rev
            time.sleep(1)
            process.kill()
        process.start()
        with Visitor(process, token=token, since=since) as visitor:
            visitor.send("message", id="m2", text="b")
            visitor.expect("message", text="b is 2 resumed")
            visitor.quiet(0.3)
            assert sorted(visitor.words) == [3, 4]


def test_a_stop_says_that_it_goes_away(gateway: GatewayProcess) -> None:
    with GatewayProcess(server=gateway.server) as process, Visitor(process) as visitor:
        code = process.terminate()
        assert code == 0 if gateway.server == "daphne" else code in (0, -15)
        assert visitor.ended() in ({4012} if gateway.server == "daphne" else {4012, 1012})


def test_buttons_on_the_web() -> None:
    with GatewayProcess({"RATE_LIMITS": "off"}, application="neutral_buttons") as process, Visitor(process) as visitor:
        visitor.send("message", id="m1", text="tea")
        question = visitor.expect("message", sender="bot")
        assert question["buttons"] == [[{"text": "Yes", "data": "yes"}, {"text": "No", "data": "no"}]]
        visitor.send("button", id="b1", data="no")
        ack = visitor.expect("ack", id="b1")
        visitor.expect("message", text="you chose no")
        assert [ack["seq"], sorted(visitor.words)] == [3, [1, 2, 3, 4]]
