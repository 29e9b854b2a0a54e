"""G12 over nodes: PostgreSQL frozen, then restarted, while updates come to all of them. What is not stored is refused
at once and brought again, to whichever node; nothing is lost, doubled in silence, or out of order."""

import itertools
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

from tests.chaos import nodes
from tests.chaos.clients import SECRET, Posted, an_update, post
from tests.chaos.g12_postgres import ANSWER_SECONDS, DRAIN_SECONDS, SLACK
from tests.chaos.nodes import Nodes
from tests.chaos.promise import Finding, promise
from tests.chaos.rows import one, read, unsettled
from tests.fake_telegram import tally
from tests.private_servers import until

CHATS = 12
PAUSE = 0.3  # between a chat's words, and before a word that was refused is brought again


@promise("G12", nodes.lacks)
def an_outage_under_several_nodes_loses_nothing(long: bool) -> Finding:
    count, seconds = (3, 30.0) if long else (2, 8.0)
    with nodes.nodes(count, "counter", intake="webhook", TELEGRAM_WEBHOOK_SECRET=SECRET) as here:
        nodes.start(here)
        talk = Talk(here)
        postgres = here.postgres
        frozen = outage(here, talk, seconds, postgres.freeze, postgres.thaw)
        stopped = outage(here, talk, seconds, postgres.stop, postgres.start)
        talk.end()
        until(lambda: not unsettled(here.any), "the last word is not settled", 60)
        kept_rows = {row[0] for row in read(here.any, "SELECT update_id FROM gateway_message")}
        lost = len([word for word in talk.posted if word.status == 200 and word.update_id not in kept_rows])
        seen = tally(talk.expected, here.telegram.bot.answers)
        unknowns = one(here.any, "SELECT sum(unknowns) FROM gateway_message")
    missing, outages = sum(map(len, seen.missing.values())), (frozen, stopped)
    kept = all(each.is_kept for each in outages) and not (lost or missing or seen.disordered)
    figure = (
        f"{count} nodes, {talk.said} updates to all of them by turns; PostgreSQL {frozen.figure('frozen')}; "
        f"{stopped.figure('stopped')}; {lost} acknowledged and lost, {missing} unanswered, {len(seen.disordered)} "
        f"chats out of order, {seen.doubles} doubles ({unknowns} sends unknown)"
    )
    return Finding(kept and seen.doubles <= unknowns, figure)


@dataclass
class Outage:
    """`posted`: what was tried from its beginning until all was taken. `drained`: seconds until all is settled."""

    posted: list[Posted]
    alive: bool
    drained: float

    @property
    def slowest(self) -> float:
        return max(each.seconds for each in self.posted)

    @property
    def others(self) -> int:
        """Neither taken nor refused with a time to come again."""
        return sum(each.status != 200 and not (each.status == 503 and each.retry_after) for each in self.posted)

    @property
    def is_kept(self) -> bool:
        quick = self.slowest <= ANSWER_SECONDS + SLACK and self.drained <= DRAIN_SECONDS
        return quick and self.alive and not self.others and any(each.status == 503 for each in self.posted)

    def figure(self, how: str) -> str:
        refused = sum(each.status == 503 for each in self.posted)
        return (
            f"{how}: {refused} of {len(self.posted)} refused with 503, {self.others} other answers, the slowest after "
            f"{self.slowest:.1f} s{'' if self.alive else ', /healthz not 200'}, drained in {self.drained:.1f} s"
        )


class Talk:
    """Every chat brings its numbers one after the other, each until somebody takes it, as Telegram does."""

    def __init__(self, here: Nodes) -> None:
        self.here = here
        self.posted: list[Posted] = []
        self.words = {person.id: 0 for person in here.people(CHATS)}
        self._going, self._over, self._busy = threading.Event(), threading.Event(), dict.fromkeys(self.words, False)
        self._threads = [threading.Thread(target=self._run, args=(chat,), daemon=True) for chat in self.words]
        for thread in self._threads:
            thread.start()

    @property
    def said(self) -> int:
        return sum(self.words.values())

    @property
    def expected(self) -> dict[int, list[str]]:
        return {chat: [f"{n} is {n + 1}" for n in range(count)] for chat, count in self.words.items()}

    @property
    def is_quiet(self) -> bool:
        return not any(self._busy.values())

    def go(self) -> None:
        self._going.set()

    def pause(self) -> None:
        """What is under way is brought to its end."""
        self._going.clear()

    def end(self) -> None:
        self._over.set()
        self.go()
        for thread in self._threads:
            thread.join()

    def _run(self, chat: int) -> None:
        turns = itertools.cycle(self.here.gateways)
        for _ in range(chat % len(self.here.gateways)):
            next(turns)
        while True:
            self._busy[chat] = False
            self._going.wait()
            if self._over.is_set():
                return
            self._busy[chat] = True
            update = an_update(chat, str(self.words[chat]))
            while (tried := post(next(turns), update)).status != 200:
                self.posted.append(tried)
                time.sleep(PAUSE)
            self.posted.append(tried)
            self.words[chat] += 1
            time.sleep(PAUSE)


def outage(here: Nodes, talk: Talk, seconds: float, begin: Callable[[], object], end: Callable[[], object]) -> Outage:
    talk.go()
    answered = here.telegram.answered
    try:
        until(lambda: here.telegram.answered > answered + 2 * CHATS, "nobody is answered", 60)
    except AssertionError as error:
        raise AssertionError(f"{error}: {talk.posted[-3:]}\n{here.log_text()}") from None
    tried = len(talk.posted)
    begin()
    time.sleep(seconds)
    alive = all(gateway.status("/healthz") == 200 for gateway in here.gateways)
    talk.pause()
    end()
    began = time.monotonic()
    until(lambda: talk.is_quiet and not unsettled(here.any), f"not drained:\n{here.log_text()}", 3 * DRAIN_SECONDS)
    return Outage(talk.posted[tried:], alive, time.monotonic() - began)
