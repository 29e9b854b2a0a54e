"""G11 and G18: Redis gone, and half of all rings lost. Bots answer as ever; consoles catch up from the rows."""

import shutil
import time

from tests.chaos.clients import latencies, p99
from tests.chaos.lab import Lab, lab
from tests.chaos.promise import Finding, promise
from tests.chaos.rows import Row, read
from tests.fake_telegram import FakeUser
from tests.outside.clients import Operator, make_operators
from tests.private_servers import PrivateRedis

EQUAL_SECONDS = 5.0
PEOPLE = 20


def no_redis() -> str:
    return "" if shutil.which("redis-server") else "redis-server is not installed"


@promise("G11", no_redis)
def redis_away_changes_nothing(long: bool) -> Finding:
    away = 30 if long else 8
    with PrivateRedis() as redis, lab("counter", CHANNELS_URL=redis.url) as here:
        here.gateway.start()
        make_operators(here.gateway, "olga")
        people = here.people(PEOPLE)
        base = p99(latencies(here, people, "base"))
        with Operator(here.gateway, "olga") as olga:
            console = Console(here, olga, people[0])
            under = []
            for hurt in (redis.kill, redis.start, redis.freeze, redis.thaw):
                hurt()
                end = time.monotonic() + (away / 2 if hurt in (redis.kill, redis.freeze) else 0)
                while time.monotonic() < end:
                    under += latencies(here, people, "under")
            redis.client().flushall()
            people[0].says("the end")
            equal = console.seconds_until_equal()
    under_p99 = p99(sorted(under))
    figure = (
        f"{len(under)} words while Redis was killed, frozen and flushed ({away} s): all answered, p99 "
        f"{base * 1000:.0f} → {under_p99 * 1000:.0f} ms; console equal to the rows after {equal:.1f} s"
    )
    return Finding(under_p99 <= max(2 * base, 0.5) and equal <= EQUAL_SECONDS, figure)


@promise("G18")
def lost_rings_are_made_good(long: bool) -> Finding:
    rounds = 20 if long else 5
    with lab("counter", LOSE_RINGS="0.5") as here:
        here.gateway.start()
        make_operators(here.gateway, "olga")
        people = here.people(PEOPLE)
        latencies(here, people, "0")
        slowest = 0.0
        with Operator(here.gateway, "olga") as olga:
            console = Console(here, olga, people[0])
            for number in range(rounds):
                latencies(here, people, str(number))
                slowest = max(slowest, console.seconds_until_equal())
            rows = len(console.rows)
    figure = f"half of all rings lost: console equal to the {rows} rows at most {slowest:.1f} s after the last word"
    return Finding(slowest <= EQUAL_SECONDS, figure)


class Console:
    """An operator's view of one conversation and of the list, held against the rows."""

    def __init__(self, here: Lab, operator: Operator, person: FakeUser) -> None:
        self.here = here
        self.operator = operator
        self.key = f"%{person.id}%"
        found = read(here.gateway, f"SELECT uuid FROM gateway_conversation WHERE address LIKE '{self.key}'")
        self.uuid = str(found[0][0])
        operator.send("watch", conversation=self.uuid, since=0)

    @property
    def rows(self) -> list[Row]:
        """What the console must show: of every row its newest state."""
        sql = f"""SELECT m.id, m.rev, m.status, m.text FROM gateway_message m JOIN gateway_conversation c
                  ON c.id = m.conversation_id WHERE c.address LIKE '{self.key}' ORDER BY m.id"""
        return [tuple(row) for row in read(self.here.gateway, sql)]

    @property
    def shown(self) -> list[Row]:
        known: dict[int, Row] = {}
        for frame in self.operator.frames:
            newer = frame["type"] == "message" and frame["rev"] >= known.get(frame["row"], (0, 0))[1]
            if newer:
                known[frame["row"]] = (frame["row"], frame["rev"], frame["status"], frame["text"])
        return [known[row] for row in sorted(known)]

    @property
    def listed(self) -> dict[str, int]:
        """The rev of every conversation of the list."""
        return {
            f["conversation"].replace("-", ""): f["rev"] for f in self.operator.frames if f["type"] == "conversation"
        }

    @property
    def revs(self) -> dict[str, int]:
        return {
            str(uuid).replace("-", ""): rev
            for uuid, rev in read(self.here.gateway, "SELECT uuid, rev FROM gateway_conversation")
        }

    def seconds_until_equal(self) -> float:
        began = time.monotonic()

        def equal() -> bool:
            self.operator.quiet(0.1)
            return self.shown == self.rows and self.listed == self.revs

        self.here.wait(equal, "a console that shows what the rows say", within=20)
        return time.monotonic() - began
