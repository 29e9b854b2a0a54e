"""No channel layer at all, and Redis as the layer."""

from contextlib import ExitStack

import pytest
from websockets.exceptions import InvalidStatus

from tests.notes.clients import get, hears, says, says_json, socket, wait
from tests.notes.conftest import World
from tests.outside.clients import Visitor


@pytest.mark.parametrize("style", ["sync", "async"])
def test_groups_on_the_class_need_a_layer(no_layer: World, style: str) -> None:
    with pytest.raises(InvalidStatus) as refusal, socket(no_layer.gateway, f"/my/{style}/"):
        pass
    assert refusal.value.response.status_code >= 400
    wait(lambda: "InvalidChannelLayerError: BACKEND is unconfigured" in no_layer.gateway.log_text())


def test_sockets_without_a_layer(no_layer: World) -> None:
    gateway = no_layer.gateway
    with socket(gateway, "/echo/sync/") as sync, socket(gateway, "/echo/async/") as asynchronous:
        assert says(sync, "hi") == says(asynchronous, "hi") == ["hi"]
    with socket(gateway, "/price/async/") as connection:
        assert says_json(connection, {"price": 1.5})["twice"] == "3.0"


def test_a_gateway_without_a_layer_is_ready(no_layer: World) -> None:
    assert get(no_layer.gateway, "/readyz")["ready"] is True


def test_bots_without_a_layer(no_layer: World) -> None:
    telegram, gateway = no_layer.telegram, no_layer.gateway
    for n, bot in enumerate(("chatty", "log", "async_log")):
        user = telegram.bots[bot].user(50 + n)
        user.says("hi")
        telegram.wait(lambda user=user: len(user.answers) == 1)
    with Visitor(gateway, bot="chatty") as visitor:
        visitor.send("message", id="1", text="hi")
        assert visitor.expect("message", sender="bot")["text"] == "You said: hi"


@pytest.mark.services
def test_a_system_message_from_another_process(on_redis: World) -> None:
    with ExitStack() as stack:
        people = [
            stack.enter_context(socket(on_redis.gateway, path)) for path in ("/group/", "/my/sync/", "/my/async/")
        ]
        says(people[1], "joined?")
        says(people[2], "joined?")
        on_redis.gateway.manage("system_message", "Maintenance at noon", "chat", "broadcast")
        assert [hears(person) for person in people] == ["Maintenance at noon"] * 3


@pytest.mark.services
def test_a_group_on_redis(on_redis: World) -> None:
    with socket(on_redis.gateway, "/group/") as ada, socket(on_redis.gateway, "/group/") as bob:
        ada.send("hi")
        assert hears(ada) == hears(bob) == "hi"


@pytest.mark.services
@pytest.mark.parametrize("bot", ["room", "async_room"])
def test_bots_and_a_socket_in_one_group_on_redis(on_redis: World, bot: str) -> None:
    telegram = on_redis.telegram
    ada = telegram.bots[bot].user(60, "Ada")
    with socket(on_redis.gateway, "/group/") as bob:
        ada.says("hello")
        assert hears(bob) == "Ada: hello"
        telegram.wait(lambda: ada.answers == ["Ada: hello"])
        on_redis.gateway.manage("system_message", "From another process", "chat")
        assert hears(bob) == "From another process"
        telegram.wait(lambda: ada.answers == ["Ada: hello", "From another process"])


def test_bots_live_on_while_the_layer_is_away(layer_away: World) -> None:
    """On Channels' own Redis layer, whose failure would end every instance that listens on it."""
    ada = layer_away.telegram.bots["story"].user(70)
    for n in range(1, 4):
        ada.says(f"word {n}")
        layer_away.telegram.wait(lambda n=n: len(ada.answers) == 2 * n)  # type: ignore[misc]
        assert ada.answers[-1] == f"instance {n}, scope {n}, resumed False"
        wait(lambda: "The channel layer is away" in layer_away.gateway.log_text())
    assert "Traceback" not in layer_away.gateway.log_text()
