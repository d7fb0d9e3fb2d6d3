"""What a rate limiter is."""

from __future__ import annotations

import math
from abc import abstractmethod
from collections.abc import Awaitable
from typing import Protocol, runtime_checkable


@runtime_checkable
class RateLimiter(Protocol):
    """Says when the next request may be sent. Times are monotonic seconds.

    A subclass must have :meth:`reserve_slot`; the other methods do nothing unless it has them. A
    method that has to ask another machine returns an awaitable, which is given up at the deadline
    of the call. The client itself keeps the pauses that the server asks for, in this process.
    """

    rate: float | None = None
    """Requests per second at most now, for reports; ``None`` if that is not known."""

    @abstractmethod
    def reserve_slot(self, now: float, before: float = math.inf) -> float | Awaitable[float]:
        """Reserve the next slot, and return its time.

        A caller that gives its slot up leaves it unused. One that waited asks
        :meth:`paused_until` afterwards, and reserves another slot if a pause has come meanwhile.

        Args:
            now: The time.
            before: When it is too late for the caller. It gets no slot then, and holds up nobody:
                return a time that is not before this one, and count nothing.
        """

    def next_slot_at(self, now: float) -> float:
        """The time of the next slot as far as it is known here; batches wait for it.

        Args:
            now: The time, or a later one before which the caller does not send.
        """
        return now

    def paused_until(self) -> float | Awaitable[float]:
        """The time until which every request is held back; in the past if none is."""
        return 0.0

    def pause(self, now: float, seconds: float) -> Awaitable[None] | None:
        """Hold back every request for so long, as the server asked."""
        return None

    def on_accepted(self, now: float) -> None:
        """Learn that the server took a request."""
        return

    def on_throttled(self, now: float) -> None:
        """Learn that the server answered 429."""
        return

    async def aclose(self) -> None:
        """Close what is open on the running event loop; it is opened again when it is needed.

        A client that is closed calls this, and a batch at its end.
        """
        return
