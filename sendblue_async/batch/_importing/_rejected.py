"""The rejected rows, as a file that can be mended and imported."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from pathlib import Path

from ..._files import open_to_replace
from .._results import EntryOutcome
from .._sources._csv import escape_formula
from .._sources._row import REPLACEMENT
from .._sources._table import Table
from ._journal import Journal

_ADDED = ("line", "code", "reason")
_ADDED_PREFIXED = tuple(f"import_{name}" for name in _ADDED)


def drop_added(columns: tuple[str, ...]) -> tuple[str, ...]:
    """Return the columns without those of an earlier run, if this is a file of rejected rows."""
    return columns[:-3] if columns[-3:] in (_ADDED, _ADDED_PREFIXED) else columns


def write_rejected(path: Path, table: Table, rejected: Iterator[EntryOutcome]) -> bool:
    """Write the rejected rows to a CSV file that can be mended and imported as it is.

    It has the columns of the table and ``line``, ``code`` and ``reason``, which are called
    ``import_line`` and so on if the table has one of these. A cell that a spreadsheet would take
    for a formula gets an apostrophe, which an import takes off.

    U+FFFD replaces what could not be read, and marks a cell that is wrong: one that a stray quote
    opens, the last column's cell with the surplus ones after it, a whole line of JSON in the first
    column. A row that contains U+FFFD is rejected again, so mend each such cell and delete that
    character; the added columns can stay as they are.

    Args:
        path: The file. It is replaced as a whole, or left alone if nothing was rejected.
        table: The table.
        rejected: The rejected entries, in the order of the table.

    Returns:
        Whether anything was rejected.
    """
    following = next(rejected, None)
    if following is None:
        return False
    columns = drop_added(table.columns)
    added = _ADDED_PREFIXED if {*_ADDED} & {*columns} else _ADDED
    # With the mark that Excel knows UTF-8 by.
    with open_to_replace(path, like=table.contents, encoding="utf-8-sig") as file:
        writer = csv.writer(file, delimiter=table.delimiter or ",")
        writer.writerow([*map(escape_formula, columns), *added])
        for row in table.rows():
            if row.line != following.line:
                continue
            cells = map(escape_formula, row.cells[: len(columns)])
            # A server's words must not be why the mended row is rejected again.
            reason = following.reason.replace(REPLACEMENT, "?")
            writer.writerow([*cells, following.line, following.code, reason])
            # A row of which several numbers were rejected stands there once. On a line with several
            # vCards all but the last have a problem, and so have one entry each.
            following = next(
                (ended for ended in rejected if row.problem or ended.line != row.line), None
            )
            if following is None:
                break
    return True


def write_more_rejected(path: Path, table: Table, journal: Journal, count: int) -> None:
    """Write so many rejected rows, unless the file is there and there are no more than it has.

    So rows that a user may be mending are not overwritten.
    """
    if count != journal.rejected_written or not path.exists():
        table.check_unchanged()
        write_rejected(path, table, journal.rejected())
        journal.mark_rejected_written(count)
