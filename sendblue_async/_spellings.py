"""The names of a model's fields on the wire, the deprecated ones included.

A field's name is the API's preferred spelling of it, unless its metadata gives another.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any, Final, get_type_hints

import attrs

from ._deprecation import warn_deprecated
from ._redaction import redact_numbers
from .exceptions import ValidationError

EXTRA: Final = {"role": "extra"}
"""Metadata of the field that holds keys a model has no field for; they are written back."""

LOCAL: Final = {"role": "local"}
"""Metadata of a field that is never read from or written to the wire."""


def wire(spelling: str) -> dict[str, str]:
    """Metadata of a field that the API knows under another name than this package."""
    return {"wire": spelling}


@cache
def fields_of(cls: type, role: str | None = None) -> dict[str, Any]:
    """The names and types of a model's fields on the wire, or of those with a role."""
    hints = get_type_hints(cls)
    fields = [field for field in attrs.fields(cls) if field.metadata.get("role") == role]
    return {field.name: hints[field.name] for field in fields}


@cache
def wire_names(cls: type) -> dict[str, str]:
    """A model's field names -> the API's preferred spellings of them."""
    known = attrs.fields_dict(cls)
    return {name: known[name].metadata.get("wire", name) for name in fields_of(cls)}


def camel_case(name: str) -> str:
    """The camelCase spelling of a snake_case name: ``first_name`` -> ``firstName``."""
    head, *rest = name.split("_")
    return head + "".join(word.capitalize() for word in rest)


# The spellings that the reference lists as deprecated for request bodies.
_DEPRECATED = {
    "phone_number": "number",
    "phoneNumber": "number",
    "firstName": "first_name",
    "lastName": "last_name",
    "assignedToEmail": "assigned_to_email",
    "sendblueNumber": "sendblue_number",
}


def spellings(cls: type) -> dict[str, str]:
    """Every key that a model's fields may have on the wire -> the field's name."""
    names = wire_names(cls)
    known = {old: name for old, name in _DEPRECATED.items() if name in names}
    known |= {camel_case(spelling): name for name, spelling in names.items()}
    return known | {spelling: name for name, spelling in names.items()}


def preferred_spellings(given: Mapping[str, Any], cls: type) -> dict[str, Any]:
    """Put values under their fields' preferred names; ``None`` counts as not given.

    Raises:
        ValidationError: If a name is no field, or if two spellings of one field differ.

    Warns:
        DeprecationWarning: For each deprecated spelling, naming the preferred one.
    """
    allowed = fields_of(cls).keys() | fields_of(cls, "extra").keys()
    fields = {name: value for name, value in given.items() if name in allowed}
    for name, value in given.items():
        if name in fields:
            continue
        preferred = _DEPRECATED.get(name)
        if preferred not in allowed:
            raise ValidationError(
                f"{redact_numbers(str(name))!r} is not a field of {cls.__name__}; its fields are "
                f"{', '.join(sorted(allowed))}.",
                field=redact_numbers(str(name)),
            )
        if value is None:
            continue
        warn_deprecated(f"{name} is deprecated by Sendblue, use {preferred}")
        if fields.get(preferred) not in (None, value):
            raise ValidationError(
                f"{preferred} and {name} are two spellings of one field, and were given "
                f"different values; give {preferred} alone.",
                field=preferred,
            )
        fields[preferred] = value
    return fields
