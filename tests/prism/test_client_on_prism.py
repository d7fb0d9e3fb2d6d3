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
    ContactExistsError,
    ContactResponse,
    NotFoundError,
    RateLimitError,
    RetryPolicy,
    SendblueClient,
    ServerError,
    SyncSendblueClient,
)

NUMBER = "+1234567890"
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
            return await getattr(client, method)(**arguments)

    def blocking() -> Any:
        with client:
            return getattr(client, method)(**arguments)

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


ERRORS: list[tuple[str, int, type[APIError]]] = [
    ("create_contact", 400, BadRequestError),
    ("create_contact", 401, AuthenticationError),
    ("create_contact", 409, ContactExistsError),
    ("create_contact", 429, RateLimitError),
    ("create_contact", 500, ServerError),
    ("get_contact", 401, AuthenticationError),
    ("get_contact", 404, NotFoundError),
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
