"""The source of an import: copied if it cannot be read twice, and looked at before it is read."""

from __future__ import annotations

from collections.abc import Callable

from attrs import evolve

from .._mapping._contact_reader import ContactReader
from .._sources._source import Location, Source, Turns
from ._in_thread import run_in_thread
from ._options import ImportOptions
from ._preview import ImportMapping, preview


class JobSource:
    """The source of one import.

    Args:
        source: The source.
        options: How it is read.
        stopped: Whether to stop.
        stop: Called if this is cancelled.
        tell: Called with the number of rows that were copied.
        is_begun: Whether an import of the input with this fingerprint is being resumed.

    Attributes:
        name: What to call it in messages.
        path: The file, if it is one.
        inspected: What reads it, and how, once that is known.
    """

    def __init__(
        self,
        source: Source,
        options: ImportOptions,
        *,
        stopped: Callable[[], bool],
        stop: Callable[[], object],
        tell: Callable[[int], object],
        is_begun: Callable[[str], bool],
    ) -> None:
        self.name = source.name
        self.path = source.path
        self.inspected: tuple[ContactReader, ImportMapping] | None = None
        self._source = source
        self._options = options
        self._turns = Turns(stopped=stopped, tell=tell)
        self._stop = stop
        self._is_begun = is_begun
        self._location: Location | None = None

    async def load(self) -> bool:
        """Copy it if need be; return whether that was to its end.

        Raises:
            ValidationError: If it cannot be used, or fails.
        """
        if self._location is None:
            self._location = await self._source.load(self._turns)
        return self._location is not None

    async def inspect(self) -> tuple[ContactReader, ImportMapping]:
        """Find out how it is read, once it is loaded.

        Raises:
            ValidationError: If it cannot be used.
            ConfigurationError: If an option cannot be used.
        """
        if self.inspected is None:
            self.inspected = await run_in_thread(self.inspect_now, stop=self._stop)
        return self.inspected

    def inspect_now(self) -> tuple[ContactReader, ImportMapping]:
        """Do the same on this thread."""
        if self.inspected is not None:
            return self.inspected
        assert self._location is not None
        reader = self._options.read(self._location)
        mapping = preview(reader)
        # What was settled when the import began stays so when it is resumed.
        if mapping.doubts and self._is_begun(reader.table.fingerprint):
            mapping = evolve(mapping, doubts=())
        return reader, mapping

    def close(self) -> None:
        """Delete the copy, if there is one."""
        location, self._location = self._location, None
        if location is not None:
            location.close()
