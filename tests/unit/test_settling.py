"""The flows that settle an unknown outcome, step by step: no server, no clock."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timezone
from email.utils import formatdate
from typing import Any

import pytest

from sendblue_async._retry_rules import Effect
from sendblue_async._settling import (
    LOOK_UP_WAITS,
    Flow,
    LookUp,
    LookUpResult,
    SendAgain,
    create_flow,
    delete_flow,
    opt_out_flow,
    update_flow,
)
from sendblue_async._wire import Call, make_reader
from sendblue_async.exceptions import (
    ConnectError,
    ContactExistsError,
    NotFoundError,
    OutcomeUnknownError,
    SendblueError,
)
from sendblue_async.models import (
    Contact,
    ContactCreate,
    ContactResponse,
    ContactUpdate,
    ResponseMeta,
    StatusResponse,
)
from sendblue_async.models._contacts import OptOut

NUMBER = "+14155550123"
NOW = 1_700_000_000.0
ADA = ContactCreate(number=NUMBER, first_name="Ada")
LOOK_UP: Call[ContactResponse] = Call(
    method="GET", path="/x", effect=Effect.SAFE, read=make_reader(ContactResponse)
)
# Reads lag behind writes by up to three seconds.
EARLY, LATE = 0.1, 3.0


def unknown(attempts: int = 4) -> OutcomeUnknownError:
    """What the call ended in."""
    return OutcomeUnknownError(
        "Lost.",
        outcome="unknown",
        attempts=attempts,
        retry_after=7.0,
        timed_out=True,
        maybe_applied=True,
        retryable=True,
    )


def result(
    response: ContactResponse | None = None,
    error: SendblueError | None = None,
    *,
    elapsed: float = EARLY,
    age: float | None = None,
    is_last: bool = False,
) -> LookUpResult:
    """What a look-up came to, so many seconds after the call began."""
    return LookUpResult(
        response=response,
        error=error,
        elapsed=elapsed,
        now=NOW,
        age=elapsed if age is None else age,
        is_last=is_last,
    )


def shown(
    *,
    date: float | None = NOW,
    elapsed: float = EARLY,
    age: float | None = None,
    **fields: Any,
) -> LookUpResult:
    """A look-up that shows a contact, at the server's time."""
    headers = {} if date is None else {"date": formatdate(date, usegmt=True)}
    contact = Contact(**{"phone": NUMBER, **fields})
    meta = ResponseMeta(status_code=200, headers=headers, attempts=1, elapsed=elapsed)
    response = ContactResponse(contact=contact, status="OK", meta=meta)
    return result(response, elapsed=elapsed, age=age)


def missing(*, elapsed: float = EARLY, is_last: bool = False) -> LookUpResult:
    """A look-up that the API itself answers with 404."""
    meta = ResponseMeta(status_code=404, headers={}, attempts=1, elapsed=elapsed)
    return result(ContactResponse(meta=meta), elapsed=elapsed, is_last=is_last)


def failed(**options: Any) -> LookUpResult:
    """A look-up that failed."""
    return result(error=ConnectError("Cannot connect."), **options)


def at(seconds_ago: float) -> datetime:
    """A time so many seconds before now."""
    return datetime.fromtimestamp(NOW - seconds_ago, timezone.utc)


MIDNIGHT = datetime(2023, 11, 12, tzinfo=timezone.utc)


def run(flow: Flow[Any], answers: Iterable[Any]) -> tuple[list[Any], Any]:
    """The steps that a flow asks for, answered one after another, and what it comes to."""
    steps: list[Any] = []
    answer: Any = None
    left = iter(answers)
    try:
        while True:
            step = flow.send(answer)
            steps.append(step.wait if isinstance(step, LookUp) else step)
            answer = next(left)
    except StopIteration as end:
        return steps, end.value
    except SendblueError as error:
        return steps, error


def create(answers: Iterable[Any], error: SendblueError | None = None) -> tuple[list[Any], Any]:
    """What comes of a plain create whose look-ups bring this."""
    return run(create_flow(ADA, LOOK_UP, error or unknown()), answers)


def test_a_create_that_is_shown_as_sent_was_done() -> None:
    """One look-up that shows every value is enough, and the answer says that it was settled."""
    steps, response = create([shown(first_name="Ada")])
    assert steps == [0.0]
    assert (response.contact.first_name, response.meta.settled) == ("Ada", True)
    assert response.meta.attempts == 4


