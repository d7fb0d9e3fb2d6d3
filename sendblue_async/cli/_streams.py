"""The standard streams, should they be closed, or nobody take what is printed."""

from __future__ import annotations

import os
import sys


def stand_in_for_closed_streams() -> None:
    """Let a program that was started without standard streams print into nothing."""
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, mode, encoding="utf-8"))  # noqa: SIM115


def drop_unprinted() -> None:
    """Drop what standard output does not take, which would be tried again at exit."""
    try:
        sys.stdout.flush()
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
