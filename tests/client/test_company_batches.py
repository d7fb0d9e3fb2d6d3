"""Companies in batches: bulk requests carry them, or an update that follows the create."""

from __future__ import annotations

import sqlite3
import time
from collections import Counter
from collections.abc import Callable
from typing import Any, NamedTuple

import pandas
import pytest
from attrs import evolve

from sendblue_async import (
    CLEAR,
    AuthenticationError,
    BatchContact,
    BulkContact,
    ContactCreate,
    RetryPolicy,
    SendblueError,
    ServerError,
    ValidationError,
)
from sendblue_async.sandbox import Sandbox

from .servers import FAULTS, Step, contact, echo, refusal, reply, reset

pytestmark = pytest.mark.anyio

QUICK = RetryPolicy(base=0, cap=0, rate_limit_base=0)
NUMBER = "+14155550123"
ROW = {"number": NUMBER, "first_name": "Ada", "company_name": "Navy"}
# What an entry of a bulk request has no field for.
WHOLE = {**ROW, "assigned_to_email": "a@example.com"}
BULK, ONE = "/api/v2/contacts/bulk", f"/api/v2/contacts/{NUMBER.replace('+', '%2B')}"
IN_ONE, IN_TWO = [f"POST {BULK}"], ["POST /api/v2/contacts", f"PUT {ONE}"]
NOTHING_CREATED = reply(200, {"contacts": [], "status": "OK"})


def number(n: int) -> str:
    """One of many numbers."""
    return f"+1415{n:07}"


def stored(**fields: Any) -> Step:
    """The answer that shows the contact as it was created a moment ago."""
    now = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    return contact(NUMBER, created_at=now, first_name="Ada", **fields)


def listed(**fields: Any) -> Step:
    """The answer to a bulk create of the contact."""
    return reply(200, {"contacts": [{"phone": NUMBER, **fields}], "status": "OK"})


async def results(client: Any, *source: Any, **options: Any) -> list[Any]:
    """All results of a batch, at a rate that holds nobody back."""
    options = {"rate_limit": 1e6, **options}
    return [result async for result in client.create_contacts(source, **options)]


async def interrupted(
    client: Any, *source: Any, **options: Any
) -> tuple[list[Any], SendblueError | None]:
    """The results of a batch that an error ends, and that error."""
    found: list[Any] = []
    options = {"rate_limit": 1e6, **options}
    try:
        async for each in client.create_contacts(source, **options):
            found += [each]
    except SendblueError as error:
        return found, error
    return found, None


async def result(client: Any, row: Any, **options: Any) -> Any:
    """What becomes of a batch of one contact."""
    [found] = await results(client, row, **options)
    return found


def outcomes(found: list[Any]) -> dict[str, int]:
    """How many results there are with each outcome."""
    return dict(Counter(result.outcome for result in found))


def sent(server: Any) -> list[str]:
    """The requests, each as its method and its path."""
    return [
        f"{request.method} {getattr(request, 'path', '') or request.target}"
        for request in server.requests
    ]


@pytest.mark.parametrize(
    ("row", "options", "requests"),
    [
        (ROW, {}, IN_ONE),
        ({**ROW, "update_if_exists": False}, {}, IN_ONE),
        (ROW, {"bulk": True}, IN_ONE),
        (WHOLE, {}, IN_TWO),
        (WHOLE, {"bulk": True}, IN_TWO),
        ({**ROW, "sendblue_number": "+15125550100"}, {}, IN_TWO),
        (ROW, {"update_if_exists": True}, IN_TWO),
        (
            {**ROW, "update_if_exists": True},
            {"bulk": True},
            ["POST /api/v2/contacts", f"PUT {ONE}"],
        ),
        ({"number": NUMBER, "company_name": None}, {}, ["POST /api/v2/contacts"]),
        (ContactCreate(number=NUMBER), {}, ["POST /api/v2/contacts"]),
    ],
)
async def test_a_company_takes_the_fewest_requests(
    serve: Any, connect: Any, row: Any, options: Any, requests: list[str]
) -> None:
    """A bulk request of its own carries all of a new contact, or an update the company alone."""
    server = await serve(
        POST=[echo()] if len(requests) > 1 or BULK not in requests[0] else listed(),
        PUT=stored(company_name="Navy"),
    )
    found = await result(connect(server), row, **options)
    assert found.error is None
    assert sent(server) == requests
    if len(requests) > 1:
        created, updated = (request.json for request in server.requests)
        assert "company_name" not in created
        assert created["first_name"] == "Ada"
        assert updated == {"company_name": "Navy"}


