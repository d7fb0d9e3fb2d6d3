"""Every operation besides creating and fetching: what it sends, what it makes of the answer."""

from __future__ import annotations

import math
import re
from datetime import datetime, timedelta, timezone
from typing import Any

import aiohttp
import pytest
from attrs import evolve

from sendblue_async import (
    CLEAR,
    BulkContact,
    BulkCreateResponse,
    BulkDeleteResponse,
    CallEvent,
    Contact,
    ContactCreate,
    ContactExistsError,
    ContactPage,
    ContactResponse,
    ContactUpdate,
    CountResponse,
    NotFoundError,
    OptOutResponse,
    OutcomeUnknownError,
    RateLimitError,
    Response,
    ResponseFormatError,
    RetryPolicy,
    SendblueClient,
    SendblueError,
    SharedLine,
    StatusResponse,
    ValidationError,
    VerifiedContact,
    VerifiedContactList,
    VerifiedContactResponse,
)

from .servers import Step, contact, hang_up, refusal, reply, reset

pytestmark = pytest.mark.anyio

NUMBER = "+14155550123"
OTHER = "+14155550124"
ALL = "/api/v2/contacts"
VERIFIED = "/v3/verified-contacts"
ONE = f"{ALL}/%2B14155550123"
OK = {"status": "OK"}
JANUARY = datetime(2026, 1, 31, 12, tzinfo=timezone(timedelta(hours=2)))
UPDATE: dict[str, Any] = {
    "first_name": "Ada",
    "last_name": "",
    "company_name": "Example Corp",
    "assigned_to_email": "agent@example.com",
    "sendblue_number": "+19876543210",
    "opt_out": False,
    "tags": ["vip"],
    "custom_variables": {"plan": "gold"},
}
LINE = {"phone_number": "+15550100001", "type": "shared"}
PENDING = {
    "phone_number": NUMBER,
    "verified": False,
    "verification_status": "pending",
    "created_at": "2026-01-31T10:00:00Z",
    "updated_at": "2026-01-31T10:00:00Z",
}
STORED = {"phone": NUMBER, "first_name": "Ada"}
ADA = Contact(phone=NUMBER, first_name="Ada")

Sent = tuple[str, str, Any]

