"""An announcement on the real engine: who hears it, pausing and cancelling, a new process in its middle, the report."""

import asyncio
from collections.abc import Callable
from datetime import timedelta
from io import StringIO
from typing import Any

import pytest
from asgiref.sync import sync_to_async
from channels.consumer import SyncConsumer
from django.core.management import CommandError, call_command
from django.utils import timezone

from gateway import announcer, announcing
from gateway.announcement import Announcement, AnnouncementState
from gateway.audience import Audience
from gateway.engine import Engine
from gateway.errors import Refused, Unsendable
from gateway.models import Bot, Contact, Conversation, Message, Status, Tag
from gateway.transcript import Say
from gateway.types import Limits, Person, Rate
from tests.communicator import Chat, eventually
from tests.engine_moments import leave_dead_lease, outside, stop
from tests.engines import StartEngine, start

__all__ = ["start"]

pytestmark = pytest.mark.django_db(transaction=True)

db: Callable[..., Any] = sync_to_async


class Silent(SyncConsumer):
    """Hears and says nothing."""

    def telegram_message(self, event: dict[str, Any]) -> None: ...


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(announcer, "LOOK_SECONDS", 0.02)
    monkeypatch.setattr(announcer, "BREATH_SECONDS", 0.0)
    monkeypatch.setattr(announcing, "SLICE_ROWS", 5)
    monkeypatch.setattr(announcer, "LEAST_AHEAD", 10)


async def met(engine: Engine, count: int, **how: Any) -> list[Chat]:
    chats = [Chat(engine, user, **how) for user in range(1, count + 1)]
    await engine.accept([chat.inbound("hi") for chat in chats])
    for chat in chats:
        await chat.settled()
    return chats


def everybody(**more: Any) -> Audience:
    return Audience(tuple(Bot.objects.values_list("pk", flat=True)), **more)


def begin(text: str = "We close at six.", **more: Any) -> Announcement:
    announcement = announcing.draft(text, everybody(**more))
    assert announcing.confirm(announcement)
    return announcement


async def until_state(announcement: Announcement, state: AnnouncementState) -> Announcement:
    async def reached() -> bool:
        await announcement.arefresh_from_db()
        return announcement.state == state

    await eventually(reached, f"an announcement that is {state}")
    return announcement


def texts(engine: Engine, text: str = "We close at six.") -> list[int]:
    return sorted(d.address["chat_id"] for d in outside(engine).sent if d.text == text)


async def report_of(announcement: Announcement) -> announcing.Report:
    await announcement.arefresh_from_db()
    found: announcing.Report = await db(announcing.report)(announcement, timezone.now())
    return found


async def test_everybody_hears_it_once(start: StartEngine) -> None:
    engine = await start(Silent.as_asgi())
    await met(engine, 23)
    announcement = await until_state(await db(begin)(), AnnouncementState.DONE)
    assert texts(engine) == list(range(1, 24))
    report = await report_of(announcement)
    assert (report.total, report.sent, report.queued, report.percent) == (23, 23, 0, 100)
    assert announcement.counted == announcement.written == 23


async def test_few_rows_are_ahead_of_what_leaves(start: StartEngine) -> None:
    engine = await start(Silent.as_asgi())
    await met(engine, 40)
    outside(engine).delay = 0.01
    announcement, most = await db(begin)(), 0
    while (await Announcement.objects.aget(pk=announcement.pk)).state == AnnouncementState.RUNNING:
        leaving = Message.objects.filter(announced=announcement, status__in=(Status.QUEUED, Status.SENDING))
        most = max(most, await leaving.acount())
    assert 0 < most <= 10
    assert len(texts(engine)) == 40


async def paused_in_the_middle(engine: Engine) -> Announcement:
    """Some have heard it, some have their row, some have none yet."""
    outside(engine).limits = paced  # type: ignore[method-assign]
    await met(engine, 30)
    announcement: Announcement = await db(begin)()

    async def in_the_middle() -> bool:
        return len(texts(engine)) >= 7

    await eventually(in_the_middle, "seven who have heard it")
    assert await db(announcing.turn)("pause", announcement.pk, "Ann")
    assert not await Message.objects.filter(announced=announcement, status=Status.QUEUED).aexists()

    async def calls_under_way_are_over() -> bool:
        return not await Message.objects.filter(announced=announcement, status=Status.SENDING).aexists()

    await eventually(calls_under_way_are_over, "the end of the calls that were under way")
    return announcement


