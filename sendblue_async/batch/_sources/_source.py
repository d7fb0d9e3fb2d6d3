"""What contacts are imported from: a file, a stream or rows; all but a file is copied first."""

from __future__ import annotations

import asyncio
import inspect
import os
import sys
import time
from collections.abc import (
    AsyncIterable,
    AsyncIterator,
    Callable,
    Iterable,
    Iterator,
    Mapping,
    Sequence,
)
from functools import partial
from pathlib import Path
from typing import Any, Protocol

from attrs import field, frozen

from ..._redaction import redact_numbers
from ..._threads import run_on_daemon
from ...exceptions import ConfigurationError, ValidationError
from .._rows import CallersSource, CallOnThread, check_names, describe_kind, find_table
from ._file import make_path, open_source
from ._gzip import GZIP, unpack
from ._row_file import RowFile
from ._temporary import TemporaryCopy

STANDARD_INPUT = "-"
"""What names standard input."""

# Seconds after which others have their turn while rows are pulled, and rows between two looks.
_TURN = 0.02
_ROWS_BETWEEN_LOOKS = 50
_CHUNK = 1 << 18
# Seconds between two looks at whether to stop, while a stream gives nothing.
_LOOK_INTERVAL = 0.2


@frozen(kw_only=True)
class Location:
    """Where a source can be read, as often as need be.

    Attributes:
        path: Its name.
        contents: Where it is: the file, or a copy of the source.
        copy: The copy, if there is one.
        is_text: Whether the source gave text, which is in UTF-8 now.
        rows: What is known of the rows, if the source gave rows.
    """

    path: Path
    contents: Path
    copy: TemporaryCopy | None = field(default=None, repr=False)
    is_text: bool = False
    rows: RowFile | None = field(default=None, repr=False)

    def close(self) -> None:
        """Delete the copy."""
        if self.copy is not None:
            self.copy.close()


@frozen(kw_only=True)
class Turns:
    """How a source is read while others go on.

    Attributes:
        stopped: Whether to stop.
        tell: Called with the number of rows that were read.
    """

    stopped: Callable[[], bool]
    tell: Callable[[int], object] = lambda rows: None

    async def take(self, steps: Iterator[int], call: CallOnThread) -> bool:
        """Take all steps by this function; return whether that was to their end."""
        while not self.stopped():
            rows = await call(partial(next, steps, None))
            if rows is None:
                return not self.stopped()
            self.tell(rows)
        return False

    async def call_in_thread(self, function: Callable[[], Any]) -> Any:
        """Call a function on another thread, which is left alone if it hangs on being stopped."""
        work = asyncio.wrap_future(run_on_daemon(function, "sendblue-async-source"))
        try:
            while not work.done() and not self.stopped():
                await asyncio.wait([work], timeout=_LOOK_INTERVAL)
            return await work if work.done() else None
        finally:
            work.cancel()

    async def call_here(self, function: Callable[[], Any]) -> Any:
        """Call a function, and let others have their turn."""
        result = function()
        await asyncio.sleep(0)
        return result


class Source(Protocol):
    """What contacts are imported from.

    Attributes:
        name: What to call it in messages.
        path: The file, if it is one, which an import keeps its own files beside.
    """

    name: str
    path: Path | None

    async def load(self, turns: Turns) -> Location | None:
        """Copy what cannot be read twice, and return where it is; ``None`` if stopped before.

        Raises:
            ValidationError: If the source cannot be used, or fails.
        """
        ...


def make_source(given: Any, columns: Sequence[str] | None = None) -> Source:
    """Find out what kind of source this is; nothing is read.

    Args:
        given: The source.
        columns: The names of the columns, for rows that have none.

    Raises:
        ValidationError: If it is no source.
        ConfigurationError: If the names of columns are none, or are not needed.
    """
    call = None
    if isinstance(given, CallersSource):
        given, call = given.source, given.call
    columns = check_names(columns)
    if given == STANDARD_INPUT if isinstance(given, str) else callable(getattr(given, "read", 0)):
        found: Source = StreamSource(given, call)
    elif isinstance(given, (str, os.PathLike)):
        found = FileSource(make_path(given))
    elif isinstance(given, (bytes, bytearray, Mapping)) or not (
        isinstance(given, (Iterable, AsyncIterable)) or callable(getattr(given, "fetchmany", 0))
    ):
        raise ValidationError(
            "source must be a path, an open file, a DataFrame, a cursor, or an iterable of rows, "
            f"not {describe_kind(given)}.",
            field="source",
        )
    else:
        return RowSource(given, columns, call)
    if columns is not None:
        raise ConfigurationError(
            "columns can only be a list for rows without names, such as tuples. For a file, map "
            "the names in its header to fields."
        )
    return found


class FileSource:
    """A file, which is copied only if it is compressed."""

    def __init__(self, path: Path) -> None:
        self.name = str(path)
        self.path: Path | None = path
        self._file = path

    async def load(self, turns: Turns) -> Location | None:
        plain = Location(path=self._file, contents=self._file)
        found: Location | None = await turns.call_in_thread(partial(_unpack, plain, turns.stopped))
        return found


