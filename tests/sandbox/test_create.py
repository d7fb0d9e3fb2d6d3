"""The rules of creating, updating and fetching a contact."""

from __future__ import annotations

import asyncio
import gzip
import io
import re
import uuid
from datetime import datetime, timedelta, timezone
from typing import Any

import pytest

from sendblue_async.sandbox import Sandbox

pytestmark = pytest.mark.anyio

FIELDS = {
    "phone",
    "first_name",
    "last_name",
    "company_name",
    "assigned_to_email",
    "sendblue_number",
    "tags",
    "verified",
    "created_at",
    "custom_variables",
    "opt_out",
    "contact_id",
}


async def test_a_create_answers_with_the_stored_contact(api: Any) -> None:
    """All that was sent comes back under the twelve names, in an envelope with status OK."""
    sent = {
        "first_name": "Zoë",
        "last_name": "Lovelace",
        "assigned_to_email": "agent@example.com",
        "sendblue_number": "+19875550100",
        "tags": ["vip", "early"],
        "custom_variables": {"Plan": "gold"},
    }
    reply = await api.create(**sent)
    assert reply.status == 200
    assert reply.json["status"] == "OK"
    assert set(reply.json) == {"contact", "status"}
    assert set(reply.contact) == FIELDS
    assert reply.contact.items() >= {**sent, "phone": "+14155550123"}.items()
    assert "Zoë".encode() in reply.body
    assert api.sandbox.contacts == {"+14155550123": reply.contact}


async def test_a_bare_create_has_empty_fields(api: Any) -> None:
    """What was not given is null, false or empty, and the server sets the rest."""
    contact = (await api.create()).contact
    assert contact["first_name"] is contact["last_name"] is contact["company_name"] is None
    assert contact["assigned_to_email"] is contact["sendblue_number"] is None
    assert contact["tags"] == []
    assert contact["custom_variables"] == {}
    assert contact["verified"] is contact["opt_out"] is False
    assert uuid.UUID(contact["contact_id"]).version == 4
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", contact["created_at"])
    created = datetime.strptime(contact["created_at"], "%Y-%m-%dT%H:%M:%S%z")
    assert abs(datetime.now(timezone.utc) - created) < timedelta(seconds=10)


async def test_a_contact_can_be_fetched(api: Any) -> None:
    """A fetch answers as the create did, whether the plus sign is encoded or not."""
    created = await api.create(first_name="Ada")
    assert (await api.get()).json == created.json
    assert (await api.request("GET", "/api/v2/contacts/+14155550123")).json == created.json


@pytest.mark.parametrize("number", ["+14155550199", "no-number", "14155550123", "%00", "%FF"])
async def test_an_unknown_number_is_not_found(api: Any, number: str) -> None:
    """What no contact has for a number answers 404."""
    await api.create()
    assert (await api.get(number)).refusal == (404, "Contact not found")


@pytest.mark.parametrize(
    "written",
    ["+14155550123", "+1 415 555 0123", "+1-415-555-0123", "+1.415.555.0123", "+1 (415) 555-0123"],
)
async def test_numbers_are_normalized(api: Any, written: str) -> None:
    """Spaces, dashes, dots and parentheses are dropped from a number."""
    assert (await api.create(written)).contact["phone"] == "+14155550123"
    assert list(api.sandbox.contacts) == ["+14155550123"]


@pytest.mark.parametrize("number", ["+1234567", "+123456789012345"])
async def test_seven_to_fifteen_digits_are_a_number(api: Any, number: str) -> None:
    """The shortest and the longest number are taken."""
    assert (await api.create(number)).status == 200


@pytest.mark.parametrize(
    "number",
    [
        "+123456",
        "+1234567890123456",
        "+01234567890",
        "14155550123",
        "0014155550123",
        "+1415555O123",
        "+1415555\u0660123",
        "+1\u00a04155550123",
        "++14155550123",
        "+14155550123 ext 5",
        "+",
        " ",
        "+14155550123\n",
    ],
)
async def test_what_is_not_a_number_is_refused(api: Any, number: str) -> None:
    """Anything but a plus sign and 7 to 15 digits, the first not zero, answers 400."""
    assert (await api.create(number)).refusal == (400, "Invalid phone number")
    assert not api.sandbox.contacts


@pytest.mark.parametrize("body", [{}, {"first_name": "Ada"}, {"number": None}, {"number": ""}])
async def test_a_number_is_required(api: Any, body: object) -> None:
    """A body without a number answers 400."""
    assert (await api.post(body)).refusal == (400, "Missing fields")


@pytest.mark.parametrize(
    "wrong",
    [
        {"number": 14155550123},
        {"phoneNumber": ["+14155550123"]},
        {"first_name": 1},
        {"firstName": {}},
        {"lastName": True},
        {"assigned_to_email": ["a@example.com"]},
        {"sendblueNumber": 1},
        {"tags": "vip"},
        {"tags": ["vip", 1]},
        {"tags": {"vip": "yes"}},
        {"update_if_exists": "true"},
        {"update_if_exists": 1},
        {"custom_variables": ["Plan"]},
        {"custom_variables": {"Plan": 1}},
        {"custom_variables": {"Plan": None}},
    ],
)
async def test_a_wrong_type_is_refused(api: Any, wrong: dict[str, object]) -> None:
    """A field of the wrong type answers 400 with its name, and nothing is stored."""
    status, message = (await api.post({"number": "+14155550123", **wrong})).refusal
    assert status == 400
    assert message.startswith(f"{next(iter(wrong))} must be ")
    assert not api.sandbox.contacts


