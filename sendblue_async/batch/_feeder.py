"""Jobs for idle workers, many at once."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Generic, TypeVar

T = TypeVar("T")


class Feeder(Generic[T]):
    """Gives all workers that are idle their jobs together, while the others work.

    Args:
        begin: Is told how many workers are idle, and gives at most as many jobs. Having given
            fewer it is asked again at once; it raises ``StopAsyncIteration`` at the end.
    """

    def __init__(self, begin: Callable[[int], Awaitable[list[T]]]) -> None:
        self._begin = begin
        self._idle: list[asyncio.Future[T]] = []
        self._wanted = asyncio.Event()

    async def pull(self) -> T:
        """The next job of a worker; raises what ``begin`` raises."""
        place: asyncio.Future[T] = asyncio.get_running_loop().create_future()
        self._idle.append(place)
        self._wanted.set()
        return await place

    @asynccontextmanager
    async def at_work(self) -> AsyncIterator[None]:
        """It feeds for as long as the block lasts."""
        task = asyncio.create_task(self._feed())
        try:
            yield
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    async def _feed(self) -> None:
        jobs: deque[T] = deque()
        while True:
            await self._wanted.wait()
            self._wanted.clear()
            try:
                if (count := len(self._waiting()) - len(jobs)) > 0:
                    jobs.extend(await self._begin(count))
            except Exception as error:
                for place in self._waiting():
                    place.set_exception(error)
                continue
            # Also of those that came meanwhile, and not of those that have left.
            for place in self._waiting()[: len(jobs)]:
                place.set_result(jobs.popleft())
            if self._waiting():
                self._wanted.set()

    def _waiting(self) -> list[asyncio.Future[T]]:
        """The places that have no job yet."""
        self._idle = [place for place in self._idle if not place.done()]
        return self._idle
