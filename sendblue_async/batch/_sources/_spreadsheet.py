"""Sheets of workbooks as rows of text, whichever program wrote them.

The library python-calamine reads the cells. What it keeps to itself is found out beforehand by a
look at the file, as :class:`SheetNotes`: errors come out of it as blank cells, as do formulas
without a value, and it takes memory for every cell up to the last one, wherever that stands.
A sheet of 100,000 rows and eight columns takes 3.6 s, of which 2.2 s are that look, and 70 MB.
"""

from __future__ import annotations

import datetime
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from decimal import Decimal
from itertools import islice, zip_longest
from pathlib import Path
from typing import Any

from attrs import Factory, define

from ...exceptions import ConfigurationError, ValidationError
from ._archive import damaged_error, protected_error
from ._csv import unescape_formula
from ._extra import import_library
from ._file import SourceFile, open_source
from ._format import Content, ReadOptions
from ._header import ROWS_OF_START, find_header, holds_contact, holds_number, no_header_error
from ._row import ERRORS, REPLACEMENT, Problem, Row, make_row

MOST_CELLS = 1 << 24
"""How many cells a sheet may reach over, of which each takes some 40 bytes, blank or not."""

MOST_NOTES = 1 << 20
"""How many notes may be taken on cells and rows of all sheets, of which some take 400 bytes."""

# From here on a number has digits that its 53 bits do not tell.
_INEXACT = 1 << 53
_DIGITS = re.compile(r"-?[1-9][0-9]{15,}")
_NO_VALUE = Problem(
    "formula_without_value",
    "A formula of the row was never calculated. Open the workbook in a spreadsheet program and "
    "save it.",
)


@define
class SheetNotes:
    """What a look at a sheet shows beside the values of its cells; all counts begin at 0.

    Attributes:
        rows: How many rows there are up to the last one with a value.
        columns: How many columns there are up to the last one with a value.
        hidden: The hidden rows with a value.
        texts: What stands in a cell whose value does not tell it, by row and column: an error, a
            number with more digits than a value keeps, or :data:`REPLACEMENT` for a formula that
            was never calculated.
        wide: The cells that are merged over several columns, by row and column.
        unreadable: A cell with an error that the library does not know, and which error.
        taken: How many notes were taken on cells and rows of this sheet and those before it.
    """

    rows: int = 0
    columns: int = 0
    hidden: set[int] = Factory(set)
    texts: dict[int, dict[int, str]] = Factory(dict)
    wide: set[tuple[int, int]] = Factory(set)
    unreadable: tuple[int, int, str] | None = None
    taken: int = 0

    def fill(self, row: int, column: int, text: str | None = None, *, hidden: bool = False) -> None:
        """Note a cell that has a value."""
        self.rows = max(self.rows, row + 1)
        self.columns = max(self.columns, column + 1)
        if hidden and row not in self.hidden:
            self.hidden.add(row)
            self.taken += 1
        if text is not None:
            self.texts.setdefault(row, {})[column] = text
            self.taken += 1

    @property
    def cells(self) -> int:
        """How many cells there are up to the last one with a value, blank ones included."""
        return self.rows * self.columns

    def check_extent(self, source: SourceFile) -> None:
        """See that the cells up to the last one fit into memory.

        Raises:
            ValidationError: If they do not.
        """
        if self.cells > MOST_CELLS:
            raise self.extent_error(source)

    def check_taken(self, source: SourceFile, more: int = 0) -> None:
        """See that the notes, and those that are to be taken next, fit into memory.

        Raises:
            ValidationError: If they do not.
        """
        if self.taken + more > MOST_NOTES:
            raise ValidationError(
                f"{source.path} has more than {MOST_NOTES:,} hidden rows, merged cells, and cells "
                "with an error, a formula without a value or a number of over 15 digits. Save the "
                "sheet as CSV.",
                field="path",
            )

    def take_one(self, source: SourceFile) -> None:
        """Count a note that is taken on something else.

        Raises:
            ValidationError: If it does not fit into memory.
        """
        self.taken += 1
        self.check_taken(source)

    def extent_error(self, source: SourceFile) -> ValidationError:
        """Make the error for a sheet that takes too much memory."""
        last = name_cell(self.rows - 1, self.columns - 1)
        return ValidationError(
            f"A sheet of {source.path} reaches to cell {last}, which is too far. Delete what "
            "stands beyond the contacts, or save the sheet as CSV.",
            field="path",
        )


