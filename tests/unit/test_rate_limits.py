"""The rate limit and the shared pause, on a clock that the test turns."""

from __future__ import annotations

import heapq
import math
from statistics import median
from typing import Any

import pytest
from attrs import define, evolve, field
from hypothesis import given, settings
from hypothesis import strategies as st

from sendblue_async._rate_limits import MAX_PAUSE, AdaptiveRateLimiter, FixedRateLimiter
from sendblue_async.exceptions import ConfigurationError


def test_without_a_limit_everyone_may_send_at_once() -> None:
    """No rate and no pause hold nobody back, however many ask."""
    limiter = FixedRateLimiter()
    assert [limiter.reserve_slot(now) for now in (5.0, 5.0, 5.0, 4.0)] == [5.0, 5.0, 5.0, 4.0]
    assert limiter.paused_until() <= 0.0


def test_a_rate_spaces_requests_evenly() -> None:
    """At 4 a second the callers get slots a quarter of a second apart, each its own."""
    limiter = FixedRateLimiter(4)
    assert [limiter.reserve_slot(10.0) for _ in range(5)] == [10.0, 10.25, 10.5, 10.75, 11.0]


def test_unused_time_is_not_saved_up() -> None:
    """After a quiet spell the slots start now and are as far apart as ever: no bursts."""
    limiter = FixedRateLimiter(2.0)
    limiter.reserve_slot(1.0)
    assert [limiter.reserve_slot(100.0) for _ in range(3)] == [100.0, 100.5, 101.0]


@pytest.mark.parametrize("rate", [None, 10])
def test_a_pause_holds_back_every_caller(rate: float | None) -> None:
    """Until the pause is over nobody may send, with or without a rate."""
    limiter = FixedRateLimiter(rate)
    limiter.pause(10.0, 10.0)
    assert limiter.paused_until() == 20.0
    slots = [limiter.reserve_slot(10.0) for _ in range(3)]
    assert slots == ([20.0] * 3 if rate is None else pytest.approx([20.0, 20.1, 20.2]))
    assert limiter.reserve_slot(30.0) == 30.0


def test_a_pause_is_only_ever_prolonged() -> None:
    """A shorter pause does not end a longer one, and a later one extends it."""
    limiter = FixedRateLimiter()
    for seconds, paused in [(20.0, 20.0), (15.0, 20.0), (25.0, 25.0), (0.5, 25.0)]:
        limiter.pause(0.0, seconds)
        assert limiter.paused_until() == paused


def test_a_pause_that_comes_later_is_seen_by_those_who_wait() -> None:
    """A caller with a slot learns of a pause that came after it."""
    limiter = FixedRateLimiter(1)
    assert limiter.reserve_slot(0.0) == 0.0
    assert limiter.reserve_slot(0.0) == 1.0
    limiter.pause(0.0, 5.0)
    assert limiter.paused_until() == 5.0
    assert limiter.reserve_slot(0.0) == 5.0


@pytest.mark.parametrize("rate", [None, 10])
def test_no_pause_lasts_for_ever(rate: float | None) -> None:
    """Whatever time a server names, one call asks again after five minutes, and then the others."""
    for limiter in (FixedRateLimiter(rate), FixedRateLimiter(parent=FixedRateLimiter(rate))):
        limiter.pause(100.0, 999_999_999.0)
        assert limiter.paused_until() == 100 + MAX_PAUSE == 400
        assert limiter.reserve_slot(100.0) == 400
        assert limiter.reserve_slot(400.1) == 405
        assert limiter.reserve_slot(500.0) == 500


@pytest.mark.parametrize("make", [FixedRateLimiter, AdaptiveRateLimiter])
def test_who_comes_too_late_holds_up_nobody(make: Any) -> None:
    """A caller whose deadline comes before its slot takes none, also not that of the probe."""
    for limiter in (make(rate=10), make(rate=10, parent=FixedRateLimiter())):
        limiter.pause(100.0, 999_999_999.0)
        assert {limiter.reserve_slot(100.0, 160.0) for _ in range(100)} == {400}
        assert limiter.reserve_slot(350.0, 400.0) == 400
        assert limiter.reserve_slot(400.1, 460.0) == 400.1
        assert limiter.reserve_slot(400.1, 460.0) == pytest.approx(405.1)


