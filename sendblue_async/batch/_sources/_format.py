"""What a file format is: how a file of it is known, and what is read from one."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from attrs import field, frozen

from ._doubt import Doubt
from ._file import SourceFile, suffix_of
from ._row import Row


@frozen(kw_only=True)
class ReadOptions:
    """Options that replace what is otherwise detected.

    Attributes:
        encoding: Its encoding by any name that Python knows.
        delimiter: What stands between two cells, by its name or as it is.
        sheet: The name of the sheet, or its number, from 1.
        header: ``False`` for a file without one, whose columns are called by their positions.
        is_known: Tells whether a column of this name is known, or was named by the user.
        is_decoded: Whether somebody else has decoded the text, which is in ``encoding`` now.
    """

    encoding: str | None = None
    delimiter: str | None = None
    sheet: str | int | None = None
    header: bool | None = None
    is_known: Callable[[str], bool] = lambda name: False
    is_decoded: bool = False

    @property
    def seeks_garbled(self) -> bool:
        """Whether text is rejected that was decoded wrongly before; a given encoding settles it."""
        return self.encoding is None or self.is_decoded


@frozen(kw_only=True)
class Content:
    """What there is to know about what is in a file, and its rows.

    Attributes:
        header: The names of the columns as they stand in the file.
        read_rows: Reads all rows, one by one, from the first one on.
        encoding: What a file of text is read as, as Python calls it: ``"utf-8"``, ``"cp1252"``, …
        delimiter: What stands between two cells, or ``None`` where that is nothing.
        sheet: The name of the sheet, in a workbook.
        other_sheets: The other visible sheets of it that have a value.
        hidden_rows: How many rows of the sheet are hidden. They are read as all others.
        doubts: What can be read in more than one way.
    """

    header: tuple[str, ...]
    read_rows: Callable[[], Iterator[Row]] = field(repr=False, eq=False)
    encoding: str | None = None
    delimiter: str | None = None
    sheet: str | None = None
    other_sheets: tuple[str, ...] = ()
    hidden_rows: int = 0
    doubts: tuple[Doubt, ...] = ()


@frozen(kw_only=True)
class Format:
    """A file format.

    Attributes:
        name: Its name in messages.
        short_names: Its names as an option of the import.
        options: Which of :class:`ReadOptions` it takes.
        sniff: Whether a file is of this format, by its name or its first bytes, of which nothing
            is read.
        open: Reads what is needed to know the columns. The file is at its beginning; any part of
            it may be left unread.
        unit: What the position of a row is counted in: ``"line"``, or ``"row"`` of a sheet.
    """

    name: str
    short_names: tuple[str, ...]
    options: frozenset[str]
    sniff: Callable[[SourceFile], bool]
    open: Callable[[SourceFile, ReadOptions], Content]
    unit: str = "line"


def has_suffix(*suffixes: str) -> Callable[[SourceFile], bool]:
    """Make a ``sniff`` that goes by the end of the file's name, in lower or upper case."""
    return lambda source: suffix_of(source.path) in suffixes
