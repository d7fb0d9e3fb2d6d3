"""What happens to calls, as events for listeners; the first listener writes the log.

Listeners are functions that a client is given as ``on_event``. They run where the call runs, one
after another, and an exception of theirs is logged and does not touch the call.

An event has no content of a contact, no key, and no phone number beyond its last four digits.
"""

from __future__ import annotations

import asyncio
import inspect
import logging
from collections.abc import Callable, Sequence
from typing import Any, Literal, TypeAlias

from attrs import fields, frozen

from ._redaction import redact_numbers, redact_path, show_route
from ._retry import Failure
from ._wire import Call, strip_query
from .exceptions import ConfigurationError, Outcome, SendblueError
from .models import ResponseMeta

log = logging.getLogger("sendblue_async")
# Where nobody has set up logging, Python would print warnings to standard error.
log.addHandler(logging.NullHandler())

EventKind: TypeAlias = Literal["attempt_failed", "throttled", "retry", "settled", "call_ended"]


@frozen(kw_only=True)
class CallEvent:
    """Something that happened to a call: what listeners given as ``on_event`` get.

    The kinds are:

    - ``"attempt_failed"``: one request did not bring what was asked for;
    - ``"throttled"``: it was answered with 429; follows its ``"attempt_failed"``;
    - ``"retry"``: another attempt follows in ``wait`` seconds;
    - ``"settled"``: a look-up showed that a call with an unknown outcome had been done;
    - ``"call_ended"``: the call returns, or raises ``error``. Each call has exactly one, except
      calls that are cancelled.

    Look-ups are requests of the call that they settle, so their attempts have events too.

    Attributes:
        kind: What happened.
        method: The HTTP method.
        path: The path without its query, with phone numbers cut to their last four digits.
        route: The path with ``{number}`` for each phone number: the same for all calls of an
            endpoint, as labels of metrics have to be.
        number: The last four digits of the contact's phone number, such as ``"…0123"``, or
            ``None`` if the call is not about one contact.
        attempts: How many attempts the call has made so far; for a look-up, its own attempts. 0 at
            the end of a call that raises anything but a ``SendblueError``.
        elapsed: Seconds since the call began.
        status: The HTTP status of the last attempt, or ``None`` if it was not answered.
        outcome: ``"not_sent"``, ``"rejected"`` or ``"unknown"``: of the attempt, and in
            ``"call_ended"`` of the whole call; ``None`` if it succeeded. ``"unknown"`` if the call
            raises anything but a ``SendblueError``.
        error_type: The name of the class of error that the attempt or call ended in, such as
            ``"RateLimitError"``, or ``None`` if it succeeded.
        error: What the call raises, in ``"call_ended"`` only: a ``SendblueError``, or what a
            rate limiter or hook of your own raised.
        reason: Why it failed, in words, or ``None``.
        timed_out: Whether time ran out.
        wait: Seconds until the next attempt, in ``"retry"`` only.
        retry_after: How many seconds the server asked to wait, or ``None``.
        request_id: What the server calls the request, or ``None``.
        code: The server's own code for its refusal, or ``None``.
    """

    kind: EventKind
    method: str
    path: str
    route: str
    number: str | None = None
    attempts: int = 0
    elapsed: float = 0.0
    status: int | None = None
    outcome: Outcome | None = None
    error_type: str | None = None
    error: Exception | None = None
    reason: str | None = None
    timed_out: bool = False
    wait: float | None = None
    retry_after: float | None = None
    request_id: str | None = None
    code: str | None = None


EventListener: TypeAlias = Callable[[CallEvent], object]


