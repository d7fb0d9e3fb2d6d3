"""Questions to the person at the terminal."""

from __future__ import annotations

import sys

from ..exceptions import ValidationError
from ._output import print_stderr


def confirm(question: str) -> bool:
    """Ask the person at the terminal; only a yes is a yes.

    Raises:
        ValidationError: If input is not a terminal.
        KeyboardInterrupt: If they press Ctrl-C instead. Not while an event loop runs, which would
            handle it.
    """
    if sys.stdin is None or not sys.stdin.isatty():
        raise ValidationError("Cannot ask for confirmation: input is not a terminal. Use --yes.")
    answer = b""
    try:
        print_stderr(f"{question} [y/N] ", end="")
        # Bytes, because a terminal can send what is no text.
        answer = sys.stdin.buffer.readline()
    finally:
        if not answer.endswith(b"\n"):
            print_stderr("")
    return answer.strip().lower() in (b"y", b"yes")
