"""What type checkers see of the public names. It is checked by mypy and pyright, and never run.

A line with `type: ignore` is a mistake that both must find: where one does not, it complains.
"""

# pyright: reportUnnecessaryTypeIgnoreComment=true

from __future__ import annotations

import io
import math
from collections import Counter, deque
from collections.abc import Iterator, Mapping
from contextlib import closing
from datetime import datetime, timezone
from pathlib import Path
from ssl import SSLContext
from typing import Any, Literal

from aiohttp import ClientSession, TraceConfig
from typing_extensions import assert_type

import sendblue_async
from sendblue_async import (
    CLEAR,
    AccessToken,
    APIError,
    BatchContact,
    BulkContact,
    BulkCreateResponse,
    BulkDeleteResponse,
    CallEvent,
    Clear,
    Contact,
    ContactCreate,
    ContactExistsError,
    ContactOutcome,
    ContactPage,
    ContactResponse,
    ContactResult,
    ContactUpdate,
    CountResponse,
    Doubt,
    DryRun,
    ExportReport,
    ImportJob,
    ImportMapping,
    ImportOptions,
    ImportReport,
    OptOutResponse,
    Outcome,
    PlannedChange,
    RateLimiter,
    RawResponse,
    ResponseMeta,
    RetryPolicy,
    SendblueClient,
    SendblueError,
    SendOptions,
    SharedLine,
    StatusResponse,
    SyncSendblueClient,
    Timeouts,
    ValidationError,
    VerifiedContact,
    VerifiedContactList,
    VerifiedContactResponse,
)
from sendblue_async._events import EventKind
from sendblue_async._source_bridge import BlockingIterator
from sendblue_async.cli import main
from sendblue_async.sandbox import Faults, ReceivedRequest, Sandbox


class OwnClient(SendblueClient):
    """A subclass, which its own methods give back."""


class OwnSyncClient(SyncSendblueClient):
    """A subclass, which its own methods give back."""


def give_token() -> AccessToken:
    """A token and when it expires."""
    return AccessToken("token", expires_at=1_800_000_000)


async def give_token_later() -> str:
    """A token alone."""
    return "token"


class Slots(RateLimiter):
    """A rate limiter that has to ask somebody."""

    async def reserve_slot(self, now: float, before: float = math.inf) -> float:
        """Give every caller a slot at once."""
        return now


def count_event(event: CallEvent) -> None:
    """A listener."""
    assert_type(event.kind, EventKind)
    assert_type(event.outcome, Outcome | None)
    assert_type(event.error, Exception | None)
    assert_type(event.wait, float | None)
    event.attempts = 2  # type: ignore[misc]


async def count_event_later(event: CallEvent, more: int) -> None:
    """A function that takes more than an event."""


def constructors(session: ClientSession, context: SSLContext) -> None:
    """Both clients take the same arguments, all of them optional."""
    timeouts = Timeouts(connect=1, attempt=2.5, total=10)
    retry = RetryPolicy(attempts=2, base=0.1, cap=1, rate_limit_base=2, settle=False)
    SendblueClient()
    SyncSendblueClient()
    SendblueClient(
        "key",
        "secret",
        base_url="https://api.sendblue.co",
        timeouts=timeouts,
        retry=retry,
        max_connections=10,
        rate_limit=2.5,
        default_headers={"x-team": "crm"},
        proxy="http://proxy.example:3128",
        ssl=context,
        trace_configs=[TraceConfig()],
        session=session,
        allow_http=True,
        on_event=[count_event, print],
    )
    SyncSendblueClient(
        "key",
        "secret",
        base_url="https://api.sendblue.co",
        timeouts=timeouts,
        retry=retry,
        max_connections=10,
        rate_limit=2.5,
        default_headers={"x-team": "crm"},
        proxy="http://proxy.example:3128",
        ssl=context,
        trace_configs=[TraceConfig()],
        allow_http=True,
        on_event=[count_event, print],
    )
    SendblueClient(rate_limit=Slots())
    SyncSendblueClient(rate_limit=Slots())
    SendblueClient(access_token="token", base_url="https://api.sendblue.co")
    SendblueClient(access_token=give_token)
    SyncSendblueClient(access_token=give_token_later)
    SyncSendblueClient(access_token=lambda: {"token": "token", "expires_at": None})
    SendblueClient(access_token=5)  # type: ignore[arg-type]
    SyncSendblueClient(access_token=lambda: 5)  # type: ignore[arg-type]
    SendblueClient(on_event=count_event)
    SyncSendblueClient(on_event=(print, count_event))
    SendblueClient(on_event=5)  # type: ignore[arg-type]
    SyncSendblueClient(on_event=count_event_later)  # type: ignore[arg-type]
    SendblueClient(timeouts=5)  # type: ignore[arg-type]
    SyncSendblueClient(timeouts=5)  # type: ignore[arg-type]
    SendblueClient("key", "secret", "https://api.sendblue.co")  # type: ignore[call-arg]
    SyncSendblueClient("key", "secret", "https://api.sendblue.co")  # type: ignore[call-arg]
    SyncSendblueClient(host="api.sendblue.co")  # type: ignore[call-arg]
    RetryPolicy(2)  # type: ignore[call-arg]
    Timeouts(total="10")  # type: ignore[arg-type]
    timeouts.total = 5  # type: ignore[misc]


