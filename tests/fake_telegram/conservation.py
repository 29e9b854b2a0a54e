"""Nothing lost, nothing doubled, nothing out of order: counted from what people saw."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field


@dataclass
class Tally:
    """Per chat: words that never came, words that came more often than expected, words nobody expected, and the
    chats whose words (each counted at its first coming) were not in order."""

    missing: dict[int, list[str]] = field(default_factory=dict)
    doubled: dict[int, list[str]] = field(default_factory=dict)
    foreign: dict[int, list[str]] = field(default_factory=dict)
    disordered: list[int] = field(default_factory=list)

    @property
    def doubles(self) -> int:
        return sum(len(words) for words in self.doubled.values())

    @property
    def exact(self) -> bool:
        return not (self.missing or self.doubled or self.foreign or self.disordered)


def tally(expected: Mapping[int, Sequence[str]], seen: Mapping[int, Sequence[str]]) -> Tally:
    result = Tally()
    for chat in expected.keys() | seen.keys():
        count_chat(result, chat, expected.get(chat, ()), seen.get(chat, ()))
    return result


def count_chat(result: Tally, chat: int, expected: Sequence[str], seen: Sequence[str]) -> None:
    wanted, had = Counter(expected), Counter(seen)
    for kind, words in (
        (result.missing, wanted - had),
        (result.doubled, Counter({word: n - wanted[word] for word, n in had.items() if word in wanted})),
        (result.foreign, Counter({word: n for word, n in had.items() if word not in wanted})),
    ):
        if found := sorted(words.elements()):
            kind[chat] = found
    arrived = set(expected)
    if distinct(word for word in seen if word in arrived) != distinct(word for word in expected if word in had):
        result.disordered.append(chat)


def distinct(words: Iterable[str]) -> list[str]:
    return list(dict.fromkeys(words))
