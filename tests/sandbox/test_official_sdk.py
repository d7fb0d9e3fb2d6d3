"""The provider's own client works against the sandbox as it does against the service."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta, timezone
from typing import Any, TypeVar

import anyio.to_thread
import pytest
import sendblue_api
from sendblue_api import AsyncSendblueAPI, SendblueAPI

from sendblue_async import SendblueClient
from sendblue_async.sandbox import Faults

pytestmark = pytest.mark.anyio

T = TypeVar("T")
REFUSALS = [
    ({"number": "nonsense"}, sendblue_api.BadRequestError, "Invalid phone number"),
    ({"number": ""}, sendblue_api.BadRequestError, "Missing fields"),
    ({"number": "+14155550123"}, sendblue_api.ConflictError, "Contact already exists"),
]


def arguments(api: Any, **changed: Any) -> dict[str, Any]:
    """What a client of the SDK needs to reach the sandbox."""
    sandbox = api.sandbox
    return {
        "api_key": sandbox.api_key,
        "api_secret": sandbox.api_secret,
        "base_url": sandbox.base_url,
        "max_retries": 0,
        **changed,
    }


async def with_sync_client(api: Any, call: Callable[[SendblueAPI], T], **changed: Any) -> T:
    """What a call of the synchronous client gives, made on a thread of its own."""

    def run() -> T:
        with SendblueAPI(**arguments(api, **changed)) as client:
            return call(client)

    return await anyio.to_thread.run_sync(run)


async def test_the_async_client_creates_upserts_and_fetches(api: Any) -> None:
    """Each step answers with the typed contact as it then stands."""
    async with AsyncSendblueAPI(**arguments(api)) as client:
        created = await client.contacts.create(
            number="+1 (415) 555-0123",
            body_first_name_1="Ada",
            body_last_name_2="Lovelace",
            tags=["vip"],
            custom_variables={"Plan": "gold"},
        )
        assert created.status == "OK"
        assert created.contact is not None
        assert created.contact.phone == "+14155550123"
        assert created.contact.first_name == "Ada"
        assert created.contact.last_name == "Lovelace"
        assert created.contact.created_at is not None
        age = datetime.now(timezone.utc) - created.contact.created_at
        assert abs(age.total_seconds()) < 10
        updated = await client.contacts.create(
            number="+14155550123", body_first_name_1="Augusta", update_if_exists=True
        )
        renamed = {"first_name": "Augusta", "firstName": "Augusta"}
        assert updated.contact == created.contact.model_copy(update=renamed)
        fetched = await client.contacts.retrieve("+14155550123")
        assert fetched.contact == updated.contact


async def test_the_sync_client_creates_upserts_and_fetches(api: Any) -> None:
    """The synchronous client sees the same contacts."""

    def steps(client: SendblueAPI) -> None:
        created = client.contacts.create(number="+14155550123", body_first_name_2="Ada")
        updated = client.contacts.create(number="+14155550123", tags=["vip"], update_if_exists=True)
        fetched = client.contacts.retrieve("+14155550123")
        assert created.contact is not None
        assert created.contact.first_name == "Ada"
        assert updated.contact is not None
        assert updated.contact.tags == ["vip"]
        assert fetched.contact == updated.contact

    await with_sync_client(api, steps)
    assert api.sandbox.counts == {"requests": 3, "created": 1, "updated": 1}


FULL = {
    "body_first_name_1": "Zoë",
    "body_last_name_1": "Lovelace",
    "body_company_name_1": "Example",
    "body_assigned_to_email_1": "agent@example.com",
    "body_sendblue_number_1": "+19875550100",
    "body_opt_out_1": True,
    "tags": ["vip"],
    "custom_variables": {"Plan": "red"},
}
DEPRECATED = {
    "body_first_name_2": "Ada",
    "body_last_name_2": "King",
    "body_company_name_2": "Old",
    "body_assigned_to_email_2": "old@example.com",
    "body_sendblue_number_2": "+19875550199",
    "body_opt_out_2": False,
}
ENTRIES = [
    {
        "phone": f"+1415555010{n}",
        "first_name": f"N{n}",
        "last_name": "L",
        "company_name": "Example",
        "tags": ["vip"],
        "custom_variables": {"Plan": "gold"},
    }
    for n in range(4)
]
COUNTS = {
    "created": 4,
    "updated": 2,
    "deleted": 3,
    "verifications": 1,
    "opt_outs": 2,
}


def check_update(updated: Any, again: Any) -> None:
    """An update with the preferred spellings, then one with the deprecated ones alone."""
    first, second = updated.contact, again.contact
    assert (first.first_name, first.last_name) == ("Zoë", "Lovelace")
    assert (first.company_name, first.assigned_to_email) == ("Example", "agent@example.com")
    assert (first.sendblue_number, first.opt_out) == ("+19875550100", True)
    assert (first.tags, first.custom_variables) == (["vip"], {"Plan": "red"})
    assert (second.first_name, second.last_name) == ("Ada", "King")
    assert (second.company_name, second.assigned_to_email) == ("Old", "old@example.com")
    assert (second.sendblue_number, second.opt_out) == ("+19875550199", False)
    assert (second.tags, second.custom_variables) == (["vip"], {"Plan": "red"})
    assert updated.status == again.status == "OK"


def numbers(contacts: Any) -> list[str]:
    """The last digits of the contacts of a list or of a bulk create."""
    return [contact.phone[-1] for contact in contacts]


async def test_the_async_client_has_every_operation(api: Any) -> None:
    """Bulk create, list, count, update, verify, opt out, delete and bulk delete, with answers."""
    async with AsyncSendblueAPI(**arguments(api)) as client:
        contacts = client.contacts
        created = await contacts.bulk.create(contacts=ENTRIES)
        assert (created.status, numbers(created.contacts)) == ("OK", ["0", "1", "2", "3"])
        assert (await contacts.bulk.create(contacts=ENTRIES)).contacts == []
        assert await contacts.list() == created.contacts[::-1]
        assert await contacts.list(order_by="phone", order_direction="asc") == created.contacts
        assert numbers(await contacts.list(limit=2, offset=1)) == ["2", "1"]
        assert numbers(await contacts.list(phone_number="+14155550101")) == ["1"]
        assert numbers(await contacts.list(cid=created.contacts[2].contact_id)) == ["2"]
        now = datetime.now(timezone.utc)
        early, late = now - timedelta(minutes=1), now + timedelta(minutes=1)
        assert numbers(await contacts.list(created_at_gte=early)) == ["3", "2", "1", "0"]
        assert await contacts.list(created_at_gte=late.isoformat()) == []
        assert (await contacts.count()).count == 4
        updated = await contacts.update("+14155550100", **FULL, **DEPRECATED)
        check_update(updated, await contacts.update("+14155550100", **DEPRECATED))
        assert (await contacts.verify(number="+14155550100")).status == "OK"
        opted = await contacts.opt_out(number="+1 415 555 0100")
        assert (opted.number, opted.opted_out, opted.status) == ("+14155550100", True, "OK")
        opted = await contacts.opt_out(number="+14155550100", opted_out=False)
        assert (opted.number, opted.opted_out, opted.status) == ("+14155550100", False, "OK")
        assert (await contacts.delete("+14155550103")).status == "OK"
        deleted = await contacts.bulk.delete(
            contact_ids=["+14155550102", "+14155550101", "+1999999"]
        )
        assert (deleted.amount, deleted.status) == (2, "OK")
        assert numbers(await contacts.list()) == ["0"]
    assert api.sandbox.counts == {**COUNTS, "requests": api.sandbox.counts["requests"]}


async def test_the_sync_client_has_every_operation(api: Any) -> None:
    """The synchronous client gets the same answers."""

    def steps(client: SendblueAPI) -> None:
        contacts = client.contacts
        created = contacts.bulk.create(contacts=ENTRIES)
        assert (created.status, numbers(created.contacts)) == ("OK", ["0", "1", "2", "3"])
        assert contacts.list() == created.contacts[::-1]
        early = datetime.now(timezone.utc) - timedelta(minutes=1)
        listed = contacts.list(
            cid=created.contacts[1].contact_id,
            phone_number="+14155550101",
            created_at_gte=early,
            limit=1,
            offset=0,
            order_by="firstName",
            order_direction="asc",
        )
        assert numbers(listed) == ["1"]
        assert contacts.count().count == 4
        updated = contacts.update("+14155550100", **FULL, **DEPRECATED)
        check_update(updated, contacts.update("+14155550100", **DEPRECATED))
        assert contacts.verify(number="+14155550100").status == "OK"
        assert contacts.opt_out(number="+14155550100").opted_out is True
        assert contacts.opt_out(number="+14155550100", opted_out=False).opted_out is False
        assert contacts.delete("+14155550103").status == "OK"
        deleted = contacts.bulk.delete(contact_ids=["+14155550102", "+14155550101", "+1999999"])
        assert (deleted.amount, deleted.status) == (2, "OK")
        assert numbers(contacts.list()) == ["0"]

    await with_sync_client(api, steps)
    assert api.sandbox.counts == {**COUNTS, "requests": api.sandbox.counts["requests"]}


async def test_our_bulk_delete_is_the_request_that_the_sdk_sends(api: Any) -> None:
    """Both clients send the same method, path and body, and both delete."""
    numbers = [entry["phone"] for entry in ENTRIES]
    sandbox = api.sandbox
    async with (
        AsyncSendblueAPI(**arguments(api)) as theirs,
        SendblueClient(sandbox.api_key, sandbox.api_secret, base_url=sandbox.base_url) as ours,
    ):
        await theirs.contacts.bulk.create(contacts=ENTRIES)
        assert (await theirs.contacts.bulk.delete(contact_ids=numbers[:2])).amount == 2
        assert (await ours.delete_contacts_bulk(numbers[:2])).amount == 0
        assert (await ours.delete_contacts_bulk(numbers[2:])).amount == 2
    _, sent_by_sdk, sent_by_us, _ = [
        (request.method, request.path, request.json) for request in sandbox.requests
    ]
    assert sent_by_us == sent_by_sdk
    assert sent_by_us == ("DELETE", "/api/v2/contacts", {"contact_ids": numbers[:2]})
    assert not sandbox.contacts


@pytest.mark.parametrize("name", ["update", "delete", "verify", "opt_out"])
async def test_an_unknown_contact_is_its_not_found_error(api: Any, name: str) -> None:
    """What nobody has for a number is the SDK's own error in every operation on one contact."""
    by_keyword = name in ("verify", "opt_out")
    async with AsyncSendblueAPI(**arguments(api)) as client:
        operation = getattr(client.contacts, name)
        with pytest.raises(sendblue_api.NotFoundError) as caught:
            await (operation(number="+14155550123") if by_keyword else operation("+14155550123"))
    assert caught.value.body == {"status": "ERROR", "message": "Contact not found"}


