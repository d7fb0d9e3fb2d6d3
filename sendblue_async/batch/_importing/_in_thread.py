"""Work that blocks, done on another thread while the event loop goes on."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import Any, TypeVar

from ..._threads import run_on_daemon

T = TypeVar("T")


async def run_in_thread(function: Callable[..., T], *args: Any, stop: Callable[[], object]) -> T:
    """Call the function on another thread; if cancelled, end only when it has ended.

    The journal is for one thread at a time, and the check of a file ends when it is stopped.

    Args:
        function: The function.
        args: Its arguments.
        stop: Called if this is cancelled, to make the function end soon.
    """
    work = run_on_daemon(partial(function, *args), "sendblue-async-import")
    started = asyncio.wrap_future(work)
    try:
        return await asyncio.shield(started)
    except asyncio.CancelledError:
        stop()
        while not started.done():
            with suppress(asyncio.CancelledError):
                await asyncio.wait([started])
        raise
