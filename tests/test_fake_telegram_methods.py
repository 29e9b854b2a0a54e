"""What the fake makes of the methods."""

from typing import Any

import aiohttp
import pytest

from tests.conftest import Caller
from tests.fake_telegram import (
    FakeTelegram,
    wire_token,
)


async def test_a_message_is_sent_shown_and_numbered_by_its_chat(fake: FakeTelegram, call: Caller) -> None:
    ada, bob = fake.user(7), fake.user(8)
    ada.says("hello")
    _, to_ada = await call("sendMessage", chat_id=7, text=" one ")
    _, to_bob = await call("sendMessage", chat_id=8, text="two")
    assert (to_ada["result"]["message_id"], to_bob["result"]["message_id"]) == (2, 1)
    assert (ada.answers, bob.answers) == (["one"], ["two"])
    assert to_ada["result"]["from"]["is_bot"] is True


@pytest.mark.parametrize(
    ("params", "description"),
    [
        ({"text": "x"}, "chat_id is empty"),
        ({"chat_id": 404, "text": "x"}, "chat not found"),
        ({"chat_id": "@nobody", "text": "x"}, "chat not found"),
        ({"chat_id": 7}, "message text is empty"),
        ({"chat_id": 7, "text": " \n"}, "text must be non-empty"),
        ({"chat_id": 7, "text": "x" * 4097}, "message is too long"),
        ({"chat_id": 7, "text": "😀" * 2049}, "message is too long"),
        ({"chat_id": 7, "text": "<b>x", "parse_mode": "HTML"}, "can't parse entities"),
        ({"chat_id": 7, "text": "<x>y</x>", "parse_mode": "HTML"}, "can't parse entities"),
        ({"chat_id": 7, "text": "a.b", "parse_mode": "MarkdownV2"}, "can't parse entities"),
        ({"chat_id": 7, "text": "x", "parse_mode": "rtf"}, "unsupported parse_mode"),
        ({"chat_id": 7, "text": "😀x", "entities": [{"type": "bold", "offset": 1, "length": 1}]}, "UTF-16 symbol"),
        ({"chat_id": 7, "text": "\ud800"}, "must be encoded in UTF-8"),
        ({"chat_id": 7, "text": "x", "message_thread_id": 9}, "message thread not found"),
        ({"chat_id": 7, "text": "x", "business_connection_id": "b"}, "business connection not found"),
        ({"chat_id": 7, "text": "x", "reply_parameters": {"message_id": 99}}, "message to be replied not found"),
        ({"chat_id": 7, "text": "x", "reply_markup": {"inline_keyboard": [[{"text": "a"}]]}}, "Text buttons"),
        (
            {
                "chat_id": 7,
                "text": "x",
                "reply_markup": {"inline_keyboard": [[{"text": "a", "callback_data": "é" * 33}]]},
            },
            "BUTTON_DATA_INVALID",
        ),
    ],
)
async def test_what_telegram_refuses(
    fake: FakeTelegram, call: Caller, params: dict[str, Any], description: str
) -> None:
    fake.user(7)
    status, body = await call("sendMessage", **params)
    assert (status, body["ok"], body["error_code"]) == (400, False, 400)
    assert body["description"].startswith("Bad Request: ")
    assert description in body["description"]
    assert fake.user(7).answers == []


@pytest.mark.parametrize(
    ("text", "mode", "shown"),
    [
        ("😀" * 2048, "", "😀" * 2048),
        ("<b>" + "x" * 4096 + "</b>", "HTML", "x" * 4096),
        ("a &lt; <i>b</i>", "HTML", "a < b"),
        ("*a* [b](http://c.d/) `e.f`", "MarkdownV2", "a b e.f"),
        (r"1\.5", "MarkdownV2", "1.5"),
    ],
)
async def test_the_text_is_counted_after_its_entities(
    fake: FakeTelegram, call: Caller, text: str, mode: str, shown: str
) -> None:
    ada = fake.user(7)
    status, body = await call("sendMessage", chat_id=7, text=text, parse_mode=mode)
    assert (status, ada.answers) == (200, [shown]), body