# The call, the request it makes, the answer to that, and what comes of it.
OPERATIONS: dict[str, tuple[str, tuple[Any, ...], dict[str, Any], Sent, Any, Any]] = {
    "list": ("list_contacts", (), {}, ("GET", ALL, None), [STORED], ContactPage(contacts=(ADA,))),
    "list with all": (
        "list_contacts",
        (),
        {
            "limit": 1000,
            "offset": 10_000,
            "order_by": "last_name",
            "order_direction": "asc",
            "number": "+1 415 555-0123",
            "contact_id": "c&1",
            "created_at_gte": JANUARY,
        },
        (
            "GET",
            f"{ALL}?limit=1000&offset=10000&order_by=lastName&order_direction=asc"
            "&phone_number=%2B14155550123&cid=c%261&created_at_gte=2026-01-31T10%3A00%3A00Z",
            None,
        ),
        [],
        ContactPage(),
    ),
    "update": (
        "update_contact",
        (NUMBER,),
        UPDATE,
        ("PUT", ONE, UPDATE),
        {"contact": STORED, **OK},
        ContactResponse(contact=ADA, status="OK"),
    ),
    "update with a model": (
        "update_contact",
        ("+1 (415) 555-0123", ContactUpdate(last_name=CLEAR, extra_body={"new": 1})),
        {},
        ("PUT", ONE, {"last_name": None, "new": 1}),
        {"contact": STORED},
        ContactResponse(contact=ADA),
    ),
    "delete": (
        "delete_contact",
        (NUMBER,),
        {},
        ("DELETE", ONE, None),
        OK,
        StatusResponse(status="OK"),
    ),
    "count": ("count_contacts", (), {}, ("GET", f"{ALL}/count", None), {"count": 0}, 0),
    "verify": (
        "verify_contact",
        ("+1 415 555-0123",),
        {},
        ("POST", f"{ALL}/verify", {"number": NUMBER}),
        {},
        StatusResponse(),
    ),
    "opt out": (
        "opt_out_contact",
        (NUMBER,),
        {},
        ("POST", f"{ALL}/opt-out", {"number": NUMBER, "opted_out": True}),
        {"number": NUMBER, "opted_out": True, **OK},
        OptOutResponse(number=NUMBER, opted_out=True, status="OK"),
    ),
    "opt in": (
        "opt_out_contact",
        (NUMBER,),
        {"opted_out": False},
        ("POST", f"{ALL}/opt-out", {"number": NUMBER, "opted_out": False}),
        {"opted_out": False},
        OptOutResponse(opted_out=False),
    ),
    "create many": (
        "create_contacts_bulk",
        (
            [
                BulkContact(number=NUMBER, company_name="Example Corp"),
                ContactCreate(
                    number=OTHER,
                    first_name="Grace",
                    last_name="Hopper",
                    tags=["vip"],
                    custom_variables={"plan": "gold"},
                    extra_body={"company_name": "Navy"},
                ),
                {"number": "+1 415 555 0125", "first_name": None, "sendblue_number": None},
                ContactCreate(number="+14155550126", extra_body={"company_name": None}),
            ],
        ),
        {},
        (
            "POST",
            f"{ALL}/bulk",
            {
                "contacts": [
                    {"phone": NUMBER, "company_name": "Example Corp"},
                    {
                        "phone": OTHER,
                        "first_name": "Grace",
                        "last_name": "Hopper",
                        "company_name": "Navy",
                        "tags": ["vip"],
                        "custom_variables": {"plan": "gold"},
                    },
                    {"phone": "+14155550125"},
                    {"phone": "+14155550126", "company_name": None},
                ]
            },
        ),
        {"contacts": [STORED], **OK},
        BulkCreateResponse(contacts=(ADA,), status="OK"),
    ),
    "delete many": (
        "delete_contacts_bulk",
        (iter([NUMBER, OTHER, "+1 415 555 0123"]),),
        {},
        ("DELETE", ALL, {"contact_ids": [NUMBER, OTHER]}),
        {"amount": 1, **OK},
        BulkDeleteResponse(amount=1, status="OK"),
    ),
    "create verified": (
        "create_verified_contact",
        ("+1 (415) 555-0123",),
        {},
        ("POST", VERIFIED, {"phone_number": NUMBER}),
        {"data": {"contact": PENDING, "line": LINE, "verification_instructions": "Write to us"}},
        VerifiedContactResponse(
            contact=VerifiedContact(
                phone_number=NUMBER,
                verified=False,
                verification_status="pending",
                created_at=JANUARY,
                updated_at=JANUARY,
            ),
            line=SharedLine(phone_number="+15550100001", type="shared"),
            verification_instructions="Write to us",
        ),
    ),
    "get verified": (
        "get_verified_contact",
        ("+1 415 555-0123",),
        {},
        ("GET", f"{VERIFIED}/%2B14155550123", None),
        {"data": {"contact": {"phone_number": NUMBER, "verified": True}}},
        VerifiedContactResponse(contact=VerifiedContact(phone_number=NUMBER, verified=True)),
    ),
    "list verified": (
        "list_verified_contacts",
        (),
        {},
        ("GET", VERIFIED, None),
        {"data": {"contacts": [{"phone_number": NUMBER}], "line": LINE}},
        VerifiedContactList(
            contacts=(VerifiedContact(phone_number=NUMBER),),
            line=SharedLine(phone_number="+15550100001", type="shared"),
        ),
    ),
}


@pytest.mark.parametrize("name", OPERATIONS)
async def test_a_call_is_one_request_and_its_answer_a_model(
    serve: Any, connect: Any, name: str
) -> None:
    """Method, path, query and body are those of the contract, and the answer is read whole.

    Listeners are told of its end, under a route that has no number in it.
    """
    method, args, kwargs, sent, document, expected = OPERATIONS[name]
    events: list[CallEvent] = []
    server = await serve(reply(200, document))
    answer = await getattr(connect(server, on_event=events.append), method)(*args, **kwargs)
    (request,) = server.requests
    body = request.json if request.body else None
    assert (request.method, request.target, body) == sent
    assert ("content-type" in request.headers) is (body is not None)
    if name == "count":
        expected = CountResponse(count=expected)
    assert answer == expected
    assert type(answer) is type(expected)
    assert (answer.meta.status_code, answer.meta.attempts, answer.meta.settled) == (200, 1, False)
    if isinstance(answer, Response):
        assert answer.to_dict() == document.get("data", document)
    (end,) = events
    assert (end.kind, end.method, end.status, end.attempts) == ("call_ended", sent[0], 200, 1)
    assert end.error is None
    assert not re.search("[0-9]{4}", end.route)


