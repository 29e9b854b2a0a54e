import asyncio
import contextvars
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from msgspec.structs import replace

from gateway.errors import Flooded, Later, Refused, Unknown
from gateway.protocols import find_protocols
from gateway.telegram import bots, registration
from gateway.telegram.answers import NotFound
from gateway.telegram.delivery import text_messages
from gateway.telegram.places import Places
from gateway.telegram.server import Server
from gateway.types import Delivery, Sent
from tests.telegram_stand_in import TOKEN, BotApi, Failure, StandInEngine, bot_api, raw, until
from tests.telegram_updates import message

WEBHOOK = "https://e.example"
REGISTERED = {"url": f"{WEBHOOK}/telegram/bot/", "allowed_updates": ["callback_query", "message", "my_chat_member"]}


@asynccontextmanager
async def serving(
    settings: Any, *, script: dict[str, list[Any]] | None = None, engine: StandInEngine | None = None
) -> AsyncIterator[tuple[BotApi, Server]]:
    async with bot_api() as api:
        api.script = script or {}
        settings.TELEGRAM_BOT_TOKEN = TOKEN
        settings.TELEGRAM_API_URL = api.url
        server = Server(engine or StandInEngine())  # type: ignore[arg-type]
        await server.start()
        try:
            yield api, server
        finally:
            await server.stop_accepting()
            await server.stop()


def delivery(
    method: str, params: dict[str, Any], *, parts: list[int] | None = None, target: int | None = None
) -> tuple[Delivery, list[int]]:
    out = list(parts or [])

    async def part_sent(message_id: int) -> None:
        out.append(message_id)

    return Delivery(1, "bot", method, params, "", {"chat_id": 1}, list(parts or []), target, part_sent), out


def test_the_engine_finds_it() -> None:
    assert Server in find_protocols()