class Events:
    """Tells the listeners of one client what happens to its calls.

    Without listeners and with the log level off no event is made, and each method costs one
    comparison of levels.

    Args:
        on_event: A function that gets each event, several, or ``None``.
        now: Monotonic seconds.
        redact: Masks the keys in what a server wrote.

    Raises:
        ConfigurationError: If ``on_event`` is not usable.
    """

    def __init__(
        self, on_event: object, *, now: Callable[[], float], redact: Callable[[str], str]
    ) -> None:
        self._listeners: tuple[EventListener, ...] = (write_log, *_check_listeners(on_event))
        self._has_listeners = len(self._listeners) > 1
        self._now = now
        self._redact = redact
        self._reported: set[tuple[int, type[BaseException]]] = set()

    def attempt_failed(
        self, call: Call[Any], failure: Failure, *, attempts: int, started: float
    ) -> None:
        """Tell that an attempt failed, and whether the server has throttled it."""
        if failure.was_attempted and self._is_heard(logging.DEBUG):
            details = {"attempts": attempts, "elapsed": self._now() - started}
            self._emit("attempt_failed", call, **details, **_describe(failure))
            if failure.status == 429:
                self._emit("throttled", call, **details, **_describe(failure))

    def retry(
        self, call: Call[Any], failure: Failure, *, attempts: int, wait: float, started: float
    ) -> None:
        """Tell that another attempt follows."""
        if self._is_heard(logging.WARNING):
            self._emit(
                "retry",
                call,
                attempts=attempts,
                elapsed=self._now() - started,
                wait=wait,
                **_describe(failure),
            )

    def settled(self, call: Call[Any], answer: Any, *, started: float) -> None:
        """Tell that a call with an unknown outcome turned out to have been done."""
        self._succeeded("settled", call, answer, started)

    def call_succeeded(self, call: Call[Any], answer: Any, *, started: float) -> None:
        """Tell that a call returns."""
        self._succeeded("call_ended", call, answer, started)

    def call_failed(self, call: Call[Any], error: Exception, *, started: float) -> None:
        """Tell that a call raises."""
        if self._is_heard(logging.INFO):
            self._emit(
                "call_ended",
                call,
                elapsed=self._now() - started,
                error_type=type(error).__name__,
                error=error,
                **_describe_error(error),
            )

    def _succeeded(self, kind: EventKind, call: Call[Any], answer: Any, started: float) -> None:
        if self._is_heard(logging.DEBUG):
            meta = answer if isinstance(answer, ResponseMeta) else answer.meta
            self._emit(
                kind,
                call,
                attempts=meta.attempts,
                elapsed=self._now() - started,
                status=meta.status_code,
                request_id=meta.request_id and self._redact(meta.request_id),
            )

    def _is_heard(self, level: int) -> bool:
        """Whether anybody gets an event whose log line has this level."""
        return self._has_listeners or _is_logged(level)

    def _emit(self, kind: EventKind, call: Call[Any], **details: Any) -> None:
        path = strip_query(call.path)
        event = CallEvent(
            kind=kind,
            method=call.method,
            path=redact_path(path),
            route=show_route(path),
            number=redact_numbers(call.number) if call.number else None,
            **details,
        )
        for listener in self._listeners:
            self._tell(listener, event)

    def _tell(self, listener: EventListener, event: CallEvent) -> None:
        try:
            result = listener(event)
            if inspect.iscoroutine(result):
                result.close()
                raise TypeError("A listener must not be async.")
        except (Exception, asyncio.CancelledError) as error:
            # A task is cancelled only where it waits, and nothing waits here.
            self._report(listener, error)

    def _report(self, listener: EventListener, error: BaseException) -> None:
        """Log what a listener raised; with its traceback only once, as it may raise each time."""
        # It may be unhashable, and its repr may show anything.
        failure = id(listener), type(error)
        first = failure not in self._reported
        self._reported.add(failure)
        log.log(
            logging.ERROR if first else logging.DEBUG,
            "on_event: the listener %s raised %s; the call continues",
            getattr(listener, "__qualname__", type(listener).__qualname__),
            type(error).__name__,
            exc_info=error if first else None,
        )


def _describe(failure: Failure) -> dict[str, Any]:
    """The fields of an event about a failed attempt."""
    return {
        "status": failure.status,
        "outcome": failure.rule.outcome,
        "error_type": failure.rule.error.__name__,
        "reason": failure.message,
        "timed_out": failure.timed_out,
        "retry_after": failure.retry_after,
        "request_id": failure.request_id,
        "code": failure.code,
    }