@settings(deadline=None)
@given(
    st.floats(0.01, 10_000),
    st.lists(st.tuples(st.floats(0, 5), st.none() | st.floats(0, 20)), max_size=60),
)
def test_no_two_slots_are_closer_than_the_rate(
    rate: float, steps: list[tuple[float, float | None]]
) -> None:
    """Whatever comes when, slots keep their distance, and none is in the past or in a pause."""
    limiter, now, before = FixedRateLimiter(rate), 1000.0, -math.inf
    for step, pause in steps:
        now += step
        if pause is not None:
            limiter.pause(now, pause)
        slot = limiter.reserve_slot(now)
        assert slot >= max(now, limiter.paused_until())
        assert slot - before >= 1 / rate * (1 - 1e-9) - 1e-9
        before = slot


@pytest.mark.parametrize("rate", [0, 0.0, -1, math.nan, math.inf, True, "10", [10], 1j], ids=str)
def test_a_rate_that_is_none_is_refused(rate: Any) -> None:
    """A rate that is no finite number above zero is refused by the argument's name."""
    with pytest.raises(ConfigurationError, match=r"^rate_limit must be "):
        FixedRateLimiter(rate)


def test_a_rate_limiter_with_a_parent_keeps_both() -> None:
    """The slower of two rates holds, and a pause of either is one of both."""
    outer = FixedRateLimiter(2)
    fast, slow = FixedRateLimiter(10, parent=outer), FixedRateLimiter(1, parent=outer)
    assert [fast.reserve_slot(0.0) for _ in range(3)] == [0.0, 0.5, 1.0]
    assert [slow.reserve_slot(10.0) for _ in range(2)] == [10.0, 11.0]
    fast.pause(10.0, 10.0)
    assert outer.paused_until() == slow.paused_until() == 20.0
    outer.pause(12.0, 18.0)
    assert fast.paused_until() == 30.0
    assert slow.reserve_slot(12.0) == 30.0


@define
class Window:
    """A server that takes ``rate`` requests in each second of its own clock."""

    rate: float
    _second: int = -1
    _taken: int = 0

    def answer(self, now: float) -> float:
        """Seconds to wait, as ``Retry-After`` has it, or 0 if the request was taken."""
        if int(now) != self._second:
            self._second, self._taken = int(now), 0
        self._taken += 1
        return 0.0 if self._taken <= self.rate else 1.0


@define
class Limited:
    """A server with a token bucket, which takes ``burst`` requests at once."""

    rate: float
    burst: float
    _tokens: float = field(init=False)
    _now: float = 0.0

    def __attrs_post_init__(self) -> None:
        self._tokens = self.burst

    def answer(self, now: float) -> float:
        """Seconds to wait, as ``Retry-After`` has it, or 0 if the request was taken."""
        self._tokens = min(self.burst, self._tokens + (now - self._now) * self.rate)
        self._now = now
        if self._tokens >= 1:
            self._tokens -= 1
            return 0.0
        return float(max(1, math.ceil((1 - self._tokens) / self.rate)))


def driven(
    limiter: AdaptiveRateLimiter,
    server: Limited | Window,
    *,
    seconds: float,
    latency: float,
    begin: float = 0.0,
    names_a_time: bool = True,
) -> tuple[float, float]:
    """Requests taken per second and the share refused, by 32 workers on a made-up clock."""
    taken = refused = 0
    # When, what, and how long to wait.
    events = [(begin, "begin", 0.0)]
    idle = 32
    while events[0][0] < begin + seconds:
        now, what, wait = heapq.heappop(events)
        if what == "begin":
            # Callers get their slots one after another, and shortly before.
            near = limiter.next_slot_at(now) - 0.05
            if idle and near <= now:
                idle -= 1
                heapq.heappush(events, (limiter.reserve_slot(now), "send", 0.0))
            heapq.heappush(events, (max(now + 0.001, near), "begin", 0.0))
        elif what == "send" and limiter.paused_until() > now:
            heapq.heappush(events, (limiter.reserve_slot(now), "send", 0.0))
        elif what == "send":
            heapq.heappush(events, (now + latency / 2, "arrive", 0.0))
        elif what == "arrive":
            heapq.heappush(events, (now + latency / 2, "answer", server.answer(now)))
        else:
            idle += 1
            taken += not wait
            refused += bool(wait)
            if not wait:
                limiter.on_accepted(now)
                continue
            limiter.on_throttled(now)
            if names_a_time:
                limiter.pause(now, wait)
    return taken / seconds, refused / (taken + refused)


