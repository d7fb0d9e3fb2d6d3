"""What is logged, under the name ``sendblue_async``: the course of calls, never their content.

A call that fails is one line at INFO, each retry one at WARNING, each attempt one at DEBUG.
Phone numbers are cut to their last four digits, and keys never come here.
"""

from __future__ import annotations

import logging
from typing import Any

from ._redaction import redact_numbers, redact_path
from ._wire import Call, Failure, bare_path
from .exceptions import SendblueError

log = logging.getLogger("sendblue_async")
# Where nobody has set up logging, Python would print warnings to standard error.
log.addHandler(logging.NullHandler())


def _is_logged(level: int) -> bool:
    """Whether lines of this level are logged.

    ``isEnabledFor`` may take a lock. Whoever has it may be in a signal handler, in a blocking call
    that waits for this.
    """
    return not log.disabled and log.manager.disable < level >= log.getEffectiveLevel()


def _start(call: Call[Any]) -> str:
    """What the lines of a call begin with."""
    whom = f" for {redact_numbers(call.number)}" if call.number and "%2B" not in call.path else ""
    return f"{call.method} {redact_path(bare_path(call.path))}{whom}"


def _reference(request_id: str | None) -> str:
    """How a line names the request, where the server did."""
    return f", request id {request_id}" if request_id else ""


def succeeded(call: Call[Any], attempt: int, elapsed: float) -> None:
    """Log that an attempt brought what was asked for."""
    if _is_logged(logging.DEBUG):
        log.debug(
            "%s: attempt %d succeeded, %.3f s after the start", _start(call), attempt, elapsed
        )


def failed(call: Call[Any], attempt: int, failure: Failure, elapsed: float) -> None:
    """Log that an attempt ended in another way."""
    if _is_logged(logging.DEBUG):
        log.debug(
            "%s: attempt %d %s, outcome %s, %.3f s after the start%s",
            _start(call),
            attempt,
            failure.message,
            failure.rule.outcome,
            elapsed,
            _reference(failure.request_id),
        )


def retrying(call: Call[Any], attempt: int, failure: Failure, wait: float) -> None:
    """Log that a failed attempt is followed by another one."""
    if _is_logged(logging.WARNING):
        log.warning(
            "%s: attempt %d %s; the next one follows in %.2f s%s",
            _start(call),
            attempt,
            failure.message,
            wait,
            _reference(failure.request_id),
        )


def gave_up(call: Call[Any], error: SendblueError, elapsed: float) -> None:
    """Log that a call failed for good."""
    if _is_logged(logging.INFO):
        log.info(
            "%s: failed after %d attempts and %.3f s, outcome %s%s: %s: %s",
            _start(call),
            error.attempts,
            elapsed,
            error.outcome,
            _reference(error.request_id),
            type(error).__name__,
            error,
        )


def settled(call: Call[Any], attempts: int, elapsed: float) -> None:
    """Log that a call whose answer was lost turned out to have been done."""
    if _is_logged(logging.DEBUG):
        log.debug("%s: settled after %d attempts and %.3f s", _start(call), attempts, elapsed)
