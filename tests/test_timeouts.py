"""What waits too long, on one timer."""

import asyncio

from gateway.timeouts import Timeouts


async def test_each_is_cancelled_when_its_own_time_is_over() -> None:
    loop = asyncio.get_running_loop()
    timeouts, began = Timeouts(loop), loop.time()
    first, second = loop.create_future(), loop.create_future()
    timeouts.begin([first], 0.1)
    await asyncio.sleep(0.05)
    timeouts.begin([second], 0.1)
    await asyncio.wait([first], timeout=5)
    assert first.cancelled()
    assert loop.time() - began >= 0.1
    assert not second.done()
    await asyncio.wait([second], timeout=5)
    assert second.cancelled()
    assert loop.time() - began >= 0.15


async def test_whoever_comes_after_a_pause_has_a_timer_again() -> None:
    loop = asyncio.get_running_loop()
    timeouts = Timeouts(loop)
    done, late = loop.create_future(), loop.create_future()
    timeouts.begin([done], 0.01)
    done.set_result(None)
    timeouts.end([done])
    await asyncio.sleep(0.03)
    timeouts.begin([late], 0.01)
    await asyncio.wait([late], timeout=5)
    assert late.cancelled()


async def test_what_nobody_waits_for_any_more_is_cancelled_at_once() -> None:
    loop = asyncio.get_running_loop()
    timeouts, future = Timeouts(loop), loop.create_future()
    timeouts.begin([future], 10)
    timeouts.end([future])
    assert future.cancelled()
