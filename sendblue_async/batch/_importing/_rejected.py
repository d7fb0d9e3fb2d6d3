"""The rows that were rejected, as a file that can be mended and imported."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from pathlib import Path

from .._results import EntryOutcome
from .._sources._csv import escape_formula
from .._sources._row import REPLACEMENT
from .._sources._table import Table
from ._files import open_to_replace

_ADDED = ("line", "code", "reason")
_ADDED_BESIDE_THOSE = tuple(f"import_{name}" for name in _ADDED)


def write_rejected(path: Path, table: Table, rejected: Iterator[EntryOutcome]) -> bool:
    """Put the rejected rows into a CSV file that can be mended and imported as it is.

    It has the columns of the table and ``line``, ``code`` and ``reason``, which are called
    ``import_line`` and so on if the table has one of these. A cell that a spreadsheet would take
    for a formula gets an apostrophe, which an import takes off.

    U+FFFD stands for what could not be read, and in front of what is not as it should be: a cell
    that a stray quote opens, the last column's cell with the surplus ones after it, a whole line
    of JSON in the first column. With U+FFFD in it a row is rejected again, so the rule is to mend
    each such cell and leave that sign out; the added columns can stay as they are.

    Args:
        path: The file, replaced as a whole by one that is on the disk, or left alone if nothing
            was rejected.
        table: The table.
        rejected: What was rejected, in the order of the table.

    Returns:
        Whether there is one.
    """
    following = next(rejected, None)
    if following is None:
        return False
    columns = table.columns
    # Those of an earlier run, if this is the file of its rejected rows.
    if columns[-3:] in (_ADDED, _ADDED_BESIDE_THOSE):
        columns = columns[:-3]
    added = _ADDED_BESIDE_THOSE if {*_ADDED} & {*columns} else _ADDED
    # With the mark that Excel knows UTF-8 by.
    with open_to_replace(path, like=table.path, encoding="utf-8-sig") as file:
        writer = csv.writer(file, delimiter=table.delimiter or ",")
        writer.writerow([*map(escape_formula, columns), *added])
        for row in table.rows():
            if row.line != following.line:
                continue
            cells = map(escape_formula, row.cells[: len(columns)])
            # A server's words must not be why the mended row is rejected again.
            reason = following.reason.replace(REPLACEMENT, "?")
            writer.writerow([*cells, following.line, following.code, reason])
            # A row of which several numbers were rejected stands there once.
            following = next((ended for ended in rejected if ended.line != row.line), None)
            if following is None:
                break
    return True
