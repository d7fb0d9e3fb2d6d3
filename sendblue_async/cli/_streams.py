"""The standard streams, when they are closed or nobody reads what is printed."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager


def replace_closed_streams() -> None:
    """Let a program that was started without standard streams print into nothing."""
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, mode, encoding="utf-8"))  # noqa: SIM115


@contextmanager
def heedless_of_stderr() -> Iterator[None]:
    """Go on where standard error takes nothing, as on a full disk: nobody can be told of it.

    What a command does, and its exit code, do not depend on who listens.
    """
    try:
        yield
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stderr.fileno())


def discard_unprinted() -> bool:
    """Discard what standard output does not take, as Python would try again at exit.

    Returns:
        Whether there was anything.
    """
    try:
        sys.stdout.flush()
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return True
    return False
