"""What is known of the live service, and how the client takes it: spellings, order, company."""

from __future__ import annotations

from typing import Any

import anyio.to_thread
import pytest

from sendblue_async import (
    APIError,
    AuthenticationError,
    BulkContact,
    Contact,
    NotFoundError,
    PermissionDeniedError,
    SendblueClient,
    SyncSendblueClient,
    ValidationError,
)
from sendblue_async.sandbox import Faults, Sandbox

from .servers import contact, hang_up, refusal, reply

pytestmark = pytest.mark.anyio

NUMBER = "+14155550123"
OTHER = "+14155550124"
EVERYTHING: dict[str, Any] = {
    "first_name": "Ada",
    "last_name": "Lovelace",
    "assigned_to_email": "agent@example.com",
    "sendblue_number": "+19876543210",
    "tags": ["vip"],
    "custom_variables": {"plan_b": "gold", "planB": "gold"},
}
SPELLINGS = pytest.mark.parametrize("spelling", ["both", "snake", "camel"])


def fields(found: Contact) -> dict[str, Any]:
    """What a contact says, but for when it was made; nothing of it may be left over."""
    assert found.extra == {}
    assert found.created_at is not None
    return {**found.to_dict(), "created_at": None}


@SPELLINGS
async def test_every_operation_reads_every_spelling(
    start_sandbox: Any, connect: Any, spelling: str
) -> None:
    """Whichever names answers have, each operation reads the same contact and leaves none over."""
    sandbox: Sandbox = await start_sandbox(spelling=spelling)
    client = connect(sandbox)
    created = await client.create_contact(NUMBER, **EVERYTHING)
    stored = {**sandbox.contacts[NUMBER], "created_at": None}
    assert stored.items() >= EVERYTHING.items()
    expected = {key: value for key, value in stored.items() if value is not None}
    expected["created_at"] = None
    assert fields(created.contact) == expected
    upserted = await client.create_contact(NUMBER, tags=["vip"], update_if_exists=True)
    assert fields(upserted.contact) == expected
    assert fields((await client.get_contact(NUMBER)).contact) == expected
    (listed,) = await client.list_contacts()
    assert fields(listed) == expected
    assert [fields(found) async for found in client.iter_contacts()] == [expected]
    updated = await client.update_contact(NUMBER, company_name="Example Corp")
    assert fields(updated.contact) == {**expected, "company_name": "Example Corp"}
    made = await client.create_contacts_bulk([BulkContact(number=OTHER, company_name="Other")])
    (other,) = made.contacts or ()
    assert fields(other).items() >= {"phone": OTHER, "company_name": "Other"}.items()
    opted = await client.opt_out_contact(NUMBER)
    assert (opted.number, opted.opted_out, opted.extra) == (NUMBER, True, {})
    assert (await client.get_contact(NUMBER)).contact.opt_out is True


@SPELLINGS
async def test_a_lost_answer_is_settled_in_every_spelling(
    start_sandbox: Any, connect: Any, timer: Any, spelling: str
) -> None:
    """A look-up knows the contact again that a lost create has stored, whatever its spelling."""
    sandbox: Sandbox = await start_sandbox(spelling=spelling, faults=Faults(drop_after_commit=1))
    timer.on_wait = lambda: setattr(sandbox, "faults", Faults())
    response = await connect(sandbox, timer=timer).create_contact(NUMBER, **EVERYTHING)
    assert response.meta.settled
    assert response.contact.extra == {}


async def test_a_company_of_the_accounts_does_not_hinder_a_look_up(
    serve: Any, connect: Any, timer: Any
) -> None:
    """The company that the account fills in was not sent, so a stored contact agrees without it."""
    stored = contact(**EVERYTHING, company_name="Account Ltd", companyName="Account Ltd")
    server = await serve(POST=[hang_up, refusal(409)], GET=stored)
    response = await connect(server, timer=timer).create_contact(NUMBER, **EVERYTHING)
    assert (response.meta.settled, response.contact.company_name) == (True, "Account Ltd")


async def test_a_double_that_differs_is_kept_in_every_answer(serve: Any, connect: Any) -> None:
    """Of two spellings that differ, snake_case is the field, and camelCase is in ``extra``."""
    torn = {"phone": NUMBER, "firstName": "Grace", "first_name": "Ada"}
    client = connect(await serve(GET=reply(200, [torn]), PUT=reply(200, {"contact": torn})))
    (listed,) = await client.list_contacts()
    updated = (await client.update_contact(NUMBER, first_name="Ada")).contact
    for found in (listed, updated):
        assert (found.first_name, found.extra) == ("Ada", {"firstName": "Grace"})


async def test_a_wrong_pair_and_missing_headers_are_two_errors(
    sandbox: Sandbox, connect: Any, serve: Any
) -> None:
    """The error says whether the keys are wrong, or did not arrive and something lies between."""
    wrong = SendblueClient("sandbox-key", "wrong", base_url=sandbox.base_url)
    async with wrong:
        with pytest.raises(AuthenticationError, match="Invalid Credentials") as caught:
            await wrong.create_contact(NUMBER)
    assert "did not arrive" not in str(caught.value)
    no_inputs = reply(403, {"message": "Did not get inputs for authorization"})
    client = connect(await serve(no_inputs))
    for call in (client.create_contact(NUMBER), client.get_contact(NUMBER), client.list_contacts()):
        with pytest.raises(PermissionDeniedError, match=r"did not arrive.*proxy.*sendblue\.com"):
            await call


