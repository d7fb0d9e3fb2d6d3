"""Rows that a program holds, kept in a temporary file from where they are read again."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import IO, Any

from ...exceptions import ValidationError
from .._cells import to_cell
from .._rows import split_row
from ._row import REPLACEMENT, Problem, Row, make_row

MOST_COLUMNS = 1_000
"""How many columns the rows may have together, so that each row fits into memory."""

_NUL = "\\u0000"
_TOO_MANY_CELLS = Problem("too_many_cells", "The row has more cells than the table has columns.")


class RowFile:
    """Writes rows to a file, a line for each, and learns the columns on the way.

    Args:
        name: What to call the rows in an error.
        file: The file.

    Attributes:
        columns: The columns, in the order in which they first appear.
        rows: How many rows were written.
    """

    def __init__(self, name: str, file: IO[bytes]) -> None:
        self.columns: tuple[str, ...] = ()
        self.rows = 0
        self._name = name
        self._file = file
        self._is_table = False
        self._positions: dict[str, int] = {}
        # Rows mostly have the names of the row before.
        self._names: tuple[Any, ...] = ()
        self._targets: list[int] = []

    def use_columns(self, columns: tuple[str, ...]) -> None:
        """Expect rows of values, which stand under these columns."""
        self.columns, self._is_table = columns, True

    def write(self, row: Any) -> None:
        """Append a row.

        Raises:
            ValidationError: If it is none, or has one column twice.
        """
        cells = [*map(to_cell, row)] if self._is_table else self._place(row)
        self.rows += 1
        line = json.dumps(cells)
        if _NUL in line:
            line = json.dumps([cell.replace("\0", REPLACEMENT) for cell in cells])
        self._file.write(line.encode("ascii") + b"\n")

    def _place(self, row: Any) -> list[str]:
        """Put the cells of a row with names where the columns of these names are."""
        split = split_row(row)
        if split is None:
            raise ValidationError(
                f"Row {self.rows + 1} of {self._name} is of the type {type(row).__name__}. A row "
                "must be a mapping, or another object with names for its values; for tuples, name "
                "the columns.",
                field="source",
            )
        names, values = split
        if names != self._names:
            self._names, self._targets = names, self._find_targets(names)
        cells = [""] * len(self.columns)
        for target, value in zip(self._targets, values, strict=True):
            cells[target] = to_cell(value)
        return cells

    def _find_targets(self, names: Sequence[Any]) -> list[int]:
        columns = [*map(str, names)]
        if len({*columns}) < len(columns):
            raise ValidationError(
                f"Row {self.rows + 1} of {self._name} has two columns of one name. Give each a "
                "name of its own, as AS does in SQL.",
                field="source",
            )
        for column in columns:
            self._positions.setdefault(column, len(self._positions))
        if len(self._positions) > MOST_COLUMNS:
            raise ValidationError(
                f"The rows of {self._name} have more than {MOST_COLUMNS:,} different columns. "
                "Give each row the same few.",
                field="source",
            )
        self.columns = tuple(self._positions)
        return [self._positions[column] for column in columns]


def read_rows(path: Path, width: int) -> Iterator[Row]:
    """Read the rows that were written, each with as many cells as there are columns."""
    with path.open("rb") as file:
        for number, line in enumerate(file, 1):
            cells = json.loads(line)
            problem = None
            if len(cells) > width:
                if "".join(cells[width:]).strip():
                    # Nothing is lost, so that the row can be put in order by hand.
                    cells[width - 1] = REPLACEMENT + ",".join(cells[width - 1 :])
                    problem = _TOO_MANY_CELLS
                del cells[width:]
            cells += [""] * (width - len(cells))
            if any(map(str.strip, cells)):
                yield make_row(number, cells, problem, seeks_garbled=True)


def fingerprint_of(path: Path, columns: Sequence[str]) -> str:
    """The SHA-256 of the columns and of all rows, in hexadecimal digits."""
    digest = hashlib.sha256(json.dumps(columns).encode("ascii"))
    with path.open("rb") as file:
        while chunk := file.read(1 << 16):
            digest.update(chunk)
    return digest.hexdigest()
