"""The dials as values, and the order in which their draws fall."""

from __future__ import annotations

import pytest
from attrs import evolve, fields

from sendblue_async.sandbox import Faults
from sendblue_async.sandbox._schedule import FaultSchedule

DIALS = [dial.name for dial in fields(Faults)]
PROBABILITIES = [
    "too_many_requests",
    "reset",
    "server_error",
    "redirect",
    "refusal_in_200",
    "server_error_after_commit",
    "drop_after_commit",
    "short_body",
    "garbage",
    "not_http",
    "slow_bytes",
]


class Clock:
    """A clock that moves only when a test moves it."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        """Seconds, as a monotonic clock gives them."""
        return self.now


def test_every_dial_is_off_by_default() -> None:
    """Without a dial turned, nothing goes wrong."""
    schedule = FaultSchedule(0, Faults())
    for _ in range(1000):
        plan = schedule.next_plan()
        assert (plan.delay, plan.before_commit, plan.after_commit) == (0, None, None)
        assert plan.slow is False
        assert plan.retry_after is None


def test_faults_are_equal_by_value_and_frozen() -> None:
    """Dials compare by value and cannot be changed in place."""
    assert Faults(reset=0.1) == Faults(reset=0.1) != Faults()
    with pytest.raises(AttributeError):
        Faults().reset = 0.5  # type: ignore[misc]


@pytest.mark.parametrize("dial", PROBABILITIES)
@pytest.mark.parametrize("value", [-0.1, 1.1, float("nan"), float("inf"), "0.5", None, True])
def test_a_probability_runs_from_0_to_1(dial: str, value: object) -> None:
    """Anything else raises ValueError with the name of the dial."""
    with pytest.raises(ValueError, match=f"The fault dial {dial} "):
        Faults(**{dial: value})  # type: ignore[arg-type]
    Faults(**{dial: 0})
    Faults(**{dial: 1})


@pytest.mark.parametrize(
    ("dial", "wrong"),
    [
        *[
            (dial, value)
            for dial in ("latency", "jitter", "slow_bytes_interval")
            for value in (-1, float("nan"), float("inf"), "1", None)
        ],
        *[("rate_limit", value) for value in (0, -1, float("nan"), "5")],
        *[("too_many_requests_burst", value) for value in (0, -1, 1.5, True)],
        *[
            (dial, value)
            for dial in ("server_error_status", "server_error_after_commit_status")
            for value in (499, 600, "500", None)
        ],
        *[("redirect_status", value) for value in (300, 304, "307")],
        *[("retry_after", value) for value in (5, "5\r\nX: y", "5\x7f", "\ud800")],
        *[("redirect_to", value) for value in (5, None, "/a\nb")],
    ],
)
def test_a_value_out_of_range_is_refused(dial: str, wrong: object) -> None:
    """Each dial says in a ValueError what it takes."""
    with pytest.raises(ValueError, match=f"The fault dial {dial} "):
        Faults(**{dial: wrong})  # type: ignore[arg-type]


def test_parse_reads_every_kind_of_dial() -> None:
    """Settings of a command line become dials; the last value of a dial counts."""
    assert Faults.parse([]) == Faults()
    assert Faults.parse(
        [
            "latency=0.05",
            "reset=1",
            "reset=0.1",
            " rate_limit =10",
            "too_many_requests_burst=3",
            "retry_after=Wed, 21 Oct 2026 07:28:00 GMT",
            "redirect_to=http://127.0.0.1:1/?a=b",
        ]
    ) == Faults(
        latency=0.05,
        reset=0.1,
        rate_limit=10,
        too_many_requests_burst=3,
        retry_after="Wed, 21 Oct 2026 07:28:00 GMT",
        redirect_to="http://127.0.0.1:1/?a=b",
    )


def test_a_number_in_place_of_a_header_is_explained() -> None:
    """The message shows how the value is written."""
    with pytest.raises(ValueError, match="retry_after is one line of text, such as '1', not 1"):
        Faults(retry_after=1)  # type: ignore[arg-type]


@pytest.mark.parametrize("dial", DIALS)
def test_parse_knows_every_dial(dial: str) -> None:
    """Each dial can be set from text to its default value or to one that it takes."""
    default = getattr(Faults(), dial)
    text = {"rate_limit": "5", "retry_after": "5"}.get(dial, str(default))
    parsed = getattr(Faults.parse([f"{dial}={text}"]), dial)
    assert str(parsed).removesuffix(".0") == text.removesuffix(".0")


@pytest.mark.parametrize("setting", ["resets=0.1", "reset", "", "=1", "Reset=1"])
def test_parse_lists_the_dials_it_knows(setting: str) -> None:
    """A setting that names no dial is answered with all names."""
    with pytest.raises(ValueError, match="is not NAME=VALUE") as caught:
        Faults.parse([setting])
    assert all(dial in str(caught.value) for dial in DIALS)


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ("reset=often", "reset takes a number, not 'often'"),
        ("reset=", "reset takes a number, not ''"),
        ("server_error_status=5xx", "server_error_status takes a whole number"),
        ("reset=2", "reset is a probability"),
        ("latency=nan", "latency takes a number"),
    ],
)
def test_parse_refuses_what_a_dial_does_not_take(setting: str, message: str) -> None:
    """The error names the dial and the value."""
    with pytest.raises(ValueError, match=message):
        Faults.parse([setting])


MIXED = Faults(
    jitter=0.1,
    too_many_requests=0.1,
    too_many_requests_burst=2,
    reset=0.1,
    server_error=0.1,
    drop_after_commit=0.1,
    garbage=0.1,
    slow_bytes=0.1,
)


def test_the_same_seed_gives_the_same_faults() -> None:
    """Two schedules of one seed agree for every request; another seed differs."""
    one, same, other = (FaultSchedule(seed, MIXED) for seed in (7, 7, 8))
    plans = [one.next_plan() for _ in range(500)]
    assert plans == [same.next_plan() for _ in range(500)]
    assert plans != [other.next_plan() for _ in range(500)]
    assert {plan.before_commit for plan in plans} == {
        None,
        "too_many_requests",
        "reset",
        "server_error",
    }
    assert {plan.after_commit for plan in plans} == {None, "drop_after_commit", "garbage"}


@pytest.mark.parametrize("dial", PROBABILITIES)
def test_turning_one_dial_does_not_shift_the_others(dial: str) -> None:
    """A dial strikes the same requests whether the others are on or off, and at its own rate."""
    alone = FaultSchedule(3, Faults(**{dial: 0.3}))
    before_or_after = [alone.next_plan() for _ in range(2000)]
    struck = {
        n
        for n, plan in enumerate(before_or_after)
        if plan.slow or plan.before_commit or plan.after_commit
    }
    assert 450 < len(struck) < 750

    half = Faults(**dict.fromkeys(PROBABILITIES, 0.0), jitter=0.0)
    crowded = FaultSchedule(3, evolve(half, latency=0.1, jitter=0.5, rate_limit=1e9, **{dial: 0.3}))
    again = {
        n
        for n in range(2000)
        if (plan := crowded.next_plan()).slow or plan.before_commit or plan.after_commit
    }
    assert again == struck


def test_a_dial_turned_later_meets_the_same_draws() -> None:
    """Requests served before a dial is turned take their draws all the same."""
    always = FaultSchedule(5, Faults(reset=0.5))
    later = FaultSchedule(5, Faults())
    whole = [always.next_plan() for _ in range(200)]
    for _ in range(100):
        later.next_plan()
    later.faults = Faults(reset=0.5)
    assert [later.next_plan() for _ in range(100)] == whole[100:]


def test_earlier_dials_win() -> None:
    """Of several dials that strike, the one that stands first is the fault."""
    on = Faults(**dict.fromkeys(PROBABILITIES, 1.0))
    order = [name for name in PROBABILITIES if name != "slow_bytes"]
    for place, name in enumerate(order):
        faults = evolve(on, **dict.fromkeys(order[:place], 0.0))
        plan = FaultSchedule(0, faults).next_plan()
        assert (plan.before_commit or plan.after_commit) == name
        assert plan.slow is True


def test_jitter_is_uniform_on_top_of_latency() -> None:
    """The wait lies between latency and latency plus jitter, evenly."""
    schedule = FaultSchedule(0, Faults(latency=2, jitter=1))
    delays = [schedule.next_plan().delay for _ in range(4000)]
    assert all(2 <= delay < 3 for delay in delays)
    quarters = [sum(2 + q / 4 <= delay < 2 + (q + 1) / 4 for delay in delays) for q in range(4)]
    assert all(850 < count < 1150 for count in quarters)


def test_a_burst_goes_on_once_it_has_begun() -> None:
    """Each strike answers so many requests in a row, and the next strike may follow at once."""
    faults = Faults(too_many_requests=0.05, too_many_requests_burst=4)
    schedule = FaultSchedule(1, faults)
    struck = "".join("x" if schedule.next_plan().before_commit else "." for _ in range(2000))
    runs = [len(run) for run in struck.strip("x").split(".") if run]
    assert len(runs) > 20
    assert all(run % 4 == 0 for run in runs)


def test_the_rate_limit_is_a_bucket_of_one_second() -> None:
    """A second's worth passes at once, then as many as the rate refills; the wait is named."""
    clock = Clock()
    schedule = FaultSchedule(0, Faults(rate_limit=5), clock)
    first = [schedule.next_plan() for _ in range(7)]
    assert [plan.before_commit for plan in first] == [None] * 5 + ["rate_limit"] * 2
    assert {plan.retry_after for plan in first[5:]} == {"1"}
    clock.now += 0.4
    assert [schedule.next_plan().before_commit for _ in range(3)] == [None, None, "rate_limit"]
    clock.now += 60
    passed = [schedule.next_plan().before_commit for _ in range(6)]
    assert passed == [None] * 5 + ["rate_limit"]


