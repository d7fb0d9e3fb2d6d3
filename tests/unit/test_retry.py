"""The truth table, the waits and the throttle, each against its own numbers."""

from __future__ import annotations

import math
import random
from collections import Counter
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sendblue_async import exceptions
from sendblue_async._retry import (
    RULES,
    Effect,
    FailureKind,
    Retryable,
    RetryPolicy,
    RetryThrottle,
    Rule,
    rule_for,
)
from sendblue_async.exceptions import ConfigurationError

# statuses: outcome, Y(es), O(nce) or N(o), whether Retry-After is honoured, error
STATUSES: list[tuple[Any, str, str, bool, str]] = [
    (range(300, 400), "rejected", "N", False, "UnexpectedRedirectError"),
    (range(400, 500), "rejected", "N", False, "APIError"),
    ([400, 413, 422], "rejected", "N", False, "BadRequestError"),
    ([401], "rejected", "N", False, "AuthenticationError"),
    ([402, 403], "rejected", "N", False, "PermissionDeniedError"),
    ([404], "rejected", "N", False, "NotFoundError"),
    ([408], "rejected", "Y", True, "APIError"),
    ([409], "rejected", "N", False, "ContactExistsError"),
    ([425], "rejected", "O", True, "APIError"),
    ([429], "rejected", "Y", True, "RateLimitError"),
    (range(500, 600), "unknown", "Y", True, "ServerError"),
    ([501], "rejected", "N", False, "ServerError"),
    ([521, 523, 525, 526], "rejected", "Y", True, "ServerError"),
]
ENDINGS = {
    "NO_CONNECTION": ("not_sent", "Y", False, "ConnectError"),
    "BAD_TLS": ("not_sent", "N", False, "TLSError"),
    "LOST": ("unknown", "Y", False, "OutcomeUnknownError"),
    "TIMED_OUT": ("unknown", "Y", False, "OutcomeUnknownError"),
    "UNREADABLE": ("unknown", "Y", False, "ResponseFormatError"),
    "REFUSED": ("rejected", "N", False, "APIError"),
}
AGAIN = {"Y": Retryable.YES, "O": Retryable.ONCE, "N": Retryable.NO}
UNKNOWN = rule_for(500, has_retry_after=False)
REJECTED = rule_for(503, has_retry_after=True)
UNREACHED = RULES[FailureKind.NO_CONNECTION]
RATE_LIMIT = rule_for(429, has_retry_after=False)
EARLY = rule_for(425, has_retry_after=False)


def row(outcome: Any, again: str, heeds: bool, error: str) -> Rule:
    """A rule as the table writes it."""
    return Rule(outcome, AGAIN[again], heeds, getattr(exceptions, error))


def wait(
    policy: RetryPolicy,
    rule: Rule = UNKNOWN,
    effect: Effect = Effect.IDEMPOTENT,
    *,
    attempt: int = 1,
    retry_after: float | None = None,
    draw: float = 1.0,
) -> float | None:
    """What the policy says, with the jitter pinned to its upper end unless a test says so."""
    return policy.wait(rule, effect, attempt=attempt, retry_after=retry_after, draw=draw)


@pytest.mark.parametrize("has_retry_after", [True, False])
def test_each_status_has_its_row(has_retry_after: bool) -> None:
    """Every status from 300 to 599 is judged as the truth table says."""
    table = {status: row(*rest) for statuses, *rest in STATUSES for status in statuses}
    if has_retry_after:
        table[503] = row("rejected", "Y", True, "ServerError")
    assert list(table) == list(range(300, 600))
    found = {status: rule_for(status, has_retry_after=has_retry_after) for status in table}
    assert found == table


@pytest.mark.parametrize("status", [0, 100, 101, 199, 600, 999])
def test_a_status_that_http_has_no_meaning_for_is_unknown(status: int) -> None:
    """A status outside 200 to 599 tells as little as a 500 does."""
    assert rule_for(status, has_retry_after=False) == row("unknown", "Y", True, "ServerError")


def test_each_ending_without_a_status_has_its_row() -> None:
    """Every way to end without a status is judged as the truth table says."""
    assert {ending.name: RULES[ending] for ending in FailureKind} == {
        name: row(*rest) for name, rest in ENDINGS.items()
    }
    assert {key for key in RULES if type(key) is FailureKind} == set(FailureKind)


def show_rule(rule: Rule) -> str:
    """What a test of a rule is called by."""
    return f"{rule.outcome}-{rule.retryable.name}"


ALL_RULES = [
    *dict.fromkeys(rule_for(s, has_retry_after=t) for s in range(300, 600) for t in (True, False)),
    *dict.fromkeys(RULES[ending] for ending in FailureKind),
]


