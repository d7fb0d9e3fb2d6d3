"""Jobs for idle workers, many at once."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Generic, TypeVar

T = TypeVar("T")

# Seconds that an idle worker waits at most for others to be idle as well.
_PATIENCE = 0.002


class Feeder(Generic[T]):
    """Gives all workers that are idle their jobs together, while the others work.

    Args:
        begin: Is told how many workers are idle, and gives at most as many jobs. Having given
            fewer it is soon asked again; it raises ``StopAsyncIteration`` at the end.
        enough: How many idle workers are worth a call of ``begin``, which costs the same for
            one job as for many. Fewer wait a few milliseconds for others.
    """

    def __init__(self, begin: Callable[[int], Awaitable[list[T]]], *, enough: int) -> None:
        self._begin = begin
        self._enough = enough
        self._idle: list[asyncio.Future[T]] = []
        self._wanted = asyncio.Event()
        self._patience: asyncio.TimerHandle | None = None

    async def pull(self) -> T:
        """The next job of a worker; raises what ``begin`` raises."""
        place: asyncio.Future[T] = asyncio.get_running_loop().create_future()
        self._idle.append(place)
        self._feed_soon()
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
            if self._patience is not None:
                self._patience.cancel()
                self._patience = None
            try:
                if (count := len(self._waiting()) - len(jobs)) > 0:
                    jobs.extend(await self._begin(count))
            except Exception as error:
                for place in self._waiting():
                    place.set_exception(error)
            # Also of those that came meanwhile, and not of those that have left.
            for place in self._waiting()[: len(jobs)]:
                place.set_result(jobs.popleft())
            if self._waiting():
                self._feed_soon()

    def _feed_soon(self) -> None:
        """Have the idle ones fed: at once if there are enough of them, else after a moment."""
        if len(self._idle) >= self._enough:
            self._wanted.set()
        elif self._patience is None:
            loop = asyncio.get_running_loop()
            self._patience = loop.call_later(_PATIENCE, self._wanted.set)

    def _waiting(self) -> list[asyncio.Future[T]]:
        """The places that have no job yet."""
        self._idle = [place for place in self._idle if not place.done()]
        return self._idle
