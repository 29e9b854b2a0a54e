"""G3: a bot that asks for at most once gets no double, whatever else it gets."""

from tests.chaos.killing import RANDOM, Plan, run
from tests.chaos.promise import Finding, promise


@promise("G3")
def at_most_once_doubles_nothing(long: bool) -> Finding:
    kills = ["sending", "sent", RANDOM, "sent", "settled"] * (6 if long else 1)
    ran = run(Plan("at_most_once", 1000 if long else 120, kills))
    doubles, missing = ran.answers.doubles, ran.unanswered
    kept = doubles == 0 and ran.miscounted == 0 and missing <= ran.in_flight
    figure = (
        f"at_most_once: {doubles} doubles, {missing} missing of {ran.in_flight} sends in flight at {len(kills)} kills"
    )
    return Finding(kept, figure)
