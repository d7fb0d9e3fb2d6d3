"""Values of rows that a program holds, written as a file of contacts would hold them."""

from __future__ import annotations

import datetime
import enum
import json
import re
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from ._rows import is_exact, is_missing, narrow

UNREADABLE = "\ufffd"
"""Stands for a value that has no words of its own."""

_TAIL = re.compile(r"\.0*$")


def to_cell(value: Any) -> str:
    """Write a value as text; one that is missing is blank.

    Whole numbers are written in full where the float is exact, so that a phone number in a column
    of floats is read; others as Python writes them, which no phone number is. Lists and mappings
    become JSON.
    """
    if type(value) is str:
        return value
    if is_missing(value):
        return ""
    if isinstance(value, str):
        return str.__str__(value)
    if isinstance(value, enum.Enum):
        return to_cell(value.value)
    if isinstance(value, bool) or type(value).__name__ == "bool_":
        return "true" if value else "false"
    if isinstance(value, int):
        return f"{value:d}"
    if isinstance(value, float):
        return _write_float(value)
    if isinstance(value, Decimal):
        return _TAIL.sub("", f"{value:f}")
    if isinstance(value, (datetime.date, datetime.time)):
        return value.isoformat()
    if isinstance(value, (bytes, bytearray, memoryview)):
        return bytes(value).decode("utf-8", "surrogateescape")
    if isinstance(value, (Mapping, list, tuple, set, frozenset)):
        return json.dumps(_to_json(value), ensure_ascii=False)
    return _write_other(value)


def _write_float(value: float) -> str:
    if is_exact(value):
        return f"{value:.0f}"
    # Digits that the float does not tell are not to be taken for those of a phone number.
    return f"{value:.17e}" if value.is_integer() else repr(float(value))


def _write_other(value: Any) -> str:
    """Write a value of numpy's, or of a class that says how it is written."""
    narrowed = narrow(value)
    if narrowed is not value:
        return to_cell(narrowed)
    if hasattr(value, "tolist"):
        listed = value.tolist()
        return UNREADABLE if type(listed) is type(value) else to_cell(listed)
    if hasattr(value, "to_list"):
        return to_cell(value.to_list())
    kind: Any = type(value)
    has_words = kind.__str__ is not object.__str__ or kind.__repr__ is not object.__repr__
    return str(value) if has_words else UNREADABLE


def _to_json(value: Any) -> Any:
    """Prepare a value for JSON: what is missing is null, and what JSON has no kind for is text."""
    if is_missing(value):
        return None
    if isinstance(value, Mapping):
        return {to_cell(key): _to_json(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [*map(_to_json, value)]
    if isinstance(value, (set, frozenset)):
        return sorted(map(to_cell, value))
    if isinstance(value, (bool, int)) and not isinstance(value, enum.Enum):
        return value
    return to_cell(value)
