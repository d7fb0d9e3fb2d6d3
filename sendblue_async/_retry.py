"""What a failed attempt means, and whether and when there is another one. No I/O, no clock.

The endpoint takes no idempotency key, and a phone number is unique on the server. So a plain
create is repeated too, and *settled* afterwards by looking the contact up; RFC 9110 §9.2.2
allows a repeat only where it is harmless or the first request is known not to have been applied.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum
from typing import NamedTuple

from attrs import evolve, field, frozen

from ._arguments import suggest_arguments
from ._checks import is_count, is_duration, is_flag
from ._redaction import Secret
from ._refusal import Meaning
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
    UNREADABLE = "body cut short, not the JSON expected, or no HTTP"
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


class RetryBudget:
    """A budget for the retries of one client, so that it does not answer an outage with a storm.

    Each failed attempt takes a token and each success gives one back; at or below half, nothing
    is retried. Below 50 % failures it does not bite. Design and numbers: gRPC A6.
    """

    def __init__(self, tokens: int = 100) -> None:
        self._full = tokens
        self._tokens = tokens

    def on_success(self) -> None:
        """Count an attempt that the server handled."""
        if self._tokens < self._full:
            self._tokens += 1

    def on_failure(self) -> None:
        """Count a failed attempt that may be retried."""
        if self._tokens > 0:
            self._tokens -= 1

    @property
    def allows_retry(self) -> bool:
        """Whether a retry may be sent now."""
        return self._tokens > self._full / 2


@frozen(kw_only=True)
class Failure:
    """Why an attempt did not bring what was asked for; no key and no whole phone number is in it.

    Attributes:
        rule: The row of the truth table that it falls under.
        message: What happened, in words that follow "the request".
        status: The HTTP status, or ``None`` without a response.
        retry_after: Seconds that the server, or the rate limiter, asks to wait, or ``None``.
        snippet: The beginning of the response's body, or ``None``.
        cause: The underlying error, unless that quotes something secret.
        cause_text: The same in words.
        timed_out: Whether time ran out.
        was_attempted: Whether a request was made at all.
        refused_token: The access token that the server did not accept, or ``None``.
        request_id: What the server calls the request, or ``None``.
        code: The server's own code for its refusal, or ``None``.
        meaning: What the refusal means beyond its status, or ``None``.
    """

    rule: Rule
    message: str
    status: int | None = None
    retry_after: float | None = None
    snippet: str | None = None
    cause: BaseException | None = None
    cause_text: str | None = None
    timed_out: bool = False
    was_attempted: bool = True
    refused_token: Secret | None = None
    request_id: str | None = None
    code: str | None = None
    meaning: Meaning | None = None

    def with_last_response(self, last: Failure) -> Failure:
        """This failure, without a request of its own, with what the attempt before it showed."""
        return evolve(
            self,
            status=last.status,
            snippet=last.snippet,
            cause=last.cause,
            cause_text=last.cause_text,
            request_id=last.request_id,
            code=last.code,
        )


class CallState:
    """Decides after each failed attempt of a call whether there is another one.

    Args:
        effect: What the operation does.
        policy: How often and how patiently it is attempted.
        deadline: When the call has to end, on the clock of ``now`` in :meth:`record`.
        attempts: How many attempts were made before.
        maybe_applied: Whether one of those may have been applied.

    Attributes:
        attempts: How many attempts were made.
        maybe_applied: Whether any of them may have been applied.
        reached_server: Whether any of them reached the server.
        renewed_token: Whether one of them was followed by another with a new access token.
    """

    __slots__ = (
        "_deadline",
        "_effect",
        "_last",
        "_policy",
        "attempts",
        "maybe_applied",
        "reached_server",
        "renewed_token",
    )

    def __init__(
        self,
        effect: Effect,
        policy: RetryPolicy,
        deadline: float,
        *,
        attempts: int = 0,
        maybe_applied: bool = False,
    ) -> None:
        self._effect = effect
        self._policy = policy
        self._deadline = deadline
        self._last: Failure | None = None
        self.attempts = attempts
        self.maybe_applied = maybe_applied
        self.reached_server = False
        self.renewed_token = False

    @property
    def attempt(self) -> int:
        """The number of the attempt that is being made, from 1."""
        return self.attempts + 1

    def record(
        self,
        failure: Failure,
        *,
        now: float,
        draw: float,
        may_retry: bool = True,
        has_new_token: bool = False,
    ) -> float | Failure:
        """Take note of a failed attempt: seconds to wait before the next, or how the call ends.

        Args:
            failure: Why it failed.
            now: The time.
            draw: A random number from [0, 1).
            may_retry: Whether the client's budget allows retries.
            has_new_token: Whether the access token that was refused has been replaced. The next
                attempt follows at once, and does not count against the policy's.
        """
        rule, attempt = failure.rule, self.attempt - self.renewed_token
        if failure.was_attempted:
            self.attempts += 1
        self.maybe_applied = self.maybe_applied or rule.outcome == "unknown"
        self.reached_server = self.reached_server or rule.outcome != "not_sent"
        wait: float | None = None
        if has_new_token:
            self.renewed_token, wait = True, 0.0
        elif may_retry:
            wait = self._policy.wait(
                rule, self._effect, attempt=attempt, retry_after=failure.retry_after, draw=draw
            )
        if wait is not None and now + wait < self._deadline:
            self._last = failure
            return wait
        if self._last is not None and not failure.was_attempted:
            return failure.with_last_response(self._last)
        return failure
