"""Every kind of update has a way in, and none of them stops the server."""

import pytest

from tests.conftest import StartGateway
from tests.fake_telegram import KINDS, FakeTelegram, one_of_each_kind

pytestmark = pytest.mark.timeout(60)


@pytest.mark.parametrize("mode", [{}, {"TELEGRAM_WEBHOOK_URL": "{url}"}], ids=["polling", "webhook"])
def test_every_kind_is_confirmed_and_the_next_message_answered(
    telegram: FakeTelegram, start_gateway: StartGateway, mode: dict[str, str]
) -> None:
    gateway = start_gateway(mode)
    ada = telegram.user(7)
    queued = [telegram.put(update, force=True) for update in one_of_each_kind(ada).values()]
    telegram.wait(lambda: not telegram.bot.updates.waiting, within=20)
    confirmed = set(telegram.bot.updates.confirmed)
    assert {update["update_id"] for update in queued if update} <= confirmed
    assert len(confirmed) == len(KINDS)
    ada.says("still there?")
    telegram.wait(lambda: "You said: still there?" in ada.answers)
    assert gateway.running
    assert all(attempt.status == 200 for attempt in telegram.bot.webhook.attempts)


def test_places_of_every_kind_are_answered_where_they_are(telegram: FakeTelegram, start_gateway: StartGateway) -> None:
    start_gateway()
    ada, bob = telegram.user(7), telegram.user(8)
    group = telegram.group(-500)
    forum = telegram.supergroup(-1001, forum=True)
    red, blue = forum.topic(3), forum.topic(4)
    shop = telegram.business("shop", bob)
    for place in (None, group, red, blue, shop):
        ada.says("here", place)
    bob.says("there", group)
    telegram.wait(lambda: len(telegram.bot.answers.get(-500, [])) == 2 and red.answers and blue.answers)
    telegram.wait(lambda: len(ada.answers) >= 1)
    assert sorted(group.answers) == ["You said: here", "You said: there"]
    assert red.answers == blue.answers == ["You said: here"]
    assert len(forum.answers) == 2


def test_an_offset_that_was_far_away_is_no_gap(telegram: FakeTelegram, start_gateway: StartGateway) -> None:
    """After a quiet week Telegram's next update id is any number, also a smaller one."""
    start_gateway()
    ada = telegram.user(7)
    ada.says("high")
    telegram.wait(lambda: ada.answers == ["You said: high"])
    said = telegram.bot.say_in(ada.chat, {"from": ada.raw, "text": "low"})
    telegram.put({"update_id": 17, "message": said})
    telegram.wait(lambda: ada.answers == ["You said: high", "You said: low"])