async def asynchronous(number: str, contact: ContactCreate) -> None:
    """The coroutines of the asynchronous client."""
    async with OwnClient() as own:
        assert_type(own, OwnClient)
    assert_type(own.with_options(timeouts=Timeouts(), retry=RetryPolicy()), OwnClient)
    client = SendblueClient()
    assert_type(await client.create_contact(number), ContactResponse)
    assert_type(await client.create_contact(contact), ContactResponse)
    assert_type(await client.create_contact(number=number), ContactResponse)
    await client.create_contact(
        number,
        first_name="Ada",
        last_name=None,
        assigned_to_email=CLEAR,
        sendblue_number="+19876543210",
        tags=(tag for tag in ("vip",)),
        update_if_exists=True,
        custom_variables={"plan": "gold"},
        extra_body={"company_name": None, "nested": [1, {"a": 2}]},
    )
    await client.create_contact(phone_number=number, firstName="Ada", lastName=CLEAR)
    await client.create_contact(
        phoneNumber=number, assignedToEmail=None, sendblueNumber="+19876543210"
    )
    assert_type(await client.get_contact(number), ContactResponse)
    raw = await client.request("GET", "/api/v2/contacts", json=[1], params={"limit": 1, "a": "b"})
    assert_type(raw, RawResponse)
    assert_type(await client.close(), None)
    page = await client.list_contacts(
        limit=10,
        offset=20,
        order_by="first_name",
        order_direction="asc",
        number=number,
        contact_id="c-1",
        created_at_gte=datetime.now(timezone.utc),
    )
    assert_type(page, ContactPage)
    async for one in client.iter_contacts(created_at_gte=None, page_size=100):
        assert_type(one, Contact)
    async for result in client.create_contacts([{"number": number}], concurrency=8, bulk=True):
        assert_type(result, ContactResult[dict[str, str]])
        assert_type(result.outcome, ContactOutcome)
    report = await client.import_contacts(Path("a.csv"), region="US", columns={"Tel": "number"})
    await client.import_contacts("a.xlsx", sheet="Contacts")
    assert_type(report, ImportReport)
    read, send = ImportOptions(region="US", on_duplicate="last"), SendOptions(rate_limit=5)
    client.create_contacts([contact], send_options=send)
    async with client.import_job("a.csv", read, send, progress=print) as job:
        assert_type(job, ImportJob)
        assert_type((await job.inspect()).doubts, tuple[Doubt, ...])
        assert_type(job.mapping, ImportMapping | None)
        if plan := await job.dry_run():
            assert_type(plan, DryRun)
            assert_type(plan.changes, tuple[PlannedChange, ...])
        assert_type(await job.run(), ImportReport)
        assert_type(job.report, "ImportReport | None")
        assert_type(job.stop(), None)
    changes = ContactUpdate(company_name=CLEAR, opt_out=True, tags=["vip"])
    assert_type(await client.update_contact(number, changes), ContactResponse)
    await client.update_contact(number, custom_variables={"plan": "gold"}, extra_body={"a": 1})
    assert_type(await client.delete_contact(number), StatusResponse)
    assert_type((await client.count_contacts()).count, int)
    assert_type(await client.export_contacts("contacts.csv", overwrite=True), ExportReport)
    assert_type(await client.verify_contact(number), StatusResponse)
    assert_type(await client.opt_out_contact(number, opted_out=False), OptOutResponse)
    created = await client.create_contacts_bulk(
        [BulkContact(number=number, company_name="A"), contact, {"number": number}]
    )
    assert_type(created, BulkCreateResponse)
    async for stored in client.create_contacts([BatchContact(number=number, company_name="A")]):
        assert_type(stored, ContactResult[BatchContact])
    assert_type(await client.delete_contacts_bulk({number}), BulkDeleteResponse)
    verified = await client.create_verified_contact(number)
    assert_type(verified, VerifiedContactResponse)
    assert_type(verified.contact, VerifiedContact)
    assert_type(verified.line, SharedLine | None)
    assert_type((await client.get_verified_contact(number)).contact.verified, "bool | None")
    for each in await client.list_verified_contacts():
        assert_type(each, VerifiedContact)

    await client.create_contact(1)  # type: ignore[arg-type]
    await client.create_contact(number, "Ada")  # type: ignore[call-arg]
    await client.create_contact(number, first_name=1)  # type: ignore[arg-type]
    await client.create_contact(number, tags=[1])  # type: ignore[list-item]
    await client.create_contact(number, update_if_exists="yes")  # type: ignore[arg-type]
    await client.create_contact(number, nickname="A")  # type: ignore[call-arg]
    await client.create_contact(phone_number=1)  # type: ignore[arg-type]
    await client.create_contact(number, firstName=1)  # type: ignore[arg-type]
    await client.get_contact()  # type: ignore[call-arg]
    await client.get_contact(contact)  # type: ignore[arg-type]
    await client.request("GET")  # type: ignore[call-arg]
    await client.list_contacts(order_direction="up")  # type: ignore[arg-type]
    await client.update_contact(number, update_if_exists=True)  # type: ignore[call-arg]
    await client.create_contacts_bulk([number])  # type: ignore[list-item]
    print(client.get_contact(number).contact)  # type: ignore[attr-defined]