def test_the_rate_limit_may_count_in_fixed_windows() -> None:
    """Each window takes as many as the rate allows in it, whenever in it they come."""
    clock = Clock()
    clock.now = 100.9
    schedule = FaultSchedule(0, Faults(rate_limit=3, rate_limit_window=2), clock)
    passed = [schedule.next_plan() for _ in range(7)]
    assert [plan.before_commit for plan in passed] == [None] * 6 + ["rate_limit"]
    assert passed[-1].retry_after == "2"
    clock.now = 102.0
    assert [schedule.next_plan().before_commit for _ in range(7)] == [None] * 6 + ["rate_limit"]


def test_a_slow_rate_names_a_long_wait() -> None:
    """Retry-After is whole seconds, never earlier than the next free request."""
    clock = Clock()
    schedule = FaultSchedule(0, Faults(rate_limit=0.1), clock)
    assert schedule.next_plan().before_commit is None
    clock.now += 2.5
    plan = schedule.next_plan()
    assert (plan.before_commit, plan.retry_after) == ("rate_limit", "8")
    clock.now += 8
    assert schedule.next_plan().before_commit is None


def test_the_retry_after_dial_overrides_the_wait() -> None:
    """What the dial says is sent as it is, also when it is empty."""
    for text in ("soon", ""):
        schedule = FaultSchedule(0, Faults(rate_limit=1, retry_after=text), Clock())
        schedule.next_plan()
        assert schedule.next_plan().retry_after == text


def test_new_dials_end_a_burst_and_fill_the_bucket() -> None:
    """Turning the dials starts afresh what they have counted."""
    schedule = FaultSchedule(0, Faults(too_many_requests=1, too_many_requests_burst=9), Clock())
    assert schedule.next_plan().before_commit == "too_many_requests"
    schedule.faults = Faults(rate_limit=1)
    assert schedule.next_plan().before_commit is None
    assert schedule.next_plan().before_commit == "rate_limit"
    schedule.faults = Faults(rate_limit=1)
    assert schedule.next_plan().before_commit is None
