"""Spreadsheets of LibreOffice and others in the OpenDocument format."""

from __future__ import annotations

from functools import partial

from ._archive import (
    Attributes,
    find_members,
    open_archive,
    open_unchecked,
    parse_xml,
    protected_error,
)
from ._file import SourceFile
from ._format import Format
from ._row import ERRORS, REPLACEMENT
from ._spreadsheet import (
    SheetNotes,
    check_total_extent,
    has_many_digits,
    normalise_error,
    open_spreadsheet,
)

_CONTENT = "content.xml"
_MANIFEST = "META-INF/manifest.xml"
_KIND = b"application/vnd.oasis.opendocument.spreadsheet"


def sniff(source: SourceFile) -> bool:
    """Return whether this is such a spreadsheet, by the member that says so."""
    if "mimetype" not in find_members(source):
        return False
    with open_unchecked(source) as archive, archive.open("mimetype") as kind:
        return kind.read(len(_KIND)) == _KIND


def inspect(source: SourceFile) -> list[SheetNotes]:
    """Take notes on each sheet."""
    with open_archive(source) as archive:
        encrypted: list[str] = []

        def notice(name: str, attributes: Attributes) -> None:
            if name == "encryption-data":
                encrypted.append(name)

        parse_xml(archive, _MANIFEST, start=notice)
        if encrypted:
            raise protected_error(source)
        sheets = _Sheets(source)
        parse_xml(archive, _CONTENT, start=sheets.start, end=sheets.end, text=sheets.add_text)
    check_total_extent(sheets.every, source)
    return sheets.every


class _Sheets:
    """Takes notes on all sheets while their XML is read."""

    def __init__(self, source: SourceFile) -> None:
        self.every: list[SheetNotes] = []
        self._source = source
        self._row = self._column = 0
        self._rows = self._columns = 1
        self._hidden = False
        self._cell: Attributes = {}
        self._shown: list[str] = []
        self._in_text = self._in_note = 0

    def start(self, name: str, attributes: Attributes) -> None:
        if name in {"table-cell", "covered-table-cell"}:
            self._columns = int(attributes.get("table:number-columns-repeated", 1))
            self._cell = attributes
            self._shown = []
        elif name == "p":
            self._in_text += 1
        elif name == "annotation":
            self._in_note += 1
        elif name == "table-row":
            self._column = 0
            self._rows = int(attributes.get("table:number-rows-repeated", 1))
            self._hidden = attributes.get("table:visibility", "visible") != "visible"
        elif name == "table":
            self.every.append(SheetNotes(taken=self.every[-1].taken if self.every else 0))
            self._row = 0

    def add_text(self, text: str) -> None:
        if self._in_text and not self._in_note:
            self._shown.append(text)

    def end(self, name: str) -> None:
        if name == "p":
            self._in_text -= 1
        elif name == "annotation":
            self._in_note -= 1
        elif name in {"table-cell", "covered-table-cell"}:
            self._end_cell("".join(self._shown))
            self._column += self._columns
        elif name == "table-row":
            self._row += self._rows

    def _end_cell(self, shown: str) -> None:
        cell, notes = self._cell, self.every[-1]
        if int(cell.get("table:number-columns-spanned", 1)) > 1:
            notes.wide.add((self._row, self._column))
            notes.take_one(self._source)
        text = None
        if _is_error(cell, shown):
            text = normalise_error(shown)
        elif "office:value-type" not in cell and not shown:
            if "table:formula" not in cell:
                return
            text = REPLACEMENT
        elif has_many_digits(cell.get("office:value", "")):
            text = cell["office:value"]
        last = self._row + self._rows - 1, self._column + self._columns - 1
        notes.fill(*last)
        notes.check_extent(self._source)
        if text is not None or (self._hidden and self._row not in notes.hidden):
            columns = self._columns if text is not None else 1
            notes.check_taken(self._source, self._rows * columns)
            for row in range(self._row, last[0] + 1):
                for column in range(self._column, self._column + columns):
                    notes.fill(row, column, text, hidden=self._hidden)


def _is_error(cell: Attributes, shown: str) -> bool:
    """Return whether the cell shows an error: LibreOffice says so, of others it can be seen."""
    if cell.get("calcext:value-type") == "error":
        return True
    return "table:formula" in cell and (shown in ERRORS or shown.startswith("Err:"))


ODS = Format(
    name="an OpenDocument spreadsheet",
    short_names=("ods",),
    options=frozenset({"sheet"}),
    sniff=sniff,
    open=partial(open_spreadsheet, inspect=inspect),
    unit="row",
)
"""A ZIP archive of XML, known by the kind that it gives itself."""
