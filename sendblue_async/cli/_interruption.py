"""Signals that ask the program to end, and what it finishes before it does."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import os
import signal
import sys
from collections.abc import Callable
from typing import Any

import typer


class Interruption:
    """Lets the first Ctrl-C, SIGTERM or SIGHUP stop what is going on; a second ends the program.

    Service managers end a program with SIGTERM, a terminal that is closed with SIGHUP. A signal
    that is ignored, as SIGHUP is under nohup, stays ignored.

    Args:
        stop: Called when the signal comes.
    """

    def __init__(self, stop: Callable[[], None]) -> None:
        self.signal: int | None = None
        self._stop = stop
        self._before: dict[int, Any] = {}
        loop = asyncio.get_running_loop()
        for name in ("SIGINT", "SIGTERM", "SIGHUP"):
            number = getattr(signal, name, None)
            if number is None or signal.getsignal(number) is signal.SIG_IGN:
                continue
            # Windows has no such handlers; there Ctrl-C cancels what is in flight.
            with contextlib.suppress(NotImplementedError):
                before = signal.getsignal(number)
                loop.add_signal_handler(number, self._heed, number)
                self._before[number] = before

    def came(self) -> bool:
        """Whether there was one."""
        return self.signal is not None

    def exit_if_it_came(self) -> None:
        """End the command as shells have it, with 128 and the number of the signal."""
        if self.signal is not None:
            raise typer.Exit(128 + self.signal)

    def _heed(self, number: int) -> None:
        self.signal = number
        for other, before in self._before.items():
            asyncio.get_running_loop().remove_signal_handler(other)
            signal.signal(other, before)
        if number == getattr(signal, "SIGHUP", None):
            _leave_the_terminal()
        self._stop()


def _leave_the_terminal() -> None:
    """Print into nothing from now on where the terminal is gone, as that is an error otherwise."""
    for stream in (sys.stdout, sys.stderr):
        if _is_hung_up(stream.fileno()):
            os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


def _is_hung_up(descriptor: int) -> bool:
    try:
        os.tcgetpgrp(descriptor)
    except OSError as error:
        return error.errno == errno.EIO
    return False