def called(client: Any, operation: str) -> Any:
    """A call of this operation, to be awaited."""
    calls = {
        "create": lambda: client.create_contact(NUMBER),
        "upsert": lambda: client.create_contact(NUMBER, update_if_exists=True),
        "get": lambda: client.get_contact(NUMBER),
        "list": client.list_contacts,
        "update": lambda: client.update_contact(NUMBER, first_name="Ada"),
        "delete": lambda: client.delete_contact(NUMBER),
        "count": client.count_contacts,
        "verify": lambda: client.verify_contact(NUMBER),
        "opt out": lambda: client.opt_out_contact(NUMBER),
        "create many": lambda: client.create_contacts_bulk([{"number": NUMBER}]),
        "delete many": lambda: client.delete_contacts_bulk([NUMBER]),
        "create verified": lambda: client.create_verified_contact(NUMBER),
        "get verified": lambda: client.get_verified_contact(NUMBER),
        "list verified": client.list_verified_contacts,
    }
    return calls[operation]()


SAFE = ["get", "list", "count", "get verified", "list verified"]
IDEMPOTENT = ["upsert", "update", "delete", "opt out", "delete many", "create verified"]
NON_IDEMPOTENT = ["verify", "create many"]
SETTLED = ["upsert", "update", "delete", "opt out"]


@pytest.mark.parametrize("operation", [*SAFE, *IDEMPOTENT, *NON_IDEMPOTENT])
@pytest.mark.parametrize("lost", [hang_up, refusal(500), refusal(503), reply(200, b"<html>")])
async def test_an_unknown_outcome_is_repeated_where_a_repeat_is_harmless(
    serve: Any, connect: Any, timer: Any, operation: str, lost: Step
) -> None:
    """Safe and idempotent operations are sent four times; what may work twice is sent once.

    Where a look-up can tell what became of it, it is tried.
    """
    server = await serve(lost)
    with pytest.raises(SendblueError) as caught:
        await called(connect(server, timer=timer), operation)
    error = caught.value
    attempts = 1 if operation in NON_IDEMPOTENT else 4
    assert server.count(error.method) == error.attempts == attempts
    assert error.outcome == "unknown"
    assert ("could not be looked up" in str(error)) is (operation in SETTLED)
    # What changes nothing leaves nothing to look for.
    assert ("check before you send it again" in str(caught.value)) is (operation in NON_IDEMPOTENT)
    assert ("sending it again does no harm" in str(caught.value)) is (operation in IDEMPOTENT)


@pytest.mark.parametrize("operation", [*SAFE, *IDEMPOTENT, *NON_IDEMPOTENT])
@pytest.mark.parametrize("turned_away", [refusal(429), refusal(521), refusal(408)])
async def test_what_was_not_done_is_repeated_for_every_operation(
    serve: Any, connect: Any, timer: Any, operation: str, turned_away: Step
) -> None:
    """An attempt that the server turned away did nothing, so any operation is sent again."""
    server = await serve(turned_away)
    with pytest.raises(SendblueError) as caught:
        await called(connect(server, timer=timer), operation)
    assert (len(server.requests), caught.value.outcome) == (4, "rejected")


def test_each_operation_has_its_effect() -> None:
    """Every method that sends something stands in exactly one of the lists above."""
    methods = {method for method, *_ in OPERATIONS.values()}
    others = {"close", "create_contact", "create_contacts", "get_contact", "import_contacts"}
    others |= {"export_contacts", "import_job", "iter_contacts", "request", "with_options"}
    assert {name for name in dir(SendblueClient) if not name.startswith("_")} == methods | others
    # Creating is two of them, and fetching is tested elsewhere.
    assert len({*SAFE, *IDEMPOTENT, *NON_IDEMPOTENT} - {"upsert", "get"}) == len(methods)


