"""When a client may send its next request: a rate limit, and a pause that all callers share."""

from __future__ import annotations

import math

from .exceptions import ConfigurationError


class Pace:
    """The common clock of all callers of one client. No I/O; times are monotonic seconds.

    Args:
        rate: Requests per second at most, evenly spaced, or ``None`` for no limit.
    """

    def __init__(self, rate: float | None = None) -> None:
        if rate is not None and (type(rate) not in (int, float) or not 0 < rate < math.inf):
            raise ConfigurationError(
                f"rate_limit must be a number of requests per second above 0, not {rate!r}."
            )
        self._interval = 1 / rate if rate else 0.0
        self._next = 0.0
        self._paused_until = 0.0

    def pause(self, until: float) -> None:
        """Hold back every request until this time, as the server asked."""
        self._paused_until = max(self._paused_until, until)

    def reserve(self, now: float) -> float:
        """The time at which the caller may send; it has that place for itself.

        A caller that gives its place up leaves it unused. One that waited must ask
        :meth:`paused_until` afterwards, and take another place if a pause has come meanwhile.
        """
        if not self._interval:
            return max(now, self._paused_until)
        place = max(now, self._next, self._paused_until)
        self._next = place + self._interval
        return place

    def paused_until(self) -> float:
        """The time until which every request is held back; in the past if none is."""
        return self._paused_until