@pytest.mark.parametrize(
    "body", [b"", b"{", b"number=1", b"\xff\xfe{}", b"[]", b'"text"', b"null", b"[" * 200_000]
)
async def test_a_body_must_be_a_json_object(api: Any, body: bytes) -> None:
    """Anything else answers 400, however broken."""
    reply = await api.request("POST", "/api/v2/contacts", data=body)
    assert reply.refusal[0] == 400


async def test_a_body_too_large_is_refused(api: Any) -> None:
    """More than a megabyte answers 413."""
    body = io.BytesIO(b'{"number": "+14155550123", "x": "' + b"A" * 2_000_000 + b'"}')
    reply = await api.request("POST", "/api/v2/contacts", data=body)
    assert reply.refusal == (413, "The body is too large")


async def test_a_body_that_cannot_be_unpacked_is_refused(api: Any) -> None:
    """A body that is not in the encoding it claims answers 400; one that is, is read."""
    headers = {**api.keys, "Content-Encoding": "gzip"}
    body = b'{"number": "+14155550123"}'
    reply = await api.request("POST", "/api/v2/contacts", data=body, headers=headers)
    assert reply.refusal == (400, "The body cannot be read")
    packed = gzip.compress(body)
    reply = await api.request("POST", "/api/v2/contacts", data=packed, headers=headers)
    assert reply.status == 200


async def test_unknown_keys_are_ignored(api: Any) -> None:
    """A key that the API does not know changes nothing."""
    contact = (await api.create(nickname="Ada", company_name="Example", verified=True)).contact
    assert set(contact) == FIELDS
    assert contact["company_name"] is None
    assert contact["verified"] is False


@pytest.mark.parametrize(
    ("deprecated", "preferred"),
    [
        ("firstName", "first_name"),
        ("lastName", "last_name"),
        ("assignedToEmail", "assigned_to_email"),
        ("sendblueNumber", "sendblue_number"),
    ],
)
async def test_deprecated_spellings_are_taken(api: Any, deprecated: str, preferred: str) -> None:
    """A deprecated spelling sets the field, and the preferred one wins when both are there."""
    assert (await api.create(**{deprecated: "old"})).contact[preferred] == "old"
    for both in ({preferred: "new", deprecated: "old"}, {deprecated: "old", preferred: "new"}):
        reply = await api.create(update_if_exists=True, **both)
        assert reply.contact[preferred] == "new"
    reply = await api.create(update_if_exists=True, **{deprecated: "old", preferred: None})
    assert reply.contact[preferred] is None


@pytest.mark.parametrize(
    "body",
    [
        {"phone_number": "+14155550123"},
        {"phoneNumber": "+14155550123"},
        {"phoneNumber": "+14155550199", "phone_number": "+14155550123"},
        {"phoneNumber": "+14155550199", "number": "+14155550123"},
        {"phone_number": "+14155550199", "number": "+14155550123"},
    ],
)
async def test_deprecated_spellings_of_the_number_are_taken(api: Any, body: object) -> None:
    """The number has two deprecated spellings, and the preferred one wins."""
    assert (await api.post(body)).contact["phone"] == "+14155550123"


@pytest.mark.parametrize("again", [{}, {"update_if_exists": False}, {"update_if_exists": None}])
async def test_a_duplicate_is_refused(api: Any, again: dict[str, object]) -> None:
    """A second create without ``update_if_exists`` answers 409 and changes nothing."""
    first = await api.create(first_name="Ada")
    reply = await api.create("+1 415 555 0123", first_name="Eve", **again)
    assert reply.refusal == (409, "Contact already exists")
    assert (await api.get()).json == first.json
    assert api.sandbox.counts == {"requests": 3, "created": 1}


async def test_an_upsert_keeps_what_is_left_out(api: Any) -> None:
    """An update changes the fields it has and no other; identity and creation date stay."""
    before = (await api.create(first_name="Ada", last_name="L", tags=["a"])).contact
    after = (await api.create(first_name="Augusta", update_if_exists=True)).contact
    assert after == {**before, "first_name": "Augusta"}
    assert api.sandbox.counts == {"requests": 2, "created": 1, "updated": 1}


async def test_an_upsert_of_a_new_number_creates_it(api: Any) -> None:
    """An upsert without anything to update is a create."""
    assert (await api.create(first_name="Ada", update_if_exists=True)).status == 200
    assert api.sandbox.counts == {"requests": 1, "created": 1}


