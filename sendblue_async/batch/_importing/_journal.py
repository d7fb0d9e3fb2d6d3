"""What an import has begun and what became of it, in a file that outlives the process.

The file is a SQLite database in WAL mode. It holds no name and no number: of each number that
comes more than once there is a hash, whose key is in the same file. That keeps numbers from being
read, not from being tried out one after the other, so the file is for its owner's eyes alone.
"""

from __future__ import annotations

import hashlib
import json
import secrets
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from ..._clock import SYSTEM_CLOCK, Clock
from ...exceptions import JournalError
from .._results import EntryOutcome
from ._journal_errors import explained
from ._journal_file import JournalFile
from ._journal_schema import IN_PROGRESS, MERGED, NAMES, NUMBERS, SCHEMA

if TYPE_CHECKING:
    from typing_extensions import Self

# One statement for all rows of a commit, which is a transaction by itself.
_PUT = f"""
    REPLACE INTO state
    SELECT {", ".join(f"json_extract(value, '$[{place}]')" for place in range(5))} FROM json_each(?)
"""
# The same, at half the price, where of no row anything but its state is asked for later: that is
# in the last three bits of a number, and the entry in the others.
_PUT_STATES = """
    REPLACE INTO state (entry, outcome) SELECT value >> 3, value & 7 FROM json_each(?)
"""
_UNTOLD = ("created", "stored")
_REJECTED = f"""
    SELECT one.entry, one.outcome, one.line, coalesce(whole.code, ''), coalesce(whole.reason, '')
    FROM state AS one JOIN state AS whole
        ON whole.entry = CASE one.code WHEN '{MERGED}' THEN CAST(one.reason AS INTEGER)
        ELSE one.entry END
    WHERE one.entry > ? AND whole.outcome = {NUMBERS["rejected"]}
    ORDER BY one.entry LIMIT ?
"""
_NOTES_AT_ONCE = 5_000
_ROWS_AT_ONCE = 1_000

_RESUME = "(--resume, or resume=True in Python)"