@pytest.mark.parametrize("rule", ALL_RULES, ids=show_rule)
def test_who_repeats_what(rule: Rule) -> None:
    """A rule that says no never repeats, and an unknown outcome repeats only what may be."""
    may = rule.retryable is not Retryable.NO
    settles, raises = RetryPolicy(), RetryPolicy(settle=False)
    unknown = rule.outcome == "unknown"
    for policy, effect, expected in [
        (settles, Effect.IDEMPOTENT, may),
        (raises, Effect.IDEMPOTENT, may),
        (settles, Effect.VERIFIABLE, may),
        (raises, Effect.VERIFIABLE, may and not unknown),
        (settles, Effect.NON_IDEMPOTENT, may and not unknown),
        (raises, Effect.NON_IDEMPOTENT, may and not unknown),
    ]:
        for retry_after in (None, 3.0):
            decision = wait(policy, rule, effect, retry_after=retry_after)
            assert (decision is not None) is expected, (policy, effect, retry_after)


def test_the_defaults_are_the_documented_numbers() -> None:
    """Four attempts, base 0.25 s, cap 8 s, 1 s after a rate limit, and settling."""
    assert RetryPolicy() == RetryPolicy(
        attempts=4, base=0.25, cap=8.0, rate_limit_base=1.0, settle=True
    )


def test_with_jitter_pinned_to_one_the_schedule_is_exact() -> None:
    """The bounds double from the base up to the cap, and none follows the last attempt."""
    policy = RetryPolicy(attempts=10)
    schedule = [wait(policy, attempt=attempt) for attempt in range(1, 12)]
    assert schedule == [0.25, 0.5, 1.0, 2.0, 4.0, 8.0, 8.0, 8.0, 8.0, None, None]
    limited = [wait(policy, RATE_LIMIT, attempt=attempt) for attempt in range(1, 11)]
    assert limited == [1.0, 2.0, 4.0, 8.0, 8.0, 8.0, 8.0, 8.0, 8.0, None]
    assert [wait(RetryPolicy(), attempt=n) for n in (1, 2, 3, 4)] == [0.25, 0.5, 1.0, None]
    assert all(wait(policy, attempt=n, draw=0.0) == 0.0 for n in range(1, 10))


def test_one_attempt_is_never_repeated() -> None:
    """attempts=1 turns retries off, whatever ended the attempt."""
    policy = RetryPolicy(attempts=1)
    assert {wait(policy, rule, retry_after=1.0) for rule in ALL_RULES} == {None}


def test_too_early_is_repeated_once() -> None:
    """A 425 is followed by one more attempt, and no further one."""
    policy = RetryPolicy(attempts=10)
    assert wait(policy, EARLY, attempt=1) == 0.25
    assert [wait(policy, EARLY, attempt=n, retry_after=1.0) for n in (2, 3, 9)] == [None] * 3


@pytest.mark.parametrize("attempt", [10, 1025, 10**6, 10**30])
def test_huge_attempt_numbers_wait_the_cap(attempt: int) -> None:
    """However many attempts were made, the wait is the cap and nothing overflows."""
    assert wait(RetryPolicy(attempts=10**31), attempt=attempt) == 8.0
    assert wait(RetryPolicy(attempts=10**31, base=9e8, cap=1.0), attempt=attempt) == 1.0
    assert wait(RetryPolicy(attempts=10**31, base=0), attempt=attempt) == 0.0
    assert wait(RetryPolicy(attempts=10**31, cap=0), attempt=attempt) == 0.0


@settings(deadline=None)
@given(
    attempts=st.integers(1, 2000),
    attempt=st.integers(1, 2000),
    base=st.floats(0, 1e6),
    cap=st.floats(0, 1e6),
    draw=st.floats(0, 1, exclude_max=True),
    retry_after=st.none() | st.floats(0.001, 1e9),
    rule=st.sampled_from(ALL_RULES),
    effect=st.sampled_from(Effect),
)
def test_a_wait_stays_within_its_bounds(
    attempts: int,
    attempt: int,
    base: float,
    cap: float,
    draw: float,
    retry_after: float | None,
    rule: Rule,
    effect: Effect,
) -> None:
    """A wait is between 0 and the cap, or between what the server asked and 5 % more."""
    policy = RetryPolicy(attempts=attempts, base=base, cap=cap, rate_limit_base=base)
    seconds = wait(policy, rule, effect, attempt=attempt, retry_after=retry_after, draw=draw)
    if seconds is None:
        return
    assert attempt < attempts
    if retry_after is not None and rule.uses_retry_after:
        assert retry_after <= seconds <= retry_after * 1.05
    else:
        assert 0 <= seconds <= min(cap, base * 2.0 ** (attempt - 1) if attempt < 900 else cap)