async def test_an_explicit_null_clears(api: Any) -> None:
    """Null empties a field, and empty text is stored as it is."""
    await api.create(first_name="Ada", last_name="L", tags=["a"], custom_variables={"Plan": "gold"})
    after = (
        await api.create(
            first_name=None, last_name="", tags=None, custom_variables=None, update_if_exists=True
        )
    ).contact
    assert after["first_name"] is None
    assert after["last_name"] == ""
    assert after["tags"] == []
    assert after["custom_variables"] == {}


async def test_a_create_with_nulls_is_a_bare_create(api: Any) -> None:
    """Nulls in a first create leave the fields empty."""
    contact = (await api.create(first_name=None, tags=None, custom_variables=None)).contact
    assert (contact["first_name"], contact["tags"], contact["custom_variables"]) == (None, [], {})


async def test_tags_are_replaced_and_variables_are_merged(api: Any) -> None:
    """An upsert's tags take the place of the old ones; its variables join them."""
    await api.create(tags=["a", "b"], custom_variables={"Plan": "gold", "City": "Paris"})
    after = (
        await api.create(tags=["c"], custom_variables={"Plan": "red"}, update_if_exists=True)
    ).contact
    assert after["tags"] == ["c"]
    assert after["custom_variables"] == {"Plan": "red", "City": "Paris"}
    again = (await api.create(tags=[], custom_variables={}, update_if_exists=True)).contact
    assert again["tags"] == []
    assert again["custom_variables"] == {"Plan": "red", "City": "Paris"}


async def test_a_hundred_duplicates_at_once_make_one_contact(api: Any) -> None:
    """Check and write are one step: of 100 concurrent creates exactly one succeeds."""
    replies = await asyncio.gather(*[api.create(first_name=str(n)) for n in range(100)])
    assert sorted(reply.status for reply in replies) == [200] + [409] * 99
    winner = next(reply for reply in replies if reply.status == 200)
    assert (await api.get()).json == winner.json
    assert api.sandbox.counts == {"requests": 101, "created": 1}


async def test_any_text_survives(api: Any) -> None:
    """Emoji, half of a surrogate pair and control characters come back as they were sent."""
    name = "👩🏽‍🚀 \ud83d \x00\u2028"
    assert (await api.create(first_name=name)).contact["first_name"] == name
    assert (await api.get()).contact["first_name"] == name


SNAKE = {
    "phone",
    "first_name",
    "last_name",
    "company_name",
    "assigned_to_email",
    "sendblue_number",
    "tags",
    "verified",
    "created_at",
    "custom_variables",
    "opt_out",
    "contact_id",
}
DOUBLES = {
    "firstName",
    "lastName",
    "companyName",
    "assignedToEmail",
    "sendblueNumber",
    "customVariables",
}
CAMEL = {"phone", "tags", "verified", "createdAt", "optOut", "contactId"} | DOUBLES


@pytest.mark.parametrize(
    ("options", "names"),
    [
        ({}, SNAKE | DOUBLES),
        ({"spelling": "both"}, SNAKE | DOUBLES),
        ({"spelling": "snake"}, SNAKE),
        ({"spelling": "camel"}, CAMEL),
        ({"camel_case": True}, CAMEL),
    ],
)
async def test_answers_are_spelled_as_the_dial_says(
    start: Any, options: dict[str, Any], names: set[str]
) -> None:
    """An answer has both spellings, as live ones do, or either; what is stored has snake_case."""
    api = await start(**options)
    contact = (await api.create(first_name="Ada", custom_variables={"a_b": "1"})).json["contact"]
    assert set(contact) == names
    assert {contact.get("first_name", "Ada"), contact.get("firstName", "Ada")} == {"Ada"}
    for name in ("custom_variables", "customVariables"):
        assert contact.get(name, {"a_b": "1"}) == {"a_b": "1"}
    assert (await api.get()).json["contact"] == contact
    assert (await api.list()).json == [contact]
    assert set(api.sandbox.contacts["+14155550123"]) == SNAKE


def test_a_spelling_is_one_of_three() -> None:
    """Another word for the dial is refused by name."""
    with pytest.raises(ValueError, match=r"^spelling must be one of '\w+', .*'\w+', not 'kebab'"):
        Sandbox(spelling="kebab")  # type: ignore[arg-type]


async def test_the_status_of_a_create_can_be_201(start: Any) -> None:
    """A contact that was made answers ``created_status``; an update answers 200."""
    api = await start(created_status=201)
    assert (await api.create()).status == 201
    assert (await api.create(update_if_exists=True)).status == 200


async def test_contact_ids_follow_from_seed_and_number(start: Any) -> None:
    """The same seed gives a number the same id whatever came before; another seed another."""
    one, same, other = await start(seed=1), await start(seed=1), await start(seed=2)
    await same.create("+14155550199")
    ids = [(await api.create()).contact["contact_id"] for api in (one, same, other)]
    assert ids[0] == ids[1] != ids[2]
    assert len({contact["contact_id"] for contact in same.sandbox.contacts.values()}) == 2


async def test_the_clock_can_be_given(start: Any) -> None:
    """Contacts are created at the time of the sandbox's clock, in whole seconds."""
    api = await start(clock=lambda: 1_700_000_000.9)
    assert (await api.create()).contact["created_at"] == "2023-11-14T22:13:20Z"
