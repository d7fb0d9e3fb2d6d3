"""Where workers wait for the rate limit before their calls begin."""

from __future__ import annotations

import asyncio

from ..._clock import Clock
from ..._rate_limits import RateLimiter

# Seconds that a slot is ahead when its call begins.
_LEAD = 0.05


class RateGate:
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
        self._lock = asyncio.Lock()

    async def wait(self) -> None:
        """Wait until the next slot is near."""
        if not self._lock.locked() and self._seconds_to_wait() <= 0:
            return
        async with self._lock:
            while (seconds := self._seconds_to_wait()) > 0:
                await self._clock.sleep(seconds)

    def _seconds_to_wait(self) -> float:
        """Seconds to wait until the next slot is near.

        The last moments are waited for side by side: a timer is not exact enough to wait for
        thousands of slots a second one after another.
        """
        now = self._clock.monotonic()
        return self._rate_limiter.next_slot_at(now) - now - _LEAD
