"""G3: a bot that asks for at most once gets no double, whatever else it gets."""

from tests.chaos.killing import RANDOM, Plan, run
from tests.chaos.promise import Finding, promise


@promise("G3")
def at_most_once_by_message_doubles_nothing(long: bool) -> Finding:
    return tried("at_most_once by message", Plan("at_most_once", 1000 if long else 120, kills(long)))


@promise("G3")
def at_most_once_by_bot_doubles_nothing(long: bool) -> Finding:
    return tried("at_most_once by bot", Plan("counter", 1000 if long else 120, kills(long), once=True))


def kills(long: bool) -> list[str]:
    return ["sending", "sent", RANDOM, "sent", "settled"] * (6 if long else 1)


def tried(what: str, plan: Plan) -> Finding:
    ran = run(plan)
    doubles, missing = ran.answers.doubles, ran.unanswered
    kept = doubles == 0 and ran.miscounted == 0 and missing <= ran.in_flight
    figure = (
        f"{what}: {doubles} doubles, {missing} missing of {ran.in_flight} sends in flight at {len(plan.kills)} kills"
    )
    return Finding(kept, figure)