def synchronous(number: str, contact: ContactCreate) -> None:
    """The same methods of the blocking client: the same arguments, and results not to await."""
    with OwnSyncClient() as own:
        assert_type(own, OwnSyncClient)
    assert_type(own.with_options(timeouts=Timeouts(), retry=RetryPolicy()), OwnSyncClient)
    client = SyncSendblueClient()
    assert_type(client.create_contact(number), ContactResponse)
    assert_type(client.create_contact(contact), ContactResponse)
    assert_type(client.create_contact(number=number), ContactResponse)
    client.create_contact(
        number,
        first_name="Ada",
        last_name=None,
        assigned_to_email=CLEAR,
        sendblue_number="+19876543210",
        tags=(tag for tag in ("vip",)),
        update_if_exists=True,
        custom_variables={"plan": "gold"},
        extra_body={"company_name": None, "nested": [1, {"a": 2}]},
    )
    client.create_contact(phone_number=number, firstName="Ada", lastName=CLEAR)
    client.create_contact(phoneNumber=number, assignedToEmail=None, sendblueNumber="+19876543210")
    assert_type(client.get_contact(number), ContactResponse)
    raw = client.request("GET", "/api/v2/contacts", json=[1], params={"limit": 1, "a": "b"})
    assert_type(raw, RawResponse)
    assert_type(client.close(), None)
    page = client.list_contacts(limit=10, created_at_gte=datetime.now(timezone.utc))
    assert_type(page, ContactPage)
    assert_type([one.phone for one in page], "list[str | None]")
    assert_type(client.iter_contacts(page_size=100), BlockingIterator[Contact])
    results = client.create_contacts(iter([contact]), update_if_exists=True, rate_limit=5)
    assert_type(results, BlockingIterator[ContactResult[ContactCreate]])
    assert_type([result.row.number for result in results], list[str])
    as_iterator: Iterator[ContactResult[ContactCreate]] = results
    with closing(results) as closed:
        assert_type([next(closed), next(as_iterator)], list[ContactResult[ContactCreate]])
    assert_type(client.import_contacts("a.csv", progress=print, resume=True), ImportReport)
    with client.import_job("a.csv", ImportOptions(), SendOptions(bulk=True)) as job:
        assert_type(job.inspect(), ImportMapping)
        assert_type(job.mapping, ImportMapping | None)
        assert_type(job.dry_run(), DryRun | None)
        assert_type(job.run(), ImportReport)
        assert_type(job.report, "ImportReport | None")
    assert_type(client.update_contact(number, first_name="Ada"), ContactResponse)
    assert_type(client.delete_contact(number, missing_ok=True), StatusResponse)
    assert_type(client.count_contacts(), CountResponse)
    assert_type(client.export_contacts(io.BytesIO(), format="xlsx"), ExportReport)
    assert_type(client.verify_contact(number), StatusResponse)
    assert_type(client.opt_out_contact(number), OptOutResponse)
    assert_type(client.create_contacts_bulk([contact]), BulkCreateResponse)
    assert_type(client.delete_contacts_bulk([number]).amount, "int | None")
    assert_type(client.create_verified_contact(number), VerifiedContactResponse)
    assert_type(client.get_verified_contact(number).contact, VerifiedContact)
    assert_type(client.list_verified_contacts(), VerifiedContactList)

    client.create_verified_contact(1)  # type: ignore[arg-type]
    client.create_contact(1)  # type: ignore[arg-type]
    client.create_contact(number, "Ada")  # type: ignore[call-arg]
    client.create_contact(number, first_name=1)  # type: ignore[arg-type]
    client.create_contact(number, tags=[1])  # type: ignore[list-item]
    client.create_contact(number, update_if_exists="yes")  # type: ignore[arg-type]
    client.create_contact(number, nickname="A")  # type: ignore[call-arg]
    client.create_contact(phone_number=1)  # type: ignore[arg-type]
    client.create_contact(number, firstName=1)  # type: ignore[arg-type]
    client.get_contact()  # type: ignore[call-arg]
    client.get_contact(contact)  # type: ignore[arg-type]
    client.request("GET")  # type: ignore[call-arg]
    client.list_contacts(order_direction="up")  # type: ignore[arg-type]
    client.iter_contacts(page_size="all")  # type: ignore[arg-type]
    client.import_contacts("a.csv", on_duplicate="first")  # type: ignore[arg-type]
    client.import_contacts("a.xlsx", sheet=2)
    client.import_contacts("a.xlsx", sheet=["A"])  # type: ignore[arg-type]
    client.import_job("a.csv", SendOptions())  # type: ignore[arg-type]
    SendOptions(concurrency="many")  # type: ignore[arg-type]
    ImportOptions(on_duplicate="first")  # type: ignore[arg-type]


