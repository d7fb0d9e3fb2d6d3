"""What a batch does while the server is unavailable: it waits, and tries a call now and then."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

from ..._clock import Clock
from ..._retry_rules import Retryable, rule_for
from ...exceptions import (
    APIError,
    ConnectError,
    OutcomeUnknownError,
    RateLimitError,
    ResponseFormatError,
    SendblueError,
)

T = TypeVar("T")

_FIRST_WAIT, _LONGEST_WAIT = 1.0, 60.0


def is_transient(error: SendblueError) -> bool:
    """Whether the same call may succeed later: the server or the network is in trouble.

    The error is that of a whole call, after all of its retries.
    """
    if isinstance(error, (ConnectError, OutcomeUnknownError, RateLimitError, ResponseFormatError)):
        return True
    # A refusal in a 2xx is the server's last word, too.
    status = error.status or 200
    return status >= 300 and rule_for(status, has_retry_after=False).retryable is not Retryable.NO


def is_final_refusal(error: SendblueError) -> bool:
    """Whether the server is available and refused this very contact."""
    return isinstance(error, APIError) and not is_transient(error)


def verification_failed(error: SendblueError) -> bool:
    """Whether the contact exists and may be ours, but the look-up that would tell has failed."""
    return error.maybe_applied and isinstance(error.__context__, SendblueError)


class Stopped(Exception):
    """No call is made any more."""


class CircuitBreaker:
    """Makes calls one at a time while the server is unavailable.

    It opens with the first call that fails, and closes with the first that succeeds. While it is
    open, each call is made after a wait, which doubles from one second to a minute.

    Args:
        give_up_after: Seconds without any success after which no call is made any more.
        clock: Tells the time, and waits.

    Attributes:
        answers: How often the server has answered. If this has grown, it was available meanwhile.
        gave_up: Whether no call is made any more.
    """

    def __init__(
        self,
        give_up_after: float,
        *,
        clock: Clock,
    ) -> None:
        self._give_up_after = give_up_after
        self._clock = clock
        self._lock = asyncio.Lock()
        self._open_since: float | None = None
        self._error: SendblueError | None = None
        self._wait = _FIRST_WAIT
        self.answers = 0
        self.gave_up = False

    @property
    def is_open(self) -> bool:
        """Whether nothing has succeeded since a call failed."""
        return self._open_since is not None

    @property
    def trouble(self) -> str | None:
        """Why the last call failed, in one sentence, while it is open."""
        return str(self._error).partition(". ")[0].removesuffix(".") if self._error else None

    @property
    def gives_up_in(self) -> float | None:
        """Seconds until no call is made any more if none succeeds; ``None`` while it is closed."""
        if self._open_since is None:
            return None
        return max(0.0, self._open_since + self._give_up_after - self._clock.monotonic())

    async def call(self, function: Callable[[], Coroutine[Any, Any, T]]) -> T:
        """Call the function as soon as that is allowed, and return or raise what it does.

        Raises:
            Stopped: If there was no success for so long that it is not called.
        """
        if self._open_since is None:
            return await self._call_now(function)
        async with self._lock:
            if self._open_since is not None and not self.gave_up:
                await self._clock.sleep(self._wait)
                self._wait = min(2 * self._wait, _LONGEST_WAIT)
            if self.gave_up:
                raise Stopped
            return await self._call_now(function)

    async def _call_now(self, function: Callable[[], Coroutine[Any, Any, T]]) -> T:
        try:
            answer = await function()
        except SendblueError as error:
            if is_transient(error):
                self._record_failure(error)
            elif is_final_refusal(error):
                self._close()
            raise
        self._close()
        return answer

    def _close(self) -> None:
        self.answers += 1
        self._open_since, self._error, self._wait = None, None, _FIRST_WAIT

    def _record_failure(self, error: SendblueError) -> None:
        now, self._error = self._clock.monotonic(), error
        if self._open_since is None:
            self._open_since = now
        elif now - self._open_since >= self._give_up_after:
            self.gave_up = True