class StreamSource:
    """An open file of text or bytes, read from where it is to its end, and left open.

    Args:
        given: The file, or :data:`STANDARD_INPUT`.
        call: Calls a function on the thread that it belongs to.
    """

    path: Path | None = None

    def __init__(self, given: Any, call: CallOnThread | None) -> None:
        self._file = given
        self._call = call
        self._is_text = False
        if given == STANDARD_INPUT:
            self._file = getattr(getattr(sys.stdin, "buffer", None), "raw", sys.stdin)
            if self._file is None:
                raise ValidationError("Standard input is closed.", field="source")
        elif inspect.iscoroutinefunction(given.read):
            raise ValidationError(
                f"source is a {type(given).__name__}, which is read asynchronously. Pass its path, "
                "or the file inside it, such as upload.file.",
                field="source",
            )
        name = getattr(self._file, "name", None)
        is_input = given == STANDARD_INPUT or name == "<stdin>"
        named = name if isinstance(name, str) and name else "the open file"
        self.name = "standard input" if is_input else named

    async def load(self, turns: Turns) -> Location | None:
        copy = TemporaryCopy()
        if not await turns.take(self._copy(copy), self._call or turns.call_in_thread):
            return None
        location = Location(
            path=Path(self.name), contents=copy.path, copy=copy, is_text=self._is_text
        )
        found: Location | None = await turns.call_in_thread(
            partial(_unpack, location, turns.stopped)
        )
        return found

    def _copy(self, copy: TemporaryCopy) -> Iterator[int]:
        size = 0
        while chunk := self._read(size):
            if isinstance(chunk, str):
                self._is_text = True
                # What is not text stays no text.
                chunk = chunk.encode("utf-8", "surrogatepass")
            copy.file.write(chunk)
            size += len(chunk)
            yield 0
        copy.file.flush()

    def _read(self, size: int) -> str | bytes:
        try:
            chunk = self._file.read(_CHUNK)
            if not isinstance(chunk, (str, bytes)):
                raise TypeError(f"read() returned {type(chunk).__name__}")
        except Exception as error:
            raise _failed_error(self.name, f"{size:,} bytes", error) from error
        return chunk


class RowSource:
    """A DataFrame, a cursor, or any iterable of rows, asynchronous or not.

    Args:
        given: The rows.
        columns: The names of their columns, if they have none.
        call: Calls a function on the thread that they belong to.
    """

    path: Path | None = None

    def __init__(
        self, given: Any, columns: tuple[str, ...] | None, call: CallOnThread | None
    ) -> None:
        self.name = f"the {type(given).__name__}"
        self._given = given
        self._columns = columns
        self._call = call
        # What is both, as Django's query sets are, is at home on the thread that it belongs to.
        self._is_async = isinstance(given, AsyncIterable) and not (
            call is not None and isinstance(given, Iterable)
        )
        self._is_taken = False

    async def load(self, turns: Turns) -> Location | None:
        if self._is_taken:
            raise ConfigurationError(
                f"The rows of {self.name} were read. Make another job to read them again."
            )
        self._is_taken = True
        copy = TemporaryCopy()
        file = RowFile(self.name, copy.file)
        if self._is_async:
            ended = await self._write_later(file, turns)
        else:
            ended = await turns.take(self._write(file), self._call or turns.call_here)
        if not ended:
            return None
        copy.file.flush()
        return Location(path=Path(self.name), contents=copy.path, copy=copy, rows=file)

    def _write(self, file: RowFile) -> Iterator[int]:
        rows: Any = self._open(file)
        since = time.monotonic()
        for row in self._pull(rows, file):
            file.write(row)
            if file.rows % _ROWS_BETWEEN_LOOKS == 0 and time.monotonic() - since > _TURN:
                yield file.rows
                since = time.monotonic()
        yield file.rows

    async def _write_later(self, file: RowFile, turns: Turns) -> bool:
        rows: Any = self._open(file)
        async for row in self._pull_later(rows, file):
            file.write(row)
            if file.rows % _ROWS_BETWEEN_LOOKS == 0:
                if turns.stopped():
                    return False
                turns.tell(file.rows)
                await asyncio.sleep(0)
        turns.tell(file.rows)
        return not turns.stopped()

    def _open(self, file: RowFile) -> Any:
        table = find_table(self._given, self._columns)
        if table is None:
            return self._given
        file.use_columns(table.columns)
        return table.rows

    def _pull(self, rows: Iterable[Any], file: RowFile) -> Iterator[Any]:
        try:
            yield from rows
        except ValidationError as error:
            raise error if error.field == "source" else self._failed_error(file, error) from error
        except Exception as error:
            raise self._failed_error(file, error) from error

    async def _pull_later(self, rows: AsyncIterable[Any], file: RowFile) -> AsyncIterator[Any]:
        try:
            async for row in rows:
                yield row
        except Exception as error:
            raise self._failed_error(file, error) from error

    def _failed_error(self, file: RowFile, error: Exception) -> ValidationError:
        return _failed_error(self.name, f"{file.rows:,} rows", error)


def _unpack(location: Location, stopped: Callable[[], bool]) -> Location | None:
    """Unpack what is compressed, whatever its name is."""
    with open_source(location.path, location.contents) as source:
        if not source.peek().startswith(GZIP):
            return location
        copy = unpack(source, stopped)
    location.close()
    if copy is None:
        return None
    return Location(path=location.path, contents=copy.path, copy=copy)


def _failed_error(name: str, far: str, error: Exception) -> ValidationError:
    reason = redact_numbers(str(error)) or "no reason given"
    return ValidationError(
        f"{name[0].upper()}{name[1:]} failed after {far} ({type(error).__name__}: {reason}). "
        "Nothing was sent.",
        field="source",
    )
