"""Whose turn it is: the pace that all share, and the contacts of one number."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable

from ..._pace import Pace

# Seconds that a place is ahead when its call begins.
_NEAR = 0.05


class Turns:
    """Lets callers wait for their pace one after another, before their calls begin.

    Waiting inside its call, a caller would hold a place that was given out long ago, at a pace
    which has changed since, and the wait would count against the call's deadline.

    Args:
        pace: The pace.
        clock: Monotonic seconds.
        sleep: A way to wait.
    """

    def __init__(
        self,
        pace: Pace,
        *,
        clock: Callable[[], float],
        sleep: Callable[[float], Awaitable[object]],
    ) -> None:
        self._pace = pace
        self._clock = clock
        self._sleep = sleep
        self._first = asyncio.Lock()

    async def wait(self) -> None:
        """Wait until the next place is near."""
        if not self._first.locked() and self._ahead() <= 0:
            return
        async with self._first:
            while (ahead := self._ahead()) > 0:
                await self._sleep(ahead)

    def _ahead(self) -> float:
        """Seconds to wait for the next place.

        The last moments are waited for side by side: a timer is not exact enough to wait for
        thousands of places a second one after another.
        """
        now = self._clock()
        return self._pace.free_at(now) - now - _NEAR


class Lanes:
    """Lets one caller in at a time for each key, in the order in which they came."""

    def __init__(self) -> None:
        self._waiting: dict[str, deque[asyncio.Future[None]]] = {}

    async def enter(self, key: str) -> None:
        """Wait until nobody who came before with this key is in; :meth:`leave` must follow."""
        waiting = self._waiting.get(key)
        if waiting is None:
            self._waiting[key] = deque()
            return
        place = asyncio.get_running_loop().create_future()
        waiting.append(place)
        try:
            await place
        except asyncio.CancelledError:
            # Let in at the very moment at which it is cancelled.
            if not place.cancelled():
                self.leave(key)
            raise

    def leave(self, key: str) -> None:
        """Let in who came next."""
        waiting = self._waiting[key]
        while waiting:
            place = waiting.popleft()
            if not place.done():
                place.set_result(None)
                return
        del self._waiting[key]
