"""Whose turn it is: the rate limit that all share, and the contacts of one number."""

from __future__ import annotations

import asyncio
from collections import deque

from ..._clock import Clock
from ..._rate_limits import RateLimiter

# Seconds that a slot is ahead when its call begins.
_NEAR = 0.05


class Turns:
    """Lets callers wait for their slots one after another, before their calls begin.

    Waiting inside its call, a caller would hold a slot that was given out long ago, at a rate
    which has changed since, and the wait would count against the call's deadline.

    Args:
        rate_limiter: The rate limiter.
        clock: Tells the time, and waits.
    """

    def __init__(
        self,
        rate_limiter: RateLimiter,
        *,
        clock: Clock,
    ) -> None:
        self._rate_limiter = rate_limiter
        self._clock = clock
        self._first = asyncio.Lock()

    async def wait(self) -> None:
        """Wait until the next slot is near."""
        if not self._first.locked() and self._ahead() <= 0:
            return
        async with self._first:
            while (ahead := self._ahead()) > 0:
                await self._clock.sleep(ahead)

    def _ahead(self) -> float:
        """Seconds to wait for the next slot.

        The last moments are waited for side by side: a timer is not exact enough to wait for
        thousands of slots a second one after another.
        """
        now = self._clock.monotonic()
        return self._rate_limiter.next_slot_at(now) - now - _NEAR


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
