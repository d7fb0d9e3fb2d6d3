"""When a client may send its next request."""

from __future__ import annotations

from .adaptive import AdaptiveRateLimiter
from .base import RateLimiter
from .fixed import MAX_PAUSE, FixedRateLimiter

__all__ = [
    "MAX_PAUSE",
    "AdaptiveRateLimiter",
    "FixedRateLimiter",
    "RateLimiter",
    "make_rate_limiter",
]


def make_rate_limiter(rate_limit: float | None, *, parent: RateLimiter) -> RateLimiter:
    """A rate limiter with this limit, or one that discovers the server's."""
    if rate_limit is None:
        return AdaptiveRateLimiter(parent=parent)
    return FixedRateLimiter(rate_limit, parent=parent)