class Journal(JournalFile):
    """The journal of one import; made by :meth:`open`.

    All methods block, and only one may run at a time, on whatever thread.

    Attributes:
        checked: Whether the first pass has been finished.
        entries: How many entries the first pass found; 0 before it is finished.
        reported: How many entries had been rejected when those were last written out.
        begun: When its first run began, in seconds since the epoch.

    Raises:
        JournalError: From every method, if the disk or the file fails.
    """

    def __init__(self, path: Path | None) -> None:
        super().__init__(path)
        self._notes: list[tuple[int, bytes]] = []
        self._salt = b""
        self._no_repeats = False
        self.checked = False
        self.entries = 0
        self.reported: int | None = None
        self.begun = 0.0

    @classmethod
    def open(
        cls,
        path: Path | None,
        *,
        fingerprint: str,
        settings: Mapping[str, str],
        resume: bool,
        clock: Clock = SYSTEM_CLOCK,
    ) -> Self:
        """The journal in this file, held until :meth:`close` and at most as long as the process.

        Args:
            path: The file, which is made if it is not there or has nothing in it; ``None`` for a
                temporary one that vanishes with :meth:`close`.
            fingerprint: What tells this input from every other.
            settings: What must not change between the runs of one import.
            resume: Whether to go on with an import that was begun before.
            clock: Tells when it begins.

        Raises:
            JournalError: If the file is no journal, is damaged, newer than this package or in use,
                or if it is of an import that cannot or should not be gone on with.
        """
        journal = cls(path)
        journal.begun = clock.time()
        try:
            with explained(journal._name):
                if journal._take():
                    journal._resume(fingerprint, settings, resume=resume)
                else:
                    journal._begin(fingerprint, settings)
        except BaseException:
            journal.close()
            raise
        return journal

    def note(self, entry: int, number: str) -> None:
        """Remember which entry has which number, in the first pass."""
        self._notes.append((entry, self._hash(number)))
        if len(self._notes) >= _NOTES_AT_ONCE:
            self._write_notes()

    def finish_check(self, entries: int) -> None:
        """End the first pass; without this, the next run has to repeat all of it.

        Args:
            entries: How many entries the input has.
        """
        self._write_notes()
        with self._transaction() as execute:
            execute(
                "INSERT INTO repeated SELECT number, min(entry), max(entry) FROM check_.noted"
                " GROUP BY number HAVING count(*) > 1"
            )
            execute("UPDATE about SET entries = ?", (entries,))
        self._finish(entries)
        with explained(self._name):
            self._execute("DETACH check_")
            # From here on the log is needed for what is sent, and for nothing before.
            self._execute("PRAGMA main.wal_checkpoint")

    def _finish(self, entries: int) -> None:
        self.checked, self.entries = True, entries
        # States are written from the first entry to the last, so that a page is soon of no use.
        # Those with the repeated numbers are in the memory of the system.
        self._rows("PRAGMA main.cache_size = -256")
        ((self._no_repeats,),) = self._rows("SELECT NOT EXISTS (SELECT 1 FROM repeated)")

    def repeats(self, number: str) -> tuple[int, int] | None:
        """The first and the last entry with this number, or ``None`` if there are not two.

        Known after the first pass.
        """
        if self._no_repeats:
            return None
        found = self._rows(
            "SELECT first, last FROM repeated WHERE number = ?", (self._hash(number),)
        )
        return found[0] if found else None

    def commit(
        self, begun: Iterable[int], ended: Iterable[EntryOutcome], withdrawn: Iterable[int] = ()
    ) -> None:
        """Put intents, then outcomes on the disk: all of them or none.

        What an entry was before is replaced. If this raises, none are to be counted upon, and
        every further commit is refused.

        Args:
            begun: Entries that are about to be sent.
            ended: Entries that need not be sent any more, begun before or not.
            withdrawn: Entries that were begun and not sent after all.
        """
        statement, rows = _put([*begun], [*ended])
        undone = [(entry,) for entry in withdrawn]
        with self._transaction() as execute:
            execute(statement, (rows,))
            if undone:
                self._execute_many("DELETE FROM state WHERE entry = ?", undone)

    def finish_report(self, rejected: int) -> None:
        """Note that the rejected entries have been written out, and how many they were."""
        with self._transaction() as execute:
            execute("UPDATE about SET reported = ?", (rejected,))
        self.reported = rejected

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
        return {entry: NAMES[number] for entry, number in rows}

    def counts(self) -> dict[str, int]:
        """How many entries are in which state; reads the whole journal."""
        rows = self._rows("SELECT outcome, count(*) FROM state GROUP BY outcome")
        return {NAMES[number]: count for number, count in rows}

    def lines(self, outcome: str, most: int) -> tuple[int, ...]:
        """The first lines on which entries with this outcome begin, so many at most."""
        query = "SELECT DISTINCT line FROM state WHERE outcome = ? ORDER BY line LIMIT ?"
        return tuple(line for (line,) in self._rows(query, (NUMBERS[outcome], most)))

    def rejected(self) -> Iterator[EntryOutcome]:
        """The entries that are rejected, and those merged into one that is, in their order.

        The latter, which are skipped, have its code and reason.
        """
        last = -1
        # In portions, so that a reader who stops or is slow holds nothing up.
        while rows := self._rows(_REJECTED, (last, _ROWS_AT_ONCE)):
            for entry, number, *rest in rows:
                yield EntryOutcome(entry, NAMES[number], *rest)
            last = rows[-1][0]

    def _begin(self, fingerprint: str, settings: Mapping[str, str]) -> None:
        self._own()
        self._salt = secrets.token_bytes(16)
        # Before there is a log, so that it is in the main file.
        with self._only_while_whole():
            self._execute("BEGIN")
            for statement in SCHEMA.split(";"):
                self._execute(statement)
            self._execute(
                "INSERT INTO about (fingerprint, salt, begun) VALUES (?, ?, ?)",
                (fingerprint, self._salt, self.begun),
            )
            self._execute_many("INSERT INTO setting VALUES (?, ?)", settings.items())
            self._execute("COMMIT")
        self._start_log()
        self._await_notes()

    def _resume(self, fingerprint: str, settings: Mapping[str, str], *, resume: bool) -> None:
        ((known, self._salt, entries, self.reported, self.begun),) = self._rows(
            "SELECT fingerprint, salt, entries, reported, begun FROM about"
        )
        if entries is not None:
            self._finish(entries)
        if not resume:
            raise JournalError(self._begun_before())
        if known != fingerprint:
            raise JournalError(
                f"The input has changed since the import with the journal {self._name} was begun. "
                "Resume with the input as it was, or delete the journal to start anew."
            )
        then = dict(self._rows("SELECT name, value FROM setting"))
        changes = [
            f"{name} was {_shown(then.get(name))} and is {_shown(settings.get(name))} now"
            for name in sorted({*then, *settings})
            if then.get(name) != settings.get(name)
        ]
        if changes:
            raise JournalError(
                f"The import with the journal {self._name} was begun with other settings: "
                f"{', '.join(changes)}. Resume with those, or delete the journal to start anew."
            )
        self._start_log()
        if not self.checked:
            self._await_notes()

    def _begun_before(self) -> str:
        (ended,) = self._rows(
            "SELECT count(*) FROM state WHERE outcome != ?", (NUMBERS[IN_PROGRESS],)
        )[0]
        if self.checked and ended >= self.entries:
            return (
                f"This import is finished, according to its journal {self._name}. Resume {_RESUME} "
                "to see how it ended, or delete the journal to start anew, which sends every "
                "contact again."
            )
        return (
            f"This import was begun before, and its journal is {self._name}. Resume {_RESUME} to "
            "go on with it, or delete the journal to start anew."
        )

    def _await_notes(self) -> None:
        """Notes are of no use to another run, so they are in a file that vanishes."""
        self._execute("ATTACH '' AS check_")
        self._execute("CREATE TABLE check_.noted (entry INTEGER PRIMARY KEY, number BLOB NOT NULL)")

    def _write_notes(self) -> None:
        with self._only_while_whole():
            self._execute("BEGIN")
            self._execute_many("INSERT INTO check_.noted VALUES (?, ?)", self._notes)
            self._execute("COMMIT")
        self._notes.clear()

    def _hash(self, number: str) -> bytes:
        # A billion numbers have two hashes of 16 bytes alike with a chance below 1 in 10^20.
        return hashlib.blake2b(number.encode(), key=self._salt, digest_size=16).digest()


def _put(begun: list[int], ended: list[EntryOutcome]) -> tuple[str, str]:
    """The statement that writes intents, then outcomes, and the rows for it."""
    if all(one.outcome in _UNTOLD for one in ended):
        states = [entry << 3 | NUMBERS[IN_PROGRESS] for entry in begun]
        states += [one.entry << 3 | NUMBERS[one.outcome] for one in ended]
        return _PUT_STATES, json.dumps(states)
    rows: list[tuple[int | str | None, ...]] = [(entry, NUMBERS[IN_PROGRESS]) for entry in begun]
    # SQLite would take a NUL in JSON for the end of the text.
    rows += [
        (
            one.entry,
            NUMBERS[one.outcome],
            one.line,
            one.code or None,
            one.reason.replace("\0", "") or None,
        )
        for one in ended
    ]
    return _PUT, json.dumps(rows)


def _shown(value: str | None) -> str:
    return "not given" if value is None else repr(value)
