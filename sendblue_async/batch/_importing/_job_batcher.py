"""Jobs for idle workers, many begun at once."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Generic, TypeVar

T = TypeVar("T")

# How long an idle worker waits for others to be idle as well, or for others to take the jobs that
# are ready: so many seconds for each of ``enough`` workers, which is about what a call takes of the
# processor, and not more than so many in all.
_PATIENCE = 0.0002
_PATIENCE_AT_MOST = 0.01
# How many of the jobs that were begun for enough workers are given to idle ones at once; the others
# wait for whoever is done next. If all began in one moment, they would make so many objects that
# Python collects the garbage, each time.
_AT_ONCE = 4


class Feeder(Generic[T]):
    """Begins jobs for all workers that are idle together, while the others work.

    Args:
        begin: Is told how many workers are idle, and gives at most as many jobs. Having given
            fewer it is soon asked again; it raises ``StopAsyncIteration`` at the end.
        enough: How many idle workers are worth a call of ``begin``, which costs the same for
            one job as for many. Fewer wait some milliseconds for others.

    Attributes:
        ready: Jobs that were begun, and that no worker has yet.
    """

    def __init__(self, begin: Callable[[int], Awaitable[list[T]]], *, enough: int) -> None:
        self.ready: deque[T] = deque()
        self._begin = begin
        self._enough = enough
        self._idle: list[asyncio.Future[T]] = []
        self._wanted = asyncio.Event()
        self._patience: asyncio.TimerHandle | None = None

    async def pull(self) -> T:
        """The next job of a worker; raises what ``begin`` raises."""
        if self.ready:
            job = self.ready.popleft()
            if not self.ready and self._idle:
                self._forget_patience()
                self._feed_soon()
            return job
        place: asyncio.Future[T] = asyncio.get_running_loop().create_future()
        self._idle.append(place)
        self._feed_soon()
        try:
            return await place
        except asyncio.CancelledError:
            # Given a job at the very moment at which it is cancelled.
            if not place.cancelled() and place.exception() is None:
                self.ready.appendleft(place.result())
            raise

    @asynccontextmanager
    async def at_work(self) -> AsyncIterator[None]:
        """It feeds for as long as the block lasts."""
        task = asyncio.create_task(self._feed())
        try:
            yield
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            self._forget_patience()

    async def _feed(self) -> None:
        while True:
            await self._wanted.wait()
            self._wanted.clear()
            self._forget_patience()
            try:
                at_once = len(self.ready) or await self._make_ready()
            except Exception as error:
                for place in self._waiting():
                    place.set_exception(error)
            else:
                # Also of those that came meanwhile, and not of those that have left.
                for place in self._waiting()[:at_once]:
                    place.set_result(self.ready.popleft())
            if self._waiting():
                self._feed_soon()

    async def _make_ready(self) -> int:
        """Begin the next jobs; how many of them are for workers that are idle."""
        count = len(self._waiting())
        if not count:
            return 0
        self.ready.extend(await self._begin(count))
        return len(self.ready) if count < self._enough else min(_AT_ONCE, len(self.ready))

    def _feed_soon(self) -> None:
        """Have the idle ones fed: at once if there are enough of them, else after a moment."""
        if not self.ready and len(self._idle) >= self._enough:
            self._wanted.set()
        elif self._patience is None:
            loop = asyncio.get_running_loop()
            patience = min(_PATIENCE * self._enough, _PATIENCE_AT_MOST)
            self._patience = loop.call_later(patience, self._wanted.set)

    def _forget_patience(self) -> None:
        if self._patience is not None:
            self._patience.cancel()
            self._patience = None

    def _waiting(self) -> list[asyncio.Future[T]]:
        """The places that have no job yet."""
        self._idle = [place for place in self._idle if not place.done()]
        return self._idle
