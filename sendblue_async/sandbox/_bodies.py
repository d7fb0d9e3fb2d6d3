"""How the bodies of requests are read, each into what its handler works with."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any, cast

from attrs import frozen

from ._contact import Refusal, normalized_number

__all__ = [
    "BulkEntry",
    "CreateOrder",
    "OptOut",
    "read_bulk_create",
    "read_bulk_delete",
    "read_create",
    "read_opt_out",
    "read_update",
    "read_verify",
]

# Preferred spellings come before deprecated ones: of those that are there, the first one counts.
_NAMES = {
    "first_name": "first_name",
    "firstName": "first_name",
    "last_name": "last_name",
    "lastName": "last_name",
    "assigned_to_email": "assigned_to_email",
    "assignedToEmail": "assigned_to_email",
    "sendblue_number": "sendblue_number",
    "sendblueNumber": "sendblue_number",
}
_NUMBER = {"number": "number"}
_CREATE_TEXTS = {
    **_NUMBER,
    "phone_number": "number",
    "phoneNumber": "number",
    **_NAMES,
}
_UPDATE_TEXTS = {**_NAMES, "company_name": "company_name", "companyName": "company_name"}
_UPDATE_FLAGS = {"opt_out": "opt_out", "optOut": "opt_out"}
# The contract gives an entry of a bulk create these, and no deprecated spelling.
_ENTRY_TEXTS = {
    "phone": "phone",
    "first_name": "first_name",
    "last_name": "last_name",
    "company_name": "company_name",
}


@frozen(kw_only=True)
class CreateOrder:
    """A create's body after its types and its number have been checked."""

    number: str
    changes: dict[str, Any]
    """The fields that were given, under their preferred names."""
    update_if_exists: bool


@frozen(kw_only=True)
class BulkEntry:
    """One contact of a bulk create."""

    number: str
    changes: dict[str, Any]
    """The fields that were given."""


@frozen(kw_only=True)
class OptOut:
    """Whom to opt out, or back in."""

    number: str
    opted_out: bool


def read_create(body: bytes) -> CreateOrder:
    """Read a create's JSON body; keys that are not known are ignored.

    Raises:
        Refusal: 400, for what is not a JSON object, a wrong type, no number, or a bad number.
    """
    given = _json_object(body)
    changes = _changes(given, _CREATE_TEXTS)
    number = changes.pop("number", None)
    upsert = _flags(given, {"update_if_exists": "update_if_exists"}).get("update_if_exists")
    return CreateOrder(
        number=_required_number(number), changes=changes, update_if_exists=bool(upsert)
    )


def read_update(body: bytes) -> dict[str, Any]:
    """The fields that an update gives, under their preferred names; other keys are ignored.

    Raises:
        Refusal: 400, for what is not a JSON object, or a wrong type.
    """
    given = _json_object(body)
    flags = _flags(given, _UPDATE_FLAGS)
    return {
        **_changes(given, _UPDATE_TEXTS),
        **{name: bool(value) for name, value in flags.items()},
    }


def read_verify(body: bytes) -> str:
    """The number to verify.

    Raises:
        Refusal: 400, for what is not a JSON object, no number, or a bad number.
    """
    return _required_number(_texts(_json_object(body), _NUMBER).get("number"))


def read_opt_out(body: bytes) -> OptOut:
    """The number to opt out, or back in where ``opted_out`` is false.

    Raises:
        Refusal: 400, for what is not a JSON object, no number, a bad number, or a wrong type.
    """
    given = _json_object(body)
    opted_out = given.get("opted_out", True)
    # Unlike elsewhere null is no "not given" here: it must not opt anybody out.
    if not isinstance(opted_out, bool):
        raise Refusal(400, "opted_out must be a boolean")
    number = _required_number(_texts(given, _NUMBER).get("number"))
    return OptOut(number=number, opted_out=opted_out)