@pytest.mark.parametrize("operation", ["update", "delete", "create many", "upsert"])
async def test_only_a_plain_create_is_told_to_update(
    serve: Any, connect: Any, operation: str
) -> None:
    """A 409 to another operation gives no advice that it could not follow."""
    server = await serve(refusal(409))
    with pytest.raises(ContactExistsError) as caught:
        await called(connect(server), operation)
    assert "update_if_exists" not in str(caught.value)


@pytest.mark.parametrize("operation", [*SAFE, *IDEMPOTENT, *NON_IDEMPOTENT])
async def test_a_refusal_in_a_200_is_an_error(serve: Any, connect: Any, operation: str) -> None:
    """A 2xx whose status is ERROR is a refusal, whatever was asked."""
    server = await serve(reply(200, {"status": "ERROR", "message": "Not today"}))
    with pytest.raises(SendblueError, match="Not today") as caught:
        await called(connect(server), operation)
    assert (len(server.requests), caught.value.outcome) == (1, "rejected")


NOT_EXPECTED: dict[str, list[Any]] = {
    "list": [{}, {"contacts": []}, None, [1], [[]], [STORED, None]],
    "count": [{}, [], {"status": "OK"}, {"count": None}, {"count": "3"}, {"count": True}],
    "delete": [[], None, "OK", {"message": "Welcome to our network"}],
    "verify": [[], None, "OK", {"message": "Welcome to our network"}],
    "opt out": [[], None, True, {"message": "Welcome to our network"}],
    "update": [{}, [], None, {"message": "Welcome"}, {"status": "QUEUED"}],
    "create many": [[], None, {"message": "Welcome to our network"}],
    "delete many": [[], 1, {"message": "Welcome to our network"}],
    "create verified": [{}, [], None, {"data": None}, {"data": []}, {"data": {}}, {"contact": {}}],
    "list verified": [[], {"data": [PENDING]}, {"data": {}}, {"data": {"message": "Welcome"}}],
}


@pytest.mark.parametrize("operation", NOT_EXPECTED)
async def test_an_answer_that_is_not_the_json_expected_proves_nothing(
    serve: Any, connect: Any, operation: str
) -> None:
    """JSON of another shape, such as a proxy's, is never taken for success."""
    for document in NOT_EXPECTED[operation]:
        server = await serve(reply(200, document))
        with pytest.raises(ResponseFormatError) as caught:
            await called(connect(server, retry=RetryPolicy(attempts=1)), operation)
        assert caught.value.outcome == "unknown"


@pytest.mark.parametrize(
    ("operation", "document", "extra"),
    [
        ("delete", {"status": 1, "new": 2}, {"status": 1, "new": 2}),
        ("opt out", {"optedOut": "yes", "status": "OK"}, {"optedOut": "yes"}),
        ("delete many", {"amount": "1", "status": "OK"}, {"amount": "1"}),
        ("create many", {"contacts": [STORED, 1], "status": "OK"}, {"contacts": [STORED, 1]}),
        ("create many", {"contacts": {}, "status": "OK"}, {"contacts": {}}),
        ("count", {"count": 3, "status": "OK"}, {"status": "OK"}),
    ],
)
async def test_an_unexpected_value_fails_no_call_that_succeeded(
    serve: Any, connect: Any, operation: str, document: Any, extra: Any
) -> None:
    """A key that is unknown, or a value of another type, is kept in ``extra``."""
    server = await serve(reply(200, document))
    answer = await called(connect(server), operation)
    assert answer.extra == extra
    assert answer.to_dict() == document


async def test_keys_beside_data_are_kept(serve: Any, connect: Any) -> None:
    """What stands beside ``data`` in an answer under ``/v3`` is as reachable as what is in it."""
    document = {"data": {"contact": {"phone_number": NUMBER, "new": 1}, "more": 2}, "beside": 3}
    server = await serve(reply(200, document))
    answer = await connect(server).get_verified_contact(NUMBER)
    assert answer.contact.extra == {"new": 1}
    assert answer.extra == {"more": 2, "beside": 3}


async def test_all_verified_contacts_are_given_one_by_one(serve: Any, connect: Any) -> None:
    """The answer of a list is iterated over as a page of contacts is."""
    numbers = [NUMBER, OTHER]
    contacts = [{"phone_number": number} for number in numbers]
    server = await serve(reply(200, {"data": {"contacts": contacts, "line": None}}))
    answer = await connect(server).list_verified_contacts()
    assert [each.phone_number for each in answer] == numbers
    assert (len(answer), answer.line) == (2, None)


