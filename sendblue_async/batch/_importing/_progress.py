"""Reports how far an import is, also while nothing happens."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from ._report import ImportProgress

# Seconds between two reports, at the most.
_INTERVAL = 1.0


class ProgressTicker:
    """Calls a function with the progress of an import, at least once a second.

    Args:
        progress: The function, if anybody wants to know.
        measure: Says how far the import is now.
        stop: Called if the function raises while nothing else happens, to end the import.
    """

    def __init__(
        self,
        progress: Callable[[ImportProgress], object] | None,
        measure: Callable[[], ImportProgress],
        *,
        stop: Callable[[], object],
    ) -> None:
        self._progress = progress
        self._measure = measure
        self._stop = stop

    def report(self) -> None:
        """Report the progress now."""
        if self._progress is not None:
            self._progress(self._measure())

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Report the progress every second until the end of the block, which raises what fails."""
        task = asyncio.create_task(self._tick())
        try:
            yield
        finally:
            task.cancel()
            # Not by awaiting the task, which would take the caller's own cancellation for its.
            await asyncio.wait([task])
            if not task.cancelled():
                task.result()

    async def _tick(self) -> None:
        while True:
            await asyncio.sleep(_INTERVAL)
            try:
                self.report()
            except BaseException:
                self._stop()
                raise
