"""Both clients against a mock server that somebody else's tool makes of the contract."""

from __future__ import annotations

from datetime import datetime, timezone
from typing import Any

import anyio
import pytest

from sendblue_async import (
    APIError,
    AuthenticationError,
    BadRequestError,
    BulkCreateResponse,
    BulkDeleteResponse,
    Contact,
    ContactExistsError,
    ContactPage,
    ContactResponse,
    CountResponse,
    NotFoundError,
    OptOutResponse,
    PermissionDeniedError,
    RateLimitError,
    RetryPolicy,
    SendblueClient,
    ServerError,
    StatusResponse,
    SyncSendblueClient,
    VerifiedContactList,
    VerifiedContactResponse,
)

NUMBER = "+1234567890"
NOT_THEIRS = {"extra", "meta"}
ALL_FIELDS: dict[str, Any] = {
    "number": NUMBER,
    "first_name": "John",
    "last_name": "Doe",
    "assigned_to_email": "agent@example.com",
    "sendblue_number": "+1987654321",
    "tags": ["customer", "vip"],
    "update_if_exists": True,
    "custom_variables": {"plan": "gold"},
}


async def ask(
    cls: type[SendblueClient | SyncSendblueClient],
    base_url: str,
    method: str,
    headers: dict[str, str] | None = None,
    *args: Any,
    **arguments: Any,
) -> Any:
    """What one call of a client of this class returns or raises, without a second attempt."""
    client = cls(
        "key",
        "secret",
        base_url=base_url,
        retry=RetryPolicy(attempts=1, settle=False),
        default_headers=headers,
    )
    if isinstance(client, SendblueClient):
        async with client:
            return await getattr(client, method)(*args, **arguments)

    def blocking() -> Any:
        with client:
            return getattr(client, method)(*args, **arguments)

    return await anyio.to_thread.run_sync(blocking)


pytestmark = [
    pytest.mark.anyio,
    pytest.mark.parametrize("cls", [SendblueClient, SyncSendblueClient]),
]


async def test_a_create_with_all_fields_is_valid_and_its_answer_is_read(
    prism_url: str, cls: type
) -> None:
    """Prism finds nothing against the request, and its example answer arrives field by field."""
    response = await ask(cls, prism_url, "create_contact", **ALL_FIELDS)
    assert isinstance(response, ContactResponse)
    assert (response.status, response.extra, response.meta.status_code) == ("OK", {}, 200)
    # Prism says here what it finds wrong with a request that it answers all the same.
    assert "sl-violations" not in response.meta.headers
    contact = response.contact
    assert contact.phone == NUMBER
    assert (contact.first_name, contact.last_name) == ("John", "Doe")
    assert contact.company_name == "Example Corp"
    assert contact.assigned_to_email == "agent@example.com"
    assert contact.sendblue_number == "+1987654321"
    assert contact.tags == ("customer", "vip")
    assert contact.verified is True
    assert contact.created_at == datetime(2024, 1, 15, 10, 30, tzinfo=timezone.utc)
    assert contact.extra == {}


async def test_the_deprecated_status_of_a_create_is_a_success(prism_url: str, cls: type) -> None:
    """An older server's 201, made up of the schema alone, is read like a 200."""
    headers = {"Prefer": "code=201"}
    response = await ask(cls, prism_url, "create_contact", headers, number=NUMBER)
    assert response.meta.status_code == 201
    assert isinstance(response.contact.phone, str)


async def test_a_get_finds_its_path_and_its_answer_is_read(prism_url: str, cls: type) -> None:
    """Prism knows the path of a fetched contact; its answer has the types of the schema."""
    response = await ask(cls, prism_url, "get_contact", number=NUMBER)
    assert isinstance(response, ContactResponse)
    assert response.meta.status_code == 200
    assert isinstance(response.contact.phone, str)
    assert response.contact.created_at is not None
    assert response.contact.created_at.tzinfo is not None
    assert isinstance(response.contact.tags, tuple)