async def test_camel_case_answers_are_read(serve: Any, connect: Any) -> None:
    """The spellings of Sendblue's older pages are read in every answer."""
    server = await serve(
        GET=reply(200, [{"phone": NUMBER, "firstName": "Ada"}]),
        POST=reply(200, {"number": NUMBER, "optedOut": True}),
    )
    client = connect(server)
    assert list(await client.list_contacts()) == [ADA]
    assert (await client.opt_out_contact(NUMBER)).opted_out is True


@pytest.mark.parametrize("given", [False, True])
@pytest.mark.parametrize("step", [hang_up, reset])
async def test_nothing_is_sent_again_behind_the_retries(
    serve: Any, connect: Any, timer: Any, given: bool, step: Step
) -> None:
    """Each request that a server sees is an attempt that was counted, whosever the session is.

    Left to itself, aiohttp sends a GET, PUT or DELETE twice when its connection is lost.
    """
    seen: list[str] = []

    async def theirs(
        request: aiohttp.ClientRequest, handler: aiohttp.ClientHandlerType
    ) -> aiohttp.ClientResponse:
        seen.append(request.method)
        return await handler(request)

    server = await serve(step)
    async with aiohttp.ClientSession(middlewares=[theirs]) as session:
        client = connect(server, timer=timer, session=session if given else None)
        for method in ("GET", "PUT", "DELETE", "POST"):
            with pytest.raises(OutcomeUnknownError) as caught:
                await client.request(method, "/")
            assert caught.value.attempts == (1 if method == "POST" else 4)
            assert server.count(method) == caught.value.attempts
            assert caught.value.cause
            assert "ConnectionLost" not in caught.value.cause
            assert seen.count(method) == (caught.value.attempts if given else 0)


@pytest.mark.parametrize("before", [[], [refusal(429)], [refusal(521), refusal(429)]])
async def test_a_delete_that_finds_nothing_is_an_error(
    serve: Any, connect: Any, timer: Any, before: list[Step]
) -> None:
    """A 404 with no doubt before it means that there was no such contact."""
    server = await serve(DELETE=[*before, refusal(404, "Contact not found")])
    with pytest.raises(NotFoundError) as caught:
        await connect(server, timer=timer).delete_contact(NUMBER)
    assert (caught.value.outcome, caught.value.maybe_applied) == ("rejected", False)
    assert len(server.requests) == len(before) + 1


@pytest.mark.parametrize("before", [[], [refusal(429)], [refusal(521)]], ids=len)
async def test_a_delete_may_find_nothing_where_that_is_said_to_be_fine(
    serve: Any, connect: Any, timer: Any, before: list[Step]
) -> None:
    """With ``missing_ok`` a 404 of the API's is a success, and the answer's status tells."""
    server = await serve(DELETE=[*before, refusal(404, "Contact not found")])
    answer = await connect(server, timer=timer).delete_contact(NUMBER, missing_ok=True)
    assert (answer.status, answer.meta.status_code) == (None, 404)
    assert answer.meta.attempts == len(server.requests) == len(before) + 1


async def test_a_404_after_a_lost_answer_is_looked_into_all_the_same(
    serve: Any, connect: Any, timer: Any
) -> None:
    """``missing_ok`` believes no 404 that may come of reads that lag behind a lost attempt."""
    gone = refusal(404, "Contact not found")
    server = await serve(DELETE=[hang_up, gone], GET=gone)
    answer = await connect(server, timer=timer).delete_contact(NUMBER, missing_ok=True)
    assert (answer.meta.status_code, answer.meta.settled) == (404, True)
    assert server.count("GET") > 0
    server = await serve(DELETE=[hang_up, gone], GET=contact(NUMBER))
    with pytest.raises(NotFoundError) as caught:
        await connect(server, timer=timer).delete_contact(NUMBER, missing_ok=True)
    assert caught.value.outcome == "unknown"


