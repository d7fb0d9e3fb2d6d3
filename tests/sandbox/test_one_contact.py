"""Updating, deleting, verifying and opting out one contact."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

pytestmark = pytest.mark.anyio

NOT_FOUND = (404, "Contact not found")
UNKNOWN = ["+14155550199", "no-number", "14155550123", "%00", "%FF", "bulk2"]


async def test_an_update_changes_what_it_names(each_api: Any) -> None:
    """Every field of an update is set, the rest stays, and the answer is the contact as it is."""
    before = (await each_api.create(custom_variables={"Plan": "gold", "City": "Paris"})).contact
    changes = {
        "first_name": "Zoë",
        "last_name": "Lovelace",
        "company_name": "Example",
        "assigned_to_email": "agent@example.com",
        "sendblue_number": "+19875550100",
        "opt_out": True,
        "tags": ["vip"],
    }
    reply = await each_api.update(**changes, custom_variables={"Plan": "red"})
    assert reply.status == 200
    variables = {"Plan": "red", "City": "Paris"}
    after = {**before, **changes, "custom_variables": variables}
    assert (reply.contact, reply.json["status"]) == (after, "OK")
    assert (await each_api.get()).json == reply.json
    assert each_api.sandbox.counts == {"requests": 3, "created": 1, "updated": 1}


async def test_an_update_keeps_what_is_left_out(each_api: Any) -> None:
    """An empty update and unknown keys change nothing, the number and the date among them."""
    before = await each_api.create(first_name="Ada", tags=["a"])
    unknown = {"number": "+14155550199", "phone": "+14155550199", "verified": True, "x": 1}
    for fields in ({}, unknown, {"created_at": "", "contact_id": "1"}):
        assert (await each_api.update(**fields)).json == before.json
    assert list(each_api.sandbox.contacts) == ["+14155550123"]


async def test_an_update_with_null_clears(each_api: Any) -> None:
    """Null empties a field of any kind, and empty text is stored as it is."""
    bare = (await each_api.create()).contact
    filled = {
        "first_name": "Ada",
        "company_name": "Example",
        "sendblue_number": "+19875550100",
        "opt_out": True,
        "tags": ["a"],
        "custom_variables": {"Plan": "gold"},
    }
    await each_api.update(**filled)
    assert (await each_api.update(**dict.fromkeys(filled, None))).contact == bare
    assert (await each_api.update(last_name="")).contact == {**bare, "last_name": ""}


@pytest.mark.parametrize(
    ("deprecated", "preferred"),
    [
        ("firstName", "first_name"),
        ("lastName", "last_name"),
        ("companyName", "company_name"),
        ("assignedToEmail", "assigned_to_email"),
        ("sendblueNumber", "sendblue_number"),
    ],
)
async def test_an_update_takes_deprecated_spellings(
    api: Any, deprecated: str, preferred: str
) -> None:
    """A deprecated spelling sets the field, and the preferred one wins when both are there."""
    await api.create()
    assert (await api.update(**{deprecated: "old"})).contact[preferred] == "old"
    for both in ({preferred: "new", deprecated: "old"}, {deprecated: "old", preferred: "new"}):
        assert (await api.update(**both)).contact[preferred] == "new"
    assert (await api.update(**{deprecated: "old", preferred: None})).contact[preferred] is None


async def test_an_update_takes_the_deprecated_opt_out(api: Any) -> None:
    """``optOut`` sets the opt-out, and ``opt_out`` wins when both are there."""
    await api.create()
    assert (await api.update(optOut=True)).contact["opt_out"] is True
    assert (await api.update(optOut=True, opt_out=False)).contact["opt_out"] is False
    assert (await api.update(opt_out=True, optOut=False)).contact["opt_out"] is True


@pytest.mark.parametrize(
    "wrong",
    [
        {"first_name": 1},
        {"lastName": []},
        {"company_name": {}},
        {"assignedToEmail": True},
        {"sendblue_number": 14155550123},
        {"opt_out": "true"},
        {"optOut": 0},
        {"tags": "vip"},
        {"tags": [None]},
        {"custom_variables": {"Plan": 1}},
    ],
)
async def test_an_update_refuses_a_wrong_type(api: Any, wrong: dict[str, object]) -> None:
    """A field of the wrong type answers 400 with its name, and nothing is changed."""
    before = await api.create(first_name="Ada")
    status, message = (await api.update(**{**wrong, "tags": wrong.get("tags", ["a"])})).refusal
    assert status == 400
    assert message.startswith(f"{next(iter(wrong))} must be ")
    assert (await api.get()).json == before.json


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"null", b"\xff"])
@pytest.mark.parametrize(
    ("method", "part"),
    [
        ("PUT", "/%2B14155550123"),
        ("POST", "/verify"),
        ("POST", "/opt-out"),
        ("POST", "/bulk"),
        ("DELETE", ""),
    ],
)
async def test_every_body_must_be_a_json_object(
    api: Any, method: str, part: str, body: bytes
) -> None:
    """Anything else answers 400 and does nothing."""
    await api.create()
    assert (await api.request(method, f"/api/v2/contacts{part}", data=body)).refusal[0] == 400
    assert api.sandbox.counts == {"requests": 2, "created": 1}


@pytest.mark.parametrize("number", UNKNOWN)
@pytest.mark.parametrize("method", ["PUT", "DELETE"])
async def test_an_unknown_number_cannot_be_changed(api: Any, method: str, number: str) -> None:
    """What no contact has for a number answers 404, and nothing is stored or counted."""
    await api.create()
    assert (await api.at(number, method, json={"first_name": "Eve"})).refusal == NOT_FOUND
    assert len(api.sandbox.contacts) == 1
    assert api.sandbox.counts == {"requests": 2, "created": 1}


async def test_a_deleted_contact_is_gone(each_api: Any) -> None:
    """A delete answers OK once and 404 from then on; the number can be created anew."""
    await each_api.create(first_name="Ada")
    await each_api.create("+14155550199")
    reply = await each_api.at("+14155550123", "DELETE")
    assert (reply.status, reply.json) == (200, {"status": "OK"})
    assert list(each_api.sandbox.contacts) == ["+14155550199"]
    assert (await each_api.get()).refusal == NOT_FOUND
    assert (await each_api.at("+14155550123", "DELETE")).refusal == NOT_FOUND
    assert (await each_api.update(first_name="Eve")).refusal == NOT_FOUND
    assert (await each_api.create()).contact["first_name"] is None
    assert each_api.sandbox.counts == {"requests": 7, "created": 3, "deleted": 1}


async def test_of_many_deletes_one_succeeds(each_api: Any) -> None:
    """Of 20 concurrent deletes of a contact exactly one finds it."""
    await each_api.create()
    replies = await asyncio.gather(*[each_api.at("+14155550123", "DELETE") for _ in range(20)])
    assert sorted(reply.status for reply in replies) == [200] + [404] * 19
    assert each_api.sandbox.counts["deleted"] == 1


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE"])
async def test_the_path_may_hold_any_spelling_of_the_number(api: Any, method: str) -> None:
    """An encoded or a bare plus sign, and encoded spaces and parentheses, find the contact."""
    for written in ("%2B14155550123", "+14155550123", "%2B1%20(415)%20555-0123"):
        await api.create(update_if_exists=True)
        assert (await api.at(written, method, json={})).status == 200


async def test_a_verification_message_is_sent_each_time(each_api: Any) -> None:
    """A verify answers OK, sends one more message, and verifies nothing by itself."""
    before = await each_api.create()
    for written in ("+14155550123", "+1 (415) 555-0123"):
        reply = await each_api.act("POST", "verify", number=written)
        assert (reply.status, reply.json) == (200, {"status": "OK"})
    assert (await each_api.get()).json == before.json
    assert each_api.sandbox.counts == {"requests": 4, "created": 1, "verifications": 2}


async def test_an_opt_out_sets_the_state(each_api: Any) -> None:
    """True by default; the answer has the normalised number and the state as it then is."""
    before = (await each_api.create(first_name="Ada")).contact
    for fields, expected in (
        ({}, True),
        ({"opted_out": True}, True),
        ({"opted_out": False}, False),
        ({"opted_out": False}, False),
    ):
        reply = await each_api.act("POST", "opt-out", number="+1 415 555 0123", **fields)
        assert reply.status == 200
        answer = {"number": "+14155550123", "opted_out": expected, "status": "OK"}
        assert reply.json == answer
        assert (await each_api.get()).contact == {**before, "opt_out": expected}
    assert each_api.sandbox.counts == {"requests": 9, "created": 1, "opt_outs": 4}


@pytest.mark.parametrize("opted_out", [None, "true", 1, []])
async def test_an_opt_out_must_be_clear(api: Any, opted_out: object) -> None:
    """Anything but true and false answers 400, null included, and nobody is opted out."""
    await api.create()
    reply = await api.act("POST", "opt-out", number="+14155550123", opted_out=opted_out)
    assert reply.refusal == (400, "opted_out must be a boolean")
    assert api.sandbox.contacts["+14155550123"]["opt_out"] is False


@pytest.mark.parametrize("part", ["verify", "opt-out"])
@pytest.mark.parametrize(
    ("body", "refusal"),
    [
        ({}, (400, "Missing fields")),
        ({"number": None}, (400, "Missing fields")),
        ({"number": ""}, (400, "Missing fields")),
        ({"phone_number": "+14155550123"}, (400, "Missing fields")),
        ({"number": 14155550123}, (400, "number must be a string")),
        ({"number": "nonsense"}, (400, "Invalid phone number")),
        ({"number": "+14155550199"}, NOT_FOUND),
    ],
)
async def test_a_body_must_name_a_stored_contact(
    api: Any, part: str, body: dict[str, object], refusal: tuple[int, str]
) -> None:
    """Without a number or with a bad one 400, without such a contact 404, and nothing counts."""
    await api.create()
    assert (await api.act("POST", part, **body)).refusal == refusal
    assert len(api.sandbox.contacts) == 1
    assert api.sandbox.counts == {"requests": 2, "created": 1}


async def test_changes_answer_in_camel_case(start: Any) -> None:
    """On demand an update's contact has camelCase keys; other answers keep their names."""
    api = await start(spelling="camel")
    await api.create()
    reply = await api.update(company_name="Example")
    assert reply.json["contact"]["companyName"] == "Example"
    assert reply.json == (await api.get()).json
    opted = await api.act("POST", "opt-out", number="+14155550123")
    assert set(opted.json) == {"number", "opted_out", "status"}


async def test_an_update_answers_200_whatever_a_create_does(start: Any) -> None:
    """``created_status`` is for single creates alone."""
    api = await start(created_status=201)
    assert (await api.create()).status == 201
    assert (await api.update(first_name="Ada")).status == 200
    bulk = await api.act("POST", "bulk", contacts=[{"phone": "+14155550199"}])
    assert bulk.status == 200