def check_total_extent(sheets: Iterable[SheetNotes], source: SourceFile) -> None:
    """See that the cells of all sheets fit into memory, as the library reads them at once.

    Raises:
        ValidationError: If they do not.
    """
    total = 0
    for notes in sheets:
        total += notes.cells
        if total > MOST_CELLS:
            raise notes.extent_error(source)


def name_cell(row: int, column: int) -> str:
    """Name a cell as spreadsheets do: ``"AB12"``."""
    letters = ""
    column += 1
    while column:
        column, letter = divmod(column - 1, 26)
        letters = chr(65 + letter) + letters
    return f"{letters}{row + 1}"


def normalise_error(shown: str) -> str:
    """Return the error that a cell shows, by a name that :data:`ERRORS` has."""
    return shown if shown in ERRORS else "#VALUE!"


def has_many_digits(number: str) -> bool:
    """Return whether the number, as the file has it, is whole and longer than a value can be."""
    return len(number) > 15 and _DIGITS.fullmatch(number) is not None


def open_spreadsheet(
    source: SourceFile, options: ReadOptions, inspect: Callable[[SourceFile], Sequence[SheetNotes]]
) -> Content:
    """Find the sheet and its header.

    Args:
        source: The file.
        options: Which sheet it is.
        inspect: Looks at the file, and gives the notes on each sheet in the order of the sheets.

    Raises:
        ValidationError: If the file or the sheet cannot be used.
        ConfigurationError: If there is no such sheet, or python-calamine is not installed.
    """
    calamine = import_library("python_calamine", extra="excel")
    path, contents = source.path, source.contents
    every = inspect(source)
    with _load(source) as workbook:
        if len(workbook.sheet_names) != len(every):
            raise damaged_error(source)
        notes = dict(zip(workbook.sheet_names, every, strict=True))
        visible = [
            sheet.name
            for sheet in workbook.sheets_metadata
            if sheet.visible == calamine.SheetVisibleEnum.Visible
            and sheet.typ == calamine.SheetTypeEnum.WorkSheet
        ]
        filled = [name for name in visible if notes[name].rows]
        name = _choose_sheet(path, options.sheet, [*notes], visible, filled)
        note = notes[name]
        if not note.rows:
            raise no_header_error(str(path), f"The sheet {name!r} has no row at all.")
        note.check_extent(source)
        if note.unreadable is not None:
            row, column, error = note.unreadable
            raise ValidationError(
                f"The cell {name_cell(row, column)} of the sheet {name!r} in {path} shows "
                f"{error[:20]}, which is no error that can be read. Mend the formula, or save the "
                "sheet as CSV.",
                field="path",
            )
        header_row, header = _find_header(
            path, workbook.get_sheet_by_name(name), note, options.is_known
        )

    def read_rows() -> Iterator[Row]:
        with open_source(path, contents) as again, _load(again) as workbook:
            rows = _read_cells(workbook.get_sheet_by_name(name), note)
            for row, cells in islice(rows, header_row + 1, None):
                width = len(header)
                cells = [*cells[:width], *[""] * (width - len(cells))]
                values = tuple(map(unescape_formula, cells))
                # One that repeats the header, as in sheets that were put together, is none.
                if "".join(cells).strip() and values != header:
                    noted = note.texts.get(row, {}).items()
                    missing = any(column < width and text == REPLACEMENT for column, text in noted)
                    problem = _NO_VALUE if missing else None
                    yield make_row(row + 1, values, problem, seeks_garbled=True)

    return Content(
        header=header,
        read_rows=read_rows,
        sheet=name,
        other_sheets=tuple(other for other in filled if other != name),
        hidden_rows=sum(row > header_row for row in note.hidden),
    )


