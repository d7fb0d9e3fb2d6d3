"""Words that programs write where a value is missing: NaN of pandas, NULL of databases."""

from __future__ import annotations

from collections.abc import Iterable

from .._sources._row import Row
from ._columns import ColumnMapping

# What nobody is called, and what somebody may be.
_NEVER_NAMES = frozenset({"NaN", "NaT", "<NA>", r"\N"})
MAYBE_NAMES = frozenset({"nan", "NULL", "null", "None", "N/A", "n/a"})
"""Words that stand for a missing value in some files, and are names or values in others."""


def find_missing(rows: Iterable[Row], columns: ColumnMapping) -> frozenset[str]:
    """Find the words that stand for a missing value, by the first rows of a table.

    Those that may be names are such words if one stands where no name can: in a column of phone
    numbers, of addresses or of countries. An export has none.
    """
    if columns.exact is not None:
        return _NEVER_NAMES
    nameless = [*columns.numbers]
    nameless += [
        columns.fields[field]
        for field in ("assigned_to_email", "sendblue_number")
        if field in columns.fields
    ]
    if columns.country is not None:
        nameless.append(columns.country)
    found = {row.cells[position] for row in rows for position in nameless}
    return _NEVER_NAMES | (MAYBE_NAMES & found)


def blank_missing(row: Row, missing: frozenset[str]) -> Row:
    """Return the row with blank cells for those words."""
    if missing.isdisjoint(row.cells):
        return row
    cells = tuple("" if cell in missing else cell for cell in row.cells)
    return Row(row.line, cells, row.problem)
