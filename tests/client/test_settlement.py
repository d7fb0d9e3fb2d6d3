"""A plain create whose answer was lost: looked up, and then done or not done, but never guessed."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from typing import Any

import pytest

from sendblue_async import (
    APIError,
    ContactExistsError,
    OutcomeUnknownError,
    ResponseFormatError,
    RetryPolicy,
    SendblueError,
    ServerError,
)
from sendblue_async.sandbox import Faults

from .servers import (
    CUT_SHORT,
    NOT_HTTP,
    Step,
    contact,
    hang_up,
    refusal,
    reply,
    reset,
)

pytestmark = pytest.mark.anyio

NUMBER = "+14155550123"
SENT: dict[str, Any] = {
    "first_name": "Ada",
    "tags": ["vip", "new"],
    "custom_variables": {"plan": "gold"},
}
STORED = contact(**SENT, created_at="2024-01-15T10:30:00Z", opt_out=False)
EXISTS = refusal(409, "Contact already exists")
MISSING = refusal(404, "Contact not found")
LOST = {
    "closed": (hang_up, OutcomeUnknownError),
    "reset": (reset, OutcomeUnknownError),
    "cut short": (CUT_SHORT, ResponseFormatError),
    "not HTTP": (NOT_HTTP, ResponseFormatError),
    "garbage": (reply(200, b"<html>"), ResponseFormatError),
    "500": (refusal(500), ServerError),
    "503": (refusal(503), ServerError),
    "524": (reply(524, b"<html>"), ServerError),
}


@pytest.mark.parametrize(
    "dial", ["drop_after_commit", "short_body", "garbage", "not_http", "server_error_after_commit"]
)
async def test_a_dropped_answer_is_settled(
    start_sandbox: Any, connect: Any, timer: Any, dial: str
) -> None:
    """The contact was stored, the repeat is told so, and the look-up makes it a success."""
    sandbox = await start_sandbox(faults=Faults(**{dial: 1}))
    timer.on_wait = lambda: setattr(sandbox, "faults", Faults())
    response = await connect(sandbox, timer=timer).create_contact(NUMBER, **SENT)
    assert (response.meta.settled, response.meta.attempts) == (True, 2)
    assert (response.meta.status_code, response.status) == (200, "OK")
    assert response.meta.elapsed == pytest.approx(0.25)
    assert response.contact.first_name == "Ada"
    assert sandbox.counts["created"] == 1
    assert [request.method for request in sandbox.requests] == ["POST", "POST", "GET"]


@pytest.mark.parametrize("name", LOST)
async def test_a_409_after_any_lost_answer_is_looked_up(
    serve: Any, connect: Any, timer: Any, name: str
) -> None:
    """Whatever left the outcome open, a stored contact that agrees makes the call succeed."""
    step, _ = LOST[name]
    server = await serve(POST=[step, refusal(429), EXISTS], GET=STORED)
    response = await connect(server, timer=timer).create_contact(NUMBER, **SENT)
    assert (response.meta.settled, response.meta.attempts) == (True, 3)
    assert (server.count("POST"), server.count("GET")) == (3, 1)
    assert server.requests[-1].target == "/api/v2/contacts/%2B14155550123"


@pytest.mark.parametrize("name", LOST)
async def test_when_attempts_run_out_the_contact_is_looked_up(
    serve: Any, connect: Any, timer: Any, name: str
) -> None:
    """The last word is the look-up's: found as sent, the call succeeded."""
    server = await serve(POST=LOST[name][0], GET=STORED)
    response = await connect(server, timer=timer).create_contact(NUMBER, **SENT)
    assert (response.meta.settled, response.meta.attempts) == (True, 4)
    assert (server.count("POST"), server.count("GET")) == (4, 1)


@pytest.mark.parametrize("name", LOST)
async def test_a_look_up_that_finds_nothing_leaves_the_outcome_unknown(
    serve: Any, connect: Any, timer: Any, name: str
) -> None:
    """The request may still be on its way, so the caller gets the error of the last attempt."""
    step, kind = LOST[name]
    server = await serve(POST=step, GET=MISSING)
    with pytest.raises(kind) as caught:
        await connect(server, timer=timer).create_contact(NUMBER)
    error = caught.value
    assert (error.outcome, error.maybe_ours, error.attempts) == ("unknown", True, 4)
    assert (error.method, server.count("POST"), server.count("GET")) == ("POST", 4, 1)


