"""How the bodies of requests are read: JSON, and its fields of several types.

What is not of the type that it has to be is refused, with a 400 that names it.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any, cast

from ._contact import Refusal, normalize_number

__all__ = [
    "read_changes",
    "read_flags",
    "read_json_object",
    "read_texts",
    "require_list",
    "require_number",
]


def read_json_object(body: bytes) -> dict[str, object]:
    try:
        given = json.loads(body.decode("utf-8"))
    except (ValueError, RecursionError):
        raise Refusal(400, "The body is not JSON") from None
    if not isinstance(given, dict):
        raise Refusal(400, "The body is not a JSON object")
    return cast("dict[str, object]", given)


def require_number(number: str | None) -> str:
    if not number:
        raise Refusal(400, "Missing fields")
    return normalize_number(number)


def require_list(given: dict[str, object], name: str, content: str) -> list[object]:
    value = given.get(name)
    if value is None:
        raise Refusal(400, "Missing fields")
    if not isinstance(value, list):
        raise Refusal(400, f"{name} must be a list of {content}")
    return cast("list[object]", value)


def read_changes(given: dict[str, object], spellings: Mapping[str, str]) -> dict[str, Any]:
    changes: dict[str, Any] = read_texts(given, spellings)
    if "tags" in given:
        changes["tags"] = _read_tags(given["tags"])
    if "custom_variables" in given:
        changes["custom_variables"] = _read_variables(given["custom_variables"])
    return changes


def read_texts(given: dict[str, object], spellings: Mapping[str, str]) -> dict[str, str | None]:
    texts: dict[str, str | None] = {}
    for spelling, name in spellings.items():
        if spelling in given:
            value = given[spelling]
            if value is not None and not isinstance(value, str):
                raise Refusal(400, f"{spelling} must be a string")
            texts.setdefault(name, value)
    return texts


def read_flags(given: dict[str, object], spellings: Mapping[str, str]) -> dict[str, bool | None]:
    flags: dict[str, bool | None] = {}
    for spelling, name in spellings.items():
        if spelling in given:
            value = given[spelling]
            if value is not None and not isinstance(value, bool):
                raise Refusal(400, f"{spelling} must be a boolean")
            flags.setdefault(name, value)
    return flags


def _read_tags(value: object) -> tuple[str, ...]:
    if value is None:
        return ()
    if not isinstance(value, list) or not _all_text(cast("list[object]", value)):
        raise Refusal(400, "tags must be a list of strings")
    return tuple(cast("list[str]", value))


def _read_variables(value: object) -> dict[str, str] | None:
    if value is None:
        return None
    if not isinstance(value, dict) or not _all_text(cast("dict[str, object]", value).values()):
        raise Refusal(400, "custom_variables must be an object of strings")
    return cast("dict[str, str]", value)


def _all_text(values: Iterable[object]) -> bool:
    return all(isinstance(value, str) for value in values)
