"""The command line, ``sendblue-async``; it needs the extra ``cli``."""

from __future__ import annotations

import os
import signal
import sys

from . import _streams

__all__ = ["main"]


def main() -> None:
    """Run the command that ``sys.argv`` names, and exit.

    Exit codes: 0 done, 1 refused or failed, 2 wrong usage, 75 an import to try later, 130
    interrupted by Ctrl-C. An import that SIGTERM or SIGHUP has ended exits with 128 and the
    signal's number.
    """
    _streams.replace_closed_streams()
    raises = signal.getsignal(signal.SIGINT) is signal.default_int_handler
    if raises:
        # While modules load, an exception may strike where it is only reported, and not heeded.
        signal.signal(signal.SIGINT, lambda *_: os._exit(130))
    try:
        # Each adds its commands to the program, and the help lists them in this order.
        from . import _contacts, _export, _import, _sandbox  # noqa: F401
        from ._app import app
    except ModuleNotFoundError as error:
        if error.name not in {"rich", "typer"}:
            raise
        sys.exit(
            f"The command line needs the package {error.name}; "
            "run in your clone of sendblue-async: pip install '.[cli]'"
        )
    if raises:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        app(prog_name="sendblue-async")
    except KeyboardInterrupt:
        sys.exit(130)
    except OSError as error:
        # Of the help, which is printed outside any command.
        _streams.discard_unprinted()
        sys.exit(f"The output cannot be written: {error.strerror}.")
