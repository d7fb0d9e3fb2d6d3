"""Lists of contacts: a table for people, one JSON document a line for programs."""

from __future__ import annotations

import math
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.cells import cell_len
from rich.console import Console
from rich.table import Table
from rich.text import Text

from .._dates import format_datetime
from ..models import Contact
from ._output import format_printable, print_json, print_stderr

_GAP = 2
# A table of more contacts is printed in pieces, so that it takes no more memory than one.
_ROWS_PER_TABLE = 1000
# Columns whose cells are not folded on terminals at least this wide, unless a cell is longer than
# phone numbers and times are.
_UNFOLDED_MIN_WIDTH = {"PHONE": 0, "CREATED (UTC)": 80}
_UNFOLDED_MAX_CELL = len("+123456789012345")


def _format_name(contact: Contact) -> str:
    return " ".join(filter(None, [contact.first_name, contact.last_name]))


def _format_created(contact: Contact) -> str:
    """Format the time to the minute, in UTC, and so that `--since` takes it."""
    time = contact.created_at
    return "" if time is None else format_datetime(time)[:16].replace("T", " ")


_COLUMNS: dict[str, Callable[[Contact], object]] = {
    "PHONE": lambda contact: contact.phone,
    "NAME": _format_name,
    "COMPANY": lambda contact: contact.company_name,
    "TAGS": lambda contact: contact.tags,
    "CREATED (UTC)": _format_created,
    "OPTED OUT": lambda contact: contact.opt_out,
}


@contextmanager
def open_list(*, as_json: bool) -> Iterator[Callable[[Contact], None]]:
    """Give the block a function that prints contacts; say so if there were none.

    Contacts that came before an error are printed all the same.
    """
    if as_json:
        yield lambda contact: print_json(contact.to_dict())
        return
    table = _ContactTable()
    try:
        yield table.add
    finally:
        table.print_rest()
    if table.is_empty:
        print_stderr("No contacts.")


class _ContactTable:
    """A table that is printed as it grows."""

    def __init__(self) -> None:
        self.is_empty = True
        self._rows: list[list[str]] = []
        self._widths = [len(title) for title in _COLUMNS]

    def add(self, contact: Contact) -> None:
        """Add a contact, and print the table when it is full."""
        self._rows.append([format_printable(value(contact)) for value in _COLUMNS.values()])
        if len(self._rows) >= _ROWS_PER_TABLE:
            self.print_rest()

    def print_rest(self) -> None:
        """Print the rows that have not been printed yet."""
        rows, self._rows = self._rows, []
        if not rows:
            return
        if sys.stdout.isatty():
            _print_to_fit(rows)
        else:
            self._print_in_full([list(_COLUMNS), *rows] if self.is_empty else rows)
        self.is_empty = False

    def _print_in_full(self, rows: list[list[str]]) -> None:
        """Print each row on one line, however long; columns only ever grow."""
        columns = zip(self._widths, *rows, strict=True)
        self._widths = [max(width, *map(cell_len, cells)) for width, *cells in columns]
        for row in rows:
            padded = (
                cell + " " * (width - cell_len(cell) + _GAP)
                for cell, width in zip(row, self._widths, strict=True)
            )
            print("".join(padded).rstrip())
        sys.stdout.flush()


def _print_to_fit(rows: list[list[str]]) -> None:
    """Print rows at most as wide as the terminal; longer cells are folded."""
    console = Console()
    table = Table(box=None, pad_edge=False, padding=(0, _GAP, 0, 0), header_style="bold")
    for title, *cells in zip(_COLUMNS, *rows, strict=True):
        wide_enough = console.width >= _UNFOLDED_MIN_WIDTH.get(title, math.inf)
        whole = wide_enough and max(map(len, cells)) <= _UNFOLDED_MAX_CELL
        table.add_column(title, no_wrap=whole, overflow="fold")
    for row in rows:
        table.add_row(*map(Text, row))
    console.print(table)
    console.file.flush()