def _describe_error(error: Exception) -> dict[str, Any]:
    """The fields of an event about a call that raises."""
    if not isinstance(error, SendblueError):
        # What it says may be about a contact.
        return {"outcome": "unknown"}
    return {
        "attempts": error.attempts,
        "status": error.status,
        "outcome": error.outcome,
        "reason": str(error),
        "timed_out": error.timed_out,
        "retry_after": error.retry_after,
        "request_id": error.request_id,
        "code": error.code,
    }


def _check_listeners(on_event: Any) -> Sequence[EventListener]:
    if on_event is None:
        return ()
    listeners = [on_event] if callable(on_event) else on_event
    if not isinstance(listeners, (list, tuple)):
        raise ConfigurationError(
            f"on_event must be a function, or a list of functions, not {on_event!r}."
        )
    for index, listener in enumerate(listeners):
        name = "on_event" if callable(on_event) else f"on_event[{index}]"
        if not callable(listener):
            raise ConfigurationError(f"{name} must be a function, not {listener!r}.")
        if any(
            inspect.iscoroutinefunction(function)
            for function in (listener, getattr(listener, "__call__", None))  # noqa: B004
        ):
            raise ConfigurationError(
                f"{name} must not be async, as calls do not wait for it; a function can put the "
                "event into a queue, or start a task."
            )
    return listeners


def _is_logged(level: int) -> bool:
    """Whether lines of this level are logged.

    ``isEnabledFor`` may take a lock. Whoever has it may be in a signal handler, in a blocking call
    that waits for this.
    """
    # The level comes first, as it spares most lines the rest.
    return level >= log.getEffectiveLevel() and not log.disabled and log.manager.disable < level


def write_log(event: CallEvent) -> None:
    """Log an event under the name ``sendblue_async``, with its fields in the record.

    ``"throttled"`` has no line of its own: that of the failed attempt shows it.
    """
    level, line = _LINES.get(_line_name(event), (logging.NOTSET, ""))
    if line and _is_logged(level):
        values = {name: getattr(event, name) for name in _LOGGED}
        of_number = (
            f" for {event.number}" if event.number and event.number not in event.path else ""
        )
        words = {
            "call": f"{event.method} {event.path}{of_number}",
            "made": f"{event.attempts} attempt{'' if event.attempts == 1 else 's'}",
            "request": f", request id {event.request_id}" if event.request_id else "",
        }
        extra = {f"sendblue_{name}": value for name, value in values.items()}
        log.log(level, line, values | words, extra=extra)


def _line_name(event: CallEvent) -> str:
    if event.kind != "call_ended":
        return event.kind
    if event.error is None:
        return "succeeded"
    return "failed" if isinstance(event.error, SendblueError) else "raised"


_LOGGED = [field.name for field in fields(CallEvent) if field.name != "error"]
_LINES = {
    "attempt_failed": (
        logging.DEBUG,
        "%(call)s: attempt %(attempts)d %(reason)s, outcome %(outcome)s, "
        "%(elapsed).3f s after the start%(request)s",
    ),
    "retry": (
        logging.WARNING,
        "%(call)s: attempt %(attempts)d %(reason)s; "
        "the next one follows in %(wait).2f s%(request)s",
    ),
    "settled": (
        logging.DEBUG,
        "%(call)s: settled after %(made)s and %(elapsed).3f s",
    ),
    "succeeded": (
        logging.DEBUG,
        "%(call)s: succeeded after %(made)s and %(elapsed).3f s",
    ),
    "failed": (
        logging.INFO,
        "%(call)s: failed after %(made)s and %(elapsed).3f s, "
        "outcome %(outcome)s%(request)s: %(error_type)s: %(reason)s",
    ),
    "raised": (
        logging.INFO,
        "%(call)s: failed after %(elapsed).3f s, outcome %(outcome)s: %(error_type)s",
    ),
}
