"""The entries of a file as they were checked, kept until they are sent."""

from __future__ import annotations

import contextlib
import pickle
import tempfile
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType

from ..exceptions import JournalError
from ._entries import Entry

# Entries that are written together, which takes less room than one at a time; so few that they
# are gone before the garbage collector takes them for long-lived.
_PORTION = 100


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
        self._portion: list[Entry] = []
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

    def write(self, entry: Entry) -> None:
        """Keep an entry; they must come in their order."""
        self._portion.append(entry)
        if len(self._portion) == _PORTION:
            self._flush()

    def entries(self) -> Iterator[Entry]:
        """All entries that were written, as they were."""
        self._flush()
        with self._explained():
            self._file.seek(0)
        with contextlib.suppress(EOFError):
            while True:
                yield from pickle.load(self._file)

    def _flush(self) -> None:
        with self._explained():
            pickle.dump(self._portion, self._file, protocol=5)
        self._portion = []

    @contextlib.contextmanager
    def _explained(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise JournalError(
                f"A temporary file in {self._folder} cannot be used ({error.strerror}). See to "
                "that, then resume."
            ) from error
