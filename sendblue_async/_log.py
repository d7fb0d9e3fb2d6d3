"""What is logged, under the name ``sendblue_async``: the course of calls, never their content.

A call that fails is one line at INFO, each retry one at WARNING, each attempt one at DEBUG.
Phone numbers are cut to their last four digits, and keys never come here.
"""

from __future__ import annotations

import logging
import re
from typing import Any

from ._wire import Call, Failure
from .exceptions import SendblueError

log = logging.getLogger("sendblue_async")
# Where nobody has set up logging, Python would print warnings to standard error.
log.addHandler(logging.NullHandler())

# Seven digits and more, however they are set apart: a date looks like that, too.
_NUMBER = re.compile(r"(?:\+|%2B)?\(?[0-9](?:(?:%20|[^\w\n,:;]){0,3}[0-9]){6,}")


def shortened(text: str) -> str:
    """The text with each phone number in it cut to its last four digits."""
    return _NUMBER.sub(lambda match: f"…{re.sub('%2[0B]|[^0-9]', '', match[0])[-4:]}", text)


def _start(call: Call[Any]) -> str:
    """What the lines of a call begin with."""
    whom = f" for {call.number}" if call.number and "%2B" not in call.path else ""
    return shortened(f"{call.method} {_bare(call.path)}{whom}")


def _bare(path: str) -> str:
    """A path without its query, which can hold anything."""
    return path.partition("?")[0]


def succeeded(call: Call[Any], attempt: int, elapsed: float) -> None:
    """Log that an attempt brought what was asked for."""
    if log.isEnabledFor(logging.DEBUG):
        log.debug(
            "%s: attempt %d succeeded, %.3f s after the start", _start(call), attempt, elapsed
        )


def failed(call: Call[Any], attempt: int, failure: Failure, elapsed: float) -> None:
    """Log that an attempt ended in another way."""
    if log.isEnabledFor(logging.DEBUG):
        log.debug(
            "%s: attempt %d %s, outcome %s, %.3f s after the start",
            _start(call),
            attempt,
            shortened(failure.message),
            failure.rule.outcome,
            elapsed,
        )


def retrying(call: Call[Any], attempt: int, failure: Failure, wait: float) -> None:
    """Log that a failed attempt is followed by another one."""
    if log.isEnabledFor(logging.WARNING):
        log.warning(
            "%s: attempt %d %s; the next one follows in %.2f s",
            _start(call),
            attempt,
            shortened(failure.message),
            wait,
        )


def gave_up(call: Call[Any], error: SendblueError, elapsed: float) -> None:
    """Log that a call failed for good."""
    if log.isEnabledFor(logging.INFO):
        log.info(
            "%s: failed after %d attempts and %.3f s, outcome %s: %s: %s",
            _start(call),
            error.attempts,
            elapsed,
            error.outcome,
            type(error).__name__,
            shortened(str(error).replace(call.path, _bare(call.path))),
        )


def settled(call: Call[Any], attempts: int, elapsed: float) -> None:
    """Log that a call whose answer was lost turned out to have been done."""
    if log.isEnabledFor(logging.DEBUG):
        log.debug("%s: settled after %d attempts and %.3f s", _start(call), attempts, elapsed)
