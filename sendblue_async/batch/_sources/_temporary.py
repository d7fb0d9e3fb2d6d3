"""Temporary files that can be read by a path, and vanish with the process where that can be."""

from __future__ import annotations

import os
import tempfile
import weakref
from contextlib import suppress
from pathlib import Path
from typing import IO

_DESCRIPTORS = Path("/proc/self/fd")


class TemporaryCopy:
    """A temporary file with a copy of a source, for this user alone.

    On Linux it has no name, so that nothing of it is left behind however the process ends;
    elsewhere it is deleted with this object. It is in the folder for temporary files, which
    ``TMPDIR`` can name.

    Attributes:
        path: Where it can be read.
        file: What to write it with, at its end.
    """

    path: Path
    file: IO[bytes]

    def __init__(self) -> None:
        descriptor, name = tempfile.mkstemp(prefix="sendblue-async-")
        named = Path(name)
        self.path = _DESCRIPTORS / str(descriptor)
        if _is_same(self.path, named):
            named.unlink()
            named = self.path
        else:
            self.path = named
        self.file = os.fdopen(descriptor, "wb")
        self._finalizer = weakref.finalize(self, _remove, self.file, named)

    def close(self) -> None:
        """Delete the file."""
        self._finalizer()


def _is_same(one: Path, other: Path) -> bool:
    with suppress(OSError):
        return os.path.samefile(one, other)
    return False


def _remove(file: IO[bytes], path: Path) -> None:
    # What could not be written is needed no more.
    with suppress(OSError):
        file.close()
    if path.parent != _DESCRIPTORS:
        path.unlink(missing_ok=True)
