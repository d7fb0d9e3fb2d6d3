"""Settle an unknown outcome: look the contact up until what it shows can be believed.

A *flow* is a generator: it yields the next step of a call that ended in an error, is sent what came
of that step, and returns the answer of the call or raises the error that ends it. No I/O.

Reads can lag behind writes. So a look-up that does not show what was sent proves nothing, and is
repeated after a wait. What may have been there all along proves as little: the effect of an
update, an opt-out or a delete is believed once :data:`READ_LAG` seconds have passed since the
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

LOOK_UP_WAITS = (0.0, 0.5, 1.0, 2.0, 4.0)
"""Seconds before each look-up. One that would pass the call's deadline is not made."""
READ_LAG = 3.0
"""Seconds by which reads are taken to lag behind writes at most; documented are "seconds"."""

# After so many failed look-ups in a row, each with retries of its own, there are no more.
_MAX_FAILED_LOOK_UPS = 2

# How far clocks may be apart: the server's among themselves, and ours where the server shows none.
_SKEW, _OWN_SKEW = 300.0, 86_400.0
# Some answers show only the day of creation, as its midnight, and not in which time zone.
_LONGEST_DAY = 36 * 3600.0


@frozen
class LookUp:
    """Make this call after so many seconds.

    It is answered with a :class:`LookUpResult`, or with ``None`` if the deadline or an outage
    forbids it.
    """

    call: Call[ContactResponse]
    wait: float


@frozen
class SendAgain:
    """Send the call again, beyond the attempts of its policy.

    It is answered with the response or the error.
    """

    attempts: int
    """How many attempts have been made."""


@frozen(kw_only=True)
class LookUpResult:
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
    is_last: bool

    @property
    def not_found(self) -> ContactResponse | None:
        """The response, if it says that there is no such contact."""
        response = self.response
        return response if response is not None and response.meta.status_code == 404 else None

    def find(self, number: str) -> ContactResponse | None:
        """Find the contact with this number in the response."""
        response = self.response
        if response is None or digits_of(response.contact.phone) != digits_of(number):
            return None
        return response


@frozen
class Verdict:
    """What a look-up says of the call.

    Attributes:
        response: What the call returns if it was done, or ``None`` if the contact existed before.
        is_final: Whether that can be believed at once, as it cannot be from before the call.
    """

    response: ContactResponse | StatusResponse | OptOutResponse | None
    is_final: bool = False


T = TypeVar("T")
Flow = Generator["LookUp | SendAgain", Any, T]
Settle = Callable[[SendblueError], Flow[Any]]
"""Makes the flow that settles a call which ended in this error."""


def create_flow(
    contact: ContactCreate, look_up: Call[ContactResponse], error: SendblueError
) -> Flow[Any]:
    """Settle a plain create: it was done if a contact agrees that did not exist before."""

    def judge(look: LookUpResult) -> Verdict | None:
        found = look.find(contact.number)
        if found is None:
            return None
        if _existed_before(found, look):
            return Verdict(None)
        return Verdict(found, is_final=True) if contact.agrees_with(found.contact) else None

    return _settle(error, look_up, judge, decided_by=ContactExistsError)


def update_flow(
    number: str,
    changes: ContactCreate | ContactUpdate,
    look_up: Call[ContactResponse],
    error: SendblueError,
) -> Flow[Any]:
    """Settle an upsert or an update: it was done if the contact has every value that was sent."""

    def judge(look: LookUpResult) -> Verdict | None:
        found = look.find(number)
        return Verdict(found) if found and changes.agrees_with(found.contact) else None

    return _settle(error, look_up, judge)


def opt_out_flow(
    order: OptOut, look_up: Call[ContactResponse], error: SendblueError
) -> Flow[OptOutResponse]:
    """Settle an opt-out: it was done if the contact says so."""

    def judge(look: LookUpResult) -> Verdict | None:
        found = look.find(order.number)
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

    def judge(look: LookUpResult) -> Verdict | None:
        missing = look.not_found
        return Verdict(StatusResponse(meta=missing.meta)) if missing else None

    return _settle(error, look_up, judge, decided_by=NotFoundError)


def _settle(
    error: SendblueError,
    look_up: Call[ContactResponse],
    judge: Callable[[LookUpResult], Verdict | None],
    *,
    decided_by: type[SendblueError] | tuple[()] = (),
) -> Flow[Any]:
    """Look the contact up until there is a verdict; send the call again if it is not found as sent.

    Args:
        error: What the call ended in.
        look_up: The call that fetches the contact.
        judge: What a look-up says of the call.
        decided_by: An error after which the call is not sent again.
    """
    looks, failed, look, verdict, may_send_again = 0, 0, None, None, True
    for wait in LOOK_UP_WAITS:
        next_look: LookUpResult | None = yield LookUp(look_up, wait)
        if next_look is None:
            break
        looks, look = looks + 1, next_look
        verdict = judge(look)
        if look.is_last or (verdict and (verdict.is_final or look.elapsed >= READ_LAG)):
            break
        failed = failed + 1 if look.error else 0
        if failed == _MAX_FAILED_LOOK_UPS:
            break
        if not (failed or verdict) and may_send_again and not isinstance(error, decided_by):
            may_send_again = False
            answer = yield SendAgain(error.attempts)
            if not isinstance(answer, SendblueError):
                return answer
            # With fewer attempts it was not sent, and knows less.
            error = answer if answer.attempts > error.attempts else error
    assert look is not None
    if verdict is None or (looks == 1 and not verdict.is_final and look.elapsed < READ_LAG):
        raise _explain_unsettled(error, look, looks) from error.__cause__
    if verdict.response is None:
        raise _make_exists_error(error) from error.__cause__
    meta = evolve(verdict.response.meta, attempts=error.attempts, settled=True)
    return evolve(verdict.response, meta=meta)


def _existed_before(found: ContactResponse, look: LookUpResult) -> bool:
    """Whether the contact was created clearly before the first request that may have done it."""
    created = found.contact.created_at
    if created is None:
        return False
    latest = created.timestamp()
    if latest % 86_400 == 0:
        latest += _LONGEST_DAY
    now, skew = parse_http_date(found.meta.headers.get("date")), _SKEW
    if now is None:
        now, skew = look.now, _OWN_SKEW
    return latest < now - look.age - skew


def _make_exists_error(error: SendblueError) -> SendblueError:
    """Make the error of a plain create that was not done, as its contact existed before."""
    exists = ContactExistsError(
        "A contact with this number existed before it was to be created. "
        "Pass update_if_exists=True to update it."
    )
    settled = {"outcome": "rejected", "maybe_applied": False, "retryable": False}
    exists.__dict__.update(vars(error), retry_after=None, timed_out=False, **settled)
    return exists


def _explain_unsettled(error: SendblueError, look: LookUpResult, looks: int) -> SendblueError:
    """Add to the error what the look-ups showed; its context is why the last one found nothing."""
    context = look.error
    if context is None:
        times = "once" if looks == 1 else f"{looks} times"
        why = f"It was looked up {times}, which settles nothing, as reads may lag behind writes."
        if look.not_found:
            context = NotFoundError("The look-up found no contact.", status=404)
    else:
        why = "It could not be looked up."
    error.args = (f"{error} {why}",)
    error.__context__ = context
    return error