@contextmanager
def _load(source: SourceFile) -> Iterator[Any]:
    """Load the workbook; errors of the library are raised as ours."""
    calamine = import_library("python_calamine", extra="excel")
    try:
        with calamine.load_workbook(source.contents) as workbook:
            yield workbook
    except calamine.PasswordError as error:
        raise protected_error(source) from error
    except calamine.CalamineError as error:
        raise damaged_error(source) from error
    except BaseException as error:
        # How the library ends where it meets what it did not foresee.
        if type(error).__name__ != "PanicException":
            raise
        raise damaged_error(source) from error


def _choose_sheet(
    path: Path, wanted: str | int | None, names: list[str], visible: list[str], filled: list[str]
) -> str:
    """Choose the sheet of this name or number, or the first visible one that has a value."""
    if wanted is None:
        if not filled:
            raise no_header_error(str(path), "No sheet that is visible has a row.")
        return filled[0]
    if wanted in names:
        return str(wanted)
    number = int(wanted) if str(wanted).isdecimal() else 0
    if not 1 <= number <= len(visible):
        raise ConfigurationError(
            f"{path} has no sheet {wanted!r}. Its sheets are {', '.join(map(repr, names))}. Give "
            "the name of one, or the number of one that is visible, from 1."
        )
    return visible[number - 1]


def _find_header(
    path: Path, sheet: Any, note: SheetNotes, is_known: Callable[[str], bool]
) -> tuple[int, tuple[str, ...]]:
    """Find the row of the header, below any titles, and the names in it."""
    wide = {*note.wide}
    for (top, left), (_, right) in sheet.merged_cell_ranges or ():
        if right > left:
            wide.add((top, left))
    rows = []
    for row, cells in _read_cells(sheet, note):
        # Titles are merged over the table.
        narrow = [
            cell for column, cell in enumerate(cells) if cell.strip() and (row, column) not in wide
        ]
        if narrow:
            rows.append((row, cells, narrow))
            if len(rows) == ROWS_OF_START:
                break
    if not rows:
        raise no_header_error(str(path), "No row of the sheet names columns.")
    index = find_header([narrow for _, _, narrow in rows], is_known)
    # Above a table with numbers in one column alone, a name stands alone, too.
    if any(map(holds_number, rows[index][1])):
        index = 0
    for row, cells, _ in rows[: index + 1]:
        if any(map(holds_number if row == rows[index][0] else holds_contact, cells)):
            raise no_header_error(str(path), f"Row {row + 1} has a phone number in it.")
    row, cells, _ = rows[index]
    last = max(column for column, cell in enumerate(cells) if cell.strip())
    return row, tuple(map(unescape_formula, cells[: last + 1]))


def _read_cells(sheet: Any, note: SheetNotes) -> Iterator[tuple[int, list[str]]]:
    """Read all rows as text, from the top of the sheet on, blank ones as well."""
    left = sheet.start[1] if sheet.start else 0
    # The library ends with the last value, below which there may be formulas without one.
    every = zip_longest(sheet.iter_rows(), range(note.rows), fillvalue=())
    for row, (values, _) in enumerate(every):
        cells = [""] * left + [*map(_to_text, values)]
        for column, text in note.texts.get(row, {}).items():
            cells += [""] * (column + 1 - len(cells))
            cells[column] = text
        yield row, cells


def _to_text(value: Any) -> str:
    """Write the value as text: numbers with all their digits, times as ISO 8601 has them."""
    if isinstance(value, str):
        return value.replace("\0", REPLACEMENT)
    if isinstance(value, bool):
        return "TRUE" if value else "FALSE"
    if isinstance(value, float):
        return _format_number(value)
    if isinstance(value, datetime.timedelta):
        return _format_duration(value)
    if isinstance(value, datetime.date | datetime.time):
        return value.isoformat()
    return str(value)


def _format_number(value: float) -> str:
    """Write whole numbers in full, others with the 15 digits that spreadsheets keep."""
    if value.is_integer() and abs(value) < _INEXACT:
        return str(int(value))
    digits = repr(value) if value.is_integer() else format(value, ".15g")
    text = f"{Decimal(digits):f}"
    return text.removesuffix(".0")


def _format_duration(value: datetime.timedelta) -> str:
    """Write hours, minutes and seconds, as spreadsheets show them: ``30:00:00``."""
    minutes, seconds = divmod(round(value.total_seconds()), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours:02}:{minutes:02}:{seconds:02}"
