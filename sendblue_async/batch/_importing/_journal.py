"""What an import began and what became of it, in a file that outlives the process.

The file is a SQLite database in WAL mode. It holds no name and no number, but the identifiers that
Sendblue has for contacts, and for each number that comes more than once a hash, whose key is in the
same file. The numbers cannot be read, but they can be guessed by trial, so only the file's owner
may read it.
"""

from __future__ import annotations

import hashlib
import os
import secrets
import sqlite3
from collections.abc import Iterable, Iterator, Mapping
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..._clock import SYSTEM_CLOCK, Clock
from ..._files import flush_folder, name_beside
from .._results import EntryOutcome
from ._earlier_run import EarlierRun
from ._journal_errors import explain_errors
from ._journal_file import JournalFile
from ._journal_schema import DUPLICATE, IN_PROGRESS, MERGED, SCHEMA, STATE_NUMBERS, STATES

if TYPE_CHECKING:
    from typing_extensions import Self

_REJECTED = f"""
    SELECT one.entry, one.outcome, one.line, coalesce(whole.code, ''), coalesce(whole.reason, '')
    FROM state AS one JOIN state AS whole
        ON whole.entry = CASE one.code WHEN '{MERGED}' THEN CAST(one.reason AS INTEGER)
        ELSE one.entry END
    WHERE one.entry > ? AND whole.outcome = {STATE_NUMBERS["rejected"]}
    ORDER BY one.entry LIMIT ?
"""
_RESULTS = f"""
    SELECT one.entry, one.outcome, one.line, coalesce(one.code, ''), coalesce(one.reason, ''),
        coalesce(whole.contact_id, ''), whole.line
    FROM state AS one LEFT JOIN state AS whole
        ON whole.entry = CASE WHEN one.code IN ('{MERGED}', '{DUPLICATE}')
        THEN CAST(one.reason AS INTEGER) ELSE one.entry END
    WHERE one.entry > ? AND one.outcome != {STATE_NUMBERS[IN_PROGRESS]}
    ORDER BY one.entry LIMIT ?
"""
_INSTEAD = {
    MERGED: "It went into {}, which is the last one with its number.",
    DUPLICATE: "Only {} counts, which is the last one with its number.",
}
_NOT_STORED = ("rejected", "skipped", "unchanged")
# How many entries have ended, and how many may have been stored. A rejected one was not, whoever
# rejected it.
_ENDED = f"""
    SELECT total(outcome != {STATE_NUMBERS[IN_PROGRESS]}),
        total(outcome NOT IN ({", ".join(str(STATE_NUMBERS[name]) for name in _NOT_STORED)}))
    FROM state
"""
_FLUSH_AFTER = 5_000
_PAGE = 1_000


def is_journal_of(path: Path | None, fingerprint: str) -> bool:
    """Whether an import of this input was begun with a journal in this file."""
    if path is None or not path.exists():
        return False
    try:
        # What is asked for is never in the log, and nobody is to wait for the answer.
        uri = f"{path.absolute().as_uri()}?immutable=1"
        with closing(sqlite3.connect(uri, uri=True)) as file:
            return file.execute("SELECT fingerprint FROM about").fetchall() == [(fingerprint,)]
    except sqlite3.Error:
        # Opening it says what is wrong.
        return False


