"""The header of a table: where it is, what is wrong with it, and the names of its columns."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from itertools import count

from ...exceptions import ValidationError

ROWS_OF_START = 30
"""Among how many rows the header is looked for."""

# So many names make a header, whatever else is in it.
_NAMES_OF_HEADER = 2
_DATE = re.compile(
    r"(?<![\d+])(?:\d{4}([-/.])\d{1,2}\1\d{1,2}|\d{1,2}([-/.])\d{1,2}\2\d{4})(?!\d)"
    r"(?:[T ,]+\d{1,2}:\d\d[\d:.]*)?"
)
_AMOUNT = re.compile(r"\d{1,3}(?:[.,']\d{3})+(?:[.,]\d{1,2})?|\d+[.,]\d{1,2}")
_LINK = re.compile(r"\S*\b(?:wa\.me|whatsapp)\b[^\s\d]*")
# What stands between several numbers.
_BETWEEN = re.compile(r"[;|/\n]|, ")
# Several numbers, and links to them; on longer cells the expressions would take long.
_LONGEST_NUMBER = 200
# Such as "tel:" and "ext".
_MOST_LETTERS = 6
# Without its country code, a number of fewer digits may be a total above the header.
_TOTAL_DIGITS = 9


def holds_number(cell: str) -> bool:
    """Tell whether a cell looks like phone numbers, and not like dates or an amount."""
    if len(cell) > _LONGEST_NUMBER:
        return False
    text = _LINK.sub("", _DATE.sub("", cell)).strip(" \t\r\n\"'=\xa0\ufeff")
    return _is_number(text) or any(map(_is_number, _BETWEEN.split(text)))


def holds_contact(cell: str) -> bool:
    """Tell whether a cell above the header looks like a contact's number, and not like a total."""
    return holds_number(cell) and ("+" in cell or sum(map(str.isdecimal, cell)) > _TOTAL_DIGITS)


def _is_number(text: str) -> bool:
    digits = sum(map(str.isdecimal, text))
    return (
        7 <= digits <= 17
        and sum(map(str.isalpha, text)) <= _MOST_LETTERS
        and not _AMOUNT.fullmatch(text)
    )


def find_header(rows: Sequence[Sequence[str]], is_known: Callable[[str], bool]) -> int:
    """Find the header among the first rows: its index, which is 0 if no row looks more like one.

    Above it there may be titles, totals and dates, but no contacts.

    Args:
        rows: The first rows that are not blank.
        is_known: Tells whether a column of this name is known, or was named by the user.
    """
    filled = [[cell for cell in row if cell.strip()] for row in rows]
    widest = 0
    for index, cells in enumerate(filled):
        known = _count_known(cells, is_known)
        signs = known > 1, len(cells) > widest, not any(map(holds_number, cells))
        # One of them alone is that of a contact with such a word in it, or of a title.
        if known and sum(signs) > 1:
            below = filled[index + 1] if index + 1 < len(filled) else []
            return index + _has_more_names(below, cells, known, is_known)
        widest = max(widest, len(cells))
    # Without a word that is known: titles stand alone in their row.
    for index, cells in enumerate(filled):
        if len(cells) > 1:
            return index
        if any(map(holds_number, cells)):
            break
    return 0


def _has_more_names(
    below: Sequence[str], cells: Sequence[str], known: int, is_known: Callable[[str], bool]
) -> bool:
    """Tell whether the row below is the header, and these are the names of groups of columns."""
    return (
        len(below) > len(cells)
        and _count_known(below, is_known) > known
        and not any(map(holds_number, below))
    )


def _count_known(cells: Iterable[str], is_known: Callable[[str], bool]) -> int:
    return sum(is_known(cell) and not holds_number(cell) for cell in cells)


def check_header(
    name: str,
    rows: Sequence[tuple[int, Sequence[str]]],
    is_known: Callable[[str], bool],
) -> None:
    """Check that no contact stands where the header is, or above it.

    Args:
        name: What to call the file in an error.
        rows: The lines and cells of the rows from the first one to the header.
        is_known: Tells whether a column of this name is known, or was named by the user.

    Raises:
        ValidationError: If one does.
    """
    header_line, header = rows[-1]
    if _count_known(header, is_known) < _NAMES_OF_HEADER:
        for position, cell in enumerate(header, 1):
            if holds_number(cell):
                where = "the first row" if header_line == 1 else f"line {header_line}"
                raise ValidationError(
                    f"{name} has no header: {where} holds a phone number, and no row "
                    "above it names columns. Pass header=False and name them by position, as in "
                    f"columns={{'{position}': 'number'}}.",
                    field="header",
                )
    for line, cells in rows[:-1]:
        if any(map(holds_contact, cells)):
            raise ValidationError(
                f"{name} has a phone number on line {line}, and line {header_line} looks like the "
                "header. Put the header first, or delete what is above it.",
                field="header",
            )


def check_column_names(name: str, columns: Iterable[str]) -> None:
    """Check that no column is called by a phone number: it would be that of the first contact.

    Raises:
        ValidationError: If one is.
    """
    if any(map(holds_number, columns)):
        raise ValidationError(
            f"A column of {name} is called by a phone number, so the file has no header. Pass "
            "header=False and name the columns by position, as in columns={'1': 'number'}.",
            field="header",
        )


def number_repeated(names: tuple[str, ...]) -> tuple[str, ...]:
    """Give each of several columns with one name a name of its own.

    The first one becomes ``name (1)``, and so on, so that none is taken for another. Names that
    are blank stay so.
    """
    times = Counter(name for name in names if name.strip())
    numbers = {name: count(1) for name in times if times[name] > 1}

    def add_number(name: str) -> str:
        candidates = (f"{name} ({number})" for number in numbers[name])
        return next(candidate for candidate in candidates if candidate not in times)

    return tuple(add_number(name) if name in numbers else name for name in names)


def no_header_error(name: str, reason: str) -> ValidationError:
    """Make the error of a file whose header cannot be used."""
    return ValidationError(
        f"{name} has no header that can be used. {reason} The first row must name the columns.",
        field="path",
    )