@pytest.mark.parametrize("latency", [0.002, 0.05, 0.2])
@pytest.mark.parametrize("names_a_time", [True, False])
@pytest.mark.parametrize("server", [Limited(50, 50), Window(50)], ids=["bucket", "window"])
def test_an_unpublished_limit_is_found(
    latency: float, names_a_time: bool, server: Limited | Window
) -> None:
    """Of 50 requests a second allowed, more than 47 are used, and fewer than 3 % are refused."""
    limiter = AdaptiveRateLimiter()
    taken, refused = driven(
        limiter, evolve(server), seconds=120, latency=latency, names_a_time=names_a_time
    )
    assert taken >= 47
    assert 0 < refused < 0.03
    assert limiter.throttled > 0
    assert limiter.limit is not None


@pytest.mark.parametrize("names_a_time", [True, False])
@pytest.mark.parametrize(("rows", "rate"), [(600, 44), (3000, 48)])
@pytest.mark.parametrize("server", [Limited(50, 50), Window(50)], ids=["bucket", "window"])
def test_a_limit_of_50_is_used_from_the_beginning(
    server: Limited | Window, rows: int, rate: float, names_a_time: bool
) -> None:
    """So many rows take no longer than they would at this rate, and fewer than 3 % are refused.

    That is the median of five beginnings in the server's second.
    """
    runs = [
        driven(
            AdaptiveRateLimiter(),
            evolve(server),
            seconds=rows / rate,
            latency=0.004,
            begin=begin,
            names_a_time=names_a_time,
        )
        for begin in (0.0, 0.2, 0.4, 0.6, 0.8)
    ]
    taken, refused = map(median, zip(*runs, strict=True))
    assert taken >= rate
    assert refused < 0.03


@pytest.mark.parametrize("begin", [n / 20 for n in range(20)])
def test_a_second_of_the_server_may_end_during_a_measurement(begin: float) -> None:
    """Wherever in it the first request comes, a window of a second is used up."""
    taken, _ = driven(AdaptiveRateLimiter(), Window(50), seconds=13, latency=0.004, begin=begin)
    assert taken >= 43


def test_a_small_limit_is_measured_as_well() -> None:
    """Where a window that is full names a second to wait, five a second are soon used up."""
    taken, _ = driven(AdaptiveRateLimiter(), Window(5), seconds=15, latency=0.004)
    assert taken >= 4.5


@pytest.mark.parametrize("server", [Limited(50, 50), Window(50)], ids=["bucket", "window"])
def test_a_limit_is_not_measured_while_many_are_in_flight(server: Limited | Window) -> None:
    """All of them would be refused: 600 rows at answers of 0.2 seconds have fewer than 7 % so."""
    runs = [
        driven(AdaptiveRateLimiter(), evolve(server), seconds=13, latency=0.2, begin=begin)
        for begin in (0.0, 0.2, 0.4, 0.6, 0.8)
    ]
    assert median(refused for _, refused in runs) < 0.07


@pytest.mark.parametrize(("rate", "burst"), [(50, 15), (50, 25), (200, 60)])
def test_a_bucket_smaller_than_its_rate_is_not_taken_for_the_limit(
    rate: float, burst: float
) -> None:
    """What it holds after a pause is less than what it gives in a second."""
    server = Limited(rate, burst)
    taken, _ = driven(AdaptiveRateLimiter(), server, seconds=60, latency=0.004)
    assert taken >= 0.75 * rate


def measuring() -> tuple[AdaptiveRateLimiter, float]:
    """A limiter that measures since it was refused at a rate of 100, and when the pause ends."""
    limiter = AdaptiveRateLimiter(rate=100.0)
    limiter.on_throttled(10.0)
    limiter.pause(10.0, 1.0)
    assert limiter.rate == pytest.approx(198)
    return limiter, 11.0


def test_a_measurement_ends_within_a_second() -> None:
    """A server that refuses nothing more is not sent so much for longer."""
    limiter, resumed = measuring()
    limiter.reserve_slot(resumed)
    limiter.on_accepted(resumed + 0.99)
    assert limiter.rate == pytest.approx(198)
    limiter.on_accepted(resumed + 1.01)
    assert limiter.rate == pytest.approx(41)


def test_a_refusal_long_after_the_pause_measures_nothing() -> None:
    """Whatever was taken in the second before it."""
    limiter, resumed = measuring()
    for _ in range(50):
        limiter.on_accepted(resumed + 0.95)
    limiter.on_throttled(resumed + 1.5)
    limiter.pause(resumed + 1.5, 1.0)
    assert limiter.rate == pytest.approx(41)


@pytest.mark.parametrize("seconds", [0.4, 0.9])
def test_nothing_is_measured_after_a_shorter_pause(seconds: float) -> None:
    """It does not fill a second of the server."""
    limiter = AdaptiveRateLimiter(rate=100.0)
    limiter.on_throttled(10.0)
    limiter.pause(10.0, seconds)
    assert limiter.rate == pytest.approx(41)


