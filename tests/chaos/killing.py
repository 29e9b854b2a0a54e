"""kill -9 again and again under load, and what the books say afterwards."""

import json
import random
import signal
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

from tests.chaos.lab import Database, Intake, Lab, lab
from tests.chaos.points import NAMES
from tests.chaos.rows import one, read, unsettled
from tests.fake_telegram import FakeUser, Tally, tally

RANDOM = "anywhere"
CHATS = 50
LATENCY = 0.03  # seconds of every call to Telegram, so that there are sends in flight at any time
PACE = 0.05  # seconds between words that come one by one
BATCHED = ("received", "committed", "acknowledged")  # Passed once a batch; the others once a word.

ONCE = "from gateway.models import Bot; Bot.objects.create(name='bot', at_most_once=True)"

Word = tuple[FakeUser, str]
Fed = dict[int, list[str]]


@dataclass(frozen=True)
class Plan:
    """`kills`: the point of each, or RANDOM for one from outside. `flooded`: all updates are there from the start.

    `once`: the bot is set to say nothing twice.
    """

    application: str
    updates: int
    kills: Sequence[str]
    database: Database = "SQLite"
    intake: Intake = "polling"
    flooded: bool = False
    once: bool = False


def every_point_and(random_kills: int) -> list[str]:
    kills = [*NAMES, *[RANDOM] * random_kills]
    random.shuffle(kills)
    return kills


@dataclass
class Books:
    """What came of the updates, counted from the rows and from what Telegram saw.

    `forgotten`: acknowledged, and not in the rows of the process that was killed. `in_flight`: sends under way at the
    kills. `miscounted`: by how much the counters of the sessions are off; `replayed`: what they count more once the
    dead have been fed again by hand. `uncounted`: doubles of which the row that was sent twice knows nothing.
    `inversions`: words of a conversation that were taken in, or seen, out of order.
    """

    plan: Plan
    kills: Counter[str] = field(default_factory=Counter)
    in_flight: int = 0
    forgotten: set[int] = field(default_factory=set)
    lost: int = 0
    double_rows: int = 0
    pending: int = 0
    handled: int = 0
    dead: int = 0
    counted: int = 0
    replayed: int = 0
    miscounted: int = 0
    answers: Tally = field(default_factory=Tally)
    unknowns: int = 0
    uncounted: int = 0
    inversions: int = 0
    gaps: int = 0

    @property
    def conserved(self) -> bool:
        return self.plan.updates == self.handled + self.pending + self.dead

    @property
    def where(self) -> str:
        return f"{self.plan.intake}, {self.plan.database}"

    @property
    def unanswered(self) -> int:
        return sum(map(len, self.answers.missing.values()))

    @property
    def unexpected(self) -> int:
        return sum(map(len, self.answers.foreign.values()))


