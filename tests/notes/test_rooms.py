"""Messages between connections, and from outside of any."""

import json
from contextlib import ExitStack

import pytest
from websockets.sync.client import ClientConnection

from tests.gateway_process import GatewayProcess
from tests.notes.clients import get, hears, post, says, says_json, socket, wait
from tests.outside.clients import Browser, make_operators

PASSWORD = "correct horse battery"


def test_a_group_hears_what_one_says(gateway: GatewayProcess) -> None:
    with ExitStack() as stack:
        people = [stack.enter_context(socket(gateway, "/group/")) for _ in range(5)]
        for n, speaker in enumerate(people):
            speaker.send(f"word {n}")
            assert [hears(person) for person in people] == [f"word {n}"] * 5
        people[0].close()
        people[1].send("still here")
        assert [hears(person) for person in people[1:]] == ["still here"] * 4


def test_a_message_from_outside_of_a_consumer(gateway: GatewayProcess) -> None:
    with socket(gateway, "/group/") as in_chat, socket(gateway, "/my/async/") as in_broadcast:
        says(in_broadcast, "joined?")
        post(gateway, "/notes/system_message/", chat=["chat", "broadcast"], text="Maintenance at noon")
        assert hears(in_chat) == hears(in_broadcast) == "Maintenance at noon"


def test_one_channel_by_the_name_in_the_table(gateway: GatewayProcess) -> None:
    with socket(gateway, "/clients/") as connection:
        assert len(get(gateway, "/notes/clients/")["clients"]) == 1
        assert post(gateway, "/notes/clients/send/") == {"sent": 1}
        assert hears(connection) == "Hello there!"
    wait(lambda: get(gateway, "/notes/clients/") == {"clients": []})


def test_a_room_by_its_url(gateway: GatewayProcess) -> None:
    with (
        socket(gateway, "/ws/chat/attic/") as ada,
        socket(gateway, "/ws/chat/attic/") as bob,
        socket(gateway, "/ws/chat/cellar/") as eve,
    ):
        ada.send(json.dumps({"message": "up here"}))
        assert json.loads(hears(ada)) == json.loads(hears(bob)) == {"message": "up here"}
        assert says_json(eve, {"message": "down here"}) == {"message": "down here"}


def test_a_notification_on_connect(gateway: GatewayProcess) -> None:
    with socket(gateway, "/center/") as first:
        assert json.loads(hears(first)) == ["Your parcel has arrived."]
        with socket(gateway, "/center/") as second:
            assert json.loads(hears(second)) == json.loads(hears(first)) == ["Your parcel has arrived."]


def test_a_layer_of_its_own(gateway: GatewayProcess) -> None:
    """Two consumers in groups of one name, on two layers: each hears its own alone."""
    with socket(gateway, "/echo/alias/") as own, socket(gateway, "/group/") as default:
        for layer, text in (("echo_alias", "to the alias"), ("default", "to the default")):
            post(gateway, "/notes/system_message/", layer=layer, chat="chat", text=text)
        assert says(own, "mark") == ["to the alias"]
        assert hears(own) == "mark"
        assert hears(default) == "to the default"


@pytest.fixture(scope="session")
def operators() -> dict[str, str]:
    """The cookie of somebody who is signed in, by the gateway's URL."""
    return {}


@pytest.fixture
def cookie(gateway: GatewayProcess, operators: dict[str, str]) -> str:
    if gateway.url not in operators:
        make_operators(gateway, "ada")
        browser = Browser(gateway)
        browser.sign_in("ada", PASSWORD)
        operators[gateway.url] = browser.cookie
    return operators[gateway.url]


def test_who_has_said_what_in_a_room(gateway: GatewayProcess, cookie: str) -> None:
    def member(**how: object) -> ClientConnection:
        return socket(gateway, "/members/7/", **how)

    with member(additional_headers={"Cookie": cookie}) as ada, member() as nobody:
        ada.send(json.dumps({"message": "it is me"}))
        words = {"msg_type": 0, "room": 7, "username": "ada", "message": "it is me"}
        assert json.loads(hears(ada)) == json.loads(hears(nobody)) == words
        assert says_json(nobody, {"message": "who?"}) == {**words, "username": "", "message": "who?"}


def test_the_scope_of_a_socket(gateway: GatewayProcess, cookie: str) -> None:
    headers = {"Cookie": cookie, "User-Agent": "a stock client"}
    known = {"user": "ada", "agent": "a stock client", "path": "/scope/attic/", "room": "attic"}
    with socket(gateway, "/scope/attic/", additional_headers=headers, user_agent_header=None) as connection:
        first = says_json(connection, {})
        assert first == {**known, "asked": first["asked"]}
        assert says_json(connection, {})["asked"] == first["asked"] + 1
    with socket(gateway, "/scope/attic/", additional_headers={"Cookie": cookie}) as again:
        assert says_json(again, {})["asked"] == first["asked"] + 2
    with socket(gateway, "/scope/hall/") as stranger:
        told = says_json(stranger, {})
        assert (told["user"], told["asked"], told["room"]) == ("", 1, "hall")


def test_the_scope_of_a_request(gateway: GatewayProcess, cookie: str) -> None:
    assert post(gateway, "/notes/who/", cookie=cookie, a=1) == {"user": "ada", "path": "/notes/who/", "body": "a=1"}
    assert post(gateway, "/notes/who/", a=1)["user"] == ""
    assert gateway.status("/notes/who/") == 405
