"""The command line, ``sendblue-async``; it needs the extra ``cli``."""

from __future__ import annotations

import os
import sys

__all__ = ["main"]


def main() -> None:
    """Run the command that ``sys.argv`` names, and exit.

    Exit codes: 0 done, 1 refused or failed, 2 wrong usage, 130 interrupted by Ctrl-C. An import
    that SIGTERM or SIGHUP has ended exits with 128 and the signal's number.
    """
    try:
        _stand_in_for_closed_streams()
        _run()
    except KeyboardInterrupt:
        sys.exit(130)
    except OSError as error:
        # Of the help, which is printed outside any command. Nothing of it is tried again at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(f"The output cannot be written: {error.strerror}.")


def _stand_in_for_closed_streams() -> None:
    """Let a program that was started without standard streams print into nothing."""
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, mode, encoding="utf-8"))  # noqa: SIM115


def _run() -> None:
    try:
        # Each adds its commands to the program, and the help lists them in this order.
        from . import _contacts, _import, _sandbox  # noqa: F401
        from ._app import app
    except ModuleNotFoundError as error:
        if error.name not in {"rich", "typer"}:
            raise
        sys.exit(
            f"The command line needs the package {error.name}; "
            "install it with: pip install 'sendblue-async[cli]'"
        )
    app(prog_name="sendblue-async")
