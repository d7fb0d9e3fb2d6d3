"""A rate limiter with a fixed rate, or none, and a pause that all callers share."""

from __future__ import annotations

import math
from typing import Any

from ..exceptions import ConfigurationError
from .base import RateLimiter

# Seconds that one answer may hold every caller back, whatever time it names. Then one call finds
# out whether the server means it, and the others follow so many seconds later.
MAX_PAUSE = 300.0
PROBE = 5.0


def check_rate(name: str, rate: Any, *, others: str = "") -> None:
    """Refuse what is no rate, without showing it: it may be a URL with a password.

    Raises:
        ConfigurationError: If it is not a finite number above 0.
    """
    if type(rate) in (int, float) and 0 < rate < math.inf:
        return
    if isinstance(rate, type):
        shown = f"the class {rate.__name__}"
    else:
        shown = repr(rate) if isinstance(rate, (int, float)) else f"a {type(rate).__name__}"
    raise ConfigurationError(
        f"{name} must be a number of requests per second above 0{others}, not {shown}."
    )


def check_rate_limit(name: str, value: object) -> None:
    """Refuse what is neither a rate, nor a rate limiter, nor ``None`` for no limit.

    Raises:
        ConfigurationError: If it is none of them, such as the class of a rate limiter.
    """
    if value is None or (isinstance(value, RateLimiter) and not isinstance(value, type)):
        return
    check_rate(name, value, others=", or a RateLimiter")


class FixedRateLimiter(RateLimiter):
    """The common clock of all callers of one client. No I/O; times are monotonic seconds.

    Args:
        rate: Requests per second at most, evenly spaced, or ``None`` for no limit.
        parent: A rate limiter that is kept as well, and with which every pause is shared.
    """

    def __init__(
        self, rate: float | None = None, *, parent: FixedRateLimiter | None = None
    ) -> None:
        if rate is not None:
            check_rate("rate_limit", rate)
        self._interval = 1 / rate if rate else 0.0
        self._parent = parent
        self._next = 0.0
        self._paused_until = 0.0
        self._probes = False
        self.rate = rate
        self.throttled = 0

    def pause(self, now: float, seconds: float) -> None:
        """Hold back every request for so long, as the server asked; for five minutes at most."""
        self._paused_until = max(self._paused_until, now + min(seconds, MAX_PAUSE))
        self._probes = self._probes or seconds > MAX_PAUSE
        if self._parent:
            self._parent.pause(now, seconds)

    def next_slot_at(self, now: float) -> float:
        """The time of the next slot, which :meth:`reserve_slot` would give to the caller."""
        slot = max(now, self._next, self._paused_until)
        return self._parent.next_slot_at(slot) if self._parent else slot

    def reserve_slot(self, now: float, before: float = math.inf) -> float:
        """Reserve the next slot, and return its time.

        A caller that gives its slot up leaves it unused. One that waited must ask
        :meth:`paused_until` afterwards, and reserve another slot if a pause has come meanwhile.

        Args:
            now: The time.
            before: When it is too late for the caller; it gets no slot then, and holds up nobody.
        """
        slot = max(now, self._next, self._paused_until)
        if self._parent:
            slot = self._parent.reserve_slot(slot, before)
        if slot >= before:
            return slot
        if self._interval:
            self._next = slot + self._interval
        if self._probes:
            self._probes = False
            self._next = slot + PROBE
        return slot

    def paused_until(self) -> float:
        """The time until which every request is held back; in the past if none is."""
        outer = self._parent.paused_until() if self._parent else 0.0
        return max(self._paused_until, outer)

    def on_throttled(self, now: float) -> None:
        """Learn that the server answered 429; a fixed rate only counts it."""
        self.throttled += 1
