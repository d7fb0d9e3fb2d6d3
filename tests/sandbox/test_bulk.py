"""Creating and deleting many contacts with one request."""

from __future__ import annotations

import io
import json
import sqlite3
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.anyio

CONTACTS = "/api/v2/contacts"


async def create(api: Any, *contacts: object) -> Any:
    """Create contacts in bulk."""
    return await api.act("POST", "bulk", contacts=list(contacts))


async def test_a_bulk_create_makes_whole_contacts(each_api: Any) -> None:
    """Each entry becomes a contact as a single create would, in the order given."""
    full = {
        "first_name": "Zoë",
        "last_name": "Lovelace",
        "company_name": "Example",
        "tags": ["vip"],
        "custom_variables": {"Plan": "gold"},
    }
    reply = await create(
        each_api, {"phone": "+1 415 555 0199", **full}, {"phone": "+14155550123", "tags": None}
    )
    assert reply.status == 200
    assert set(reply.json) == {"contacts", "status"}
    assert reply.json["status"] == "OK"
    first, second = reply.contacts
    assert first.items() >= {**full, "phone": "+14155550199"}.items()
    assert dict(each_api.sandbox.contacts) == {"+14155550199": first, "+14155550123": second}
    assert list(each_api.sandbox.contacts) == ["+14155550199", "+14155550123"]
    assert each_api.sandbox.counts == {"requests": 1, "created": 2}
    await each_api.at("+14155550123", "DELETE")
    single = (await each_api.create()).contact
    assert {**single, "created_at": second["created_at"]} == second


async def test_a_bulk_create_leaves_stored_contacts_alone(each_api: Any) -> None:
    """A number that is stored is left as it is and out of the answer."""
    before = (await each_api.create(first_name="Ada")).contact
    reply = await create(
        each_api, {"phone": "+1 (415) 555-0123", "first_name": "Eve"}, {"phone": "+14155550199"}
    )
    assert [contact["phone"] for contact in reply.json["contacts"]] == ["+14155550199"]
    assert (await each_api.get()).contact == before
    assert each_api.sandbox.counts == {"requests": 3, "created": 2}


async def test_a_number_twice_counts_once(each_api: Any) -> None:
    """Of two entries with one number, however spelled, the first is stored."""
    reply = await create(
        each_api,
        {"phone": "+14155550123", "first_name": "Ada"},
        {"phone": "+1-415-555-0123", "first_name": "Eve"},
    )
    [contact] = reply.contacts
    assert contact["first_name"] == "Ada"
    assert dict(each_api.sandbox.contacts) == {"+14155550123": contact}
    assert each_api.sandbox.counts == {"requests": 1, "created": 1}


async def test_a_bulk_create_of_nothing_new_is_no_error(each_api: Any) -> None:
    """No entries, or only stored ones, answer OK with no contacts."""
    nothing = {"contacts": [], "status": "OK"}
    assert (await create(each_api)).json == nothing
    assert each_api.sandbox.counts == {"requests": 1}
    await each_api.create()
    reply = await create(each_api, {"phone": "+14155550123"})
    assert (reply.status, reply.json) == (200, nothing)
    assert each_api.sandbox.counts == {"requests": 3, "created": 1}


async def test_an_entry_has_no_other_spellings(each_api: Any) -> None:
    """What a single create or update would take is ignored where the contract does not have it."""
    ignored = {"firstName": "Ada", "opt_out": True, "sendblue_number": "+19875550100", "x": [1]}
    [contact] = (await create(each_api, {"phone": "+14155550123", **ignored})).contacts
    assert contact["first_name"] is contact["sendblue_number"] is None
    assert contact["opt_out"] is False


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({}, "contacts[1]: Missing fields"),
        ({"phone": None}, "contacts[1]: Missing fields"),
        ({"phone": ""}, "contacts[1]: Missing fields"),
        ({"number": "+14155550199"}, "contacts[1]: Missing fields"),
        ({"phone": "nonsense"}, "contacts[1]: Invalid phone number"),
        ({"phone": 14155550199}, "contacts[1]: phone must be a string"),
        ({"phone": "+14155550199", "tags": "vip"}, "contacts[1]: tags must be a list of strings"),
        (
            {"phone": "+14155550199", "custom_variables": {"a": 1}},
            "contacts[1]: custom_variables must be an object of strings",
        ),
        (
            {"phone": "+14155550199", "company_name": 1},
            "contacts[1]: company_name must be a string",
        ),
        ("+14155550199", "contacts[1] must be an object"),
        (None, "contacts[1] must be an object"),
    ],
)
async def test_a_malformed_entry_refuses_the_whole(
    each_api: Any, wrong: object, message: str
) -> None:
    """The answer is 400 with the place of the first bad entry, and nothing is stored."""
    reply = await create(each_api, {"phone": "+14155550123"}, wrong, {"phone": 1})
    assert reply.refusal == (400, message)
    assert not each_api.sandbox.contacts
    assert each_api.sandbox.counts == {"requests": 1}


