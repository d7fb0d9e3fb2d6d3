"""Workbooks of Excel since 2007, and of the many programs that write them."""

from __future__ import annotations

import posixpath
import re
import zipfile
from functools import partial

from ._archive import Attributes, find_members, open_archive, parse_xml
from ._file import SourceFile
from ._format import Format
from ._row import ERRORS, REPLACEMENT
from ._spreadsheet import SheetNotes, has_many_digits, open_spreadsheet

_WORKBOOK = "xl/workbook.xml"
_RELATIONS = "xl/_rels/workbook.xml.rels"
_CELL = re.compile(r"([A-Z]{1,3})([0-9]+)")


def inspect(source: SourceFile) -> list[SheetNotes]:
    """Take notes on each sheet."""
    with open_archive(source) as archive:
        every: list[SheetNotes] = []
        for part in _find_parts(archive):
            notes = SheetNotes(taken=every[-1].taken if every else 0)
            if part is not None:
                sheet = _Sheet(source, notes)
                parse_xml(archive, part, start=sheet.start, end=sheet.end, text=sheet.add_text)
            every.append(notes)
        return every


def _find_parts(archive: zipfile.ZipFile) -> list[str | None]:
    """Find the member with the cells of each sheet, in their order; a chart has none."""
    identifiers: list[str] = []
    parts: dict[str, str] = {}

    def add_sheet(name: str, attributes: Attributes) -> None:
        if name == "sheet":
            identifiers.extend(attributes[key] for key in attributes if key.endswith(":id"))

    def add_part(name: str, attributes: Attributes) -> None:
        if name == "Relationship" and attributes["Type"].endswith("/worksheet"):
            target = posixpath.join("/xl", attributes["Target"])
            parts[attributes["Id"]] = posixpath.normpath(target).lstrip("/")

    parse_xml(archive, _WORKBOOK, start=add_sheet)
    parse_xml(archive, _RELATIONS, start=add_part)
    return [parts.get(identifier) for identifier in identifiers]


class _Sheet:
    """Takes notes on a sheet while its XML is read."""

    def __init__(self, source: SourceFile, notes: SheetNotes) -> None:
        self._source = source
        self._notes = notes
        self._row = self._column = -1
        self._hidden = False
        self._type = ""
        self._has_formula = self._has_value = False
        self._text: list[str] | None = None

    def start(self, name: str, attributes: Attributes) -> None:
        if name == "c":
            self._column += 1
            if reference := _CELL.fullmatch(attributes.get("r", "")):
                self._row, self._column = int(reference[2]) - 1, _column_index(reference[1])
            self._type = attributes.get("t", "n")
            self._has_formula = self._has_value = False
            self._text = None
        elif name == "v":
            self._has_value = True
            self._text = [] if self._type in {"e", "n"} else None
        elif name == "is":
            self._has_value = True
        elif name == "f":
            self._has_formula = True
        elif name == "row":
            self._row = int(attributes["r"]) - 1 if "r" in attributes else self._row + 1
            self._column = -1
            self._hidden = attributes.get("hidden") in {"1", "true"}
        elif name == "mergeCell":
            # The library takes notes on those.
            self._notes.take_one(self._source)

    def add_text(self, text: str) -> None:
        if self._text is not None:
            self._text.append(text)

    def end(self, name: str) -> None:
        if name != "c" or not (self._has_value or self._has_formula):
            return
        shown = "".join(self._text or ()).strip()
        text = None
        if not self._has_value or (self._has_formula and self._text == []):
            text = REPLACEMENT
        elif self._type == "e":
            text = shown
            if shown not in ERRORS:
                self._notes.unreadable = (self._row, self._column, shown)
        elif has_many_digits(shown):
            text = shown
        self._text = None
        self._notes.fill(self._row, self._column, text, hidden=self._hidden)
        if text is not None or self._hidden:
            self._notes.check_taken(self._source)


def _column_index(letters: str) -> int:
    index = 0
    for letter in letters:
        index = index * 26 + ord(letter) - 64
    return index - 1


XLSX = Format(
    name="an Excel workbook",
    short_names=("xlsx",),
    options=frozenset({"sheet"}),
    sniff=lambda source: _WORKBOOK in find_members(source),
    open=partial(open_spreadsheet, inspect=inspect),
    unit="row",
)
"""A ZIP archive of XML, known by the workbook in it."""