def test_answers_that_come_in_the_pause_tell_what_was_in_flight() -> None:
    """A bucket takes most of them, and with many of them nothing is measured."""
    limiter, _ = measuring()
    for n in range(3):
        limiter.on_accepted(10.1 + n / 100)
    assert limiter.rate == pytest.approx(198)
    limiter.on_accepted(10.2)
    assert limiter.rate == pytest.approx(41)


def test_what_is_taken_after_a_pause_raises_no_limit() -> None:
    """It may be the rest of one second of the server, and all of the next."""
    limiter, resumed = measuring()
    for n in range(9):
        limiter.on_accepted(10.1 + n / 100)
    for _ in range(80):
        limiter.on_accepted(resumed + 0.8)
    limiter.on_throttled(resumed + 0.9)
    assert limiter.limit == pytest.approx(60)


def test_a_measurement_begins_with_no_burst() -> None:
    """What a pause left unused is not sent besides, as it would be counted."""
    limiter, resumed = measuring()
    slots = [limiter.reserve_slot(resumed) for _ in range(3)]
    assert slots == pytest.approx([resumed, resumed + 1 / 198, resumed + 2 / 198])


def test_a_limit_that_others_use_up_is_not_taken_for_ours() -> None:
    """A server that refuses nearly all for a while is used again when it takes them."""

    @define
    class Shared(Window):
        def answer(self, now: float) -> float:
            return 1.0 if 2 < now % 12 < 6 and now < 12 else super().answer(now)

    limiter = AdaptiveRateLimiter()
    driven(limiter, Shared(50), seconds=30, latency=0.004)
    taken, refused = driven(limiter, Shared(50), begin=30, seconds=60, latency=0.004)
    assert taken >= 35
    assert refused < 0.03


@pytest.mark.parametrize("rate", [5.0, 20.0, 200.0])
def test_limits_of_every_size_are_found(rate: float) -> None:
    """Whatever the limit is, nine tenths of it are used once the beginning is over."""
    limiter = AdaptiveRateLimiter()
    server = Limited(rate, rate)
    driven(limiter, server, seconds=60, latency=0.05)
    taken, refused = driven(limiter, server, begin=60, seconds=60, latency=0.05)
    assert taken >= 0.9 * rate
    assert refused < 0.06


def test_a_limit_that_rises_is_found_again() -> None:
    """A server that allows more after a minute is asked for more."""
    limiter = AdaptiveRateLimiter()
    server = Limited(10, 10)
    driven(limiter, server, seconds=60, latency=0.05)
    assert 8 < limiter.rate < 12
    server.rate = server.burst = 100
    driven(limiter, server, begin=60, seconds=300, latency=0.05)
    assert limiter.rate > 30


def test_it_begins_gently() -> None:
    """The first second sees less than forty requests, and the first three more than a hundred."""
    taken, _ = driven(AdaptiveRateLimiter(), Limited(1000, 1000), seconds=1, latency=0.01)
    assert 20 <= taken < 40
    taken, _ = driven(AdaptiveRateLimiter(), Limited(1000, 1000), seconds=3, latency=0.01)
    assert taken > 100


def test_it_does_not_grow_while_it_holds_nobody_back() -> None:
    """A rate that no caller has to wait for says nothing of what the server would bear."""
    limiter = AdaptiveRateLimiter()
    for second in range(1000):
        limiter.reserve_slot(float(second))
        limiter.on_accepted(second + 0.1)
    assert limiter.rate == AdaptiveRateLimiter.FIRST


def test_one_refusal_slows_down_once() -> None:
    """All that were in flight when the server refused are one sign and not many."""
    limiter = AdaptiveRateLimiter()
    limiter.on_throttled(5.0)
    slowed, resumed = limiter.rate, limiter.paused_until()
    assert slowed < AdaptiveRateLimiter.FIRST / 2
    assert 5 < resumed < 6
    for _ in range(19):
        limiter.on_throttled(5.0)
    assert (limiter.rate, limiter.paused_until(), limiter.throttled) == (slowed, resumed, 20)
    limiter.on_throttled(6.5)
    assert limiter.rate < slowed


def test_it_never_stands_still() -> None:
    """However often it is refused, a request is sent every ten seconds."""
    limiter = AdaptiveRateLimiter()
    for n in range(1000):
        limiter.on_throttled(2.0 * n)
    assert limiter.rate == 0.1
