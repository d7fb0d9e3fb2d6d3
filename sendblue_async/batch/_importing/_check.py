"""The first pass over a file, before anything is sent."""

from __future__ import annotations

from collections.abc import Callable

from .._mapping._contact_reader import ContactReader, Entry
from ._journal import Journal


def check(
    reader: ContactReader,
    journal: Journal,
    stopped: Callable[[], bool],
    keep: Callable[[list[Entry]], object] = lambda entries: None,
) -> None:
    """Read the file once before anything is sent, and note which number stands where.

    Args:
        reader: The file.
        journal: Takes the notes.
        stopped: Asked now and then whether to leave it at that.
        keep: Is given all entries, many at a time.
    """
    checked = 0
    for entries in reader.batches():
        for entry in entries:
            if entry.contact is not None:
                journal.note(entry.index, entry.contact.number)
        keep(entries)
        checked = entries[-1].index + 1
        if stopped():
            return
    journal.finish_check(checked)
