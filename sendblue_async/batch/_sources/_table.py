"""A source of contacts as a table, whatever it is."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Iterator
from functools import partial
from itertools import islice
from pathlib import Path

from attrs import asdict, evolve, field, frozen

from ...exceptions import ConfigurationError, ValidationError
from ._file import file_version, make_path, open_source
from ._format import Content, ReadOptions
from ._header import ROWS_OF_START, holds_number, number_repeated
from ._registry import find_format
from ._row import Row
from ._row_file import RowFile, fingerprint_of, read_rows
from ._source import Location


@frozen(kw_only=True)
class Table(Content):
    """A file of contacts; made by :func:`read_table`.

    Attributes:
        path: The file, or what to call the source in its stead.
        contents: The file that is read: that one, or a temporary copy.
        columns: The names of its columns, in which a number tells those apart that the file calls
            the same.
        unit: What the position of a row is counted in.
        fingerprint: The SHA-256 of the file, in hexadecimal digits.
        version: Which file it was and when it was last changed, as the operating system told
            before the fingerprint was taken.
    """

    path: Path
    contents: Path
    columns: tuple[str, ...]
    unit: str
    fingerprint: str
    version: tuple[int, ...] = field(repr=False, eq=False)

    def rows(self) -> Iterator[Row]:
        """Read all rows, one by one, from the first one on.

        Raises:
            ValidationError: On the way, if the file can no longer be read.
        """
        return self.read_rows()

    def find_numbers(self) -> int | None:
        """Find the column that most seems to hold phone numbers, by the first rows."""
        found = Counter(
            position
            for row in islice(self.rows(), ROWS_OF_START)
            if row.problem is None
            for position, cell in enumerate(row.cells)
            if holds_number(cell)
        )
        return max(found, key=found.__getitem__, default=None)

    def check_unchanged(self) -> None:
        """See that the file is the one that the fingerprint was taken of.

        Raises:
            ValidationError: If it has changed since, or is no longer there.
        """
        try:
            unchanged = file_version(os.stat(self.contents)) == self.version
        except OSError:
            unchanged = False
        if not unchanged:
            raise ValidationError(
                f"{self.path} has changed while it was imported. Put it back as it was to resume, "
                "or start over.",
                field="path",
            )


def read_table(
    source: str | os.PathLike[str] | Location,
    *,
    format: str | None = None,
    encoding: str | None = None,
    delimiter: str | None = None,
    sheet: str | int | None = None,
    header: bool = True,
    is_known: Callable[[str], bool] = lambda name: False,
) -> Table:
    """Read what there is to know about contacts before their rows.

    Args:
        source: The file, of one of the :data:`~._registry.FORMATS`, or where a source was copied.
        format: The name of its format, instead of the detected one.
        encoding: Its encoding by any name that Python knows, instead of the detected one.
        delimiter: What stands between two cells, by its name or as it is, instead of the detected
            one.
        sheet: The sheet of a workbook by its name or its number, from 1, instead of the first one
            that has rows.
        header: Whether there is a header; else columns are called by their positions, from 1.
        is_known: Tells whether a column of this name is known, or was named by the user.

    Raises:
        ValidationError: If the file cannot be used at all.
        ConfigurationError: If an option makes no sense for it, or a library that it needs is not
            installed.
    """
    if not isinstance(source, Location):
        path = make_path(source)
        source = Location(path=path, contents=path)
    options = ReadOptions(
        encoding=encoding,
        delimiter=delimiter,
        sheet=sheet,
        header=None if header else False,
        is_known=is_known,
    )
    if source.rows is not None:
        return _make_row_table(source, source.rows, options, format)
    path = source.path
    with open_source(path, source.contents) as file:
        if not file.peek():
            raise ValidationError(f"{path} is empty. Export the contacts again.", field="path")
        format_ = find_format(file, format)
        _check_options(path, format_.name, options, format_.options)
        if source.is_text and "encoding" in format_.options:
            _check_options(path, "text", options, format_.options - {"encoding"})
            options = evolve(options, encoding="utf-8", is_decoded=True)
        content = format_.open(file, options)
        file.finish()
    return Table(
        path=path,
        contents=source.contents,
        columns=number_repeated(content.header),
        unit=format_.unit,
        fingerprint=file.fingerprint,
        version=file.version,
        **asdict(content, recurse=False),
    )


def _make_row_table(
    source: Location, rows: RowFile, options: ReadOptions, format_: str | None
) -> Table:
    if format_ is not None:
        raise ConfigurationError("format is for files; rows have none. Leave it out.")
    _check_options(source.path, "rows", options, frozenset())
    # No row tells no column, which is no reason to refuse what a query found.
    header = rows.columns or ("number",)
    return Table(
        path=source.path,
        contents=source.contents,
        header=header,
        columns=number_repeated(header),
        read_rows=partial(read_rows, source.contents, len(header)),
        unit="row",
        fingerprint=fingerprint_of(source.contents, header),
        version=file_version(os.stat(source.contents)),
    )


def _check_options(path: Path, kind: str, options: ReadOptions, known: frozenset[str]) -> None:
    for name in ("encoding", "delimiter", "sheet", "header"):
        if getattr(options, name) is not None and name not in known:
            raise ConfigurationError(
                f"{path} is read as {kind}, which has no {name}. Leave the {name} out."
            )
