"""Plain and generic WebSocket consumers."""

import pytest
from websockets.exceptions import InvalidStatus
from websockets.typing import Subprotocol

from tests.gateway_process import GatewayProcess
from tests.notes.clients import closing_code, get, hears, post, says, says_json, socket, wait
from tests.outside.clients import Visitor

STYLES = ("sync", "async")


@pytest.mark.parametrize("path", ["/echo/sync/", "/echo/async/", "/echo/stopping/", "/echo/alias/"])
def test_echo(gateway: GatewayProcess, path: str) -> None:
    for _ in range(2):
        with socket(gateway, path) as connection:
            assert says(connection, "hello", "다시", "x" * 60_000) == ["hello", "다시", "x" * 60_000]


def test_an_echo_that_stops_is_gone_at_once(gateway: GatewayProcess) -> None:
    with socket(gateway, "/echo/stopping/") as connection:
        assert says(connection, "hello") == ["hello"]
        assert "stopping echo" in get(gateway, "/notes/tasks/")["tasks"]
    # Without StopConsumer it would stay until the server kills it, ten seconds later.
    wait(lambda: "stopping echo" not in get(gateway, "/notes/tasks/")["tasks"], within=5)


def test_chat_with_a_welcome_and_names(gateway: GatewayProcess) -> None:
    with socket(gateway, "/chat/") as ada, socket(gateway, "/chat/") as bob:
        assert hears(ada) == hears(bob) == "[Welcome Anonymous!]"
        assert says(ada, "hi", "/name Ada", "hi") == ["Anonymous: hi", "[set your username to Ada]", "Ada: hi"]
        assert says(bob, "hi") == ["Anonymous: hi"]


def test_json_by_hand(gateway: GatewayProcess) -> None:
    with socket(gateway, "/chat/admin/") as connection:
        assert says_json(connection, {"message": "hi", "more": 1}) == {"message": "hi"}


@pytest.mark.parametrize("style", STYLES)
class TestGeneric:
    def test_text_and_binary_frames(self, gateway: GatewayProcess, style: str) -> None:
        with socket(gateway, f"/my/{style}/") as connection:
            assert connection.subprotocol is None
            assert says(connection, "hi", b"\x00\xff", "") == ["Hello world!", b"Hello \x00\xff", "Hello world!"]

    def test_a_subprotocol(self, gateway: GatewayProcess, style: str) -> None:
        offered = [Subprotocol("other"), Subprotocol("subprotocol")]
        with socket(gateway, f"/my/{style}/", subprotocols=offered) as connection:
            assert connection.subprotocol == "subprotocol"
            assert says(connection, "hi") == ["Hello world!"]

    @pytest.mark.parametrize(("word", "code"), [("close", 1000), ("close 4123", 4123)])
    def test_closing(self, gateway: GatewayProcess, style: str, word: str, code: int) -> None:
        with socket(gateway, f"/my/{style}/") as connection:
            connection.send(word)
            assert closing_code(connection) == code

    def test_closing_before_it_is_accepted(self, gateway: GatewayProcess, style: str) -> None:
        assert refused(gateway, f"/my/{style}/?refuse") == 403

    def test_groups_on_the_class(self, gateway: GatewayProcess, style: str) -> None:
        with socket(gateway, f"/my/{style}/") as one, socket(gateway, f"/my/{style}/") as other:
            says(one, "joined?")
            says(other, "joined?")
            post(gateway, "/notes/system_message/", chat="broadcast", text="To all")
            assert hears(one) == hears(other) == "To all"

    def test_json_with_an_encoding_of_its_own(self, gateway: GatewayProcess, style: str) -> None:
        with socket(gateway, f"/price/{style}/") as connection:
            # As floats, 2 * 1.1 would be 2.2, and the encoding of a Decimal would raise.
            assert says_json(connection, {"price": 1.10}) == {"twice": "2.2", "exact": True}
            assert says(connection, '{"price": 1.10}') == ['{"twice": "2.20", "exact": true}']


def refused(gateway: GatewayProcess, path: str) -> int:
    """The status with which the handshake is refused."""
    with pytest.raises(InvalidStatus) as refusal, socket(gateway, path):
        pass
    return refusal.value.response.status_code


def test_accepting_and_denying_by_exception(gateway: GatewayProcess) -> None:
    with socket(gateway, "/door/sesame/") as connection:
        assert says(connection, "knock") == ["inside"]
    assert refused(gateway, "/door/open/") == 403


def test_the_products_own_sockets_are_still_there(gateway: GatewayProcess) -> None:
    with Visitor(gateway, bot="chatty") as visitor:
        assert visitor.welcome["bot"] == "chatty"
    assert refused(gateway, "/ws/chat/admin/") == 403
