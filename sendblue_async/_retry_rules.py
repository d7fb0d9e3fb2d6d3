"""The truth table: what each end of an attempt means, and whether it is followed by another.

RFC 9110 §9.2.2 allows a repeat only where it is harmless or the first request is known not to
have been applied. The endpoint takes no idempotency key, and a phone number is unique on the
server, so a plain create is repeated too, and settled afterwards by looking the contact up.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum
from typing import NamedTuple

from .exceptions import (
    APIError,
    AuthenticationError,
    BadRequestError,
    ConfigurationError,
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
    """Whether a failed attempt is followed by another one."""

    YES = "while attempts are left"
    ONCE = "one time"
    LATER = "not in this call; a later one may succeed"
    NO = "never"


class FailureKind(Enum):
    """How an attempt fails where no HTTP status says how."""

    NO_CONNECTION = "DNS failure, refused, connect timeout, TLS handshake timeout"
    BAD_TLS = "bad certificate, wrong host name, no TLS"
    LOST = "connection reset or closed before an answer"
    TIMED_OUT = "no answer in time"
    UNREADABLE = "body cut short or too large, not the JSON expected, or no HTTP"
    REFUSED = "2xx whose status is ERROR"
    PLAN_LIMIT = "a refusal because a limit of the account's plan is reached"
    NO_TIME_LEFT = "not sent: the deadline came first"
    SLOT_TOO_LATE = "not sent: the rate limiter's next slot is after the deadline"
    NO_TOKEN = "not sent: there is no access token"
    CLOSED = "not sent: the client or its session is closed"


class Rule(NamedTuple):
    """One row of the truth table."""

    outcome: Outcome
    retryable: Retryable
    uses_retry_after: bool
    error: type[SendblueError]


_NOT_DONE = Rule("rejected", Retryable.YES, True, ServerError)


# By the kind of failure, the status, or the class of a status that has no row of its own.
RULES: Mapping[FailureKind | int | str, Rule] = {
    FailureKind.NO_CONNECTION: Rule("not_sent", Retryable.YES, False, ConnectError),
    FailureKind.BAD_TLS: Rule("not_sent", Retryable.NO, False, TLSError),
    FailureKind.LOST: Rule("unknown", Retryable.YES, False, OutcomeUnknownError),
    FailureKind.TIMED_OUT: Rule("unknown", Retryable.YES, False, OutcomeUnknownError),
    FailureKind.UNREADABLE: Rule("unknown", Retryable.YES, False, ResponseFormatError),
    FailureKind.REFUSED: Rule("rejected", Retryable.NO, False, APIError),
    FailureKind.PLAN_LIMIT: Rule("rejected", Retryable.NO, False, PermissionDeniedError),
    FailureKind.NO_TIME_LEFT: Rule("not_sent", Retryable.LATER, False, ConnectError),
    FailureKind.SLOT_TOO_LATE: Rule("not_sent", Retryable.LATER, False, RateLimitError),
    FailureKind.NO_TOKEN: Rule("not_sent", Retryable.LATER, False, ConnectError),
    FailureKind.CLOSED: Rule("not_sent", Retryable.NO, False, ConfigurationError),
    "3xx": Rule("rejected", Retryable.NO, False, UnexpectedRedirectError),
    400: Rule("rejected", Retryable.NO, False, BadRequestError),
    401: Rule("rejected", Retryable.NO, False, AuthenticationError),
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
    "503 with Retry-After": _NOT_DONE,
    521: _NOT_DONE,
    523: _NOT_DONE,
    525: _NOT_DONE,
    526: _NOT_DONE,
    "5xx": Rule("unknown", Retryable.YES, True, ServerError),
}


def rule_for(status: int, *, has_retry_after: bool) -> Rule:
    """Find the row for an HTTP status that is not 2xx.

    Args:
        status: The status.
        has_retry_after: Whether the response has a usable ``Retry-After``. A 503 that has one was
            turned away before any work was done; one that has none may come from anywhere.
    """
    if status == 503 and has_retry_after:
        return RULES["503 with Retry-After"]
    # A 1xx or 6xx that arrives as a final answer tells as little as a 5xx.
    return RULES.get(status) or RULES.get(f"{status // 100}xx") or RULES["5xx"]


def is_retryable(rule: Rule, effect: Effect, *, maybe_applied: bool) -> bool:
    """Whether the same call makes sense again later: it may succeed then, and does no harm.

    Args:
        rule: The row of the truth table for the last attempt.
        effect: What the operation does.
        maybe_applied: Whether any attempt may have been applied.
    """
    if maybe_applied and effect is Effect.NON_IDEMPOTENT:
        return False
    return rule.retryable is not Retryable.NO