async def colours_are_not_mixed_up(one: SendblueClient, other: SyncSendblueClient) -> None:
    """The blocking client is not awaited, and neither client passes for the other."""
    await other.get_contact("+14155550123")  # type: ignore[misc]
    mistaken: SendblueClient = other  # type: ignore[assignment]
    confused: SyncSendblueClient = one  # type: ignore[assignment]
    print(mistaken, confused)


def models(response: ContactResponse, raw: RawResponse) -> None:
    """What is sent and what comes back."""
    new = ContactCreate(
        number="+14155550123",
        first_name="Ada",
        last_name=CLEAR,
        assigned_to_email=None,
        sendblue_number=CLEAR,
        tags=["vip"],
        update_if_exists=True,
        custom_variables={"plan": "gold"},
        extra_body={"company_name": "A"},
    )
    assert_type(new.number, str)
    assert_type(new.first_name, "str | Clear | None")
    assert_type(new.tags, "tuple[str, ...] | Clear | None")
    assert_type(new.custom_variables, "dict[str, str] | Clear | None")
    assert_type(new.extra_body, dict[str, Any])
    assert_type(new.to_dict(), dict[str, Any])
    assert_type(new.agrees_with(response.contact), bool)
    assert_type(ContactUpdate(first_name="Ada").agrees_with(response.contact), bool)
    assert_type(ContactCreate.from_dict({"phone_number": "+14155550123"}), ContactCreate)
    marker: Clear = CLEAR
    print(marker, sendblue_async.__version__.upper())
    ContactCreate()  # type: ignore[call-arg]
    ContactCreate("+14155550123")  # type: ignore[call-arg]
    ContactCreate(number="+14155550123", tags=1)  # type: ignore[arg-type]
    new.first_name = "Grace"  # type: ignore[misc]

    contact = response.contact
    assert_type(contact, Contact)
    assert_type(contact.phone, "str | None")
    assert_type(contact.first_name, "str | None")
    assert_type(contact.last_name, "str | None")
    assert_type(contact.company_name, "str | None")
    assert_type(contact.assigned_to_email, "str | None")
    assert_type(contact.sendblue_number, "str | None")
    assert_type(contact.tags, "tuple[str, ...] | None")
    assert_type(contact.verified, "bool | None")
    assert_type(contact.created_at, "datetime | None")
    assert_type(contact.custom_variables, "dict[str, str] | None")
    assert_type(contact.opt_out, "bool | None")
    assert_type(contact.contact_id, "str | None")
    assert_type(contact.extra, dict[str, Any])
    assert_type(contact.to_dict(), dict[str, Any])
    print(datetime.now(), contact.first_name.upper())  # type: ignore[union-attr]

    assert_type(response.status, "str | None")
    assert_type(response.extra, dict[str, Any])
    assert_type(response.to_dict(), dict[str, Any])
    assert_type(response.meta, ResponseMeta)
    assert_type(response.meta.status_code, int)
    assert_type(response.meta.headers, dict[str, str])
    assert_type(response.meta.attempts, int)
    assert_type(response.meta.elapsed, float)
    assert_type(response.meta.settled, bool)
    assert_type(raw.data, Any)
    assert_type(raw.meta, ResponseMeta)