async def test_forms_queries_and_unknown_parameters_are_understood(fake: FakeTelegram) -> None:
    ada = fake.user(7)
    url = f"{fake.url}/bot{fake.token}/SENDMESSAGE"
    markup = '{"inline_keyboard": [[{"text": "a", "callback_data": "b"}]]}'
    async with aiohttp.ClientSession() as session:
        for request in (
            session.post(url, data={"chat_id": "7", "text": "form", "reply_markup": markup, "unheard_of": "1"}),
            session.get(url, params={"chat_id": "7", "text": "query"}),
            session.post(url, data=aiohttp.FormData({"chat_id": "7", "text": "parts"}, default_to_multipart=True)),
        ):
            async with request as response:
                assert response.status == 200
    assert ada.answers == ["form", "query", "parts"]
    assert ada.chat.bot_messages[0]["reply_markup"]["inline_keyboard"][0][0]["callback_data"] == "b"


async def test_an_edit_must_change_something_of_the_bots_own(fake: FakeTelegram, call: Caller) -> None:
    ada = fake.user(7)
    mine = ada.says("mine")
    await call("sendMessage", chat_id=7, text="one")
    sent = ada.chat.last["message_id"]
    assert (await call("editMessageText", chat_id=7, message_id=sent, text="two"))[0] == 200
    assert ada.answers == ["two"]
    for message_id, text, why in (
        (sent, "two", "message is not modified"),
        (999, "x", "message to edit not found"),
        (mine["message_id"], "x", "message can't be edited"),
    ):
        status, body = await call("editMessageText", chat_id=7, message_id=message_id, text=text)
        assert status == 400
        assert why in body["description"]


async def test_a_press_is_answered_once(fake: FakeTelegram, call: Caller) -> None:
    ada = fake.user(7)
    keyboard = {"inline_keyboard": [[{"text": "Yes", "callback_data": "yes"}]]}
    await call("sendMessage", chat_id=7, text="?", reply_markup=keyboard)
    query = ada.presses(ada.chat.last, "yes")
    _, body = await call("getUpdates")
    assert body["result"][0]["callback_query"]["data"] == "yes"
    assert (await call("answerCallbackQuery", callback_query_id=query))[0] == 200
    assert (await call("answerCallbackQuery", callback_query_id=query))[0] == 400
    with pytest.raises(AssertionError, match="no button"):
        ada.presses(ada.chat.last, "no")


async def test_other_methods_are_accepted_with_a_plausible_result(fake: FakeTelegram, call: Caller) -> None:
    fake.user(7)
    _, photo = await call("sendPhoto", chat_id=7, photo="http://p/", caption="see")
    assert (photo["result"]["caption"], photo["result"]["message_id"]) == ("see", 1)
    assert (await call("setMyCommands", commands=[]))[1]["result"] is True
    assert (await call("inventedMethod", a=1))[1]["result"] is True
    assert fake.bot.calls("inventedMethod")[0].params == {"a": 1}


async def test_places_of_every_kind(fake: FakeTelegram, call: Caller) -> None:
    ada, owner = fake.user(7), fake.user(8)
    topic = fake.supergroup(-1001, forum=True).topic(42)
    channel, business = fake.channel(-1002), fake.business("biz", owner)
    ada.says("in a topic", topic)
    channel.posts("news")
    ada.says("to a business", business)
    _, body = await call("getUpdates")
    connection, message, post, business_message = (
        next(value for key, value in update.items() if key != "update_id") for update in body["result"]
    )
    assert connection["id"] == business_message["business_connection_id"] == "biz"
    assert (message["message_thread_id"], post["sender_chat"]["id"]) == (42, -1002)
    await call("sendMessage", chat_id=-1001, message_thread_id=42, text="in the topic")
    await call("sendMessage", chat_id=7, business_connection_id="biz", text="for the owner")
    assert (topic.answers, business.answers(ada.chat)) == (["in the topic"], ["for the owner"])


async def test_somebody_who_blocked_the_bot_is_403(fake: FakeTelegram, call: Caller) -> None:
    ada = fake.user(7)
    ada.blocks()
    status, body = await call("sendMessage", chat_id=7, text="x")
    assert (status, body["description"]) == (403, "Forbidden: bot was blocked by the user")
    ada.unblocks()
    assert (await call("sendMessage", chat_id=7, text="x"))[0] == 200


async def test_bots_are_apart() -> None:
    async with FakeTelegram({"one": wire_token(1), "two": wire_token(2)}) as fake, aiohttp.ClientSession() as session:
        one, two = fake.bots.values()
        one.user(7).says("to one")
        two.user(7)
        async with session.get(f"{fake.url}/bot{two.token}/getUpdates") as response:
            assert (await response.json())["result"] == []
        async with session.get(f"{fake.url}/bot{one.token}/getUpdates") as response:
            assert len((await response.json())["result"]) == 1
