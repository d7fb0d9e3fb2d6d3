"""The entries of a file as they were checked, kept until they are sent."""

from __future__ import annotations

import contextlib
import pickle
import tempfile
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType

from ...exceptions import JournalError
from .._mapping._contact_reader import Entry


class Spool:
    """A temporary file of entries, so that a file is not read and understood twice.

    It has no name, and is gone with the process. It lies beside the input, as the usual place may
    be one that is kept in memory.

    Args:
        folder: Where it lies.

    Raises:
        JournalError: From :meth:`write` and when it is made, if the disk fails.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        with self._explained():
            self._file = tempfile.TemporaryFile(dir=folder)  # noqa: SIM115 - closed by __exit__

    def __enter__(self) -> Spool:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        # What could not be written is not needed any more.
        with contextlib.suppress(OSError):
            self._file.close()

    def write(self, entries: list[Entry]) -> None:
        """Keep these entries after those before; many at a time take less room than one."""
        with self._explained():
            pickle.dump(entries, self._file, protocol=5)

    def entries(self) -> Iterator[Entry]:
        """All entries that were written, as they were."""
        with self._explained():
            self._file.seek(0)
        with contextlib.suppress(EOFError):
            while True:
                with self._explained():
                    entries = pickle.load(self._file)
                yield from entries

    @contextlib.contextmanager
    def _explained(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise JournalError(
                f"A temporary file in {self._folder} cannot be used ({error.strerror}). See to "
                "that, then resume."
            ) from error
