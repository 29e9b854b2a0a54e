"""G6: whatever a handler raises is told to its own chat, once a minute, and no word of anybody's is logged."""

import time

from tests.chaos.clients import latencies, p99
from tests.chaos.lab import lab
from tests.chaos.promise import Finding, promise
from tests.wrongs import SECRET, WRONG

APOLOGY = "Sorry, something went wrong on our side. Please try again."
NOTICE = 2.0  # seconds
TIMES = 20


@promise("G6")
def an_error_is_told_once(long: bool) -> Finding:
    with lab("wrong") as here:
        here.gateway.start()
        others = here.people(60 if long else 20)
        base = p99(latencies(here, others, "hello"))
        sayers, pressers = here.people(len(WRONG), first=3000), here.people(len(WRONG), first=4000)
        (stubborn,) = here.people(1, first=5000)
        latencies(here, pressers, "hello")  # Whoever presses has something to press on.
        began, slowest = time.monotonic(), 0.0
        for way, sayer, presser in zip(WRONG, sayers, pressers, strict=True):
            said = time.monotonic()
            sayer.says(way)
            presser.presses(presser.chat.last, way)
            here.wait(lambda asked=(sayer, presser): all(APOLOGY in one.answers for one in asked), f"a word on {way!r}")
            slowest = max(slowest, time.monotonic() - said)
        for _ in range(TIMES):
            stubborn.says("value")
        stubborn.says("and now?")
        here.wait(lambda: "echo and now?" in stubborn.answers, "the answer after the errors")
        for sayer in sayers:
            sayer.says("and now?")
        here.wait(lambda: all("echo and now?" in sayer.answers for sayer in sayers), "that everybody goes on")
        within_a_minute = time.monotonic() - began < 60
        under = p99(latencies(here, others, "hello again"))
        notices = [person.answers.count(APOLOGY) for person in (*sayers, *pressers, stubborn)]
        words = here.gateway.log_text().count(SECRET)
    figure = (
        f"{len(WRONG)} ways, by a message and by a button: {sum(notices[:-1])} of {2 * len(WRONG)} told, slowest after "
        f"{slowest:.2f} s; {TIMES} errors of one person: {notices[-1]} notice; p99 of others {base * 1000:.0f} → "
        f"{under * 1000:.0f} ms; {words} words in the log"
    )
    told_once = set(notices) == {1} and within_a_minute and not [one for one in others if APOLOGY in one.answers]
    return Finding(told_once and slowest <= NOTICE and not words, figure)