def test_a_create_that_is_not_shown_is_sent_once_more_and_looked_up_until_the_end() -> None:
    """A contact that is not there proves nothing, however often it is looked up."""
    again = SendAgain(4)
    lost = unknown(attempts=5)
    steps, error = create([missing(), lost, *[missing()] * 4])
    assert steps == [0.0, again, *LOOK_UP_WAITS[1:]]
    assert (type(error), error.attempts, error.maybe_applied) == (OutcomeUnknownError, 5, True)
    assert "looked up 5 times" in str(error)
    assert isinstance(error.__context__, NotFoundError)
    assert error.__context__.status == 404


def test_an_attempt_beyond_the_policy_may_be_answered() -> None:
    """What the one more attempt brings is the answer of the call."""
    answer = ContactResponse(contact=Contact(phone=NUMBER), status="OK")
    assert create([missing(), answer]) == ([0.0, SendAgain(4)], answer)


def test_an_attempt_that_was_not_made_tells_nothing_new() -> None:
    """An error that knows of fewer attempts leaves the one before in force."""
    first = unknown()
    _, error = create([missing(), ConnectError("No.", attempts=4), *[missing()] * 4], first)
    assert error is first


def test_a_create_that_met_409_is_not_sent_again() -> None:
    """That the contact exists is known already; only the look-ups go on."""
    exists = ContactExistsError("Exists.", outcome="unknown", attempts=2, maybe_applied=True)
    steps, error = create([missing()] * 5, exists)
    assert steps == [*LOOK_UP_WAITS]
    assert error is exists


@pytest.mark.parametrize(
    ("created", "date", "ours"),
    [
        (at(0), NOW, True),
        (at(300), NOW, True),
        (at(301), NOW, False),
        (at(86_400), None, True),
        (at(86_401), None, False),
        (None, NOW, True),
        # Midnight may stand for any time of that day, in any zone.
        (MIDNIGHT, MIDNIGHT.timestamp() + 36 * 3600 + 300, True),
        (MIDNIGHT, MIDNIGHT.timestamp() + 36 * 3600 + 301, False),
        (datetime(2023, 11, 14, tzinfo=timezone.utc), NOW, True),
        (datetime(2023, 11, 13, tzinfo=timezone.utc), NOW, False),
    ],
)
def test_a_contact_created_clearly_before_the_call_is_not_its(
    created: datetime | None, date: float | None, ours: bool
) -> None:
    """It is ours unless it is older than clocks can be apart."""
    steps, ending = create([shown(first_name="Ada", created_at=created, date=date, elapsed=0.0)])
    if ours:
        assert ending.meta.settled
    else:
        # Not believed at once: what was there before may be shown late as well.
        assert steps == [0.0, 0.5]


@pytest.mark.parametrize(("age", "ours"), [(100, True), (99, False)])
def test_a_contact_may_be_from_an_earlier_call(age: float, ours: bool) -> None:
    """One that was created after an earlier call began, which may have done it, is ours."""
    steps, _ = create([shown(first_name="Ada", created_at=at(400), age=age)])
    assert steps == ([0.0] if ours else [0.0, 0.5])


def test_a_contact_from_before_is_believed_once_reads_have_caught_up() -> None:
    """Then the call failed, as its contact existed, and the error says so for certain."""
    old = {"created_at": at(86_400), "first_name": "Ada"}
    _, error = create([shown(**old), shown(**old, elapsed=LATE)])
    assert type(error) is ContactExistsError
    assert (error.outcome, error.maybe_applied, error.retryable) == ("rejected", False, False)
    assert (error.timed_out, error.retry_after, error.attempts) == (False, None, 4)
    assert "existed before" in str(error)


@pytest.mark.parametrize("other", ["+14155550199", "+14155550100"])
def test_another_contact_proves_nothing(other: str) -> None:
    """A look-up that shows another number, or other values, does not settle a create."""
    steps, error = create(
        [shown(phone=other, first_name="Ada"), unknown(5), *[shown(first_name="Eve")] * 4]
    )
    assert steps == [0.0, SendAgain(4), *LOOK_UP_WAITS[1:]]
    assert error.outcome == "unknown"


@pytest.mark.parametrize("first", [0, 1])
def test_two_failed_look_ups_in_a_row_are_the_last(first: int) -> None:
    """It is left at that, and the error says that nobody could look."""
    steps, error = create([*[missing(), unknown(5)][: 2 * first], failed(), failed()])
    assert steps == [0.0, *[SendAgain(4)] * first, 0.5, *[1.0] * first]
    assert "could not be looked up" in str(error)
    assert isinstance(error.__context__, ConnectError)


def test_a_failed_look_up_between_others_does_not_count() -> None:
    """Only failures one after another end the look-ups; after one, the call is not sent again."""
    steps, error = create([failed(), missing(), unknown(5), failed(), missing(), failed()])
    assert steps == [0.0, 0.5, SendAgain(4), 1.0, 2.0, 4.0]
    assert error.outcome == "unknown"