@pytest.mark.parametrize(
    "look_up", [refusal(401), refusal(429), hang_up, reply(200, b"?"), refusal(500)]
)
async def test_a_look_up_that_fails_leaves_the_outcome_unknown(
    serve: Any, connect: Any, timer: Any, look_up: Step
) -> None:
    """Its own failure never hides that of the create."""
    server = await serve(POST=hang_up, GET=look_up)
    with pytest.raises(OutcomeUnknownError) as caught:
        await connect(server, timer=timer).create_contact(NUMBER)
    assert (caught.value.method, caught.value.outcome) == ("POST", "unknown")


async def test_a_rejection_after_a_lost_answer_is_still_unknown(
    serve: Any, connect: Any, timer: Any
) -> None:
    """A later attempt that was refused says nothing about the earlier one."""
    server = await serve(POST=[hang_up, refusal(400, "Invalid")], GET=MISSING)
    with pytest.raises(APIError, match="Invalid") as caught:
        await connect(server, timer=timer).create_contact(NUMBER)
    assert (caught.value.status, caught.value.outcome) == (400, "unknown")
    assert caught.value.maybe_ours
    server = await serve(POST=[hang_up, refusal(400, "Invalid")], GET=contact())
    assert (await connect(server, timer=timer).create_contact(NUMBER)).meta.settled


OTHERS = {
    "another name": {**SENT, "first_name": "Eve"},
    "no name": {**SENT, "first_name": None},
    "fewer tags": {**SENT, "tags": ["vip"]},
    "more tags": {**SENT, "tags": ["vip", "new", "old"]},
    "no tags": {name: value for name, value in SENT.items() if name != "tags"},
    "another variable": {**SENT, "custom_variables": {"plan": "free"}},
    "nothing of what was sent": {},
}


@pytest.mark.parametrize("name", OTHERS)
@pytest.mark.parametrize("last", [EXISTS, hang_up])
async def test_a_contact_that_disagrees_is_not_taken_for_ours(
    serve: Any, connect: Any, timer: Any, name: str, last: Step
) -> None:
    """The number is taken, perhaps by an earlier attempt, and the error says just that."""
    server = await serve(POST=[hang_up, last], GET=contact(**{"phone": NUMBER, **OTHERS[name]}))
    kind = ContactExistsError if last is EXISTS else OutcomeUnknownError
    with pytest.raises(kind) as caught:
        await connect(server, timer=timer).create_contact(NUMBER, **SENT)
    assert caught.value.maybe_ours
    assert caught.value.attempts == (2 if last is EXISTS else 4)
    assert server.count("GET") == 1


@pytest.mark.parametrize(
    "answer", [{"status": "OK"}, {"contact": None, "status": "OK"}, {"contact": {}, "status": "OK"}]
)
async def test_an_answer_without_a_contact_settles_nothing(
    serve: Any, connect: Any, timer: Any, answer: Any
) -> None:
    """A look-up that shows no contact is no proof that there is one."""
    server = await serve(POST=hang_up, GET=reply(200, answer))
    with pytest.raises(OutcomeUnknownError):
        await connect(server, timer=timer).create_contact(NUMBER)


@pytest.mark.parametrize(
    "stored",
    [
        {**SENT, "tags": ["new", "vip"]},
        {**SENT, "last_name": "Lovelace", "brand_new": 1},
        {**SENT, "custom_variables": {"plan": "gold", "more": "1"}},
        {"firstName": "Ada", "tags": SENT["tags"], "customVariables": {"plan": "gold"}},
    ],
)
async def test_order_and_further_fields_do_not_matter(
    serve: Any, connect: Any, timer: Any, stored: Any
) -> None:
    """A stored contact agrees if it has all that was sent, in any spelling."""
    server = await serve(POST=[hang_up, EXISTS], GET=contact(**stored))
    response = await connect(server, timer=timer).create_contact(
        NUMBER, last_name="Lovelace" if "last_name" in stored else None, **SENT
    )
    assert response.meta.settled


@pytest.mark.parametrize("before", [[], [refusal(429)], [refusal(521)], [refusal(429)] * 2])
async def test_a_409_with_no_doubt_before_it_is_final(
    serve: Any, connect: Any, timer: Any, before: list[Step]
) -> None:
    """If no earlier attempt can have been applied, the contact is somebody else's: no look-up."""
    server = await serve(POST=[*before, EXISTS], GET=STORED)
    with pytest.raises(ContactExistsError, match="update_if_exists=True") as caught:
        await connect(server, timer=timer).create_contact(NUMBER, **SENT)
    assert (caught.value.outcome, caught.value.maybe_ours) == ("rejected", False)
    assert len(server.requests) == len(before) + 1


