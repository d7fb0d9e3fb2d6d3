"""Rows of CSV as Excel and CRMs write it, in which a stray quote costs one row and no more."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterable, Iterator
from itertools import dropwhile, islice

from ...exceptions import ConfigurationError, ValidationError
from ._encoding import detect_text
from ._file import SourceFile
from ._format import Content, Format, ReadOptions
from ._header import no_header_error
from ._row import REPLACEMENT, UNDECODABLE, Problem, Row, make_row

DELIMITERS = {"comma": ",", "semicolon": ";", "tab": "\t"}
"""What may stand between two cells, by its name."""

LINES_OF_A_ROW = 1_000
"""Over how many physical lines a row may go, so that a stray quote is noticed before long."""

# How many characters a row may have, and those lines in which the header is looked for.
_LARGEST_ROW = 1 << 24
_LARGEST_START = 1 << 22

# "sep=;" in the first line tells Excel the delimiter, which has been stripped from it here.
_FOR_EXCEL = re.compile(r"sep=", re.IGNORECASE)
_FORMULA = re.compile(r"'*[=+\-@\t\r]")
_NUMBER = re.compile(r"'*\+[\d ().-]{7,}")
# Not by the first sign alone: a header may begin with "[Name]".
_JSON = re.compile(r'\s*[{\[]\s*(?:["{\[]|$)')
# What some programs write and call .xls.
_MARKUP = re.compile(r"\s*<(?:!|\?xml|html|head|meta|body|style|table)", re.IGNORECASE)
_TOO_MANY_CELLS = Problem("too_many_cells", "The row has more cells than the table has columns.")


def escape_formula(cell: str) -> str:
    """Make a spreadsheet take the cell for text, by an apostrophe where it may be needed.

    What reads as a formula otherwise begins with ``=``, ``+``, ``-``, ``@``, a tab or a carriage
    return. :func:`~._table.read_table` gives the cell back as it was.
    """
    return f"'{cell}" if _FORMULA.match(cell) else cell


def unescape_formula(cell: str) -> str:
    """Take the apostrophe off that :func:`escape_formula` put there."""
    return cell[1:] if cell[:1] == "'" and _FORMULA.match(cell) else cell


def check_delimiter(name: str) -> str:
    """Return the delimiter that is given by its name or as it is.

    Raises:
        ConfigurationError: If it is none.
    """
    delimiter = DELIMITERS.get(name, name) if isinstance(name, str) else ""
    if delimiter not in DELIMITERS.values():
        raise ConfigurationError(
            f'{name!r} is not a known delimiter. Use "comma", "semicolon" or "tab", or leave it '
            "out to have it detected."
        )
    return delimiter


def read_header(
    name: str, lines: Iterable[str], delimiter: str | None
) -> tuple[tuple[str, ...], str]:
    """Read the names of the columns, and detect the delimiter: the one that makes most columns.

    Args:
        name: What to call the file in an error.
        lines: All physical lines, of which the first ones are read.
        delimiter: The delimiter, or ``None`` to have it detected.

    Raises:
        ValidationError: If there is no header.
    """
    start = _read_start(lines)
    _refuse_others(name, start)
    candidates = [delimiter] if delimiter else list(DELIMITERS.values())
    headers = {candidate: _find_header(start, candidate) for candidate in candidates}
    usable = {each: row.cells for each, row in headers.items() if row and not row.problem}
    best = max(usable, key=lambda candidate: len(usable[candidate]), default=candidates[0])
    # A single column is no proof of anything.
    if len(usable.get(best, ())) < 2:
        best = candidates[0]
    header = headers[best]
    if header is None:
        raise no_header_error(name, "It has no row at all.")
    if header.problem == UNDECODABLE:
        raise no_header_error(
            name, "Its first row is not text that can be read. Export the contacts as CSV in UTF-8."
        )
    if header.problem:
        raise no_header_error(name, header.problem.reason)
    columns = tuple(map(unescape_formula, header.cells))
    if any(_NUMBER.fullmatch(column.strip()) for column in columns):
        raise no_header_error(name, "Its first row has a phone number in it.")
    return columns, best


def read_rows(lines: Iterable[str], columns: int, delimiter: str) -> Iterator[Row]:
    """Read the rows after the header, each with as many cells as there are columns."""
    for row in islice(_skip_to_header(lines, delimiter), 1, None):
        cells, problem = row.cells, row.problem
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
        yield Row(row.line, tuple(map(unescape_formula, cells)), problem)


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


def _find_header(lines: Iterable[str], delimiter: str) -> Row | None:
    """Find the header, without the delimiters that Excel pads rows with."""
    row = next(_skip_to_header(lines, delimiter), None)
    if row is None:
        return None
    last = max(n for n, cell in enumerate(row.cells) if cell.strip())
    return Row(row.line, row.cells[: last + 1], row.problem)


def _skip_to_header(lines: Iterable[str], delimiter: str) -> Iterator[Row]:
    """Skip what is before the header, such as rows that are blank by another delimiter."""

    def is_before_header(row: Row) -> bool:
        text = delimiter.join(row.cells).strip(f',; \t\r\n"{REPLACEMENT}')
        return not text or (row.line == 1 and _FOR_EXCEL.fullmatch(text) is not None)

    return dropwhile(is_before_header, _parse_rows(lines, delimiter))


def _refuse_others(name: str, lines: Iterable[str]) -> None:
    """Refuse text of formats that would make nonsense as CSV."""
    first = next((line for line in lines if line.strip()), "")
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


def _parse_rows(lines: Iterable[str], delimiter: str) -> Iterator[Row]:
    """Parse all rows that are not blank, the header included, with the cells that each one has."""
    feed = _Lines(lines)
    reader = csv.reader(feed, delimiter=delimiter, strict=True)
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
            problem = _explain(error, feed, delimiter)
            cells = feed.row[0].rstrip("\r\n").split(delimiter)
            cells = [REPLACEMENT + cell if cell.startswith('"') else cell for cell in cells]
            feed.take_back()
            reader = csv.reader(feed, delimiter=delimiter, strict=True)
        if "".join(cells).strip():
            yield make_row(first, cells, problem)


def _explain(error: Exception, feed: _Lines, delimiter: str) -> Problem:
    """Say what is wrong with the row at hand."""
    # An open quote, too, may be what makes a cell long, but then over several lines.
    if "field limit" in str(error) and len(feed.row) == 1:
        limit = csv.field_size_limit()
        return Problem("cell_too_long", f"A cell of the row has more than {limit:,} characters.")
    line = feed.first + _find_open_quote(feed.row, delimiter)
    return Problem(
        "stray_quote",
        f"A quote opens a cell on line {line}, and none closes it in front of a delimiter or "
        "the end of a line.",
    )


def _find_open_quote(lines: list[str], delimiter: str) -> int:
    """Find which of these lines begins the cell that has no proper end."""
    whole_cell = re.compile(
        rf'(?:"[^"]*(?:""[^"]*)*"|[^"{delimiter}\r\n][^{delimiter}\r\n]*|){delimiter}'
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
    text = detect_text(source, options.encoding)
    header, delimiter = read_header(str(source.path), text.lines(), delimiter)
    return Content(
        header=header,
        read_rows=lambda: read_rows(text.lines(), len(header), delimiter),
        encoding=text.encoding,
        delimiter=delimiter,
    )


CSV = Format(
    name="CSV",
    options=frozenset({"encoding", "delimiter"}),
    sniff=lambda source: True,
    open=_open,
)
"""Comma-separated values, or whatever separates them; what any other text is taken for."""
