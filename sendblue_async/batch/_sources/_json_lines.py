"""Rows of JSON Lines: one object a line, one column for each key that any of them has."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from typing import Any

from ...exceptions import ValidationError
from ._csv import unwrap_text
from ._encoding import detect_text, sniff_text
from ._file import SourceFile
from ._format import Content, Format, ReadOptions
from ._row import REPLACEMENT, UNDECODABLE, Problem, Row, is_readable, make_row

MOST_COLUMNS = 1_000
"""How many different keys a file may have, so that they fit into memory."""

_OBJECT = re.compile(r"\s*\{")
_NOT_JSON = Problem("not_json", "The line is not one whole JSON object.")
_REPEATED_KEY = Problem("repeated_key", "An object on the line has the same key more than once.")


def read_columns(name: str, lines: Iterable[str]) -> tuple[str, ...]:
    """Collect all keys, in the order in which they first appear; the lines are read to the end.

    Args:
        name: What to call the file in an error.
        lines: All physical lines.

    Raises:
        ValidationError: If there are none, or too many.
    """
    columns: dict[str, None] = {}
    for _, _, cells, _ in _parse_lines(lines):
        columns.update((key, None) for key in cells if key not in columns and is_readable(key))
        if len(columns) > MOST_COLUMNS:
            raise ValidationError(
                f"{name} has more than {MOST_COLUMNS:,} different keys. Export the contacts with "
                "the same few keys in each object.",
                field="path",
            )
    if not columns:
        raise ValidationError(
            f"{name} has no JSON object with a key in it. Put each contact on a line of its own, "
            'such as {"number": "+14155550123"}.',
            field="path",
        )
    return tuple(columns)


def read_rows(
    lines: Iterable[str], columns: tuple[str, ...], *, seeks_garbled: bool = False
) -> Iterator[Row]:
    """Read a row from each line that is not blank, with a cell for each column.

    Of a line that cannot be used, all of it stands in the first cell.
    """
    known = set(columns)
    for number, line, cells, problem in _parse_lines(lines):
        # All other keys are columns.
        if not cells.keys() <= known:
            problem = problem or UNDECODABLE
        if problem:
            cells = {columns[0]: REPLACEMENT + line.strip()}
        values = (unwrap_text(cells.get(column, "")) for column in columns)
        # In escapes, which the lines show nothing of.
        yield make_row(number, values, problem, seeks_garbled=seeks_garbled)


def _parse_lines(lines: Iterable[str]) -> Iterator[tuple[int, str, dict[str, str], Problem | None]]:
    """Parse each line that is not blank: its number, the line itself, its cells, its problem."""
    parser = _Parser()
    for number, line in enumerate(lines, 1):
        if line.strip():
            yield number, line, *parser.parse(line)


class _Parser:
    """Parses strictly what RFC 8259 calls JSON, and the NaN of Python's programs, which is null."""

    def __init__(self) -> None:
        self._repeats = False
        self._decode = json.JSONDecoder(
            object_pairs_hook=self._object, parse_constant=self._read_constant
        ).decode
        self._encode = json.JSONEncoder(ensure_ascii=False, allow_nan=False).encode

    def parse(self, line: str) -> tuple[dict[str, str], Problem | None]:
        """Parse the object on this line into cells, by key."""
        self._repeats = False
        try:
            value = self._decode(line)
            if not isinstance(value, dict):
                return {}, _NOT_JSON
            cells = {key: self._text(item) for key, item in value.items()}
        except (ValueError, RecursionError):
            return {}, _NOT_JSON
        return cells, _REPEATED_KEY if self._repeats else None

    def _text(self, value: Any) -> str:
        if isinstance(value, str):
            return value
        return "" if value is None else self._encode(value)

    def _object(self, pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        found = dict(pairs)
        self._repeats = self._repeats or len(found) < len(pairs)
        return found

    def _read_constant(self, constant: str) -> None:
        if constant != "NaN":
            raise ValueError(constant)


def _open(source: SourceFile, options: ReadOptions) -> Content:
    text = detect_text(source, options)
    columns = read_columns(str(source.path), text.lines())
    return Content(
        header=columns,
        read_rows=lambda: read_rows(text.lines(), columns, seeks_garbled=options.seeks_garbled),
        encoding=text.encoding,
    )


JSON_LINES = Format(
    name="JSON Lines",
    short_names=("jsonl", "ndjson"),
    options=frozenset({"encoding"}),
    sniff=sniff_text(".jsonl", ".ndjson", start=_OBJECT),
    open=_open,
)
"""One JSON object a line."""
