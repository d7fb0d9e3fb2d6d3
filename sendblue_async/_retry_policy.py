"""How often and how patiently a call is attempted: the numbers, and their defaults."""

from __future__ import annotations

from attrs import field, frozen

from ._arguments import suggest_arguments
from ._checks import validate_count, validate_duration, validate_flag
from ._retry_rules import Effect, Retryable, Rule
from .exceptions import RateLimitError


@suggest_arguments
@frozen(kw_only=True)
class RetryPolicy:
    """How often and how patiently a call is attempted.

    Before retry *n* (1, 2, …) the client waits a uniformly random time between 0 and
    ``min(cap, base * 2 ** (n - 1))`` seconds ("full jitter", which the AWS Architecture Blog
    found to cost the least work). A ``Retry-After`` of the server's replaces that, and up to
    5 % is added so that callers do not return together.

    Attributes:
        attempts: Attempts per call, the first included. Default 4; 1 turns retries off.
        base: Seconds the first wait may take at most. Default 0.25.
        cap: Seconds any wait may take at most, unless the server asks for more. Default 8.
        rate_limit_base: ``base`` after a 429 that names no time. Default 1 second.
        settle: Whether an unknown outcome is settled by looking the contact up. Default true. If
            false, such an outcome of a plain create raises at once and is not retried.

    Raises:
        ConfigurationError: If a value is out of range.
    """

    attempts: int = field(default=4, validator=validate_count)
    base: float = field(default=0.25, validator=validate_duration)
    cap: float = field(default=8.0, validator=validate_duration)
    rate_limit_base: float = field(default=1.0, validator=validate_duration)
    settle: bool = field(default=True, validator=validate_flag)

    def wait(
        self,
        rule: Rule,
        effect: Effect,
        *,
        attempt: int,
        retry_after: float | None,
        draw: float,
    ) -> float | None:
        """Seconds to wait before the next attempt, or ``None`` if there is to be none.

        Args:
            rule: The row of the truth table for the attempt that failed.
            effect: What the operation does.
            attempt: Its number, from 1.
            retry_after: What the server asked for, in seconds, or ``None``.
            draw: A random number from [0, 1).
        """
        if attempt >= self.attempts or rule.retryable in (Retryable.NO, Retryable.LATER):
            return None
        if rule.retryable is Retryable.ONCE and attempt > 1:
            return None
        if rule.outcome == "unknown" and (
            effect is Effect.NON_IDEMPOTENT or (effect is Effect.VERIFIABLE and not self.settle)
        ):
            return None
        if retry_after is not None and rule.uses_retry_after:
            return retry_after * (1 + 0.05 * draw)
        base = self.rate_limit_base if rule.error is RateLimitError else self.base
        # 2.0 ** 1024 overflows; no cap is that far away.
        return draw * min(self.cap, base * 2.0 ** min(attempt - 1, 1000))
