"""Which event loop runs on this thread: asyncio's, which is needed, or one that must not wait."""

from __future__ import annotations

import asyncio
import builtins
import sys
import threading

from .exceptions import ConfigurationError


def require_asyncio() -> asyncio.AbstractEventLoop:
    """Return the event loop of the asyncio task that runs here.

    Raises:
        ConfigurationError: If none does. Under trio's guest mode asyncio's loop may run on this
            thread all the same, with trio's tasks as its callbacks.
    """
    try:
        task = asyncio.current_task()
    except RuntimeError:
        task = None
    if task is not None:
        return task.get_loop()
    if _trio_runs_here():
        raise ConfigurationError(
            "SendblueClient needs asyncio, and trio runs here. Call the blocking client on another "
            'thread: await anyio.to_thread.run_sync(SyncSendblueClient().create_contact, "+1…").'
        )
    raise ConfigurationError(
        "SendblueClient needs asyncio, and no asyncio task runs here: await it in a coroutine that "
        "asyncio.run() runs, or use SyncSendblueClient, under another event loop with "
        "anyio.to_thread.run_sync."
    )


def find_blocked_loop() -> str | None:
    """Name the library whose event loop a blocking call on this thread would hold up, if any.

    Notebooks are left out: they run every cell, blocking or not, inside their event loop.
    """
    library = _find_loop()
    return None if library is None or _in_notebook() else library


def _find_loop() -> str | None:
    if _trio_runs_here():
        return "trio"
    try:
        loop = asyncio.get_running_loop()
    except RuntimeError:
        return None
    # The green threads of one thread all seem to run the loop that one of them runs.
    here = threading.get_ident()
    return "asyncio" if getattr(loop, "_thread_id", here) == here else None


def _trio_runs_here() -> bool:
    trio = sys.modules.get("trio")
    if trio is None:
        return False
    try:
        trio.lowlevel.current_trio_token()
    except (AttributeError, RuntimeError):
        # Another thread is importing it, or it does not run on this one.
        return False
    return True


def _in_notebook() -> bool:
    if hasattr(builtins, "__IPYTHON__"):
        return True
    marimo = sys.modules.get("marimo")
    try:
        # Under pytest it is "test" everywhere.
        return marimo is not None and marimo.app_meta().mode in ("edit", "run", "script")
    except AttributeError:
        return False
