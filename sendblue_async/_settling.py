"""How an unknown outcome is settled: the contact is looked up until what it shows can be believed.

A *flow* is a generator: it yields the next step of a call that ended in an error, is sent what came
of that step, and returns the answer of the call or raises the error that ends it. No I/O.

Reads can lag behind writes. So a look-up that does not show what was sent proves nothing, and is
made again after a wait. What may have been there all along proves as little: that an update, an
opt-out or a delete shows its effect is believed once :data:`LAG` seconds have passed since the
call began, and so is that a contact existed before.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from typing import Any, TypeVar

from attrs import evolve, frozen

from ._phone_numbers import digits_of
from ._retry_after import parse_http_date
from ._wire import Call
from .exceptions import ContactExistsError, NotFoundError, SendblueError
from .models import (
    ContactCreate,
    ContactResponse,
    ContactUpdate,
    OptOutResponse,
    StatusResponse,
)
from .models._contacts import OptOut

WAITS = (0.0, 0.5, 1.0, 2.0, 4.0)
"""Seconds before each look-up. One that would pass the call's deadline is not made."""
LAG = 3.0
"""Seconds by which reads are taken to lag behind writes at most; documented are "seconds"."""

# So many look-ups in a row, each with retries of its own, may fail before it is left at that.
_FAILED_AT_MOST = 2

# How far clocks may be apart: the server's among themselves, and ours where the server shows none.
_SKEW, _OUR_SKEW = 300.0, 86_400.0
# Some answers show only the day of creation, as its midnight, and not in which time zone.
_DAY_ANYWHERE = 36 * 3600.0


@frozen
class LookUp:
    """Make this call, so many seconds later. It is answered with a :class:`Look`, or ``None``
    where the deadline or an outage forbids it."""

    call: Call[ContactResponse]
    wait: float


@frozen
class TryOnceMore:
    """Send the call again, beyond the attempts of its policy. It is answered with the answer, or
    with the error."""

    attempts: int
    """How many attempts have been made."""


@frozen(kw_only=True)
class Look:
    """What a look-up showed.

    Attributes:
        response: The contact, or nothing but the 404 of an API that has none.
        error: Why there is neither.
        elapsed: Seconds since the call began.
        now: Seconds since the epoch.
        age: Seconds since the first request that may have done it; more than ``elapsed`` if
            that was one of an earlier call.
        is_last: Whether another look-up would fare no better.
    """

    response: ContactResponse | None = None
    error: SendblueError | None = None
    elapsed: float
    now: float
    age: float
    is_last: bool = False

    @property
    def missing(self) -> ContactResponse | None:
        """The answer, if it says that there is no such contact."""
        response = self.response
        return response if response is not None and response.meta.status_code == 404 else None

    def shown(self, number: str) -> ContactResponse | None:
        """The answer, if it shows the contact with this number."""
        response = self.response
        if response is None or digits_of(response.contact.phone) != digits_of(number):
            return None
        return response


@frozen
class Verdict:
    """What a look-up says of the call: the answer if it was done, or ``None`` if the contact
    existed before it. ``at_once`` if that cannot be from before the call."""

    answer: ContactResponse | StatusResponse | OptOutResponse | None
    at_once: bool = False


T = TypeVar("T")
Flow = Generator["LookUp | TryOnceMore", Any, T]
Settle = Callable[[SendblueError], Flow[Any]]
"""Makes the flow that settles a call which ended in this error."""


def create_flow(
    contact: ContactCreate, look_up: Call[ContactResponse], error: SendblueError
) -> Flow[Any]:
    """Settle a plain create: it was done if a contact agrees that did not exist before."""

    def judge(look: Look) -> Verdict | None:
        found = look.shown(contact.number)
        if found is None:
            return None
        if _existed_before(found, look):
            return Verdict(None)
        return Verdict(found, at_once=True) if contact.agrees_with(found.contact) else None

    return _settle(error, look_up, judge, last_word=ContactExistsError)


def update_flow(
    number: str,
    changes: ContactCreate | ContactUpdate,
    look_up: Call[ContactResponse],
    error: SendblueError,
) -> Flow[Any]:
    """Settle an upsert or an update: it was done if the contact has every value that was sent."""

    def judge(look: Look) -> Verdict | None:
        found = look.shown(number)
        return Verdict(found) if found and changes.agrees_with(found.contact) else None

    return _settle(error, look_up, judge)