@pytest.mark.parametrize(
    "missing",
    [
        {"status": "error", "message": "Contact not found"},
        {"status": "ERROR"},
        {"message": "No contact found for this number"},
        {"error": {"code": "not_found", "message": "Contact not found"}},
    ],
    ids=str,
)
async def test_the_apis_own_404_is_known_in_every_shape(
    serve: Any, connect: Any, missing: Any
) -> None:
    """Its status says so, or its words speak of the contact."""
    server = await serve(DELETE=reply(404, missing))
    answer = await connect(server).delete_contact(NUMBER, missing_ok=True)
    assert answer.meta.status_code == 404


@pytest.mark.parametrize("missing_ok", [False, True])
async def test_a_delete_that_finds_a_contact_answers_the_same_either_way(
    serve: Any, connect: Any, missing_ok: bool
) -> None:
    """``missing_ok`` changes nothing about a delete that deletes."""
    server = await serve(DELETE=reply(200, OK))
    answer = await connect(server).delete_contact(NUMBER, missing_ok=missing_ok)
    assert (answer.status, answer.meta.status_code) == ("OK", 200)


@pytest.mark.parametrize(
    "other",
    [
        reply(404, b"<html><h1>404 Not Found</h1></html>"),
        reply(404, b""),
        reply(404, [1]),
        reply(404, {"message": "Not Found"}),
        reply(404, {"message": "Cannot DELETE /v1/contacts/1", "error": "Not Found"}),
        reply(404, {"status": 404, "error": "Not Found", "path": "/api/v2/contacts/1"}),
        refusal(400, "Contact not found"),
        refusal(410, "Contact not found"),
    ],
)
async def test_only_a_404_of_the_api_says_that_a_contact_is_missing(
    serve: Any, connect: Any, timer: Any, other: Step
) -> None:
    """The 404 of a proxy or gateway and any other refusal fail a delete, ``missing_ok`` or not."""
    server = await serve(DELETE=other)
    with pytest.raises(SendblueError) as caught:
        await connect(server, timer=timer).delete_contact(NUMBER, missing_ok=True)
    assert (caught.value.outcome, len(server.requests)) == ("rejected", 1)


async def test_a_404_after_a_lost_answer_settles_nothing_else(
    serve: Any, connect: Any, timer: Any
) -> None:
    """An update that finds no contact has failed, whatever came of its first attempt."""
    missing = refusal(404, "Contact not found")
    server = await serve(PUT=[hang_up, missing], GET=missing)
    with pytest.raises(NotFoundError) as caught:
        await connect(server, timer=timer).update_contact(NUMBER, first_name="Ada")
    assert caught.value.maybe_applied


async def test_a_message_that_may_have_been_sent_is_not_sent_again(
    serve: Any, connect: Any, timer: Any
) -> None:
    """A verification whose answer is lost raises at once, and says that it may be on its way."""
    server = await serve(hang_up, reply(200, OK))
    with pytest.raises(OutcomeUnknownError, match="may have been done"):
        await connect(server, timer=timer).verify_contact(NUMBER)
    assert len(server.requests) == 1


async def test_every_operation_shares_the_pause_after_a_429(
    serve: Any, connect: Any, timer: Any
) -> None:
    """A 429 to one operation holds back all others of the client until the time it names."""
    server = await serve(refusal(429, Retry_After="7"), reply(200, {"count": 1}))
    client = connect(server, timer=timer, retry=RetryPolicy(attempts=1))
    with pytest.raises(RateLimitError):
        await client.list_contacts()
    await client.count_contacts()
    assert timer.waits == [7]


