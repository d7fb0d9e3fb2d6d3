"""Where contacts are kept: in memory, or in a SQLite file that survives a restart."""

from __future__ import annotations

import json
import os
import sqlite3
import threading
from collections.abc import Generator, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from functools import partial
from typing import Any, Protocol

from ._contact import StoredContact
from ._query import ListQuery

__all__ = ["ContactsView", "MemoryStore", "SqliteStore", "Store"]

_APPLICATION_ID = 0x5B1_5A4D
_CREATED_AT = "json_extract(contact, '$.created_at')"
# An index instead of a column of its own: files written before contacts were listed have none.
_SCHEMA = (
    """
    CREATE TABLE IF NOT EXISTS {table} (
        id INTEGER PRIMARY KEY,
        phone TEXT NOT NULL UNIQUE,
        contact TEXT NOT NULL
    )
    """,
    f"CREATE INDEX IF NOT EXISTS {{table}}_by_creation ON {{table}} ({_CREATED_AT})",
)


class Store(Protocol):
    """Contacts by E.164 number, oldest first."""

    def open(self) -> None:
        """Make the store usable; raises ``OSError`` or ``ValueError`` if that cannot be."""
        ...

    def close(self) -> None:
        """Release what ``open`` took; safe to call twice."""
        ...

    def exclusive(self) -> AbstractContextManager[None]:
        """A block in which what was read still holds when it is written."""
        ...

    def get(self, number: str) -> StoredContact | None:
        """Get the contact with this number, or None."""
        ...

    def put(self, contact: StoredContact) -> None:
        """Store a contact, and replace the one with the same number."""
        ...

    def remove(self, number: str) -> bool:
        """Remove a contact, and return whether there was one."""
        ...

    def numbers(self) -> list[str]:
        """List every number, in the order of creation."""
        ...

    def page(self, query: ListQuery) -> list[StoredContact]:
        """List the contacts that a query asks for; nulls come first in ascending order."""
        ...

    def __len__(self) -> int: ...


class MemoryStore:
    """Contacts in a dict; they stay readable after the sandbox has closed."""

    def __init__(self) -> None:
        self._contacts: dict[str, StoredContact] = {}

    def open(self) -> None:
        pass

    def close(self) -> None:
        pass

    def exclusive(self) -> AbstractContextManager[None]:
        # Handlers never await between check and write, so nothing can come between.
        return nullcontext()

    def get(self, number: str) -> StoredContact | None:
        return self._contacts.get(number)

    def put(self, contact: StoredContact) -> None:
        self._contacts[contact.phone] = contact

    def remove(self, number: str) -> bool:
        return self._contacts.pop(number, None) is not None

    def numbers(self) -> list[str]:
        return list(self._contacts)

    def page(self, query: ListQuery) -> list[StoredContact]:
        chosen = [contact for contact in self._contacts.values() if _matches(contact, query)]
        # Sorting keeps equal ones in the order of creation, so reversing reverses that as well.
        chosen.sort(key=partial(_sort_key, name=query.order_by))
        if query.descending:
            chosen.reverse()
        return chosen[query.offset : query.offset + query.limit]

    def __len__(self) -> int:
        return len(self._contacts)


