"""Rows that a program holds: what counts as a row, as a table of rows, and as no value."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import (
    AsyncIterable,
    AsyncIterator,
    Awaitable,
    Callable,
    Iterable,
    Iterator,
    Mapping,
    Sequence,
)
from functools import lru_cache
from typing import IO, Any, TypeAlias

import attrs

from ..exceptions import ConfigurationError, ValidationError
from ..models import ContactCreate

RowsOrFile: TypeAlias = (
    str | os.PathLike[str] | IO[str] | IO[bytes] | Iterable[Any] | AsyncIterable[Any]
)
"""What contacts can be imported from."""

INEXACT = 1 << 53
"""From here on, a float does not tell whole numbers apart."""

_ROWS_AT_ONCE = 500
# pandas, numpy: what compares with itself to neither true nor false.
_NO_VALUES = frozenset({"NAType", "NaTType", "MaskedConstant"})
_NARROW_DTYPES = ("float16", "float32", "float[pyarrow]", "halffloat[pyarrow]")


CallOnThread: TypeAlias = Callable[[Callable[[], Any]], Awaitable[Any]]
"""Calls a function where it belongs, such as on another thread."""


@attrs.frozen
class CallersSource:
    """A source that is read on the thread of a blocking caller.

    Attributes:
        source: The source.
        call: Calls a function on that thread.
    """

    source: Any
    call: CallOnThread = attrs.field(repr=False)


class NarrowFloat(float):
    """A float of at most 32 bits, which tells whole numbers apart up to 2 ** 24 only."""


@attrs.frozen
class RowTable:
    """Rows of values, and the names of their columns.

    Attributes:
        name: What to call it in messages.
        columns: The names.
        rows: The values of each row, in the order of the columns.
    """

    name: str
    columns: tuple[str, ...]
    rows: Iterable[Sequence[Any]] | AsyncIterable[Sequence[Any]] = attrs.field(repr=False)


def is_missing(value: Any) -> bool:
    """Whether it stands for no value: ``None``, NaN, NaT, and the NA of pandas."""
    if value is None:
        return True
    if isinstance(value, (str, int, bytes, list, dict)):
        return False
    if type(value).__name__ in _NO_VALUES:
        return True
    try:
        differs = value != value
    except ArithmeticError:
        # Decimal's signalling NaN.
        return True
    return type(differs).__name__ in {"bool", "bool_"} and bool(differs)


def is_exact(value: float) -> bool:
    """Whether it is a whole number, and no other one would be the same float."""
    limit = 1 << 24 if isinstance(value, NarrowFloat) else INEXACT
    return float(value).is_integer() and abs(value) < limit


def narrow(value: Any) -> Any:
    """Return a float of numpy's that has at most 32 bits as such a float; else the value."""
    if getattr(value, "itemsize", 8) < 8 and getattr(value, "dtype", None) in ("f2", "f4"):
        return NarrowFloat(value)
    return value


def split_row(row: Any) -> tuple[tuple[Any, ...], Sequence[Any]] | None:
    """Split a row into the names of its columns and their values; ``None`` if it has no names.

    A mapping, a contact, a ``sqlite3.Row`` and its like, a named tuple, and an instance of a
    dataclass, of an attrs class or of a model of pydantic's have names.
    """
    if isinstance(row, ContactCreate):
        row = row.to_dict()
    if isinstance(row, Mapping):
        return tuple(row), tuple(row.values())
    if isinstance(row, type):
        return None
    kind: Any = type(row)
    names = _attribute_names(kind)
    if names:
        return names, [getattr(row, name) for name in names]
    if callable(getattr(row, "keys", None)) and hasattr(kind, "__getitem__"):
        names = tuple(row.keys())
        # A sqlite3.Row gives its values, also of columns with one name; others give the names.
        values = tuple(row) if hasattr(kind, "__iter__") else names
        return names, [row[name] for name in names] if values == names else values
    return None


@lru_cache(maxsize=64)
def _attribute_names(kind: Any) -> tuple[str, ...]:
    if issubclass(kind, tuple):
        return tuple(getattr(kind, "_fields", ()))
    if attrs.has(kind):
        return tuple(attribute.name for attribute in attrs.fields(kind))
    if dataclasses.is_dataclass(kind):
        return tuple(field.name for field in dataclasses.fields(kind))
    return tuple(getattr(kind, "model_fields", ()))


def describe_kind(source: Any) -> str:
    """Name the type of what is no source, and say what makes one of it."""
    hint = ": call its collect() first" if callable(getattr(source, "collect", None)) else ""
    return f"{type(source).__name__}{hint}"