BAD_INPUT: dict[str, tuple[str, tuple[Any, ...], dict[str, Any], str | None]] = {
    "a limit of 0": ("list_contacts", (), {"limit": 0}, "limit"),
    "a limit too high": ("list_contacts", (), {"limit": 1001}, "limit"),
    "a limit in words": ("list_contacts", (), {"limit": "10"}, "limit"),
    "a limit that is true": ("list_contacts", (), {"limit": True}, "limit"),
    "an offset too high": ("list_contacts", (), {"offset": 10_001}, "offset"),
    "an offset below 0": ("list_contacts", (), {"offset": -1}, "offset"),
    "no such direction": ("list_contacts", (), {"order_direction": "up"}, "order_direction"),
    "a field that is no text": ("list_contacts", (), {"order_by": 1}, "order_by"),
    "a field to clear": ("list_contacts", (), {"order_by": CLEAR}, "order_by"),
    "a field it cannot sort by": ("list_contacts", (), {"order_by": "tags"}, "order_by"),
    "a field of no name": ("list_contacts", (), {"order_by": ""}, "order_by"),
    "fields to sort by": ("list_contacts", (), {"order_by": ["phone"]}, "order_by"),
    "a filter to clear": ("list_contacts", (), {"contact_id": CLEAR}, "contact_id"),
    "a filter that is no number": ("list_contacts", (), {"number": "555"}, "number"),
    "a time without a zone": (
        *("list_contacts", (), {"created_at_gte": datetime(2026, 1, 31)}),
        "created_at_gte",
    ),
    "a time in words": ("list_contacts", (), {"created_at_gte": "2026-01-31"}, "created_at_gte"),
    "a page too small": ("iter_contacts", (), {"page_size": 9}, "page_size"),
    "no page at all": ("iter_contacts", (), {"page_size": None}, "page_size"),
    "a page too large": ("iter_contacts", (), {"page_size": 1001}, "page_size"),
    "a start without a zone": (
        *("iter_contacts", (), {"created_at_gte": datetime(2026, 1, 31)}),
        "created_at_gte",
    ),
    "nothing to change": ("update_contact", (NUMBER,), {}, None),
    "no number to change": ("update_contact", ("555",), {"first_name": "Ada"}, "number"),
    "changes twice": (
        *("update_contact", (NUMBER, ContactUpdate(first_name="A")), {"first_name": "A"}),
        None,
    ),
    "changes of another kind": ("update_contact", (NUMBER, {"first_name": "A"}), {}, "changes"),
    "an opt-out in words": ("update_contact", (NUMBER,), {"opt_out": "yes"}, "opt_out"),
    "a field in extra_body": (
        *("update_contact", (NUMBER,), {"extra_body": {"companyName": "A"}}),
        "extra_body",
    ),
    "no number to delete": ("delete_contact", ("+1",), {}, "number"),
    "no number to verify": ("verify_contact", (None,), {}, "number"),
    "no number to create a verified contact": ("create_verified_contact", ("1",), {}, "number"),
    "no number to get a verified contact": ("get_verified_contact", ("",), {}, "number"),
    "no number to opt out": ("opt_out_contact", (1,), {}, "number"),
    "opted out in words": ("opt_out_contact", (NUMBER, "no"), {}, "opted_out"),
    "opted out or not": ("opt_out_contact", (NUMBER, None), {}, "opted_out"),
    "nobody to create": ("create_contacts_bulk", ([],), {}, "contacts"),
    "a bare string": ("create_contacts_bulk", (NUMBER,), {}, "contacts"),
    "one contact alone": ("create_contacts_bulk", ({"number": NUMBER},), {}, "contacts"),
    "a number instead of a contact": ("create_contacts_bulk", ([NUMBER],), {}, "contacts[0]"),
    "a contact without a number": (
        *("create_contacts_bulk", ([{"number": OTHER}, {"first_name": "A"}],), {}),
        "contacts[1].number",
    ),
    "a number twice": (
        *("create_contacts_bulk", ([{"number": NUMBER}, {"number": "+1 415 555 0123"}],), {}),
        "contacts[1].number",
    ),
    "a bad tag": (
        *("create_contacts_bulk", ([{"number": NUMBER, "tags": ["a", 1]}],), {}),
        "contacts[0].tags[1]",
    ),
    "an unknown key": (
        *("create_contacts_bulk", ([{"number": NUMBER, "nickname": "A"}],), {}),
        "contacts[0].nickname",
    ),
    "an unknown key without a value": (
        *("create_contacts_bulk", ([{"number": NUMBER, "nickname": None}],), {}),
        "contacts[0].nickname",
    ),
    "an entry that is no JSON": (
        *("create_contacts_bulk", ([{"number": NUMBER, "extra_body": {"x": math.nan}}],), {}),
        "contacts[0].extra_body",
    ),
    "an update that is no JSON": (
        *("update_contact", (NUMBER,), {"extra_body": {"x": {1}}}),
        "extra_body",
    ),
    "nobody to delete": ("delete_contacts_bulk", ([],), {}, "numbers"),
    "one number alone": ("delete_contacts_bulk", (NUMBER,), {}, "numbers"),
    "a number that is none": ("delete_contacts_bulk", ([NUMBER, "555"],), {}, "numbers[1]"),
}