def errors(error: SendblueError) -> None:
    """What an error says."""
    assert_type(error.outcome, Outcome)
    assert_type(error.outcome, Literal["not_sent", "rejected", "unknown"])
    assert_type(error.method, "str | None")
    assert_type(error.url, "str | None")
    assert_type(error.status, "int | None")
    assert_type(error.attempts, int)
    assert_type(error.retry_after, "float | None")
    assert_type(error.snippet, "str | None")
    assert_type(error.cause, "str | None")
    assert_type(error.code, "str | None")
    assert_type(error.timed_out, bool)
    assert_type(error.maybe_applied, bool)
    if isinstance(error, ValidationError):
        assert_type(error.field, "str | None")
        refused: ValueError = error
        print(refused)
    api_error: APIError = ContactExistsError("", outcome="rejected", status=409)
    print(api_error)
    lost: Literal["lost"] = error.outcome  # type: ignore[assignment]
    print(lost, error.response)  # type: ignore[attr-defined]


async def sandbox(db: Path, context: SSLContext) -> None:
    """The sandbox, as tests use it."""
    faults = Faults(latency=0.5)
    async with Sandbox("127.0.0.1", 0, db, faults=faults, spelling="snake", ssl=context) as server:
        assert_type(server, Sandbox)
        assert_type(server.base_url, str)
        assert_type(server.api_key, str)
        assert_type(server.contacts, Mapping[str, dict[str, Any]])
        assert_type(server.counts, Counter[str])
        assert_type(server.requests, deque[ReceivedRequest])
        assert_type(server.requests[0].header("accept"), "str | None")
        assert_type(server.requests[0].body, bytes)
        server.faults = Faults.parse(["reset=0.1"])
        server.faults = {"reset": 0.1}  # type: ignore[assignment]
        server.contacts["+14155550123"] = {}  # type: ignore[index]
    assert_type(await server.start(), None)
    assert_type(await server.close(), None)
    assert_type(main(), None)
