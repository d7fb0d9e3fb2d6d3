"""The error that a call ends with: its class, its outcome, and what to do about it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ._options import DEFAULT_BASE_URL
from ._redaction import redact_path
from ._refusal import Meaning
from ._retry import CallState, Failure
from ._retry_rules import Effect, is_retryable
from ._wire import Call, strip_query
from .exceptions import (
    AuthenticationError,
    ConnectError,
    ContactExistsError,
    Outcome,
    OutcomeUnknownError,
    PermissionDeniedError,
    SendblueError,
    TLSError,
    UnexpectedRedirectError,
)


def make_error(
    call: Call[Any], failure: Failure, state: CallState, *, base_url: str
) -> SendblueError:
    """Make the error that a call ends with.

    Args:
        call: The call.
        failure: Why its last attempt failed.
        state: What is known of all its attempts.
        base_url: Where it was sent.
    """
    cls, outcome = failure.rule.error, failure.rule.outcome
    attempts = state.attempts
    if state.reached_server and outcome == "not_sent":
        outcome = "rejected"
    if state.maybe_applied and failure.rule.outcome == "not_sent":
        cls = OutcomeUnknownError
    if state.maybe_applied:
        outcome = "unknown"
    not_connected = failure.was_attempted and failure.rule.outcome == "not_sent"
    if not_connected and cls is not OutcomeUnknownError:
        message = f"{failure.message[:1].upper()}{failure.message[1:]}"
    else:
        repeated = "could not be repeated: " if not_connected else ""
        message = f"{call.method} {redact_path(strip_query(call.path))} {repeated}{failure.message}"
    retryable = is_retryable(failure.rule, call.effect, maybe_applied=state.maybe_applied)
    if attempts > 1 or not_connected:
        message += f" ({attempts} attempt{'s' if attempts > 1 else ''})"
    message += "."
    return cls(
        " ".join([message, *_advise(call, failure, cls, outcome, retryable, base_url)]),
        outcome=outcome,
        method=call.method,
        url=base_url + redact_path(call.path),
        status=failure.status,
        attempts=attempts,
        retry_after=failure.retry_after,
        snippet=failure.snippet,
        cause=failure.cause_text,
        timed_out=failure.timed_out,
        maybe_applied=state.maybe_applied,
        retryable=retryable,
        request_id=failure.request_id,
        code=failure.code,
    )


def _advise(
    call: Call[Any],
    failure: Failure,
    cls: type[SendblueError],
    outcome: Outcome,
    retryable: bool,
    base_url: str,
) -> list[str]:
    """Say what to do about a failure, in sentences."""
    advice = []
    if failure.meaning is Meaning.PLAN_LIMIT:
        advice.append(_PLAN_LIMIT_ADVICE)
    elif failure.meaning is Meaning.NO_KEYS:
        other = DEFAULT_BASE_URL if base_url == _OTHER_BASE_URL else _OTHER_BASE_URL
        advice.append(_NO_KEYS_ADVICE.format(other))
    if outcome == "unknown" and call.effect is not Effect.SAFE:
        if call.effect is Effect.IDEMPOTENT:
            advice.append(_REPEAT_ADVICE)
        else:
            advice.append(_REPEAT_CREATE_ADVICE if retryable else _LOOK_FIRST_ADVICE)
    elif cls is ContactExistsError and call.effect is Effect.VERIFIABLE:
        advice.append("Pass update_if_exists=True to update it.")
    elif not advice and cls is AuthenticationError and failure.refused_token is not None:
        advice.append("Check the access token.")
    elif not advice:
        if outcome == "not_sent" and cls in (ConnectError, TLSError):
            advice.append("Nothing was sent.")
        if (cls, failure.rule.outcome) in _ADVICE:
            advice.append(_ADVICE[cls, failure.rule.outcome])
    return advice


_OTHER_BASE_URL = "https://api.sendblue.com"
_NO_KEYS_ADVICE = (
    "The authentication headers did not arrive: a proxy dropped them, or the host is the wrong "
    "one. Have the proxy let them through, or set base_url (SENDBLUE_API_BASE_URL) to {}."
)
_PLAN_LIMIT_ADVICE = (
    "This is a limit of the account's plan, not a rate limit, so waiting does not help: make room, "
    "or extend the plan."
)
_LOOK_FIRST_ADVICE = "It may have been done; check before you send it again."
_REPEAT_ADVICE = "It may have been done; sending it again does no harm."
_REPEAT_CREATE_ADVICE = (
    "It may have been done; sending it again does no harm, and is refused with 409 if it was."
)
# By the error and the outcome of the last attempt: a caller's own function, which is to give a
# token, may raise the first two as well, and nothing was sent then.
_ADVICE: Mapping[tuple[type[SendblueError], Outcome], str] = {
    (AuthenticationError, "rejected"): "Check the API key and secret.",
    (PermissionDeniedError, "rejected"): "Check what the account may do.",
    (TLSError, "not_sent"): "Check the base URL, the certificates and any proxy.",
    (UnexpectedRedirectError, "rejected"): "Redirects are not followed; check the base URL.",
}
