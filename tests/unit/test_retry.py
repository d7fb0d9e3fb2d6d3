"""The truth table, the waits and the budget, each against its own numbers."""

from __future__ import annotations

import math
import random
from collections import Counter
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sendblue_async import exceptions
from sendblue_async._retry import CallState, Failure, RetryBudget
from sendblue_async._retry_policy import RetryPolicy
from sendblue_async._retry_rules import (
    RULES,
    Effect,
    FailureKind,
    Retryable,
    Rule,
    is_retryable,
    rule_for,
)
from sendblue_async.exceptions import ConfigurationError

# statuses: outcome, Y(es), O(nce), L(ater) or N(o), whether Retry-After is honoured, error
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
    "PLAN_LIMIT": ("rejected", "N", False, "PermissionDeniedError"),
    "NO_TIME_LEFT": ("not_sent", "L", False, "ConnectError"),
    "SLOT_TOO_LATE": ("not_sent", "L", False, "RateLimitError"),
    "NO_TOKEN": ("not_sent", "L", False, "ConnectError"),
    "CLOSED": ("not_sent", "N", False, "ConfigurationError"),
}
AGAIN = {"Y": Retryable.YES, "O": Retryable.ONCE, "L": Retryable.LATER, "N": Retryable.NO}
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
    may = rule.retryable in (Retryable.YES, Retryable.ONCE)
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


@pytest.mark.parametrize(
    "rule", [rule for rule in ALL_RULES if rule.retryable in (Retryable.YES, Retryable.ONCE)]
)
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


def test_a_misspelt_option_is_named_with_the_right_one() -> None:
    """Whoever writes ``atempts`` is told of ``attempts``."""
    with pytest.raises(TypeError, match="did you mean attempts"):
        RetryPolicy(atempts=3)  # type: ignore[call-arg]


def test_the_budget_stops_retries_at_half() -> None:
    """49 failures leave retries on, the 50th stops them, and one success starts them again."""
    budget = RetryBudget()
    for _ in range(49):
        budget.on_failure()
        assert budget.allows_retry
    budget.on_failure()
    assert not budget.allows_retry
    budget.on_success()
    assert budget.allows_retry


def test_the_budget_neither_overfills_nor_goes_below_zero() -> None:
    """Any number of successes saves up no more than the full budget, and debts are capped."""
    budget = RetryBudget()
    for _ in range(1000):
        budget.on_success()
    for _ in range(50):
        budget.on_failure()
    assert not budget.allows_retry
    for _ in range(1000):
        budget.on_failure()
    for _ in range(50):
        budget.on_success()
        assert not budget.allows_retry
    budget.on_success()
    assert budget.allows_retry


@settings(deadline=None)
@given(st.lists(st.booleans(), max_size=400), st.integers(1, 200))
def test_the_budget_counts_as_a_bounded_counter(ends: list[bool], full: int) -> None:
    """After any history the budget allows a retry exactly if more than half is left."""
    budget, tokens = RetryBudget(full), full
    for success in ends:
        (budget.on_success if success else budget.on_failure)()
        tokens = min(full, tokens + 1) if success else max(0, tokens - 1)
        assert budget.allows_retry == (tokens * 2 > full)


def test_below_half_failures_the_budget_does_not_bite() -> None:
    """A server that fails every second attempt never exhausts the budget."""
    budget = RetryBudget()
    for _ in range(10_000):
        budget.on_failure()
        assert budget.allows_retry
        budget.on_success()


@pytest.mark.parametrize("effect", Effect)
def test_what_may_do_its_work_twice_is_not_retryable_after_doubt(effect: Effect) -> None:
    """A later call is safe unless an attempt may have been applied that must not be repeated."""
    for rule in ALL_RULES:
        transient = rule.retryable is not Retryable.NO
        assert is_retryable(rule, effect, maybe_applied=False) is transient
        harmless = effect is not Effect.NON_IDEMPOTENT
        assert is_retryable(rule, effect, maybe_applied=True) is (transient and harmless)


NOT_ATTEMPTED = RULES[FailureKind.NO_TIME_LEFT]
REFUSED = rule_for(409, has_retry_after=False)
FLAT = RetryPolicy(base=1, cap=1)


def failure(rule: Rule = UNKNOWN, **fields: Any) -> Failure:
    """A failed attempt."""
    return Failure(rule=rule, message="failed", **fields)


def call_state(
    effect: Effect = Effect.IDEMPOTENT, policy: RetryPolicy = FLAT, **options: Any
) -> CallState:
    """The state of a call that has a minute, from 1000 on."""
    return CallState(effect, policy, 1060.0, **options)


def record(state: CallState, failed: Failure, *, now: float = 1000.0, **options: Any) -> Any:
    """What follows from a failure, the jitter pinned to its upper end."""
    return state.record(failed, now=now, draw=1.0, **options)


