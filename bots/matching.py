"""Which entry of a table a question means: by the words that both have. Deterministic, and the same for everybody."""

import re
import unicodedata
from collections.abc import Iterable
from typing import Protocol, TypeVar

# Words that say nothing of what a question is about. For another language: another list.
EMPTY = frozenset(
    re.findall(
        r"\w+",
        """
        a about an and any are at be by can could do does for from get give good have hello hey hi how i if
        in is it me my need of on or please should tell thank thanks that the there this to want was we what
        when where which who why will with would you your
        """,
    )
)
LONG_ENOUGH = 4
MOST_WORDS = 60
THRESHOLD = 0.5


class Entry(Protocol):
    question: str
    keywords: str


E = TypeVar("E", bound=Entry)


def words(text: str) -> list[str]:
    """Without case, accents and the words that say nothing; each once, in order."""
    bare = "".join(c for c in unicodedata.normalize("NFKD", text.casefold()) if unicodedata.category(c) != "Mn")
    return list(dict.fromkeys(word for word in re.findall(r"\w+", bare) if word not in EMPTY))


def best(text: str, entries: Iterable[E]) -> E | None:
    """The entry that fits best; of equals the first. None where none fits well enough."""
    asked = words(text)[:MOST_WORDS]
    if not asked:
        return None
    rated = [(score(asked, entry), entry) for entry in entries]
    top, entry = max(rated, key=lambda pair: pair[0], default=((0.0, 0), None))
    return entry if top[0] >= THRESHOLD else None


def score(asked: list[str], entry: Entry) -> tuple[float, int]:
    """How much of what was asked the entry knows, or how much of its question was asked; and how many words that is."""
    question, known = words(entry.question), words(f"{entry.question} {entry.keywords}")
    met = sum(any(alike(word, other) for other in known) for word in asked)
    covered = sum(any(alike(word, other) for other in asked) for word in question)
    share = met / len(asked)
    # One word of a long message is a coincidence, two of a question are that question.
    return (max(share, covered / len(question)) if covered > 1 else share), met


def alike(one: str, other: str) -> bool:
    """The same word, or one that is the beginning of the other: "refund" and "refunds"."""
    short, long = sorted((one, other), key=len)
    return short == long or (len(short) >= LONG_ENOUGH and long.startswith(short))
