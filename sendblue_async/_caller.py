"""The thread of a blocking caller, which does what is asked of it while it waits.

A database cursor, a session or a progress bar often belongs to that thread, and any of them may
call the client itself.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Coroutine
from functools import partial
from typing import Any, TypeVar

from ._portal import portal

R = TypeVar("R")


def answer_with(answer: asyncio.Future[Any], result: Any, error: Exception | None) -> None:
    """Give what asked its answer, on its event loop."""
    if answer.done():
        # What asked has ended meanwhile.
        return
    if error is None:
        answer.set_result(result)
    else:
        answer.set_exception(error)


class Caller:
    """The thread that waits for what runs, and does what is asked of it meanwhile.

    Args:
        ask: Has a function called on that thread.
        progress: The caller's function.
    """

    def __init__(self, ask: Callable[[Callable[[], object]], object], progress: Any) -> None:
        self._ask = ask
        self._progress = progress
        self._latest: deque[Any] = deque(maxlen=1)

    def show(self, progress: Any) -> None:
        """Have the progress shown; only the latest is shown next."""
        self._latest.append(progress)
        self._ask(self._show_latest)

    async def call(self, function: Callable[[], Any]) -> Any:
        """Call a function there, and return or raise what it does."""
        answer = asyncio.get_running_loop().create_future()
        self._ask(partial(_call_and_answer, answer, function))
        return await answer

    def _show_latest(self) -> None:
        if self._latest:
            self._progress(self._latest.popleft())


def _call_and_answer(answer: asyncio.Future[Any], function: Callable[[], Any]) -> None:
    call_soon = answer.get_loop().call_soon_threadsafe
    try:
        result = function()
    except Exception as error:
        call_soon(answer_with, answer, None, error)
    else:
        call_soon(answer_with, answer, result, None)


def run_with_caller(start: Callable[[Caller], Coroutine[Any, Any, R]], progress: Any) -> R:
    """Run what reads its source and shows its progress on this thread.

    What runs does not wait for ``progress``. If this raises, be it from there, from the source or
    from Ctrl-C, it has ended, and the journal of an import is free.

    Args:
        start: Starts it.
        progress: The caller's function.
    """
    task: asyncio.Task[Any] | None = None

    async def run(ask: Callable[[Callable[[], object]], object]) -> R:
        nonlocal task
        task = asyncio.current_task()
        return await start(Caller(ask, progress))

    def do(what: Callable[[], object]) -> None:
        what()

    try:
        return portal.run(run, (), {}, on_message=do)
    except BaseException:
        if task is not None and not task.done():
            portal.run(_cancel_and_wait, (task,), {})
        raise


async def _cancel_and_wait(task: asyncio.Task[Any]) -> None:
    """Cancel a task, and wait for its end, however it ends; that of a lost loop has none."""
    if task.get_loop() is asyncio.get_running_loop():
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