async def test_without_a_token_telegram_is_off_and_says_so(settings: Any, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    settings.TELEGRAM_BOT_TOKEN, settings.TELEGRAM_BOTS = "", {}
    server = Server(StandInEngine())  # type: ignore[arg-type]
    await server.start()
    assert [record.message for record in caplog.records if "Telegram is off" in record.message]
    assert server.health() == {}
    with pytest.raises(Later):
        await server.deliver(delivery("send_message", {"text": "a"})[0])
    await server.stop_accepting()
    await server.stop()


def test_bots_by_name(settings: Any, caplog: pytest.LogCaptureFixture) -> None:
    settings.TELEGRAM_BOT_TOKEN = "1:a"
    settings.TELEGRAM_BOTS = {"shop": "2:b", " help ": " 3:c ", "no/name": "4:d", "empty": ""}
    assert bots.tokens() == {"shop": "2:b", "help": "3:c", "bot": "1:a"}
    assert "4:d" not in caplog.text


async def test_polling_from_start_to_stop(settings: Any) -> None:
    engine = StandInEngine()
    script = {"getUpdates": [[{"update_id": 7, "message": message()}]]}
    async with serving(settings, script=script, engine=engine) as (api, server):
        await until(lambda: len(api.of("getUpdates")) == 2)
        assert [inbound.update_id for inbound in engine.accepted] == [7]
        assert server.health() == {}
        ages = server.contact_ages()
        assert ages["bot"] is not None
        await server.stop_accepting()
        polls = len(api.of("getUpdates"))
        await asyncio.sleep(0.1)
        assert len(api.of("getUpdates")) == polls


async def test_a_start_does_not_wait_for_the_outside(settings: Any) -> None:
    never = asyncio.Event()

    async def hang(request: Any) -> Any:
        await never.wait()

    async with asyncio.timeout(5), serving(settings, script={"getWebhookInfo": [hang]}) as (api, _):
        await until(lambda: api.of("getWebhookInfo"))


async def test_its_tasks_start_in_an_empty_context(settings: Any) -> None:
    colour: contextvars.ContextVar[str] = contextvars.ContextVar("colour")
    colour.set("red")
    seen: list[str] = []

    class Looking(StandInEngine):
        async def accept(self, inbounds: Any) -> Any:
            seen.append(colour.get("none"))
            return await super().accept(inbounds)

    script = {"getUpdates": [[{"update_id": 7, "message": message()}]]}
    async with serving(settings, script=script, engine=Looking()):
        await until(lambda: seen)
    assert seen == ["none"]


async def test_a_bot_without_an_application_takes_nothing_in(settings: Any) -> None:
    async with serving(settings, engine=StandInEngine(routed=False)) as (api, server):
        await asyncio.sleep(0.05)
        assert api.calls == []
        assert "application map" in server.health()["telegram bot"]


async def test_a_refused_token_is_in_health(settings: Any) -> None:
    async with serving(settings, script={"getWebhookInfo": [Failure(401, "Unauthorized")]}) as (_, server):
        await until(server.health)
        assert "TELEGRAM_BOT_TOKEN" in server.health()["telegram bot"]


async def test_the_webhook_is_registered_where_it_differs(settings: Any) -> None:
    settings.TELEGRAM_WEBHOOK_URL = WEBHOOK
    settings.TELEGRAM_WEBHOOK_SECRET = ""
    async with serving(settings) as (api, server):
        await until(lambda: api.of("setWebhook"))
        await until(lambda: server.contact_ages()["bot"] is not None)
        [params] = api.of("setWebhook")
        assert params["url"] == REGISTERED["url"]
        assert params["secret_token"] == bots.webhook_secret("bot")
        assert sorted(params["allowed_updates"]) == REGISTERED["allowed_updates"]
        assert api.of("getUpdates") == []
    assert api.of("deleteWebhook") == []


async def test_a_webhook_that_is_right_is_left_alone(settings: Any) -> None:
    settings.TELEGRAM_WEBHOOK_URL = WEBHOOK
    async with serving(settings, script={"getWebhookInfo": [REGISTERED]}) as (api, server):
        await until(lambda: server.contact_ages()["bot"] is not None)
        assert api.of("setWebhook") == []


@pytest.mark.parametrize(
    "info",
    [
        REGISTERED | {"url": "https://other"},
        REGISTERED | {"allowed_updates": ["message"]},
        REGISTERED | {"last_error_message": "Wrong response from the webhook: 401 Unauthorized"},
        {"url": REGISTERED["url"]},
    ],
)
async def test_a_webhook_that_differs_is_registered_anew(settings: Any, info: dict[str, Any]) -> None:
    settings.TELEGRAM_WEBHOOK_URL = WEBHOOK
    async with serving(settings, script={"getWebhookInfo": [info]}) as (api, _):
        await until(lambda: api.of("setWebhook"))


async def test_a_webhook_that_vanishes_is_registered_again(settings: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registration, "WATCH_SECONDS", 0.02)
    settings.TELEGRAM_WEBHOOK_URL = WEBHOOK
    vague = {"url": REGISTERED["url"]}
    script = {"getWebhookInfo": [REGISTERED, vague, vague, {"url": ""}, *[REGISTERED] * 999]}
    async with serving(settings, script=script) as (api, _):
        await until(lambda: len(api.of("getWebhookInfo")) >= 6)
        assert len(api.of("setWebhook")) == 1


async def test_registration_is_tried_again(settings: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registration, "REFUSED_PAUSE", 0.02)
    monkeypatch.setattr(registration.Backoff, "next", lambda self, at_least=None: 0.02)
    settings.TELEGRAM_WEBHOOK_URL = WEBHOOK
    script = {"getWebhookInfo": [Failure(500), Failure(401), raw(200, b"?"), [1]], "setWebhook": [Failure(400)]}
    async with serving(settings, script=script) as (api, server):
        await until(lambda: len(api.of("setWebhook")) == 2)
        await until(lambda: not server.health())


async def test_a_text_goes_out_and_its_id_comes_with_its_end_state(settings: Any) -> None:
    async with serving(settings, script={"sendMessage": [{"message_id": 70, "text": "a"}]}) as (api, server):
        row, parts = delivery("send_message", {"chat_id": 1, "text": "a", "reply_markup": {"inline_keyboard": []}})
        assert await server.deliver(row) == Sent(70, {"message_id": 70, "text": "a"})
        assert api.of("sendMessage") == [row.params]
        assert parts == []


async def test_a_long_text_goes_out_in_parts(settings: Any) -> None:
    script = {"sendMessage": [{"message_id": 70}, {"message_id": 71}, {"message_id": 72}]}
    params = {
        "chat_id": 1, "text": "word " * 2000, "reply_markup": {"inline_keyboard": []},
        "reply_parameters": {"message_id": 5},
    }  # fmt: skip
    async with serving(settings, script=script) as (api, server):
        row, parts = delivery("send_message", params)
        assert (await server.deliver(row)).id == 72
        first, middle, last = api.of("sendMessage")
    assert first["text"] + middle["text"] + last["text"] == params["text"]
    assert parts == [70, 71]
    assert ["reply_markup" in sent for sent in (first, middle, last)] == [False, False, True]
    assert ["reply_parameters" in sent for sent in (first, middle, last)] == [True, False, False]


async def test_parts_that_are_out_are_not_sent_again(settings: Any) -> None:
    async with serving(settings, script={"sendMessage": [{"message_id": 72}]}) as (api, server):
        row, parts = delivery("send_message", {"chat_id": 1, "text": "word " * 2000}, parts=[70, 71])
        assert (await server.deliver(row)).id == 72
        assert parts == [70, 71]
        assert len(api.of("sendMessage")) == 1


async def test_a_part_is_committed_before_the_next_call(settings: Any) -> None:
    async with serving(settings, script={"sendMessage": [{"message_id": 70}, Failure(400)]}) as (_, server):
        row, parts = delivery("send_message", {"chat_id": 1, "text": "word " * 2000})
        with pytest.raises(Refused):
            await server.deliver(row)
        assert parts == [70]


def test_entities_go_with_their_parts() -> None:
    params = {"text": "x" * 5000, "entities": [{"type": "bold", "offset": 4990, "length": 10}]}
    first, last = text_messages(params)
    assert first["entities"] == []
    [entity] = last["entities"]
    assert entity["offset"] + entity["length"] == len(last["text"])


async def test_an_edit_reaches_the_message_that_its_ref_names(settings: Any) -> None:
    async with serving(settings) as (api, server):
        row, _ = delivery("edit_message_text", {"chat_id": 1, "text": "b"}, target=70)
        assert (await server.deliver(row)).id == 70
        row, _ = delivery("edit_message_text", {"chat_id": 1, "text": "b", "message_id": 5}, target=70)
        await server.deliver(row)
        row, _ = delivery("edit_message_text", {"inline_message_id": "i", "text": "b"})
        await server.deliver(row)
        assert [sent.get("message_id") for sent in api.of("editMessageText")] == [70, 5, None]


async def test_an_edit_of_nothing_is_refused(settings: Any) -> None:
    async with serving(settings) as (api, server):
        with pytest.raises(Refused, match="ref"):
            await server.deliver(delivery("edit_message_text", {"chat_id": 1, "text": "b"})[0])
        assert api.of("editMessageText") == []


async def test_an_edit_that_changes_nothing_is_done(settings: Any) -> None:
    script = {"editMessageText": [Failure(400, "Bad Request: message is not modified: …"), Failure(400, "no")]}
    async with serving(settings, script=script) as (_, server):
        row, _ = delivery("edit_message_text", {"chat_id": 1, "text": "b"}, target=70)
        assert (await server.deliver(row)).id == 70
        with pytest.raises(Refused):
            await server.deliver(row)


async def test_an_album_has_many_ids(settings: Any) -> None:
    async with serving(settings, script={"sendMediaGroup": [[{"message_id": 70}, {"message_id": 71}]]}) as (
        api,
        server,
    ):
        row, parts = delivery("send_media_group", {"chat_id": 1, "media": []})
        assert (await server.deliver(row)).id == 71
        assert parts == [70, 71]
        assert await server.deliver(delivery("send_media_group", {}, parts=parts)[0]) == Sent(71)
        assert len(api.of("sendMediaGroup")) == 1


async def test_a_call_brings_what_it_brings(settings: Any) -> None:
    async with serving(settings, script={"getChatMemberCount": [12], "sendPhoto": [{"message_id": 70}]}) as (_, server):
        assert await server.deliver(delivery("get_chat_member_count", {"chat_id": 1})[0]) == Sent(None, 12)
        assert (await server.deliver(delivery("send_photo", {"chat_id": 1})[0])).id == 70


async def test_a_group_that_moved_is_followed(settings: Any) -> None:
    moved = Failure(400, "Bad Request: group chat was upgraded to a supergroup chat", {"migrate_to_chat_id": -1009})
    async with serving(settings, script={"sendMessage": [moved, {"message_id": 70}]}) as (api, server):
        assert (await server.deliver(delivery("send_message", {"chat_id": -9, "text": "a"})[0])).id == 70
        assert [sent["chat_id"] for sent in api.of("sendMessage")] == [-9, -1009]


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        (Failure(403), Refused),
        (Failure(429), Later),
        (Failure(503), Later),
        (Failure(504), Unknown),
        (raw(200, b"?"), Unknown),
    ],
)
async def test_what_goes_wrong_is_said_in_the_outboxs_words(settings: Any, answer: Any, kind: type[Exception]) -> None:
    async with serving(settings, script={"sendMessage": [answer]}) as (_, server):
        with pytest.raises(kind):
            await server.deliver(delivery("send_message", {"chat_id": 1, "text": "a"})[0])


