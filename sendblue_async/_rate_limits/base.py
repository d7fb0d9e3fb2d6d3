"""What a rate limiter is."""

from __future__ import annotations

import math
from typing import Protocol


class RateLimiter(Protocol):
    """Says when the next request may be sent. No I/O; times are monotonic seconds."""

    rate: float | None
    """Requests per second at most now, or ``None`` without a limit."""

    throttled: int
    """How many requests were answered with 429."""

    def pause(self, now: float, seconds: float) -> None:
        """Hold back every request for so long."""

    def next_slot_at(self, now: float) -> float:
        """The time of the next slot, which :meth:`reserve_slot` would give to the caller."""

    def reserve_slot(self, now: float, before: float = math.inf) -> float:
        """The time at which the caller may send; it has that slot for itself.

        A caller that gives its slot up leaves it unused. One that waited must ask
        :meth:`paused_until` afterwards, and reserve another slot if a pause has come meanwhile.

        Args:
            now: The time.
            before: When it is too late for the caller; it gets no slot then, and holds up nobody.
        """

    def paused_until(self) -> float:
        """The time until which every request is held back; in the past if none is."""

    def on_accepted(self, now: float) -> None:
        """Learn that the server took a request."""

    def on_throttled(self, now: float) -> None:
        """Learn that the server answered 429."""
