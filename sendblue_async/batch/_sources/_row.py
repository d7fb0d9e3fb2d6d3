"""One row of an input, whatever format it comes from."""

from __future__ import annotations

import re
from collections.abc import Iterable

from attrs import frozen

from ._garbled import is_garbled, mark_garbled

REPLACEMENT = "\ufffd"
"""Stands for what could not be read; a row with it is rejected until somebody has mended it."""

ERRORS = frozenset({"#NULL!", "#DIV/0!", "#VALUE!", "#REF!", "#NAME?", "#NUM!", "#N/A"})
"""What every spreadsheet shows where a formula has no result, as workbooks hold it."""

SHOWN_ERRORS = ERRORS.union(
    # Excel since dynamic arrays and linked data, and Google Sheets.
    ("#SPILL!", "#CALC!", "#FIELD!", "#BLOCKED!", "#CONNECT!", "#BUSY!", "#UNKNOWN!"),
    ("#EXTERNAL!", "#PYTHON!", "#GETTING_DATA", "#ERROR!"),
    # Excel in German, and LibreOffice.
    ("#NV", "#WERT!", "#BEZUG!", "#ZAHL!", "#ÜBERLAUF!"),
    (f"Err:{number}" for number in range(501, 541)),
)
"""What spreadsheets show there, and write into CSV."""

_NO_TEXT = re.compile(f"[\ud800-\udfff{REPLACEMENT}]")


@frozen
class Problem:
    """Why a row cannot be used.

    Attributes:
        code: The same for each row with this problem, as a machine reads it.
        reason: A sentence for people, which shows nothing of what is in the row.
    """

    code: str
    reason: str


@frozen
class Row:
    """One row of an input.

    Attributes:
        line: Where it begins, counted from 1: a physical line of a text file, or a row of a sheet.
        cells: As many as the table has columns.
        problem: Why it cannot be used; the cells then hold what could be read of it, with
            :data:`REPLACEMENT` where something is amiss.
    """

    line: int
    cells: tuple[str, ...]
    problem: Problem | None = None


UNDECODABLE = Problem(
    "undecodable",
    "Some of the row could not be read, now or by an earlier program. Mend each cell with U+FFFD.",
)

SPREADSHEET_ERROR = Problem(
    "spreadsheet_error",
    "A cell holds an error of a spreadsheet, such as #N/A. Mend the formula, or empty the cell.",
)


def is_readable(value: str) -> bool:
    """Return whether all of it could be read: it has no lone surrogate and no U+FFFD."""
    return value.isascii() or not _NO_TEXT.search(value)


def make_row(
    line: int,
    cells: Iterable[str],
    problem: Problem | None = None,
    *,
    seeks_garbled: bool = False,
) -> Row:
    """Make a row, in which U+FFFD replaces what is not text; which is a problem.

    Args:
        line: Where it begins.
        cells: Its cells.
        problem: Why it cannot be used, if that is known already.
        seeks_garbled: Whether text that was decoded wrongly before is taken for none.
    """
    cells = tuple(cells)
    text = "".join(cells)
    if seeks_garbled and is_garbled(text):
        cells = tuple(map(mark_garbled, cells))
        text = "".join(cells)
    if is_readable(text):
        return Row(line, cells, problem)
    shown = tuple(_NO_TEXT.sub(REPLACEMENT, cell) for cell in cells)
    return Row(line, shown, problem or UNDECODABLE)
