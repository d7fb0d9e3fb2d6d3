"""The contacts of an account, kept on the disk, so that memory does not grow with them."""

from __future__ import annotations

import contextlib
import json
import sqlite3
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable, Iterator
from contextlib import aclosing
from typing import TYPE_CHECKING, Any

from .._pages import Walk, iterate_contacts
from .._phone_numbers import digits_of
from ..exceptions import JournalError
from ..models import Contact, ContactPage
from ..models._lists import ContactQuery

if TYPE_CHECKING:
    from typing_extensions import Self

_PAGE = 1_000
# E.164 has no more.
_MOST_DIGITS = 15

FetchPage = Callable[[ContactQuery], Awaitable[ContactPage]]
"""Fetches one page of the account's contacts."""


class StoredContacts:
    """A temporary file of contacts, each found by its number.

    The file has no name, and vanishes with the process. As :class:`~.._pages.SeenContacts` it also
    remembers which contacts a walk has given.

    Attributes:
        kept: How many contacts were kept so far.

    Raises:
        JournalError: From every method, if the disk fails.
    """

    def __init__(self) -> None:
        self.kept = 0
        with _explain_errors():
            # A name that is empty is that of a file which is deleted as soon as it is open.
            self._connection = sqlite3.connect("", isolation_level=None, check_same_thread=False)
            for statement in (
                "PRAGMA temp_store = FILE",
                "PRAGMA journal_mode = OFF",
                "CREATE TABLE seen (key TEXT PRIMARY KEY) WITHOUT ROWID",
                "CREATE TABLE contact (number INTEGER PRIMARY KEY, document TEXT NOT NULL)",
                # What nobody can resume needs no commit.
                "BEGIN",
            ):
                self._connection.execute(statement)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._connection.close()

    def __contains__(self, key: Any) -> bool:
        return self._find("SELECT 1 FROM seen WHERE key = ?", _text(key)) is not None

    def add(self, key: Any) -> None:
        """Remember that a walk has given the contact with this key."""
        with _explain_errors():
            self._connection.execute("INSERT INTO seen VALUES (?)", (_text(key),))

    def keep(self, contacts: Iterable[Contact]) -> None:
        """Keep these contacts; one without a number can be no other's, and is left out."""
        rows = [
            (int(digits), json.dumps(contact.to_dict(), separators=(",", ":")))
            for contact in contacts
            if 0 < len(digits := digits_of(contact.phone)) <= _MOST_DIGITS
        ]
        with _explain_errors():
            self._connection.executemany("REPLACE INTO contact VALUES (?, ?)", rows)
        self.kept += len(rows)

    def find(self, number: str) -> dict[str, Any] | None:
        """Find the contact with this number, as :meth:`Contact.to_dict` gives it."""
        found = self._find("SELECT document FROM contact WHERE number = ?", int(digits_of(number)))
        return None if found is None else json.loads(found)

    def _find(self, query: str, value: object) -> Any:
        with _explain_errors():
            row = self._connection.execute(query, (value,)).fetchone()
        return None if row is None else row[0]


async def list_pages(fetch: FetchPage, seen: StoredContacts) -> AsyncGenerator[list[Contact], None]:
    """Iterate over all contacts of the account, a thousand at a time.

    Raises:
        SendblueError: If they cannot be listed.
    """
    page: list[Contact] = []
    async with aclosing(iterate_contacts(Walk(_PAGE, seen=seen), fetch)) as contacts:
        async for contact in contacts:
            page.append(contact)
            if len(page) == _PAGE:
                yield page
                page = []
    yield page


def _text(key: Any) -> str:
    return key if isinstance(key, str) else repr(key)


@contextlib.contextmanager
def _explain_errors() -> Iterator[None]:
    try:
        yield
    except sqlite3.Error as error:
        raise JournalError(
            f"The temporary file with the contacts of the account cannot be used ({error}). Free "
            "some space where temporary files are, or name another folder with TMPDIR."
        ) from error
