"""A person is exported and erased everywhere, beside a running gateway and without one; old words are pruned."""

import asyncio
import json
from collections.abc import Callable
from datetime import timedelta
from io import StringIO
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from asgiref.sync import sync_to_async
from channels.consumer import SyncConsumer
from django.apps import apps
from django.contrib.admin.models import CHANGE, LogEntry
from django.contrib.auth.models import User
from django.contrib.contenttypes.models import ContentType
from django.core.management import CommandError, call_command
from django.db import connection
from django.utils import timezone

from bots.models import SurveyAnswers
from gateway import counting, erasing, housekeeping, people
from gateway.models import Bot, Contact, Conversation, Erasure, Message, Status, Tag, Visit
from gateway.types import Person
from gateway.web import files
from gateway.web.models import File, Rating
from tests.communicator import Chat, eventually
from tests.engines import StartEngine, start

__all__ = ["start"]

pytestmark = pytest.mark.django_db(transaction=True)

CANARY = "Zaunkoenig"
db: Callable[..., Any] = sync_to_async


class Keeps(SyncConsumer):
    """Answers with what it has heard, and keeps it."""

    def telegram_message(self, event: dict[str, Any]) -> None:
        self.scope["session"]["heard"] = event["text"]
        self.send({"type": "telegram.message", "text": f"You said: {event['text']}"})


def found() -> list[str]:
    """The tables in which the person's words or name can be read."""
    seen = []
    for model in apps.get_models():
        for row in model._default_manager.values_list():
            if CANARY in json.dumps(row, default=str, ensure_ascii=False):
                seen.append(model._meta.label)
    return sorted(set(seen))


async def written(engine: Any) -> Chat:
    """Somebody who has left traces wherever there is a place for them, and a neighbour."""
    chat = Chat(engine, 7)
    person = Person("7", CANARY, username=CANARY)
    await engine.accept([chat.inbound(CANARY, person=person)])
    await chat.sent(1)
    await engine.accept([chat.inbound(f"dead {CANARY}", person=person, error=f"not understood: {CANARY}")])
    neighbour = Chat(engine, 8)
    group = {"update": {"message": {"reply_to_message": {"from": {"id": 7, "first_name": CANARY}, "text": CANARY}}}}
    await engine.accept([neighbour.inbound("hi", event={"text": "hi", "message_id": 1, "date": 0, **group})])
    await neighbour.sent(1)
    await db(trace)()
    return chat


def trace() -> None:
    place = Conversation.objects.get(key="chat:7")
    assert place.contact is not None
    place.contact.tags.add(Tag.objects.create(name="gold"))
    SurveyAnswers.objects.create(conversation=place.uuid, round=1, name=CANARY, source="x", score=1, again="y")
    File.objects.create(bot=place.bot, owner=place.uuid, name=f"{CANARY}.png", type="image/png", size=1)
    Rating.objects.create(bot=place.bot, conversation=place, seq=1, score=5, text=CANARY)
    kind, boss = ContentType.objects.get_for_model(Contact), User.objects.create_superuser("boss")
    LogEntry.objects.create(
        user=boss, content_type=kind, object_id=str(place.contact_id), object_repr=CANARY, action_flag=CHANGE
    )  # fmt: skip
    counting.count_on(timezone.now() + counting.SETTLED)


