"""G12: PostgreSQL frozen, then stopped. Nothing is acknowledged that is not stored, nothing hangs, nothing is lost."""

import functools
import time

from tests.chaos import lab as labs
from tests.chaos.clients import SECRET, Posted, an_update, post
from tests.chaos.lab import Lab, lab
from tests.chaos.promise import Finding, promise
from tests.chaos.rows import read, unsettled

ANSWER_SECONDS, DRAIN_SECONDS = 2.0, 30.0
SLACK = 1.0  # a loaded machine answers late


@promise("G12", functools.partial(labs.lacks, postgres=True))
def an_outage_of_postgres_loses_nothing(long: bool) -> Finding:
    seconds = 30 if long else 6
    with lab("counter", database="PostgreSQL", intake="webhook", TELEGRAM_WEBHOOK_SECRET=SECRET) as here:
        assert here.postgres is not None
        here.gateway.start()
        people = here.people(20)
        for person in people:
            person.says("before")
        here.wait(lambda: here.telegram.answered >= len(people), "the answers before")
        here.postgres.freeze()
        refused = ask_for(here, seconds)
        alive = here.gateway.status("/healthz") == 200
        here.postgres.thaw()
        frozen = until_drained(here, refused)
        here.postgres.stop()
        refused += ask_for(here, seconds)
        here.postgres.start()
        stopped = until_drained(here, refused)
        kept_rows = {row[0] for row in read(here.gateway, "SELECT update_id FROM gateway_message")}
        double = len(here.telegram.sends) - len({(call.chat_id, call.params["text"]) for call in here.telegram.sends})
    slowest = max(one.seconds for one in refused)
    acknowledged = [one for one in refused if one.status == 200]
    others = [one.status for one in refused if one.status not in (200, 503)]
    lost = [one for one in acknowledged if one.update_id not in kept_rows]
    silent = [one for one in refused if one.status == 503 and not one.retry_after]
    kept = alive and not (lost or others or silent) and slowest <= ANSWER_SECONDS + SLACK
    kept = kept and max(frozen, stopped) <= DRAIN_SECONDS
    figure = (
        f"{len(refused)} webhooks while frozen and while stopped: slowest answer {slowest:.1f} s, {len(acknowledged)} "
        f"acknowledged, {len(lost)} lost, {len(others)} other answers; drained in {frozen:.1f} and {stopped:.1f} s; "
        f"{double} doubles"
    )
    return Finding(kept, figure)


def ask_for(here: Lab, seconds: float) -> list[Posted]:
    """One update after the other comes to the webhook, and is not brought again."""
    asked, end = [], time.monotonic() + seconds
    while time.monotonic() < end:
        asked.append(post(here.gateway, an_update(1000, "meanwhile")))
        time.sleep(0.2)
    return asked


def until_drained(here: Lab, asked: list[Posted]) -> float:
    """Seconds until somebody new is answered and nothing is left over."""
    began = time.monotonic()
    new = here.telegram.user(2000 + len(asked))
    new.says("hello again")
    here.wait(lambda: new.answers, "an answer after the outage", within=90)
    here.wait(lambda: not unsettled(here.gateway), "the rest of the words", within=90)
    return time.monotonic() - began
