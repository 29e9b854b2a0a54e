"""Every promise in its short form."""

import os

import pytest

from tests.chaos.promise import LONG, all_promises

FILES = list(dict.fromkeys(one.file for one in all_promises()))


@pytest.mark.timeout(1800)
@pytest.mark.parametrize("file", FILES)
def test_promises(file: str) -> None:
    broken = []
    for one in all_promises():
        if one.file != file:
            continue
        if why := one.lacks():
            assert not os.environ.get("CI"), f"{why}, though CI is set"
            pytest.skip(why)
        finding = one.trial(LONG)
        print(f"{one.name}: {finding.figure}")
        broken += [] if finding.kept else [f"{one.name}: {finding.figure}"]
    assert not broken