async def test_a_person_is_erased_beside_a_gateway_that_holds_them(
    start: StartEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(housekeeping, "ERASE_SECONDS", 0.05)
    engine = await start(Keeps.as_asgi())
    chat = await written(engine)
    before = await db(found)()
    assert {"gateway.Message", "gateway.Contact", "bots.SurveyAnswers", "gateway_web.File", "admin.LogEntry"} <= set(
        before
    )
    contact = await Contact.objects.aget(external_id="7")
    place = await Conversation.objects.aget(key="chat:7")
    erasure = await db(erasing.ask)(contact, "ann")

    async def done() -> bool:
        return await Erasure.objects.filter(pk=erasure.pk, done_at__isnull=False).aexists()

    await eventually(done, "the erasure")
    assert await db(found)() == []
    await erasure.arefresh_from_db()
    assert erasure.found == {"contacts": 1, "conversations": 1, "rows": 3, "quotes": 1}
    assert await Conversation.objects.acount() == 1, "the neighbour stays"
    assert await Message.objects.acount() == 2
    assert not await Visit.objects.filter(conversation=place.pk).aexists()
    assert engine.lanes.known(place.pk) is None
    assert place.pk not in engine.deadlines
    # Whoever comes back is somebody new.
    await engine.accept([chat.inbound("back")])
    assert (await chat.sent(1))[-1].text == "You said: back"
    assert (await chat.settled())[0].seq == 1


async def test_a_word_that_comes_meanwhile_stops_nothing(start: StartEngine) -> None:
    engine = await start(Keeps.as_asgi())
    chat = await written(engine)
    erasure = await db(erasing.ask)(await Contact.objects.aget(external_id="7"), "ann")
    words = [engine.accept([chat.inbound(f"again {n}")]) for n in range(20)]
    await asyncio.gather(engine.housekeeping.erase(), *words, return_exceptions=True)
    await erasure.arefresh_from_db()
    assert erasure.done_at is not None
    await engine.accept([chat.inbound("last")])

    async def answered() -> bool:
        return any(text.endswith("last") for text in chat._texts())

    await eventually(answered, "an answer")


async def test_the_command_asks_a_running_gateway(start: StartEngine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(housekeeping, "ERASE_SECONDS", 0.05)
    engine = await start(Keeps.as_asgi())
    await written(engine)
    out = StringIO()
    await db(call_command)("person", "erase", "telegram:7", "--yes", stdout=out)
    assert out.getvalue() == "Erased: 1 contacts, 1 conversations, 3 rows, 1 quotes.\n"
    assert await db(found)() == []


# Without a gateway


@pytest.fixture
def place() -> Conversation:
    bot = Bot.objects.create(name="shop")
    contact = Contact.objects.create(bot=bot, protocol="telegram", external_id="7", name=CANARY)
    return Conversation.objects.create(bot=bot, contact=contact, protocol="telegram", key="chat:7", last=CANARY)


def say(place: Conversation, days: float = 0, **more: Any) -> Message:
    place.seq += 1
    place.last_at = at = timezone.now() - timedelta(days=days)
    place.rev = place.seq
    place.save()
    fields = {"direction": "in", "kind": "message", "sender": "visitor", "status": "done", "method": "message", **more}
    numbers = {"seq": place.seq, "rev": place.seq}
    return Message.objects.create(conversation=place, bot=place.bot, text=CANARY, at=at, **numbers, **fields)


def test_the_command_does_it_where_no_gateway_runs(place: Conversation) -> None:
    question = say(place)
    say(place, direction="out", sender="bot", status="sent", cause=question, ordinal=1)
    call_command("person", "erase", "telegram:7", "--yes", stdout=StringIO())
    assert found() == []


def test_nothing_of_it_stays_in_the_file(place: Conversation) -> None:
    if connection.vendor != "sqlite":
        return
    for _ in range(50):
        say(place, payload={"text": CANARY * 20})
    erasing.erase_here(erasing.ask(Contact.objects.get(), "ann"))
    with connection.cursor() as cursor:
        cursor.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        cursor.execute("PRAGMA database_list")
        file = cursor.fetchone()[2]
    if file:
        with open(file, "rb") as opened:
            assert CANARY.encode() not in opened.read()


def test_whoever_is_not_known_is_told(place: Conversation) -> None:
    for name in ("telegram:8", "7", "", "webchat:7"):
        with pytest.raises(CommandError, match="Nobody"):
            call_command("person", "export", name)


def test_one_person_with_every_bot_and_account(place: Conversation) -> None:
    user, desk = User.objects.create_user("ann"), Bot.objects.create(name="desk")
    linked = Contact.objects.create(bot=desk, protocol="webchat", external_id="w", user=user)
    Contact.objects.create(bot=desk, protocol="telegram", external_id="7")
    Contact.objects.create(bot=desk, protocol="telegram", external_id="77")
    first = Contact.objects.get(bot=place.bot)
    assert people.same_person(first).count() == 2
    first.user = user
    first.save()
    assert people.same_person(first).count() == people.same_person(linked).count() == 3


def test_an_export_has_everything_and_is_json(place: Conversation) -> None:
    say(place, payload={"update": {"text": "raw"}})
    trace()
    out = StringIO()
    call_command("person", "export", "telegram:7", stdout=out)
    kept = json.loads(out.getvalue())
    assert kept["contacts"][0]["name"] == CANARY
    assert kept["contacts"][0]["tags"] == ["gold"]
    (conversation,) = kept["conversations"]
    assert conversation["bot"] == "shop"
    assert conversation["tables"]["message"][0]["payload"] == {"update": {"text": "raw"}}
    assert conversation["tables"]["rating"][0]["text"] == CANARY
    assert kept["kept"]["bots.surveyanswers"][0]["name"] == CANARY
    assert kept["kept"]["gateway_web.file"][0]["name"] == f"{CANARY}.png"


THEM, OTHER = {"id": 7, "first_name": "x"}, {"id": 8, "first_name": "y"}
QUOTES: list[tuple[Any, Any]] = [
    ({"reply": {"message_id": 3, "from": {"id": 7}, "text": "x"}}, {"reply": {"message_id": 3, "erased": True}}),
    ({"new_chat_members": [THEM, OTHER]}, {"new_chat_members": [{"erased": True}, OTHER]}),
    ({"from": OTHER, "text": "7"}, {"from": OTHER, "text": "7"}),
    ({"chat": {"id": 70, "title": "seven"}, "id": 7}, {"chat": {"id": 70, "title": "seven"}, "id": 7}),
]


@pytest.mark.parametrize(("payload", "left"), QUOTES)
def test_a_quote_becomes_a_mark(payload: Any, left: Any) -> None:
    assert people.without(payload, frozenset({7})) == left


def test_what_they_said_in_a_room_goes_with_its_answers(place: Conversation, settings: Any, tmp_path: Path) -> None:
    settings.DATA_DIR = tmp_path
    fetched = files.remote_folder() / ("0" * 64)
    fetched.parent.mkdir(parents=True)
    fetched.write_text(CANARY)
    visitor = Contact.objects.create(bot=place.bot, protocol="webchat", external_id=str(uuid4()), name=CANARY)
    room = Conversation.objects.create(bot=place.bot, protocol="webchat", key="room/den")
    said = say(room, name=CANARY, payload={"text": CANARY, "sender": {"id": visitor.external_id, "name": CANARY}})
    answer = say(room, direction="out", sender="bot", status="sent", cause=said, ordinal=1, payload={"text": CANARY})
    other = {"text": "hi", "sender": {"id": str(uuid4()), "name": "Bo"}}
    theirs = say(room, payload=other)
    Message.objects.filter(pk=theirs.pk).update(text="hi")
    for contact in (visitor, Contact.objects.get(external_id="7")):
        erasing.erase_here(erasing.ask(contact, "ann"))
    assert found() == []
    assert list(Message.objects.order_by("pk").values_list("pk", "seq", "text")) == [
        (said.pk, 1, ""), (answer.pk, 2, ""), (theirs.pk, 3, "hi"),
    ]  # fmt: skip
    assert not fetched.exists(), "what was fetched from Telegram"


# Retention


def test_only_what_is_older_than_its_bot_keeps_it_goes(place: Conversation) -> None:
    place.bot.retention_days = 30
    place.bot.save()
    other = Conversation.objects.create(bot=Bot.objects.create(name="keeps all"), protocol="telegram", key="x")
    question = say(place, 31)
    answer = say(place, 29, direction="out", sender="bot", status="sent", cause=question, ordinal=1)
    waiting = say(place, 40, status="received")
    forever = say(other, 4000)
    place.last_at = timezone.now() - timedelta(days=29)
    place.save()
    assert erasing.run_here(erasing.pruning(timezone.now())) == {"rows": 1, "conversations": 0}
    assert set(Message.objects.all()) == {answer, waiting, forever}
    answer.refresh_from_db()
    assert answer.cause is None
    later = timezone.now() + timedelta(days=5)
    waiting.status = Status.DONE
    waiting.save()
    assert erasing.run_here(erasing.pruning(later)) == {"rows": 2, "conversations": 1}
    assert found() == ["gateway.Message"], "the other bot's"
    assert not Contact.objects.exists()


@pytest.mark.parametrize("state", [{"open": True}, {"waiting": True}, {"holder": "boss"}])
def test_a_conversation_that_is_attended_to_stays_without_its_words(place: Conversation, state: dict[str, Any]) -> None:
    place.bot.retention_days = 1
    place.bot.save()
    say(place, 3)
    if "holder" in state:
        state = {"holder": User.objects.create_superuser("boss")}
    Conversation.objects.update(**state)
    assert erasing.run_here(erasing.pruning(timezone.now())) == {"rows": 1, "conversations": 0}
    left = Conversation.objects.get()
    assert (left.last, left.seq) == ("", 1), "the numbers go on"


def test_many_rows_are_pruned_in_slices(place: Conversation, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gateway.transcript.erasing.ROWS", 3)
    place.bot.retention_days = 1
    place.bot.save()
    for _ in range(8):
        say(place, 3)
    assert erasing.run_here(erasing.pruning(timezone.now())) == {"rows": 8, "conversations": 1}


def test_once_a_day_and_by_one_process_only(place: Conversation) -> None:
    now = timezone.now()
    assert [erasing.may_prune(now) for _ in range(2)] == [True, False]
    assert not erasing.may_prune(now + timedelta(hours=23))
    assert erasing.may_prune(now + timedelta(hours=24))


async def test_the_gateway_prunes_by_itself(start: StartEngine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(housekeeping, "PRUNE_SECONDS", 0.05)
    engine = await start(Keeps.as_asgi())
    chat = Chat(engine, 7)
    await chat.says("old")
    await chat.sent(1)
    old = timezone.now() - timedelta(days=9)
    await Message.objects.aupdate(at=old)
    await Conversation.objects.aupdate(last_at=old, open=False)
    await Bot.objects.aupdate(retention_days=7)

    async def gone() -> bool:
        return not await Conversation.objects.aexists()

    await db(erasing.Bookmark.objects.all().delete)()
    await eventually(gone, "the end of what is old")


def test_the_command_prunes(place: Conversation) -> None:
    out = StringIO()
    call_command("prune", stdout=out)
    assert "everything is kept" in out.getvalue()
    place.bot.retention_days = 1
    place.bot.save()
    say(place, 3)
    call_command("prune", stdout=out)
    assert "Deleted 1 rows and 1 conversations." in out.getvalue()
