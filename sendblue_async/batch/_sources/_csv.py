"""Rows of CSV as Excel and CRMs write it, in which a stray quote costs one row and no more."""

from __future__ import annotations

import csv
import re
from collections.abc import Callable, Iterable, Iterator
from itertools import dropwhile, islice
from typing import Any

from attrs import evolve

from ...exceptions import ValidationError
from ._dialect import DELIMITERS, Dialect, check_delimiter
from ._encoding import detect_text
from ._file import SourceFile
from ._format import Content, Format, ReadOptions
from ._header import ROWS_OF_START, check_header, find_header, holds_number, no_header_error
from ._row import REPLACEMENT, UNDECODABLE, Problem, Row, make_row
from ._wrapping import Wrapping, find_line_mend, find_wrapping

LINES_OF_A_ROW = 1_000
"""Over how many physical lines a row may go, so that a stray quote is noticed before long."""

# How many characters a row may have, and those lines in which the header is looked for, which are
# held once for each delimiter.
_LARGEST_ROW = 1 << 24
_LARGEST_START = 1 << 20

# "sep=;" in the first line tells Excel the delimiter, which has been stripped from it here.
_FOR_EXCEL = re.compile(r"sep=", re.IGNORECASE)
_SAID_DELIMITER = re.compile(r'"?sep=(.)"?\s*', re.IGNORECASE | re.DOTALL)
_WRAPPED = re.compile(r'="+([^"]*)"+\s*')
_SINGLY_QUOTED = re.compile(r"\s*'.*'\s*", re.DOTALL)
_APOSTROPHES = Wrapping("'", "'")
_FORMULA = re.compile(r"'*[=+\-@\t\r]")
# Not by the first sign alone: a header may begin with "[Name]".
_JSON = re.compile(r'\s*[{\[]\s*(?:["{\[]|$)')
_OTHERS = {
    "vCard": re.compile(r"\s*BEGIN[ \t]*:[ \t]*VCARD\s*$", re.IGNORECASE),
    "a calendar": re.compile(r"\s*BEGIN:VCALENDAR", re.IGNORECASE),
    "LDIF": re.compile(r"(?:dn::? \S|version: \d+\s*$)"),
    "SQL": re.compile(r"\s*(?:INSERT INTO|CREATE TABLE|-- MySQL dump)\s", re.IGNORECASE),
    "RTF": re.compile(r"\{\\rtf"),
}
# What some programs write and call .xls.
_MARKUP = re.compile(
    r"\s*<(?:!|\?xml|html|head|meta|body|style|table|[a-z][\w:.-]*>\s*(?:<|$))", re.IGNORECASE
)
_TOO_MANY_CELLS = Problem("too_many_cells", "The row has more cells than the table has columns.")


def _knows_none(name: str) -> bool:
    return False


def escape_formula(cell: str) -> str:
    """Make a spreadsheet take the cell for text, by an apostrophe where it may be needed.

    What reads as a formula otherwise begins with ``=``, ``+``, ``-``, ``@``, a tab or a carriage
    return. :func:`~._table.read_table` gives the cell back as it was.
    """
    return f"'{cell}" if _FORMULA.match(cell) else cell


def unescape_formula(cell: str) -> str:
    """Take the apostrophe off that :func:`escape_formula` put there, or the wrapping ``="…"``."""
    if cell[:1] == "'" and _FORMULA.match(cell):
        return cell[1:]
    return unwrap_text(cell)


def unwrap_text(cell: str) -> str:
    """Take off the wrapping ``="…"``, by which a spreadsheet keeps its hands off a text."""
    if cell[:1] == "=" and (wrapped := _WRAPPED.fullmatch(cell)):
        return wrapped[1]
    return cell


def read_header(
    name: str,
    lines: Iterable[str],
    delimiter: str | None,
    *,
    has_header: bool = True,
    is_known: Callable[[str], bool] = _knows_none,
) -> tuple[tuple[str, ...], Dialect]:
    """Read the names of the columns, and detect how the cells are written.

    The header is the row with names that are known, else the first one that is no title. The
    delimiter is the one that makes most known names of it, else most columns.

    Args:
        name: What to call the file in an error.
        lines: All physical lines, of which the first ones are read.
        delimiter: The delimiter, or ``None`` to have it detected.
        has_header: Whether there is a header; else columns are called by their positions, from 1.
        is_known: Tells whether a column of this name is known, or was named by the user.

    Raises:
        ValidationError: If there is no header.
    """
    start = _read_start(lines)
    _refuse_others(name, start)
    said = _SAID_DELIMITER.fullmatch(start[0]) if start else None
    if delimiter is None and said is not None and said[1] in DELIMITERS.values():
        delimiter = said[1]
    candidates = [delimiter] if delimiter else list(DELIMITERS.values())
    tables = {candidate: _read_table_start(start, candidate) for candidate in candidates}
    headers = {
        candidate: rows[find_header([row.cells for row in rows], is_known)]
        for candidate, (_, rows) in tables.items()
        if rows
    }

    def merit(candidate: str) -> tuple[int, bool, bool, int]:
        cells = _trim(headers[candidate].cells)
        is_contact = any(map(holds_number, cells))
        return sum(map(is_known, cells)), len(cells) > 1, not is_contact, len(cells)

    usable = [each for each, row in headers.items() if not row.problem]
    best = max(usable, key=merit, default=candidates[0])
    # A single column is no proof of anything.
    if best not in headers or (len(_trim(headers[best].cells)) < 2 and not merit(best)[0]):
        best = candidates[0]
    if best not in headers:
        raise no_header_error(name, "It has no row at all.")
    dialect, rows = tables[best]
    header = headers[best]
    if not has_header:
        width = max(len(_trim(row.cells)) for row in rows)
        dialect = evolve(dialect, header_line=rows[0].line - 1, has_header=False)
        return tuple(str(position) for position in range(1, width + 1)), dialect
    if header.problem == UNDECODABLE:
        raise no_header_error(
            name, "Its first row is not text that can be read. Export the contacts as CSV in UTF-8."
        )
    if header.problem:
        raise no_header_error(name, header.problem.reason)
    above = [(row.line, row.cells) for row in rows if row.line <= header.line]
    check_header(name, above, is_known)
    columns = tuple(map(unescape_formula, _trim(_unwrap(header.cells, dialect))))
    return columns, evolve(dialect, header_line=header.line)


