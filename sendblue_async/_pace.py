"""When a client may send its next request: a rate limit, and a pause that all callers share."""

from __future__ import annotations

import math
from collections import deque

from .exceptions import ConfigurationError

# Seconds that one answer may hold every caller back, whatever time it names. Then one call finds
# out whether the server means it, and the others follow so many seconds later.
LONGEST_PAUSE = 300.0
_PROBE = 5.0


class Pace:
    """The common clock of all callers of one client. No I/O; times are monotonic seconds.

    Args:
        rate: Requests per second at most, evenly spaced, or ``None`` for no limit.
        within: A pace that is kept as well, and with which every pause is shared.
    """

    def __init__(self, rate: float | None = None, *, within: Pace | None = None) -> None:
        if rate is not None and (type(rate) not in (int, float) or not 0 < rate < math.inf):
            raise ConfigurationError(
                f"rate_limit must be a number of requests per second above 0, not {rate!r}."
            )
        self._interval = 1 / rate if rate else 0.0
        self._within = within
        self._next = 0.0
        self._paused_until = 0.0
        self._probes = False
        self.rate = rate
        """Requests per second at most now, or ``None`` without a limit."""
        self.refusals = 0
        """How many requests were refused."""

    def pause(self, now: float, seconds: float) -> None:
        """Hold back every request for so long, as the server asked; for five minutes at most."""
        self._paused_until = max(self._paused_until, now + min(seconds, LONGEST_PAUSE))
        self._probes = self._probes or seconds > LONGEST_PAUSE
        if self._within:
            self._within.pause(now, seconds)

    def free_at(self, now: float) -> float:
        """The time of the next place, which :meth:`reserve` would give to the caller."""
        place = max(now, self._next, self._paused_until)
        return self._within.free_at(place) if self._within else place

    def reserve(self, now: float, before: float = math.inf) -> float:
        """The time at which the caller may send; it has that place for itself.

        A caller that gives its place up leaves it unused. One that waited must ask
        :meth:`paused_until` afterwards, and take another place if a pause has come meanwhile.

        Args:
            now: The time.
            before: When it is too late for the caller; it gets no place then, and holds up nobody.
        """
        place = max(now, self._next, self._paused_until)
        if self._within:
            place = self._within.reserve(place, before)
        if place >= before:
            return place
        if self._interval:
            self._next = place + self._interval
        if self._probes:
            self._probes = False
            self._next = place + _PROBE
        return place

    def paused_until(self) -> float:
        """The time until which every request is held back; in the past if none is."""
        outer = self._within.paused_until() if self._within else 0.0
        return max(self._paused_until, outer)

    def accepted(self, now: float) -> None:
        """Learn that the server took a request; a fixed pace has nothing to learn from it."""

    def refused(self, now: float) -> None:
        """Learn that the server answered 429; a fixed pace only counts it."""
        self.refusals += 1


class AdaptivePace(Pace):
    """A pace that finds the limit of a server which does not publish it.

    It begins gently and trebles within a second as long as nothing is refused. The first refusal
    comes late: a token bucket has to be emptied first, and a window filled. So the rate falls to
    what a window of a second must then have allowed at least, and what the pause has left unused
    is sent at once. From there it comes back to just below what was taken in the last second
    before a refusal, and goes faster very slowly, which is how CUBIC (RFC 9438) shares a network.
    ``benchmarks/pace.py`` shows what this brings at servers of either kind.
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

    def __init__(self, *, within: Pace | None = None, rate: float = FIRST) -> None:
        super().__init__(rate, within=within)
        self.rate: float = rate
        self.limit: float | None = None
        """What the server seems to allow in a second, or ``None`` if it never refused."""
        self._waits = False
        self._unused = 0
        self._accepted: deque[float] = deque()

    def reserve(self, now: float, before: float = math.inf) -> float:
        """As :meth:`Pace.reserve`; also notices whether the pace is what holds callers back."""
        place = super().reserve(now, before)
        self._waits = place > now
        if self._unused > 0 and place < before:
            self._unused -= 1
            self._next = place
        return place

    def accepted(self, now: float) -> None:
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

    def refused(self, now: float) -> None:
        """Slow down and pause everybody a little, once for all that were in flight."""
        self.refusals += 1
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


def pace_for(rate_limit: float | None, *, within: Pace) -> Pace:
    """A pace with this limit, or one that finds the limit by itself."""
    if rate_limit is None:
        return AdaptivePace(within=within)
    return Pace(rate_limit, within=within)
