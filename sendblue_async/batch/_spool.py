"""The entries of a file as they were checked, kept until they are sent."""

from __future__ import annotations

import contextlib
import pickle
import tempfile
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Any

from ..exceptions import JournalError
from ..models import ContactCreate
from ._entries import Entry


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
        try:
            self._file = tempfile.TemporaryFile(dir=folder)  # noqa: SIM115 - closed by __exit__
        except OSError as error:
            raise self._failed(error) from error

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
        given: dict[str, Any] | None = None
        if entry.contact is not None:
            # Far less than the contact itself, and checked again when it is read.
            given = {name: value for name, value in vars(entry.contact).items() if value}
        try:
            pickle.dump((entry.line, given, entry.problem), self._file, protocol=5)
        except OSError as error:
            raise self._failed(error) from error

    def entries(self) -> Iterator[Entry]:
        """All entries that were written, as they were."""
        try:
            self._file.seek(0)
        except OSError as error:
            raise self._failed(error) from error
        place = 0
        while True:
            try:
                line, given, problem = pickle.load(self._file)
            except EOFError:
                return
            contact = None if given is None else ContactCreate(**given)
            yield Entry(place, line, contact, problem)
            place += 1

    def _failed(self, error: OSError) -> JournalError:
        return JournalError(
            f"A temporary file in {self._folder} cannot be written ({error.strerror}). See to "
            "that, then resume."
        )
