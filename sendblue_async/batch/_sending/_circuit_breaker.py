"""What a batch does while the server is out of order: it waits, and asks now and then."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

from ..._checks import check_positive_seconds
from ..._clock import Clock
from ..._retry import Retryable, rule_for
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


def was_answered(error: SendblueError) -> bool:
    """Whether the server is well and refused this very contact."""
    return isinstance(error, APIError) and not is_transient(error)


def verification_failed(error: SendblueError) -> bool:
    """Whether the contact exists and may be ours, but the look-up that would tell has failed."""
    return error.maybe_applied and isinstance(error.__context__, SendblueError)


class Stopped(Exception):
    """No call is made any more."""


class Outage:
    """The trouble that all calls of a batch share.

    From the first call that fails until one succeeds, calls are made one at a time, after waits
    that double from one second to a minute.

    Args:
        give_up_after: Seconds without any success after which no call is made any more.
        clock: Tells the time, and waits.
    """

    def __init__(
        self,
        give_up_after: float,
        *,
        clock: Clock,
    ) -> None:
        self._give_up_after = check_positive_seconds("give_up_after", give_up_after)
        self._clock = clock
        self._turn = asyncio.Lock()
        self._since: float | None = None
        self._error: SendblueError | None = None
        self._wait = _FIRST_WAIT
        self.answers = 0
        """How often the server has answered; it went well in between when this has grown."""
        self.given_up = False

    @property
    def lasts(self) -> bool:
        """Whether nothing has succeeded since a call failed."""
        return self._since is not None

    @property
    def trouble(self) -> str | None:
        """What the last call failed of, in one sentence, while nothing has succeeded since."""
        return str(self._error).partition(". ")[0].removesuffix(".") if self._error else None

    @property
    def gives_up_in(self) -> float | None:
        """Seconds until no call is made any more, if none succeeds; ``None`` if all is well."""
        if self._since is None:
            return None
        return max(0.0, self._since + self._give_up_after - self._clock.monotonic())

    async def call(self, function: Callable[[], Coroutine[Any, Any, T]]) -> T:
        """What the call returns or raises, once it may be made.

        Raises:
            Stopped: If there was no success for so long that it is not made.
        """
        if self._since is None:
            return await self._made(function)
        async with self._turn:
            if self._since is not None and not self.given_up:
                await self._clock.sleep(self._wait)
                self._wait = min(2 * self._wait, _LONGEST_WAIT)
            if self.given_up:
                raise Stopped
            return await self._made(function)

    async def _made(self, function: Callable[[], Coroutine[Any, Any, T]]) -> T:
        try:
            answer = await function()
        except SendblueError as error:
            if is_transient(error):
                self._failed(error)
            elif was_answered(error):
                self._answered()
            raise
        self._answered()
        return answer

    def _answered(self) -> None:
        self.answers += 1
        self._since, self._error, self._wait = None, None, _FIRST_WAIT

    def _failed(self, error: SendblueError) -> None:
        now, self._error = self._clock.monotonic(), error
        if self._since is None:
            self._since = now
        elif now - self._since >= self._give_up_after:
            self.given_up = True
