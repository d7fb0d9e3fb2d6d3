"""The way from any thread to an event loop on a daemon thread of its own.

One such loop, run by anyio, with its thread a *host*, serves all blocking clients of a process.
Each call checks that the host is still there for it, in this process and among its kind of
threads; if not, a new one replaces it. Nothing is locked meanwhile, so a fork or a signal may
come at any moment.

anyio's own ``start_blocking_portal`` waits for its thread at exit and after a fork, and waits
for results on locks that a signal handler's exception can leave taken; this does neither.
"""

from __future__ import annotations

import asyncio
import concurrent.futures.thread  # noqa: F401
import os
import queue
import sys
import threading
from collections.abc import Callable, Coroutine, Mapping
from contextlib import suppress
from typing import Any, TypeVar

# The first call imports nothing: a fork would leave what another thread imports half done for
# ever, and an interpreter that exits refuses some.
import anyio
import anyio._backends._asyncio

from ._clock import SYSTEM_CLOCK
from .exceptions import ConfigurationError, OutcomeUnknownError

R = TypeVar("R")

# Seconds after which a wait starts again. Python runs no signal handler during a wait which the
# signal did not itself interrupt, as it came just before or to another thread.
_SIGNAL_POLL_INTERVAL = 1.0

if sys.platform == "win32":
    _AsyncioLoop = asyncio.ProactorEventLoop
else:
    _AsyncioLoop = asyncio.SelectorEventLoop


class _Loop(_AsyncioLoop):
    """asyncio's own event loop, whatever the process has installed.

    A process that is forked while a loop of uvloop's runs crashes at its end.
    """

    time: Any = staticmethod(SYSTEM_CLOCK.monotonic)

    def call_exception_handler(self, context: dict[str, Any]) -> None:
        """Report what no caller gets to know, but not a session that an exit leaves open."""
        if "client_session" not in context:
            super().call_exception_handler(context)

    def run_forever(self) -> None:
        """Run for as long as the process does."""
        while True:
            with suppress(KeyboardInterrupt, SystemExit):
                # The task that raised it gets it too, and so does the thread that waits for it;
                # the calls of other threads continue.
                super().run_forever()

    def __del__(self) -> None:
        # To close it would reach into the selector that a forked process shares with its parent.
        pass


class _Host:
    """An event loop and the thread that runs it.

    Attributes:
        loop: The event loop.
        process: The process that made it, and the only one where its thread is.
        make_queue: Makes a queue for messages to threads that it serves.
        get_ident: Names threads of the kind that its own is of; gevent and eventlet bring others.
        starting_thread: The thread that is about to start the host's own, if one is.
        thread: The thread that runs the loop, once it does.
        error: What ended the loop.
    """

    def __init__(self) -> None:
        # First: a child that is forked while the loop is made shares it with the parent.
        self.process = os.getpid()
        originals = _find_originals()
        self.loop = _Loop(*(make_selector() for make_selector in originals[1:]))
        self.make_queue: Any = originals[0] if originals else queue.SimpleQueue
        self.get_ident = threading.get_ident
        self.starting_thread: int | None = threading.get_ident()
        self.thread: int | None = None
        self.error: BaseException | None = None
        self._running = threading.Lock()

    def serves_caller(self) -> bool:
        """Whether calls of this thread can run here."""
        return (
            self.process == os.getpid()
            and self.get_ident is threading.get_ident
            and self.error is None
        )

    def start(self) -> None:
        """Start the thread; of several, the first one runs the loop."""
        self.starting_thread = threading.get_ident()
        try:
            threading.Thread(target=self._run, name="sendblue-async", daemon=True).start()
        finally:
            self.starting_thread = None

    def _run(self) -> None:
        if not self._running.acquire(blocking=False):
            return
        self.thread = threading.get_ident()
        try:
            anyio.run(anyio.sleep_forever, backend_options={"loop_factory": lambda: self.loop})
        except BaseException as error:
            self.error = error

    def check_alive(self, *, started: bool) -> None:
        """Check that a call still gets an answer from here.

        Args:
            started: Whether the loop has started the call.

        Raises:
            ConfigurationError: If it gets none, and nothing was sent.
            OutcomeUnknownError: If it gets none.
        """
        if self.process != os.getpid():
            raise ConfigurationError(
                "This process was forked during the call, which continues in the parent; "
                "call again here."
            )
        if self.error is not None:
            message = f"The event loop of the blocking client ended: {self.error!r}."
            if started:
                raise OutcomeUnknownError(message, outcome="unknown") from self.error
            raise ConfigurationError(message) from self.error
        if self.thread is None:
            # Whoever was about to start the thread was interrupted, or could not.
            _try_to_start(self.start)