async def test_a_duplicate_costs_exactly_one_request(sandbox: Any, connect: Any) -> None:
    """Creating a number twice is refused by the sandbox after one request, and changes nothing."""
    client = connect(sandbox)
    await client.create_contact(NUMBER, first_name="Ada")
    with pytest.raises(ContactExistsError):
        await client.create_contact(NUMBER, first_name="Eve")
    assert sandbox.counts == {"requests": 2, "created": 1}
    assert sandbox.contacts[NUMBER]["first_name"] == "Ada"


@pytest.mark.parametrize("name", LOST)
async def test_without_settling_a_lost_answer_raises_at_once(
    serve: Any, connect: Any, timer: Any, name: str
) -> None:
    """With ``settle=False`` there is no second POST and no look-up."""
    step, kind = LOST[name]
    server = await serve(POST=step, GET=STORED)
    client = connect(server, timer=timer, retry=RetryPolicy(settle=False))
    with pytest.raises(kind) as caught:
        await client.create_contact(NUMBER)
    assert (caught.value.outcome, caught.value.attempts) == ("unknown", 1)
    assert (len(server.requests), timer.waits) == (1, [])


async def test_without_settling_what_was_not_done_is_still_retried(
    serve: Any, connect: Any, timer: Any
) -> None:
    """``settle=False`` is about unknown outcomes alone, and about plain creates alone."""
    server = await serve(refusal(429), refusal(521), contact(), hang_up, refusal(500), contact())
    client = connect(server, timer=timer, retry=RetryPolicy(settle=False))
    assert (await client.create_contact(NUMBER)).meta.attempts == 3
    assert (await client.create_contact(NUMBER, update_if_exists=True)).meta.attempts == 3


@pytest.mark.parametrize("name", LOST)
async def test_upserts_are_never_looked_up(serve: Any, connect: Any, timer: Any, name: str) -> None:
    """They are repeated, and what the last repeat says holds."""
    step, kind = LOST[name]
    server = await serve(POST=[step, step, STORED, step], GET=STORED)
    client = connect(server, timer=timer)
    response = await client.create_contact(NUMBER, update_if_exists=True, **SENT)
    assert (response.meta.settled, response.meta.attempts) == (False, 3)
    with pytest.raises(kind) as caught:
        await client.create_contact(NUMBER, update_if_exists=True)
    assert (caught.value.outcome, caught.value.attempts) == ("unknown", 4)
    assert (server.count("POST"), server.count("GET")) == (7, 0)


MIXED = Faults(
    jitter=0.002,
    too_many_requests=0.05,
    reset=0.04,
    server_error=0.04,
    redirect=0.02,
    refusal_in_200=0.02,
    server_error_after_commit=0.06,
    drop_after_commit=0.06,
    short_body=0.04,
    garbage=0.04,
    not_http=0.04,
)


@pytest.mark.parametrize("settle", [True, False])
async def test_nothing_is_lost_or_doubled_under_mixed_faults(
    start_sandbox: Any, connect: Any, settle: bool
) -> None:
    """What is stored is what the client said is stored, and some of what it said may be."""
    sandbox = await start_sandbox(seed=7, faults=MIXED)
    policy = RetryPolicy(base=0.002, cap=0.01, rate_limit_base=0.002, settle=settle)
    client = connect(sandbox, retry=policy, max_connections=10)
    told: dict[str, dict[str, Any]] = defaultdict(dict)

    async def create(place: int) -> None:
        number = f"+1415555{place:04}"
        try:
            response = await client.create_contact(number, first_name=f"Ada {place}")
        except SendblueError as error:
            told[error.outcome][number] = error
        else:
            assert response.contact.phone == number
            told["settled" if response.meta.settled else "ok"][number] = response

    await asyncio.gather(*(create(place) for place in range(300)))
    stored = set(sandbox.contacts)
    done = set(told["ok"]) | set(told["settled"])
    assert done <= stored <= done | set(told["unknown"])
    assert not told["not_sent"]
    assert len(done) + len(told["unknown"]) + len(told["rejected"]) == 300
    assert sandbox.counts["created"] == len(stored)
    assert sandbox.counts["updated"] == 0
    assert bool(told["settled"]) is settle
    # Were any of these empty, the comparison above would say little.
    assert told["rejected"]
    assert told["unknown"] or settle
    assert len(done) > (250 if settle else 150)
    assert all(sandbox.counts[dial] for dial in ("reset", "short_body", "garbage", "not_http"))
