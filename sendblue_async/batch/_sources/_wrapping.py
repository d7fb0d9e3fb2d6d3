"""What some exports put around lines and cells, and is none of their text."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterable, Iterator, Sequence

from attrs import frozen

# Such as "it's" in quotes of its own within those of CSV, and an apostrophe in front of all text.
_PAIRS = (
    ("'", "'"),
    ('"', '"'),
    ("`", "`"),
    ("“", "”"),
    ("„", "“"),
    ("„", "”"),
    ("«", "»"),
    ("‘", "’"),
    ("'", ""),
)
# An apostrophe in front of these is taken off anyway.
_FORMULA = re.compile(r"'+[=+\-@\t\r]")
_NUMBER = re.compile(r"\s*[+-]?[\d\s().-]+")
# So many lines, and no longer ones, are looked at.
_LINES = 30
_LONGEST = 1 << 12
_WHOLE_LINE = re.compile(r'\s*"((?:[^"]|"")*)"[,;\s]*')


@frozen
class Wrapping:
    """What stands before and after the text of each cell."""

    before: str
    after: str

    def unwrap(self, cell: str) -> str:
        """Return what it stands around, or the cell as it is if it does not."""
        text = cell.strip(" ")
        if not self._is_around(text):
            return cell
        inside = text[len(self.before) : len(text) - len(self.after)]
        return inside.replace(self.after * 2, self.after) if self.after else inside

    def is_around(self, cells: Sequence[str]) -> bool:
        """Tell whether it stands around all text in some cells, or nearly all."""
        texts = [text for cell in cells if cell.strip() and (text := cell.strip(" "))]
        wrapped = [text for text in texts if self._is_around(text)]
        others = sum(
            not _NUMBER.fullmatch(text) and (bool(self.after) or not _FORMULA.match(text))
            for text in texts
            if not self._is_around(text)
        )
        # A single one may be a nickname, or 't Hooft.
        least = 1 if self.before == self.after else 2
        return len(wrapped) >= least and len(wrapped) * 10 >= 8 * (len(wrapped) + others)

    def _is_around(self, text: str) -> bool:
        if not text.startswith(self.before) or len(text) < len(self.before + self.after):
            return False
        if not self.after:
            return not text.endswith(self.before) and _FORMULA.match(text) is None
        # Not so if it stands around each of several values in the cell.
        between = rf"{self.after}\s*[,;|]\s*{self.before}"
        return text.endswith(self.after) and re.search(between, text[1:-1]) is None


def find_wrapping(cells: Sequence[str]) -> Wrapping | None:
    """Find what stands around all text in the first cells of a file."""
    candidates = (Wrapping(*pair) for pair in _PAIRS)
    return next((each for each in candidates if each.is_around(cells)), None)


@frozen
class LineMend:
    """How lines are made plain CSV that are not, but for that each is a row.

    Attributes:
        delimiter: What stands between two cells.
        is_nested: Whether each line is one cell in quotes, which has the cells of its row in it;
            else, blanks stand between quotes and delimiters.
    """

    delimiter: str
    is_nested: bool = False

    def mend(self, lines: Iterable[str]) -> Iterator[str]:
        """Mend each line."""
        if self.is_nested:
            for line in lines:
                whole = _WHOLE_LINE.fullmatch(line)
                yield line if whole is None else whole[1].replace('""', '"') + "\n"
            return
        blank = " " if self.delimiter == "\t" else " \t"
        mark = re.escape(self.delimiter)
        padding = re.compile(
            rf'(?:(?<={mark})|^)[{blank}]+(?=")|(?<=")[{blank}]+(?={mark}|[\r\n]|\Z)'
        )
        for line in lines:
            yield padding.sub("", line)


def find_line_mend(lines: Sequence[str], delimiter: str) -> LineMend | None:
    """Find out how the first lines of a file are mended, if they have to be."""
    texts = [line for line in lines[:_LINES] if line.strip() and len(line) < _LONGEST]
    wholes = [_WHOLE_LINE.fullmatch(line) for line in texts]
    # The header may stand there as it should.
    rest = texts[1:]
    if (wholes and all(wholes)) or (
        rest and all(wholes[1:]) and all(line.rstrip().endswith('"') for line in rest)
    ):
        nested = [
            whole[1].replace('""', '"') if whole else line
            for whole, line in zip(wholes, texts, strict=True)
        ]
        widths = {len(row) for row in csv.reader(nested, delimiter=delimiter)}
        is_table = len(widths) == 1 and min(widths) > 1
        return LineMend(delimiter, is_nested=True) if is_table else None
    padded = _make_padded_row(delimiter)
    return LineMend(delimiter) if any(map(padded.fullmatch, texts)) else None


def _make_padded_row(delimiter: str) -> re.Pattern[str]:
    """Make the pattern of a row in which CSV does not know a quote for the blank beside it."""
    d = re.escape(delimiter)
    blank = " " if delimiter == "\t" else r" \t"
    quoted = r'"(?:[^"]|"")*"'
    cell = rf'(?:[{blank}]*{quoted}[{blank}]*|[^"{d}\r\n]*)'
    # A space before a quote is known, a tab is not.
    tab_before = "" if delimiter == "\t" else rf"|[ ]*\t[{blank}]*{quoted}"
    odd = rf"(?:{quoted}[{blank}]+{tab_before})"
    return re.compile(rf"(?:{cell}{d})+[ ]*{odd}(?:{d}{cell})*\s*|[ ]*{odd}(?:{d}{cell})+\s*")
