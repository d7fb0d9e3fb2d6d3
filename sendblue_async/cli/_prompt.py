"""Questions to the person at the terminal."""

from __future__ import annotations

import sys

from ..exceptions import ValidationError
from ._output import print_aside


def ask(question: str) -> bool:
    """Whether the person at the terminal says yes; anything else they say is a no.

    Raises:
        ValidationError: If input is not a terminal, so that nobody can be asked.
        KeyboardInterrupt: If they press Ctrl-C instead. Not while an event loop runs: it would
            keep that to itself.
    """
    if sys.stdin is None or not sys.stdin.isatty():
        raise ValidationError("Cannot ask for confirmation: input is not a terminal. Use --yes.")
    answer = b""
    try:
        print_aside(f"{question} [y/N] ", end="")
        # Bytes, because a terminal can send what is no text.
        answer = sys.stdin.buffer.readline()
    finally:
        if not answer.endswith(b"\n"):
            print_aside("")
    return answer.strip().lower() in (b"y", b"yes")
