"""When a client may send its next request."""

from __future__ import annotations

from functools import partial

from .._clock import Clock
from .adaptive import AdaptiveRateLimiter as AdaptiveRateLimiter
from .base import RateLimiter as RateLimiter
from .fixed import MAX_PAUSE as MAX_PAUSE
from .fixed import FixedRateLimiter as FixedRateLimiter
from .fixed import check_rate_limit as check_rate_limit
from .nested import NestedRateLimiter as NestedRateLimiter
from .redis import RedisRateLimiter as RedisRateLimiter

CountingRateLimiter = FixedRateLimiter | NestedRateLimiter


def make_rate_limiter(
    rate_limit: float | RateLimiter | None,
    *,
    parent: CountingRateLimiter | None = None,
    clock: Clock,
) -> CountingRateLimiter:
    """Make the rate limiter of a client, or of a batch of one.

    Args:
        rate_limit: Requests per second, or a rate limiter. With ``None`` a client has no limit,
            and a batch that of its client's rate limiter, or it discovers the server's.
        parent: What keeps the client to its limit, if this is for a batch.
        clock: Tells the time, and waits.

    Raises:
        ConfigurationError: If it is neither.
    """
    check_rate_limit("rate_limit", rate_limit)
    nested = partial(NestedRateLimiter, clock=clock)
    if isinstance(rate_limit, RateLimiter):
        outer = rate_limit
        if isinstance(parent, NestedRateLimiter) and parent.has(rate_limit):
            outer = parent
        elif parent is not None:
            outer = nested(parent, rate_limit)
        return nested(FixedRateLimiter(), outer)
    if isinstance(parent, NestedRateLimiter):
        return nested(FixedRateLimiter(rate_limit), parent)
    if parent is not None and rate_limit is None:
        return AdaptiveRateLimiter(parent=parent)
    return FixedRateLimiter(rate_limit, parent=parent)
