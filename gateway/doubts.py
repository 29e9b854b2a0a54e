"""Which send is given up: one that is never answered clearly while its bot is answered otherwise.

Where a line or a server is down nothing is answered, and that is no send's fault: it waits for as long as it takes.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

MOST_HELD_AGAINST = 6
# Longer than the longest pause between two calls, and the longest call.
OPEN_SECONDS = 300.0


@dataclass(slots=True)
class Case:
    """A send without a clear answer so far. `tried_at`: when it was last heard that there is none."""

    tried_at: float
    held_against: int = 0


class Doubts:
    """Of one bot on one protocol."""

    def __init__(self, time: Callable[[], float]) -> None:
        self._time = time
        self._answered_at = -math.inf
        self._cases: dict[int, Case] = {}

    def answered(self, row: int) -> None:
        """Clearly, whatever the answer was."""
        self._answered_at = self._time()
        self._cases.pop(row, None)

    def is_hopeless(self, row: int, intake_age: float | None) -> bool:
        """To be asked after each call without a clear answer. True: it is not made again.

        Each is held against the send if its bot was answered since the last one: another send, or, where no other one
        is in doubt, the intake, which has had word `intake_age` seconds ago.
        """
        now = self._time()
        self._forget_old(now)
        case = self._cases.get(row)
        if case is None:
            self._cases[row] = Case(now)
            return False
        heard_at = -math.inf if intake_age is None else now - intake_age
        if self._answered_at > case.tried_at or (len(self._cases) == 1 and heard_at > case.tried_at):
            case.held_against += 1
        case.tried_at = now
        if case.held_against < MOST_HELD_AGAINST:
            return False
        del self._cases[row]
        return True

    def _forget_old(self, now: float) -> None:
        """Dropped, deleted or sent by somebody else meanwhile."""
        self._cases = {row: case for row, case in self._cases.items() if now - case.tried_at < OPEN_SECONDS}