# Calls that are made this very moment


async def begun(server: Server, row: Delivery) -> Sent:
    """What becomes of a call that was begun, as `deliver` gives it."""
    await server.bots["bot"].client.call("get_me")  # Now there is a line.
    told: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
    assert server.begin(row, told.set_result)
    assert not told.done()
    found = await told
    sent = found if isinstance(found, Sent) else await found()
    assert isinstance(sent, Sent)
    return sent


async def test_a_short_text_can_go_this_very_moment_where_a_line_is_free(settings: Any) -> None:
    async with serving(settings, script={"sendMessage": [{"message_id": 70}]}) as (api, server):
        row, parts = delivery("send_message", {"chat_id": 1, "text": "a"})
        assert not server.begin(replace(row, bot="nobody"), print)
        await server.stop_accepting()
        for line in tuple(server.bots["bot"].client._lines._open if server.bots["bot"].client._lines else ()):
            line.drop()
        assert not server.begin(row, print)
        assert await begun(server, row) == Sent(70, {"message_id": 70})
        assert (api.of("sendMessage"), parts) == ([{"chat_id": 1, "text": "a"}], [])
        long, _ = delivery("send_message", {"chat_id": 1, "text": "a" * 4097})
        out, _ = delivery("send_message", {"chat_id": 1, "text": "a"}, parts=[70])
        odd, _ = delivery("send_message", {"chat_id": 1, "text": "a", "x": object()})
        for other in (long, out, odd, delivery("send_photo", {"chat_id": 1})[0]):
            assert not server.begin(other, print)
        assert server.bots["bot"].places._free == bots.SENDS_AT_ONCE


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        (Failure(400), Refused),
        (Failure(403), Refused),
        (Failure(429, "Too Many Requests", {"retry_after": 3}), Flooded),
        (Failure(401, "Unauthorized"), Later),
        (raw(404, b"<html>nothing here"), Later),
        (Failure(504), Unknown),
        (raw(200, b"?"), Unknown),
    ],
)
async def test_what_goes_wrong_with_it_is_said_in_the_same_words(
    settings: Any, answer: Any, kind: type[Exception]
) -> None:
    async with serving(settings, script={"sendMessage": [answer, answer]}) as (_, server):
        row, _ = delivery("send_message", {"chat_id": 1, "text": "a"})
        with pytest.raises(kind) as straight:
            await begun(server, row)
        with pytest.raises(kind) as patient:
            await server.deliver(row)
        assert (str(straight.value), vars(straight.value)) == (str(patient.value), vars(patient.value))
        assert server.bots["bot"].places._free == bots.SENDS_AT_ONCE


