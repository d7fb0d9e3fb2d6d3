"""Signals that end the program, and what it finishes first."""

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
    """Lets the first Ctrl-C, SIGTERM or SIGHUP stop the work; a second ends the program.

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
                loop.add_signal_handler(number, self._handle, number)
                self._before[number] = before

    def has_come(self) -> bool:
        """Whether a signal has come."""
        return self.signal is not None

    def exit_if_interrupted(self) -> None:
        """Exit with 128 and the number of the signal, as shells expect, if one has come."""
        if self.signal is not None:
            raise typer.Exit(128 + self.signal)

    def _handle(self, number: int) -> None:
        self.signal = number
        for other, before in self._before.items():
            asyncio.get_running_loop().remove_signal_handler(other)
            signal.signal(other, before)
        if number == getattr(signal, "SIGHUP", None):
            _detach_from_terminal()
        self._stop()


def _detach_from_terminal() -> None:
    """Discard output from now on if the terminal is gone, as printing would fail."""
    for stream in (sys.stdout, sys.stderr):
        if _is_hung_up(stream.fileno()):
            os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


def _is_hung_up(descriptor: int) -> bool:
    try:
        os.tcgetpgrp(descriptor)
    except OSError as error:
        return error.errno == errno.EIO
    return False
