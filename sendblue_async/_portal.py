"""The way from any thread to an event loop on a daemon thread of its own.

One such loop serves all blocking clients of a process; anyio runs it. It is started by the
first call, and again by the first call after a fork, because threads do not survive one.
anyio's own ``start_blocking_portal`` waits for its thread at exit and after a fork, and waits
for results on locks that a signal handler's exception can leave taken; this does neither.
"""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import Callable, Coroutine, Mapping

# An event loop's thread pool cannot be imported any more when the interpreter exits.
from concurrent.futures import ThreadPoolExecutor as ThreadPoolExecutor
from contextlib import suppress
from queue import Empty, SimpleQueue
from typing import Any, TypeVar

import anyio

from .exceptions import ConfigurationError

R = TypeVar("R")

# Seconds after which a wait is begun anew. Python runs no signal handler during a wait which the
# signal did not itself interrupt, as it came just before or to another thread.
_LOOK_UP = 1.0


class Portal:
    """Runs coroutines for threads that wait for them."""

    def __init__(self) -> None:
        self.forget()

    def forget(self) -> None:
        """Start over with a new thread at the next call; the old one did not survive a fork."""
        self._starting = threading.Lock()
        self._loop: asyncio.AbstractEventLoop | None = None

    def run(
        self,
        function: Callable[..., Coroutine[Any, Any, R]],
        args: tuple[Any, ...],
        kwargs: Mapping[str, Any],
        *,
        serve: Callable[[Any], object] | None = None,
    ) -> R:
        """What the coroutine returns or raises; whatever interrupts the wait cancels it.

        Args:
            function: Makes the coroutine.
            args: Its arguments.
            kwargs: Its keyword arguments.
            serve: Called on this thread while it waits, with whatever the coroutine asks for. The
                function gets what to ask with before its other arguments.

        Raises:
            ConfigurationError: If the interpreter is exiting and starts no thread any more.
        """
        loop = self._loop or self._start()
        # Written in C, so that no exception of a signal handler can strike while it is locked.
        events: SimpleQueue[Any] = SimpleQueue()
        if serve is not None:
            args = (events.put, *args)
        task: asyncio.Task[R] | None = None
        abandoned = False

        async def call() -> R:
            return await function(*args, **kwargs)

        def begin() -> None:
            nonlocal task
            if not abandoned:
                task = loop.create_task(call())
                task.add_done_callback(events.put)

        def give_up() -> None:
            if task is not None:
                task.cancel()

        try:
            loop.call_soon_threadsafe(begin)
            while not isinstance(event := _next(events), asyncio.Task):
                assert serve is not None
                serve(event)
        except BaseException:
            # Ctrl-C, or what another signal's handler raised, such as Celery's time limit.
            abandoned = True
            loop.call_soon_threadsafe(give_up)
            raise
        done: asyncio.Task[R] = event
        return done.result()

    def _start(self) -> asyncio.AbstractEventLoop:
        with self._starting:
            if self._loop is None:
                started: SimpleQueue[asyncio.AbstractEventLoop] = SimpleQueue()
                thread = threading.Thread(
                    target=anyio.run, args=(_serve, started), name="sendblue-async", daemon=True
                )
                try:
                    thread.start()
                except RuntimeError as error:
                    raise ConfigurationError(f"No call can be made any more: {error}.") from None
                self._loop = started.get()
            return self._loop


def _next(events: SimpleQueue[Any]) -> Any:
    """The next event, however long it takes."""
    while True:
        with suppress(Empty):
            return events.get(timeout=_LOOK_UP)


async def _serve(started: SimpleQueue[asyncio.AbstractEventLoop]) -> None:
    started.put(asyncio.get_running_loop())
    await anyio.sleep_forever()


# Not on uvloop: a process forked while one of its loops runs crashes at its end.
portal = Portal()

if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=portal.forget)