def check_names(names: Sequence[str] | None) -> tuple[str, ...] | None:
    """Check the names of columns that were given for rows without.

    Raises:
        ConfigurationError: If these are no names, or one comes twice.
    """
    if names is None:
        return None
    if not isinstance(names, (list, tuple)) or not all(isinstance(name, str) for name in names):
        raise ConfigurationError(
            "columns must be a mapping of column names to fields, or a list of the names of "
            f"columns for rows that have none, not {names!r}."
        )
    if len({*names}) < len(names) or not names:
        raise ConfigurationError("columns must name each column, and each name once.")
    return tuple(names)


def find_table(source: Any, names: Sequence[str] | None = None) -> RowTable | None:
    """Find the columns of a DataFrame, of a cursor, or of rows whose columns are named.

    Args:
        source: What the rows come from.
        names: The names of the columns, for rows that have none.

    Returns:
        The table; ``None`` if each row has to tell its columns.

    Raises:
        ValidationError: If it is a cursor that has executed no query.
        ConfigurationError: If there are names of columns already.
    """
    table = _find_frame(source) or _find_cursor(source)
    columns = check_names(names)
    if columns is None:
        return table
    if table is not None:
        raise ConfigurationError(
            f"columns is for rows without names; {table.name} has names of its own."
        )
    if isinstance(source, AsyncIterable) and not isinstance(source, Iterable):
        return RowTable("the rows", columns, _nameless_later(source))
    return RowTable("the rows", columns, map(_nameless, source))


def _find_frame(source: Any) -> RowTable | None:
    """Find the columns of a DataFrame of pandas or polars."""
    if not hasattr(source, "columns"):
        return None
    if hasattr(source, "itertuples"):
        # A named index holds values as columns do.
        index = [name for name in source.index.names if name is not None]
        frame = source.reset_index(level=index, allow_duplicates=True) if index else source
        rows = frame.itertuples(index=False, name=None)
    elif hasattr(source, "iter_rows"):
        frame, rows = source, source.iter_rows()
    else:
        return None
    are_narrow = [str(dtype).lower() in _NARROW_DTYPES for dtype in frame.dtypes]
    if any(are_narrow):
        rows = _mark_narrow(rows, are_narrow)
    columns = tuple(
        " ".join(map(str, column)).strip() if isinstance(column, tuple) else str(column)
        for column in frame.columns
    )
    return RowTable("the DataFrame", columns, rows)


def _mark_narrow(rows: Iterable[Any], are_narrow: list[bool]) -> Iterator[Sequence[Any]]:
    for row in rows:
        yield [
            NarrowFloat(value) if is_narrow and not is_missing(value) else value
            for value, is_narrow in zip(row, are_narrow, strict=True)
        ]


def _find_cursor(source: Any) -> RowTable | None:
    """Find the columns of a cursor of Python's database interface, asynchronous or not."""
    if not hasattr(source, "description") or not hasattr(source, "fetchmany"):
        return None
    if source.description is None:
        raise ValidationError(
            "The cursor has no rows. Execute a SELECT with it, then pass it on.", field="source"
        )
    columns = tuple(str(column[0]) for column in source.description)
    if isinstance(source, AsyncIterable):
        return RowTable("the cursor", columns, _values_later(source, columns))
    return RowTable("the cursor", columns, _fetch(source, columns))


def _fetch(cursor: Any, columns: tuple[str, ...]) -> Iterator[Sequence[Any]]:
    while rows := cursor.fetchmany(_ROWS_AT_ONCE):
        for row in rows:
            yield _values_of(row, columns)


async def _values_later(
    rows: AsyncIterable[Any], columns: tuple[str, ...]
) -> AsyncIterator[Sequence[Any]]:
    async for row in rows:
        yield _values_of(row, columns)


def _values_of(row: Any, columns: tuple[str, ...]) -> Sequence[Any]:
    return [row[name] for name in columns] if isinstance(row, Mapping) else tuple(row)


def _nameless(row: Any) -> Sequence[Any]:
    """Return the values of a row that has no names.

    Raises:
        ValidationError: If it has names, or is no row.
    """
    if hasattr(row, "tolist"):
        row = row.tolist()
    if not isinstance(row, (list, tuple)):
        raise ValidationError(
            f"A row is a {type(row).__name__}. With columns, rows must be tuples or lists; leave "
            "columns out for rows with names.",
            field="source",
        )
    return row


async def _nameless_later(rows: AsyncIterable[Any]) -> AsyncIterator[Sequence[Any]]:
    async for row in rows:
        yield _nameless(row)
