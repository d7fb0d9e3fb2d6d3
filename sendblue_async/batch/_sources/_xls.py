"""Workbooks of Excel until 2003."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from functools import partial

from ...exceptions import ValidationError
from ._archive import damaged_error, protected_error
from ._extra import import_library
from ._file import SourceFile
from ._format import Format
from ._spreadsheet import SheetNotes, check_total_extent, open_spreadsheet

_MAGIC = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"

# Kinds of records.
_BEGIN, _END, _ENCRYPTION, _SHEET, _ROW = 0x0809, 0x000A, 0x002F, 0x0085, 0x0208
_DIMENSIONS = 0x0200
_FORMULA, _ERROR_OR_FLAG, _SEVERAL_NUMBERS = 0x0006, 0x0205, 0x00BD
# Those of a cell with a number or a text.
_VALUES = {0x0203, 0x0204, 0x00FD, 0x00D6, 0x027E}
_HIDDEN = 0x20
# A sheet cannot be larger.
_ROWS, _COLUMNS = 1 << 16, 1 << 8
_ERRORS = {
    0x00: "#NULL!",
    0x07: "#DIV/0!",
    0x0F: "#VALUE!",
    0x17: "#REF!",
    0x1D: "#NAME?",
    0x24: "#NUM!",
    0x2A: "#N/A",
}


def inspect(source: SourceFile) -> list[SheetNotes]:
    """Take notes on each sheet."""
    stream = _read_stream(source)
    every: list[SheetNotes] = []
    try:
        for kind, record in _iterate_records(stream, 0):
            if kind == _ENCRYPTION:
                raise protected_error(source)
            if kind == _SHEET:
                (start,) = struct.unpack_from("<I", record)
                taken = every[-1].taken if every else 0
                every.append(_take_notes(source, stream, start, SheetNotes(taken=taken)))
    except (struct.error, IndexError) as error:
        raise damaged_error(source) from error
    check_total_extent(every, source)
    return every


def _read_stream(source: SourceFile) -> bytes:
    """Read the stream with the workbook, one of several in such a file."""
    olefile = import_library("olefile", extra="excel")
    try:
        with olefile.OleFileIO(source.contents) as file:
            if file.exists("EncryptedPackage"):
                raise protected_error(source)
            stream = file.openstream("Workbook" if file.exists("Workbook") else "Book")
            return bytes(stream.read())
    except ValidationError:
        raise
    except (OSError, ValueError, IndexError, struct.error, RecursionError) as error:
        raise damaged_error(source) from error


def _iterate_records(stream: bytes, start: int) -> Iterator[tuple[int, bytes]]:
    """Iterate over the records of one part of the workbook, without those of charts inside it."""
    depth = 0
    while True:
        kind, size = struct.unpack_from("<HH", stream, start)
        start += 4
        if kind == _BEGIN:
            depth += 1
        elif kind == _END:
            depth -= 1
            if depth <= 0:
                return
        elif depth == 1:
            yield kind, stream[start : start + size]
        start += size


def _take_notes(source: SourceFile, stream: bytes, start: int, notes: SheetNotes) -> SheetNotes:
    """Take notes on the sheet that begins there."""
    hidden = set()
    for kind, record in _iterate_records(stream, start):
        if kind == _ROW:
            row, *_, flags = struct.unpack_from("<7H", record)
            if flags & _HIDDEN:
                hidden.add(row)
        elif kind == _DIMENSIONS:
            if not _is_possible(record):
                raise damaged_error(source)
        elif kind in _VALUES or kind in {_FORMULA, _ERROR_OR_FLAG, _SEVERAL_NUMBERS}:
            row, column = struct.unpack_from("<HH", record)
            if kind == _SEVERAL_NUMBERS:
                (column,) = struct.unpack_from("<H", record, len(record) - 2)
            notes.fill(row, column, _find_error(kind, record), hidden=row in hidden)
            notes.check_taken(source)
    return notes


def _is_possible(dimensions: bytes) -> bool:
    """Return whether a sheet can be as large as it claims; the library takes memory for that."""
    layout = "<IIHH" if len(dimensions) > 10 else "<4H"
    _, rows, _, columns = struct.unpack_from(layout, dimensions)
    return bool(rows <= _ROWS and columns <= _COLUMNS)


def _find_error(kind: int, record: bytes) -> str | None:
    """Find the error that a cell holds, if it holds one."""
    code = None
    if kind == _ERROR_OR_FLAG and record[7]:
        code = record[6]
    elif kind == _FORMULA and record[12:14] == b"\xff\xff" and record[6] == 2:
        code = record[8]
    return None if code is None else _ERRORS.get(code, "#VALUE!")


XLS = Format(
    name="an old Excel workbook",
    short_names=("xls",),
    options=frozenset({"sheet"}),
    sniff=lambda source: source.peek().startswith(_MAGIC),
    open=partial(open_spreadsheet, inspect=inspect),
    unit="row",
)
"""What Excel, Word and others wrote once; a workbook that Excel encrypts still looks so."""
