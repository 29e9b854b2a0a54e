"""What a sync handler says is taken with its end, in one call of the loop. Where it takes longer than a moment, what it
has said by then leaves, and the rest as it is said."""

import asyncio
from typing import Protocol

MOMENT_SECONDS = 0.002


class Speaker(Protocol):
    def take_long(self) -> None:
        """It is not over after a moment."""


class Early:
    """Handlers that have begun within the last moment. One timer for all of them. For the loop's thread."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._begun: dict[Speaker, float] = {}
        self._timer: asyncio.Handle | None = None

    def began(self, speaker: Speaker) -> None:
        self._begun[speaker] = self._loop.time()
        if self._timer is None:
            self._timer = self._loop.call_later(MOMENT_SECONDS, self._look)

    def ended(self, speaker: Speaker) -> None:
        self._begun.pop(speaker, None)

    def _look(self) -> None:
        self._timer, long_ago = None, self._loop.time() - MOMENT_SECONDS
        late = [speaker for speaker, since in self._begun.items() if since <= long_ago]
        for speaker in late:
            del self._begun[speaker]
        if self._begun:
            self._timer = self._loop.call_later(MOMENT_SECONDS, self._look)
        for speaker in late:
            speaker.take_long()
