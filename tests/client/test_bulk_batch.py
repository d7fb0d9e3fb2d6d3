"""Batches in bulk requests: fewer of them, and every row still gets its own result."""

from __future__ import annotations

import random
from collections import Counter
from typing import Any

import pytest

from sendblue_async import AuthenticationError, ConfigurationError, ContactCreate, RetryPolicy
from sendblue_async.sandbox import Sandbox

from .servers import FAULTS, contact, refusal, reply, reset

pytestmark = pytest.mark.anyio

QUICK = RetryPolicy(base=0, cap=0, rate_limit_base=0)


def number(n: int) -> str:
    """One of many numbers."""
    return f"+1415{n:07}"


async def results(client: Any, source: Any, **options: Any) -> list[Any]:
    """All results of a batch in bulk, at a rate that holds nobody back."""
    options = {"rate_limit": 1e6, "bulk": True, **options}
    return [result async for result in client.create_contacts(source, **options)]


def outcomes(found: list[Any]) -> dict[str, int]:
    """How many results there are with each outcome."""
    return dict(Counter(result.outcome for result in found))


def paths(sandbox: Sandbox) -> Counter[str]:
    """How often each path was asked for."""
    return Counter(request.path for request in sandbox.requests)


async def test_many_contacts_share_a_request(sandbox: Sandbox, connect: Any) -> None:
    """A request has as many contacts as are under way, and each result its own contact."""
    client = connect(sandbox)
    source = [{"number": number(n), "first_name": f"n{n}"} for n in range(100)]
    found = await results(client, source, concurrency=50, update_if_exists=False)
    assert outcomes(found) == {"created": 100}
    for result in found:
        assert result.response.contact.first_name == result.row["first_name"]
        assert result.response.status == "OK"
        assert result.response.meta.attempts == 1
    assert {*paths(sandbox)} == {"/api/v2/contacts/bulk"}
    assert sandbox.counts["requests"] <= 6
    assert len(sandbox.contacts) == 100


async def test_existing_contacts_are_told_from_new_ones(sandbox: Sandbox, connect: Any) -> None:
    """What a bulk request did not create is asked for on its own, and left alone."""
    client = connect(sandbox)
    await client.create_contact(number(3), first_name="Old")
    source = [{"number": number(n), "first_name": "New"} for n in range(10)]
    found = await results(client, source)
    assert outcomes(found) == {"created": 9, "existing": 1}
    [existing] = [result.row["number"] for result in found if result.outcome == "existing"]
    assert existing == number(3)
    assert sandbox.contacts[number(3)]["first_name"] == "Old"


async def test_what_the_endpoint_cannot_take_goes_alone(sandbox: Sandbox, connect: Any) -> None:
    """Updates, and fields that an entry does not have, are sent one by one with all they have."""
    client = connect(sandbox)
    await client.create_contact(number(0), first_name="Old")
    source = [
        ContactCreate(number=number(0), first_name="New", update_if_exists=True),
        ContactCreate(number=number(1), assigned_to_email="a@example.com"),
        ContactCreate(number=number(2), tags=["a", "b"], custom_variables={"plan": "x"}),
        ContactCreate(number=number(3), extra_body={"company_name": "Navy"}),
        {"number": "12"},
    ]
    found = await results(client, source)
    assert outcomes(found) == {"stored": 1, "created": 3, "rejected": 1}
    assert sandbox.contacts[number(0)]["first_name"] == "New"
    assert sandbox.contacts[number(1)]["assigned_to_email"] == "a@example.com"
    assert sandbox.contacts[number(2)]["tags"] == ["a", "b"]
    assert sandbox.contacts[number(2)]["custom_variables"] == {"plan": "x"}
    assert sandbox.contacts[number(3)]["company_name"] == "Navy"
    assert paths(sandbox) == {"/api/v2/contacts": 3, "/api/v2/contacts/bulk": 1}


async def test_updates_in_bulk_are_refused(sandbox: Sandbox, connect: Any) -> None:
    """There is no bulk request that updates, so asking for one is an error."""
    client = connect(sandbox)
    with pytest.raises(ConfigurationError, match="does not update"):
        client.create_contacts([], update_if_exists=True, bulk=True)
    with pytest.raises(ConfigurationError, match="does not update"):
        await client.import_contacts("a.csv", update_if_exists=True, bulk=True)


async def test_a_refused_request_costs_only_the_contact_at_fault(serve: Any, connect: Any) -> None:
    """Where a request as a whole is refused, each of its contacts is asked for on its own."""
    server = await serve(refusal(400), refusal(422), reply(200, {"contact": {}, "status": "OK"}))
    found = await results(connect(server), [{"number": number(n)} for n in range(4)])
    assert outcomes(found) == {"created": 3, "rejected": 1}
    assert len(server.requests) == 5


async def test_refused_keys_end_it_with_one_request(serve: Any, connect: Any) -> None:
    """A 401 is the answer to all contacts, and nothing more is sent."""
    server = await serve(refusal(401))
    with pytest.raises(AuthenticationError):
        await results(connect(server), [{"number": number(n)} for n in range(200)])
    assert len(server.requests) == 1


async def test_an_answer_that_shows_no_contacts_is_looked_into(serve: Any, connect: Any) -> None:
    """Then it is not known who was created, so that a contact that is there may be ours."""
    server = await serve(reply(200, {"status": "OK"}), refusal(409))
    server.steps["GET"] = [contact(number(0), first_name="Ada")]
    [result] = await results(connect(server), [{"number": number(0), "first_name": "Ada"}])
    assert result.outcome == "created"
    assert result.response.meta.settled


async def test_a_lost_answer_is_settled(serve: Any, connect: Any) -> None:
    """A bulk request that may have been carried out is not sent again; a look-up tells."""
    server = await serve(reset, refusal(409))
    server.steps["GET"] = [contact(number(0))]
    [result] = await results(connect(server), [{"number": number(0)}], give_up_after=30)
    assert result.outcome == "created"
    assert [request.target for request in server.requests].count("/api/v2/contacts/bulk") == 1


async def test_nothing_is_lost_or_doubled_under_faults(sandbox: Sandbox, connect: Any) -> None:
    """Under faults of every kind each row is created once and says so."""
    sandbox.faults = FAULTS
    client = connect(sandbox, retry=QUICK)
    source = [{"number": number(n), "first_name": f"n{n}"} for n in range(600)]
    random.Random(1).shuffle(source)
    found = await results(client, source)
    assert outcomes(found) == {"created": 600}
    assert {result.row["number"] for result in found} == {*sandbox.contacts}
    assert all(sandbox.contacts[row["number"]]["first_name"] == row["first_name"] for row in source)
