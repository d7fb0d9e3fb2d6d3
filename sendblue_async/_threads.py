"""Work on daemon threads.

Python waits for the threads of its pools before it exits, however long they take, and gives them
no more work once the main thread has ended.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future
from functools import partial
from typing import TypeVar

T = TypeVar("T")


def start_daemon(work: Callable[[], object], name: str) -> None:
    """Do work on a daemon thread of its own, or here where no thread can be started.

    Python 3.12.0 and 3.12.1 start none after the main thread's end.
    """
    try:
        threading.Thread(target=work, name=name, daemon=True).start()
    except RuntimeError:
        work()


def complete(future: Future[T], function: Callable[[], T]) -> None:
    """Call a function, and let a future have what it returns or raises."""
    try:
        result = function()
    except BaseException as error:
        future.set_exception(error)
    else:
        future.set_result(result)


def run_on_daemon(function: Callable[[], T], name: str) -> Future[T]:
    """Run a function on a daemon thread; what runs cannot be cancelled."""
    future: Future[T] = Future()
    future.set_running_or_notify_cancel()
    start_daemon(partial(complete, future, function), name)
    return future
