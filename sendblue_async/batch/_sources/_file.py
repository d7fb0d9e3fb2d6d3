"""An input file: opened, and known again by its fingerprint and its version."""

from __future__ import annotations

import contextlib
import hashlib
import io
import os
from collections.abc import Callable, Iterator
from contextvars import ContextVar
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from ...exceptions import ValidationError

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

_COMPRESSED = {".gz", ".gzip"}

T = TypeVar("T")

BUFFER = 1 << 16
"""How many bytes are read at once."""


class Reading:
    """How much of a file has been read, as another thread can see it.

    Args:
        passes: How often the file is read from its beginning to its end.
    """

    def __init__(self, passes: int = 1) -> None:
        self._passes = passes
        self._size = self._read = 0

    @property
    def share(self) -> float | None:
        """The share, from 0 to 1; ``None`` before anything was read."""
        if not self._read or not self._size:
            return None
        return min(1.0, self._read / (self._size * self._passes))

    def watch(self, function: Callable[..., T], *args: Any) -> T:
        """Call a function, and follow the files that it opens on this thread."""
        token = _reading.set(self)
        try:
            return function(*args)
        finally:
            _reading.reset(token)

    def begin(self, size: int) -> None:
        """Note that a file of this size is read from its beginning."""
        self._size = size

    def add(self, count: int) -> None:
        """Note that so many more bytes of it were read."""
        self._read += count


_reading: ContextVar[Reading] = ContextVar("reading")


class _Hashed(io.FileIO):
    """A file that computes the digest of what is read from it."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self.digest = hashlib.sha256()
        self._reading = _reading.get(None)
        if self._reading is not None:
            self._reading.begin(os.fstat(self.fileno()).st_size)

    def readinto(self, buffer: WriteableBuffer, /) -> int:
        count = super().readinto(buffer) or 0
        self.digest.update(memoryview(buffer)[:count])
        if self._reading is not None:
            self._reading.add(count)
        return count


def file_version(status: os.stat_result) -> tuple[int, ...]:
    """Return what differs between two files, and in one file after a change."""
    return status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns


class SourceFile(io.BufferedReader):
    """A file as it is read from its beginning to its end.

    Attributes:
        path: Its name, which need not be that of a file.
        contents: Where it is.
        version: Which file it was, and in which state, when it was opened.
    """

    def __init__(self, path: Path, contents: Path) -> None:
        self.path = path
        self.contents = contents
        self._hashed = _Hashed(contents)
        super().__init__(self._hashed, BUFFER)
        self.version = file_version(os.fstat(self.fileno()))

    def finish(self) -> None:
        """Read on to the end, if it is still open, so that the fingerprint is that of the file."""
        if not self.closed:
            while self.read(BUFFER):
                pass

    @property
    def fingerprint(self) -> str:
        """The SHA-256 of what was read so far, in hexadecimal digits."""
        return self._hashed.digest.hexdigest()


def suffix_of(path: Path) -> str:
    """Return the end of the file's name in lower case, without that of its compression."""
    suffixes = [suffix.lower() for suffix in path.suffixes[-2:]]
    if suffixes and suffixes[-1] in _COMPRESSED:
        suffixes.pop()
    return suffixes[-1] if suffixes else ""


def make_path(path: str | os.PathLike[str], field: str = "path") -> Path:
    """Make a path of the name of a file; an empty one would be the current folder.

    Raises:
        ValidationError: If it is empty.
    """
    if not os.fspath(path):
        raise ValidationError(f"{field} is empty. Name a file.", field=field)
    return Path(path)


@contextlib.contextmanager
def open_source(path: Path, contents: Path | None = None) -> Iterator[SourceFile]:
    """Open a file for reading.

    Args:
        path: Its name.
        contents: Where it is, if not there.

    Raises:
        ValidationError: If it cannot be opened, or cannot be read inside the ``with`` block.
    """
    contents = contents or path
    try:
        if contents.exists() and not contents.is_file():
            if contents.is_fifo():
                raise ValidationError(
                    f"{path} is a pipe. Read it as standard input, with - for the file.",
                    field="path",
                )
            kind = "a folder" if contents.is_dir() else "not an ordinary file"
            raise ValidationError(f"{path} is {kind}. Name a file of contacts.", field="path")
        with SourceFile(path, contents) as source:
            yield source
    except FileNotFoundError:
        raise ValidationError(
            f"There is no file {path}. Check its name and folder.", field="path"
        ) from None
    except OSError as error:
        raise ValidationError(
            f"{path} cannot be read: {error.strerror}. Fix that, or name another file.",
            field="path",
        ) from error