def _find_originals() -> list[Any]:
    """The queue and the selector of Python where gevent has replaced them, and threads not.

    Its own belong to the thread that makes them; on another they crash or wait for ever.
    """
    monkey = sys.modules.get("gevent.monkey")
    if monkey is None or sys.platform == "win32" or monkey.is_module_patched("threading"):
        return []
    names = [("queue", "SimpleQueue"), ("selectors", "DefaultSelector")]
    return [monkey.get_original(*name) for name in names]


class Portal:
    """Runs coroutines for threads that wait for them."""

    def __init__(self) -> None:
        self._host: _Host | None = None
        # The host that came after each. To set a default is one step, which only one of several
        # callers makes; and none is dropped, as that would close what a parent process has open.
        self._successors: dict[_Host | None, _Host] = {}

    def drop_host(self) -> None:
        """Take a new host at the next call, as the thread of the old one did not survive a fork."""
        if self._host is not None:
            self._host.process = 0

    def run(
        self,
        function: Callable[..., Coroutine[Any, Any, R]],
        args: tuple[Any, ...],
        kwargs: Mapping[str, Any],
        *,
        on_message: Callable[[Any], object] | None = None,
    ) -> R:
        """Run a coroutine, and return or raise what it does. Interrupting the wait cancels it.

        Args:
            function: Returns the coroutine.
            args: Its arguments.
            kwargs: Its keyword arguments.
            on_message: Called on this thread while it waits, with whatever the coroutine asks for.
                The function gets what to ask with before its other arguments.

        Raises:
            ConfigurationError: If no thread can run the coroutine.
            OutcomeUnknownError: If that thread ends meanwhile.
        """
        host = self._find_host()
        loop = host.loop
        # Written in C, so that no exception of a signal handler can strike while it is locked.
        # Under gevent, it is gevent's, which lets other greenlets go on.
        messages: queue.SimpleQueue[Any] = host.make_queue()
        if on_message is not None:
            args = (messages.put, *args)
        task: asyncio.Task[R] | None = None
        abandoned = False

        async def call() -> R:
            return await function(*args, **kwargs)

        def start() -> None:
            nonlocal task
            if not abandoned:
                task = loop.create_task(call())
                task.add_done_callback(messages.put)

        def cancel() -> None:
            if task is not None:
                task.cancel()

        def next_message() -> Any:
            while True:
                try:
                    return messages.get(timeout=_SIGNAL_POLL_INTERVAL)
                except queue.Empty:  # noqa: PERF203
                    host.check_alive(started=task is not None)

        try:
            loop.call_soon_threadsafe(start)
            while not isinstance(message := next_message(), asyncio.Task):
                assert on_message is not None
                on_message(message)
        except BaseException:
            # Ctrl-C, or what another signal's handler raised, such as Celery's time limit.
            abandoned = True
            if host.serves_caller():
                loop.call_soon_threadsafe(cancel)
            raise
        ended: asyncio.Task[R] = message
        return ended.result()

    def _find_host(self) -> _Host:
        """Return the host that serves this thread, and start it if need be."""
        if sys.is_finalizing():
            raise ConfigurationError("No call can be made while the interpreter is shut down.")
        host = self._host
        while host is None or not host.serves_caller():
            successor = self._successors.get(host)
            if successor is None:
                new_host = _try_to_start(_Host)
                successor = self._successors.setdefault(host, new_host)
                if successor is not new_host:
                    new_host.loop.close()
            host = self._host = successor
        here = threading.get_ident()
        if host.thread is None:
            if host.starting_thread in (None, here):
                _try_to_start(host.start)
        elif host.thread == here:
            raise ConfigurationError(
                "A blocking call was made on the thread that carries out all of them, "
                "by a hook or a __del__; it would wait for itself."
            )
        return host


def _try_to_start(step: Callable[[], R]) -> R:
    """Take one step of starting a host.

    Raises:
        ConfigurationError: If the process may have no more threads, sockets or memory.
    """
    try:
        return step()
    except (MemoryError, OSError, RuntimeError) as error:
        raise ConfigurationError(
            f"The thread that carries out blocking calls could not be started: {error}. "
            "The next call tries again."
        ) from error


portal = Portal()

if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=portal.drop_host)