def read_rows(lines: Iterable[str], columns: int, dialect: Dialect) -> Iterator[Row]:
    """Read the rows after the header, each with as many cells as there are columns.

    One that repeats the header, as in files that were put together, is none.
    """
    rows = dropwhile(
        lambda row: row.line < dialect.header_line + (not dialect.has_header),
        _parse_rows(lines, dialect),
    )
    header = next(rows, None) if dialect.has_header else None
    repeated = None if header is None else header.cells
    delimiter = dialect.delimiter
    for row in rows:
        cells, problem = row.cells, row.problem
        if cells == repeated:
            continue
        if len(cells) > columns:
            if "".join(cells[columns:]).strip():
                # Nothing is lost, so that the row can be put in order by hand.
                last = REPLACEMENT + delimiter.join(cells[columns - 1 :])
                cells = (*cells[: columns - 1], last)
                problem = problem or _TOO_MANY_CELLS
            else:
                cells = cells[:columns]
        elif len(cells) < columns:
            cells += ("",) * (columns - len(cells))
        yield Row(row.line, tuple(map(unescape_formula, _unwrap(cells, dialect))), problem)


def _read_table_start(start: list[str], delimiter: str) -> tuple[Dialect, list[Row]]:
    """Read the first rows that are neither blank nor for Excel, and find out how they are quoted.

    Where all text stands between apostrophes, those are its quotes, unless it has others, too.
    """
    dialect = Dialect(delimiter=delimiter, mend=find_line_mend(start, delimiter))
    rows = _parse_start(start, dialect)
    if len(rows) < 2:
        return dialect, rows
    wrapping = find_wrapping([cell for row in rows[1:] for cell in row.cells])
    if wrapping == _APOSTROPHES or all(map(_SINGLY_QUOTED.fullmatch, rows[0].cells)):
        quoted = evolve(dialect, quote="'")
        rows_quoted = _parse_start(start, quoted)
        if not any('"' in cell for row in rows_quoted for cell in row.cells):
            return quoted, rows_quoted
    return evolve(dialect, wrapping=wrapping), rows


def _unwrap(cells: tuple[str, ...], dialect: Dialect) -> tuple[str, ...]:
    wrapping = dialect.wrapping
    return cells if wrapping is None else tuple(map(wrapping.unwrap, cells))


def _parse_start(start: list[str], dialect: Dialect) -> list[Row]:
    rows = dropwhile(_is_before_rows, _parse_rows(start, dialect))
    return list(islice(rows, ROWS_OF_START))


def _is_before_rows(row: Row) -> bool:
    """Tell whether a row is blank by another delimiter, or there for Excel."""
    text = "".join(row.cells).strip(f',;|^~ \t\r\n"{REPLACEMENT}')
    return not text or (row.line == 1 and _FOR_EXCEL.fullmatch(text) is not None)


def _trim(cells: tuple[str, ...]) -> tuple[str, ...]:
    """Leave out the delimiters that Excel pads rows with."""
    last = max((n for n, cell in enumerate(cells) if cell.strip()), default=-1)
    return cells[: last + 1]


def _read_start(lines: Iterable[str]) -> list[str]:
    """Read the first lines, and fewer of them where they are long."""
    start: list[str] = []
    characters = 0
    for line in islice(lines, LINES_OF_A_ROW):
        start.append(line)
        characters += len(line)
        if characters > _LARGEST_START:
            break
    return start


