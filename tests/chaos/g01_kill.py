"""G1, G2, G3, G4: kill -9 at every fail point and at random moments. One set of runs, four promises."""

import functools

from tests.chaos import lab
from tests.chaos.killing import RANDOM, Books, Plan, every_point_and, run
from tests.chaos.promise import Finding, promise

lacks = functools.partial(lab.lacks, postgres=True)


@functools.cache
def books(long: bool) -> tuple[Books, ...]:
    if not long:
        points = every_point_and(4)
        return (
            run(Plan("counter", 150, points[:6])),
            run(Plan("counter", 150, points[6:] + points[:2], "PostgreSQL", "webhook")),
        )
    everywhere = [
        run(Plan("counter", 1000, every_point_and(25), database, intake))
        for database in ("SQLite", "PostgreSQL")
        for intake in ("polling", "webhook")
    ]
    return (*everywhere, run(Plan("counter", 2000, [RANDOM] * 40, flooded=True)))


def over(ran: tuple[Books, ...]) -> str:
    """Over what the figure was taken."""
    kills = sum(one.kills.total() for one in ran)
    return f"over {kills} kills ({'; '.join(dict.fromkeys(one.where for one in ran))})"


@promise("G1", lacks)
def nothing_acknowledged_is_lost(long: bool) -> Finding:
    ran = books(long)
    lost, double = sum(one.lost + len(one.forgotten) for one in ran), sum(one.double_rows for one in ran)
    pending, dead = sum(one.pending for one in ran), sum(one.dead for one in ran)
    kept = not (lost or double or pending) and all(one.conserved for one in ran)
    updates = sum(one.plan.updates for one in ran)
    in_hand_thrice = f", {dead} dead-lettered (in hand at one kill after another)" if dead else ""
    return Finding(kept, f"{lost} of {updates:,} updates lost, {double} stored twice{in_hand_thrice}, {over(ran)}")


@promise("G2", lacks)
def what_is_handled_counts_once(long: bool) -> Finding:
    ran = books(long)
    updates, counted = sum(one.plan.updates for one in ran), sum(one.counted for one in ran)
    replayed, off = sum(one.replayed for one in ran), sum(one.miscounted for one in ran)
    by_hand = f" ({replayed} after a replay)" if replayed else ""
    figure = f"{updates:,} updates count as {counted + replayed:,} in the sessions{by_hand}, {off} off, {over(ran)}"
    return Finding(not off and counted + replayed == updates, figure)


@promise("G3", lacks)
def doubles_are_bounded_and_counted(long: bool) -> Finding:
    ran = books(long)
    lost, doubles = sum(one.unanswered + one.unexpected for one in ran), sum(one.answers.doubles for one in ran)
    flight, uncounted = sum(one.in_flight for one in ran), sum(one.uncounted for one in ran)
    kept = not lost and not uncounted and all(one.answers.doubles <= one.in_flight for one in ran)
    figure = f"{lost} answers lost; {doubles} doubles of {flight} sends in flight at the kills, {uncounted} not counted"
    return Finding(kept, figure)


@promise("G4", lacks)
def order_is_kept(long: bool) -> Finding:
    ran = books(long)
    inversions, gaps = sum(one.inversions for one in ran), sum(one.gaps for one in ran)
    return Finding(not (inversions or gaps), f"{inversions} inversions in or out, {gaps} gaps in seq {over(ran)}")
