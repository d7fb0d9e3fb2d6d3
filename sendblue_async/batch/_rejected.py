"""The rows that were rejected, as a file that can be mended and imported."""

from __future__ import annotations

import csv
import os
from collections.abc import Iterator
from pathlib import Path

from ._journal import Ended
from ._table import Table, neutralised

_ADDED = ("line", "code", "reason")


def write_rejected(path: Path, table: Table, rejected: Iterator[Ended]) -> bool:
    """Put the rejected rows into a CSV file that can be mended and imported as it is.

    It has the columns of the table and ``line``, ``code`` and ``reason``. A cell that a
    spreadsheet would take for a formula gets an apostrophe, which an import takes off.

    Args:
        path: The file, replaced as a whole, or taken away if nothing was rejected.
        table: The table.
        rejected: What was rejected, in the order of the table.

    Returns:
        Whether there is one.
    """
    following = next(rejected, None)
    if following is None:
        path.unlink(missing_ok=True)
        return False
    # Those of an earlier run, if this is the file of its rejected rows.
    kept = len(table.columns)
    if table.columns[-3:] == _ADDED:
        kept -= 3
    unfinished = path.with_name(f"{path.name}.unfinished")
    # With the mark that Excel knows UTF-8 by.
    with unfinished.open("w", encoding="utf-8-sig", newline="") as file:
        writer = csv.writer(file, delimiter=table.delimiter or ",")
        writer.writerow([*table.columns[:kept], *_ADDED])
        for row in table.rows():
            if row.line != following.line:
                continue
            cells = map(neutralised, row.cells[:kept])
            writer.writerow([*cells, following.line, following.code, following.reason])
            # A row of which several numbers were rejected stands there once.
            following = next((ended for ended in rejected if ended.line != row.line), None)
            if following is None:
                break
    os.replace(unfinished, path)
    return True
