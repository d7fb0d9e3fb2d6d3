"""A file of contacts as a table, whatever its format."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from attrs import asdict, field, frozen

from ...exceptions import ConfigurationError, ValidationError
from ._file import file_version, make_path, open_source
from ._format import Content, Format, ReadOptions
from ._header import number_repeated
from ._registry import find_format
from ._row import Row


@frozen(kw_only=True)
class Table(Content):
    """A file of contacts; made by :func:`read_table`.

    Attributes:
        path: The file.
        columns: The names of its columns, in which a number tells those apart that the file calls
            the same.
        unit: What the position of a row is counted in.
        fingerprint: The SHA-256 of the file, in hexadecimal digits.
        version: Which file it was and when it was last changed, as the operating system told
            before the fingerprint was taken.
    """

    path: Path
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
                f"{self.path} has changed while it was imported. Put it back as it was to resume, "
                "or start over.",
                field="path",
            )


def read_table(
    path: str | os.PathLike[str],
    *,
    encoding: str | None = None,
    delimiter: str | None = None,
    sheet: str | int | None = None,
) -> Table:
    """Read what there is to know about a file of contacts before its rows.

    Args:
        path: The file, of one of the :data:`~._registry.FORMATS`.
        encoding: Its encoding by any name that Python knows, instead of the detected one.
        delimiter: What stands between two cells, by its name or as it is, instead of the detected
            one.
        sheet: The sheet of a workbook by its name or its number, from 1, instead of the first one
            that has rows.

    Raises:
        ValidationError: If the file cannot be used at all.
        ConfigurationError: If an option makes no sense for it, or a library that it needs is not
            installed.
    """
    path = make_path(path)
    options = ReadOptions(encoding=encoding, delimiter=delimiter, sheet=sheet)
    with open_source(path) as source:
        if not source.peek():
            raise ValidationError(f"{path} is empty. Export the contacts again.", field="path")
        format_ = find_format(source)
        _check_options(path, format_, options)
        content = format_.open(source, options)
        source.finish()
    return Table(
        path=path,
        columns=number_repeated(content.header),
        unit=format_.unit,
        fingerprint=source.fingerprint,
        version=source.version,
        **asdict(content, recurse=False),
    )


def _check_options(path: Path, format_: Format, options: ReadOptions) -> None:
    for name, value in asdict(options).items():
        if value is not None and name not in format_.options:
            raise ConfigurationError(
                f"{path} is read as {format_.name}, which has no {name}. Leave the {name} out."
            )
