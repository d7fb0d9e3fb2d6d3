"""The provider's own client works against the sandbox as it does against the service."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timezone
from typing import Any, TypeVar

import anyio.to_thread
import pytest
import sendblue_api
from sendblue_api import AsyncSendblueAPI, SendblueAPI

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
        assert updated.contact == created.contact.model_copy(update={"first_name": "Augusta"})
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
