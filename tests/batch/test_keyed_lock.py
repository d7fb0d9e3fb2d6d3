"""Callers of one key go in one after the other; the rate limit is tested with the batch."""

from __future__ import annotations

import asyncio

import pytest

from sendblue_async.batch._sending._keyed_lock import KeyedLock

pytestmark = pytest.mark.anyio


async def waits(task: asyncio.Task[None]) -> bool:
    """Whether a task goes on for as long as nothing else happens."""
    for _ in range(5):
        await asyncio.sleep(0)
    return not task.done()


async def test_one_at_a_time_and_in_order() -> None:
    """Each waits until all who came before with its key have left; other keys do not matter."""
    lock = KeyedLock()
    entered: list[int] = []

    async def pass_through(place: int) -> None:
        await lock.acquire("+1")
        entered.append(place)
        await asyncio.sleep(0)
        assert entered[-1] == place
        lock.release("+1")

    await lock.acquire("+1")
    tasks = [asyncio.create_task(pass_through(place)) for place in range(9)]
    assert await waits(tasks[0])
    await asyncio.wait_for(lock.acquire("+2"), 30)
    lock.release("+2")
    lock.release("+1")
    await asyncio.gather(*tasks)
    assert entered == list(range(9))


async def test_one_that_comes_when_it_is_free_does_not_overtake() -> None:
    """Who waited goes in, even if it has not noticed yet that it may."""
    lock = KeyedLock()
    await lock.acquire("+1")
    earlier = asyncio.create_task(lock.acquire("+1"))
    assert await waits(earlier)
    lock.release("+1")
    later = asyncio.create_task(lock.acquire("+1"))
    await asyncio.wait_for(earlier, 30)
    assert await waits(later)
    lock.release("+1")
    await asyncio.wait_for(later, 30)


@pytest.mark.parametrize("just_let_in", [False, True])
async def test_who_is_cancelled_holds_nobody_up(just_let_in: bool) -> None:
    """Whether it still waited or had just been let in."""
    lock = KeyedLock()
    await lock.acquire("+1")
    first, second = (asyncio.create_task(lock.acquire("+1")) for _ in range(2))
    assert await waits(second)
    if just_let_in:
        lock.release("+1")
        first.cancel()
    else:
        first.cancel()
        await asyncio.wait([first])
        lock.release("+1")
    await asyncio.wait_for(second, 30)
    assert first.cancelled()


async def test_nothing_is_kept_of_keys_that_nobody_has() -> None:
    """Memory does not grow with the keys that there were."""
    lock = KeyedLock()
    for key in "abc":
        await lock.acquire(key)
        other = asyncio.create_task(lock.acquire(key))
        assert await waits(other)
        lock.release(key)
        await other
        lock.release(key)
    assert not lock._waiting
