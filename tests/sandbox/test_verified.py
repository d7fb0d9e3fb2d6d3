"""Verified contacts, as the sandbox keeps them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from sendblue_async.sandbox import Faults

pytestmark = pytest.mark.anyio

NUMBER = "+14155550123"
ALL = "/v3/verified-contacts"
ONE = f"{ALL}/%2B14155550123"


async def create(api: Any, number: str = NUMBER) -> Any:
    """Create a verified contact."""
    return await api.request("POST", ALL, json={"phone_number": number})


async def test_one_is_created_once_and_returned_from_then_on(api: Any) -> None:
    """To create one again answers with the same contact, pending, and what the person has to do."""
    first, again = await create(api), await create(api, "+1 (415) 555-0123")
    assert first.status == again.status == 200
    assert first.json == again.json == (await api.request("GET", ONE)).json
    data = first.json["data"]
    assert data["contact"]["phone_number"] == NUMBER
    assert data["contact"]["verified"] is False
    assert data["contact"]["verification_status"] == "pending"
    assert data["line"]["type"] == "shared"
    assert data["line"]["phone_number"] in data["verification_instructions"]
    assert api.sandbox.counts["verified_contacts"] == 1


async def test_they_are_not_contacts_of_the_account(api: Any) -> None:
    """Neither resource shows what was created in the other."""
    await create(api)
    await api.create("+14155550124")
    assert list(api.sandbox.contacts) == ["+14155550124"]
    assert (await api.get()).status == 404
    listed = await api.request("GET", ALL)
    assert [each["phone_number"] for each in listed.json["data"]["contacts"]] == [NUMBER]


async def test_all_are_listed_newest_first(api: Any) -> None:
    """A list has every one of them, beyond the pages that contacts come in, and their line."""
    numbers = [f"+1415555{n:04}" for n in range(120)]
    for number in numbers:
        await create(api, number)
    data = (await api.request("GET", ALL)).json["data"]
    assert [each["phone_number"] for each in data["contacts"]] == numbers[::-1]
    assert data["line"]["type"] == "shared"


async def test_a_person_who_writes_is_verified(api: Any) -> None:
    """Confirming verifies what has the number, contact or verified contact, and nothing else."""
    await create(api)
    with pytest.raises(KeyError, match="0199"):
        api.sandbox.confirm_verification("+14155550199")
    api.sandbox.confirm_verification(NUMBER)
    data = (await api.request("GET", ONE)).json["data"]
    assert data["contact"]["verified"] is True
    assert data["contact"]["verification_status"] == "verified"
    assert data["verification_instructions"] is None
    await api.create()
    assert (await api.get()).contact["verified"] is False
    api.sandbox.confirm_verification(NUMBER)
    assert (await api.get()).contact["verified"] is True


@pytest.mark.parametrize(
    ("method", "path", "options", "status", "code", "message"),
    [
        ("POST", ALL, {"json": {}}, 400, "bad_request", "Missing fields"),
        ("POST", ALL, {"json": {"phone_number": 1}}, 400, "bad_request", "must be a string"),
        ("POST", ALL, {"json": {"phone_number": "1"}}, 400, "bad_request", "Invalid phone number"),
        ("POST", ALL, {"data": b"{"}, 400, "bad_request", "not JSON"),
        ("GET", ONE, {}, 404, "not_found", "Contact not found"),
        ("GET", f"{ALL}/nobody", {}, 404, "not_found", "Contact not found"),
        ("GET", "/v3/elsewhere", {}, 404, "not_found", "Not found"),
        ("DELETE", ONE, {}, 405, "method_not_allowed", "Method not allowed"),
        ("PUT", ALL, {}, 405, "method_not_allowed", "Method not allowed"),
    ],
)
async def test_refusals_have_the_shape_of_v3(
    api: Any, method: str, path: str, options: Any, status: int, code: str, message: str
) -> None:
    """What is refused under ``/v3`` is an object ``error`` with a code and a message."""
    reply = await api.request(method, path, **options)
    assert reply.status == status
    assert reply.json.keys() == {"error"}
    assert reply.json["error"]["code"] == code
    assert message in reply.json["error"]["message"]


async def test_keys_and_faults_count_here_too(api: Any) -> None:
    """Wrong keys and the dials are answered in the shape of ``/v3`` as well."""
    wrong = {**api.keys, "sb-api-secret-key": "wrong"}
    reply = await api.request("GET", ALL, headers=wrong)
    assert (reply.status, reply.json["error"]["code"]) == (401, "unauthorized")
    api.sandbox.faults = Faults(too_many_requests=1)
    reply = await api.request("GET", ALL)
    assert (reply.status, reply.json["error"]["code"]) == (429, "too_many_requests")
    api.sandbox.faults = Faults(server_error=1, server_error_status=500)
    reply = await api.request("GET", ALL)
    assert (reply.status, reply.json["error"]["code"]) == (500, "internal_server_error")


async def test_they_survive_a_restart(start: Any, tmp_path: Path) -> None:
    """With a file they are kept as contacts are, each in its own table."""
    path = tmp_path / "contacts.db"
    first = await start(db=path)
    await create(first)
    await first.create("+14155550124")
    await first.sandbox.close()
    second = await start(db=path)
    assert (await second.request("GET", ONE)).status == 200
    assert list(second.sandbox.contacts) == ["+14155550124"]


async def test_reads_lag_here_too(start: Any) -> None:
    """One that was just created is not seen by reads for so many seconds."""
    now = [1000.0]
    api = await start(clock=lambda: now[0], faults=Faults(read_lag=2))
    await create(api)
    assert (await api.request("GET", ONE)).status == 404
    now[0] += 2
    assert (await api.request("GET", ONE)).status == 200
