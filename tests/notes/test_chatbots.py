"""The chatbot's story: a scope for a person, messages in it, and its end. And the examples' ways inside a chat."""

import time

import pytest

from tests.fake_telegram import FakeTelegram, FakeUser
from tests.notes.clients import closing_code, get, hears, post, socket, wait
from tests.notes.conftest import NotesGateway, World
from tests.outside.clients import Visitor


def dialogue(telegram: FakeTelegram, user: FakeUser, *words: str, answers: int = 1) -> list[str]:
    """Says one thing after the other, each after all the answers to the last; the answers."""
    start = len(user.answers)
    for n, word in enumerate(words, start=1):
        user.says(word)
        telegram.wait(lambda n=n: len(user.answers) >= start + n * answers)  # type: ignore[misc]
    return user.answers[start:]


def test_the_map_of_sockets_and_telegram(world: World) -> None:
    ada = world.telegram.bots["chatty"].user(1)
    assert dialogue(world.telegram, ada, "hi", "again") == ["You said: hi", "You said: again"]


def test_the_bot_for_telegram_answers_on_the_web(world: World) -> None:
    with Visitor(world.gateway, bot="chatty") as visitor:
        visitor.send("message", id="1", text="hi")
        assert visitor.expect("message", sender="bot")["text"] == "You said: hi"


def test_several_messages_in_one_scope_and_several_answers_to_one(world: World) -> None:
    ada = world.telegram.bots["story"].user(2, "Ada", username="ada")
    bob = world.telegram.bots["story"].user(3, "Bob")
    assert dialogue(world.telegram, ada, "one", "two", answers=2) == [
        "one from 2 Ada ada",
        "instance 1, scope 1, resumed False",
        "two from 2 Ada ada",
        "instance 2, scope 2, resumed False",
    ]
    assert dialogue(world.telegram, bob, "one", answers=2)[1] == "instance 1, scope 1, resumed False"


def test_stopping_ends_the_scope(world: World) -> None:
    ada = world.telegram.bots["story"].user(4, "Ada")
    told = dialogue(world.telegram, ada, "one", "bye", "one", answers=2)[1::2]
    assert told == [
        "instance 1, scope 1, resumed False",
        "instance 2, scope 2, resumed False",
        "instance 1, scope 1, resumed False",
    ]


def test_a_restart_ends_instances_and_silence_ends_scopes(bots: FakeTelegram, own: NotesGateway) -> None:
    ada = bots.bots["story"].user(5, "Ada")
    assert dialogue(bots, ada, "one", answers=2)[1] == "instance 1, scope 1, resumed False"
    with socket(own, "/log/sync/") as connection:
        assert own.terminate() == 0
        assert closing_code(connection) == 4012
    own.start()
    assert [type for type, _ in get(own, "/notes/log/")["log"]] == ["connected", "left with 4012"]
    # The instance has gone with its process; the scope goes on, or every new version would end all conversations.
    assert dialogue(bots, ada, "two", answers=2)[1] == "instance 1, scope 2, resumed True"
    own.terminate()
    own.env["CONVERSATION_TIMEOUT"] = "1"
    own.start()
    time.sleep(2.5)
    assert dialogue(bots, ada, "three", answers=2)[1] == "instance 1, scope 1, resumed False"


@pytest.mark.parametrize(("bot", "kind"), [("log", "bot, sync"), ("async_log", "bot, async")])
def test_the_orm_in_a_bot(world: World, bot: str, kind: str) -> None:
    ada = world.telegram.bots[bot].user(10, "Ada")
    words = [f"word {n}" for n in range(5)]
    assert dialogue(world.telegram, ada, *words) == ["logged"] * 5
    rows = [client for type, client in get(world.gateway, "/notes/log/")["log"] if type == kind]
    assert rows == [["Ada", word] for word in words]


def test_pings_of_several_people_do_not_wait_for_each_other(world: World) -> None:
    people = [world.telegram.bots["ping"].user(20 + n) for n in range(5)]
    began = time.monotonic()
    for person in people:
        person.says("ping")
    world.telegram.wait(lambda: all(person.answers == ["pong"] for person in people))
    assert 1 <= time.monotonic() - began < 4  # one after the other they would take 5 s


def test_a_background_task_speaks_by_itself_and_ends_with_the_scope(world: World) -> None:
    ada = world.telegram.bots["ticker"].user(30, "Ada")
    ada.says("go")
    world.telegram.wait(lambda: ada.answers == ["tick"] * 3)
    assert "ticker Ada" in get(world.gateway, "/notes/tasks/")["tasks"]
    ada.says("bye")
    wait(lambda: "ticker Ada" not in get(world.gateway, "/notes/tasks/")["tasks"])


@pytest.mark.parametrize("bot", ["room", "async_room"])
def test_people_of_two_chats_and_a_socket_in_one_group(world: World, bot: str) -> None:
    ada, bob = (world.telegram.bots[bot].user(40 + n, name) for n, name in enumerate(("Ada", "Bob")))
    with socket(world.gateway, "/group/") as listener, Visitor(world.gateway, bot=bot) as visitor:
        visitor.send("message", id="1", text="me too")
        assert ": me too" in visitor.expect("message", sender="bot")["text"]
        assert str(hears(listener)).endswith(": me too")
        dialogue(world.telegram, ada, "first")
        world.telegram.wait(lambda: ada.answers == ["Ada: first"])
        dialogue(world.telegram, bob, "second")
        world.telegram.wait(lambda: ada.answers == ["Ada: first", "Bob: second"])
        listener.send("from a socket")
        assert [hears(listener) for _ in range(3)] == ["Ada: first", "Bob: second", "from a socket"]
        post(world.gateway, "/notes/system_message/", chat="chat", text="Maintenance at noon")
        assert hears(listener) == "Maintenance at noon"
        world.telegram.wait(lambda: ada.answers[-1] == bob.answers[-1] == "Maintenance at noon")
        assert ada.answers == ["Ada: first", "Bob: second", "from a socket", "Maintenance at noon"]
        assert bob.answers == ada.answers[1:]
        heard = [visitor.expect("message", sender="bot")["text"] for _ in range(4)]
        assert heard == ada.answers


def test_one_channel_of_a_bot_by_the_name_in_the_table(world: World) -> None:
    ada = world.telegram.bots["clients"].user(50)
    assert dialogue(world.telegram, ada, "hi") == ["kept"]
    assert post(world.gateway, "/notes/clients/send/") == {"sent": 1}
    world.telegram.wait(lambda: ada.answers == ["kept", "Hello there!"])
    ada.blocks()
    wait(lambda: get(world.gateway, "/notes/clients/") == {"clients": []})
