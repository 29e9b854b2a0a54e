"""G11 and G18 over nodes: Redis gone, or half of all rings lost, with the console and a visitor's socket on a node that
does not own what they look at."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field

from tests.chaos import nodes
from tests.chaos.clients import latencies, p99
from tests.chaos.g11_redis import EQUAL_SECONDS, PEOPLE, Console
from tests.chaos.lab import Lab
from tests.chaos.nodes import Nodes
from tests.chaos.promise import Finding, promise
from tests.chaos.rows import read
from tests.fake_telegram import FakeUser
from tests.gateway_process import GatewayProcess
from tests.outside.clients import Operator, Visitor, make_operators

LOOK_SECONDS = 1.5
"""What a word may take longer without Redis, whose owner then looks once a second; a loaded machine adds to it."""
FEW = 4
"""How many talk where rings are lost: their words come one by one, each with rings of its own."""


@promise("G11", nodes.lacks)
def redis_away_changes_nothing_on_several_nodes(long: bool) -> Finding:
    count, away = (3, 30.0) if long else (2, 8.0)
    with nodes.nodes(count, "trouble") as here:
        talk = Talk(here)
        before = [seconds for _ in range(3) for seconds in talk.all_say("before")]
        redis = here.redis
        ways: list[tuple[str, Callable[[], object], float, Callable[[], object]]] = [
            ("killed", redis.kill, away / 2, redis.start),
            ("frozen", redis.freeze, away, redis.thaw),
            ("flushed", lambda: redis.client().flushall(), 1.0, lambda: None),
        ]
        with Far(talk) as far:
            under, equal = [], {}
            for name, hurt, seconds, heal in ways:
                hurt()
                end = time.monotonic() + seconds
                while time.monotonic() < end:
                    under += talk.all_say(name)
                    far.say()
                heal()
                equal[name] = far.seconds_until_equal()
            unanswered = far.unanswered
            far.check_that_it_is_far()
    base, under_p99 = p99(sorted(before)), p99(sorted(under))
    figure = (
        f"{count} nodes, {len(under)} words while Redis was {', '.join(equal)} (up to {away:.0f} s): all answered, p99 "
        f"{base * 1000:.0f} → {under_p99 * 1000:.0f} ms; a console and a visitor's socket far from the owner equal to "
        f"the rows {', '.join(f'{seconds:.1f}' for seconds in equal.values())} s after its return, {unanswered} of the "
        f"visitor's {far.said} words unanswered"
    )
    kept = under_p99 <= max(2 * base, 0.5) + LOOK_SECONDS and max(equal.values()) <= EQUAL_SECONDS and not unanswered
    return Finding(kept, figure)


@promise("G18", nodes.lacks)
def lost_rings_are_made_good_on_another_node(long: bool) -> Finding:
    rounds = 20 if long else 5
    with nodes.nodes(2, "trouble", LOSE_RINGS="0.5") as here:
        talk = Talk(here)
        talk.all_say("base")
        with Far(talk) as far:
            slowest = 0.0
            for number in range(rounds):
                talk.some_say(str(number))
                far.say()
                slowest = max(slowest, far.seconds_until_equal())
            rows, unanswered = len(far.console.rows), far.unanswered
            far.check_that_it_is_far()
    figure = (
        f"2 nodes, half of all rings lost: a console and a visitor's socket far from the owner equal to the {rows} "
        f"rows at most {slowest:.1f} s after the last word, {unanswered} of the visitor's {far.said} words unanswered"
    )
    return Finding(slowest <= EQUAL_SECONDS and not unanswered, figure)


@dataclass
class Talk:
    """People on Telegram, and the nodes, which it starts."""

    here: Nodes
    people: list[FakeUser] = field(init=False)

    def __post_init__(self) -> None:
        nodes.start(self.here)
        make_operators(self.here.any, "olga")
        self.people = self.here.people(PEOPLE)

    def lab(self, gateway: GatewayProcess) -> Lab:
        """What is asked of one gateway, asked of one of them."""
        return Lab(self.here.telegram, gateway, self.here.postgres)

    def all_say(self, word: str) -> list[float]:
        return latencies(self.lab(self.here.any), self.people, word)

    def some_say(self, word: str) -> None:
        latencies(self.lab(self.here.any), self.people[:FEW], word)


class Far:
    """A console and a visitor's socket on one node; what they look at is another's."""

    def __init__(self, talk: Talk) -> None:
        self.here, near = talk.here, talk.here.gateways[-1]
        self.visitor = self._visitor_far_from(near)
        self.operator = Operator(near, "olga")
        person = next(one for one in talk.people if not self._owned_by(near, f"address LIKE '%{one.id}%'"))
        self.near, self.console = near, Console(talk.lab(near), self.operator, person)
        self.said = 0

    def _visitor_far_from(self, near: GatewayProcess) -> Visitor:
        """Whose conversation is that is its chat's number's to say: try another one."""
        for _ in range(50):
            visitor = Visitor(near)
            visitor.send("message", id="first", text="first")
            visitor.expect("message", sender="bot")
            if not self._owned_by(near, f"uuid = '{visitor.welcome['conversation']}'"):
                return visitor
            visitor.close()
        raise AssertionError("every visitor's conversation is the node's that the visitor came to")

    def _owned_by(self, gateway: GatewayProcess, condition: str) -> bool:
        found = read(self.here.any, f"SELECT part FROM gateway_conversation WHERE {condition}")
        return nodes.owner(self.here, found[0][0]) is gateway

    def check_that_it_is_far(self) -> None:
        for uuid in (self.visitor.welcome["conversation"], self.console.uuid):
            assert not self._owned_by(self.near, f"uuid = '{uuid}'"), "a part has changed hands"

    def say(self) -> None:
        """Reads what has come, too: who does not read is closed."""
        self.said += 1
        self.visitor.send("message", id=f"w{self.said}", text=f"word {self.said}")
        self.operator.quiet(0.1)
        self.visitor.quiet(0.1)

    @property
    def unanswered(self) -> int:
        answers = {frame["text"] for frame in self.visitor.words.values() if frame["from"] == "bot"}
        return sum(f"echo word {number}" not in answers for number in range(1, self.said + 1))

    @property
    def rows(self) -> list[tuple[int, int, str]]:
        sql = f"""SELECT m.seq, m.seen_rev, m.text FROM gateway_message m JOIN gateway_conversation c
                  ON c.id = m.conversation_id WHERE c.uuid = '{self.visitor.welcome["conversation"]}'
                  AND m.seq IS NOT NULL ORDER BY m.seq"""
        return [(row[0], row[1], row[2]) for row in read(self.here.any, sql)]

    @property
    def shown(self) -> list[tuple[int, int, str]]:
        return [(seq, frame["rev"], frame["text"]) for seq, frame in sorted(self.visitor.words.items())]

    def seconds_until_equal(self) -> float:
        """Both of them, and the visitor's words answered; nobody says anything meanwhile."""
        began = time.monotonic()
        while not self.equal:
            assert time.monotonic() < began + 4 * EQUAL_SECONDS, f"not equal: {self.difference}"
        return time.monotonic() - began

    @property
    def equal(self) -> bool:
        self.visitor.quiet(0.1)
        self.operator.quiet(0.1)
        console = self.console
        return self.shown == self.rows and console.shown == console.rows and console.listed == console.revs

    @property
    def difference(self) -> str:
        console = self.console
        seen = ("visitor", self.shown, self.rows), ("console", console.shown, console.rows)
        told = [f"{name} shows {shown[-3:]} of {rows[-3:]}" for name, shown, rows in seen if shown != rows]
        return "; ".join(told) or "the list"

    def close(self) -> None:
        self.operator.close()
        self.visitor.close()

    def __enter__(self) -> "Far":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