class Person(NamedTuple):
    """A row."""

    number: str
    company_name: str


def select(_: Any = None) -> Any:
    """A cursor of one row."""
    database = sqlite3.connect(":memory:")
    database.execute("CREATE TABLE people (number, company_name)")
    database.execute("INSERT INTO people VALUES (?, 'Navy')", (NUMBER,))
    return database.execute("SELECT number, company_name FROM people")


SOURCES: dict[str, Callable[[], Any]] = {
    "mapping": lambda: [{"number": NUMBER, "company_name": "Navy"}],
    "deprecated": lambda: [{"number": NUMBER, "firstName": "Ada", "company_name": "Navy"}],
    "batch contact": lambda: [BatchContact(number=NUMBER, company_name="Navy")],
    "bulk contact": lambda: [BulkContact(number=NUMBER, company_name="Navy")],
    "named tuple": lambda: [Person(NUMBER, "Navy")],
    "cursor": select,
    "DataFrame": lambda: pandas.DataFrame({"number": [NUMBER], "company_name": ["Navy"]}),
}


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.parametrize("update", [False, True])
@pytest.mark.parametrize("source", SOURCES)
async def test_every_kind_of_row_has_one(
    sandbox: Sandbox, connect: Any, source: str, update: bool
) -> None:
    """By the name of the field."""
    given = SOURCES[source]()
    rows = connect(sandbox).create_contacts(given, rate_limit=1e6, update_if_exists=update)
    [found] = [result async for result in rows]
    if source == "cursor":
        given.connection.close()
    assert found.outcome == ("stored" if update else "created")
    assert found.contact.company_name == "Navy"
    assert found.response.contact.company_name == "Navy"
    assert sandbox.contacts[NUMBER]["company_name"] == "Navy"


async def test_rows_without_names_and_blank_cells(sandbox: Sandbox, connect: Any) -> None:
    """A blank company of a table is none; one that is cleared is sent as such."""
    client = connect(sandbox)
    await results(client, {**ROW, "number": number(2)})
    columns = ["number", "company_name"]
    rows = [(number(0), " "), (number(1), "Navy")]
    found = [each async for each in client.create_contacts(rows, columns=columns, rate_limit=1e6)]
    assert outcomes(found) == {"created": 2}
    await results(client, {"number": number(2), "company_name": CLEAR, "update_if_exists": True})
    companies = {key: there["company_name"] for key, there in sandbox.contacts.items()}
    assert companies == {number(0): None, number(1): "Navy", number(2): None}


@pytest.mark.parametrize("row", [ROW, WHOLE])
@pytest.mark.parametrize("bulk", [False, True])
async def test_an_existing_contact_is_left_alone(
    sandbox: Sandbox, connect: Any, row: Any, bulk: bool
) -> None:
    """Without update_if_exists nothing of it changes, and no update is sent."""
    client = connect(sandbox)
    await results(client, {**WHOLE, "company_name": "Old"})
    before = dict(sandbox.contacts[NUMBER])
    found = await result(client, row, bulk=bulk)
    assert (found.outcome, found.error.outcome) == ("existing", "rejected")
    assert "update_if_exists=True" in str(found.error)
    assert sandbox.contacts[NUMBER] == before
    assert [line for line in sent(sandbox) if "PUT" in line] == ["PUT " + sandbox.requests[1].path]
    updated = await result(client, {**row, "update_if_exists": True}, bulk=bulk)
    assert updated.outcome == "stored"
    assert sandbox.contacts[NUMBER]["company_name"] == "Navy"


