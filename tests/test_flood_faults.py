"""A thousand sends to a hundred chats of a Telegram that fails every fifth of them, over real HTTP."""

import asyncio
import random
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest
import pytest_asyncio
from channels.routing import ProtocolTypeRouter

from gateway import backlog, outbox
from gateway.audience import Audience
from gateway.engine import Engine
from gateway.models import Contact, Conversation, Message, Status
from gateway.telegram import client
from gateway.telegram.server import Server
from gateway.telegram.updates import parse
from gateway.transcript import Accept, Say
from gateway.types import Outbound
from tests.communicator import eventually
from tests.fake_telegram import FakeTelegram, cut, flood, half_answer, hang, server_error
from tests.fake_telegram.calls import BotApiError, Call, refusal
from tests.fake_telegram.faults import Faults, Flood, Play, respond

pytestmark = pytest.mark.django_db(transaction=True)

CHATS, WORDS = 100, 10
HANG_SECONDS = 1.0
EVERY = 5
FAULTS: dict[str, Play | Flood] = {
    "429": flood(1),
    "429 of the bot": flood(2, whole_bot=True),
    "500": server_error(500),
    "502 html": server_error(502, html=True),
    "half an answer": half_answer(),
    "cut": cut(acting=False),
    "hang": hang(),
    "hang, done": hang(acting=True),
}
RARE = ("429 of the bot",)


class Unlucky(Faults):
    """Every fifth send meets a fault, whichever chat it goes to."""

    def __init__(self) -> None:
        super().__init__()
        self.dice = random.Random(7)
        self.met: Counter[str] = Counter()
        self.bot_waits: list[tuple[float, float]] = []

    def next(self, call: Call) -> Play | None:
        running = super().next(call)
        if running is not None or call.method != "sendMessage" or self.dice.random() > 1 / EVERY:
            return running
        name = self.dice.choice([name for name in FAULTS if name not in RARE or self.dice.random() < 0.1])
        self.met[name] += 1
        fault = FAULTS[name]
        if isinstance(fault, Flood) and fault.whole_bot:
            self.bot_waits.append((time.monotonic(), time.monotonic() + fault.retry_after))
        return self.begin(fault, call) if isinstance(fault, Flood) else fault


async def silent(scope: Any, receive: Any, send: Any) -> None:
    """Nothing that comes in is answered."""
    while (await receive())["type"] != "telegram.disconnect":
        pass


Start = Callable[..., Awaitable[Engine]]


@pytest_asyncio.fixture
async def gateway(transactional_db: None, fake: FakeTelegram, settings: Any) -> AsyncIterator[Start]:
    """Starts engines whose bot is on `fake`, over real HTTP; all of them stop with the test."""
    settings.TELEGRAM_BOT_TOKEN, settings.TELEGRAM_API_URL = fake.token, fake.url
    running: list[Engine] = []

    async def start(**overrides: Any) -> Engine:
        for name, value in overrides.items():
            setattr(settings, name, value)
        engine = Engine(ProtocolTypeRouter({"telegram": silent}), [Server])
        await engine.start()
        running.append(engine)
        return engine

    yield start
    for engine in running:
        await engine.stop()


async def meet(engine: Engine, fake: FakeTelegram, ids: list[int]) -> dict[int, int]:
    """Conversations by chat, of people or, with negative ids, groups."""
    found = {}
    for number, id in enumerate(ids, 1):
        chat = fake.bot.private_chat({"id": id, "first_name": "x"}) if id > 0 else fake.group(id)
        sender = {"id": abs(id), "is_bot": False, "first_name": "x"}
        message = {"message_id": 1, "date": 0, "chat": chat.raw, "from": sender, "text": "hello"}
        inbound = parse("bot", {"update_id": number, "message": message})
        receipt = (await engine.submit(Accept(inbound, handled=False, farewell=False)))()
        found[id] = receipt.conversation
    return found


def words(chat: int, text: str, **more: Any) -> Outbound:
    return Outbound("message", "send_message", {"chat_id": chat, "text": text}, text, **more)


async def say(engine: Engine, conversation: int, chat: int, text: str, **how: Any) -> None:
    (await engine.submit(Say(conversation, words(chat, text), **how)))()


async def until_over(seconds: float = 60) -> None:
    async def over() -> bool:
        return not await Message.objects.filter(status__in=(Status.QUEUED, Status.SENDING)).aexists()

    await eventually(over, "the end of every send", seconds)


def first_seen(answers: list[str]) -> list[str]:
    return list(dict.fromkeys(answers))


