"""What a stored contact is, and what counts as its number."""

from __future__ import annotations

import re
from typing import Any, Literal

from attrs import evolve, field, fields, frozen

__all__ = [
    "CONTACT_FIELDS",
    "Refusal",
    "Spelling",
    "StoredContact",
    "normalize_number",
]

Spelling = Literal["both", "snake", "camel"]
"""Which names the fields of a contact have in answers."""

_NUMBER = re.compile(r"\+[1-9][0-9]{6,14}")
_DROPPED = str.maketrans("", "", " -.()")


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

    def as_doubled_dict(self) -> dict[str, Any]:
        """The 12 fields in snake_case, and those again in camelCase that a live answer doubles."""
        fields = self.as_dict()
        return {**fields, **{_CAMEL[name]: fields[name] for name in _DOUBLED}}

    def show(self, spelling: Spelling) -> dict[str, Any]:
        """Show the 12 fields as answers with this spelling do."""
        if spelling == "both":
            return self.as_doubled_dict()
        return self.as_dict() if spelling == "snake" else self.as_camel_dict()

    def merge(self, changes: dict[str, Any]) -> StoredContact:
        """Apply an update: absent fields stay, None clears, variables are merged."""
        variables = changes.get("custom_variables")
        if variables is not None:
            changes = {**changes, "custom_variables": {**self.custom_variables, **variables}}
        return evolve(self, **changes)


CONTACT_FIELDS = tuple(attribute.name for attribute in fields(StoredContact))
"""The names of the 12 fields, in the order in which they are answered."""


def _camel(name: str) -> str:
    first, *rest = name.split("_")
    return first + "".join(word.title() for word in rest)


_CAMEL = {name: _camel(name) for name in CONTACT_FIELDS}
_DOUBLED = (
    "first_name",
    "last_name",
    "company_name",
    "assigned_to_email",
    "sendblue_number",
    "custom_variables",
)


def normalize_number(text: str) -> str:
    """Bring a number into E.164 form, without its spaces, dashes, dots and parentheses.

    Raises:
        Refusal: 400, if the rest is not ``+`` and 7 to 15 digits, the first one not zero.
    """
    number = text.translate(_DROPPED)
    if not _NUMBER.fullmatch(number):
        raise Refusal(400, "Invalid phone number")
    return number
