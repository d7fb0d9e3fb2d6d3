"""One row of an input, whatever format it comes from."""

from __future__ import annotations

import re
from collections.abc import Iterable

from attrs import frozen

_NO_TEXT = re.compile("[\ud800-\udfff]")


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
        line: The physical line of the file on which it begins, counted from 1.
        cells: As many as the table has columns.
        problem: Why it cannot be used; the cells then hold what could be read of it.
    """

    line: int
    cells: tuple[str, ...]
    problem: Problem | None = None


UNDECODABLE = Problem(
    "undecodable", "Some of the row is not text in the encoding that the file was read in."
)


def is_text(value: str) -> bool:
    """Whether the value can be encoded; one with a lone surrogate in it cannot."""
    return value.isascii() or not _NO_TEXT.search(value)


def row_of(line: int, cells: Iterable[str], problem: Problem | None = None) -> Row:
    """The row, where U+FFFD stands for what is not text; that is a problem if there is no other."""
    cells = tuple(cells)
    if is_text("".join(cells)):
        return Row(line, cells, problem)
    shown = tuple(_NO_TEXT.sub("\ufffd", cell) for cell in cells)
    return Row(line, shown, problem or UNDECODABLE)
