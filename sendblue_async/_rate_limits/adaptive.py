"""A rate limiter that discovers the limit of a server which does not publish it."""

from __future__ import annotations

import math
from collections import deque

from .fixed import FixedRateLimiter


class AdaptiveRateLimiter(FixedRateLimiter):
    """A rate limiter that discovers the limit of a server which does not publish it.

    It begins gently and trebles within a second as long as nothing is refused. The first refusal
    comes late: a token bucket has to be emptied first, and a window filled. So the rate falls to
    what a window of a second must then have allowed at least, and what the pause has left unused
    is sent at once. From there it comes back to just below what was taken in the last second
    before a refusal, and goes faster very slowly, which is how CUBIC (RFC 9438) shares a network.
    ``benchmarks/rate_limits.py`` shows what this brings at servers of either kind.
    """

    FIRST = 20.0
    """Requests per second at the beginning."""

    PAUSE = 0.4
    """Seconds that all callers wait after a refusal that names no time."""

    _GROWTH = math.log(3)
    # Of the rate at the first refusal: what a window of a second allowed, probably and at most.
    _PROBABLE, _CEILING = 0.41, 0.6
    # How near to the known limit a rate counts as having reached it.
    _NEAR = 0.985

    def __init__(self, *, parent: FixedRateLimiter | None = None, rate: float = FIRST) -> None:
        super().__init__(rate, parent=parent)
        self.rate: float = rate
        self.limit: float | None = None
        """What the server seems to allow in a second, or ``None`` if it never refused."""
        self._waits = False
        self._unused = 0
        self._accepted: deque[float] = deque()

    def reserve_slot(self, now: float, before: float = math.inf) -> float:
        """Reserve a slot; also notice whether the rate limit is what holds callers back."""
        slot = super().reserve_slot(now, before)
        self._waits = slot > now
        if self._unused > 0 and slot < before:
            self._unused -= 1
            self._next = slot
        return slot

    def on_accepted(self, now: float) -> None:
        """Go faster, if anybody has to wait."""
        self._accepted.append(now)
        self._forget_before(now - 1)
        if not self._waits:
            return
        # Added once a request, so `rate` times a second.
        if self.limit is None:
            self._set(self.rate + self._GROWTH)
        elif self.rate < self._NEAR * self.limit:
            self._set(self.rate + 0.2 * (self.limit - self.rate) / self.rate)
        else:
            self._set(self.rate + 1.25e-7 * max(0.0, now - self.paused_until()) ** 2)

    def on_throttled(self, now: float) -> None:
        """Slow down and pause everybody a little, once for all that were in flight."""
        self.throttled += 1
        if now < self.paused_until():
            return
        self._forget_before(now - 1)
        refused_at = self.rate
        if self.limit is None:
            self.limit = self._CEILING * refused_at
            self._set(self._PROBABLE * refused_at)
            self._unused = int(self._PROBABLE * self.rate)
        else:
            knew_it = self.rate >= (self._NEAR - 0.005) * self.limit
            # In the first second after a pause, what was accepted says nothing of the limit.
            early = now - self.paused_until() < 1
            seen = refused_at if early else max(len(self._accepted), refused_at / 2)
            self.limit = min(refused_at, seen)
            self._set(self.limit * (0.99 if knew_it and not early else 0.92))
        self.pause(now, self.PAUSE)

    def _forget_before(self, time: float) -> None:
        while self._accepted and self._accepted[0] <= time:
            self._accepted.popleft()

    def _set(self, rate: float) -> None:
        self.rate = max(0.1, rate)
        self._interval = 1 / self.rate
