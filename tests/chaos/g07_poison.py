"""G7: an event that kills the process is fed three times and no more; nobody dies with it, and its chat goes on."""

from tests.chaos.clients import answered
from tests.chaos.lab import lab
from tests.chaos.promise import Finding, promise
from tests.chaos.rows import read

OTHERS = 30


@promise("G7")
def poison_is_set_aside(long: bool) -> Finding:
    deaths = 0
    with lab("trouble") as here:
        others, (mallory,) = here.people(OTHERS), here.people(1, first=9000)
        for person in [*others[: OTHERS // 2], mallory, *others[OTHERS // 2 :]]:
            person.says("poison" if person is mallory else "hello")
        mallory.says("after")
        while deaths < 5:
            here.gateway.start(ready=False)
            here.wait(lambda: not here.gateway.running or answered([*others, mallory], 1), "a death, or all answers")
            if here.gateway.running:
                break
            deaths += 1
        here.wait(lambda: "echo after" in mallory.answers, "the word after the poison")
        heard = sum("echo hello" in person.answers for person in others)
        dead = read(here.gateway, "SELECT text, feedings FROM gateway_message WHERE status = 'dead'")
    figure = (
        f"dead-lettered {', '.join(f'{text!r} after {fed} feedings' for text, fed in dead)}; {deaths} deaths; "
        f"{heard} of {OTHERS} others answered, and its own chat's next word"
    )
    return Finding([tuple(row) for row in dead] == [("poison", 3)] and deaths == 3 and heard == OTHERS, figure)