def paced(chat: str) -> Limits:
    return Limits() if chat else Limits(announcements=Rate(1, 40.0))


async def test_a_paused_one_says_nothing_more_until_it_goes_on(start: StartEngine) -> None:
    engine = await start(Silent.as_asgi())
    announcement = await paused_in_the_middle(engine)
    heard = texts(engine)
    assert 7 <= len(heard) < 30
    for _ in range(5):
        await asyncio.sleep(announcer.LOOK_SECONDS)
    assert texts(engine) == heard
    assert await db(announcing.turn)("resume", announcement.pk, "Ann")
    await until_state(announcement, AnnouncementState.DONE)
    assert texts(engine) == list(range(1, 31)), "everybody, and nobody twice"


async def test_what_is_left_of_a_cancelled_one_is_dropped(start: StartEngine) -> None:
    engine = await start(Silent.as_asgi())
    announcement = await paused_in_the_middle(engine)
    assert await db(announcing.turn)("cancel", announcement.pk, "Ann")
    report = await report_of(announcement)
    assert report.sent == len(texts(engine)) < 30
    assert report.dropped == announcement.written - report.sent > 0
    assert not await db(announcing.turn)("resume", announcement.pk, "Ann"), "it is over"


async def test_the_next_process_carries_on(start: StartEngine) -> None:
    engine = await start(Silent.as_asgi())
    announcement = await paused_in_the_middle(engine)
    await stop(engine)
    first = texts(engine)
    await leave_dead_lease()
    await db(announcing.turn)("resume", announcement.pk, "Ann")
    second = await start(Silent.as_asgi())
    await until_state(announcement, AnnouncementState.DONE)
    assert sorted(first + texts(second)) == list(range(1, 31))


async def test_a_running_one_has_a_runner(start: StartEngine) -> None:
    engine = await start(Silent.as_asgi())
    await met(engine, 30)
    outside(engine).delay = 0.02
    announcement = await db(begin)()

    async def claimed() -> bool:
        await announcement.arefresh_from_db()
        return announcement.runner_id is not None

    await eventually(claimed, "a runner")
    assert engine._node is not None
    assert announcement.runner_id == engine._node.pk


async def test_a_group_hears_it_once(start: StartEngine) -> None:
    engine = await start(Silent.as_asgi())
    for member in range(1, 13):
        chat = Chat(engine, -7)
        group = {"id": -7, "type": "group"}
        words = chat.inbound("hi", key=f"chat:-7/user:{member}", chat=group, person=Person(str(member), "x"))
        await engine.accept([words])
    await met(engine, 1)
    announcement = await db(begin)()
    assert announcement.counted == 2
    await until_state(announcement, AnnouncementState.DONE)
    assert texts(engine) == [-7, 1]


async def test_who_refuses_it_is_told_with_the_reason(start: StartEngine) -> None:
    engine = await start(Silent.as_asgi())
    await met(engine, 6)
    outside(engine).faults = [Refused("Forbidden: bot was blocked by the user", blocked=True), None, Refused("No")]
    announcement = await until_state(await db(begin)(), AnnouncementState.DONE)
    report = await report_of(announcement)
    assert (report.sent, report.failed) == (4, 2)
    assert sorted(report.reasons) == [("Forbidden: bot was blocked by the user", 1), ("No", 1)]


async def test_on_the_web_it_is_said_by_its_commit(start: StartEngine) -> None:
    engine = await start(Silent.as_asgi())
    await met(engine, 12, protocol="webchat")
    announcement = await until_state(await db(begin)(), AnnouncementState.DONE)
    assert (await report_of(announcement)).sent == 12


async def test_an_answer_does_not_wait_for_what_is_ahead(start: StartEngine) -> None:
    engine = await start(Silent.as_asgi())
    announcement = await paused_in_the_middle(engine)
    await db(announcing.turn)("resume", announcement.pk, "Ann")
    (place,) = [c async for c in Conversation.objects.filter(key="chat:30")]
    outbound = outside(engine).compose("send_message", {"text": "answer"}, address=place.address, event=None)
    await engine.submit(Say(place.pk, outbound))

    async def answered() -> bool:
        return any(d.text == "answer" for d in outside(engine).sent)

    await eventually(answered, "the answer")
    await until_state(announcement, AnnouncementState.DONE)
    assert len(texts(engine)) == 30