class SqliteStore:
    """Contacts in a SQLite file; each write is committed before it is answered.

    The file may be shared with another process, and may be read from any thread.

    Args:
        path: The file.
        table: The table; never text from outside.
    """

    def __init__(self, path: str | os.PathLike[str], table: str = "contacts") -> None:
        self._path = os.fspath(path)
        self._table = table
        self._open_connection: sqlite3.Connection | None = None
        self._lock = threading.RLock()

    def open(self) -> None:
        if self._open_connection is not None:
            return
        connection = None
        try:
            connection = sqlite3.connect(self._path, isolation_level=None, check_same_thread=False)
            _prepare(connection, self._path, self._table)
        except BaseException as error:
            if connection is not None:
                connection.close()
            if isinstance(error, sqlite3.OperationalError):
                raise OSError(f"Cannot use the contact file {self._path!r}: {error}.") from error
            if isinstance(error, sqlite3.DatabaseError):
                raise ValueError(f"{self._path!r} is not a SQLite file: {error}.") from error
            raise
        self._open_connection = connection

    def close(self) -> None:
        with self._lock:
            connection, self._open_connection = self._open_connection, None
            if connection is not None:
                connection.close()

    @property
    def _connection(self) -> sqlite3.Connection:
        if self._open_connection is None:
            raise RuntimeError(
                f"The contact file {self._path!r} is readable only while the sandbox runs."
            )
        return self._open_connection

    @contextmanager
    def exclusive(self) -> Generator[None, None, None]:
        with self._lock:
            connection = self._connection
            connection.execute("BEGIN IMMEDIATE")
            try:
                yield
            except BaseException:
                connection.execute("ROLLBACK")
                raise
            connection.execute("COMMIT")

    def get(self, number: str) -> StoredContact | None:
        with self._lock:
            row = self._connection.execute(
                f"SELECT contact FROM {self._table} WHERE phone = ?", (number,)
            ).fetchone()
        return None if row is None else _from_json(row[0])

    def put(self, contact: StoredContact) -> None:
        with self._lock:
            self._connection.execute(
                f"INSERT INTO {self._table} (phone, contact) VALUES (?, ?) "
                "ON CONFLICT (phone) DO UPDATE SET contact = excluded.contact",
                (contact.phone, json.dumps(contact.as_dict())),
            )

    def remove(self, number: str) -> bool:
        with self._lock:
            cursor = self._connection.execute(
                f"DELETE FROM {self._table} WHERE phone = ?", (number,)
            )
            return cursor.rowcount > 0

    def numbers(self) -> list[str]:
        with self._lock:
            rows = self._connection.execute(
                f"SELECT phone FROM {self._table} ORDER BY id"
            ).fetchall()
        return [row[0] for row in rows]

    def page(self, query: ListQuery) -> list[StoredContact]:
        with self._lock:
            rows = self._connection.execute(*_page_statement(query, self._table)).fetchall()
        return [_from_json(row[0]) for row in rows]

    def __len__(self) -> int:
        with self._lock:
            (count,) = self._connection.execute(f"SELECT COUNT(*) FROM {self._table}").fetchone()
        return int(count)


class ContactsView(Mapping[str, dict[str, Any]]):
    """A read-only mapping from E.164 number to contact, always as the store now stands.

    Every look-up gives a new dict, so changing one changes nothing that is stored.
    """

    def __init__(self, store: Store) -> None:
        self._store = store

    def __getitem__(self, number: str) -> dict[str, Any]:
        contact = self._store.get(number)
        if contact is None:
            raise KeyError(number)
        return contact.as_dict()

    def __iter__(self) -> Iterator[str]:
        return iter(self._store.numbers())

    def __len__(self) -> int:
        return len(self._store)

    def __repr__(self) -> str:
        return f"<{len(self)} contacts>"


def _prepare(connection: sqlite3.Connection, path: str, table: str) -> None:
    (application,) = connection.execute("PRAGMA application_id").fetchone()
    (tables,) = connection.execute("SELECT COUNT(*) FROM sqlite_master").fetchone()
    if application != _APPLICATION_ID and (application or tables):
        raise ValueError(f"{path!r} belongs to another program; give the sandbox its own file.")
    # Write-ahead logging spares each write a wait for the disk; a killed process loses nothing.
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = NORMAL")
    connection.execute(f"PRAGMA application_id = {_APPLICATION_ID}")
    for statement in _SCHEMA:
        connection.execute(statement.format(table=table))


def _from_json(text: str) -> StoredContact:
    return StoredContact(**json.loads(text))


def _matches(contact: StoredContact, query: ListQuery) -> bool:
    return (
        (query.number is None or contact.phone == query.number)
        and (query.contact_id is None or contact.contact_id == query.contact_id)
        and (query.created_from is None or contact.created_at >= query.created_from)
    )


def _sort_key(contact: StoredContact, name: str) -> tuple[bool, Any]:
    value = getattr(contact, name)
    # Tags and variables sort by their JSON, as SQLite sorts them.
    if name in ("tags", "custom_variables"):
        value = json.dumps(value)
    return value is not None, value


def _page_statement(query: ListQuery, table: str = "contacts") -> tuple[str, list[str | int]]:
    """The SELECT for a page, and the values of its parameters."""
    conditions = {
        "phone = ?": query.number,
        "json_extract(contact, '$.contact_id') = ?": query.contact_id,
        f"{_CREATED_AT} >= ?": query.created_from,
    }
    given = {condition: value for condition, value in conditions.items() if value is not None}
    where = f"WHERE {' AND '.join(given)} " if given else ""
    direction = "DESC" if query.descending else "ASC"
    statement = (
        f"SELECT contact FROM {table} {where}"
        # A name of the 12, never text from outside.
        f"ORDER BY json_extract(contact, '$.{query.order_by}') {direction}, id {direction} "
        "LIMIT ? OFFSET ?"
    )
    return statement, [*given.values(), query.limit, query.offset]
