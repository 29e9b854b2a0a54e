"""The admin socket: seeing every conversation, taking one over, handing it back."""

from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from tests.conftest import telegram_env
from tests.fake_telegram import FakeTelegram, in_thread
from tests.gateway_process import GatewayProcess, Server
from tests.outside.clients import Operator, Visitor, make_operators

pytestmark = pytest.mark.timeout(60)


@pytest.fixture(scope="module")
def world(request: pytest.FixtureRequest) -> Iterator[tuple[FakeTelegram, GatewayProcess]]:
    server: Server = request.param
    with ExitStack() as stack:
        telegram = stack.enter_context(in_thread(FakeTelegram()))
        env = {**telegram_env(telegram), "RATE_LIMITS": "off"}
        gateway = stack.enter_context(GatewayProcess(env, application="helpdesk", server=server))
        make_operators(gateway, "olga", "otto")
        yield telegram, gateway


daphne = pytest.mark.parametrize("world", ["daphne"], indirect=True)
both = pytest.mark.parametrize("world", ["daphne", "uvicorn"], indirect=True)
World = tuple[FakeTelegram, GatewayProcess]


@both
def test_a_conversation_is_seen_taken_answered_and_handed_back(world: World) -> None:
    telegram, gateway = world
    ada = telegram.user(7, "Ada")
    ada.says("hello")
    telegram.wait(lambda: "bot: hello" in ada.answers)
    with Operator(gateway, "olga") as olga:
        about = olga.expect("conversation", protocol="telegram", name="Ada")
        keys = {"conversation", "protocol", "bot", "name", "state", "holder", "seq", "rev", "last", "at", "type"}
        assert set(about) == keys | {"banned", "tags", "waiting_since"}
        id = about["conversation"]
        olga.send("watch", conversation=id, since=0)
        word = olga.expect("message", conversation=id, text="hello")
        assert (word["from"], word["status"], word["error"]) == ("visitor", "done", word["error"])
        answer = olga.expect("message", conversation=id, text="bot: hello", status="sent")
        assert {"row", "seq", "rev", "at"} <= set(answer)
        before = len(ada.answers)
        olga.send("take", conversation=id)
        assert olga.expect("conversation", conversation=id, state="held")["holder"]
        ada.says("are you a human?")
        asked = olga.expect("message", conversation=id, text="are you a human?")
        olga.send("say", conversation=id, id="o1", text="yes, Olga", seen=asked["seq"])
        ack = olga.expect("ack", id="o1")
        telegram.wait(lambda: ada.answers[before:] == ["yes, Olga"])
        olga.send("say", conversation=id, id="o1", text="yes, Olga", seen=asked["seq"])
        assert olga.expect("ack", id="o1") == ack
        olga.send("release", conversation=id)
        olga.expect("conversation", conversation=id, holder=None)
        telegram.wait(lambda: len(ada.answers) >= before + 2)
        ada.says("bye")
        telegram.wait(lambda: "bot: bye" in ada.answers)
        handed_back, last = ada.answers[before + 1 :]
        assert handed_back.startswith("back after ")
        assert last == "bot: bye"


@daphne
def test_the_web_and_telegram_are_seen_alike(world: World) -> None:
    _, gateway = world
    with Operator(gateway, "olga") as olga, Visitor(gateway) as visitor:
        visitor.send("message", id="m1", text="from the web")
        about = olga.expect("conversation", protocol="webchat", conversation=visitor.welcome["conversation"])
        id = about["conversation"]
        olga.send("watch", conversation=id, since=0)
        olga.expect("message", conversation=id, text="bot: from the web")
        olga.send("take", conversation=id)
        olga.expect("conversation", conversation=id, state="held")
        olga.send("say", conversation=id, id="o1", text="hello from Olga", seen=2)
        said = visitor.expect("message", text="hello from Olga")
        ack = olga.expect("ack", id="o1")
        assert (said["from"], said["seq"]) == ("operator", ack["seq"])
        visitor.send("message", id="m2", text="thank you")
        olga.expect("message", conversation=id, text="thank you")
        assert not [frame for frame in visitor.quiet(0.5) if frame.get("text") == "bot: thank you"]
        olga.send("release", conversation=id)
        visitor.expect("message", text="back after 2 words")


@daphne
def test_somebody_asks_for_a_human(world: World) -> None:
    _, gateway = world
    with Operator(gateway, "olga") as olga, Visitor(gateway) as visitor:
        visitor.send("message", id="m1", text="human")
        id = visitor.welcome["conversation"]
        olga.expect("conversation", conversation=id, state="waiting")
        assert not [frame for frame in visitor.quiet(0.5) if "wants a human" in frame.get("text", "")]


@daphne
def test_two_operators_do_not_talk_over_each_other(world: World) -> None:
    _, gateway = world
    with Operator(gateway, "olga") as olga, Operator(gateway, "otto") as otto, Visitor(gateway) as visitor:
        visitor.send("message", id="m1", text="help")
        id = visitor.welcome["conversation"]
        for operator in (olga, otto):
            operator.expect("conversation", conversation=id)
        otto.send("say", conversation=id, id="x", text="me", seen=2)
        assert otto.expect("error", id="x")["code"] == "not_holder"
        olga.send("take", conversation=id)
        otto.expect("conversation", conversation=id, state="held")
        otto.send("take", conversation=id)
        assert otto.expect("error")["code"] == "held"
        visitor.expect("message", text="bot: help")
        olga.send("say", conversation=id, id="o1", text="first", seen=2)
        olga.expect("ack", id="o1")
        olga.send("release", conversation=id)
        otto.expect("conversation", conversation=id, holder=None)
        otto.send("take", conversation=id)
        otto.expect("conversation", conversation=id, state="held")
        otto.send("say", conversation=id, id="p1", text="on a stale view", seen=2)
        assert otto.expect("error", id="p1")["code"] == "stale"


@daphne
def test_an_unknown_conversation_is_told(world: World) -> None:
    _, gateway = world
    with Operator(gateway, "olga") as olga:
        olga.send("watch", conversation="00000000-0000-0000-0000-000000000000", since=0)
        assert olga.expect("error")["code"]
        olga.send("invented")
        assert olga.expect("error", code="unknown_type")