@pytest.mark.parametrize("lost", [reset, refusal(500), reply(200, {"status": "OK"}), reply(200)])
@pytest.mark.parametrize("bulk", [False, True])
@pytest.mark.parametrize(
    ("there", "outcome"), [("Navy", "created"), ("Army", "existing"), (None, "existing")]
)
async def test_a_lost_answer_is_settled_by_the_company_too(
    serve: Any, connect: Any, timer: Any, lost: Step, bulk: bool, there: Any, outcome: str
) -> None:
    """Another program's contact has another company, and is not updated."""
    server = await serve(POST=[lost, NOTHING_CREATED], GET=stored(company_name=there))
    found = await result(connect(server, timer=timer), ROW, bulk=bulk)
    assert found.outcome == outcome
    assert server.count("PUT") == 0


async def test_a_default_of_the_account_is_not_taken_for_ours(serve: Any, connect: Any) -> None:
    """The answer to a create may show a company that is stored nowhere, so an update is sent."""
    server = await serve(POST=echo(company_name="Navy"), PUT=stored(company_name="Navy"))
    found = await result(connect(server), {**WHOLE, "update_if_exists": True})
    assert (found.outcome, server.count("PUT")) == ("stored", 1)


async def test_what_was_created_before_is_found_and_updated(
    serve: Any, connect: Any, timer: Any
) -> None:
    """A contact whose update failed is created again, which finds it; its company matters not."""
    exists, settled = (
        refusal(409, "Contact already exists"),
        stored(assigned_to_email="a@example.com", company_name="The account's"),
    )
    lost = [refusal(500)] * 5 + [stored(company_name="Navy")]
    server = await serve(POST=[echo(), exists], GET=settled, PUT=lost)
    found = await result(connect(server, timer=timer), WHOLE)
    assert (found.outcome, found.response.contact.company_name) == ("created", "Navy")
    assert server.count("POST") == 2


@pytest.mark.parametrize("update", [False, True])
@pytest.mark.parametrize("status", [400, 409, 413, 422])
async def test_a_refused_company_rejects_the_row_and_says_what_is_stored(
    serve: Any, connect: Any, status: int, update: bool
) -> None:
    """It is nobody's guess that the contact is there."""
    server = await serve(POST=echo(), PUT=refusal(status, "Too long"))
    found = await result(connect(server), {**WHOLE, "update_if_exists": update})
    assert (found.outcome, found.error.outcome) == ("rejected", "rejected")
    words = str(found.error)
    assert words.startswith("The contact is stored, without its company: PUT /api/v2/contacts/")
    assert "Too long" in words
    assert ("update_if_exists=True" in words) is not update


async def test_a_refused_company_of_a_new_contact_stores_nothing(serve: Any, connect: Any) -> None:
    """Where one request carries both, both are refused."""
    server = await serve(POST=refusal(400, "Too long"))
    found = await result(connect(server), ROW)
    assert (found.outcome, len(server.requests)) == ("rejected", 1)
    assert "is stored" not in str(found.error)


async def test_a_contact_that_is_gone_again_is_unknown(serve: Any, connect: Any) -> None:
    """Somebody deleted it, or the update came to a server that does not know it yet."""
    server = await serve(POST=echo(), PUT=refusal(404, "Contact not found"))
    found = await result(connect(server), WHOLE)
    assert (found.outcome, found.error.status) == ("unknown", 404)


async def test_refused_keys_of_an_update_leave_the_row_unknown(serve: Any, connect: Any) -> None:
    """The contact is stored; no other row is sent."""
    server = await serve(POST=echo(), PUT=refusal(401))
    found, error = await interrupted(connect(server), WHOLE, WHOLE, concurrency=1)
    assert (outcomes(found), type(error)) == ({"unknown": 1}, AuthenticationError)
    assert sent(server) == ["POST /api/v2/contacts", f"PUT {ONE}"]


async def test_an_outage_of_updates_leaves_the_row_unknown(
    serve: Any, connect: Any, timer: Any
) -> None:
    """It gives up as for any other call, and the row is not called stored."""
    server = await serve(POST=echo(), PUT=refusal(503), GET=refusal(503))
    client = connect(server, timer=timer, retry=QUICK)
    found, error = await interrupted(client, WHOLE, give_up_after=30)
    assert (outcomes(found), type(error)) == ({"unknown": 1}, ServerError)


