"""Two rate limiters that are both kept, of which the outer one may have to be awaited."""

from __future__ import annotations

import math
from collections.abc import Awaitable

from .._clock import Clock
from .base import RateLimiter


class NestedRateLimiter(RateLimiter):
    """Gives a slot of the outer limiter to whoever has waited for one of the inner.

    The outer one may be shared with other processes, which must not wait for slots that are taken
    here long before they can be used.

    Args:
        inner: What this process or batch keeps to.
        outer: What it shares with others.
        clock: Tells the time, and waits.
    """

    def __init__(
        self,
        inner: RateLimiter,
        outer: RateLimiter,
        *,
        clock: Clock,
    ) -> None:
        self.inner = inner
        self.outer = outer
        self.throttled = 0
        self._clock = clock

    @property
    def rate(self) -> float | None:  # type: ignore[override]
        """The lower of the two rates, of which the one that is known counts."""
        known = [each.rate for each in (self.inner, self.outer) if each.rate is not None]
        return min(known, default=None)

    def has(self, limiter: RateLimiter) -> bool:
        """Whether a limiter is one of these, or of those inside them."""
        return any(
            each is limiter or (isinstance(each, NestedRateLimiter) and each.has(limiter))
            for each in (self.inner, self.outer)
        )

    async def reserve_slot(self, now: float, before: float = math.inf) -> float:
        """Wait for a slot of the inner limiter, then reserve one of the outer."""
        slot = await resolve(self.inner.reserve_slot(now, before))
        while slot > now:
            if slot >= before:
                return slot
            await self._clock.sleep(slot - now)
            now = self._clock.monotonic()
            if await resolve(self.inner.paused_until()) <= now:
                break
            slot = await resolve(self.inner.reserve_slot(now, before))
        return await resolve(self.outer.reserve_slot(self._clock.monotonic(), before))

    def next_slot_at(self, now: float) -> float:
        """The time at which both limiters have a slot."""
        return self.outer.next_slot_at(self.inner.next_slot_at(now))

    async def paused_until(self) -> float:
        """The time until which either limiter holds back every request."""
        return max(
            await resolve(self.inner.paused_until()), await resolve(self.outer.paused_until())
        )

    def pause(self, now: float, seconds: float) -> Awaitable[None]:
        """Hold back every request here at once, and those of others as soon as they learn of it."""
        waits = [each.pause(now, seconds) for each in (self.inner, self.outer)]

        async def tell_both() -> None:
            for wait in waits:
                if wait is not None:
                    await wait

        return tell_both()

    def on_accepted(self, now: float) -> None:
        """Let both learn that the server took a request."""
        self.inner.on_accepted(now)
        self.outer.on_accepted(now)

    def on_throttled(self, now: float) -> None:
        """Let both learn that the server answered 429."""
        self.throttled += 1
        self.inner.on_throttled(now)
        self.outer.on_throttled(now)

    async def aclose(self) -> None:
        """Close both."""
        await self.inner.aclose()
        await self.outer.aclose()


async def resolve(time: float | Awaitable[float]) -> float:
    """Return the time, after awaiting it if it has to be."""
    return await time if isinstance(time, Awaitable) else time
