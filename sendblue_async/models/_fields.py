"""What a field of a request may hold: the checks when a model is made."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from typing import Any, Literal, TypeVar, get_args

from attrs import Attribute, fields

from .._converter import CLEAR, Clear, encode_json
from .._phone_numbers import simplify_number
from .._redaction import redact_numbers
from .._spellings import spellings
from ..exceptions import ValidationError

T = TypeVar("T")

_E164 = re.compile(r"\+[1-9][0-9]{6,14}")
_PUNCTUATION = re.compile(r"[ .()\-]")
_TRUNK_ZERO = re.compile(r"\( *0 *\)")


def e164(value: object, field: str = "number") -> str:
    """The number in E.164 form, such as ``"+14155550123"``.

    Spaces, dashes, dots, parentheses and invisible characters are dropped from a number that
    starts with ``+``, and any decimal digits are taken.

    Args:
        value: A phone number.
        field: The name an error gives to the field.

    Raises:
        ValidationError: If what is left is not ``+`` and 7 to 15 digits, the first not zero; or if
            there is a ``(0)`` in it, which is dialled in some countries only.
    """
    if isinstance(value, str):
        if _E164.fullmatch(value):
            return value
        simple = simplify_number(value)
        bare = _PUNCTUATION.sub("", simple)
        if (
            simple.lstrip(" ").startswith("+")
            and _E164.fullmatch(bare)
            and not _TRUNK_ZERO.search(simple)
        ):
            return bare
    raise ValidationError(
        f"{field} must be a phone number in E.164 form, + and 7 to 15 digits such as "
        f"'+14155550123', not {show(value)}.",
        field=field,
    )


def show(value: object) -> str:
    """Show a value in an error message: with its type if it is no string, and never long.

    Phone numbers in it, and what was meant as one, are cut to their last four digits.
    """
    try:
        # Before escapes set the digits apart.
        words = ascii(redact_numbers(value) if isinstance(value, str) else value)
    except Exception:  # whatever a stranger's __repr__ raises, the value is refused all the same
        words = "something that cannot be shown"
    words = redact_numbers(words.replace(r"\u2026", "…"))
    words = words if len(words) <= 60 else f"{words[:57]}..."
    return words if isinstance(value, str) else f"{words} ({type(value).__name__})"


def check_text(value: object, field: str, index: int | None = None) -> str:
    """Return the value if it is text that can be sent; with an index, it is one of several."""
    if isinstance(value, str) and value.isascii():
        return value
    if index is not None:
        field = f"{field}[{index}]"
    if not isinstance(value, str):
        raise ValidationError(f"{field} must be a string, not {show(value)}.", field=field)
    try:
        value.encode()
    except UnicodeEncodeError:
        raise ValidationError(
            f"{field} has a lone surrogate, which is not text and cannot be sent: {show(value)}.",
            field=field,
        ) from None
    return value


def _is_list(value: object) -> bool:
    # The first comparison spares most values the others, which take longer.
    return type(value) in (list, tuple) or (
        isinstance(value, Iterable) and not isinstance(value, (str, bytes, Mapping))
    )


def validate_text(instance: object, attribute: Attribute[Any], value: object) -> None:
    """Text that can be sent."""
    check_text(value, attribute.name)


def validate_text_or_clear(instance: object, attribute: Attribute[Any], value: object) -> None:
    """Text that can be sent, nothing, or :data:`CLEAR`."""
    if value is not None and value is not CLEAR:
        check_text(value, attribute.name)


def validate_boolean(instance: object, attribute: Attribute[Any], value: object) -> None:
    """True or false, and nothing that merely counts as such."""
    if not isinstance(value, bool):
        raise ValidationError(
            f"{attribute.name} must be True or False, not {show(value)}.", field=attribute.name
        )


def validate_boolean_or_none(instance: object, attribute: Attribute[Any], value: object) -> None:
    """True, false or nothing."""
    if value is not None:
        validate_boolean(instance, attribute, value)


def sendblue_line(value: str | Clear | None) -> str | Clear | None:
    """The Sendblue line to send with, in E.164 form."""
    return value if value is None or value is CLEAR else e164(value, "sendblue_number")


def tag_list(value: Iterable[str] | Clear | None) -> tuple[str, ...] | Clear | None:
    """The tags as a tuple; any iterable of strings but a bare string."""
    if value is None or value is CLEAR:
        return value
    if not _is_list(value):
        raise ValidationError(
            f"tags must be a list of strings, not {show(value)}; for one tag, give ['vip'].",
            field="tags",
        )
    return tuple([check_text(tag, "tags", index) for index, tag in enumerate(value)])


def variables(value: Mapping[str, str] | Clear | None) -> dict[str, str] | Clear | None:
    """Labels and their values, all strings, in a dict of their own."""
    if value is None or value is CLEAR:
        return value
    if not isinstance(value, Mapping):
        raise ValidationError(
            f"custom_variables must be a mapping of strings to strings, not {show(value)}.",
            field="custom_variables",
        )
    checked = {}
    for label, text in value.items():
        check_text(label, "custom_variables")
        checked[label] = check_text(text, f"custom_variables[{redact_numbers(label)!r}]")
    return checked


def _has_string_keys(value: object) -> bool:
    return isinstance(value, Mapping) and all(isinstance(key, str) for key in value)


def extra_keys(value: Mapping[str, Any] | None) -> dict[str, Any]:
    """Further keys of a request's body, in a dict of their own."""
    if value is None:
        return {}
    if not _has_string_keys(value):
        raise ValidationError(
            f"extra_body must be a mapping with string keys, not {show(value)}.",
            field="extra_body",
        )
    # Checked here and not when it is sent, so that the error can name what it belongs to.
    encode_json(value, "extra_body")
    return dict(value)


