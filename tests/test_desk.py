"""What operators do to a conversation, on the real engine: notes, assigning, closing, banning, tags; the log."""

from typing import Any

import pytest
from channels.consumer import SyncConsumer
from django.contrib.auth.models import User

from gateway import desk
from gateway.errors import Denied
from gateway.models import Audit, Contact, Conversation, Message, Tag
from tests.communicator import Chat
from tests.engine_moments import conversation
from tests.engines import StartEngine, start

__all__ = ["start"]

pytestmark = pytest.mark.django_db(transaction=True)


class Parrot(SyncConsumer):
    def telegram_message(self, message: dict[str, Any]) -> None:
        self.send({"type": "telegram.message", "text": f"You said: {message['text']}"})


class Polite(Parrot):
    def telegram_disconnect(self, event: dict[str, Any]) -> None:
        self.send({"type": "telegram.message", "text": f"Bye ({event['code']})"})


async def somebody(name: str) -> User:
    user: User = await User.objects.acreate(username=name, is_staff=True)
    return user


async def begin(start: StartEngine, bot: Any = Parrot) -> tuple[Any, Chat, str, User]:
    engine = await start(bot.as_asgi())
    chat = Chat(engine, 1)
    await chat.says("hello")
    await chat.settled()
    return engine, chat, str((await conversation()).uuid), await somebody("ann")


async def log() -> list[str]:
    return [row.action async for row in Audit.objects.order_by("pk")]


async def texts(**wanted: Any) -> list[str]:
    return [row.text async for row in Message.objects.filter(**wanted).order_by("pk")]


async def test_a_note_is_kept_once_and_never_leaves(start: StartEngine) -> None:
    engine, _, uuid, ann = await begin(start)
    seq = (await conversation()).seq
    for _ in range(2):
        await desk.note(engine, uuid, ann, client_id="1", text="Mind: a regular.")
    row = await Message.objects.aget(kind="note", method="note")
    assert (row.text, row.status, row.seq, row.name, row.sender) == (
        "Mind: a regular.",
        "note",
        None,
        "ann",
        "operator",
    )
    assert (await conversation()).seq == seq
    assert await log() == ["note"]


async def test_a_conversation_is_assigned(start: StartEngine) -> None:
    engine, chat, uuid, ann = await begin(start)
    bea, cleo = await somebody("bea"), await somebody("cleo")
    await desk.assign(engine, uuid, ann, bea, force=False)
    assert (await conversation()).holder_id == bea.pk
    await chat.says("is anybody there?")
    await chat.settled()
    assert await texts(sender="bot") == ["You said: hello"]
    with pytest.raises(Denied, match="bea has taken"):
        await desk.assign(engine, uuid, ann, cleo, force=False)
    await desk.assign(engine, uuid, bea, cleo, force=False)
    await desk.assign(engine, uuid, ann, ann, force=True)
    assert (await conversation()).holder_id == ann.pk
    assert [row.detail async for row in Audit.objects.order_by("pk")] == [
        {"to": "bea"}, {"to": "cleo", "from": "bea"}, {"to": "ann", "from": "cleo"},
    ]  # fmt: skip


@pytest.mark.parametrize(("bot", "farewell"), [(Parrot, []), (Polite, ["Bye (closed)"])])
async def test_closing_ends_the_scope_and_the_next_word_begins_anew(
    start: StartEngine, bot: Any, farewell: list[str]
) -> None:
    engine, chat, uuid, ann = await begin(start, bot)
    await engine.take(uuid, ann)
    await desk.close(engine, uuid, ann, force=False)
    await chat.settled()
    found = await conversation()
    assert (found.state, found.holder_id) == ("ended", None)
    await chat.says("again")
    await chat.settled()
    assert await texts(sender="bot", seq__isnull=False) == ["You said: hello", *farewell, "You said: again"]
    assert (await conversation()).state == "bot"
    assert await log() == ["take", "close"]


async def test_anothers_conversation_is_closed_by_who_leads(start: StartEngine) -> None:
    engine, _, uuid, ann = await begin(start)
    bea = await somebody("bea")
    await engine.take(uuid, bea)
    with pytest.raises(Denied, match="bea has taken"):
        await desk.close(engine, uuid, ann, force=False)
    await desk.close(engine, uuid, ann, force=True)
    assert (await conversation()).state == "ended"


async def test_a_banned_persons_words_are_kept_and_never_fed(start: StartEngine) -> None:
    engine, chat, uuid, ann = await begin(start)
    await desk.ban(engine, uuid, ann, lift=False)
    assert (await conversation()).state == "ended"
    await chat.says("let me in")
    await chat.settled()
    assert await texts(sender="visitor") == ["hello", "let me in"]
    assert await texts(sender="bot") == ["You said: hello"]
    assert (await conversation()).state == "ended"
    await desk.ban(engine, uuid, ann, lift=True)
    await chat.says("thanks")
    await chat.settled()
    assert await texts(sender="bot") == ["You said: hello", "You said: thanks"]
    assert await log() == ["ban", "unban"]


async def test_a_ban_holds_in_every_conversation_of_the_person(start: StartEngine) -> None:
    engine, _, uuid, ann = await begin(start)
    contact = await Contact.objects.aget()
    first = await conversation()
    here = {"bot_id": first.bot_id, "protocol": "telegram", "contact": contact}
    other = await Conversation.objects.acreate(key="elsewhere", **here)
    await desk.ban(engine, uuid, ann, lift=False)
    await other.arefresh_from_db()
    assert other.banned


async def test_tags_are_tidied_kept_once_and_taken_away(start: StartEngine) -> None:
    engine, _, uuid, ann = await begin(start)
    for name in ("  VIP \n customer", "vip customer"):
        await desk.tag(engine, uuid, ann, name, remove=False)
    assert [tag.name async for tag in Tag.objects.filter(contacts__isnull=False)] == ["vip customer"]
    for odd in ("", "  ", "x" * 41, "a‮b"):
        with pytest.raises(Denied):
            await desk.tag(engine, uuid, ann, odd, remove=False)
    for _ in range(2):
        await desk.tag(engine, uuid, ann, "vip customer", remove=True)
    assert not await Tag.objects.filter(contacts__isnull=False).aexists()
    assert await log() == ["tag", "untag"]


async def test_what_happened_stands_in_the_transcript(start: StartEngine) -> None:
    engine, _, uuid, ann = await begin(start)
    await engine.take(uuid, ann)
    await engine.say(uuid, ann, client_id="1", text="I am here", seen=2)
    await engine.release(uuid, ann)
    assert await texts(kind="note") == ["ann took over.", "ann handed back."]
    assert await log() == ["take", "say", "release"]
