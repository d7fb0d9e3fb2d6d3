"""When a client may send its next request: a rate limit, and a pause that all callers share."""

from __future__ import annotations

import math

from .exceptions import ConfigurationError


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
        self.rate = rate
        """Requests per second at most now, or ``None`` without a limit."""
        self.refusals = 0
        """How many requests were refused."""

    def pause(self, until: float) -> None:
        """Hold back every request until this time, as the server asked."""
        self._paused_until = max(self._paused_until, until)
        if self._within:
            self._within.pause(until)

    def free_at(self, now: float) -> float:
        """The time of the next place, which :meth:`reserve` would give to the caller."""
        place = max(now, self._next, self._paused_until)
        return self._within.free_at(place) if self._within else place

    def reserve(self, now: float) -> float:
        """The time at which the caller may send; it has that place for itself.

        A caller that gives its place up leaves it unused. One that waited must ask
        :meth:`paused_until` afterwards, and take another place if a pause has come meanwhile.
        """
        place = max(now, self._next, self._paused_until)
        if self._within:
            place = self._within.reserve(place)
        if self._interval:
            self._next = place + self._interval
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

    It begins gently and doubles within a second as long as nothing is refused. A refusal slows
    it down, and all callers pause. Then it soon comes back to just below where it was refused,
    and from there on goes faster very slowly, which is how CUBIC (RFC 9438) shares a network.
    """

    FIRST = 10.0
    """Requests per second at the beginning."""

    def __init__(self, *, within: Pace | None = None, rate: float = FIRST) -> None:
        super().__init__(rate, within=within)
        self.rate: float = rate
        self.limit: float | None = None
        """The rate at which the server refused last, or ``None`` if it never did."""
        self._slowed_at = 0.0
        self._waits = False

    def reserve(self, now: float) -> float:
        """As :meth:`Pace.reserve`; also notices whether the pace is what holds callers back."""
        place = super().reserve(now)
        self._waits = place > now
        return place

    def accepted(self, now: float) -> None:
        """Go faster, if anybody has to wait."""
        if not self._waits:
            return
        # Added once a request, so `rate` times a second.
        if self.limit is None:
            self._set(self.rate + math.log(2))
        elif self.rate < 0.96 * self.limit:
            self._set(self.rate + 0.2 * (self.limit - self.rate) / self.rate)
        else:
            self._set(self.rate + 3e-5 * max(0.0, now - self._slowed_at))

    def refused(self, now: float) -> None:
        """Slow down and pause everybody for a second, once for all that were under way."""
        self.refusals += 1
        if now < self.paused_until():
            return
        knew_it = self.limit is not None and self.rate >= 0.955 * self.limit
        factor = 0.96 if knew_it else 0.8 if self.limit else 0.7
        self.limit = self.rate
        self._set(max(0.1, self.rate * factor))
        self._slowed_at = now + 1
        self.pause(now + 1)

    def _set(self, rate: float) -> None:
        self.rate = rate
        self._interval = 1 / rate


def pace_for(rate_limit: float | None, *, within: Pace) -> Pace:
    """A pace with this limit, or one that finds the limit by itself."""
    if rate_limit is None:
        return AdaptivePace(within=within)
    return Pace(rate_limit, within=within)