# Audiences


@pytest.fixture
def people(transactional_db: None) -> dict[str, Conversation]:
    """One by each trait."""
    made: dict[str, Conversation] = {}
    now = timezone.now()
    for name, bot, protocol, language, days in (
        ("ann", "shop", "telegram", "en", 0), ("bo", "shop", "webchat", "pt-br", 3),
        ("cy", "desk", "telegram", "pt", 40), ("di", "desk", "webchat", "", 0),
    ):  # fmt: skip
        kept, _ = Bot.objects.get_or_create(name=bot)
        contact = Contact.objects.create(bot=kept, protocol=protocol, external_id=name, name=name, language=language)
        made[name] = Conversation.objects.create(
            bot=kept, contact=contact, protocol=protocol, key=name, last_at=now - timedelta(days=days),
            address={"chat_id": name} if protocol == "telegram" else {},
        )  # fmt: skip
    Contact.objects.get(name="cy").tags.add(Tag.objects.create(name="gold"), Tag.objects.create(name="new"))
    return made


@pytest.mark.parametrize(
    ("traits", "names"),
    [
        ({}, ["ann", "bo", "cy", "di"]),
        ({"protocol": "webchat"}, ["bo", "di"]),
        ({"language": "pt"}, ["bo", "cy"]),
        ({"language": "PT-BR"}, ["bo"]),
        ({"since": 7}, ["ann", "bo", "di"]),
        ({"protocol": "telegram", "since": 7}, ["ann"]),
        ({"protocol": "fax"}, []),
        ({"tag": "gold"}, ["cy"]),
    ],
)
def test_an_audience_by_traits(people: dict[str, Conversation], traits: dict[str, Any], names: list[str]) -> None:
    if "since" in traits:
        traits = {**traits, "since": timezone.now() - timedelta(days=traits["since"])}
    audience = everybody(**traits)
    assert [one.contact.name for one in audience.conversations().order_by("pk") if one.contact] == names
    assert audience.count() == len(names)
    assert Audience.of(audience.stored()) == audience


def test_only_the_bots_that_were_named_hear_it(people: dict[str, Conversation]) -> None:
    assert Audience((people["ann"].bot_id,)).count() == 2
    assert Audience(()).count() == 0


def test_whoever_has_blocked_the_bot_is_not_in_it(people: dict[str, Conversation]) -> None:
    Contact.objects.filter(name="ann").update(blocked_at=timezone.now())
    assert everybody().count() == 3


def test_no_persons_own_account_speaks_for_us(people: dict[str, Conversation]) -> None:
    Conversation.objects.filter(key="ann").update(address={"chat_id": 1, "business_connection_id": "b"})
    assert everybody().count() == 3


# Confirming, and the command


def test_a_draft_goes_once(people: dict[str, Conversation]) -> None:
    announcement = announcing.draft("news", everybody())
    assert [announcing.confirm(announcement) for _ in range(2)] == [True, False]


def test_what_cannot_be_said_is_refused_before_anybody_hears_it(people: dict[str, Conversation]) -> None:
    assert "text" in announcing.refusal("   ", everybody())
    assert announcing.refusal("x" * 100, everybody()) == ""


def test_the_command_writes_what_a_gateway_finds(people: dict[str, Conversation]) -> None:
    out = StringIO()
    call_command("announce", "news", "--within", "7d", "--dry-run", stdout=out)
    assert out.getvalue().startswith("3 conversations")
    assert not Announcement.objects.exists()
    call_command("announce", "news", "--within", "7d", "--bot", "shop", "--language", "en", stdout=out)
    announcement = Announcement.objects.get()
    assert (announcement.state, announcement.counted) == (AnnouncementState.RUNNING, 1)
    with pytest.raises(CommandError):
        call_command("announce", " ", "--within", "7d")


def test_a_text_that_a_protocol_refuses_ends_it(people: dict[str, Conversation]) -> None:
    announcement = announcing.draft("news", everybody())
    announcing.confirm(announcement)
    announcing.fail(announcement.pk, str(Unsendable("no")))
    announcement.refresh_from_db()
    assert (announcement.state, announcement.failure) == (AnnouncementState.CANCELLED, "no")