def _refuse_others(name: str, lines: Iterable[str]) -> None:
    """Refuse text of formats that would make nonsense as CSV."""
    first = next((line for line in lines if line.strip()), "")
    for what, pattern in _OTHERS.items():
        if pattern.match(first):
            raise ValidationError(
                f"{name} is {what}, whatever its name says. Export the contacts as CSV, JSON "
                "Lines, vCard or a workbook, with the name that goes with it.",
                field="path",
            )
    if _MARKUP.match(first):
        raise ValidationError(
            f"{name} is HTML or XML, whatever its name says. Open it in a spreadsheet program and "
            "save it as an Excel workbook or as CSV.",
            field="path",
        )
    if _JSON.match(first):
        what = "a JSON array" if first.lstrip().startswith("[") else "JSON"
        raise ValidationError(
            f"{name} is {what}, not CSV. Write one object on each line, with nothing around "
            "or between them, and let its name end in .jsonl.",
            field="path",
        )


class _StillOpenError(Exception):
    """A row does not end where it must."""


class _Lines:
    """Hands physical lines to a CSV reader, row by row, and takes back those of a broken row.

    Attributes:
        row: The lines of the row at hand.
        last: The number of the last one of them.
    """

    def __init__(self, lines: Iterable[str]) -> None:
        self._lines = iter(lines)
        self._again: list[str] = []
        self._broken = 0
        self.row: list[str] = []
        self.last = 0
        self._characters = 0

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        # Where a quote is open at the end of a line, all that follows depends on the lines alone.
        # So if one attempt to get past a line with an open quote failed, another one will, too.
        if not self.row:
            self._characters = 0
        elif (
            len(self.row) == LINES_OF_A_ROW
            or self._characters > _LARGEST_ROW
            or self.first < self._broken
        ):
            raise _StillOpenError
        line = self._again.pop() if self._again else next(self._lines)
        self.row.append(line)
        self._characters += len(line)
        self.last += 1
        return line

    @property
    def first(self) -> int:
        """The number of the first line of the row at hand."""
        return self.last - len(self.row) + 1

    def take_back(self) -> None:
        """Hand all lines of this row but its first one out again."""
        self._broken = max(self._broken, self.last)
        self.last = self.first
        self._again += reversed(self.row[1:])


def _parse_rows(lines: Iterable[str], dialect: Dialect) -> Iterator[Row]:
    """Parse all rows that are not blank, the header included, with the cells that each one has."""
    feed = _Lines(lines if dialect.mend is None else dialect.mend.mend(lines))
    delimiter, quote = dialect.delimiter, dialect.quote
    options: dict[str, Any] = {
        "delimiter": delimiter,
        "quotechar": quote,
        # A space in front of a quote is none of the cell.
        "skipinitialspace": True,
        "strict": True,
    }
    reader = csv.reader(feed, **options)
    while True:
        feed.row.clear()
        problem = None
        try:
            cells = next(reader)
            first = feed.first
        except StopIteration:
            return
        except (csv.Error, _StillOpenError) as error:
            first = feed.first
            problem = _explain(error, feed, dialect)
            cells = feed.row[0].rstrip("\r\n").split(delimiter)
            cells = [
                REPLACEMENT + cell if cell.lstrip(" ").startswith(quote) else cell for cell in cells
            ]
            feed.take_back()
            reader = csv.reader(feed, **options)
        if "".join(cells).strip():
            yield make_row(first, cells, problem)


def _explain(error: Exception, feed: _Lines, dialect: Dialect) -> Problem:
    """Say what is wrong with the row at hand."""
    # An open quote, too, may be what makes a cell long, but then over several lines.
    if "field limit" in str(error) and len(feed.row) == 1:
        limit = csv.field_size_limit()
        return Problem("cell_too_long", f"A cell of the row has more than {limit:,} characters.")
    line = feed.first + _find_open_quote(feed.row, dialect)
    return Problem(
        "stray_quote",
        f"A quote opens a cell on line {line}, and none closes it in front of a delimiter or "
        "the end of a line.",
    )


def _find_open_quote(lines: list[str], dialect: Dialect) -> int:
    """Find which of these lines begins the cell that has no proper end."""
    d, q = re.escape(dialect.delimiter), dialect.quote
    whole_cell = re.compile(
        rf"[ ]*(?:{q}[^{q}]*(?:{q}{q}[^{q}]*)*{q}|[^ {q}{d}\r\n][^{d}\r\n]*|){d}"
    )
    text = "".join(lines)
    end = 0
    while match := whole_cell.match(text, end):
        end = match.end()
    for n, line in enumerate(lines):
        end -= len(line)
        if end < 0:
            return n
    return len(lines) - 1


def _open(source: SourceFile, options: ReadOptions) -> Content:
    delimiter = None if options.delimiter is None else check_delimiter(options.delimiter)
    text = detect_text(source, options)
    header, dialect = read_header(
        str(source.path),
        text.lines(),
        delimiter,
        has_header=options.header is not False,
        is_known=options.is_known,
    )
    return Content(
        header=header,
        read_rows=lambda: read_rows(text.lines(), len(header), dialect),
        encoding=text.encoding,
        delimiter=dialect.delimiter,
    )


CSV = Format(
    name="CSV",
    short_names=("csv",),
    options=frozenset({"encoding", "delimiter", "header"}),
    sniff=lambda source: True,
    open=_open,
)
"""Comma-separated values, or whatever separates them; what any other text is taken for."""