# Every operation besides creating and fetching; the first two as full as the contract allows.
OPERATIONS: list[tuple[str, tuple[Any, ...], dict[str, Any], type]] = [
    (
        "list_contacts",
        (),
        {
            "limit": 1000,
            "offset": 10_000,
            "order_by": "created_at",
            "order_direction": "asc",
            "number": NUMBER,
            "contact_id": "c-1",
            "created_at_gte": datetime(2026, 1, 31, tzinfo=timezone.utc),
        },
        ContactPage,
    ),
    (
        "update_contact",
        (NUMBER,),
        {
            "first_name": "John",
            "last_name": "Doe",
            "company_name": "Example Corp",
            "assigned_to_email": "agent@example.com",
            "sendblue_number": "+1987654321",
            "opt_out": True,
            "tags": ["customer", "vip"],
            "custom_variables": {"plan": "gold"},
        },
        ContactResponse,
    ),
    ("delete_contact", (NUMBER,), {}, StatusResponse),
    ("count_contacts", (), {}, CountResponse),
    ("verify_contact", (NUMBER,), {}, StatusResponse),
    ("opt_out_contact", (NUMBER,), {"opted_out": False}, OptOutResponse),
    (
        "create_contacts_bulk",
        (
            [
                {"number": NUMBER, "company_name": "Example Corp", "first_name": "John"},
                {"number": "+1987654321", "tags": ["vip"], "custom_variables": {"plan": "gold"}},
            ],
        ),
        {},
        BulkCreateResponse,
    ),
    ("delete_contacts_bulk", ([NUMBER, "+1987654321"],), {}, BulkDeleteResponse),
    ("create_verified_contact", (NUMBER,), {}, VerifiedContactResponse),
    ("get_verified_contact", (NUMBER,), {}, VerifiedContactResponse),
    ("list_verified_contacts", (), {}, VerifiedContactList),
]


@pytest.mark.parametrize(("method", "args", "kwargs", "answer"), OPERATIONS)
async def test_every_operation_is_valid_and_its_answer_is_read(
    prism_url: str,
    cls: type,
    method: str,
    args: tuple[Any, ...],
    kwargs: dict[str, Any],
    answer: type,
) -> None:
    """Prism finds nothing against the request, and each field of its answer is read."""
    response = await ask(cls, prism_url, method, None, *args, **kwargs)
    assert type(response) is answer
    assert response.meta.status_code == 200
    assert "sl-violations" not in response.meta.headers
    assert getattr(response, "extra", {}) == {}
    fields = {name: value for name, value in vars(response).items() if name not in NOT_THEIRS}
    assert None not in fields.values()


async def test_iterating_is_valid(prism_url: str, cls: type) -> None:
    """The pages of a walk are asked for as the contract allows."""

    async def pages() -> list[Contact]:
        async with SendblueClient("key", "secret", base_url=prism_url) as client:
            return [contact async for contact in client.iter_contacts()]

    def blocking() -> list[Contact]:
        with SyncSendblueClient("key", "secret", base_url=prism_url) as client:
            return list(client.iter_contacts())

    contacts = await (pages() if cls is SendblueClient else anyio.to_thread.run_sync(blocking))
    # Prism makes one contact up, which is less than a page.
    assert [type(contact.phone) for contact in contacts] == [str]


ERRORS: list[tuple[str, int, type[APIError]]] = [
    ("create_contact", 400, BadRequestError),
    ("create_contact", 401, AuthenticationError),
    ("create_contact", 403, PermissionDeniedError),
    ("create_contact", 409, ContactExistsError),
    ("create_contact", 429, RateLimitError),
    ("create_contact", 500, ServerError),
    ("get_contact", 401, AuthenticationError),
    ("get_contact", 403, PermissionDeniedError),
    ("get_contact", 404, NotFoundError),
    ("delete_contact", 404, NotFoundError),
    ("create_verified_contact", 400, BadRequestError),
    ("create_verified_contact", 401, AuthenticationError),
    ("get_verified_contact", 404, NotFoundError),
]


@pytest.mark.parametrize(("method", "status", "error"), ERRORS)
async def test_each_error_of_the_contract_is_a_typed_one(
    prism_url: str, cls: type, method: str, status: int, error: type[APIError]
) -> None:
    """Each error answer that the contract has becomes the error of its status."""
    headers = {"Prefer": f"code={status}"}
    with pytest.raises(error) as caught:
        await ask(cls, prism_url, method, headers, number=NUMBER)
    assert type(caught.value) is error
    assert caught.value.status == status
    assert caught.value.outcome == ("unknown" if status == 500 else "rejected")
    assert caught.value.snippet
