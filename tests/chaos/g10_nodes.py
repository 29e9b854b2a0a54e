"""G10, G8 and G15 over two nodes: what is to be done once is, and what Telegram says to one of them all obey."""

import json
import time
from collections import Counter

from tests.chaos import nodes
from tests.chaos.g15_idle import ended
from tests.chaos.nodes import Nodes
from tests.chaos.promise import Finding, promise
from tests.chaos.rows import read
from tests.fake_telegram import FakeUser
from tests.fake_telegram.calls import Call
from tests.fake_telegram.faults import flood
from tests.private_servers import until

PEOPLE = 40
NODES = 2
PER_SECOND = 10
BOT_PER_SECOND = 12
"""Calls of the bot as a whole; so many may also be made at once."""
TIMEOUT = 12
TAKEOVER_SECONDS = 15.0
KNOWN_SECONDS = 3.0  # A beat and a look of a second each, and what a loaded machine adds.
WAIT = 8
PRUNE_SECONDS = 65.0  # Each asks once a minute whether it is the time.


@promise("G10", nodes.lacks)
def what_is_done_once_is_done_once(long: bool) -> Finding:
    told = {
        "ANNOUNCEMENTS_PER_SECOND": str(PER_SECOND),
        "FLOOD_BOT_PER_SECOND": str(BOT_PER_SECOND),
        "CONVERSATION_TIMEOUT": str(TIMEOUT),
        "FLOOD_LIMITS": "on",
    }
    with nodes.nodes(NODES, "leaver") as here:
        for gateway in here.gateways:
            gateway.env.update(told)
        nodes.start(here)
        began = time.monotonic()
        people, silent = here.people(PEOPLE // 2), here.people(PEOPLE // 2, first=5000)
        everybody = people + silent
        for word in ("hello", "once more"):
            answers_to(here, everybody, word)
        quickest = most_in(2.0, [call.began for call in here.telegram.sends])
        missed, twice, fastest = announced(here, everybody)
        early = called_in_a_wait_of_the_bot(here, people)
        until(lambda: ended(here.any) >= PEOPLE, "every scope ends", TIMEOUT + 60)
        time.sleep(3)  # Long enough for a second end.
        ends = ends_of(here, silent)
        time.sleep(max(began + PRUNE_SECONDS - time.monotonic(), 0))
        pruned = sum(gateway.log_text().count("Pruned ") for gateway in here.gateways)
        takeover, conflicts = leader_killed(here, people)
    figure = (
        f"{NODES} nodes: announcement to {PEOPLE}: {missed} missed, {twice} got it twice, at most {fastest} in a "
        f"second of {PER_SECOND} allowed; a bot's answers: at most {quickest} in two seconds, of {BOT_PER_SECOND} a "
        f"second and as many at once; pruned {pruned} time(s); a bot's wait of {WAIT} s told to one of them: {early} "
        f"calls by either after {KNOWN_SECONDS:.0f} s; {len(ends)} scopes ended, {max(ends.values())} times at most; "
        f"leader killed: all answered after {takeover:.1f} s, {conflicts} conflicts afterwards"
    )
    once = missed == twice == early == conflicts == 0 and set(ends.values()) == {1} and pruned == 1
    # Of a rate, a second holds its two ends: one call more, of each node's share.
    paced = fastest <= PER_SECOND + NODES and quickest <= 3 * BOT_PER_SECOND + NODES
    return Finding(once and paced and takeover <= TAKEOVER_SECONDS, figure)


def most_in(seconds: float, times: list[float]) -> int:
    return max(sum(at <= other < at + seconds for other in times) for at in times)


def ends_of(here: Nodes, people: list[FakeUser]) -> Counter[int]:
    """By person; they have had one scope each."""
    sql = """SELECT c.address FROM gateway_message m JOIN gateway_conversation c ON c.id = m.conversation_id
             WHERE m.kind = 'disconnect'"""
    ended_for = Counter(json.loads(row[0])["chat_id"] for row in read(here.any, sql))
    return Counter({person.id: ended_for[person.id] for person in people})


def answers_to(here: Nodes, people: list[FakeUser], word: str, within: float = 60) -> None:
    for person in people:
        person.says(word)
    said = f"{word} is"
    until(lambda: all(any(said in one for one in person.answers) for person in people), f"answers to {word}", within)


def announced(here: Nodes, people: list[FakeUser]) -> tuple[int, int, int]:
    """How many missed it, how many got it twice, and the most of it in any second."""
    here.any.manage("announce", "Good news")

    def got() -> list[Call]:
        return [call for call in here.telegram.sends if call.params["text"] == "Good news"]

    until(lambda: len(got()) >= len(people), "the announcement", 60)
    time.sleep(2)
    each = Counter(call.chat_id for call in got())
    fastest = most_in(1.0, [call.began for call in got()])
    return len(people) - len(each), sum(count > 1 for count in each.values()), fastest


def called_in_a_wait_of_the_bot(here: Nodes, people: list[FakeUser]) -> int:
    """Two refusals come to one node, which then knows whose wait it is; everybody goes on talking."""
    script = here.telegram.fail(flood(WAIT, whole_bot=True), method="sendMessage")
    people[0].says("wait")
    until(lambda: bool(script.played), "the refusal", 30)
    began = time.monotonic()
    while time.monotonic() < began + WAIT - 1:
        for person in people[1:6]:
            person.says("meanwhile")
        time.sleep(1)
    until(lambda: all(any("meanwhile" in one for one in person.answers) for person in people[1:6]), "the rest", 60)
    return sum(began + KNOWN_SECONDS <= call.began < began + WAIT - 0.5 for call in here.telegram.sends)


def leader_killed(here: Nodes, people: list[FakeUser]) -> tuple[float, int]:
    leader = nodes.leader(here)
    leader.kill()
    began = time.monotonic()
    answers_to(here, people, "again")
    took = time.monotonic() - began
    leader.start(within=90)
    time.sleep(5)
    polls = [call for call in here.telegram.calls if call.method.lower() == "getupdates" and call.began > began + took]
    return took, sum(call.reply is not None and call.reply.status == 409 for call in polls)
