"""What a stored contact is, and how a request's body becomes a change to one."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from typing import Any, cast

from attrs import evolve, field, fields, frozen

__all__ = ["CreateOrder", "Refusal", "StoredContact", "normalized_number", "read_create"]

_NUMBER = re.compile(r"\+[1-9][0-9]{6,14}")
_DROPPED = str.maketrans("", "", " -.()")

# Preferred spellings come before deprecated ones: of those that are there, the first one counts.
_TEXT_SPELLINGS = {
    "number": "number",
    "phone_number": "number",
    "phoneNumber": "number",
    "first_name": "first_name",
    "firstName": "first_name",
    "last_name": "last_name",
    "lastName": "last_name",
    "assigned_to_email": "assigned_to_email",
    "assignedToEmail": "assigned_to_email",
    "sendblue_number": "sendblue_number",
    "sendblueNumber": "sendblue_number",
}


class Refusal(Exception):
    """A request that the rules of the API turn down, with the status and message to answer."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(status, message)
        self.status = status
        self.message = message


def _or_empty(variables: dict[str, str] | None) -> dict[str, str]:
    return {} if variables is None else variables


@frozen(kw_only=True)
class StoredContact:
    """One contact as the sandbox keeps it; never changed in place."""

    phone: str
    first_name: str | None = None
    last_name: str | None = None
    company_name: str | None = None
    assigned_to_email: str | None = None
    sendblue_number: str | None = None
    tags: tuple[str, ...] = field(default=(), converter=tuple)
    verified: bool = False
    created_at: str
    custom_variables: dict[str, str] = field(default=None, converter=_or_empty)
    opt_out: bool = False
    contact_id: str

    def as_dict(self) -> dict[str, Any]:
        """The 12 fields in snake_case, in new containers."""
        return {
            "phone": self.phone,
            "first_name": self.first_name,
            "last_name": self.last_name,
            "company_name": self.company_name,
            "assigned_to_email": self.assigned_to_email,
            "sendblue_number": self.sendblue_number,
            "tags": list(self.tags),
            "verified": self.verified,
            "created_at": self.created_at,
            "custom_variables": dict(self.custom_variables),
            "opt_out": self.opt_out,
            "contact_id": self.contact_id,
        }

    def as_camel_dict(self) -> dict[str, Any]:
        """The 12 fields under the camelCase keys of the provider's contacts guide."""
        return {_CAMEL[name]: value for name, value in self.as_dict().items()}

    def merged(self, changes: dict[str, Any]) -> StoredContact:
        """This contact after an upsert: absent fields stay, None clears, variables are merged."""
        variables = changes.get("custom_variables")
        if variables is not None:
            changes = {**changes, "custom_variables": {**self.custom_variables, **variables}}
        return evolve(self, **changes)


def _camel(name: str) -> str:
    first, *rest = name.split("_")
    return first + "".join(word.title() for word in rest)


_CAMEL = {attribute.name: _camel(attribute.name) for attribute in fields(StoredContact)}


@frozen(kw_only=True)
class CreateOrder:
    """A create's body after its types and its number have been checked."""

    number: str
    changes: dict[str, Any]
    """The fields that were given, under their preferred names."""
    update_if_exists: bool


def read_create(body: bytes) -> CreateOrder:
    """Read a create's JSON body; keys that are not known are ignored.

    Raises:
        Refusal: 400, for what is not a JSON object, a wrong type, no number, or a bad number.
    """
    given = _json_object(body)
    changes: dict[str, Any] = _texts(given)
    number = changes.pop("number", None)
    if "tags" in given:
        changes["tags"] = _tags(given["tags"])
    if "custom_variables" in given:
        changes["custom_variables"] = _variables(given["custom_variables"])
    upsert = given.get("update_if_exists")
    if upsert is not None and not isinstance(upsert, bool):
        raise Refusal(400, "update_if_exists must be a boolean")
    if not number:
        raise Refusal(400, "Missing fields")
    return CreateOrder(
        number=normalized_number(number), changes=changes, update_if_exists=bool(upsert)
    )


def normalized_number(text: str) -> str:
    """The E.164 form of a number, without its spaces, dashes, dots and parentheses.

    Raises:
        Refusal: 400, if the rest is not ``+`` and 7 to 15 digits, the first one not zero.
    """
    number = text.translate(_DROPPED)
    if not _NUMBER.fullmatch(number):
        raise Refusal(400, "Invalid phone number")
    return number


def _json_object(body: bytes) -> dict[str, object]:
    try:
        given = json.loads(body.decode("utf-8"))
    except (ValueError, RecursionError):
        raise Refusal(400, "The body is not JSON") from None
    if not isinstance(given, dict):
        raise Refusal(400, "The body is not a JSON object")
    return cast("dict[str, object]", given)


def _texts(given: dict[str, object]) -> dict[str, str | None]:
    texts: dict[str, str | None] = {}
    for spelling, name in _TEXT_SPELLINGS.items():
        if spelling in given:
            value = given[spelling]
            if value is not None and not isinstance(value, str):
                raise Refusal(400, f"{spelling} must be a string")
            texts.setdefault(name, value)
    return texts


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
