"""The error that a call ends with: its class, its outcome and what it says to do."""

from __future__ import annotations

import pytest
from attrs import evolve

from sendblue_async import exceptions
from sendblue_async._redaction import Secret
from sendblue_async._retry import Failure
from sendblue_async._retry_rules import RULES, FailureKind, Rule, rule_for

from .test_retry import ALL_RULES, show_rule
from .test_wire import HTML, RAW, error, failed

STATUS_FAILURE = Failure(
    rule=rule_for(429, has_retry_after=True),
    message="was answered with 429: Slow down",
    status=429,
    retry_after=7.0,
    snippet="slow",
)


def test_an_error_has_every_field() -> None:
    """An error carries the call, the answer, the attempts and the cause as plain values."""
    failure = Failure(
        rule=RULES[FailureKind.TIMED_OUT],
        message="got no answer in time",
        cause=OSError("gone, and may hold anything"),
        cause_text="OSError: gone",
        timed_out=True,
    )
    assert vars(error(failure, attempts=3, maybe_applied=True)) == {
        "outcome": "unknown",
        "method": "POST",
        "url": "https://api.sendblue.co/api/v2/contacts",
        "status": None,
        "attempts": 3,
        "retry_after": None,
        "snippet": None,
        "cause": "OSError: gone",
        "timed_out": True,
        "maybe_applied": True,
        "retryable": True,
        "request_id": None,
        "code": None,
    }
    assert vars(error(STATUS_FAILURE, call=RAW)) == {
        "outcome": "rejected",
        "method": "GET",
        "url": "https://api.sendblue.co/api/v2/x",
        "status": 429,
        "attempts": 1,
        "retry_after": 7.0,
        "snippet": "slow",
        "cause": None,
        "timed_out": False,
        "maybe_applied": False,
        "retryable": True,
        "request_id": None,
        "code": None,
    }


@pytest.mark.parametrize("rule", ALL_RULES, ids=show_rule)
def test_doubt_about_one_attempt_is_doubt_about_the_call(rule: Rule) -> None:
    """An earlier attempt that may have been applied makes the outcome of the call unknown."""
    failure = Failure(rule=rule, message="failed")
    sure = error(failure, maybe_applied=rule.outcome == "unknown")
    assert type(sure) is rule.error
    assert sure.outcome == rule.outcome
    assert sure.maybe_applied is (rule.outcome == "unknown")
    maybe_applied = error(failure, attempts=2, maybe_applied=True)
    assert maybe_applied.outcome == "unknown"
    assert maybe_applied.maybe_applied is True
    assert "may have been done" in str(maybe_applied)
    assert "Nothing was sent" not in str(maybe_applied)
    if rule.outcome == "not_sent":
        assert type(maybe_applied) is exceptions.OutcomeUnknownError
    else:
        assert type(maybe_applied) is rule.error


@pytest.mark.parametrize("rule", ALL_RULES, ids=show_rule)
def test_the_advice_for_a_plain_create_is_what_retryable_says(rule: Rule) -> None:
    """Whoever reads the message and whoever reads ``retryable`` do the same."""
    made = error(Failure(rule=rule, message="failed"), maybe_applied=True)
    assert ("sending it again does no harm" in str(made)) is made.retryable
    assert ("check before you send it again" in str(made)) is not made.retryable


@pytest.mark.parametrize("rule", ALL_RULES, ids=show_rule)
def test_what_an_earlier_attempt_reached_the_server_with_was_sent(rule: Rule) -> None:
    """A call that was refused and then found no server was rejected, and its error says no more."""
    told = error(Failure(rule=rule, message="failed"), attempts=2, reached_server=True)
    assert type(told) is rule.error
    assert told.outcome == ("rejected" if rule.outcome == "not_sent" else rule.outcome)
    assert "Nothing was sent" not in str(told)
    if rule.error is exceptions.ConnectError:
        words = "Failed" if rule.outcome == "not_sent" else "POST /api/v2/contacts failed"
        assert str(told) == f"{words} (2 attempts)."


@pytest.mark.parametrize(
    ("failure", "attempts", "message"),
    [
        (STATUS_FAILURE, 1, "POST /api/v2/contacts was answered with 429: Slow down."),
        (STATUS_FAILURE, 0, "POST /api/v2/contacts was answered with 429: Slow down."),
        (STATUS_FAILURE, 2, "POST /api/v2/contacts was answered with 429: Slow down (2 attempts)."),
        (STATUS_FAILURE, 4, "POST /api/v2/contacts was answered with 429: Slow down (4 attempts)."),
        (failed(409, b'{"message": "Contact already exists"}'), 1,
         "POST /api/v2/contacts was answered with 409: Contact already exists. "
         "Pass update_if_exists=True to update it."),
        (failed(401, b""), 1, "POST /api/v2/contacts was answered with 401: Unauthorized. "
         "Check the API key and secret."),
        (failed(302, b""), 1, "POST /api/v2/contacts was redirected with 302: Found. "
         "Redirects are not followed; check the base URL."),
        (failed(500, HTML), 1, "POST /api/v2/contacts was answered with 500: "
         "Internal Server Error. It may have been done; sending it again does no harm, and is "
         "refused with 409 if it was."),
        (Failure(rule=RULES[FailureKind.NO_CONNECTION], message="cannot connect to a:443: why"), 1,
         "Cannot connect to a:443: why (1 attempt). Nothing was sent."),
        (Failure(rule=RULES[FailureKind.BAD_TLS], message="cannot connect to a:443: why"), 1,
         "Cannot connect to a:443: why (1 attempt). Nothing was sent. Check the base URL, "
         "the certificates and any proxy."),
    ],
)  # fmt: skip
def test_a_message_says_what_happened_and_what_to_do(
    failure: Failure, attempts: int, message: str
) -> None:
    """A message names the call, what became of it, and the next step, in one or two sentences."""
    maybe_applied = failure.rule.outcome == "unknown"
    assert str(error(failure, attempts=attempts, maybe_applied=maybe_applied)) == message


def test_a_refused_access_token_is_what_to_check() -> None:
    """Where a token was sent, the advice is about that and not about the keys."""
    refused = evolve(failed(401, b""), refused_token=Secret("token"))
    assert str(error(refused)).endswith("Check the access token.")
    assert "token" not in str(error(failed(401, b"")))
    assert "token" not in str(error(evolve(failed(403, b""), refused_token=Secret("token"))))


@pytest.mark.parametrize("base_url", ["https://api.sendblue.co", "https://proxy.example"])
def test_missing_keys_send_to_the_other_host(base_url: str) -> None:
    """From every host but that one itself, the advice is the one that the keys may reach."""
    refusal = b'{"message": "Did not get inputs for authorization"}'
    assert "to https://api.sendblue.com." in str(error(failed(403, refusal), base_url=base_url))