async def test_a_line_that_is_cut_under_it_leaves_a_doubt(settings: Any) -> None:
    async def cut(request: Any) -> Any:
        request.transport.abort()
        await asyncio.sleep(1)

    async with serving(settings, script={"sendMessage": [cut]}) as (_, server):
        with pytest.raises(Unknown, match="cut under the call"):
            await begun(server, delivery("send_message", {"chat_id": 1, "text": "a"})[0])


async def test_a_group_that_moved_under_it_is_followed(settings: Any) -> None:
    moved = Failure(400, "Bad Request: group chat was upgraded to a supergroup chat", {"migrate_to_chat_id": -1009})
    async with serving(settings, script={"sendMessage": [moved, {"message_id": 70}]}) as (api, server):
        assert (await begun(server, delivery("send_message", {"chat_id": -9, "text": "a"})[0])).id == 70
        assert [sent["chat_id"] for sent in api.of("sendMessage")] == [-9, -1009]


async def test_places_are_given_in_turn() -> None:
    places, order = Places(1), []
    assert places.take()
    assert not places.take()

    async def use(name: str) -> None:
        async with places:
            order.append(name)

    first, second, third = (asyncio.create_task(use(name)) for name in "abc")
    await asyncio.sleep(0)
    first.cancel()
    places.free()
    second.cancel()  # At the very moment at which it is given one.
    await third
    assert order == ["c"]
    assert places.take()


