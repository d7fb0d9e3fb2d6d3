"""Batches of items for workers that are idle together."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Generic, TypeVar

T = TypeVar("T")

# Seconds that idle workers wait for others, for each worker there is. Without that wait, a row
# costs 28 % more of the processor and there are twice as many commits, where 32 contacts are in
# flight and answers take 30 to 90 ms (``benchmarks.imports --server late``).
_LINGER = 0.0002
# Seconds that they wait at most: a bulk request waits 10 ms for more contacts, and with 100
# workers those that were begun too late would go in requests of their own, twice as many in all.
_MAX_LINGER = 0.008
# How many items of a batch that was begun for all workers are given out at once; the others wait
# for the worker that is done next. If all began in one moment, all would wait in the next one:
# 4,000 rows took 2.7 s with this and 3.8 s without, at a server that answers at once.
_MAX_HANDOUT = 4


class WorkBatcher(Generic[T]):
    """Begins items for all workers that are idle together, while the others work.

    Args:
        begin: Called with the number of idle workers; returns at most as many items. If it
            returned fewer, it is soon called again; it raises ``StopAsyncIteration`` at the end.
        workers: How many workers there are. While fewer are idle, they wait some milliseconds for
            others, as ``begin`` costs the same for one item as for many.

    Attributes:
        ready: Items that were begun and that no worker has taken yet.
    """

    def __init__(self, begin: Callable[[int], Awaitable[list[T]]], *, workers: int) -> None:
        self.ready: deque[T] = deque()
        self._begin = begin
        self._workers = workers
        self._idle: list[asyncio.Future[T]] = []
        self._wanted = asyncio.Event()
        self._linger: asyncio.TimerHandle | None = None

    async def pull(self) -> T:
        """Return a worker's next item, or raise what ``begin`` raises."""
        if self.ready:
            item = self.ready.popleft()
            if not self.ready and self._idle:
                self._stop_lingering()
                self._wake_soon()
            return item
        turn: asyncio.Future[T] = asyncio.get_running_loop().create_future()
        self._idle.append(turn)
        self._wake_soon()
        try:
            return await turn
        except asyncio.CancelledError:
            # Given an item at the very moment at which it is cancelled.
            if not turn.cancelled() and turn.exception() is None:
                self.ready.appendleft(turn.result())
            raise

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Hand out items until the end of the block."""
        task = asyncio.create_task(self._hand_out())
        try:
            yield
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            self._stop_lingering()

    async def _hand_out(self) -> None:
        while True:
            await self._wanted.wait()
            self._wanted.clear()
            self._stop_lingering()
            try:
                handout = len(self.ready) or await self._begin_next()
            except Exception as error:
                for turn in self._waiting():
                    turn.set_exception(error)
            else:
                # Also to those that came meanwhile, and not to those that have left.
                for turn in self._waiting()[:handout]:
                    turn.set_result(self.ready.popleft())
            if self._waiting():
                self._wake_soon()

    async def _begin_next(self) -> int:
        """Begin the next items, and return how many of them are for workers that are idle."""
        count = len(self._waiting())
        if not count:
            return 0
        self.ready.extend(await self._begin(count))
        return len(self.ready) if count < self._workers else min(_MAX_HANDOUT, len(self.ready))

    def _wake_soon(self) -> None:
        """Hand out items at once if all workers are idle, or after a moment if not."""
        if not self.ready and len(self._idle) >= self._workers:
            self._wanted.set()
        elif self._linger is None:
            loop = asyncio.get_running_loop()
            linger = min(_LINGER * self._workers, _MAX_LINGER)
            self._linger = loop.call_later(linger, self._wanted.set)

    def _stop_lingering(self) -> None:
        if self._linger is not None:
            self._linger.cancel()
            self._linger = None

    def _waiting(self) -> list[asyncio.Future[T]]:
        """The turns of idle workers that have no item yet."""
        self._idle = [turn for turn in self._idle if not turn.done()]
        return self._idle
