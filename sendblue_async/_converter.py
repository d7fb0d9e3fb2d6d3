"""The one converter between models and JSON: lenient when it reads, sparing when it writes.

Models are attrs classes whose field names are the API's preferred (snake_case) spellings.
Reading is lenient, because a call that succeeded must never fail on its answer: a field is taken
in snake_case and in camelCase, and whatever is unknown or of the wrong type is kept in the
model's ``extra``. A live answer has many fields in both spellings; of such a double nothing is
kept, unless it differs.
Writing leaves out what was not given.
"""

from __future__ import annotations

import json
import types
from collections.abc import Callable
from datetime import datetime
from enum import Enum
from typing import Any, Final, TypeVar, Union, get_args, get_origin

import attrs
import cattrs

from ._dates import format_datetime, parse_datetime
from ._spellings import camel_case, fields_of, spellings, wire_names
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


def _refuse(value: object, kind: type) -> Any:
    """Refuse a value of another type than a plain one; cattrs' own hook would coerce it."""
    raise TypeError(f"not of type {kind.__name__}")


def _read_strings(value: object, _: Any) -> tuple[str, ...]:
    if type(value) is not list or not all(type(item) is str for item in value):
        raise TypeError("not a list of strings")
    return tuple(value)


def _read_models(value: object, hint: Any) -> tuple[Any, ...]:
    """Read a list of objects; one that is no object makes the whole list unreadable."""
    if type(value) is not list:
        raise TypeError("not a list")
    kind = get_args(hint)[0]
    read = converter.get_structure_hook(kind)
    return tuple([read(item, kind) for item in value])


def _is_tuple_of_models(hint: Any) -> bool:
    return get_origin(hint) is tuple and attrs.has(get_args(hint)[0])


def _write_list(value: tuple[Any, ...]) -> list[Any]:
    return [item if type(item) is str else converter.unstructure(item) for item in value]


def _read_string_mapping(value: object, _: Any) -> dict[str, str]:
    if type(value) is not dict or not all(type(item) is str for item in value.values()):
        raise TypeError("not an object of strings")
    return value


def _read_or_none(value: object, hint: Any, hook: Callable[[Any, Any], Any]) -> Any:
    """Read the value of a field, or ``None`` if it is not of the field's type."""
    if type(value) is hint:
        return value
    try:
        return hook(value, hint)
    except (TypeError, ValueError):
        return None


# A field's name, its type, the hook that reads it, and the spelling of which this one is a double.
_Field = tuple[str, Any, Callable[[Any, Any], Any], str | None]


def _make_reader(cls: type) -> Callable[..., Any]:
    """Make the structure hook of a model."""
    (extra_name,) = fields_of(cls, "extra")
    preferred, hints = wire_names(cls), fields_of(cls)
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


def _make_writer(cls: type) -> Callable[[Any], dict[str, Any]]:
    """Make the unstructure hook of a model."""
    names = tuple(wire_names(cls).items())
    extra_names = tuple(fields_of(cls, "extra"))
    plain = (str, bool, int)

    def write(model: Any) -> dict[str, Any]:
        body: dict[str, Any] = {}
        values = vars(model)
        for name, spelling in names:
            value = values[name]
            if value is None:
                continue
            if type(value) in plain:
                body[spelling] = value
            elif value is CLEAR:
                body[spelling] = None
            elif type(value) is tuple:
                body[spelling] = _write_list(value)
            else:
                body[spelling] = converter.unstructure(value)
        for name in extra_names:
            if extra := values[name]:
                # Where a field's own spelling held something unreadable, its double was read.
                for spelling in extra.keys() & body.keys():
                    body[camel_case(spelling)] = body.pop(spelling)
                body.update(extra)
        return body

    return write


def _make_converter() -> cattrs.Converter:
    new = cattrs.Converter(detailed_validation=False)
    new.register_structure_hook_factory(attrs.has, _make_reader)
    new.register_unstructure_hook_factory(attrs.has, _make_writer)
    for kind in (str, bool, int):
        new.register_structure_hook(kind, _refuse)
    new.register_structure_hook_func(lambda hint: hint == tuple[str, ...], _read_strings)
    new.register_structure_hook_func(_is_tuple_of_models, _read_models)
    new.register_structure_hook_func(lambda hint: hint == dict[str, str], _read_string_mapping)
    new.register_unstructure_hook_func(lambda kind: kind is tuple, _write_list)
    new.register_structure_hook(datetime, lambda value, _: parse_datetime(value))
    new.register_unstructure_hook(datetime, format_datetime)
    return new


converter = _make_converter()


def structure(payload: object, cls: type[T], **local: Any) -> T:
    """Make a model of this type from a JSON object.

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
    """Make the JSON object of a model: preferred spellings, no key for what was not given."""
    body: dict[str, Any] = converter.unstructure(model)
    return body


def encode_json(document: Any, field: str) -> bytes:
    """Encode a JSON document as UTF-8 bytes.

    Raises:
        ValidationError: If it holds something JSON has no form for, such as NaN, a set, a lone
            surrogate or a circle; names ``field``.
    """
    try:
        return _encode(document).encode()
    except (TypeError, ValueError, RecursionError) as error:
        raise ValidationError(f"{field} cannot be written as JSON: {error}.", field=field) from None