async def test_refused_lists_and_bulk_requests_are_its_bad_request_error(api: Any) -> None:
    """What the sandbox refuses with 400 is the SDK's own error."""
    async with AsyncSendblueAPI(**arguments(api)) as client:
        for refused in (
            client.contacts.list(limit=1001),
            client.contacts.list(created_at_gte="yesterday"),
            client.contacts.bulk.create(contacts=[{"phone": "nonsense"}]),
            client.contacts.bulk.delete(contact_ids=["nonsense"]),
        ):
            with pytest.raises(sendblue_api.BadRequestError):
                await refused


@pytest.mark.parametrize(("sent", "error", "message"), REFUSALS)
async def test_the_async_client_raises_its_typed_errors(
    api: Any, sent: dict[str, str], error: type[sendblue_api.APIStatusError], message: str
) -> None:
    """400 and 409 become the SDK's own errors with the sandbox's body."""
    await api.create()
    async with AsyncSendblueAPI(**arguments(api)) as client:
        with pytest.raises(error) as caught:
            await client.contacts.create(**sent)
        assert caught.value.body == {"status": "ERROR", "message": message}
        with pytest.raises(sendblue_api.NotFoundError):
            await client.contacts.retrieve("+14155550199")
    async with AsyncSendblueAPI(**arguments(api, api_secret="wrong")) as client:
        with pytest.raises(sendblue_api.AuthenticationError):
            await client.contacts.retrieve("+14155550123")


