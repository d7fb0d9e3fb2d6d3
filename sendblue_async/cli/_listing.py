"""Contacts in a row: a table for people, a JSON document a line for programs."""

from __future__ import annotations

import math
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.cells import cell_len
from rich.console import Console
from rich.table import Table
from rich.text import Text

from .._converter import format_datetime
from ..models import Contact
from ._output import print_aside, print_json, safe_words

_GAP = 2
# A table of more contacts is printed in pieces, so that it takes no more memory than one.
_ROWS_AT_ONCE = 1000
# Columns that stand in one line each, on terminals at least this wide, as long as their cells
# are of the size that numbers and times have.
_UNFOLDED_FROM = {"PHONE": 0, "CREATED (UTC)": 80}
_UNFOLDED_SIZE = len("+123456789012345")


def _name(contact: Contact) -> str:
    return " ".join(filter(None, [contact.first_name, contact.last_name]))


def _created(contact: Contact) -> str:
    """To the minute, in UTC, and in a form that `--since` takes."""
    time = contact.created_at
    return "" if time is None else format_datetime(time)[:16].replace("T", " ")


_COLUMNS: dict[str, Callable[[Contact], object]] = {
    "PHONE": lambda contact: contact.phone,
    "NAME": _name,
    "COMPANY": lambda contact: contact.company_name,
    "TAGS": lambda contact: contact.tags,
    "CREATED (UTC)": _created,
    "OPTED OUT": lambda contact: contact.opt_out,
}


@contextmanager
def listing(*, as_json: bool) -> Iterator[Callable[[Contact], None]]:
    """Print the contacts that the block gives to the function; says if there were none.

    What was given before an error is printed all the same.
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
        print_aside("No contacts.")


class _ContactTable:
    """A table that grows at its end."""

    def __init__(self) -> None:
        self.is_empty = True
        self._rows: list[list[str]] = []
        self._widths = [len(title) for title in _COLUMNS]

    def add(self, contact: Contact) -> None:
        """Print this contact sooner or later."""
        self._rows.append([safe_words(value(contact)) for value in _COLUMNS.values()])
        if len(self._rows) >= _ROWS_AT_ONCE:
            self.print_rest()

    def print_rest(self) -> None:
        """Print what has not been printed yet."""
        rows, self._rows = self._rows, []
        if not rows:
            return
        if sys.stdout.isatty():
            _print_to_fit(rows)
        else:
            self._print_in_full([list(_COLUMNS), *rows] if self.is_empty else rows)
        self.is_empty = False

    def _print_in_full(self, rows: list[list[str]]) -> None:
        """A line for each row, however long; columns grow, and keep what they once had."""
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
    """At most as wide as the terminal; what is longer goes on in the next line of its column."""
    console = Console()
    table = Table(box=None, pad_edge=False, padding=(0, _GAP, 0, 0), header_style="bold")
    for title, *cells in zip(_COLUMNS, *rows, strict=True):
        wide_enough = console.width >= _UNFOLDED_FROM.get(title, math.inf)
        whole = wide_enough and max(map(len, cells)) <= _UNFOLDED_SIZE
        table.add_column(title, no_wrap=whole, overflow="fold")
    for row in rows:
        table.add_row(*map(Text, row))
    console.print(table)
    console.file.flush()