CAP = {"status": "ERROR", "error_code": "429", "error_message": "Contact capacity reached"}
FATAL = {
    "a wrong pair": (refusal(401, "Invalid Credentials"), "Check the API key"),
    "no headers": (reply(403, {"message": "Did not get inputs for authorization"}), "not arrive"),
    "a cap": (reply(400, CAP), "a limit of the account's plan"),
    "a cap in the form of v3": (
        reply(400, {"error": {"code": 429}}),
        "a limit of the account's plan",
    ),
    "a cap in a 200": (reply(200, CAP), "a limit of the account's plan"),
}


@pytest.mark.parametrize("bulk", [False, True])
@pytest.mark.parametrize("name", FATAL)
async def test_what_all_rows_would_meet_stops_a_batch_at_once(
    serve: Any, connect: Any, timer: Any, name: str, bulk: bool
) -> None:
    """Neither keys nor a plan get better from row to row, so no further row is sent."""
    step, words = FATAL[name]
    server = await serve(step)
    rows = [{"number": f"+1415555{n:04}"} for n in range(500)]
    batch = connect(server, timer=timer).create_contacts(rows, concurrency=4, bulk=bulk)

    async def run() -> None:
        async for result in batch:
            assert result.outcome in ("rejected", "skipped")

    with pytest.raises(APIError, match=words) as caught:
        await run()
    assert (caught.value.outcome, caught.value.attempts) == ("rejected", 1)
    assert len(server.requests) <= 4


async def test_a_cap_is_no_rate_limit(serve: Any, connect: Any, timer: Any) -> None:
    """It is not retried, and holds nobody else back, though its code is 429."""
    server = await serve(reply(400, CAP, {"Retry-After": "30"}), contact(NUMBER))
    client = connect(server, timer=timer)
    with pytest.raises(PermissionDeniedError, match="Contact capacity reached") as caught:
        await client.create_contact(NUMBER)
    assert (caught.value.code, caught.value.retry_after) == ("429", None)
    await client.create_contact(NUMBER)
    assert (timer.waits, len(server.requests)) == ([], 2)


async def test_errors_in_the_form_of_v3_show_their_words(serve: Any, connect: Any) -> None:
    """The object ``error`` gives an error its message and its code, whatever was called."""
    wrapped = {"error": {"code": "not_found", "message": "No such contact", "details": {"a": [1]}}}
    client = connect(await serve(reply(404, wrapped)))
    for call in (
        client.request("GET", "/v3/verified-contacts/x"),
        client.get_contact(NUMBER),
        client.delete_contact(NUMBER),
    ):
        with pytest.raises(NotFoundError, match=r"No such contact \(code not_found\)") as caught:
            await call
        assert caught.value.code == "not_found"
    answer = await connect(await serve(reply(200, {"data": {"contacts": []}}))).request(
        "GET", "/v3/x"
    )
    assert answer.data == {"data": {"contacts": []}}


PEOPLE = [("+14155550103", "Ada", "Zuse"), ("+14155550101", "Grace", "Hopper"),
          ("+14155550102", "Zoe", "Abel")]  # fmt: skip


@pytest.mark.parametrize(
    ("order_by", "names"),
    [
        (None, "Ada Grace Zoe"),
        ("created_at", "Ada Grace Zoe"),
        ("first_name", "Ada Grace Zoe"),
        ("firstName", "Ada Grace Zoe"),
        ("last_name", "Zoe Grace Ada"),
        ("lastName", "Zoe Grace Ada"),
        ("phone", "Grace Zoe Ada"),
    ],
)
async def test_a_list_is_sorted_as_asked(
    sandbox: Sandbox, connect: Any, order_by: Any, names: str
) -> None:
    """Names may be spelled our way or the API's; unless told otherwise the order is descending."""
    client = connect(sandbox)
    for number, first_name, last_name in PEOPLE:
        await client.create_contact(number, first_name=first_name, last_name=last_name)
    rising = await client.list_contacts(order_by=order_by, order_direction="asc")
    falling = await client.list_contacts(order_by=order_by)
    assert [found.first_name for found in rising] == names.split()
    assert [found.first_name for found in falling] == names.split()[::-1]


async def test_another_order_is_refused_by_name(sandbox: Sandbox, connect: Any) -> None:
    """What the service cannot sort by is refused before anything is sent, with what it can."""
    with pytest.raises(
        ValidationError,
        match=r"^order_by must be one of created_at, first_name, last_name, phone, not ",
    ) as caught:
        await connect(sandbox).list_contacts(order_by="company_name")
    assert caught.value.field == "order_by"
    assert not sandbox.requests


async def test_the_blocking_client_deletes_what_may_be_missing(sandbox: Sandbox) -> None:
    """``missing_ok`` is an argument of the blocking client as well."""

    def delete() -> tuple[int, int]:
        keys = sandbox.api_key, sandbox.api_secret
        with SyncSendblueClient(*keys, base_url=sandbox.base_url) as client:
            client.create_contact(NUMBER)
            first = client.delete_contact(NUMBER, missing_ok=True)
            second = client.delete_contact(NUMBER, missing_ok=True)
        return first.meta.status_code, second.meta.status_code

    assert await anyio.to_thread.run_sync(delete) == (200, 404)
