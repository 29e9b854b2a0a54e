"""The fake delivers to a webhook as Telegram does."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest_asyncio
from aiohttp import web

from tests.conftest import Caller
from tests.fake_telegram import (
    FakeTelegram,
)


class Receiver:
    """A webhook that answers as told and notes what it gets."""

    def __init__(self) -> None:
        self.updates: list[dict[str, Any]] = []
        self.secrets: list[str | None] = []
        self.answers: list[web.Response] = []
        self.open: dict[int, int] = {}
        self.most_open_in_a_chat = 0
        self.pause = 0.0
        self.url = ""

    async def handle(self, request: web.Request) -> web.Response:
        update = await request.json()
        chat = update["message"]["chat"]["id"] if "message" in update else 0
        self.open[chat] = self.open.get(chat, 0) + 1
        self.most_open_in_a_chat = max(self.most_open_in_a_chat, self.open[chat])
        self.updates.append(update)
        self.secrets.append(request.headers.get("X-Telegram-Bot-Api-Secret-Token"))
        answer = self.answers.pop(0) if self.answers else web.Response()
        await asyncio.sleep(self.pause)
        self.open[chat] -= 1
        return answer

    @property
    def texts(self) -> list[str]:
        return [update["message"]["text"] for update in self.updates if "message" in update]


@pytest_asyncio.fixture
async def receiver() -> AsyncIterator[Receiver]:
    receiver = Receiver()
    app = web.Application()
    app.router.add_post("/hook", receiver.handle)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    receiver.url = f"http://127.0.0.1:{runner.addresses[0][1]}/hook"
    yield receiver
    await runner.cleanup()


async def test_a_webhook_gets_what_waited_in_order_with_the_secret(
    fake: FakeTelegram, call: Caller, receiver: Receiver
) -> None:
    receiver.pause = 0.01
    for n in range(6):
        fake.user(7 + n % 2).says(str(n))
    await call("setWebhook", url=receiver.url, secret_token="s-1_A")
    await fake.wait_for(lambda: not fake.bot.updates.waiting)
    assert receiver.texts[::1].index("0") < receiver.texts.index("2") < receiver.texts.index("4")
    assert receiver.texts.index("1") < receiver.texts.index("3") < receiver.texts.index("5")
    assert set(receiver.secrets) == {"s-1_A"}
    assert receiver.most_open_in_a_chat == 1
    fake.user(7).says("later")
    await fake.wait_for(lambda: receiver.texts[-1] == "later")


async def test_a_refused_update_is_repeated_before_the_next_of_its_chat(
    fake: FakeTelegram, call: Caller, receiver: Receiver
) -> None:
    receiver.answers = [web.Response(status=500) for _ in range(3)]
    fake.user(7).says("first")
    fake.user(7).says("second")
    await call("setWebhook", url=receiver.url)
    await fake.wait_for(lambda: not fake.bot.updates.waiting)
    assert receiver.texts == ["first"] * 4 + ["second"]
    starts = [attempt.began for attempt in fake.bot.webhook.attempts]
    assert starts[3] - starts[2] > 2 * 0.025 * 0.9
    info = (await call("getWebhookInfo"))[1]["result"]
    assert info["pending_update_count"] == 0
    assert "500" in info["last_error_message"]


async def test_retry_after_is_honoured_and_other_chats_go_on(
    fake: FakeTelegram, call: Caller, receiver: Receiver
) -> None:
    receiver.answers = [web.Response(status=503, headers={"Retry-After": "1"})]
    fake.user(7).says("held up")
    await call("setWebhook", url=receiver.url)
    await fake.wait_for(lambda: receiver.updates)
    fake.user(8).says("free")
    await fake.wait_for(lambda: receiver.texts == ["held up", "free", "held up"])

    def held_up() -> list[Any]:
        return [attempt for attempt in fake.bot.webhook.attempts if attempt.lane == "chat 7"]

    await fake.wait_for(lambda: len(held_up()) == 2)
    held = held_up()
    assert held[1].began - held[0].ended >= 0.99


async def test_a_press_overtakes_the_messages_of_its_chat(fake: FakeTelegram, call: Caller, receiver: Receiver) -> None:
    ada = fake.user(7)
    keyboard = {"inline_keyboard": [[{"text": "Yes", "callback_data": "yes"}]]}
    await call("sendMessage", chat_id=7, text="?", reply_markup=keyboard)
    receiver.answers = [web.Response(status=503, headers={"Retry-After": "1"})]
    await call("setWebhook", url=receiver.url)
    ada.says("stuck")
    await fake.wait_for(lambda: receiver.updates)
    ada.presses(ada.chat.last, "yes")
    await fake.wait_for(lambda: len(receiver.updates) == 2)
    assert "callback_query" in receiver.updates[1]


async def test_an_update_that_has_lived_too_long_is_dropped(
    fake: FakeTelegram, call: Caller, receiver: Receiver
) -> None:
    fake.bot.long_life = 0.2
    receiver.answers = [web.Response(status=500) for _ in range(50)]
    fake.user(7).says("lost")
    await call("setWebhook", url=receiver.url)
    await fake.wait_for(lambda: not fake.bot.updates.waiting)
    assert 2 <= len(receiver.updates) < 50


async def test_set_info_and_delete_of_a_webhook(fake: FakeTelegram, call: Caller) -> None:
    fake.user(7).says("dropped")
    assert (await call("setWebhook", url="nonsense"))[0] == 400
    assert (await call("setWebhook", url="http://127.0.0.1:9/", secret_token="not allowed"))[0] == 400
    params = {"max_connections": 7, "allowed_updates": ["message"], "drop_pending_updates": True}
    assert (await call("setWebhook", url="http://127.0.0.1:9/", **params))[0] == 200
    info = (await call("getWebhookInfo"))[1]["result"]
    assert (info["url"], info["max_connections"], info["allowed_updates"]) == ("http://127.0.0.1:9/", 7, ["message"])
    assert info["pending_update_count"] == 0
    fake.user(7).says("waits for nobody")
    await call("deleteWebhook", drop_pending_updates=True)
    assert (await call("getWebhookInfo"))[1]["result"]["url"] == ""
    assert (await call("getUpdates"))[1]["result"] == []


async def test_a_webhook_may_answer_with_a_method(fake: FakeTelegram, call: Caller, receiver: Receiver) -> None:
    ada = fake.user(7)
    receiver.answers = [web.json_response({"method": "sendMessage", "chat_id": 7, "text": "by the way"})]
    ada.says("hi")
    await call("setWebhook", url=receiver.url)
    await fake.wait_for(lambda: ada.answers == ["by the way"])
