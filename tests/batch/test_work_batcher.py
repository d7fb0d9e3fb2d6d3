"""Workers that are idle get their items together."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest

from sendblue_async.batch._importing._work_batcher import WorkBatcher

pytestmark = pytest.mark.anyio

# So many workers that those who wait for others wait for a fifth of a second.
MANY = 1000


class Source:
    """Numbers from 0 on, handed out as told; knows how many were asked for."""

    def __init__(self, *steps: int | Exception) -> None:
        self.asked: list[int] = []
        self.begins = asyncio.Event()
        self._steps = iter(steps)
        self._next = 0

    async def begin(self, count: int) -> list[int]:
        """At most as many numbers as the next step says, or the error that it is."""
        self.asked.append(count)
        self.begins.set()
        await asyncio.sleep(0)
        step = next(self._steps, StopAsyncIteration())
        if isinstance(step, Exception):
            raise step
        items = list(range(self._next, self._next + min(step, count)))
        self._next += len(items)
        return items


async def pulled(pull: Callable[[], object], count: int) -> list[object]:
    """What so many workers get that pull at once."""
    return await asyncio.gather(*(pull() for _ in range(count)), return_exceptions=True)  # type: ignore[call-overload]


async def a_moment() -> None:
    """All that can happen without a timer has happened."""
    for _ in range(9):
        await asyncio.sleep(0)


async def test_all_that_are_idle_are_fed_together() -> None:
    """One call begins the items of all, in the order in which they pulled."""
    source = Source(9, 9)
    batcher = WorkBatcher(source.begin, workers=9)
    async with batcher.running():
        assert await pulled(batcher.pull, 5) == [0, 1, 2, 3, 4]
        assert await pulled(batcher.pull, 3) == [5, 6, 7]
    assert source.asked == [5, 3]


async def test_few_wait_for_others() -> None:
    """What costs the same for one as for many is done for those together that come soon after."""
    source = Source(9, 9)
    batcher = WorkBatcher(source.begin, workers=MANY)
    async with batcher.running():
        early = asyncio.create_task(batcher.pull())
        await a_moment()
        assert source.asked == []
        assert await pulled(batcher.pull, 2) == [1, 2]
        assert await early == 0
        # Nor does one wait for ever that comes later and stays alone.
        assert await asyncio.wait_for(batcher.pull(), 30) == 3
    assert source.asked == [3, 1]


async def test_all_wait_for_nobody() -> None:
    """Neither at first nor if all were idle before a call of ``begin`` was over."""
    source = Source(1, 1, 1)
    batcher = WorkBatcher(source.begin, workers=2)
    async with batcher.running():
        pulls = [asyncio.create_task(batcher.pull()) for _ in range(2)]
        await source.begins.wait()
        pulls += [asyncio.create_task(batcher.pull()) for _ in range(2)]
        await a_moment()
        assert [pull.result() for pull in pulls[:3] if pull.done()] == [0, 1, 2]
    assert source.asked[:3] == [2, 3, 2]


async def test_most_items_are_for_those_who_are_idle_next() -> None:
    """They take them at once; those who wait get theirs if nobody else comes."""
    source = Source(MANY, MANY)
    batcher = WorkBatcher(source.begin, workers=MANY)
    async with batcher.running():
        pulls = [asyncio.create_task(batcher.pull()) for _ in range(MANY)]
        await a_moment()
        at_once = sum(pull.done() for pull in pulls)
        assert 0 < at_once < MANY / 10
        assert await pulled(batcher.pull, 5) == [*range(at_once, at_once + 5)]
        assert source.asked == [MANY]
        assert {*await asyncio.wait_for(asyncio.gather(*pulls), 30)}.isdisjoint(
            range(at_once, at_once + 5)
        )
    assert source.asked == [MANY, 5]


async def test_the_wait_begins_anew_when_no_item_is_ready() -> None:
    """Those who were idle meanwhile wait for others from then on."""
    source = Source(MANY, MANY)
    batcher = WorkBatcher(source.begin, workers=MANY)
    async with batcher.running():
        pulls = [asyncio.create_task(batcher.pull()) for _ in range(MANY)]
        await a_moment()
        left = sum(not pull.done() for pull in pulls)
        await pulled(batcher.pull, left)
        await a_moment()
        assert source.asked == [MANY]
        await asyncio.wait_for(asyncio.gather(*pulls), 30)
    assert source.asked == [MANY, left]


async def test_with_fewer_items_it_asks_again() -> None:
    """Nobody waits for ever when less was ready than was asked for, or nothing."""
    source = Source(1, 0, 1, 1)
    batcher = WorkBatcher(source.begin, workers=1)
    async with batcher.running():
        assert await pulled(batcher.pull, 3) == [0, 1, 2]
    assert source.asked == [3, 2, 2, 1]


async def test_at_the_end_all_hear_of_it() -> None:
    """Those that wait, and those that come later."""
    batcher = WorkBatcher(Source(1).begin, workers=1)
    async with batcher.running():
        first, *others = await pulled(batcher.pull, 3)
        assert first == 0
        assert [type(other) for other in others] == [StopAsyncIteration] * 2
        with pytest.raises(StopAsyncIteration):
            await batcher.pull()


async def test_an_error_reaches_those_that_wait() -> None:
    """It ends no later pull."""
    error = ValueError("no")
    batcher = WorkBatcher(Source(error, 9).begin, workers=1)
    async with batcher.running():
        assert await pulled(batcher.pull, 2) == [error, error]
        assert await batcher.pull() == 0


async def test_no_item_is_lost_on_who_has_left() -> None:
    """What was begun for a worker that was cancelled goes to the next one."""
    source = Source(9, 9)
    batcher = WorkBatcher(source.begin, workers=1)
    leaves, stays = (asyncio.create_task(batcher.pull()) for _ in range(2))
    await asyncio.sleep(0)
    async with batcher.running():
        await source.begins.wait()
        leaves.cancel()
        assert await asyncio.wait_for(stays, 30) == 0
        assert [*batcher.ready] == [1]
        assert await batcher.pull() == 1
    assert source.asked == [2]


async def test_nor_on_who_leaves_as_it_comes() -> None:
    """An item goes to the next one, too, if its worker is cancelled before it can take it."""
    source = Source(9, 9)

    async def begin(count: int) -> list[int]:
        items = await source.begin(count)
        asyncio.get_running_loop().call_soon(leaves.cancel)
        return items

    batcher = WorkBatcher(begin, workers=1)
    leaves = asyncio.create_task(batcher.pull())
    async with batcher.running():
        with pytest.raises(asyncio.CancelledError):
            await leaves
        assert await batcher.pull() == 0