NOT_FOUND = Failure(404, "Not Found")


@pytest.mark.parametrize(
    ("answer", "named"),
    [
        (NOT_FOUND, "TELEGRAM_API_URL"),
        (NOT_FOUND, "TELEGRAM_BOT_TOKEN"),
        (Failure(401, "Unauthorized"), "TELEGRAM_BOT_TOKEN"),
        (raw(403, b"<html>a firewall"), "TELEGRAM_API_URL"),
        (raw(404, b"<html>nothing here"), "TELEGRAM_API_URL"),
    ],
)
async def test_words_wait_where_the_token_or_the_address_is_what_is_wrong(
    settings: Any, answer: Any, named: str, caplog: pytest.LogCaptureFixture
) -> None:
    script = {
        "getWebhookInfo": [NOT_FOUND],
        "getUpdates": [NOT_FOUND],
        "sendMessage": [answer, answer, {"message_id": 7}],
    }
    async with serving(settings, script=script) as (_, server):
        await until(lambda: server.bots["bot"].contact.trouble)
        hello = delivery("send_message", {"chat_id": 1, "text": "a"})[0]
        for _ in range(2):
            with pytest.raises(Later):
                await server.deliver(hello)
        server.bots["bot"].contact.succeeded()  # Whatever the polls hear.
        assert "Words wait" in server.health()["telegram bot"]
        assert named in server.health()["telegram bot"]
        assert (await server.deliver(hello)).id == 7
        assert server.health() == {}
    told = [record for record in caplog.records if record.levelname == "ERROR" and named in record.message]
    assert 1 <= len(told) <= 2  # By the polls, and by the sends.


async def test_a_method_that_there_is_not_is_refused_where_the_token_is_good(settings: Any) -> None:
    async with serving(settings, script={"sendGreeting": [NOT_FOUND]}) as (_, server):
        await until(lambda: server.bots["bot"].client.is_proven)
        with pytest.raises(NotFound):
            await server.deliver(delivery("send_greeting", {"chat_id": 1})[0])
        assert server.health() == {}


async def hang(request: Any) -> Any:
    await asyncio.sleep(30)