@pytest.mark.parametrize("name", BAD_INPUT)
async def test_bad_input_raises_before_anything_is_sent(
    serve: Any, connect: Any, name: str
) -> None:
    """What cannot be sent is a ValidationError that names the field, at the call itself."""
    method, args, kwargs, field = BAD_INPUT[name]
    server = await serve(reply(200, OK))
    with pytest.raises(ValidationError) as caught:
        await getattr(connect(server), method)(*args, **kwargs)
    assert (caught.value.field, caught.value.outcome) == (field, "not_sent")
    assert not server.requests


# What ContactCreate carries that an entry of a bulk create has no field for.
NOT_IN_BULK: list[dict[str, Any]] = [
    {"assigned_to_email": "agent@example.com"},
    {"sendblue_number": "+19876543210"},
    {"update_if_exists": True},
    {"update_if_exists": False},
    {"extra_body": {"group": "a"}},
    {"extra_body": {"group": None}},
    {"assigned_to_email": CLEAR},
]


@pytest.mark.parametrize("carried", NOT_IN_BULK, ids=str)
@pytest.mark.parametrize("as_mapping", [False, True])
async def test_a_field_that_bulk_cannot_take_is_never_dropped(
    serve: Any, connect: Any, carried: dict[str, Any], as_mapping: bool
) -> None:
    """A contact that carries more than the bulk endpoint takes is refused, by its place."""
    flat = {**carried, **carried.get("extra_body", {})}
    flat.pop("extra_body", None)
    entry = {"number": OTHER, **flat} if as_mapping else ContactCreate(number=OTHER, **carried)
    server = await serve(reply(200, OK))
    (name,) = flat
    with pytest.raises(ValidationError, match=rf"contacts\[1\]: .*{name}.* BulkContact") as caught:
        await connect(server).create_contacts_bulk([{"number": NUMBER}, entry])
    assert caught.value.field == f"contacts[1].{name}"
    assert not server.requests


async def test_deprecated_spellings_of_a_bulk_entry_warn(serve: Any, connect: Any) -> None:
    """A mapping may use Sendblue's deprecated spellings here too."""
    server = await serve(reply(200, OK))
    with pytest.warns(DeprecationWarning, match="firstName .*, use first_name") as seen:
        await connect(server).create_contacts_bulk([{"number": NUMBER, "firstName": "Ada"}])
    # Python shows such a warning only where the line at fault is the program's own.
    assert [warning.filename for warning in seen] == [__file__]
    assert server.requests[0].json == {"contacts": [{"phone": NUMBER, "first_name": "Ada"}]}


def test_an_entry_has_the_checks_of_a_contact() -> None:
    """An entry, a query and an update are equal by value and show what they hold."""
    entry = BulkContact(number="+1 415 555 0123", tags=["vip"], extra_body={"new": 1})
    assert repr(entry) == f"BulkContact(number='{NUMBER}', tags=('vip',), extra_body={{'new': 1}})"
    assert BulkContact.of(entry) is entry
    assert entry == evolve(entry)
    with pytest.raises(ValidationError, match="extra_body has 'phone'"):
        BulkContact(number=NUMBER, extra_body={"phone": OTHER})
    assert repr(ContactUpdate(opt_out=True)) == "ContactUpdate(opt_out=True)"


async def test_a_page_is_its_contacts(serve: Any, connect: Any) -> None:
    """A page can be iterated over and counted, and equals another with the same contacts."""
    server = await serve(reply(200, [STORED, {"phone": OTHER}]))
    page = await connect(server).list_contacts()
    assert [one.phone for one in page] == [NUMBER, OTHER]
    assert len(page) == 2
    assert page == ContactPage(contacts=page.contacts)


async def test_the_number_of_a_path_stays_in_its_place(serve: Any, connect: Any) -> None:
    """The plus sign of a number in a path is sent as %2B."""
    server = await serve(contact())
    client = connect(server)
    await client.get_contact(NUMBER)
    await client.update_contact(NUMBER, first_name="Ada")
    assert [request.target for request in server.requests] == [ONE, ONE]