@pytest.mark.parametrize(
    ("method", "path", "name", "kind"),
    [
        ("POST", f"{CONTACTS}/bulk", "contacts", "objects"),
        ("DELETE", CONTACTS, "contact_ids", "strings"),
    ],
)
async def test_a_bulk_body_needs_its_list(
    api: Any, method: str, path: str, name: str, kind: str
) -> None:
    """Without the list, or with something else in its place, the answer is 400."""
    for body in ({}, {name: None}, {"numbers": []}):
        reply = await api.request(method, path, json=body)
        assert reply.refusal == (400, "Missing fields")
    for value in ({}, "+14155550123", 1, True):
        reply = await api.request(method, path, json={name: value})
        assert reply.refusal == (400, f"{name} must be a list of {kind}")


async def test_a_thousand_contacts_fit_one_request(each_api: Any) -> None:
    """A thousand full entries are below the limit of a body; ten thousand are refused whole."""
    entry = {
        "first_name": "Ada" * 10,
        "last_name": "Lovelace" * 5,
        "company_name": "Example " * 5,
        "tags": ["customer", "vip"],
        "custom_variables": {"Plan": "gold", "City": "Paris"},
    }
    contacts = [{"phone": f"+1415{n:07}", **entry} for n in range(10_000)]
    reply = await create(each_api, *contacts[:1000])
    assert len(reply.json["contacts"]) == len(each_api.sandbox.contacts) == 1000
    body = io.BytesIO(json.dumps({"contacts": contacts}).encode())
    reply = await each_api.request("POST", "/api/v2/contacts/bulk", data=body)
    assert reply.refusal == (413, "The body is too large")
    assert each_api.sandbox.counts["created"] == 1000


async def test_a_bulk_create_answers_in_camel_case(start: Any) -> None:
    """On demand each contact has camelCase keys, while the request keeps its names."""
    api = await start(spelling="camel")
    reply = await create(api, {"phone": "+14155550123", "company_name": "Example"})
    assert reply.json["contacts"] == [(await api.get()).json["contact"]]
    assert reply.json["contacts"][0]["companyName"] == "Example"


async def test_a_bulk_delete_says_how_many_there_were(each_api: Any) -> None:
    """Stored numbers in any spelling count, each once; unknown ones do not; the rest stays."""
    for numbers in ([], ["+14155550100"]):
        reply = await each_api.request("DELETE", CONTACTS, json={"contact_ids": numbers})
        assert (reply.status, reply.json) == (200, {"amount": 0, "status": "OK"})
    assert each_api.sandbox.counts == {"requests": 2}
    await create(each_api, *({"phone": f"+1415555010{n}"} for n in range(4)))
    numbers = ["+14155550100", "+1 415 555 0102", "+14155550102", "+14155550199"]
    reply = await each_api.request("DELETE", CONTACTS, json={"contact_ids": numbers})
    assert (reply.status, reply.json) == (200, {"amount": 2, "status": "OK"})
    assert list(each_api.sandbox.contacts) == ["+14155550101", "+14155550103"]
    again = await each_api.request("DELETE", CONTACTS, json={"contact_ids": numbers})
    assert again.json == {"amount": 0, "status": "OK"}
    assert each_api.sandbox.counts == {"requests": 5, "created": 4, "deleted": 2}


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ("nonsense", "contact_ids[1]: Invalid phone number"),
        ("", "contact_ids[1]: Invalid phone number"),
        (14155550123, "contact_ids[1] must be a string"),
        (None, "contact_ids[1] must be a string"),
    ],
)
async def test_a_bulk_delete_refuses_what_is_no_number(
    each_api: Any, wrong: object, message: str
) -> None:
    """The answer is 400 with the place of the first bad item, and nothing is deleted."""
    await each_api.create()
    body = {"contact_ids": ["+14155550123", wrong, 1]}
    assert (await each_api.request("DELETE", CONTACTS, json=body)).refusal == (400, message)
    assert len(each_api.sandbox.contacts) == 1
    assert each_api.sandbox.counts == {"requests": 2, "created": 1}


async def test_a_bulk_request_fails_as_a_whole(
    start: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An error of the store halfway through leaves nothing of the request behind."""
    api = await start(db=tmp_path / "contacts.db")
    put, remove = api.sandbox._store.put, api.sandbox._store.remove
    contacts = [{"phone": f"+1415555010{n}"} for n in range(3)]
    numbers = [contact["phone"] for contact in contacts]

    def put_but_one(contact: Any) -> None:
        if contact.phone == numbers[2]:
            raise sqlite3.OperationalError("disk full")
        put(contact)

    def remove_but_one(number: str) -> bool:
        if number == numbers[2]:
            raise sqlite3.OperationalError("disk full")
        return bool(remove(number))

    with monkeypatch.context() as patched:
        patched.setattr(api.sandbox._store, "put", put_but_one)
        assert (await create(api, *contacts)).status == 500
    assert not api.sandbox.contacts
    assert (await create(api, *contacts)).status == 200
    with monkeypatch.context() as patched:
        patched.setattr(api.sandbox._store, "remove", remove_but_one)
        reply = await api.request("DELETE", CONTACTS, json={"contact_ids": numbers})
        assert reply.status == 500
    assert list(api.sandbox.contacts) == numbers
    assert api.sandbox.counts == {"requests": 3, "created": 3}
