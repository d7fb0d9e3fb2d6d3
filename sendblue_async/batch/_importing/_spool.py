"""The entries of a file as they were checked, stored until they are sent."""

from __future__ import annotations

import contextlib
import pickle
import tempfile
from collections.abc import Iterator
from pathlib import Path

from ...exceptions import JournalError
from .._mapping._contact_reader import Entry


class Spool:
    """A temporary file of entries, so that a file is not read and parsed twice.

    It has no name, and vanishes with the process. It is in the folder of the input, as the usual
    folder for temporary files may be kept in memory.

    Args:
        folder: The folder that it is in.

    Raises:
        JournalError: From :meth:`write` and when it is made, if the disk fails.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        with self._explain_errors():
            self._file = tempfile.TemporaryFile(dir=folder)  # noqa: SIM115 - closed by __exit__

    def __enter__(self) -> Spool:
        return self

    def __exit__(self, *_: object) -> None:
        # Nobody needs any more what could not be written.
        with contextlib.suppress(OSError):
            self._file.close()

    def write(self, entries: list[Entry]) -> None:
        """Append these entries; many at a time take less room than one by one."""
        with self._explain_errors():
            pickle.dump(entries, self._file, protocol=5)

    def entries(self) -> Iterator[Entry]:
        """Iterate over all entries, as they were written."""
        with self._explain_errors():
            self._file.seek(0)
        with contextlib.suppress(EOFError):
            while True:
                with self._explain_errors():
                    entries = pickle.load(self._file)
                yield from entries

    @contextlib.contextmanager
    def _explain_errors(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise JournalError(
                f"A temporary file in {self._folder} cannot be used ({error.strerror}). Fix "
                "that, then resume."
            ) from error
