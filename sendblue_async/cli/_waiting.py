"""What is told of calls while they run: that they wait, and with -v every request."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Iterator
from contextlib import AbstractContextManager, asynccontextmanager, contextmanager, suppress

from ._output import print_stderr

# Seconds after which it is told that there is no answer yet, and after which retries are told.
_PATIENCE = 3.0
_STEPS = 6
_log = logging.getLogger("sendblue_async")


class _Teller(logging.Handler):
    """Prints the log of the client: all of it, or the retries of calls that take long."""

    def __init__(self, *, verbose: bool) -> None:
        super().__init__(logging.DEBUG)
        self.events = 0
        self._verbose = verbose

    def emit(self, record: logging.LogRecord) -> None:
        self.events += 1
        took_long = getattr(record, "sendblue_elapsed", 0.0) >= _PATIENCE
        if self._verbose or (took_long and record.levelno >= logging.WARNING):
            print_stderr(record.getMessage())


def tell_all() -> AbstractContextManager[None]:
    """Tell on standard error of every request in the block."""
    return _listening(_Teller(verbose=True))


@contextmanager
def _listening(teller: _Teller) -> Iterator[None]:
    """Give the teller all that the client logs."""
    level = _log.level
    _log.addHandler(teller)
    _log.setLevel(logging.DEBUG)
    try:
        yield
    finally:
        _log.setLevel(level)
        _log.removeHandler(teller)


@asynccontextmanager
async def tell_of_calls(*, verbose: bool) -> AsyncIterator[None]:
    """Tell on standard error what the calls in the block wait for, or of every request."""
    teller = _Teller(verbose=verbose)
    with _listening(teller):
        watch = asyncio.create_task(_watch(teller))
        try:
            yield
        finally:
            watch.cancel()
            with suppress(asyncio.CancelledError):
                await watch


async def _watch(teller: _Teller) -> None:
    """Tell that there is no answer, whenever nothing happens for a while."""
    told_at = -1
    while True:
        seen = teller.events
        # In steps, as time in which the program itself stood still does not count.
        for _ in range(_STEPS):
            await asyncio.sleep(_PATIENCE / _STEPS)
        if teller.events == seen != told_at:
            told_at = seen
            print_stderr("Waiting for the server, which has not answered yet.")
