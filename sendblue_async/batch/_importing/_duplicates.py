"""Entries that have the same number, and the one contact that is made of them."""

from __future__ import annotations

import json
from typing import Literal

from ...models import ContactCreate
from .._mapping._contact_reader import Entry, merge_documents
from ._journal import Journal
from ._journal_schema import DUPLICATE, MERGED

OnDuplicate = Literal["merge", "last"]


class Duplicates:
    """Makes one contact of all entries that have the same number.

    Args:
        journal: Knows which numbers are there twice, once the file is checked.
        on_duplicate: Whether they are merged, or the last one wins.
    """

    def __init__(self, journal: Journal, on_duplicate: OnDuplicate) -> None:
        self._journal = journal
        self._merges = on_duplicate == "merge"
        # As text, which takes a third of the memory of contacts.
        self._earlier: dict[str, list[str]] = {}

    def resolve(self, entry: Entry, contact: ContactCreate) -> ContactCreate | None:
        """Return what is sent for the entry, or ``None`` if a later one has its number."""
        found = self._journal.find_repeats(contact.number)
        if found is None or not self._merges:
            return contact if found is None or entry.index == found[1] else None
        if entry.index != found[1]:
            earlier = self._earlier.setdefault(contact.number, [])
            earlier.append(json.dumps(contact.to_dict(), separators=(",", ":")))
            return None
        earlier = self._earlier.pop(contact.number, [])
        return merge_documents([*map(json.loads, earlier), contact.to_dict()])

    def explain_skip(self, contact: ContactCreate) -> tuple[str, str]:
        """Return why an entry is not sent: the code, and the index of the one that is."""
        found = self._journal.find_repeats(contact.number)
        assert found is not None
        return MERGED if self._merges else DUPLICATE, str(found[1])
