"""The mock server itself, asked without our client."""

import aiohttp
import pytest

AUTH = {"sb-api-key-id": "key", "sb-api-secret-key": "secret"}

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize(("headers", "status"), [(AUTH, 200), ({}, 401)])
async def test_prism_answers_with_the_example_of_the_contract_to_those_with_keys(
    prism_url: str, headers: dict[str, str], status: int
) -> None:
    """A create gets the example answer when both auth headers are there, and 401 otherwise."""
    async with (
        aiohttp.ClientSession(prism_url, headers=headers) as session,
        session.post("/api/v2/contacts", json={"number": "+14155550123"}) as response,
    ):
        answer = await response.json()

    assert response.status == status
    assert answer["status"] == ("OK" if status == 200 else "ERROR")
    if status == 200:
        assert answer["contact"]["first_name"] == "John"
