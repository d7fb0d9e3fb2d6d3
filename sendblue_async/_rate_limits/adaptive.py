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

    A server that names a second or more to wait usually allows a whole second's requests after it,
    and each refusal near its limit would cost such a second. So the limit is measured there: twice,
    requests go fast until the next refusal, and the smaller count is the limit. A second of the
    server may end during one of these counts, never during both.

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
    # How many times to count what a second allows, and how much faster than the supposed limit.
    _COUNTS, _FASTER = 2, 3.3
    # The share of the supposed limit that may be in flight when one is refused for the limit to be
    # measured: with more, too much would be refused.
    _IN_FLIGHT = 0.08

    def __init__(self, *, parent: FixedRateLimiter | None = None, rate: float = FIRST) -> None:
        super().__init__(rate, parent=parent)
        self.rate: float = rate
        self.limit: float | None = None
        """What the server seems to allow in a second, or ``None`` if it never refused."""
        self._waits = False
        self._unused = 0
        self._answered_in_pause = 0
        self._paused_a_second = False
        # Until the limit is measured or cannot be; what was taken in each measurement, and while
        # one is made, the rate and the unused slots to go on with should it fail.
        self._measurable = True
        self._counts: list[int] = []
        self._resume: tuple[float, int] | None = None
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
        if self._resume:
            if now < self.paused_until():
                self._count_in_flight()
            if now - self.paused_until() < 1:
                return
            self._stop_measuring()
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
            self._count_in_flight()
            return
        self._answered_in_pause = 1
        self._forget_before(now - 1)
        refused_at, accepted = self.rate, len(self._accepted)
        early = now - self.paused_until() < 1
        if self.limit is None:
            self.limit = self._CEILING * refused_at
            self._set(self._PROBABLE * refused_at)
            self._unused = int(self._PROBABLE * self.rate)
        elif self._resume:
            self._end_measurement(accepted if early else 0)
        elif early:
            # After a short pause the count says nothing; after a second's it is a lower bound.
            seen = max(refused_at, accepted) if self._paused_a_second else refused_at
            self.limit = min(self.limit, seen)
            self._set(0.92 * self.limit)
        else:
            knew_it = self.rate >= (self._NEAR - 0.005) * self.limit
            self.limit = min(refused_at, max(accepted, refused_at / 2))
            self._set(self.limit * (0.99 if knew_it else 0.92))
        self.pause(now, self.PAUSE)

    def pause(self, now: float, seconds: float) -> None:
        """Hold back every request for so long, and measure afterwards what a second allows."""
        super().pause(now, seconds)
        self._paused_a_second = seconds >= 1
        if self._paused_a_second and self.limit and self._measurable and not self._resume:
            self._resume = self.rate, self._unused
            self._unused = 0
            self._set(self._FASTER * self.limit)

    def _end_measurement(self, count: int) -> None:
        measured_at = self.rate
        self._go_on()
        self._counts.append(count)
        if count < self._least_of_a_second():
            # Others use the limit as well, or it is not counted by the second.
            self._stop_measuring()
        elif len(self._counts) == self._COUNTS:
            self._stop_measuring()
            self.limit = float(min(self._counts))
            self._set(self._NEAR * self.limit)
            # As late in a second of the server as it refused, the pause ends in the next one. A
            # tenth is left for what its clock and ours disagree about.
            self._unused = int(0.9 * self.limit * self.limit / measured_at)

    def _least_of_a_second(self) -> float:
        """What a window of a second has at least, if it was filled while the rate trebled."""
        supposed = self.limit or 0.0
        return max(supposed / 4, min(0.55 * supposed, 0.7 * supposed - self.FIRST / 2))

    def _count_in_flight(self) -> None:
        self._answered_in_pause += 1
        if self._answered_in_pause > max(2.0, self._IN_FLIGHT * (self.limit or 0.0)):
            self._stop_measuring()

    def _stop_measuring(self) -> None:
        self._measurable = False
        self._go_on()

    def _go_on(self) -> None:
        if self._resume:
            rate, self._unused = self._resume
            self._resume = None
            self._set(rate)

    def _forget_before(self, time: float) -> None:
        while self._accepted and self._accepted[0] <= time:
            self._accepted.popleft()

    def _set(self, rate: float) -> None:
        self.rate = max(0.1, rate)
        self._interval = 1 / self.rate
