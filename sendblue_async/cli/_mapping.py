"""How a file will be read: shown before anything is sent, and asked about where it is doubtful."""

from __future__ import annotations

import signal
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from ..exceptions import ValidationError
from ._output import can_print, print_stderr
from ._prompt import confirm
from ._terms import translate

if TYPE_CHECKING:
    from ..batch import ImportMapping

_MOST_NAMES = 10
_DELIMITERS = {
    ",": "comma",
    ";": "semicolon",
    "\t": "tab",
    "|": "pipe",
    "^": "caret",
    "~": "tilde",
}
_HELD = {
    None: "Not used",
    "numbers": "Not used, with numbers in it",
    "names": "Not used, with names",
}


def show_mapping(mapping: ImportMapping, source: str) -> None:
    """Print which column is which field, and which ones are not used."""
    origin = f"sheet {mapping.sheet!r}" if mapping.sheet else mapping.encoding or ""
    if mapping.delimiter:
        origin += f", {_DELIMITERS[mapping.delimiter]}"
    region = f"region {mapping.region}" if mapping.region else "no region"
    print_stderr(f"Reading {source} ({origin}, {region}):")
    arrow = "←" if can_print("←") else "<-"
    for field, columns in mapping.fields.items():
        print_stderr(f"  {field} {arrow} {_join_names(columns, ', then ')}")
    for held, words in _HELD.items():
        unused = [name for name, holds in mapping.unused.items() if holds == held and name.strip()]
        if unused:
            print_stderr(f"  {words}: {_join_names(unused, ', ')}")


def doubt_error(mapping: ImportMapping) -> ValidationError:
    """Make the error of a file that is not read before its doubts are settled."""
    said = " ".join(doubt.message for doubt in mapping.doubts)
    return ValidationError(f"{said} If the file is read right as it is, go ahead with --yes.")


def confirm_doubts(mapping: ImportMapping) -> None:
    """Ask once whether to go ahead in spite of what is doubtful.

    Raises:
        ValidationError: If the answer is no, or nobody can be asked.
        KeyboardInterrupt: If Ctrl-C is pressed instead of an answer.
    """
    if sys.stdin is None or not sys.stdin.isatty():
        raise doubt_error(mapping)
    for doubt in mapping.doubts:
        print_stderr(translate(doubt.message))
    with _signals_end_program():
        agreed = confirm("Import it as it is?")
    if not agreed:
        raise ValidationError("Nothing was sent.")


@contextmanager
def _signals_end_program() -> Iterator[None]:
    """Let signals end the program although an event loop runs, which waits for the answer."""
    handlers: dict[str, Any] = {
        "SIGINT": signal.default_int_handler,
        "SIGTERM": signal.SIG_DFL,
        "SIGHUP": signal.SIG_DFL,
    }
    before = {
        number: signal.signal(number, handler)
        for name, handler in handlers.items()
        if (number := getattr(signal, name, None)) is not None
        and signal.getsignal(number) is not signal.SIG_IGN
    }
    wakeup = signal.set_wakeup_fd(-1)
    try:
        yield
    finally:
        signal.set_wakeup_fd(wakeup)
        for number, handler in before.items():
            signal.signal(number, handler)


def _join_names(names: Sequence[str], sign: str) -> str:
    shown = [name if name.isprintable() and "," not in name else repr(name) for name in names]
    more = len(shown) - _MOST_NAMES
    listed = sign.join(shown[:_MOST_NAMES])
    return f"{listed} and {more} more" if more > 0 else listed
