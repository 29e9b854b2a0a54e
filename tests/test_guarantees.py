"""docs/guarantees.md names tests: each of them is there, and each promise that `make chaos` tries has its row."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.chaos.promise import all_promises

TESTS = Path(__file__).parent
PAGE = TESTS.parent / "docs" / "guarantees.md"
ROW = re.compile(r"\| ((?:[GS]\d+(?:, )?)+) \|")


def rows() -> Iterator[tuple[str, str]]:
    """The names of the promises of a row, and who tries them."""
    for line in PAGE.read_text().splitlines():
        if found := ROW.match(line):
            yield found[1], line.split(" | ")[2]


def named() -> list[str]:
    return [name for _, by in rows() for name in re.findall(r"`([^`]+)`", by)]


@pytest.mark.parametrize("name", sorted(set(named())))
def test_what_is_named_is_there(name: str) -> None:
    path, _, function = name.removeprefix("python -m tests.").partition("::")
    file = TESTS.parent / path if path.endswith(".py") else TESTS / f"{path}.py"
    assert file.is_file()
    assert not function or re.search(rf"^(async )?def {function}\(", file.read_text(), re.MULTILINE)


def test_every_promise_is_tried_by_somebody() -> None:
    assert not [name for name, by in rows() if "`" not in by and "](" not in by]


def test_what_make_chaos_tries_is_a_promise() -> None:
    promises = {name for names, _ in rows() for name in names.split(", ")}
    assert {one.name for one in all_promises()} <= promises
