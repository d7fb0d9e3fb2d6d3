"""The rate limit and the shared pause, on a clock that the test turns."""

from __future__ import annotations

import math
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sendblue_async._pace import Pace
from sendblue_async.exceptions import ConfigurationError


def test_without_a_limit_everyone_may_send_at_once() -> None:
    """No rate and no pause hold nobody back, however many ask."""
    pace = Pace()
    assert [pace.reserve(now) for now in (5.0, 5.0, 5.0, 4.0)] == [5.0, 5.0, 5.0, 4.0]
    assert pace.paused_until() <= 0.0


def test_a_rate_spaces_requests_evenly() -> None:
    """At 4 a second the callers get places a quarter of a second apart, each its own."""
    pace = Pace(4)
    assert [pace.reserve(10.0) for _ in range(5)] == [10.0, 10.25, 10.5, 10.75, 11.0]


def test_unused_time_is_not_saved_up() -> None:
    """After a quiet spell the places start now and are as far apart as ever: no bursts."""
    pace = Pace(2.0)
    pace.reserve(1.0)
    assert [pace.reserve(100.0) for _ in range(3)] == [100.0, 100.5, 101.0]


@pytest.mark.parametrize("rate", [None, 10])
def test_a_pause_holds_back_every_caller(rate: float | None) -> None:
    """Until the pause is over nobody may send, with or without a rate."""
    pace = Pace(rate)
    pace.pause(20.0)
    assert pace.paused_until() == 20.0
    places = [pace.reserve(10.0) for _ in range(3)]
    assert places == ([20.0] * 3 if rate is None else pytest.approx([20.0, 20.1, 20.2]))
    assert pace.reserve(30.0) == 30.0


def test_a_pause_is_only_ever_prolonged() -> None:
    """A shorter pause does not end a longer one, and a later one extends it."""
    pace = Pace()
    for until, paused in [(20.0, 20.0), (15.0, 20.0), (25.0, 25.0), (-1.0, 25.0)]:
        pace.pause(until)
        assert pace.paused_until() == paused


def test_a_pause_that_comes_later_is_seen_by_those_who_wait() -> None:
    """A caller with a place learns of a pause that came after it."""
    pace = Pace(1)
    assert pace.reserve(0.0) == 0.0
    assert pace.reserve(0.0) == 1.0
    pace.pause(5.0)
    assert pace.paused_until() == 5.0
    assert pace.reserve(0.0) == 5.0


@settings(deadline=None)
@given(
    st.floats(0.01, 10_000),
    st.lists(st.tuples(st.floats(0, 5), st.none() | st.floats(0, 20)), max_size=60),
)
def test_no_two_places_are_closer_than_the_rate(
    rate: float, steps: list[tuple[float, float | None]]
) -> None:
    """Whatever comes when, places keep their distance, and none is in the past or in a pause."""
    pace, now, before = Pace(rate), 1000.0, -math.inf
    for step, pause in steps:
        now += step
        if pause is not None:
            pace.pause(now + pause)
        place = pace.reserve(now)
        assert place >= max(now, pace.paused_until())
        assert place - before >= 1 / rate * (1 - 1e-9) - 1e-9
        before = place


@pytest.mark.parametrize("rate", [0, 0.0, -1, math.nan, math.inf, True, "10", [10], 1j], ids=str)
def test_a_rate_that_is_none_is_refused(rate: Any) -> None:
    """A rate that is no finite number above zero is refused by the argument's name."""
    with pytest.raises(ConfigurationError, match=r"^rate_limit must be "):
        Pace(rate)