class Journal(JournalFile):
    """The journal of one import; made by :meth:`open`.

    All methods block, and only one may run at a time, on whatever thread.

    Attributes:
        checked: Whether the first pass has been finished.
        entries: How many entries the first pass found; 0 before it is finished.
        rejected_written: How many rejected entries were written out last, or ``None``.
        started_at: When the first run of the import began, in seconds since the epoch.
        was_finished: Whether every entry had its outcome when it was opened.

    Raises:
        JournalError: From every method, if the disk or the file fails.
    """

    def __init__(self, path: Path | None) -> None:
        super().__init__(path)
        self._new_numbers: list[tuple[int, bytes]] = []
        self._salt = b""
        self._no_repeats = False
        self.checked = False
        self.entries = 0
        self.rejected_written: int | None = None
        self.started_at = 0.0
        self.was_finished = False

    @classmethod
    def open(
        cls,
        path: Path | None,
        *,
        fingerprint: str,
        settings: Mapping[str, str],
        resume: bool,
        start_over: bool = False,
        clock: Clock = SYSTEM_CLOCK,
    ) -> Self:
        """Open the journal in this file, and hold it until :meth:`close` or the process ends.

        One of another input is replaced if its import is finished, or has stored nothing, and any
        if that is wanted.

        Args:
            path: The file, which is created if it is missing or empty; ``None`` for a temporary
                one that vanishes with :meth:`close`.
            fingerprint: What tells this input from every other.
            settings: What must not change between the runs of one import.
            resume: Whether to resume an import that was begun before.
            start_over: Whether to replace the journal of one, whatever came of it.
            clock: Tells when it begins.

        Raises:
            JournalError: If the file is no journal, is damaged, newer than this package or in use,
                or if it belongs to an import that cannot or should not be resumed.
        """
        journal = cls(path)
        journal.started_at = clock.time()
        try:
            with explain_errors(journal.name):
                if not journal._lock_and_check():
                    journal._create(fingerprint, settings)
                    return journal
                earlier = journal._read_earlier_run()
                if not start_over and not earlier.gives_way(fingerprint, settings, resume=resume):
                    earlier.check_resumable(fingerprint, settings, resume=resume)
                    journal.was_finished = earlier.is_finished
                    journal._resume()
                    return journal
                journal._replace(fingerprint, settings)
        except BaseException:
            journal.close()
            raise
        journal.close()
        # Another import may hold the new one already, which is then in use.
        return cls.open(
            path, fingerprint=fingerprint, settings=settings, resume=resume, clock=clock
        )

    def add_number(self, entry: int, number: str) -> None:
        """Note which entry has which number, in the first pass."""
        self._new_numbers.append((entry, self._hash(number)))
        if len(self._new_numbers) >= _FLUSH_AFTER:
            self._flush_numbers()

    def finish_check(self, entries: int) -> None:
        """End the first pass; without this, the next run has to repeat all of it.

        Args:
            entries: How many entries the input has.
        """
        self._flush_numbers()
        with self._transaction() as execute:
            execute(
                "INSERT INTO repeated SELECT number, min(entry), max(entry) FROM check_.noted"
                " GROUP BY number HAVING count(*) > 1"
            )
            execute("UPDATE about SET entries = ?", (entries,))
        self._finish(entries)
        with explain_errors(self.name):
            self._execute("DETACH check_")
            # From here on the log is needed for what is sent, and for nothing before.
            self._execute("PRAGMA main.wal_checkpoint")

    def _finish(self, entries: int) -> None:
        self.checked, self.entries = True, entries
        # States are written from the first entry to the last, so that a page is soon of no use.
        # Those with the repeated numbers are in the memory of the system.
        self._rows("PRAGMA main.cache_size = -256")
        ((self._no_repeats,),) = self._rows("SELECT NOT EXISTS (SELECT 1 FROM repeated)")

    def find_repeats(self, number: str) -> tuple[int, int] | None:
        """Find the first and the last entry with this number; ``None`` if there are not two.

        To be called after the first pass.
        """
        if self._no_repeats:
            return None
        found = self._rows(
            "SELECT first, last FROM repeated WHERE number = ?", (self._hash(number),)
        )
        return found[0] if found else None

    def commit(
        self,
        intents: Iterable[int],
        outcomes: Iterable[EntryOutcome],
        withdrawn: Iterable[int] = (),
    ) -> None:
        """Put intents, then outcomes on the disk: all of them or none.

        The former state of an entry is replaced. If this raises, none of them are safe, and every
        further commit is refused.

        Args:
            intents: Entries that are about to be sent.
            outcomes: Entries that need not be sent any more, begun before or not.
            withdrawn: Entries that were begun and not sent after all.
        """
        rows: list[tuple[int | str | None, ...]] = [
            (index, STATE_NUMBERS[IN_PROGRESS], None, None, None, None) for index in intents
        ]
        rows += [
            (
                one.index,
                STATE_NUMBERS[one.outcome],
                one.line,
                one.code or None,
                one.reason.replace("\0", "") or None,
                one.contact_id or None,
            )
            for one in outcomes
        ]
        with self._transaction():
            self._execute_many("REPLACE INTO state VALUES (?, ?, ?, ?, ?, ?)", rows)
            self._execute_many(
                "DELETE FROM state WHERE entry = ?", [(index,) for index in withdrawn]
            )

    def mark_rejected_written(self, rejected: int) -> None:
        """Note that so many rejected entries were written out."""
        with self._transaction() as execute:
            execute("UPDATE about SET reported = ?", (rejected,))
        self.rejected_written = rejected

    def states(self, first: int, count: int) -> dict[int, str]:
        """The state of each entry that has one: :data:`IN_PROGRESS` or its outcome.

        Args:
            first: The first entry to look at.
            count: How many entries to look at.
        """
        rows = self._rows(
            "SELECT entry, outcome FROM state WHERE entry >= ? AND entry < ?",
            (first, first + count),
        )
        return {entry: STATES[number] for entry, number in rows}

    def counts(self) -> dict[str, int]:
        """How many entries are in which state; reads the whole journal."""
        rows = self._rows("SELECT outcome, count(*) FROM state GROUP BY outcome")
        return {STATES[number]: count for number, count in rows}

    def lines(self, outcome: str, most: int) -> tuple[int, ...]:
        """The first lines on which entries with this outcome begin, at most so many."""
        query = "SELECT DISTINCT line FROM state WHERE outcome = ? ORDER BY line LIMIT ?"
        return tuple(line for (line,) in self._rows(query, (STATE_NUMBERS[outcome], most)))

    def rejected(self) -> Iterator[EntryOutcome]:
        """Iterate over the rejected entries, and those merged into one that is, in their order.

        The latter, which are skipped, have its code and reason.
        """
        for entry, number, *rest in self._pages(_REJECTED):
            yield EntryOutcome(entry, STATES[number], *rest)

    def results(self) -> Iterator[EntryOutcome]:
        """Iterate over all entries that have an outcome, in their order.

        One that went into another one, or gave way to it, has that one's ``contact_id``, and a
        sentence as its reason.
        """
        for entry, number, line, code, reason, contact_id, other in self._pages(_RESULTS):
            if code in _INSTEAD:
                reason = _INSTEAD[code].format(f"line {other}" if other else "the line")
            yield EntryOutcome(entry, STATES[number], line, code, reason, contact_id)

    def _pages(self, query: str) -> Iterator[Any]:
        """Query page by page, so that a reader that stops or is slow holds nothing up."""
        last = -1
        while rows := self._rows(query, (last, _PAGE)):
            yield from rows
            last = rows[-1][0]

    def _create(self, fingerprint: str, settings: Mapping[str, str]) -> None:
        self._restrict_to_owner()
        self._fill(fingerprint, settings)
        self._enable_log()
        self._attach_numbers()

    def _fill(self, fingerprint: str, settings: Mapping[str, str]) -> None:
        self._salt = secrets.token_bytes(16)
        # Before there is a log, so that it is in the main file.
        with self._refuse_after_failure():
            self._execute("BEGIN")
            for statement in SCHEMA.split(";"):
                self._execute(statement)
            self._execute(
                "INSERT INTO about (fingerprint, salt, begun) VALUES (?, ?, ?)",
                (fingerprint, self._salt, self.started_at),
            )
            self._execute_many("INSERT INTO setting VALUES (?, ?)", settings.items())
            self._execute("COMMIT")

    def _read_earlier_run(self) -> EarlierRun:
        ((fingerprint, entries),) = self._execute("SELECT fingerprint, entries FROM about")
        ((ended, stored),) = self._execute(_ENDED)
        return EarlierRun(
            journal=self.name,
            fingerprint=fingerprint,
            settings=dict(self._execute("SELECT name, value FROM setting")),
            is_finished=entries is not None and ended >= entries,
            is_older=self._is_older,
            has_outcomes=bool(ended),
            may_have_stored=bool(stored),
        )

    def _resume(self) -> None:
        ((self._salt, entries, self.rejected_written, self.started_at),) = self._rows(
            "SELECT salt, entries, reported, begun FROM about"
        )
        if entries is not None:
            self._finish(entries)
        self._enable_log()
        if not self.checked:
            self._attach_numbers()

    def _replace(self, fingerprint: str, settings: Mapping[str, str]) -> None:
        """Put a new journal in the place of this one, which stays as it is until that is whole."""
        assert self._path is not None
        # A log would be taken for that of the new one.
        self._execute("PRAGMA journal_mode = DELETE")
        temporary = name_beside(self._path)
        try:
            with type(self)(temporary) as new:
                new.started_at = self.started_at
                new._lock_and_check()
                new._fill(fingerprint, settings)
            os.replace(temporary, self._path)
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise
        flush_folder(self._path.parent)

    def _attach_numbers(self) -> None:
        """Keep all numbers in a file that vanishes, as another run has no use for them."""
        self._execute("ATTACH '' AS check_")
        self._execute("CREATE TABLE check_.noted (entry INTEGER PRIMARY KEY, number BLOB NOT NULL)")

    def _flush_numbers(self) -> None:
        with self._refuse_after_failure():
            self._execute("BEGIN")
            self._execute_many("INSERT INTO check_.noted VALUES (?, ?)", self._new_numbers)
            self._execute("COMMIT")
        self._new_numbers.clear()

    def _hash(self, number: str) -> bytes:
        # A billion numbers have two hashes of 16 bytes alike with a chance below 1 in 10^20.
        return hashlib.blake2b(number.encode(), key=self._salt, digest_size=16).digest()
