"""A create whose answer was lost: looked up, and then done or not done, but never guessed."""

from __future__ import annotations

import asyncio
import time
from collections import defaultdict
from datetime import datetime, timezone
from email.utils import formatdate
from typing import Any

import pytest

from sendblue_async import (
    APIError,
    ContactExistsError,
    NotFoundError,
    OutcomeUnknownError,
    ResponseFormatError,
    RetryPolicy,
    SendblueError,
    ServerError,
    Timeouts,
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
STORED = contact(**SENT, opt_out=False)
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
    assert (error.outcome, error.maybe_applied, error.attempts) == ("unknown", True, 5)
    assert (error.method, server.count("POST"), server.count("GET")) == ("POST", 5, 5)
    assert "looked up 5 times, which settles nothing, as reads may lag" in str(error)


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
    assert "could not be looked up" in str(caught.value)


async def test_a_rejection_after_a_lost_answer_is_still_unknown(
    serve: Any, connect: Any, timer: Any
) -> None:
    """A later attempt that was refused says nothing about the earlier one."""
    server = await serve(POST=[hang_up, refusal(400, "Invalid")], GET=MISSING)
    with pytest.raises(APIError, match="Invalid") as caught:
        await connect(server, timer=timer).create_contact(NUMBER)
    assert (caught.value.status, caught.value.outcome) == (400, "unknown")
    assert caught.value.maybe_applied
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
    assert caught.value.maybe_applied
    assert caught.value.attempts == (2 if last is EXISTS else 5)
    assert "reads may lag" in str(caught.value)
    assert server.count("GET") == 5


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
    assert (caught.value.outcome, caught.value.maybe_applied) == ("rejected", False)
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


async def test_a_look_up_that_finds_nothing_is_made_again_after_a_wait(
    serve: Any, connect: Any, timer: Any
) -> None:
    """Reads may lag behind writes, so the contact can turn up later."""
    server = await serve(POST=[hang_up, EXISTS], GET=[MISSING, MISSING, refusal(400), STORED])
    response = await connect(server, timer=timer).create_contact(NUMBER, **SENT)
    assert (response.meta.settled, response.meta.attempts) == (True, 2)
    assert timer.waits == [0.25, 0.5, 1, 2]
    assert response.meta.elapsed == pytest.approx(3.75)


async def test_a_contact_that_is_not_found_is_created_once_more(
    serve: Any, connect: Any, timer: Any
) -> None:
    """After the attempts of the policy there is one more, which tells for sure."""
    server = await serve(POST=[*[refusal(500)] * 4, STORED], GET=MISSING)
    response = await connect(server, timer=timer).create_contact(NUMBER, **SENT)
    assert (response.meta.settled, response.meta.attempts) == (False, 5)
    assert (server.count("POST"), server.count("GET")) == (5, 1)


async def test_a_look_up_that_was_repeated_finds_nothing_all_the_same(
    serve: Any, connect: Any, timer: Any
) -> None:
    """That an attempt of its own was lost takes nothing from its 404."""
    looks = [hang_up, MISSING]
    server = await serve(POST=[*[hang_up] * 4, STORED], GET=looks[:])
    assert (await connect(server, timer=timer).create_contact(NUMBER, **SENT)).meta.attempts == 5
    server = await serve(DELETE=[hang_up, MISSING], GET=looks * 4)
    assert (await connect(server, timer=timer).delete_contact(NUMBER)).meta.settled


async def test_a_409_of_that_one_is_looked_up_again(serve: Any, connect: Any, timer: Any) -> None:
    """Then the contact is there, and the reads will show it."""
    server = await serve(POST=[*[reset] * 4, EXISTS], GET=[MISSING, MISSING, STORED])
    response = await connect(server, timer=timer).create_contact(NUMBER, **SENT)
    assert (response.meta.settled, response.meta.attempts) == (True, 5)
    assert (server.count("POST"), server.count("GET")) == (5, 3)
    assert timer.waits == [0.25, 0.5, 1, 0.5, 1]


@pytest.mark.parametrize("total", [0.2, 0.6, 1, 2, 4, 60])
@pytest.mark.parametrize("upsert", [False, True])
async def test_looking_up_ends_with_the_deadline(
    serve: Any, connect: Any, timer: Any, total: float, upsert: bool
) -> None:
    """No wait passes it, and the last look-up comes as late as it allows."""
    timer.drawn = 0.0
    server = await serve(POST=hang_up, GET=MISSING)
    client = connect(server, timer=timer, timeouts=Timeouts(total=total))
    began = timer.now
    with pytest.raises(OutcomeUnknownError, match="reads may lag") as caught:
        await client.create_contact(NUMBER, update_if_exists=upsert)
    assert caught.value.attempts == 5
    waited = [wait for wait in timer.waits if wait]
    assert waited == {0.2: [], 0.6: [0.5], 1: [0.5], 2: [0.5, 1], 4: [0.5, 1, 2]}.get(
        total, [0.5, 1, 2, 4]
    )
    assert timer.now - began < total


def clocked(timer: Any) -> Any:
    """The clock of a sandbox by which its reads lag: that of the client."""
    return lambda: 1_700_000_000 + timer.now


WRITES = {
    "create": lambda client: client.create_contact(NUMBER, **SENT),
    "upsert": lambda client: client.create_contact(NUMBER, update_if_exists=True, **SENT),
    "update": lambda client: client.update_contact(NUMBER, **SENT),
    "opt out": lambda client: client.opt_out_contact(NUMBER),
    "opt in": lambda client: client.opt_out_contact(NUMBER, False),
    "delete": lambda client: client.delete_contact(NUMBER),
}


@pytest.mark.parametrize("lag", [0, 0.1, 2, 5])
@pytest.mark.parametrize("write", WRITES)
async def test_a_write_is_settled_however_far_reads_lag(
    start_sandbox: Any, connect: Any, timer: Any, write: str, lag: float
) -> None:
    """It was carried out, all its answers are lost, and the look-ups find that out in the end."""
    sandbox = await start_sandbox(clock=clocked(timer), faults=Faults(read_lag=lag))
    client = connect(sandbox, timer=timer)
    if write != "create":
        await client.create_contact(NUMBER, first_name="Eve", custom_variables={"a": "b"})
        if write == "opt in":
            await client.opt_out_contact(NUMBER)
        timer.now += 60
    sandbox.faults = Faults(read_lag=lag, server_error_after_commit=1)
    answered = sandbox.counts["requests"]

    def heal() -> None:
        if sandbox.counts["requests"] > answered + 4:
            sandbox.faults = Faults(read_lag=lag)

    # When the four attempts are over, and the first look-up has met the same fault.
    timer.on_wait = heal
    response = await WRITES[write](client)
    assert response.meta.settled is (sandbox.requests[-1].method == "GET")
    assert response.meta.settled or write not in ("create", "delete")
    if write == "delete":
        assert NUMBER not in sandbox.contacts
    else:
        stored = sandbox.contacts[NUMBER]
        assert stored["opt_out"] is (write == "opt out")
        assert (stored["first_name"] == "Ada") is ("opt" not in write)


PUT = contact(first_name="Ada", tags=["vip"], custom_variables={"plan": "gold", "old": "1"})
BEFORE = contact(first_name="Eve", tags=["vip", "old"], custom_variables={"old": "1"})
CHANGES: dict[str, Any] = {
    "first_name": "Ada",
    "tags": ["vip"],
    "custom_variables": {"plan": "gold"},
}
UPDATES = {
    "POST": lambda client: client.create_contact(NUMBER, update_if_exists=True, **CHANGES),
    "PUT": lambda client: client.update_contact(NUMBER, **CHANGES),
}
each_update = pytest.mark.parametrize("method", UPDATES)


@each_update
@pytest.mark.parametrize("name", LOST)
async def test_an_update_that_is_stored_as_sent_has_succeeded(
    serve: Any, connect: Any, timer: Any, method: str, name: str
) -> None:
    """Fields as sent, tags replaced, variables merged: it was done, whoever did it."""
    server = await serve(**{method: LOST[name][0], "GET": PUT})
    response = await UPDATES[method](connect(server, timer=timer))
    assert (response.meta.settled, response.meta.attempts) == (True, 4)
    assert response.contact.custom_variables == {"plan": "gold", "old": "1"}
    assert server.count(method) == 4


@each_update
@pytest.mark.parametrize(
    "stored",
    [
        BEFORE,
        MISSING,
        contact(first_name="Ada", tags=["vip", "old"], custom_variables={"plan": "gold"}),
        contact(first_name="Ada", tags=["vip"], custom_variables={"plan": "free"}),
    ],
)
async def test_an_update_that_is_not_stored_as_sent_is_unknown(
    serve: Any, connect: Any, timer: Any, method: str, stored: Step
) -> None:
    """It may be on its way, or the reads may lag; the error says so."""
    server = await serve(**{method: hang_up, "GET": stored})
    with pytest.raises(OutcomeUnknownError) as caught:
        await UPDATES[method](connect(server, timer=timer))
    assert (caught.value.outcome, caught.value.attempts) == ("unknown", 5)
    assert (server.count(method), server.count("GET") >= 5) == (5, True)


@each_update
async def test_the_values_from_before_prove_nothing(
    serve: Any, connect: Any, timer: Any, method: str
) -> None:
    """They are looked at again, after one more attempt."""
    server = await serve(**{method: hang_up, "GET": [BEFORE, BEFORE, PUT]})
    response = await UPDATES[method](connect(server, timer=timer))
    assert (response.meta.settled, response.meta.attempts) == (True, 5)
    server = await serve(**{method: [*[hang_up] * 4, PUT], "GET": BEFORE})
    response = await UPDATES[method](connect(server, timer=timer))
    assert (response.meta.settled, response.meta.attempts) == (False, 5)


@each_update
async def test_values_that_agreed_before_prove_nothing_either(
    serve: Any, connect: Any, timer: Any, method: str
) -> None:
    """What agrees just after the call began may be from before another's change."""
    timer.drawn = 0.0
    server = await serve(**{method: hang_up, "GET": [PUT, PUT, PUT, BEFORE]})
    with pytest.raises(OutcomeUnknownError):
        await UPDATES[method](connect(server, timer=timer))
    assert server.count("GET") == 5


@each_update
async def test_without_settling_nothing_is_looked_up(
    serve: Any, connect: Any, timer: Any, method: str
) -> None:
    """``settle=False`` leaves the repeats, as they do no harm, and turns the look-up off."""
    server = await serve(**{method: hang_up, "GET": PUT})
    client = connect(server, timer=timer, retry=RetryPolicy(settle=False))
    with pytest.raises(OutcomeUnknownError) as caught:
        await UPDATES[method](client)
    assert (caught.value.attempts, server.count("GET")) == (4, 0)


async def test_an_opt_out_is_settled_by_what_the_contact_says(
    serve: Any, connect: Any, timer: Any
) -> None:
    """A contact that does not say whether it has opted out settles nothing."""
    server = await serve(POST=hang_up, GET=contact(opt_out=True))
    answer = await connect(server, timer=timer).opt_out_contact(NUMBER)
    assert (answer.number, answer.opted_out, answer.status) == (NUMBER, True, "OK")
    assert (answer.meta.settled, answer.meta.attempts) == (True, 4)
    server = await serve(POST=hang_up, GET=contact())
    for opted_out in (True, False):
        with pytest.raises(OutcomeUnknownError):
            await connect(server, timer=timer).opt_out_contact(NUMBER, opted_out)


DELETED = [hang_up, MISSING]


async def test_a_delete_that_finds_nothing_is_confirmed_after_a_wait(
    serve: Any, connect: Any, timer: Any
) -> None:
    """A contact made just before may not be seen yet, so that it is gone is believed later."""
    server = await serve(DELETE=DELETED, GET=MISSING)
    answer = await connect(server, timer=timer).delete_contact(NUMBER)
    assert (answer.meta.settled, answer.meta.attempts, answer.meta.status_code) == (True, 2, 404)
    assert timer.waits == [0.25, 0.5, 1, 2]
    assert (server.count("DELETE"), server.count("GET")) == (2, 4)


async def test_a_delete_whose_contact_turns_up_again_is_unknown(
    serve: Any, connect: Any, timer: Any
) -> None:
    """The 404 was wrong then, or somebody has created it anew: the caller is to look."""
    server = await serve(DELETE=DELETED, GET=[MISSING, MISSING, contact()])
    with pytest.raises(NotFoundError, match="reads may lag") as caught:
        await connect(server, timer=timer).delete_contact(NUMBER)
    assert (caught.value.outcome, caught.value.maybe_applied) == ("unknown", True)


async def test_a_delete_is_settled_when_reads_have_caught_up(
    serve: Any, connect: Any, timer: Any
) -> None:
    """For a while the contact is still seen; that it is no longer is the proof."""
    server = await serve(DELETE=DELETED, GET=[contact(), contact(), contact(), MISSING])
    assert (await connect(server, timer=timer).delete_contact(NUMBER)).meta.settled
    assert server.count("DELETE") == 2


@pytest.mark.parametrize("name", LOST)
async def test_a_delete_without_an_answer_is_settled(
    serve: Any, connect: Any, timer: Any, name: str
) -> None:
    """When the attempts run out and the contact is gone, it was deleted."""
    server = await serve(DELETE=LOST[name][0], GET=MISSING)
    answer = await connect(server, timer=timer).delete_contact(NUMBER)
    assert (answer.meta.settled, answer.meta.attempts) == (True, 4)


async def test_a_contact_that_is_still_there_is_deleted_once_more(
    serve: Any, connect: Any, timer: Any
) -> None:
    """One more attempt, beyond those of the policy."""
    server = await serve(DELETE=[*[hang_up] * 4, reply(200, {"status": "OK"})], GET=contact())
    answer = await connect(server, timer=timer).delete_contact(NUMBER)
    assert (answer.meta.settled, answer.meta.attempts) == (False, 5)
    server = await serve(DELETE=hang_up, GET=contact())
    with pytest.raises(OutcomeUnknownError):
        await connect(server, timer=timer).delete_contact(NUMBER)


@pytest.mark.parametrize(
    "look_up",
    [
        reply(404, b"<html>"),
        reply(404, {"message": "no Route matched with those values"}),
        refusal(500),
        hang_up,
        refusal(410),
    ],
)
async def test_only_the_apis_own_404_confirms_a_delete(
    serve: Any, connect: Any, timer: Any, look_up: Step
) -> None:
    """What a proxy or gateway says of the path says nothing about the contact."""
    server = await serve(DELETE=DELETED, GET=look_up)
    with pytest.raises(NotFoundError, match="could not be looked up") as caught:
        await connect(server, timer=timer).delete_contact(NUMBER)
    assert caught.value.outcome == "unknown"


async def test_a_delete_that_must_not_be_looked_up_is_unknown(
    serve: Any, connect: Any, timer: Any
) -> None:
    """Without settling, and without time for a second look, nobody knows what the 404 means."""
    server = await serve(DELETE=DELETED, GET=MISSING)
    client = connect(server, timer=timer, retry=RetryPolicy(settle=False))
    with pytest.raises(NotFoundError) as caught:
        await client.delete_contact(NUMBER)
    assert (caught.value.outcome, server.count("GET")) == ("unknown", 0)
    server = await serve(DELETE=DELETED, GET=MISSING)
    client = connect(server, timer=timer, timeouts=Timeouts(total=0.4))
    with pytest.raises(NotFoundError) as caught:
        await client.delete_contact(NUMBER)
    assert (caught.value.outcome, server.count("GET")) == ("unknown", 1)


SERVER_TIME = 1_700_000_000


def stored_at(created: float | str, *, server_time: float | None = SERVER_TIME) -> Step:
    """A contact as sent, created so many seconds before the server's time, or at a given one."""
    if not isinstance(created, str):
        moment = datetime.fromtimestamp((server_time or time.time()) - created, timezone.utc)
        created = moment.isoformat()
    headers = {} if server_time is None else {"Date": formatdate(server_time, usegmt=True)}
    fields = {"phone": NUMBER, **SENT, "created_at": created}
    return reply(200, {"contact": fields, "status": "OK"}, headers)


@pytest.mark.parametrize("last", [EXISTS, hang_up, refusal(500)])
@pytest.mark.parametrize(
    "old",
    [
        stored_at("2019-05-01T12:00:00Z"),
        stored_at("2019-05-01T00:00:00.000Z"),
        stored_at("2023-11-13T00:00:00.000Z"),
        stored_at(3600),
        stored_at("2019-05-01T12:00:00Z", server_time=None),
        stored_at(3 * 86_400, server_time=None),
        contact(created_at="2019-05-01T12:00:00Z", first_name="Eve"),
    ],
)
async def test_a_contact_from_before_the_call_is_not_ours(
    serve: Any, connect: Any, timer: Any, old: Step, last: Step
) -> None:
    """It existed, so the create cannot have been done, however well it agrees."""
    server = await serve(POST=[hang_up, last], GET=old)
    with pytest.raises(ContactExistsError, match="existed before") as caught:
        await connect(server, timer=timer).create_contact(NUMBER, **SENT)
    error = caught.value
    assert (error.outcome, error.maybe_applied, error.retryable) == ("rejected", False, False)
    assert error.attempts == (2 if last is EXISTS else 4)


@pytest.mark.parametrize(
    "new",
    [
        stored_at(0),
        stored_at(200),
        stored_at(-86_400),
        stored_at("2023-11-14T00:00:00.000Z"),
        stored_at("2023-11-15T00:00:00Z"),
        stored_at(3600, server_time=None),
        stored_at(0, server_time=4_000_000_000),
        stored_at("soon"),
    ],
)
async def test_a_contact_that_may_be_of_this_call_is_ours(
    serve: Any, connect: Any, timer: Any, new: Step
) -> None:
    """Clocks differ by minutes, ours by more, and midnight stands for any time of that day."""
    server = await serve(POST=[hang_up, EXISTS], GET=new)
    assert (await connect(server, timer=timer).create_contact(NUMBER, **SENT)).meta.settled
    assert server.count("GET") == 1


async def test_a_long_call_may_have_created_what_is_as_old_as_it(
    serve: Any, connect: Any, timer: Any
) -> None:
    """Age is counted from the beginning of the call, not from the look-up."""
    server = await serve(POST=[hang_up, refusal(503, Retry_After="3000"), EXISTS])
    server.steps["GET"] = [stored_at(3100)]
    client = connect(server, timer=timer, timeouts=Timeouts(total=4000))
    assert (await client.create_contact(NUMBER, **SENT)).meta.settled


async def test_an_old_contact_may_have_been_deleted_meanwhile(
    serve: Any, connect: Any, timer: Any
) -> None:
    """Reads may still show what was there before a delete; the new one comes later."""
    server = await serve(POST=[hang_up, EXISTS], GET=[stored_at(9999), stored_at(9999), STORED])
    assert (await connect(server, timer=timer).create_contact(NUMBER, **SENT)).meta.settled


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