@pytest.mark.parametrize(("sent", "error", "message"), REFUSALS)
async def test_the_sync_client_raises_its_typed_errors(
    api: Any, sent: dict[str, str], error: type[sendblue_api.APIStatusError], message: str
) -> None:
    """400, 401, 404 and 409 become the SDK's own errors here too."""
    await api.create()
    with pytest.raises(error) as caught:
        await with_sync_client(api, lambda client: client.contacts.create(**sent))
    assert caught.value.body == {"status": "ERROR", "message": message}
    with pytest.raises(sendblue_api.NotFoundError):
        await with_sync_client(api, lambda client: client.contacts.retrieve("+14155550199"))
    with pytest.raises(sendblue_api.AuthenticationError):
        await with_sync_client(
            api, lambda client: client.contacts.retrieve("+14155550123"), api_key="wrong"
        )


async def test_its_retries_meet_the_contact_they_made(start: Any) -> None:
    """An answer lost after the commit makes the SDK report its own create as a conflict."""
    api = await start(faults=Faults(drop_after_commit=1))
    async with AsyncSendblueAPI(**arguments(api)) as client:
        with pytest.raises(sendblue_api.APIConnectionError):
            await client.contacts.create(number="+14155550123")
        api.sandbox.faults = Faults()
        with pytest.raises(sendblue_api.ConflictError):
            await client.contacts.create(number="+14155550123")
    assert api.sandbox.counts["created"] == 1
