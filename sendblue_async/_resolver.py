"""Look up host names on daemon threads of our own; aiohttp would use the event loop's threads."""

from __future__ import annotations

import asyncio
import encodings.idna  # noqa: F401  # Each look-up needs it, and may be too late to import it.
import os
import socket
from concurrent.futures import Future
from functools import partial
from typing import Any, cast

from aiohttp.resolver import ThreadedResolver

from ._threads import complete, start_daemon


def make_resolver() -> ThreadedResolver:
    """Make a resolver for an aiohttp connector."""
    # All it asks of the event loop is to look up names and to spell addresses.
    return ThreadedResolver(cast(asyncio.AbstractEventLoop, _resolutions))


class _Resolutions:
    """Look-ups in progress; callers with the same question wait for one answer.

    So a name server that hangs blocks one thread per host, and a client has one or two hosts.
    """

    def __init__(self) -> None:
        self._answers: dict[object, Future[Any]] = {}

    async def getaddrinfo(self, host: str, port: int, **options: Any) -> Any:
        """Look up the addresses of a host; the arguments are those of the function in socket."""
        # A fork leaves the threads behind.
        question = (os.getpid(), host, port, *sorted(options.items()))
        answer: Future[Any] = Future()
        # From now on nobody who gives up waiting can cancel it for the others.
        answer.set_running_or_notify_cancel()
        first = self._answers.setdefault(question, answer)
        if first is answer:

            def resolve() -> Any:
                try:
                    return socket.getaddrinfo(host, port, **options)
                except socket.gaierror:
                    # It calls a name unknown if it could not open a file to look it up in.
                    with open(os.devnull, "rb"):
                        raise
                finally:
                    del self._answers[question]

            start_daemon(partial(complete, answer, resolve), "sendblue-async-resolver")
        return await asyncio.wrap_future(first)

    async def getnameinfo(self, address: Any, flags: int) -> tuple[str, str]:
        """Spell an address as text. Nobody is asked for a name."""
        return socket.getnameinfo(address, flags)


_resolutions = _Resolutions()