@pytest.mark.parametrize("rule", [rule for rule in ALL_RULES if rule.retryable is not Retryable.NO])
def test_retry_after_is_never_undercut_where_it_is_honoured(rule: Rule) -> None:
    """The server's time replaces the backoff, cap included, plus 5 % of jitter at most."""
    policy = RetryPolicy()
    if rule.uses_retry_after:
        assert wait(policy, rule, retry_after=100.0, draw=0.0) == 100.0
        assert wait(policy, rule, retry_after=100.0, draw=1.0) == pytest.approx(105.0)
        assert wait(policy, rule, retry_after=0.01, draw=0.0) == 0.01
    else:
        assert wait(policy, rule, retry_after=100.0) == 0.25


@pytest.mark.parametrize(("attempt", "bound"), [(1, 0.25), (2, 0.5), (3, 1.0), (6, 8.0), (9, 8.0)])
def test_waits_are_uniform(attempt: int, bound: float) -> None:
    """10,000 draws fall evenly between 0 and the bound: 20 bins, each within 20 % of its share."""
    draw = random.Random(attempt).random
    policy = RetryPolicy(attempts=10)
    bins: Counter[int] = Counter()
    for _ in range(10_000):
        seconds = wait(policy, attempt=attempt, draw=draw())
        assert seconds is not None
        bins[int(seconds / bound * 20)] += 1
    assert set(bins) == set(range(20))
    assert all(400 <= count <= 600 for count in bins.values())


NOT_SECONDS = [-1, -0.001, math.nan, math.inf, -math.inf, True, "1", None, [1], 1j, 10**400]


@pytest.mark.parametrize("name", ["base", "cap", "rate_limit_base"])
@pytest.mark.parametrize("value", NOT_SECONDS, ids=lambda value: str(value)[:9])
def test_seconds_are_checked(name: str, value: Any) -> None:
    """Seconds that are no finite number of 0 or more are refused by name."""
    with pytest.raises(ConfigurationError, match=rf"^{name} must be a number of seconds"):
        RetryPolicy(**{name: value})


@pytest.mark.parametrize("value", [0, -1, 1.0, 1.5, math.nan, True, "4", None])
def test_attempts_are_checked(value: Any) -> None:
    """A number of attempts that is no whole number from 1 on is refused by name."""
    with pytest.raises(ConfigurationError, match=r"^attempts must be a whole number"):
        RetryPolicy(attempts=value)


def test_the_edges_of_the_options_are_taken() -> None:
    """Zero seconds, whole seconds and one attempt are fine; a policy cannot be changed."""
    policy = RetryPolicy(attempts=1, base=0, cap=0, rate_limit_base=0, settle=False)
    with pytest.raises(AttributeError):
        policy.attempts = 2  # type: ignore[misc]
    with pytest.raises(TypeError):
        RetryPolicy(4)  # type: ignore[misc]


def test_the_throttle_stops_retries_at_half() -> None:
    """49 failures leave retries on, the 50th stops them, and one success starts them again."""
    throttle = RetryThrottle()
    for _ in range(49):
        throttle.failed()
        assert throttle.allows_retry
    throttle.failed()
    assert not throttle.allows_retry
    throttle.succeeded()
    assert throttle.allows_retry


def test_the_throttle_neither_overfills_nor_goes_below_zero() -> None:
    """Any number of successes saves up no more than the full budget, and debts are capped."""
    throttle = RetryThrottle()
    for _ in range(1000):
        throttle.succeeded()
    for _ in range(50):
        throttle.failed()
    assert not throttle.allows_retry
    for _ in range(1000):
        throttle.failed()
    for _ in range(50):
        throttle.succeeded()
        assert not throttle.allows_retry
    throttle.succeeded()
    assert throttle.allows_retry


@settings(deadline=None)
@given(st.lists(st.booleans(), max_size=400), st.integers(1, 200))
def test_the_throttle_counts_as_a_bounded_counter(ends: list[bool], full: int) -> None:
    """After any history the throttle allows a retry exactly if more than half is left."""
    throttle, tokens = RetryThrottle(full), full
    for success in ends:
        (throttle.succeeded if success else throttle.failed)()
        tokens = min(full, tokens + 1) if success else max(0, tokens - 1)
        assert throttle.allows_retry == (tokens * 2 > full)


def test_below_half_failures_the_throttle_does_not_bite() -> None:
    """A server that fails every second attempt never exhausts the budget."""
    throttle = RetryThrottle()
    for _ in range(10_000):
        throttle.failed()
        assert throttle.allows_retry
        throttle.succeeded()
