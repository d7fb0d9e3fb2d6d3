"""The way from any thread to an event loop on a daemon thread of its own.

One such loop serves all blocking clients of a process. It is started by the first call, and
again by the first call after a fork, because threads do not survive one. anyio's
``start_blocking_portal`` waits for its thread at exit and after a fork; this does not.
"""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import Callable, Coroutine, Mapping
from concurrent.futures import Future

# An event loop's thread pool cannot be imported any more when the interpreter exits.
from concurrent.futures import ThreadPoolExecutor as ThreadPoolExecutor
from typing import Any, TypeVar

import anyio
from anyio import from_thread
from anyio.lowlevel import EventLoopToken, current_token

R = TypeVar("R")


class Portal:
    """Runs coroutines for threads that wait for them."""

    def __init__(self) -> None:
        self.forget()

    def forget(self) -> None:
        """Start over with a new thread at the next call; the old one did not survive a fork."""
        self._starting = threading.Lock()
        self._token: EventLoopToken | None = None

    def run(
        self,
        function: Callable[..., Coroutine[Any, Any, R]],
        args: tuple[Any, ...],
        kwargs: Mapping[str, Any],
    ) -> R:
        """What the coroutine returns or raises; whatever interrupts the wait cancels it."""
        token = self._token or self._start()
        task: asyncio.Task[Any] | None = None
        abandoned = finished = False

        async def call() -> R:
            nonlocal task, finished
            task = asyncio.current_task()
            try:
                if abandoned:
                    raise asyncio.CancelledError
                return await function(*args, **kwargs)
            finally:
                finished = True

        try:
            return from_thread.run(call, token=token)
        except BaseException:
            # If it is not the call's own error, it is Ctrl-C, or what another signal's handler
            # raised, such as Celery's time limit.
            abandoned = True
            if not finished and task is not None:
                from_thread.run_sync(task.cancel, token=token)
            raise

    def _start(self) -> EventLoopToken:
        with self._starting:
            if self._token is None:
                started: Future[EventLoopToken] = Future()
                threading.Thread(
                    target=_serve, args=(started,), name="sendblue-async", daemon=True
                ).start()
                self._token = started.result()
            return self._token


def _serve(started: Future[EventLoopToken]) -> None:
    async def serve() -> None:
        started.set_result(current_token())
        await anyio.sleep_forever()

    try:
        # Not on uvloop: a process forked while one of its loops runs crashes at its end.
        anyio.run(serve)
    except BaseException as error:
        if started.done():
            raise
        started.set_exception(error)


portal = Portal()

if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=portal.forget)
