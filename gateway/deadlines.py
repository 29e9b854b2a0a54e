"""When scopes end by silence: one entry a conversation, no scan. Times are the loop's own, which nobody sets back."""

import heapq


class Deadlines:
    def __init__(self) -> None:
        self._due: dict[int, float] = {}
        self._heap: list[tuple[float, int]] = []
        self._queued: set[int] = set()

    def __len__(self) -> int:
        return len(self._due)

    def __contains__(self, conversation: int) -> bool:
        return conversation in self._due

    def set(self, conversation: int, when: float) -> None:
        self._due[conversation] = when
        if conversation not in self._queued:
            self._queued.add(conversation)
            heapq.heappush(self._heap, (when, conversation))

    def clear(self, conversation: int) -> None:
        self._due.pop(conversation, None)

    def pop_due(self, now: float) -> list[int]:
        """The conversations whose time has come. One that was put off meanwhile goes back with its later time."""
        due: list[int] = []
        while self._heap and self._heap[0][0] <= now:
            _, conversation = heapq.heappop(self._heap)
            self._queued.discard(conversation)
            when = self._due.get(conversation)
            if when is None:
                continue
            if when > now:
                self.set(conversation, when)
            else:
                del self._due[conversation]
                due.append(conversation)
        return due