async def test_many_companies_share_a_bulk_request(sandbox: Sandbox, connect: Any) -> None:
    """As other contacts do; those that exist are told from new ones, each on its own."""
    client = connect(sandbox)
    await results(client, {**ROW, "number": number(3), "company_name": "Old"})
    sandbox.requests.clear()
    rows = [{**ROW, "number": number(n), "company_name": f"Co {n}"} for n in range(60)]
    found = await results(client, *rows, bulk=True, concurrency=20)
    assert outcomes(found) == {"created": 59, "existing": 1}
    assert {*sent(sandbox)} == {f"POST {BULK}"}
    assert len(sandbox.requests) <= 10
    companies = {key: there["company_name"] for key, there in sandbox.contacts.items()}
    assert companies == {number(n): "Old" if n == 3 else f"Co {n}" for n in range(60)}


@pytest.mark.parametrize("kind", [{}, {"bulk": True}, {"update_if_exists": True}], ids=str)
async def test_under_faults_every_company_is_stored(
    sandbox: Sandbox, connect: Any, kind: Any
) -> None:
    """Each row once, of all three ways that there are, and each says so."""
    sandbox.faults = evolve(FAULTS, read_lag=0.2)
    client = connect(sandbox, retry=QUICK)
    rows = [
        {
            "number": number(n),
            "first_name": f"n{n}",
            **({"company_name": f"Co {n}"} if n % 4 else {}),
            **({"assigned_to_email": "a@example.com"} if n % 2 else {}),
        }
        for n in range(200)
    ]
    found = await results(client, *rows, **kind)
    assert outcomes(found) == {"stored" if "update_if_exists" in kind else "created": 200}
    assert sandbox.counts["created"] == 200
    for row in rows:
        there = sandbox.contacts[row["number"]]
        for name in ("first_name", "company_name", "assigned_to_email"):
            assert (there[name] or None) == row.get(name)


@pytest.mark.parametrize("name", ["company", "companyName", "organization"])
async def test_a_row_with_another_name_for_it_is_told_the_right_one(
    sandbox: Sandbox, connect: Any, name: str
) -> None:
    """It is rejected, and not stored without it."""
    found = await result(connect(sandbox), {"number": NUMBER, name: "Navy"})
    assert found.outcome == "rejected"
    assert "company_name" in str(found.error)
    assert not sandbox.requests


NOT_CARRIED = (
    "No single create carries a company_name: use create_contacts, create_contacts_bulk or an "
    "import, or update_contact afterwards."
)


@pytest.mark.parametrize("name", ["company_name", "companyName", "company"])
async def test_a_single_create_says_that_it_carries_none(
    serve: Any, connect: Any, name: str
) -> None:
    """Under every name that it may be given, and before anything is sent."""
    server = await serve(POST=echo())
    client = connect(server)
    for make, said in ((client.create_contact, "create_contact"), (ContactCreate, "ContactCreate")):
        with pytest.raises(TypeError) as caught:
            await make(number=NUMBER, **{name: "Navy"})
        assert str(caught.value) == f"{said}() has no argument {name!r}. {NOT_CARRIED}"
    assert not server.requests


async def test_a_batch_contact_in_a_single_create_is_refused_if_it_has_a_company(
    serve: Any, connect: Any
) -> None:
    """Not sent without it."""
    server = await serve(POST=echo())
    client = connect(server)
    with pytest.raises(ValidationError) as caught:
        await client.create_contact(BatchContact(number=NUMBER, company_name="Navy"))
    assert (str(caught.value), caught.value.field) == (NOT_CARRIED, "company_name")
    with pytest.raises(ValidationError) as caught:
        ContactCreate.from_dict({"number": NUMBER, "company_name": "Navy"})
    assert (str(caught.value), caught.value.field) == (NOT_CARRIED, "company_name")
    assert not server.requests
    await client.create_contact(BatchContact(number=NUMBER, first_name="Ada"))
    assert server.requests[0].json == {"number": NUMBER, "first_name": "Ada"}
    with pytest.raises(ValidationError, match="company_name"):
        BatchContact(number=NUMBER, company_name=3)  # type: ignore[arg-type]
