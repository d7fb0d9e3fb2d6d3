"""Callers of one key go in one after the other; the rate limit is tested with the batch."""

from __future__ import annotations

import asyncio

import pytest

from sendblue_async.batch._sending._rate_gate import Lanes

pytestmark = pytest.mark.anyio


async def waits(task: asyncio.Task[None]) -> bool:
    """Whether a task goes on for as long as nothing else happens."""
    for _ in range(5):
        await asyncio.sleep(0)
    return not task.done()


async def test_one_at_a_time_and_in_order() -> None:
    """Each waits until all who came before with its key have left; other keys do not matter."""
    lanes = Lanes()
    entered: list[int] = []

    async def pass_through(place: int) -> None:
        await lanes.enter("+1")
        entered.append(place)
        await asyncio.sleep(0)
        assert entered[-1] == place
        lanes.leave("+1")

    await lanes.enter("+1")
    tasks = [asyncio.create_task(pass_through(place)) for place in range(9)]
    assert await waits(tasks[0])
    await asyncio.wait_for(lanes.enter("+2"), 30)
    lanes.leave("+2")
    lanes.leave("+1")
    await asyncio.gather(*tasks)
    assert entered == list(range(9))


async def test_one_that_comes_when_it_is_free_does_not_overtake() -> None:
    """Who waited goes in, even if it has not noticed yet that it may."""
    lanes = Lanes()
    await lanes.enter("+1")
    earlier = asyncio.create_task(lanes.enter("+1"))
    assert await waits(earlier)
    lanes.leave("+1")
    later = asyncio.create_task(lanes.enter("+1"))
    await asyncio.wait_for(earlier, 30)
    assert await waits(later)
    lanes.leave("+1")
    await asyncio.wait_for(later, 30)


@pytest.mark.parametrize("just_let_in", [False, True])
async def test_who_is_cancelled_holds_nobody_up(just_let_in: bool) -> None:
    """Whether it still waited or had just been let in."""
    lanes = Lanes()
    await lanes.enter("+1")
    first, second = (asyncio.create_task(lanes.enter("+1")) for _ in range(2))
    assert await waits(second)
    if just_let_in:
        lanes.leave("+1")
        first.cancel()
    else:
        first.cancel()
        await asyncio.wait([first])
        lanes.leave("+1")
    await asyncio.wait_for(second, 30)
    assert first.cancelled()


async def test_nothing_is_kept_of_keys_that_nobody_has() -> None:
    """Memory does not grow with the keys that there were."""
    lanes = Lanes()
    for key in "abc":
        await lanes.enter(key)
        other = asyncio.create_task(lanes.enter(key))
        assert await waits(other)
        lanes.leave(key)
        await other
        lanes.leave(key)
    assert not lanes._waiting