async def test_sends_wait_for_no_poll_however_many_bots_there_are(settings: Any) -> None:
    settings.TELEGRAM_BOTS = {f"bot{number}": TOKEN for number in range(150)}
    async with serving(settings) as (api, server):
        await until(lambda: len(api.of("getUpdates")) == 151)  # Each of them is waited for, for as long as it takes.
        async with asyncio.timeout(5):
            await server.deliver(delivery("send_message", {"chat_id": 1, "text": "a"})[0])


async def test_a_bots_sends_are_bounded_and_delay_neither_its_polls_nor_another_bot(
    settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bots, "SENDS_AT_ONCE", 3)
    settings.TELEGRAM_BOTS = {"other": TOKEN}
    script: dict[str, list[Any]] = {"sendMessage": [hang] * 3, "getUpdates": [hang, hang, []]}
    async with serving(settings, script=script) as (api, server):
        await until(lambda: len(api.of("getUpdates")) == 2)
        hello = delivery("send_message", {"chat_id": 1, "text": "a"})[0]
        sends = [asyncio.create_task(server.deliver(hello)) for _ in range(5)]
        await until(lambda: len(api.of("sendMessage")) == 3)
        async with asyncio.timeout(5):
            await server.deliver(replace(hello, bot="other"))
            await server.bots["bot"].client.call("get_updates", silence=5)
        assert len(api.of("sendMessage")) == 4
        for send in sends:
            send.cancel()
        await asyncio.wait(sends)


def test_a_lane_is_a_chat() -> None:
    server = Server(StandInEngine())  # type: ignore[arg-type]
    lanes = [
        server.lane(address)
        for address in (
            {"chat_id": 1},
            {"chat_id": 1, "message_thread_id": 5},
            {"chat_id": 1, "business_connection_id": "b"},
            {"chat_id": 2},
            {},
        )
    ]
    assert lanes[0] == lanes[1]
    assert len(set(lanes)) == 4


async def command(settings: Any, api: BotApi, *args: str) -> None:
    settings.TELEGRAM_BOT_TOKEN, settings.TELEGRAM_API_URL = TOKEN, api.url
    settings.TELEGRAM_WEBHOOK_URL = WEBHOOK
    await asyncio.to_thread(call_command, "telegram_webhook", *args)


async def test_the_command_sets_shows_and_deletes(settings: Any, capsys: pytest.CaptureFixture[str]) -> None:
    async with bot_api() as api:
        api.script["getWebhookInfo"] = [REGISTERED | {"pending_update_count": 3}]
        await command(settings, api, "set", "--bot", "bot")
        await command(settings, api, "info")
        await command(settings, api, "delete")
    out = capsys.readouterr().out
    assert [method for method, _ in api.calls] == ["setWebhook", "getWebhookInfo", "deleteWebhook"]
    assert api.of("setWebhook")[0]["allowed_updates"] == ["message", "my_chat_member"]
    assert f"bot: Telegram sends its updates to {WEBHOOK}/telegram/bot/" in out
    assert "pending update count: 3" in out
    assert TOKEN not in out
    assert bots.webhook_secret("bot") not in out


async def test_the_command_says_what_is_missing(settings: Any, capsys: pytest.CaptureFixture[str]) -> None:
    async with bot_api() as api:
        with pytest.raises(CommandError, match="nobody"):
            await command(settings, api, "info", "--bot", "nobody")
        api.script["getWebhookInfo"] = [Failure(401, "Unauthorized")]
        with pytest.raises(CommandError):
            await command(settings, api, "info")
        assert "401" in capsys.readouterr().err
    settings.TELEGRAM_BOT_TOKEN = ""
    with pytest.raises(CommandError, match="Telegram is off"):
        await asyncio.to_thread(call_command, "telegram_webhook", "info")
    settings.TELEGRAM_BOT_TOKEN, settings.TELEGRAM_WEBHOOK_URL = TOKEN, ""
    with pytest.raises(CommandError, match="TELEGRAM_WEBHOOK_URL"):
        await asyncio.to_thread(call_command, "telegram_webhook", "set")
