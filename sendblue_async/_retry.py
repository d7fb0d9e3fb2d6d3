"""Whether and when a failed attempt is followed by another one. No I/O, no clock."""

from __future__ import annotations

from attrs import evolve, frozen

from ._redaction import Secret
from ._refusal import Meaning
from ._retry_policy import RetryPolicy
from ._retry_rules import Effect, Rule


class RetryBudget:
    """A budget for the retries of one client, so that it does not answer an outage with a storm.

    Each failed attempt takes a token and each success gives one back; at or below half, nothing
    is retried. Below 50 % failures it does not bite. The design is the retry throttling of
    gRPC's proposal A6.
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
