"""Pauses that grow, so that what is down is not asked all the time, and differ, so that not all ask at once."""

from secrets import SystemRandom

random = SystemRandom()


class Backoff:
    """1 s, doubling up to `longest`; each shortened at random by up to a half, but for the first."""

    def __init__(self, first: float = 1.0, longest: float = 30.0) -> None:
        self.first = first
        self.longest = longest
        self._pause = 0.0

    def next(self, at_least: float | None = None) -> float:
        """Seconds."""
        self._pause = min(max(self._pause * 2, self.first), self.longest)
        shortest = self._pause if self._pause == self.first else self._pause / 2
        return max(random.uniform(shortest, self._pause), at_least or 0.0)  # nosec B311: it spreads, and hides nothing

    def reset(self) -> None:
        self._pause = 0.0