def test_a_last_look_up_is_the_last() -> None:
    """Where another one would fare no better, there is none."""
    steps, error = create([missing(is_last=True)])
    assert steps == [0.0]
    assert "looked up once" in str(error)


def test_the_deadline_ends_the_look_ups() -> None:
    """What the last one before it showed is what counts."""
    steps, error = create([missing(), unknown(5), None])
    assert steps == [0.0, SendAgain(4), 0.5]
    assert "looked up once" in str(error)


UPDATE = ContactUpdate(first_name="Ada")
ORDER = OptOut(number=NUMBER, opted_out=True)


@pytest.mark.parametrize("other", ["+14155550199", "+14155550100"])
def test_another_contact_settles_no_update_and_no_opt_out(other: str) -> None:
    """Whatever its values are, they are not those of the number in question."""
    for flow in (
        update_flow(NUMBER, UPDATE, LOOK_UP, unknown()),
        opt_out_flow(ORDER, LOOK_UP, unknown()),
    ):
        look = shown(phone=other, first_name="Ada", opt_out=True, elapsed=LATE)
        _, error = run(flow, [look, unknown(5), *[look] * 4])
        assert error.outcome == "unknown"


@pytest.mark.parametrize("agrees", [True, False])
@pytest.mark.parametrize("flow", ["update", "opt out", "delete"])
def test_what_may_have_been_so_before_is_believed_late(flow: str, agrees: bool) -> None:
    """An update, an opt-out and a delete show their effect for seconds before it is believed."""

    def look(elapsed: float) -> LookUpResult:
        if flow == "delete":
            return missing(elapsed=elapsed) if agrees else shown(elapsed=elapsed)
        return shown(first_name="Ada" if agrees else "Eve", opt_out=agrees, elapsed=elapsed)

    error = unknown()
    flows: dict[str, Flow[Any]] = {
        "update": update_flow(NUMBER, UPDATE, LOOK_UP, error),
        "opt out": opt_out_flow(ORDER, LOOK_UP, error),
        "delete": delete_flow(LOOK_UP, error),
    }
    if agrees:
        steps, response = run(flows[flow], [look(0.0), look(0.5), look(LATE - 0.01), look(LATE)])
        assert steps == [*LOOK_UP_WAITS[:4]]
        assert (response.meta.settled, response.meta.attempts) == (True, 4)
        if flow == "delete":
            assert isinstance(response, StatusResponse)
        elif flow == "opt out":
            assert (response.number, response.opted_out, response.status) == (NUMBER, True, "OK")
    else:
        steps, ending = run(flows[flow], [look(0.0), unknown(5), *[look(LATE)] * 4])
        assert steps == [0.0, SendAgain(4), *LOOK_UP_WAITS[1:]]
        assert ending.outcome == "unknown"


def test_one_early_look_up_is_not_enough_where_the_deadline_forbids_a_second() -> None:
    """What may have been there all along is believed after a second look, or late."""
    _, error = run(delete_flow(LOOK_UP, unknown()), [missing(), None])
    assert error.outcome == "unknown"
    _, response = run(delete_flow(LOOK_UP, unknown()), [missing(), missing(), None])
    assert response.meta.settled


@pytest.mark.parametrize("elapsed", [LATE, LATE + 2])
def test_one_late_look_up_is_enough(elapsed: float) -> None:
    """Once reads have caught up with writes, the first look-up is believed."""
    steps, response = run(delete_flow(LOOK_UP, unknown()), [missing(elapsed=elapsed)])
    assert (steps, response.meta.settled) == ([0.0], True)


@pytest.mark.parametrize("opted_out", [True, False])
def test_an_opt_out_is_settled_either_way(opted_out: bool) -> None:
    """The contact has to say what was ordered, be it to block messages or to allow them."""
    flow = opt_out_flow(OptOut(number=NUMBER, opted_out=opted_out), LOOK_UP, unknown())
    steps, response = run(flow, [shown(opt_out=not opted_out, elapsed=LATE), unknown(5)])
    assert steps == [0.0, SendAgain(4), 0.5]
    flow = opt_out_flow(OptOut(number=NUMBER, opted_out=opted_out), LOOK_UP, unknown())
    _, response = run(flow, [shown(opt_out=opted_out, elapsed=LATE)])
    assert response.opted_out is opted_out


def test_a_delete_that_met_404_is_not_sent_again() -> None:
    """The contact is gone; whose delete it was is for the look-ups to say."""
    gone = NotFoundError("Gone.", outcome="unknown", attempts=2, maybe_applied=True)
    steps, error = run(delete_flow(LOOK_UP, gone), [shown()] * 5)
    assert steps == [*LOOK_UP_WAITS]
    assert error is gone
