"""A file of contacts as a table, be it CSV, JSON Lines or vCard."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

from attrs import field, frozen

from ...exceptions import ConfigurationError, ValidationError
from . import _csv, _json_lines, _vcard
from ._csv import escape_formula
from ._encoding import (
    Source,
    check_encoding,
    detect_by_all_bytes,
    detect_by_first_bytes,
    file_version,
    open_source,
    read_lines,
)
from ._header import number_repeated
from ._row import Problem, Row

__all__ = ["Problem", "Row", "Table", "escape_formula", "read_table"]


@frozen(kw_only=True)
class Table:
    """A file of contacts; made by :func:`read_table`.

    Attributes:
        path: The file.
        columns: Their names, in which a number tells those apart that the file calls the same.
        header: Their names as they stand in the file.
        encoding: What the file is read as, as Python calls it: ``"utf-8"``, ``"utf-16"``,
            ``"cp1252"``, …
        delimiter: What stands between two cells, or ``None`` where that is nothing.
        fingerprint: The SHA-256 of the file, in hexadecimal digits.
        version: Which file it was and when it was last changed, as the operating system told
            before the fingerprint was taken.
    """

    path: Path
    columns: tuple[str, ...]
    header: tuple[str, ...]
    encoding: str
    delimiter: str | None
    fingerprint: str
    version: tuple[int, ...] = field(repr=False, eq=False)
    _rows: Callable[[Iterator[str]], Iterator[Row]] = field(alias="rows", repr=False, eq=False)

    def rows(self) -> Iterator[Row]:
        """All rows from the first one on, read one by one from the file.

        Raises:
            ValidationError: On the way, if the file can no longer be read.
        """
        with open_source(self.path) as source:
            yield from self._rows(read_lines(source, self.encoding))

    def check_unchanged(self) -> None:
        """See that the file is the one that the fingerprint was taken of.

        Raises:
            ValidationError: If it has changed since, or is no longer there.
        """
        try:
            unchanged = file_version(os.stat(self.path)) == self.version
        except OSError:
            unchanged = False
        if not unchanged:
            raise ValidationError(
                f"{self.path} has changed while it was imported. Put it back as it was to go on, "
                "or begin anew.",
                field="path",
            )


def read_table(
    path: str | os.PathLike[str], *, encoding: str | None = None, delimiter: str | None = None
) -> Table:
    """What there is to know about a file of contacts before its rows; reads all of it once.

    It is JSON Lines if its name ends in ``.jsonl`` or ``.ndjson``, vCard if it ends in ``.vcf``
    or ``.vcard``, and CSV otherwise.

    Args:
        path: The file.
        encoding: Its encoding by any name that Python knows. By default it is detected; JSON
            Lines are UTF-8 unless they are UTF-16 or UTF-32.
        delimiter: What stands between two cells of CSV: ``","``, ``";"`` or a tab, or ``"comma"``,
            ``"semicolon"`` or ``"tab"``. By default it is detected from the header.

    Raises:
        ValidationError: If the file cannot be used at all.
        ConfigurationError: If an argument makes no sense, or if it is a vCard file, and the library
            for those is not installed.
    """
    path = Path(path)
    encoding = check_encoding(encoding) if encoding is not None else None
    delimiter = _csv.check_delimiter(delimiter) if delimiter is not None else None
    suffix = path.suffix.lower()
    read = _json_table if suffix in {".jsonl", ".ndjson"} else _csv_table
    if suffix in {".vcf", ".vcard"}:
        _vcard.load_parser()
        read = _vcard_table
    with open_source(path) as source:
        if not source.peek():
            raise ValidationError(f"{path} is empty. Export the contacts again.", field="path")
        found = detect_by_first_bytes(source)
        return read(path, source, encoding or found, delimiter)


def _csv_table(path: Path, source: Source, encoding: str | None, delimiter: str | None) -> Table:
    encoding = detect_by_all_bytes(source, known=encoding)
    with open_source(path) as again:
        lines = read_lines(again, encoding)
        header, separator = _csv.read_header(str(path), lines, delimiter)
    return Table(
        path=path,
        columns=number_repeated(header),
        header=header,
        encoding=encoding,
        delimiter=separator,
        fingerprint=source.fingerprint,
        version=source.version,
        rows=lambda lines: _csv.read_rows(lines, len(header), separator),
    )


def _json_table(path: Path, source: Source, encoding: str | None, delimiter: str | None) -> Table:
    _refuse_delimiter(path, delimiter)
    encoding = encoding or "utf-8"
    columns = _json_lines.read_columns(str(path), read_lines(source, encoding))
    return Table(
        path=path,
        columns=columns,
        header=columns,
        encoding=encoding,
        delimiter=None,
        fingerprint=source.fingerprint,
        version=source.version,
        rows=lambda lines: _json_lines.read_rows(lines, columns),
    )


def _vcard_table(path: Path, source: Source, encoding: str | None, delimiter: str | None) -> Table:
    _refuse_delimiter(path, delimiter)
    encoding = detect_by_all_bytes(source, known=encoding)
    with open_source(path) as again:
        _vcard.check_has_cards(str(path), read_lines(again, encoding))
    return Table(
        path=path,
        columns=_vcard.COLUMNS,
        header=_vcard.COLUMNS,
        encoding=encoding,
        delimiter=None,
        fingerprint=source.fingerprint,
        version=source.version,
        rows=_vcard.read_rows,
    )


def _refuse_delimiter(path: Path, delimiter: str | None) -> None:
    if delimiter is not None:
        raise ConfigurationError(
            f"{path} is not read as CSV, so it has no delimiter. Leave the delimiter out."
        )
