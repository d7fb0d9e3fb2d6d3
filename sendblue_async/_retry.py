"""What the end of an attempt means, and whether and when there is another one. No I/O.

The endpoint takes no idempotency key, and a phone number is unique on the server. So a plain
create is repeated too, and *settled* afterwards by looking the contact up; RFC 9110 §9.2.2
allows a repeat only where it is harmless or the first request is known not to have been applied.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum
from typing import NamedTuple

from attrs import field, frozen

from ._arguments import suggest_arguments
from ._checks import is_count, is_duration, is_flag
from .exceptions import (
    APIError,
    AuthenticationError,
    BadRequestError,
    ConnectError,
    ContactExistsError,
    NotFoundError,
    Outcome,
    OutcomeUnknownError,
    PermissionDeniedError,
    RateLimitError,
    ResponseFormatError,
    SendblueError,
    ServerError,
    TLSError,
    UnexpectedRedirectError,
)


class Effect(Enum):
    """What an operation does; this alone decides whether it is sent again after an unknown outcome.

    Safe and idempotent are the words of RFC 9110 §9.2, said here of what the operation does and
    not of its HTTP method.
    """

    SAFE = "reads only: sent again"
    IDEMPOTENT = "once or twice is the same: sent again"
    VERIFIABLE = "a plain create: sent again, and its outcome is looked up"
    NON_IDEMPOTENT = "may do its work twice: not sent again"


class Retryable(Enum):
    """Whether an attempt that ended in a certain way is followed by another one."""

    YES = "while attempts are left"
    ONCE = "one time"
    NO = "never"


class FailureKind(Enum):
    """How an attempt ends that brings no HTTP status to judge by."""

    NO_CONNECTION = "DNS failure, refused, connect timeout, TLS handshake timeout"
    BAD_TLS = "bad certificate, wrong host name, no TLS"
    LOST = "connection reset or closed before an answer"
    TIMED_OUT = "no answer in time"
    UNREADABLE = "body cut short, not the JSON expected, or no HTTP"
    REFUSED = "2xx whose status is ERROR"


class Rule(NamedTuple):
    """One row of the truth table."""

    outcome: Outcome
    retryable: Retryable
    uses_retry_after: bool
    error: type[SendblueError]


CAPPED = Rule("rejected", Retryable.NO, False, PermissionDeniedError)
_UNREACHED = Rule("rejected", Retryable.YES, True, ServerError)

# By the ending, the status, or the class of a status that has no row of its own.
RULES: Mapping[FailureKind | int | str, Rule] = {
    FailureKind.NO_CONNECTION: Rule("not_sent", Retryable.YES, False, ConnectError),
    FailureKind.BAD_TLS: Rule("not_sent", Retryable.NO, False, TLSError),
    FailureKind.LOST: Rule("unknown", Retryable.YES, False, OutcomeUnknownError),
    FailureKind.TIMED_OUT: Rule("unknown", Retryable.YES, False, OutcomeUnknownError),
    FailureKind.UNREADABLE: Rule("unknown", Retryable.YES, False, ResponseFormatError),
    FailureKind.REFUSED: Rule("rejected", Retryable.NO, False, APIError),
    "3xx": Rule("rejected", Retryable.NO, False, UnexpectedRedirectError),
    400: Rule("rejected", Retryable.NO, False, BadRequestError),
    401: Rule("rejected", Retryable.NO, False, AuthenticationError),
    "400 that names a cap": CAPPED,
    402: Rule("rejected", Retryable.NO, False, PermissionDeniedError),
    403: Rule("rejected", Retryable.NO, False, PermissionDeniedError),
    404: Rule("rejected", Retryable.NO, False, NotFoundError),
    408: Rule("rejected", Retryable.YES, True, APIError),
    409: Rule("rejected", Retryable.NO, False, ContactExistsError),
    413: Rule("rejected", Retryable.NO, False, BadRequestError),
    422: Rule("rejected", Retryable.NO, False, BadRequestError),
    425: Rule("rejected", Retryable.ONCE, True, APIError),
    429: Rule("rejected", Retryable.YES, True, RateLimitError),
    "4xx": Rule("rejected", Retryable.NO, False, APIError),
    501: Rule("rejected", Retryable.NO, False, ServerError),
    "503 that names a time": _UNREACHED,
    521: _UNREACHED,
    523: _UNREACHED,
    525: _UNREACHED,
    526: _UNREACHED,
    "5xx": Rule("unknown", Retryable.YES, True, ServerError),
}


def rule_for(status: int, *, has_retry_after: bool, is_plan_limit: bool = False) -> Rule:
    """The row for an HTTP status that is not 2xx.

    Args:
        status: The status.
        has_retry_after: Whether the answer has a usable ``Retry-After``. A 503 that has one was
            turned away before any work was done; one that has none may come from anywhere.
        is_plan_limit: Whether the answer's body says that a cap of the account's plan is reached.
    """
    if is_plan_limit:
        return CAPPED
    if status == 503 and has_retry_after:
        return RULES["503 that names a time"]
    # A 1xx or 6xx that arrives as a final answer tells as little as a 5xx.
    return RULES.get(status) or RULES.get(f"{status // 100}xx") or RULES["5xx"]


def is_retryable(rule: Rule, effect: Effect, *, maybe_applied: bool) -> bool:
    """Whether the same call makes sense again later: it may succeed then, and does no harm.

    Args:
        rule: The row of the truth table that the last attempt ended in.
        effect: What the operation does.
        maybe_applied: Whether any attempt may have been applied.
    """
    # A call that had no time left, or whose turn had not come, ends without another attempt.
    passes = rule.retryable is not Retryable.NO or rule.error in (ConnectError, RateLimitError)
    return passes and not (maybe_applied and effect is Effect.NON_IDEMPOTENT)


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

    attempts: int = field(default=4, validator=is_count)
    base: float = field(default=0.25, validator=is_duration)
    cap: float = field(default=8.0, validator=is_duration)
    rate_limit_base: float = field(default=1.0, validator=is_duration)
    settle: bool = field(default=True, validator=is_flag)

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
            rule: The row of the truth table that the attempt ended in.
            effect: What the operation does.
            attempt: The number of the attempt that ended, from 1.
            retry_after: What the server asked for, in seconds, or ``None``.
            draw: A random number from [0, 1).
        """
        if attempt >= self.attempts or rule.retryable is Retryable.NO:
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


class RetryThrottle:
    """A budget for retries, so that an outage is not answered with a storm.

    Each failed attempt takes a token and each success gives one back; there are no retries
    at or below half. Below 50 % failures it does not bite. Design and numbers: gRPC A6.
    """

    def __init__(self, tokens: int = 100) -> None:
        self._full = tokens
        self._tokens = tokens

    def succeeded(self) -> None:
        """Count an attempt that the server handled."""
        if self._tokens < self._full:
            self._tokens += 1

    def failed(self) -> None:
        """Count an attempt that ended in a way that is retried."""
        if self._tokens > 0:
            self._tokens -= 1

    @property
    def allows_retry(self) -> bool:
        """Whether a retry may be sent now."""
        return self._tokens > self._full / 2