def check_extra_body(model: Any) -> None:
    """Refuse an ``extra_body`` that has a key for which the model has a field.

    Raises:
        ValidationError: If it has one.
    """
    if not model.extra_body:
        return
    known = spellings(type(model))
    for key in model.extra_body:
        if key in known:
            raise ValidationError(
                f"extra_body has {key!r}, which is a field of its own; give it there.",
                field="extra_body",
            )


def list_items(value: Iterable[T], name: str) -> list[T]:
    """The items of a list, which has to have one at least."""
    listed = list(value) if _is_list(value) else []
    if not listed:
        raise ValidationError(
            f"{name} must be a list of at least one, not {show(value)}.", field=name
        )
    return listed


def number_in(low: int, high: int) -> Callable[[Any, Attribute[Any], object], None]:
    """Make a validator for a whole number from ``low`` to ``high``."""

    def check(instance: object, attribute: Attribute[Any], value: object) -> None:
        if type(value) is not int or not low <= value <= high:
            raise ValidationError(
                f"{attribute.name} must be a whole number from {low} to {high}, not {show(value)}.",
                field=attribute.name,
            )

    return check


def one_of(*choices: str) -> Callable[[Any, Attribute[Any], object], None]:
    """Make a validator for one of these words."""

    def check(instance: object, attribute: Attribute[Any], value: object) -> None:
        if value not in choices:
            raise ValidationError(
                f"{attribute.name} must be one of {', '.join(choices)}, not {show(value)}.",
                field=attribute.name,
            )

    return check


OrderBy = Literal["created_at", "first_name", "firstName", "last_name", "lastName", "phone"]
"""The fields that a list can be sorted by; names may be spelled as the API does."""

_SORT_FIELDS: dict[str, str] = {name: name for name in get_args(OrderBy)} | {
    "first_name": "firstName",
    "last_name": "lastName",
}


def sort_field(value: object) -> str:
    """The field to sort a list by, as the API spells it."""
    if not isinstance(value, str) or value not in _SORT_FIELDS:
        names = ", ".join(name for name in _SORT_FIELDS if name.islower())
        raise ValidationError(
            f"order_by must be one of {names}, not {show(value)}.",
            field="order_by",
        )
    return _SORT_FIELDS[value]


def validate_aware(instance: object, attribute: Attribute[Any], value: object) -> None:
    """A point in time that names its offset."""
    if isinstance(value, datetime) and value.utcoffset() is not None:
        return
    raise ValidationError(
        f"{attribute.name} must be a datetime with a time zone, such as "
        f"datetime(2026, 1, 31, tzinfo=timezone.utc), not {show(value)}.",
        field=attribute.name,
    )


def show_fields(model: Any) -> str:
    """Show a model by the fields that have a value, its own first; also one not whole yet."""
    names = sorted(fields(type(model)), key=lambda field: "role" in field.metadata)
    values = {field.name: getattr(model, field.name, None) for field in names}
    given = (f"{name}={value!r}" for name, value in values.items() if value not in (None, {}))
    return f"{type(model).__name__}({', '.join(given)})"