def called_inside_a_wait(fake: FakeTelegram) -> list[Any]:
    """Calls that were made inside a wait which the gateway knew of: those that crossed its first answers on the way are
    no fault of anybody."""
    refused: list[Any] = [call for call in fake.sends if call.reply is not None and call.reply.status == 429]
    early = []
    for call in refused:
        known = [r for r in refused if r.ended is not None and r.ended < call.began]
        own = [r for r in known if r.chat_id == call.chat_id]
        waits = [r.ended + r.reply.body["parameters"]["retry_after"] for r in own]
        if any(end > call.began for end in waits):
            early.append(call)
    return early


@pytest.mark.timeout(180)
async def test_a_thousand_sends_with_every_fifth_of_them_failing(
    gateway: Start, fake: FakeTelegram, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(client, "CALL_SECONDS", HANG_SECONDS)
    monkeypatch.setattr(client.Client.call, "__kwdefaults__", {"silence": HANG_SECONDS})
    monkeypatch.setattr(outbox, "FIRST_PAUSE_SECONDS", 0.1)
    unlucky = fake.bot.faults = Unlucky()
    engine = await gateway(FLOOD_LIMITS=False)
    chats = list(range(1, CHATS + 1))
    conversations = await meet(engine, fake, chats)
    for number in range(WORDS):
        await asyncio.gather(*(say(engine, conversations[c], c, f"{number}") for c in chats))
    await until_over(150)
    expected = [str(number) for number in range(WORDS)]
    seen = {chat: fake.bot.answers.get(chat, []) for chat in chats}
    assert [chat for chat in chats if sorted(set(seen[chat])) != expected] == [], "lost"
    assert [chat for chat in chats if first_seen(seen[chat]) != expected] == [], "out of order"
    doubles = Counter({c: len(seen[c]) - WORDS for c in chats}).total()
    counted = [unknowns async for unknowns in Message.objects.values_list("unknowns", flat=True)]
    early = [call for call in fake.sends if call.early]
    for began, ended in unlucky.bot_waits:
        # Two answers tell whose wait it is; what was on its way by then could not be called back.
        refused = [call for call in fake.sends if call.early and began < call.began < ended]
        assert [call for call in refused if call.began > (began + ended) / 2] == [] or len(refused) < 2
    print(
        f"{len(fake.sends)} calls, faults {dict(unlucky.met)}, {doubles} doubles of {sum(counted)} unknown sends, "
        f"{engine.outbox.floods} floods, {len(early)} calls inside a wait of any kind"
    )
    assert called_inside_a_wait(fake) == []
    assert doubles <= sum(counted) == engine.outbox.unknown
    assert unlucky.met.keys() == FAULTS.keys()


async def test_a_parked_chat_delays_nobody_else(gateway: Start, fake: FakeTelegram) -> None:
    engine = await gateway()
    chats = list(range(1, 21))
    conversations = await meet(engine, fake, chats)
    fake.fail(flood(5), method="sendMessage", chat=1)
    await asyncio.gather(*(say(engine, conversations[1], 1, str(number)) for number in range(5)))
    await fake.wait_for(lambda: fake.bot.calls("sendMessage", chat=1))
    refused = fake.bot.calls("sendMessage", chat=1)[0]
    for number in range(3):
        await asyncio.gather(*(say(engine, conversations[c], c, str(number)) for c in chats[1:]))
    await fake.wait_for(lambda: all(len(fake.bot.answers.get(c, [])) == 3 for c in chats[1:]), within=30)
    others = [call for call in fake.sends if call.chat_id != 1]
    assert not any(call.early for call in fake.sends)
    await fake.wait_for(lambda: len(fake.bot.answers.get(1, [])) == 5, within=30)
    again = fake.bot.calls("sendMessage", chat=1)[1]
    assert refused.ended is not None
    assert again.began - refused.ended >= 4.9
    assert fake.bot.answers[1] == ["0", "1", "2", "3", "4"]
    longest = max(call.began for call in others) - refused.ended
    print(f"{len(others)} sends to others within {longest:.2f} s of a wait of 5 s")
    assert max(call.began for call in others) < again.began, "the others did not wait for it"
    assert engine.outbox.floods == 1


async def test_answers_do_not_wait_for_announcements_which_keep_their_pace(gateway: Start, fake: FakeTelegram) -> None:
    engine = await gateway()
    chats = list(range(1, 61))
    conversations = await meet(engine, fake, chats)
    for number in range(2):
        for c in chats:
            await say(engine, conversations[c], c, f"news {number}", announcement=True)
    await fake.wait_for(lambda: len(fake.sends) > 5)
    before = len(fake.sends)
    for c in chats[-5:]:  # Their announcements are the last in the queue.
        await say(engine, conversations[c], c, "answer")
    await fake.wait_for(lambda: all("answer" in fake.bot.answers.get(c, []) for c in chats[-5:]), within=30)
    assert len(fake.sends) - before < 100, "the answers went before most of what was queued"
    await until_over()
    news = sorted(call.began for call in fake.sends if call.params["text"] != "answer")
    assert len(news) == 2 * len(chats)
    assert max(most_within(news, 1.0), 0) <= 30
    for c in chats:
        own = [call.began for call in fake.sends if call.chat_id == c and call.params["text"] != "answer"]
        assert own[1] - own[0] > 0.9
        assert [text for text in fake.bot.answers[c] if text != "answer"] == ["news 0", "news 1"]


def most_within(times: list[float], seconds: float) -> int:
    return max(sum(start <= other < start + seconds for other in times) for start in times)


async def test_a_burst_of_answers_leaves_at_once_and_then_keeps_the_pace(gateway: Start, fake: FakeTelegram) -> None:
    engine = await gateway(FLOOD_CHAT_BURST=5, FLOOD_CHAT_PER_SECOND=2.0)
    conversations = await meet(engine, fake, [7])
    await asyncio.gather(*(say(engine, conversations[7], 7, str(number)) for number in range(9)))
    await until_over()
    times = [call.began for call in fake.sends]
    assert fake.bot.answers[7] == [str(number) for number in range(9)]
    assert times[8] - times[0] >= 1.9
    assert all(times[n + 5] - times[n] > 0.4 for n in range(4))
    assert engine.outbox.waits >= 4


async def test_ten_thousand_announcements_are_not_held_at_once(gateway: Start, fake: FakeTelegram) -> None:
    engine = await gateway()
    chats = list(range(1, 11))
    conversations = await meet(engine, fake, chats)
    place = await Conversation.objects.aget(pk=conversations[1])
    rows = [
        Message(
            conversation_id=conversations[chats[n % 10]], bot_id=place.bot_id, direction="out", kind="message",
            sender="system", rev=1, text=str(n), method="send_message", status=Status.QUEUED, announcement=True,
            payload={"chat_id": chats[n % 10], "text": str(n)},
        )
        for n in range(10_000)
    ]  # fmt: skip
    await Message.objects.abulk_create(rows, batch_size=500)
    await fake.wait_for(lambda: fake.sends, within=30)
    held = 0
    for _ in range(40):
        held = max(held, len(engine.outbox))
        await asyncio.sleep(0.05)
    assert 0 < held <= backlog.MOST_ANNOUNCEMENTS + len(chats)
    await say(engine, conversations[5], 5, "answer")
    await fake.wait_for(lambda: "answer" in fake.bot.answers.get(5, []), within=10)


def hearers(bot: int) -> list[int]:
    return [conversation.pk for conversation in Audience((bot,)).conversations()]


async def test_announcements_skip_who_blocked_the_bot_meanwhile(gateway: Start, fake: FakeTelegram) -> None:
    engine = await gateway()
    conversations = await meet(engine, fake, [1, 2])
    fake.bot.chats[1].blocked = True
    await say(engine, conversations[1], 1, "answer")
    for number in range(3):
        await say(engine, conversations[1], 1, f"news {number}", announcement=True)
    await say(engine, conversations[2], 2, "news", announcement=True)
    await until_over()
    assert len(fake.bot.calls("sendMessage", chat=1)) <= 2, "the answer, and an announcement that was under way"
    assert fake.bot.answers[2] == ["news"]
    contact = await Contact.objects.aget(external_id="1")
    assert contact.blocked_at is not None
    assert await engine.read(hearers, contact.bot_id) == [conversations[2]]
    fake.bot.chats[1].blocked = False
    message = {"message_id": 2, "date": 0, "chat": fake.bot.chats[1].raw, "from": fake.bot.chats[1].raw, "text": "back"}
    await engine.accept([parse("bot", {"update_id": 99, "message": message})])
    await contact.arefresh_from_db()
    assert contact.blocked_at is None


async def test_a_group_that_moves_takes_its_queue_along(gateway: Start, fake: FakeTelegram) -> None:
    engine = await gateway()
    conversations = await meet(engine, fake, [-7])
    fake.supergroup(-1007)
    moved = BotApiError(400, "Bad Request: group chat was upgraded to a supergroup chat", migrate_to_chat_id=-1007)

    async def play(request: Any, call: Call, act: Any) -> Any:
        return respond(call, refusal(moved))

    fake.fail(play, chat=-7, times=100)
    await asyncio.gather(*(say(engine, conversations[-7], -7, str(number)) for number in range(5)))
    await until_over()
    assert fake.bot.answers[-1007] == ["0", "1", "2", "3", "4"]
    assert len(fake.bot.calls("sendMessage", chat=-7)) == 1
    assert (await Conversation.objects.aget(pk=conversations[-7])).key == "chat:-1007/user:7"
