"""What errors of SQLite and of the disk mean for a journal."""

from __future__ import annotations

import contextlib
import importlib
import os
import sqlite3
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ...exceptions import JournalError

fcntl: Any = importlib.import_module("fcntl") if os.name == "posix" else None

FOREIGN = "{} is not the journal of an import, and was left as it is. Move it out of the way."
DAMAGED = (
    "The journal {} is damaged and cannot tell any more what was sent. Put a copy of it back, or "
    "delete it to start over, which sends every contact again."
)
LOG_DAMAGED = (
    "The journal {0} lacks what was last committed to it: the file {0}-wal, which was beside it "
    "after the import was killed, is missing or damaged. Put both files back as they were, or "
    "delete the journal to start over, which sends every contact again."
)
START_OVER = "(--start-over, or start_over=True in Python)"
OLDER = (
    "The journal {} was written by an older version of sendblue-async, which may read the rows of "
    f"the file in another way. Resume with that version, or start over {START_OVER}, which sends "
    "every contact again."
)
NEWER = (
    "The journal {} was written by a newer version of sendblue-async. Update this one, then resume."
)
LINK = (
    "The journal {} would be written through a symbolic link. Remove the link, or name the file "
    "that is imported by another path."
)
_NO_LOCKS = (
    "The journal {} cannot be locked against a second import: the file system of its folder locks "
    "no files ({}). Import the file from a local disk."
)
_FULL = (
    "The disk is full, that of the journal {} or that of temporary files. Free some space, then "
    "resume."
)
_IN_USE = "The journal {} is in use by another import. Wait until it has ended, or stop it."
# By a part of the error's text, as Python 3.10 does not tell SQLite's code.
_TROUBLES = {
    "locked": _IN_USE,
    "not a database": FOREIGN,
    "malformed": DAMAGED,
    "is full": _FULL,
    "No space left": _FULL,
    "I/O error": (
        "The disk failed the journal {}: it is full, at a size limit, or defective. Fix that, "
        "then resume."
    ),
}


def in_use(name: str) -> JournalError:
    """The error for a journal that another import holds; it is free later."""
    return JournalError(_IN_USE.format(name), retryable=True)


def check_locks(name: str, folder: Path) -> None:
    """Check that files in this folder can be locked, as SQLite takes any failure for a lock.

    Raises:
        JournalError: If they cannot.
    """
    if fcntl is None:
        return
    with tempfile.TemporaryFile(dir=folder) as file:
        try:
            fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise JournalError(_NO_LOCKS.format(name, error.strerror)) from error


@contextlib.contextmanager
def explain_errors(name: str) -> Iterator[None]:
    """Turn errors of the disk and of SQLite into ones that say what they mean for the journal."""
    try:
        yield
    except (sqlite3.Error, OSError) as error:
        # Without the path, which may have any of the words in it.
        text = getattr(error, "strerror", None) or str(error)
        for sign, message in _TROUBLES.items():
            if sign in text:
                raise JournalError(message.format(name), retryable=message is _IN_USE) from error
        raise JournalError(
            f"The journal {name} cannot be used ({text}). Check its folder and its permissions."
        ) from error