def test_attempts_are_counted_until_none_are_left() -> None:
    """Each failure is followed by a wait, and the last one is how the call ends."""
    state = call_state()
    assert [state.attempt, state.attempts] == [1, 0]
    assert [record(state, failure()) for _ in range(3)] == [1.0] * 3
    assert [state.attempt, state.attempts] == [4, 3]
    last = failure()
    assert record(state, last) is last
    assert state.attempts == 4


def test_attempts_made_before_count() -> None:
    """A call that goes on where an earlier one stopped has what that one left."""
    state = call_state(attempts=3)
    last = failure()
    assert state.attempt == 4
    assert record(state, last) is last
    assert state.attempts == 4


def test_what_any_attempt_may_have_done_stays_known() -> None:
    """What an attempt has shown is not forgotten when the next one shows less."""
    state = call_state()
    assert (state.maybe_applied, state.reached_server) == (False, False)
    record(state, failure(UNREACHED))
    assert (state.maybe_applied, state.reached_server) == (False, False)
    record(state, failure(REJECTED))
    assert (state.maybe_applied, state.reached_server) == (False, True)
    record(state, failure(UNKNOWN))
    record(state, failure(UNREACHED))
    assert (state.maybe_applied, state.reached_server) == (True, True)
    assert call_state(maybe_applied=True).maybe_applied


@pytest.mark.parametrize(
    ("now", "waits"), [(1058.999, True), (1059.0, False), (1059.001, False), (1100.0, False)]
)
def test_a_wait_that_reaches_the_deadline_ends_the_call(now: float, waits: bool) -> None:
    """There has to be time left after a wait, or it is not begun."""
    failed = failure()
    assert record(call_state(), failed, now=now) == (1.0 if waits else failed)


def test_a_budget_without_retries_ends_the_call() -> None:
    """Where the client's budget allows no retry, the first failure is the last."""
    failed = failure()
    assert record(call_state(), failed, may_retry=False) is failed


def test_a_call_that_runs_out_of_time_tells_of_its_last_response() -> None:
    """A failure without a request says what the attempt before it was answered with."""
    state = call_state()
    before = failure(
        REJECTED, status=503, snippet="slow", cause_text="OSError", request_id="r-1", code="7"
    )
    record(state, before)
    ending = record(state, failure(NOT_ATTEMPTED, was_attempted=False, timed_out=True))
    assert (ending.status, ending.snippet, ending.cause_text) == (503, "slow", "OSError")
    assert (ending.request_id, ending.code, ending.timed_out) == ("r-1", "7", True)
    assert (ending.rule, ending.was_attempted, state.attempts) == (NOT_ATTEMPTED, False, 1)


def test_the_failure_of_an_attempt_tells_of_itself_alone() -> None:
    """A request that was made and failed does not borrow what another one was answered with."""
    state = call_state()
    record(state, failure(REJECTED, status=503, snippet="slow"))
    ending = record(state, failure(REFUSED, status=409))
    assert (ending.status, ending.snippet, state.attempts) == (409, None, 2)
    alone = failure(NOT_ATTEMPTED, was_attempted=False)
    assert record(call_state(), alone) is alone


def test_a_new_token_is_tried_at_once_and_beyond_the_attempts() -> None:
    """The attempt that a token was refused in does not count against the policy's."""
    refused = failure(rule_for(401, has_retry_after=False), status=401)
    state = call_state(policy=RetryPolicy(attempts=2, base=1, cap=1))
    assert record(state, refused, has_new_token=True, may_retry=False) == 0.0
    assert (state.renewed_token, state.attempts) == (True, 1)
    assert record(state, failure()) == 1.0
    last = failure()
    assert record(state, last) is last
    assert state.attempts == 3
    late = call_state()
    assert record(late, refused, now=1060.0, has_new_token=True) is refused


@settings(deadline=None)
@given(
    st.lists(st.sampled_from(ALL_RULES), min_size=1, max_size=12),
    st.sampled_from(list(Effect)),
    st.integers(1, 6),
)
def test_a_call_ends_after_its_attempts_and_never_repeats_what_may_do_harm(
    rules: list[Rule], effect: Effect, attempts: int
) -> None:
    """Whatever its attempts end in, there are not too many, and none too many of the harmful."""
    state = call_state(effect, RetryPolicy(attempts=attempts, base=0))
    for made, rule in enumerate(rules, 1):
        if isinstance(record(state, failure(rule)), Failure):
            break
        assert made < attempts
        assert rule.retryable in (Retryable.YES, Retryable.ONCE)
        assert not (rule.outcome == "unknown" and effect is Effect.NON_IDEMPOTENT)
    assert state.attempts <= attempts
    assert state.maybe_applied == any(rule.outcome == "unknown" for rule in rules[: state.attempts])