def read_bulk_create(body: bytes) -> list[BulkEntry]:
    """The contacts to create, in the order given.

    Raises:
        Refusal: 400, for what is not a JSON object, no list, or an entry with no number, a bad
            number, or a wrong type; the message names the first such entry.
    """
    entries = _required_list(_json_object(body), "contacts", "objects")
    return [_read_entry(f"contacts[{place}]", entry) for place, entry in enumerate(entries)]


def read_bulk_delete(body: bytes) -> list[str]:
    """The numbers to delete, in the order given.

    Raises:
        Refusal: 400, for what is not a JSON object, no list, or an item that is not a number;
            the message names the first such item.
    """
    items = _required_list(_json_object(body), "contact_ids", "strings")
    return [_read_item(f"contact_ids[{place}]", item) for place, item in enumerate(items)]


def _read_entry(label: str, entry: object) -> BulkEntry:
    if not isinstance(entry, dict):
        raise Refusal(400, f"{label} must be an object")
    try:
        changes = _changes(cast("dict[str, object]", entry), _ENTRY_TEXTS)
        number = _required_number(changes.pop("phone", None))
    except Refusal as refusal:
        raise Refusal(refusal.status, f"{label}: {refusal.message}") from None
    return BulkEntry(number=number, changes=changes)


def _read_item(label: str, item: object) -> str:
    if not isinstance(item, str):
        raise Refusal(400, f"{label} must be a string")
    try:
        return normalized_number(item)
    except Refusal as refusal:
        raise Refusal(refusal.status, f"{label}: {refusal.message}") from None


def _json_object(body: bytes) -> dict[str, object]:
    try:
        given = json.loads(body.decode("utf-8"))
    except (ValueError, RecursionError):
        raise Refusal(400, "The body is not JSON") from None
    if not isinstance(given, dict):
        raise Refusal(400, "The body is not a JSON object")
    return cast("dict[str, object]", given)


def _required_number(number: str | None) -> str:
    if not number:
        raise Refusal(400, "Missing fields")
    return normalized_number(number)


def _required_list(given: dict[str, object], name: str, content: str) -> list[object]:
    value = given.get(name)
    if value is None:
        raise Refusal(400, "Missing fields")
    if not isinstance(value, list):
        raise Refusal(400, f"{name} must be a list of {content}")
    return cast("list[object]", value)


def _changes(given: dict[str, object], spellings: Mapping[str, str]) -> dict[str, Any]:
    changes: dict[str, Any] = _texts(given, spellings)
    if "tags" in given:
        changes["tags"] = _tags(given["tags"])
    if "custom_variables" in given:
        changes["custom_variables"] = _variables(given["custom_variables"])
    return changes


def _texts(given: dict[str, object], spellings: Mapping[str, str]) -> dict[str, str | None]:
    texts: dict[str, str | None] = {}
    for spelling, name in spellings.items():
        if spelling in given:
            value = given[spelling]
            if value is not None and not isinstance(value, str):
                raise Refusal(400, f"{spelling} must be a string")
            texts.setdefault(name, value)
    return texts


def _flags(given: dict[str, object], spellings: Mapping[str, str]) -> dict[str, bool | None]:
    flags: dict[str, bool | None] = {}
    for spelling, name in spellings.items():
        if spelling in given:
            value = given[spelling]
            if value is not None and not isinstance(value, bool):
                raise Refusal(400, f"{spelling} must be a boolean")
            flags.setdefault(name, value)
    return flags


def _tags(value: object) -> tuple[str, ...]:
    if value is None:
        return ()
    if not isinstance(value, list) or not _all_text(cast("list[object]", value)):
        raise Refusal(400, "tags must be a list of strings")
    return tuple(cast("list[str]", value))


def _variables(value: object) -> dict[str, str] | None:
    if value is None:
        return None
    if not isinstance(value, dict) or not _all_text(cast("dict[str, object]", value).values()):
        raise Refusal(400, "custom_variables must be an object of strings")
    return cast("dict[str, str]", value)


def _all_text(values: Iterable[object]) -> bool:
    return all(isinstance(value, str) for value in values)
