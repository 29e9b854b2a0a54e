"""What did not arrive is sent again or dropped, what was not handled is fed again: by operators and by the command."""

from io import StringIO
from typing import Any

import pytest
from asgiref.sync import sync_to_async
from channels.consumer import AsyncConsumer
from django.contrib.auth.models import Permission, User
from django.core.management import CommandError, call_command
from django.test import Client as Browser

from bots.chatty import ChattyBotConsumer
from gateway import outbox
from gateway.engine import Engine
from gateway.errors import Denied, Refused, Unknown
from gateway.models import Bot, Conversation, Message, Status
from gateway.transcript import Memory, Say
from gateway.transcript.mending import Drop, Resend
from gateway.types import Outbound
from gateway.writer import run_group
from tests.communicator import Chat, eventually
from tests.engine_moments import outside, stop, until_all_sent
from tests.engines import StartEngine, start

__all__ = ["start"]

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def ann(transactional_db: None) -> User:
    return User.objects.create_user("ann", first_name="Ann", last_name="Lee", is_staff=True)


@pytest.fixture(autouse=True)
def brisk(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(outbox, "FIRST_PAUSE_SECONDS", 0.01)


class Once(AsyncConsumer):
    async def telegram_message(self, message: dict[str, Any]) -> None:
        await self.send({"type": "telegram.message", "text": f"once {message['text']}", "at_most_once": True})


async def row_with(**query: Any) -> Message:
    async def there() -> bool:
        return await Message.objects.filter(**query).aexists()

    await eventually(there, f"a row with {query}")
    return await Message.objects.filter(**query).afirst()  # type: ignore[return-value]


async def unknown(engine: Engine) -> tuple[Chat, Message]:
    chat = Chat(engine, 1)
    outside(engine).faults = [Unknown("cut")]
    await chat.says("a")
    return chat, await row_with(status=Status.UNKNOWN)


# Sent again, dropped


async def test_an_unknown_row_is_sent_again_behind_what_waits(start: StartEngine, ann: User) -> None:
    engine = await start(Once.as_asgi())
    chat, row = await unknown(engine)
    outside(engine).delay = 0.1
    await chat.says("b")
    await row_with(status=Status.SENDING)
    await engine.resend(row.pk, ann, conversation=row.conversation_id)
    queued = await Message.objects.aget(pk=row.pk)
    assert (queued.status, queued.error) == (Status.QUEUED, "Sent again by Ann Lee.")
    assert await chat.heard(2) == ["once b", "once a"]
    (sent, _) = await until_all_sent(chat)
    assert (sent.status, sent.error, sent.unknowns, sent.seq) == (Status.SENT, "", 1, row.seq)
    with pytest.raises(Denied, match="went out and is sent: it cannot be sent again"):
        await engine.resend(row.pk, ann)


async def test_a_dropped_row_stays_for_operators_alone(start: StartEngine, ann: User) -> None:
    engine = await start(Once.as_asgi())
    chat, row = await unknown(engine)
    await engine.drop(row.pk, ann)
    dropped = await Message.objects.aget(pk=row.pk)
    assert (dropped.status, dropped.error) == (Status.NOTE, "Dropped by Ann Lee. cut")
    for mend in (engine.drop, engine.resend, engine.replay):
        with pytest.raises(Denied):
            await mend(row.pk, ann)
    assert chat._texts() == []


async def test_at_most_once_of_a_bot_is_never_sent_twice(start: StartEngine) -> None:
    await Bot.objects.acreate(name="bot", at_most_once=True)
    engine = await start(ChattyBotConsumer.as_asgi())
    chat, row = await unknown(engine)
    await chat.says("b")
    assert await chat.heard(1) == ["You said: b"]
    assert (await Message.objects.aget(pk=row.pk)).unknowns == 1


async def test_a_row_of_another_conversation_or_none_is_unknown(start: StartEngine, ann: User) -> None:
    engine = await start(Once.as_asgi())
    _, row = await unknown(engine)
    for pk, conversation in ((row.pk, row.conversation_id + 1), (row.pk + 1000, None)):
        with pytest.raises(Denied) as denied:
            await engine.resend(pk, ann, conversation=conversation)
        assert denied.value.code == "unknown_row"


async def test_what_could_never_leave_is_not_sent_again(start: StartEngine, ann: User) -> None:
    class Impossible(AsyncConsumer):
        async def telegram_message(self, message: dict[str, Any]) -> None:
            await self.send({"type": "telegram.impossible"})

    engine = await start(Impossible.as_asgi())
    await Chat(engine, 1).says("a")
    row = await row_with(status=Status.FAILED, direction="out")
    with pytest.raises(Denied, match="say it anew"):
        await engine.resend(row.pk, ann)


def test_dropped_in_the_very_group_that_would_send_it(db: None) -> None:
    from gateway.transcript import Mark
    from gateway.transcript.saying import out_row

    bot = Bot.objects.create(name="bot")
    place = Conversation.objects.create(bot=bot, protocol="telegram", key="1", address={"chat_id": 1})
    said = Outbound("message", "send_message", {"text": "a"}, "a")
    run_group([Say(place.pk, said)], Memory())
    row = Message.objects.get()
    mark = Mark(out_row(place, row, row.at), Status.SENDING)
    assert run_group([Drop(row.pk, "ann"), mark], Memory())[1][1] is False
    assert Message.objects.get().status == Status.NOTE


# Fed again


class Mended(AsyncConsumer):
    """Says something, and raises until it is mended."""

    broken = True

    async def telegram_message(self, message: dict[str, Any]) -> None:
        await self.send({"type": "telegram.message", "text": f"got {message['text']}"})
        if self.broken and message["text"] == "bad":
            raise ValueError("broken")
        await self.send({"type": "telegram.message", "text": f"done {message['redelivered']}"})


async def test_a_failed_event_is_fed_again_and_says_nothing_twice(
    start: StartEngine, ann: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = await start(Mended.as_asgi())
    chat = Chat(engine, 1)
    (receipt,) = await chat.says("bad")
    await chat.says("good")
    heard = await chat.heard(4)
    assert heard[0] == "got bad"
    assert heard[1].startswith("Sorry")
    await engine.replay(receipt.row, ann)  # Still broken: no second apology.

    async def failed_again() -> bool:
        return (await Message.objects.aget(pk=receipt.row)).feedings == 2

    await eventually(failed_again, "the second feeding")
    await chat.settled()
    monkeypatch.setattr(Mended, "broken", False)
    await engine.replay(receipt.row, ann)
    await chat.heard(5)
    await until_all_sent(chat)
    assert chat._texts() == [*heard, "done True"]
    row = await Message.objects.aget(pk=receipt.row)
    assert (row.status, row.error) == (Status.DONE, "")


async def test_under_a_holder_nothing_is_fed_again(start: StartEngine, ann: User) -> None:
    engine = await start(Mended.as_asgi())
    chat = Chat(engine, 1)
    (receipt,) = await chat.says("bad")
    await chat.settled()
    uuid = str((await Conversation.objects.aget()).uuid)
    await engine.take(uuid, ann)
    with pytest.raises(Denied) as denied:
        await engine.replay(receipt.row, ann)
    assert denied.value.code == "held"


async def test_dead_letters_that_nobody_understands_stay_dead(start: StartEngine, ann: User) -> None:
    engine = await start(ChattyBotConsumer.as_asgi())
    (receipt,) = await engine.accept([Chat(engine, 1).inbound("x", error="Nobody understands it.")])
    with pytest.raises(Denied, match="no handler had it"):
        await engine.replay(receipt.row, ann)


# From elsewhere


def run(*command: str) -> str:
    out = StringIO()
    call_command("outbox", *command, stdout=out, stderr=out)
    return out.getvalue()


async def test_the_command_beside_a_running_gateway(start: StartEngine, monkeypatch: pytest.MonkeyPatch) -> None:
    engine = await start(Mended.as_asgi())
    chat = Chat(engine, 1)
    (receipt,) = await chat.says("bad")
    await chat.heard(2)
    await chat.settled()
    outside(engine).faults = [Refused("400 Bad Request"), None]
    await chat.says("good")
    refused = await row_with(direction="out", status=Status.FAILED)
    listed = await sync_to_async(run)("list")
    assert f"{receipt.row} in  failed" in listed
    assert f"{refused.pk} out failed" in listed
    assert "400 Bad Request" in listed
    assert "ValueError" in listed
    assert not any(words in listed for words in ("good", "broken", "got bad"))
    monkeypatch.setattr(Mended, "broken", False)
    await sync_to_async(run)("retry", "--status", "failed", "--bot", "bot")
    await chat.heard(5)
    await until_all_sent(chat)
    await chat.settled()
    assert chat._texts()[3:] in (["got good", "done True"], ["done True", "got good"])
    assert await Message.objects.filter(pk=receipt.row, feedings=2, status=Status.DONE).aexists()
    assert await sync_to_async(run)("list") == "Nothing is stuck.\n"


async def test_the_command_without_a_gateway(start: StartEngine) -> None:
    engine = await start(Mended.as_asgi())
    chat = Chat(engine, 1)
    (receipt,) = await chat.says("bad")
    await chat.settled()
    await stop(engine)
    await sync_to_async(run)("retry", str(receipt.row))
    chat = Chat(await start(ChattyBotConsumer.as_asgi()), 1)
    rows = await chat.settled()
    assert [(row.status, row.feedings) for row in rows] == [(Status.DONE, 2)]


def test_the_command_says_what_it_cannot_do(db: None) -> None:
    with pytest.raises(CommandError, match="Which rows"):
        run("drop")
    with pytest.raises(CommandError, match="Not stuck"):
        run("retry", "5")


# In the admin


def browser(user: User) -> Browser:
    client = Browser()
    client.force_login(user)
    return client


def failed_row(bot: str = "bot") -> Message:
    owner, _ = Bot.objects.get_or_create(name=bot)
    place = Conversation.objects.create(bot=owner, protocol="telegram", key="1", address={"chat_id": 1})
    run_group([Say(place.pk, Outbound("message", "send_message", {"text": "a"}, "a"))], Memory())
    Message.objects.filter(conversation=place).update(status=Status.FAILED, sends=1)
    return Message.objects.get(conversation=place)


def act(user: User, action: str, *rows: Message) -> str:
    asked = {"action": action, "_selected_action": [row.pk for row in rows]}
    page = browser(user).post("/admin/gateway/message/", asked, follow=True)
    return page.content.decode()


def test_the_admin_sends_again_and_says_so(ann: User) -> None:
    ann.is_superuser = True
    ann.save()
    row = failed_row()
    page = act(ann, "resend", row)
    assert "1 of 1 rows sent again" in page
    row.refresh_from_db()
    assert (row.status, row.error) == (Status.QUEUED, "Sent again by ann.")
    assert "cannot be sent again" in act(ann, "resend", row)
    history = browser(ann).get(f"/admin/gateway/message/{row.pk}/history/").content.decode()
    assert "Sent again" in history


@pytest.mark.parametrize("right", ["view_message", "change_message"])
def test_the_admin_asks_for_the_right_and_the_bot(ann: User, right: str) -> None:
    for name in {"view_message", right}:
        ann.user_permissions.add(Permission.objects.get(codename=name))
    mine, theirs = failed_row(), failed_row("theirs")
    theirs.bot.watchers.add(ann)
    act(ann, "drop", mine, theirs)
    states = [Message.objects.get(pk=row.pk).status for row in (mine, theirs)]
    assert states == [Status.NOTE if right == "change_message" else Status.FAILED, Status.FAILED]


def test_resend_is_an_operation_like_any_other(db: None) -> None:
    row = failed_row()
    group, _ = run_group([Resend(row.pk, "ann")], Memory())
    assert [message.pk for _, message in group.outbox] == [row.pk]
