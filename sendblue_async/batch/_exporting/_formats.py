"""How an export is written: CSV, JSON Lines or a workbook."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import IO, Any, Literal, Protocol, get_args

from ...exceptions import ConfigurationError, ValidationError
from ...models import Contact
from .._mapping._exact import EXACT
from .._sources._csv import escape_formula, unescape_formula
from .._sources._extra import import_library
from .._sources._garbled import is_garbled
from ._rows import COLUMNS, NUMBERS, make_rows

ExportFormat = Literal["csv", "jsonl", "xlsx"]
"""How an export is written."""

_FORMATS: tuple[ExportFormat, ...] = get_args(ExportFormat)
_SUFFIXES: Mapping[str, ExportFormat] = {
    ".csv": "csv",
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".xlsx": "xlsx",
}
_MOST_ROWS, _MOST_CHARACTERS = 1_048_576, 32_767
# What JSON has kinds of its own for.
_JSON_COLUMNS = ("tags", "custom_variables", "opt_out", "verified")


class Writer(Protocol):
    """Writes contacts to a file."""

    def write(self, contacts: Sequence[Contact]) -> None:
        """Write these."""
        ...

    def finish(self) -> None:
        """Write what is still to be written."""
        ...


def choose_format(path: Path | None, given: str | None) -> ExportFormat:
    """Choose the format that is given, or else the one that a file's name ends in.

    Raises:
        ConfigurationError: If there is no such format, or the name tells none.
    """
    names = "'csv', 'jsonl' or 'xlsx'"
    if given is not None:
        for known in _FORMATS:
            if given == known:
                return known
        raise ConfigurationError(f"format must be {names}, not {given!r}.")
    if path is None:
        return "csv"
    if path.suffix.lower() not in _SUFFIXES:
        raise ConfigurationError(
            f"The name {path.name} tells no format. Let it end in .csv, .jsonl or .xlsx, or "
            f"give a format: {names}."
        )
    return _SUFFIXES[path.suffix.lower()]


class CsvWriter:
    """CSV in UTF-8, in which no text is a formula to a spreadsheet.

    Phone numbers stand as they are, so that programs can join them.
    """

    def __init__(self, file: IO[str]) -> None:
        self._rows = csv.writer(file)
        self._rows.writerow(COLUMNS)

    def write(self, contacts: Sequence[Contact]) -> None:
        """Write a row for each."""
        self._rows.writerows(map(self._make_row, make_rows(contacts)))

    def _make_row(self, cells: Mapping[str, str]) -> list[str]:
        return [
            cell if name in NUMBERS and cell[1:].isdigit() else escape_formula(cell)
            for name, cell in cells.items()
        ]

    def finish(self) -> None:
        """Nothing is left to write."""


class JsonLinesWriter:
    """One object a line, with the fields that have a value."""

    def __init__(self, file: IO[str]) -> None:
        self._file = file

    def write(self, contacts: Sequence[Contact]) -> None:
        """Write a line for each."""
        for row, contact in zip(make_rows(contacts, is_json=True), contacts, strict=True):
            document: dict[str, Any] = {name: cell for name, cell in row.items() if cell}
            for name in document.keys() & _JSON_COLUMNS:
                value = getattr(contact, name)
                text = json.dumps(value, ensure_ascii=False)
                # Else the text of the cell, in which it is escaped twice.
                is_plain = "\ufffd" not in text and text.isprintable() and not is_garbled(text)
                if isinstance(value, bool) or (EXACT not in document and is_plain):
                    document[name] = value
            self._file.write(json.dumps(document, ensure_ascii=False) + "\n")

    def finish(self) -> None:
        """Nothing is left to write."""


class WorkbookWriter:
    """A workbook of text cells; its rows wait in a temporary file.

    Args:
        file: The file, open for bytes.
    """

    def __init__(self, file: IO[bytes]) -> None:
        openpyxl = import_library("openpyxl", extra="excel")
        self._file = file
        self._rows = 1
        self._cell = openpyxl.cell.WriteOnlyCell
        self._workbook = openpyxl.Workbook(write_only=True)
        self._sheet = self._workbook.create_sheet("Contacts")
        self._sheet.append(COLUMNS)

    def write(self, contacts: Sequence[Contact]) -> None:
        """Write a row for each.

        Raises:
            ValidationError: If they do not fit.
        """
        self._rows += len(contacts)
        rows = make_rows(contacts)
        longest = max((len(cell) for row in rows for cell in row.values()), default=0)
        if self._rows > _MOST_ROWS or longest > _MOST_CHARACTERS:
            raise ValidationError(
                f"A sheet holds {_MOST_ROWS:,} rows, and a cell {_MOST_CHARACTERS:,} characters. "
                "Export these contacts as CSV or JSON Lines.",
                field="format",
            )
        for row in rows:
            self._sheet.append([*map(self._make_cell, row.values())])

    def _make_cell(self, text: str) -> Any:
        escaped = escape_formula(text)
        if escaped == text:
            return text or None
        # A text cell needs no apostrophe, unless the importer would read another text.
        cell = self._cell(self._sheet, text if unescape_formula(text) == text else escaped)
        cell.data_type = "s"
        # It stays text if somebody edits it.
        cell.quotePrefix = True
        return cell

    def finish(self) -> None:
        """Write the file."""
        self._workbook.save(self._file)

    def close(self) -> None:
        """Delete the temporary file, which the library leaves if it is not asked to finish."""
        if not self._sheet.closed:
            self._sheet.close()
            self._sheet._writer.cleanup()


TEXT_WRITERS: Mapping[ExportFormat, Callable[[IO[str]], Writer]] = {
    "csv": CsvWriter,
    "jsonl": JsonLinesWriter,
}
"""The formats that are text."""
