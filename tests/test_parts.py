"""The division of the conversations, which must never change: rows bear its result."""

import pytest

from gateway.parts import ALL, part_of

CHAT = "chat:-1001/user:"


def test_all_conversations_of_a_chat_are_in_one_part() -> None:
    keys = ["chat:-1001", f"{CHAT}1", f"{CHAT}2", "chat:-1001/topic:5/user:1", "chat:-1001/direct:5/user:1"]
    assert len({part_of("telegram", "bot", key) for key in keys}) == 1


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (("telegram", "bot", "chat:1"), ("telegram", "bot", "chat:2")),
        (("telegram", "bot", "chat:2"), ("telegram", "survey", "chat:2")),
        (("telegram", "bot", "chat:1"), ("telegram", "bot", "business:b/chat:1")),
        (("webchat", "bot", "6f1c"), ("webchat", "bot", "6f1d")),
    ],
)
def test_others_are_divided(one: tuple[str, str, str], other: tuple[str, str, str]) -> None:
    assert part_of(*one) != part_of(*other)


def test_the_parts_are_even() -> None:
    parts = [part_of("telegram", "bot", f"chat:{n}") for n in range(25_600)]
    counts = [parts.count(number) for number in ALL]
    assert set(parts) == ALL
    assert max(counts) < 3 * min(counts)


@pytest.mark.parametrize(
    ("key", "part"),
    [("chat:1/user:1", 237), ("", 17), ("0b7e", 55)],
)
def test_rows_of_the_release_before_keep_their_parts(key: str, part: int) -> None:
    assert part_of("telegram", "bot", key) == part
