"""The one converter between models and JSON: wire spellings, dates, unknown keys.

Models are attrs classes whose field names are the API's preferred (snake_case) spellings.
Reading is lenient, because a call that succeeded must never fail on its answer: a field is taken
in snake_case and in camelCase, and whatever is unknown or of the wrong type is kept in the
model's ``extra``. A live answer has many fields in both spellings; of such a double nothing is
kept, unless it differs.
Writing leaves out what was not given.
"""

from __future__ import annotations

import json
import re
import types
from collections.abc import Callable, Mapping
from contextlib import suppress
from datetime import datetime, timezone
from enum import Enum
from functools import cache
from typing import Any, Final, TypeVar, Union, get_args, get_origin, get_type_hints

import attrs
import cattrs

from ._deprecation import warn_deprecated
from ._redaction import redact_numbers
from .exceptions import ValidationError

T = TypeVar("T")

_encode = json.JSONEncoder(ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode


class Clear(Enum):
    """The type of :data:`~sendblue_async.CLEAR`."""

    CLEAR = "CLEAR"

    def __repr__(self) -> str:
        return "CLEAR"


CLEAR: Final = Clear.CLEAR
"""Pass this as a field's value to send JSON ``null``, which asks the server to clear it.

``None`` is the same as not giving the field at all, so a blank never wipes stored data.
That the server clears a field on ``null`` is an assumption of this package.
"""


EXTRA: Final = {"role": "extra"}
"""Metadata of the field that holds keys a model has no field for; they are written back."""

LOCAL: Final = {"role": "local"}
"""Metadata of a field that is never read from or written to the wire."""


def wire(spelling: str) -> dict[str, str]:
    """Metadata of a field that the API knows under another name than this package."""
    return {"wire": spelling}


@cache
def _fields(cls: type, role: str | None = None) -> dict[str, Any]:
    """The names and types of a model's fields on the wire, or of those with a role."""
    hints = get_type_hints(cls)
    fields = [field for field in attrs.fields(cls) if field.metadata.get("role") == role]
    return {field.name: hints[field.name] for field in fields}


@cache
def _wire_names(cls: type) -> dict[str, str]:
    """A model's field names -> the API's preferred spellings of them."""
    known = attrs.fields_dict(cls)
    return {name: known[name].metadata.get("wire", name) for name in _fields(cls)}


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
    """Every key under which a model's fields may stand on the wire -> the field's name."""
    names = _wire_names(cls)
    known = {old: name for old, name in _DEPRECATED.items() if name in names}
    known |= {camel_case(spelling): name for name, spelling in names.items()}
    return known | {spelling: name for name, spelling in names.items()}


def preferred_spellings(given: Mapping[str, Any], cls: type) -> dict[str, Any]:
    """The same values under their fields' preferred names; ``None`` counts as not given.

    Raises:
        ValidationError: If a name is no field, or if two spellings of one field differ.

    Warns:
        DeprecationWarning: For each deprecated spelling, naming the preferred one.
    """
    allowed = _fields(cls).keys() | _fields(cls, "extra").keys()
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


_OFFSET = re.compile(r"(T.*[+-][0-9]{2})([0-9]{2})$")
_FRACTION = re.compile(r"\.([0-9]+)")


def parse_datetime(value: object) -> datetime:
    """An aware datetime from an ISO 8601 string; one without an offset is taken as UTC.

    Raises:
        TypeError: If it is no string.
        ValueError: If it is no date.
    """
    if type(value) is not str:
        raise TypeError("not a string")
    text = value[:-1] + "+00:00" if value.endswith(("Z", "z")) else value
    try:
        parsed = datetime.fromisoformat(text)
    except ValueError:
        # Python 3.10 reads fractions of three or six digits and offsets with a colon only.
        text = _FRACTION.sub(lambda match: f".{match[1][:6]:0<6}", text, count=1)
        text = _OFFSET.sub(r"\1:\2", text)
        parsed = datetime.fromisoformat(text)
    return parsed if parsed.tzinfo else parsed.replace(tzinfo=timezone.utc)


def format_datetime(value: datetime) -> str:
    """The wire form of an aware datetime: ISO 8601 in UTC with a ``Z``."""
    # In the first and the last hours of the calendar the offset stays.
    with suppress(OverflowError):
        value = value.astimezone(timezone.utc)
    return value.isoformat().replace("+00:00", "Z")


def _refuse(value: object, kind: type) -> Any:
    """The structure hook of a plain type for a value of another; cattrs' own would coerce it."""
    raise TypeError(f"not of type {kind.__name__}")


def _strings(value: object, _: Any) -> tuple[str, ...]:
    if type(value) is not list or not all(type(item) is str for item in value):
        raise TypeError("not a list of strings")
    return tuple(value)


def _models(value: object, hint: Any) -> tuple[Any, ...]:
    """A list of objects; one that is no object makes the whole list unreadable."""
    if type(value) is not list:
        raise TypeError("not a list")
    kind = get_args(hint)[0]
    read = converter.get_structure_hook(kind)
    return tuple([read(item, kind) for item in value])


def _is_tuple_of_models(hint: Any) -> bool:
    return get_origin(hint) is tuple and attrs.has(get_args(hint)[0])


def _list(value: tuple[Any, ...]) -> list[Any]:
    return [item if type(item) is str else converter.unstructure(item) for item in value]


def _string_mapping(value: object, _: Any) -> dict[str, str]:
    if type(value) is not dict or not all(type(item) is str for item in value.values()):
        raise TypeError("not an object of strings")
    return value


def _read_or_none(value: object, hint: Any, hook: Callable[[Any, Any], Any]) -> Any:
    """The value of a field, or ``None`` if it is not of the field's type."""
    if type(value) is hint:
        return value
    try:
        return hook(value, hint)
    except (TypeError, ValueError):
        return None


# A field's name, its type, the hook that reads it, and the spelling of which this one is a double.
_Field = tuple[str, Any, Callable[[Any, Any], Any], str | None]


def _reader(cls: type) -> Callable[..., Any]:
    """The structure hook of one model, compiled once."""
    (extra_name,) = _fields(cls, "extra")
    preferred, hints = _wire_names(cls), _fields(cls)
    fields: dict[str, _Field] = {}
    for key, name in spellings(cls).items():
        hint = hints[name]
        if get_origin(hint) in (Union, types.UnionType):
            (hint,) = (kind for kind in get_args(hint) if kind is not type(None))
        repeated = None if key == preferred[name] else preferred[name]
        fields[key] = (name, hint, converter.get_structure_hook(hint), repeated)

    def read(payload: object, _: Any, **local: Any) -> Any:
        if type(payload) is not dict:
            raise TypeError("not a JSON object")
        extra: dict[str, Any] = {}
        values: dict[str, Any] = {**local, extra_name: extra}
        for key, value in payload.items():
            field = fields.get(key)
            if field is None:
                extra[key] = value
                continue
            if value is None:
                continue
            name, hint, hook, repeated = field
            if repeated is not None and (first := payload.get(repeated)) is not None:
                if type(value) is type(first) and value == first:
                    continue
                read_first = _read_or_none(first, hint, hook)
                if read_first is not None:
                    if _read_or_none(value, hint, hook) != read_first:
                        extra[key] = value
                    continue
            if type(value) is hint:
                values[name] = value
            else:
                try:
                    values[name] = hook(value, hint)
                except (TypeError, ValueError):
                    extra[key] = value
        return cls(**values)

    return read


def _writer(cls: type) -> Callable[[Any], dict[str, Any]]:
    """The unstructure hook of one model, compiled once."""
    names = tuple(_wire_names(cls).items())
    extra_names = tuple(_fields(cls, "extra"))
    plain = (str, bool, int)

    def write(model: Any) -> dict[str, Any]:
        body: dict[str, Any] = {}
        for name, spelling in names:
            value = getattr(model, name)
            if value is None:
                continue
            if type(value) in plain:
                body[spelling] = value
            elif value is CLEAR:
                body[spelling] = None
            else:
                body[spelling] = converter.unstructure(value)
        for name in extra_names:
            if extra := getattr(model, name):
                # Where a field's own spelling held something unreadable, its double was read.
                for spelling in extra.keys() & body.keys():
                    body[camel_case(spelling)] = body.pop(spelling)
                body.update(extra)
        return body

    return write


def _make_converter() -> cattrs.Converter:
    made = cattrs.Converter(detailed_validation=False)
    made.register_structure_hook_factory(attrs.has, _reader)
    made.register_unstructure_hook_factory(attrs.has, _writer)
    for kind in (str, bool, int):
        made.register_structure_hook(kind, _refuse)
    made.register_structure_hook_func(lambda hint: hint == tuple[str, ...], _strings)
    made.register_structure_hook_func(_is_tuple_of_models, _models)
    made.register_structure_hook_func(lambda hint: hint == dict[str, str], _string_mapping)
    made.register_unstructure_hook_func(lambda kind: kind is tuple, _list)
    made.register_structure_hook(datetime, lambda value, _: parse_datetime(value))
    made.register_unstructure_hook(datetime, format_datetime)
    return made


converter = _make_converter()


def structure(payload: object, cls: type[T], **local: Any) -> T:
    """The model of this type that a JSON object stands for.

    Args:
        payload: What ``json.loads`` gave.
        cls: An attrs class with an :data:`EXTRA` field.
        local: Values for the model's :data:`LOCAL` fields.

    Raises:
        TypeError: If ``payload`` is no JSON object. Nothing in the object is an error: a value
            of the wrong type is kept in ``extra``, and its field reads as ``None``.
    """
    read: Callable[..., T] = converter.get_structure_hook(cls)
    return read(payload, cls, **local)


def unstructure(model: Any) -> dict[str, Any]:
    """The JSON object of a model: preferred spellings, no key for what was not given."""
    body: dict[str, Any] = converter.unstructure(model)
    return body


def encode_json(document: Any, field: str) -> bytes:
    """A JSON document as UTF-8 bytes.

    Raises:
        ValidationError: If it holds something JSON has no form for, such as NaN, a set, a lone
            surrogate or a circle; names ``field``.
    """
    try:
        return _encode(document).encode()
    except (TypeError, ValueError, RecursionError) as error:
        raise ValidationError(f"{field} cannot be written as JSON: {error}.", field=field) from None
