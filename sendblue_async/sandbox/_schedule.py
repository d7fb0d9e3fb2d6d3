"""Which faults strike which request: one seeded sequence of draws, in order of arrival."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from random import Random

from attrs import frozen

from ._faults import Faults

__all__ = ["FaultSchedule", "Plan"]

_BEFORE_COMMIT = ("reset", "server_error", "redirect", "refusal_in_200")
_AFTER_COMMIT = (
    "server_error_after_commit",
    "drop_after_commit",
    "short_body",
    "garbage",
    "not_http",
)
# A new dial goes to the end, so that a seed keeps its meaning for the dials before it.
_DRAWS = ("jitter", "too_many_requests", *_BEFORE_COMMIT, *_AFTER_COMMIT, "slow_bytes")
_INDEX = {name: index for index, name in enumerate(_DRAWS)}


@frozen(kw_only=True)
class Plan:
    """What is to go wrong with one request; faults go by the name of their dial."""

    delay: float = 0.0
    """Seconds to wait before the request is looked at."""
    before_commit: str | None = None
    """The fault that answers instead of the request's own answer."""
    after_commit: str | None = None
    """The fault that spoils the answer once the request has been handled."""
    slow: bool = False
    """Whether the answer's body comes byte by byte."""
    retry_after: str | None = None
    """Value of ``Retry-After`` for a 429 or a 503."""


class FaultSchedule:
    """A seeded sequence of plans.

    Every request takes the same number of draws whatever the dials say, so the same seed and
    the same order of requests give the same faults, and turning one dial leaves the others be.
    The rate limit goes by ``clock`` (seconds, monotonic) instead of by chance.
    """

    def __init__(
        self, seed: int, faults: Faults, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._random = Random(seed)
        self._clock = clock
        self.faults = faults

    @property
    def faults(self) -> Faults:
        """The dials in force; setting them ends a running burst and refills the rate limit."""
        return self._faults

    @faults.setter
    def faults(self, faults: Faults) -> None:
        self._faults = faults
        self._burst_left = 0
        self._tokens = self._capacity = max(1.0, faults.rate_limit or 0.0)
        self._refilled_at = self._clock()
        self._window = -1.0
        self._before = _select_dials(faults, _BEFORE_COMMIT)
        self._after = _select_dials(faults, _AFTER_COMMIT)

    def next_plan(self) -> Plan:
        """Make the plan for the request that has just arrived."""
        faults = self._faults
        draw = self._random.random
        draws = [draw() for _ in _DRAWS]
        before = retry_after = None
        wait = self._take_token()
        if wait > 0:
            before = "rate_limit"
            retry_after = str(max(1, math.ceil(wait)))
        if self._draw_429(draws[_INDEX["too_many_requests"]]) and before is None:
            before = "too_many_requests"
        return Plan(
            delay=faults.latency + faults.jitter * draws[_INDEX["jitter"]],
            before_commit=before or _find_strike(self._before, draws),
            after_commit=_find_strike(self._after, draws),
            slow=draws[_INDEX["slow_bytes"]] < faults.slow_bytes,
            retry_after=retry_after if faults.retry_after is None else faults.retry_after,
        )

    def _draw_429(self, drawn: float) -> bool:
        if self._burst_left == 0 and drawn < self._faults.too_many_requests:
            self._burst_left = self._faults.too_many_requests_burst
        if self._burst_left == 0:
            return False
        self._burst_left -= 1
        return True

    def _take_token(self) -> float:
        """Take one request from the limit: 0 if there was one, else the seconds until there is."""
        rate, length = self._faults.rate_limit, self._faults.rate_limit_window
        if rate is None:
            return 0.0
        now = self._clock()
        if length and now // length != self._window:
            self._window, self._tokens = now // length, rate * length
        elif not length:
            self._tokens = min(self._capacity, self._tokens + (now - self._refilled_at) * rate)
        self._refilled_at = now
        if self._tokens >= 1:
            self._tokens -= 1
            return 0.0
        return length - now % length if length else (1 - self._tokens) / rate


def _select_dials(faults: Faults, names: tuple[str, ...]) -> tuple[tuple[str, int, float], ...]:
    dials = ((name, _INDEX[name], getattr(faults, name)) for name in names)
    return tuple(dial for dial in dials if dial[2] > 0)


def _find_strike(dials: tuple[tuple[str, int, float], ...], draws: list[float]) -> str | None:
    for name, index, probability in dials:
        if draws[index] < probability:
            return name
    return None
