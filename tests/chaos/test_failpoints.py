"""The fail points still meet the product, and say so where they do not."""

import pytest

from tests.chaos import failpoints
from tests.chaos.failpoints import POINTS, Seam, find, wrapped
from tests.chaos.points import NAMES
from tests.chaos.promise import all_promises, wanted


def test_every_point_has_its_seams() -> None:
    assert set(NAMES) == set(POINTS)
    failpoints.install("")


@pytest.mark.parametrize("where", ["gateway.engine:Engine.gone", "gateway.engine:Gone.accept", "gateway.writer:gone"])
def test_a_seam_that_has_gone_is_named(where: str) -> None:
    with pytest.raises(LookupError, match="is gone"):
        find(where)


def test_a_point_that_there_is_not_is_refused() -> None:
    with pytest.raises(LookupError, match="the points are received"):
        failpoints.install("sneezed:1")


@pytest.mark.parametrize("after", [False, True])
async def test_a_seam_is_passed_on_its_side_of_the_call(after: bool) -> None:
    steps: list[str] = []

    async def call() -> None:
        steps.append("call")

    await wrapped(call, Seam("", after), lambda: steps.append("passed"))()
    assert steps == (["call", "passed"] if after else ["passed", "call"])


def test_a_promise_that_there_is_not_is_named() -> None:
    with pytest.raises(LookupError, match="no trial of G99"):
        wanted(all_promises(), "g1 g99")
