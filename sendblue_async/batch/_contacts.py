"""Rows that a program holds, as fields of the contacts to create, each under its own name."""

from __future__ import annotations

from collections.abc import AsyncIterable, AsyncIterator, Iterable, Iterator, Mapping, Sequence
from typing import Any

from .._spellings import preferred_spellings
from ..exceptions import ValidationError
from ..models import BatchContact
from ._cells import to_cell
from ._rows import RowTable, find_table, is_missing, split_row

_VARIABLE = "custom_variables."
_NUMBERS = frozenset({"number", "phone_number", "phoneNumber"})
# What no cell of text can hold.
_KEPT = frozenset({"tags", "custom_variables", "update_if_exists", "extra_body"})


def find_contacts(source: Any, names: Sequence[str] | None) -> Any:
    """Return what the contacts come from; the rows of a table as mappings of fields.

    Args:
        source: The source.
        names: The names of the fields, for rows that have none.

    Raises:
        ValidationError: If a column is no field of a contact.
        ConfigurationError: If names make no sense for the source.
    """
    table = find_table(source, names)
    if table is None:
        return source
    _check_columns(table)
    return _read_later(table) if isinstance(table.rows, AsyncIterable) else _read(table, table.rows)


def read_fields(row: Any) -> Any:
    """Return the fields of a row by their names, without those that are missing."""
    split = split_row(row)
    if split is None:
        return row
    names, values = split
    return {name: value for name, value in zip(names, values, strict=True) if not is_missing(value)}


def _check_columns(table: RowTable) -> None:
    """Check the columns of a table once, and not in every row."""
    wrong = [name for name in table.columns if not _is_field(name)]
    reason = (
        f"has columns that are no fields of a contact: {', '.join(map(repr, wrong))}. Rename or "
        "drop them"
        if wrong
        else "has no column named 'number'. Rename one"
        if not _NUMBERS.intersection(table.columns)
        else None
    )
    if reason:
        raise ValidationError(
            f"{table.name[0].upper()}{table.name[1:]} {reason}, or use import_contacts, which "
            "recognises common names.",
            field="source",
        )


def _is_field(name: str) -> bool:
    if name.startswith(_VARIABLE):
        return name != _VARIABLE
    try:
        preferred_spellings({name: None}, BatchContact)
    except ValidationError:
        return False
    return True


def _read(table: RowTable, rows: Iterable[Sequence[Any]]) -> Iterator[Mapping[str, Any]]:
    for row in rows:
        yield _name_values(table.columns, row)


async def _read_later(table: RowTable) -> AsyncIterator[Mapping[str, Any]]:
    assert isinstance(table.rows, AsyncIterable)
    async for row in table.rows:
        yield _name_values(table.columns, row)


def _name_values(columns: tuple[str, ...], row: Sequence[Any]) -> dict[str, Any]:
    """Name the values of a row; blank cells of a table are no values, and all others are text."""
    fields: dict[str, Any] = {}
    variables: dict[str, str] = {}
    for name, value in zip(columns, row, strict=True):
        if name in _KEPT:
            if not is_missing(value) and value != "":
                fields[name] = value
        elif cell := to_cell(value).strip():
            if name.startswith(_VARIABLE):
                variables[name.removeprefix(_VARIABLE)] = cell
            else:
                fields[name] = cell
    if variables:
        fields["custom_variables"] = {**fields.get("custom_variables", {}), **variables}
    return fields
