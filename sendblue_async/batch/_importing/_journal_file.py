"""The SQLite file of a journal: held by one process, its commits counted, never half written."""

from __future__ import annotations

import contextlib
import os
import secrets
import sqlite3
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...exceptions import JournalError
from ._journal_errors import (
    DAMAGED,
    FOREIGN,
    LINK,
    LOG_DAMAGED,
    NEWER,
    check_locks,
    explain_errors,
    in_use,
)
from ._journal_header import JournalHeader, keep_to_owner, version_in
from ._journal_schema import APPLICATION_ID, VERSION

if TYPE_CHECKING:
    from typing_extensions import Self


class JournalFile:
    """A database in one file, with a log beside it while it is open.

    No other part of the process may open the file: by the rules of POSIX, closing it again would
    release the lock.

    Args:
        path: The file, which is created if it is missing; ``None`` for a temporary one.

    Raises:
        JournalError: From every method, if the disk or the file fails.
    """

    def __init__(self, path: Path | None) -> None:
        self._path = path
        self.name = "for this run" if path is None else str(path)
        self._header: JournalHeader | None = None
        self._commits = 0
        self._failed = False
        self._is_older = False
        with explain_errors(self.name):
            # Into an empty file SQLite writes as soon as it locks it.
            if path and path.is_symlink() and not (path.exists() and path.stat().st_size):
                raise JournalError(LINK.format(self.name))
            self._opened: tuple[int, int] | None = None
            if path is not None:
                _create_if_missing(path)
                self._opened = _identify(path)
            self._connection = _connect(path)

    def close(self) -> None:
        """Let go of the file. It is one file then, and what was committed is in it."""
        with explain_errors(self.name):
            try:
                self._connection.close()
            finally:
                # Not before, as that would release the lock.
                header, self._header = self._header, None
                if header is not None:
                    header.close()

    def _abandon(self) -> None:
        """Let go of the file, and leave it and its log as they are, damaged or not."""
        aside = Path(f"{self._log_path}-{secrets.token_hex(8)}")
        with explain_errors(self.name):
            # SQLite would move what is whole into the main file, and delete the log.
            self._connection.interrupt()
            if not self._log_path.exists():
                self.close()
                return
            os.rename(self._log_path, aside)
            try:
                self.close()
            finally:
                os.rename(aside, self._log_path)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _lock_and_check(self) -> bool:
        """Lock the file and check the journal in it; return whether there is one.

        One of an older version is not checked; it may be read and not written.
        """
        self._lock()
        # On macOS, nothing less reaches the disk.
        for setting in ("synchronous = FULL", "fullfsync = ON", "temp_store = FILE"):
            self._execute(f"PRAGMA {setting}")
        ((application,),) = self._execute("PRAGMA application_id")
        ((found,),) = self._execute("PRAGMA user_version")
        ((tables,),) = self._execute("SELECT count(*) FROM sqlite_master")
        # A process that was killed in the middle of its first commit left this.
        if (application, found, tables) == (0, 0, 0):
            return False
        version = version_in(found)
        if application != APPLICATION_ID:
            raise JournalError(FOREIGN.format(self.name))
        if version > VERSION:
            raise JournalError(NEWER.format(self.name))
        if version < VERSION:
            self._is_older = True
            return True
        ((self._commits,),) = self._execute("SELECT commits FROM about")
        self._restrict_to_owner()
        if self._header is not None and self._header.commits() > self._commits:
            self._abandon()
            raise JournalError(LOG_DAMAGED.format(self.name))
        if self._execute("PRAGMA quick_check(1)") != [("ok",)]:
            raise JournalError(DAMAGED.format(self.name))
        return True

    def _lock(self) -> None:
        self._execute("PRAGMA locking_mode = EXCLUSIVE")
        try:
            # At once, so that only one of two that find no journal creates it; the lock stays.
            self._execute("BEGIN EXCLUSIVE")
            self._execute("COMMIT")
        except sqlite3.OperationalError:
            if self._path is not None:
                check_locks(self.name, self._path.parent)
            raise
        # Another import may have replaced the file after it was opened and before it was locked.
        if self._path is not None and _identify(self._path) != self._opened:
            raise in_use(self.name)

    def _restrict_to_owner(self) -> None:
        """Let only their owner read the file and its log, which may have been there before."""
        if self._path is None:
            return
        self._header = JournalHeader(self._path)
        for path in (self._path, self._log_path):
            if path.exists():
                keep_to_owner(path)

    @property
    def _log_path(self) -> Path:
        return Path(f"{self._path}-wal")

    def _enable_log(self) -> None:
        """Have commits written to a log, which gets the mode of the main file."""
        self._execute("PRAGMA journal_mode = WAL")

    def _rows(self, query: str, values: tuple[Any, ...] = ()) -> list[Any]:
        with explain_errors(self.name):
            return self._execute(query, values)

    def _execute(self, statement: str, values: tuple[Any, ...] = ()) -> list[Any]:
        """Execute the statement, and return all its rows.

        The cursor is closed at once: where objects are freed later, by another thread, one that
        is left open keeps the file locked.
        """
        with contextlib.closing(self._connection.execute(statement, values)) as cursor:
            return cursor.fetchall()

    def _execute_many(self, statement: str, rows: Iterable[tuple[Any, ...]]) -> None:
        with contextlib.closing(self._connection.executemany(statement, rows)):
            pass

    @contextlib.contextmanager
    def _transaction(self) -> Iterator[Any]:
        """Run a transaction that is counted, with the function that executes a statement."""
        with self._refuse_after_failure():
            self._execute("BEGIN")
            yield self._execute
            self._execute("UPDATE about SET commits = ?", (self._commits + 1,))
            self._execute("COMMIT")
            self._commits += 1
            if self._header is not None:
                self._header.write(self._commits)

    @contextlib.contextmanager
    def _refuse_after_failure(self) -> Iterator[None]:
        """Refuse every write after one that failed."""
        if self._failed:
            raise JournalError(
                f"The journal {self.name} takes nothing more, as an earlier commit failed. What "
                "was committed before is safe: resume in a new run."
            )
        with explain_errors(self.name):
            try:
                yield
            except BaseException:
                self._failed = True
                with contextlib.suppress(sqlite3.Error):
                    self._connection.rollback()
                raise


def _create_if_missing(path: Path) -> None:
    """Create the file for its owner alone."""
    with contextlib.suppress(FileExistsError):
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))


def _identify(path: Path) -> tuple[int, int] | None:
    """Tell which file the path leads to."""
    with contextlib.suppress(FileNotFoundError):
        found = path.stat()
        return found.st_dev, found.st_ino
    return None


def _connect(path: Path | None) -> sqlite3.Connection:
    address = "" if path is None else f"{path.absolute().as_uri()}?mode=rw"
    return sqlite3.connect(
        address, timeout=0, isolation_level=None, check_same_thread=False, uri=True
    )