def run(plan: Plan) -> Books:
    """Raises AssertionError where the gateway does not come back, or what was begun does not come to an end."""
    books = Books(plan)
    with lab(plan.application, database=plan.database, intake=plan.intake, latency=LATENCY) as here:
        here.telegram.bot.webhook.answer_timeout = 10
        if plan.once:
            here.gateway.prepare()
            here.gateway.manage("shell", "-c", ONCE)
        users = [here.telegram.user(1000 + n) for n in range(min(CHATS, plan.updates))]
        words = [(users[n % len(users)], str(n // len(users))) for n in range(plan.updates)]
        share = len(words) if plan.flooded else len(words) // (len(plan.kills) + 1)
        for point in plan.kills:
            kill(here, books, point, words[:share])
            del words[:share]
        here.gateway.env["FAIL_AT"] = ""
        here.gateway.start(within=60)
        say(words)
        wait_for_the_end(here, plan)
        close_the_books(here, books)
        replay(here, books)
    return books


def say(words: Sequence[Word]) -> None:
    for user, text in words:
        user.says(text)


def kill(here: Lab, books: Books, point: str, words: list[Word]) -> None:
    """Starts the gateway, and looks on as it dies at that point; half of the words are there before it."""
    nth = random.randint(1, 2 if point in BATCHED else 10)
    here.gateway.env["FAIL_AT"] = "" if point == RANDOM else f"{point}:{nth}"
    early = len(words) if books.plan.flooded else len(words) // 2
    say(words[:early])
    here.gateway.start(ready=False)
    if point == RANDOM:
        enough = len(here.telegram.sends) + random.randint(1, 50 if books.plan.flooded else len(words) - 1)
        look_on(here, words[early:], lambda: len(here.telegram.sends) >= enough)
        time.sleep(random.random() * LATENCY)
        assert here.gateway.running, here.gateway.log_text()[-3000:]
        here.gateway.kill()
    else:
        look_on(here, words[early:], lambda: not here.gateway.running)
        assert here.gateway.exit_code == -signal.SIGKILL, here.gateway.log_text()[-3000:]
    books.kills[point] += 1
    look_at_the_scene(here, books)


def look_on(here: Lab, words: Sequence[Word], enough: Callable[[], bool]) -> None:
    """Until it is enough. Says the words one by one once the gateway is at work, so that they are taken in so."""
    begun, left, deadline = len(here.telegram.sends), list(words), time.monotonic() + 60
    while not enough():
        if left and len(here.telegram.sends) > begun:
            say([left.pop(0)])
        late = time.monotonic() > deadline
        assert not late, f"{here.gateway.env['FAIL_AT']} was not passed: {here.gateway.log_text()[-3000:]}"
        time.sleep(PACE)
    say(left)


def look_at_the_scene(here: Lab, books: Books) -> None:
    acknowledged = set(here.telegram.bot.updates.confirmed)
    kept = {row[0] for row in read(here.gateway, "SELECT update_id FROM gateway_message WHERE update_id IS NOT NULL")}
    books.forgotten |= acknowledged - kept
    books.in_flight += one(here.gateway, "SELECT count(*) FROM gateway_message WHERE status = 'sending'")


def wait_for_the_end(here: Lab, plan: Plan) -> None:
    updates = here.telegram.bot.updates
    here.wait(lambda: len(updates.confirmed) >= plan.updates, "the last update to be acknowledged", within=120)
    here.wait(lambda: not unsettled(here.gateway), "the last word to be settled", within=120)


def close_the_books(here: Lab, books: Books) -> None:
    fed = count_inbox(here, books)
    count_sessions(here, books, fed)
    count_answers(here, books, fed)
    count_gaps(here, books)


def count_inbox(here: Lab, books: Books) -> Fed:
    """Returns what was fed, by chat. A row that was in hand at too many kills is dead: kept and shown."""
    sql = """SELECT m.update_id, m.status, c.address, m.text FROM gateway_message m
             JOIN gateway_conversation c ON c.id = m.conversation_id WHERE m.update_id IS NOT NULL ORDER BY m.id"""
    inbox = read(here.gateway, sql)
    ids = [row[0] for row in inbox]
    statuses = Counter(row[1] for row in inbox)
    books.lost = len(set(here.telegram.bot.updates.confirmed) - set(ids))
    books.double_rows = len(ids) - len(set(ids))
    books.handled, books.dead = statuses["done"], statuses["dead"]
    books.pending = statuses["received"] + statuses["in_hand"]
    fed = defaultdict(list)
    for _, status, address, text in inbox:
        if status == "done":
            fed[json.loads(address)["chat_id"]].append(text)
    books.inversions += sum(int(earlier) > int(later) for texts in fed.values() for earlier, later in pairwise(texts))
    return fed


def count_sessions(here: Lab, books: Books, fed: Fed) -> None:
    counts = counters(here)
    books.counted = sum(counts.values())
    books.miscounted = sum(abs(counts.get(chat, 0) - len(texts)) for chat, texts in fed.items())


def counters(here: Lab) -> dict[int, int]:
    """What the sessions say, by chat."""
    rows = read(here.gateway, "SELECT address, session FROM gateway_conversation")
    return {json.loads(address)["chat_id"]: json.loads(session).get("count", 0) for address, session in rows}


def replay(here: Lab, books: Books) -> None:
    """What is dead is not lost: fed again by hand it counts like everything else."""
    if books.dead:
        here.gateway.manage("outbox", "retry", "--status", "dead")
        dead = "SELECT count(*) FROM gateway_message WHERE status = 'dead'"
        here.wait(lambda: not one(here.gateway, dead) and not unsettled(here.gateway), "the dead to be fed again")
        books.replayed = sum(counters(here).values()) - books.counted


def count_answers(here: Lab, books: Books, fed: Fed) -> None:
    expected = {chat: [f"{text} is {n}" for n, text in enumerate(texts, 1)] for chat, texts in fed.items()}
    sql = """SELECT c.address, m.text, m.unknowns, m.sender, cause.status FROM gateway_message m
             JOIN gateway_conversation c ON c.id = m.conversation_id
             LEFT JOIN gateway_message cause ON cause.id = m.cause_id WHERE m.direction = 'out'"""
    said = [(json.loads(address)["chat_id"], *rest) for address, *rest in read(here.gateway, sql)]
    # Nobody can say whether the dead have spoken: the words of their handlers, and the apology for them.
    beside = {(chat, text) for chat, text, _, sender, cause in said if sender == "system" or cause == "dead"}
    seen = {
        chat: [text for text in texts if (chat, text) not in beside]
        for chat, texts in here.telegram.bot.answers.items()
    }
    books.answers = tally(expected, seen)
    books.inversions += len(books.answers.disordered)
    unknowns: Counter[tuple[int, str]] = Counter()
    for chat, text, count, *_ in said:
        unknowns[chat, text] += count
    books.unknowns = unknowns.total()
    seen_twice = Counter((chat, text) for chat, texts in books.answers.doubled.items() for text in texts)
    books.uncounted = (seen_twice - unknowns).total()


def count_gaps(here: Lab, books: Books) -> None:
    """Numbers that are missing from the words of a conversation."""
    sql = "SELECT max(seq) - count(seq) FROM gateway_message WHERE seq IS NOT NULL GROUP BY conversation_id"
    books.gaps = sum(abs(row[0]) for row in read(here.gateway, sql))
