"""G8: a Telegram that floods, fails, answers half or not at all. One send in five meets a fault."""

import json
import random
from collections import Counter

from tests.chaos.lab import Lab, lab
from tests.chaos.promise import Finding, promise
from tests.chaos.rows import one, read, unsettled
from tests.fake_telegram import cut, flood, half_answer, hang, no_json, server_error, tally
from tests.fake_telegram.faults import Flood, Play

CHATS = 100
UNDER_WAY = 0.25  # seconds in which a call may already be on its way as another is refused


@promise("G8")
def faults_of_telegram_lose_nothing(long: bool) -> Finding:
    each = 10 if long else 4
    doubtful = [cut(acting=True), half_answer(), no_json()]
    surely_not = [flood(1), flood(2), server_error(500), server_error(502, html=True), cut(acting=False)]
    if long:
        doubtful.append(hang(acting=True))
    with lab("counter", latency=0.01) as here:
        here.gateway.start()
        people = here.people(CHATS)
        faults: list[Play | Flood] = [*doubtful, *surely_not]
        for number in range(each):
            for person in random.sample(people, CHATS // 5):
                here.telegram.fail(random.choice(faults), method="sendMessage", chat=person.id)
            if number == each // 2:
                here.telegram.fail(flood(2, whole_bot=True), method="sendMessage")
            for person in people:
                person.says(str(number))
        expected = {person.id: [f"{n} is {n + 1}" for n in range(each)] for person in people}
        here.wait(lambda: here.telegram.answered >= CHATS * each, "all answers", within=240)
        here.wait(lambda: not unsettled(here.gateway), "the end of every send", within=240)
        seen = tally(expected, here.telegram.bot.answers)
        lost, inversions = sum(map(len, seen.missing.values())), len(seen.disordered)
        sent = one(here.gateway, "SELECT count(*) FROM gateway_message WHERE direction = 'out' AND status = 'sent'")
        uncounted = doubles_not_counted(here, seen.doubled)
        met = sum(script.played for script in here.telegram.bot.faults.scripts)
        early = calls_inside_a_flood(here)
    kept = not (lost or inversions or early or uncounted or seen.foreign) and sent == CHATS * each
    figure = (
        f"{CHATS * each:,} sends to {CHATS} chats, {met} faults: {lost} lost, {inversions} chats out of order, "
        f"{early} calls inside a retry_after, {seen.doubles} doubles ({uncounted} not counted)"
    )
    return Finding(kept, figure)


def doubles_not_counted(here: Lab, doubled: dict[int, list[str]]) -> int:
    sql = """SELECT c.address, m.text, m.unknowns FROM gateway_message m
             JOIN gateway_conversation c ON c.id = m.conversation_id WHERE m.direction = 'out'"""
    seen = Counter((chat, text) for chat, texts in doubled.items() for text in texts)
    for address, text, unknowns in read(here.gateway, sql):
        seen[json.loads(address)["chat_id"], text] -= unknowns
    return sum(count for count in seen.values() if count > 0)


def calls_inside_a_flood(here: Lab) -> int:
    """Calls that came before the end of a wait that their sender had heard of."""
    heard = [call for call in here.telegram.sends if call.reply is not None and call.reply.status == 429]
    early = 0
    for call in heard:
        before = [other for other in heard if other.ended is not None and other.ended < call.began - UNDER_WAY]
        early += call.early and any(other.chat_id == call.chat_id or not other.early for other in before[-20:])
    return early
