"""What errors of SQLite and of the disk mean for a journal."""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Iterator

from ..exceptions import JournalError

FOREIGN = "{} is not the journal of an import, and was left as it is. Move it out of the way."
DAMAGED = (
    "The journal {} is damaged and cannot tell any more what was sent. Put a copy of it back, or "
    "delete it to start anew, which sends every contact again."
)
_FULL = (
    "The disk is full, that of the journal {} or that of temporary files. Free some space, then "
    "resume."
)
# By a part of the error's text, as Python 3.10 does not tell SQLite's code.
_TROUBLES = {
    "locked": "The journal {} is in use by another import. Wait until it has ended, or stop it.",
    "not a database": FOREIGN,
    "malformed": DAMAGED,
    "is full": _FULL,
    "No space left": _FULL,
    "I/O error": (
        "The disk failed the journal {}: it is full, at a limit of size, or out of order. See to "
        "that, then resume."
    ),
}


@contextlib.contextmanager
def explained(name: str) -> Iterator[None]:
    """Say what an error of the disk or of SQLite means for the journal of this name."""
    try:
        yield
    except (sqlite3.Error, OSError) as error:
        # Without the path, which may have any of the words in it.
        text = getattr(error, "strerror", None) or str(error)
        for sign, message in _TROUBLES.items():
            if sign in text:
                raise JournalError(message.format(name)) from error
        raise JournalError(
            f"The journal {name} cannot be used ({text}). Check its folder and its permissions."
        ) from error
