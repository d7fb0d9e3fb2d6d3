"""Workers that are idle get their jobs together."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest

from sendblue_async.batch import _feeder
from sendblue_async.batch._feeder import Feeder

pytestmark = pytest.mark.anyio


@pytest.fixture(autouse=True)
def patience(monkeypatch: pytest.MonkeyPatch) -> None:
    """More of it than a test has, so that no feeding is owed to its end."""
    monkeypatch.setattr(_feeder, "_PATIENCE", 60.0)


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
        jobs = list(range(self._next, self._next + min(step, count)))
        self._next += len(jobs)
        return jobs


async def pulled(pull: Callable[[], object], count: int) -> list[object]:
    """What so many workers get that pull at once."""
    return await asyncio.gather(*(pull() for _ in range(count)), return_exceptions=True)  # type: ignore[call-overload]


async def test_all_that_are_idle_are_fed_together() -> None:
    """One call begins the jobs of all, in the order in which they pulled."""
    source = Source(9, 9)
    feeder = Feeder(source.begin, enough=1)
    async with feeder.at_work():
        assert await pulled(feeder.pull, 5) == [0, 1, 2, 3, 4]
        assert await pulled(feeder.pull, 3) == [5, 6, 7]
    assert source.asked == [5, 3]


async def test_few_wait_for_others(monkeypatch: pytest.MonkeyPatch) -> None:
    """What costs the same for one as for many is done for those together that come soon after."""
    source = Source(9, 9)
    feeder = Feeder(source.begin, enough=3)
    async with feeder.at_work():
        early = asyncio.create_task(feeder.pull())
        for _ in range(5):
            await asyncio.sleep(0)
        assert await pulled(feeder.pull, 2) == [1, 2]
        assert await early == 0
        # Nor does one wait for ever that comes later and stays alone.
        monkeypatch.setattr(_feeder, "_PATIENCE", 0.001)
        assert await asyncio.wait_for(feeder.pull(), 5) == 3
    assert source.asked == [3, 1]


async def test_enough_wait_for_nobody() -> None:
    """Neither at first nor if there were enough before a call of ``begin`` was over."""
    source = Source(9, 9)
    feeder = Feeder(source.begin, enough=2)
    async with feeder.at_work():
        first = asyncio.create_task(pulled(feeder.pull, 2))
        await source.begins.wait()
        meanwhile = asyncio.create_task(pulled(feeder.pull, 3))
        assert await asyncio.wait_for(first, 5) == [0, 1]
        assert await asyncio.wait_for(meanwhile, 5) == [2, 3, 4]
    assert source.asked == [2, 3]


async def test_with_fewer_jobs_it_asks_again() -> None:
    """Nobody waits for ever when less was ready than was asked for, or nothing."""
    source = Source(2, 0, 9)
    feeder = Feeder(source.begin, enough=1)
    async with feeder.at_work():
        assert await pulled(feeder.pull, 5) == [0, 1, 2, 3, 4]
    assert source.asked == [5, 3, 3]


async def test_at_the_end_all_hear_of_it() -> None:
    """Those that wait, and those that come later."""
    feeder = Feeder(Source(1).begin, enough=1)
    async with feeder.at_work():
        first, *others = await pulled(feeder.pull, 3)
        assert first == 0
        assert [type(other) for other in others] == [StopAsyncIteration] * 2
        with pytest.raises(StopAsyncIteration):
            await feeder.pull()


async def test_an_error_reaches_those_that_wait() -> None:
    """It ends no later pull."""
    error = ValueError("no")
    feeder = Feeder(Source(error, 9).begin, enough=1)
    async with feeder.at_work():
        assert await pulled(feeder.pull, 2) == [error, error]
        assert await feeder.pull() == 0


async def test_no_job_is_lost_on_who_has_left() -> None:
    """What was begun for a worker that was cancelled goes to the next one."""
    source = Source(9, 9)
    feeder = Feeder(source.begin, enough=1)
    leaves, stays = (asyncio.create_task(feeder.pull()) for _ in range(2))
    await asyncio.sleep(0)
    async with feeder.at_work():
        await source.begins.wait()
        leaves.cancel()
        assert await asyncio.wait_for(stays, 5) == 0
        assert await pulled(feeder.pull, 2) == [1, 2]
    assert source.asked == [2, 1]
