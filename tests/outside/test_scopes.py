"""Where a scope begins and ends, seen from the chat."""

import time

import pytest

from tests.conftest import StartGateway
from tests.fake_telegram import FakeTelegram, FakeUser, in_thread, wire_token
from tests.gateway_process import GatewayProcess

pytestmark = pytest.mark.timeout(60)


def dialogue(telegram: FakeTelegram, user: FakeUser, *words: str) -> list[str]:
    """Says one thing after the other, each after the answer to the last; the answers."""
    start = len(user.answers)
    for n, word in enumerate(words, start=start + 1):
        user.says(word)
        telegram.wait(lambda n=n: len(user.answers) >= n)  # type: ignore[misc]
    return user.answers[start:]


def test_silence_ends_a_scope(telegram: FakeTelegram, start_gateway: StartGateway) -> None:
    start_gateway({"CONVERSATION_TIMEOUT": "1"}, application="counter")
    ada = telegram.user(7)
    assert dialogue(telegram, ada, "a", "b") == ["a is 1", "b is 2"]
    time.sleep(2.5)
    assert dialogue(telegram, ada, "c") == ["c is 1"]


def test_the_application_ends_a_scope(telegram: FakeTelegram, start_gateway: StartGateway) -> None:
    start_gateway(application="counter")
    ada = telegram.user(7)
    assert dialogue(telegram, ada, "a", "bye", "b") == ["a is 1", "bye is 2", "b is 1"]


@pytest.mark.parametrize(("how", "server"), [("kill", "daphne"), ("terminate", "daphne"), ("terminate", "uvicorn")])
def test_the_session_outlives_the_process(
    telegram: FakeTelegram, start_gateway: StartGateway, server: str, how: str
) -> None:
    gateway = start_gateway(application="counter", server=server)
    ada = telegram.user(7)
    assert dialogue(telegram, ada, "a", "b") == ["a is 1", "b is 2"]
    time.sleep(1)
    getattr(gateway, how)()
    gateway.start()
    assert dialogue(telegram, ada, "c", "d") == ["c is 3 resumed", "d is 4 resumed"]


def test_the_deadline_is_not_forgotten_by_a_restart(telegram: FakeTelegram, start_gateway: StartGateway) -> None:
    gateway = start_gateway({"CONVERSATION_TIMEOUT": "1"}, application="counter")
    ada = telegram.user(7)
    dialogue(telegram, ada, "a")
    gateway.terminate()
    time.sleep(1.5)
    gateway.start()
    time.sleep(1)
    assert dialogue(telegram, ada, "b") == ["b is 1"]


def test_an_exception_costs_one_event_and_says_one_apology(telegram: FakeTelegram, start_gateway: StartGateway) -> None:
    start_gateway(application="fragile")
    ada, bob = telegram.user(7), telegram.user(8)
    for word in ("a", "boom", "b"):
        ada.says(word)
        bob.says("x")
    telegram.wait(lambda: "b is 2" in ada.answers and "x is 3" in bob.answers)
    first, apology, second = ada.answers
    assert (first, second) == ("a is 1", "b is 2")
    assert apology
    assert "boom" not in apology
    assert bob.answers == ["x is 1", "x is 2", "x is 3"]


def test_buttons_in_telegrams_own_words(telegram: FakeTelegram, start_gateway: StartGateway) -> None:
    start_gateway(application="telegram_buttons")
    ada = telegram.user(7)
    assert dialogue(telegram, ada, "tea") == ["sure about tea?"]
    query = ada.presses(ada.chat.last, "no")
    telegram.wait(lambda: ada.answers == ["you chose no"])
    answered = telegram.bot.queries[query]
    assert answered is not None
    assert answered["text"] == "noted"


def test_a_press_that_nobody_handles_does_not_spin(telegram: FakeTelegram, start_gateway: StartGateway) -> None:
    start_gateway(application="chatty")
    ada = telegram.user(7)
    dialogue(telegram, ada, "hi")
    message = ada.chat.last
    message["reply_markup"] = {"inline_keyboard": [[{"text": "Yes", "callback_data": "yes"}]]}
    query = telegram.bot.new_query()
    press = {"id": query, "from": ada.raw, "message": dict(message), "chat_instance": "7", "data": "yes"}
    telegram.put({"callback_query": press}, force=True)
    telegram.wait(lambda: telegram.bot.queries[query] is not None)
    assert ada.answers == ["You said: hi"]


def test_several_bots_by_path() -> None:
    tokens = {"first": wire_token(11), "second": wire_token(12)}
    with in_thread(FakeTelegram(tokens)) as telegram:
        wanted = ",".join(f"{name}={token}" for name, token in tokens.items())
        env = {"TELEGRAM_API_URL": telegram.url, "TELEGRAM_BOTS": wanted}
        with GatewayProcess(env, application="two_bots"):
            people = {name: bot.user(7) for name, bot in telegram.bots.items()}
            for person in people.values():
                person.says("hi")
            telegram.wait(lambda: all(person.answers for person in people.values()))
            assert people["first"].answers == ["first, first: hi"]
            assert people["second"].answers == ["second, second: hi"]