def opt_out_flow(
    order: OptOut, look_up: Call[ContactResponse], error: SendblueError
) -> Flow[OptOutResponse]:
    """Settle an opt-out: it was done if the contact says so."""

    def judge(look: Look) -> Verdict | None:
        found = look.shown(order.number)
        if found is None or found.contact.opt_out is not order.opted_out:
            return None
        return Verdict(
            OptOutResponse(
                number=order.number,
                opted_out=order.opted_out,
                status=found.status,
                meta=found.meta,
            )
        )

    return _settle(error, look_up, judge)


def delete_flow(look_up: Call[ContactResponse], error: SendblueError) -> Flow[StatusResponse]:
    """Settle a delete: it was done if the contact is gone, as the API itself says."""

    def judge(look: Look) -> Verdict | None:
        missing = look.missing
        return Verdict(StatusResponse(meta=missing.meta)) if missing else None

    return _settle(error, look_up, judge, last_word=NotFoundError)


def _settle(
    error: SendblueError,
    look_up: Call[ContactResponse],
    judge: Callable[[Look], Verdict | None],
    *,
    last_word: type[SendblueError] | tuple[()] = (),
) -> Flow[Any]:
    """Look the contact up until there is a verdict, and try once more if it is not shown as sent.

    Args:
        error: What the call ended in.
        look_up: The call that fetches the contact.
        judge: What a look-up says of the call.
        last_word: An error that makes another attempt pointless.
    """
    looks, failed, look, verdict, may_try = 0, 0, None, None, True
    for wait in WAITS:
        next_look: Look | None = yield LookUp(look_up, wait)
        if next_look is None:
            break
        looks, look = looks + 1, next_look
        verdict = judge(look)
        if look.is_last or (verdict and (verdict.at_once or look.elapsed >= LAG)):
            break
        failed = failed + 1 if look.error else 0
        if failed == _FAILED_AT_MOST:
            break
        if not (failed or verdict) and may_try and not isinstance(error, last_word):
            may_try = False
            answer = yield TryOnceMore(error.attempts)
            if not isinstance(answer, SendblueError):
                return answer
            # With fewer attempts it was not sent, and knows less.
            error = answer if answer.attempts > error.attempts else error
    assert look is not None
    if verdict is None or (looks == 1 and not verdict.at_once and look.elapsed < LAG):
        raise _unsettled(error, look, looks) from error.__cause__
    if verdict.answer is None:
        raise _existing(error) from error.__cause__
    meta = evolve(verdict.answer.meta, attempts=error.attempts, settled=True)
    return evolve(verdict.answer, meta=meta)


def _existed_before(found: ContactResponse, look: Look) -> bool:
    """Whether the contact was created clearly before the first request that may have done it."""
    created = found.contact.created_at
    if created is None:
        return False
    latest = created.timestamp()
    if latest % 86_400 == 0:
        latest += _DAY_ANYWHERE
    now, skew = parse_http_date(found.meta.headers.get("date")), _SKEW
    if now is None:
        now, skew = look.now, _OUR_SKEW
    return latest < now - look.age - skew


def _existing(error: SendblueError) -> SendblueError:
    """The error of a plain create that cannot have been done, as its contact existed before."""
    exists = ContactExistsError(
        "A contact with this number existed before it was to be created. "
        "Pass update_if_exists=True to update it."
    )
    settled = {"outcome": "rejected", "maybe_applied": False, "retryable": False}
    exists.__dict__.update(vars(error), retry_after=None, timed_out=False, **settled)
    return exists


def _unsettled(error: SendblueError, look: Look, looks: int) -> SendblueError:
    """The error, with what the look-ups came to; its context tells why the last one found none."""
    context = look.error
    if context is None:
        times = "once" if looks == 1 else f"{looks} times"
        why = f"It was looked up {times}, which settles nothing, as reads may lag behind writes."
        if look.missing:
            context = NotFoundError("The look-up found no contact.", status=404)
    else:
        why = "It could not be looked up."
    error.args = (f"{error} {why}", *error.args[1:])
    error.__context__ = context
    return error
