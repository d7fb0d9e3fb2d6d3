"""The clock that a client goes by."""

from __future__ import annotations

import time

from freezegun import freeze_time

from sendblue_async._clock import SYSTEM_CLOCK, Clock


def test_a_frozen_time_does_not_reach_the_clock() -> None:
    """Where a test of a user's freezes the time, deadlines and the time of day go on."""
    before = time.time()
    with freeze_time("2001-01-01"):
        assert time.time() < before - 1e8
        assert SYSTEM_CLOCK.time() >= before
        started = SYSTEM_CLOCK.monotonic()
        while SYSTEM_CLOCK.monotonic() == started:
            pass


def test_random_numbers_are_from_zero_to_below_one() -> None:
    """What is drawn is a share of a wait, and no two clients draw the same."""
    drawn = [clock.random() for clock in (SYSTEM_CLOCK, Clock()) for _ in range(100)]
    assert all(0 <= number < 1 for number in drawn)
    assert len(set(drawn)) == len(drawn)
