"""An import from start to finish: the file is checked, journalled, sent and accounted for."""

from __future__ import annotations

import json
import os
from collections import Counter, deque
from collections.abc import AsyncGenerator, Callable, Iterator, Mapping
from contextlib import aclosing
from functools import partial
from pathlib import Path
from typing import Any, Literal

import anyio.from_thread
import anyio.to_thread
from attrs import frozen

from .._log import shortened
from .._pace import AdaptivePace
from ..exceptions import JournalError, SendblueError, ValidationError
from ..models import ContactCreate
from ._columns import find_columns
from ._entries import Entry, Reading, merged
from ._journal import OPEN, Ended, Journal
from ._numbers import checked_region
from ._rejected import write_rejected
from ._report import ImportProgress, ImportReport
from ._results import ContactResult
from ._table import read_table
from ._workers import Job, Workers

OnDuplicate = Literal["merge", "last"]

_LOOKED_UP_AT_ONCE = 1_000
# Rows that are not sent wait for a commit with others, but not for ever.
_ENDED_AT_MOST = 1_000


@frozen(kw_only=True)
class ImportOptions:
    """What an import is told about its file; a resumed one must be told the same.

    Attributes:
        update_if_exists: Whether contacts that exist are updated, or left alone.
        region: The region of numbers without ``+``, such as ``"US"``.
        columns: Column names and the fields that they are, where their names do not say it.
        on_duplicate: Whether rows of one number are merged into one contact, or the last one
            wins.
        all_numbers: Whether each usable number of a row becomes a contact.
        encoding: The file's encoding, if it is not to be detected.
        delimiter: What stands between its cells, if it is not to be detected.
    """

    update_if_exists: bool = False
    region: str | None = None
    columns: Mapping[str, str] | None = None
    on_duplicate: OnDuplicate = "merge"
    all_numbers: bool = False
    encoding: str | None = None
    delimiter: str | None = None

    def read(self, path: Path) -> Reading:
        """How the file is read.

        Raises:
            ValidationError: If it, or an option, cannot be used.
        """
        if self.on_duplicate not in ("merge", "last"):
            raise ValidationError(
                f"on_duplicate must be 'merge' or 'last', not {self.on_duplicate!r}.",
                field="on_duplicate",
            )
        region = checked_region(self.region)
        table = read_table(path, encoding=self.encoding, delimiter=self.delimiter)
        return Reading(
            table=table,
            columns=find_columns(table.columns, self.columns or {}),
            region=region,
            all_numbers=self.all_numbers,
            update_if_exists=self.update_if_exists,
        )

    def settings(self, reading: Reading, account: str) -> dict[str, str]:
        """What the journal holds a resumed import to."""
        return {
            "account": account,
            "update_if_exists": str(self.update_if_exists),
            "region": str(reading.region),
            "columns": json.dumps(self.columns or {}, sort_keys=True),
            "on_duplicate": self.on_duplicate,
            "all_numbers": str(self.all_numbers),
            "encoding": reading.table.encoding,
            "delimiter": str(reading.table.delimiter),
        }


class Duplicates:
    """Makes one contact of all entries that have the same number.

    Args:
        journal: Knows which numbers there are twice, once the file is checked.
        on_duplicate: Whether they are merged, or the last one wins.
    """

    def __init__(self, journal: Journal, on_duplicate: OnDuplicate) -> None:
        self._journal = journal
        self._merges = on_duplicate == "merge"
        self._merged: dict[str, ContactCreate] = {}

    def contact(self, entry: Entry, contact: ContactCreate) -> ContactCreate | None:
        """What is sent for the entry, or ``None`` if a later one has its number."""
        places = self._journal.repeats(contact.number)
        if places is None or not self._merges:
            return contact if places is None or entry.place == places[1] else None
        earlier = self._merged.pop(contact.number, None)
        contact = contact if earlier is None else merged(earlier, contact)
        if entry.place == places[1]:
            return contact
        self._merged[contact.number] = contact
        return None


class ContactImport:
    """The import of one file.

    Args:
        path: The file.
        options: What is known about it.
        workers: Send what is to be sent.
        account: Stands for the account and the server, which a resumed import has to share.
        resume: Whether an import that was begun is gone on with.
        progress: Told how far the import is, now and then.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        options: ImportOptions,
        workers: Workers,
        *,
        account: str,
        resume: bool,
        progress: Callable[[ImportProgress], object] | None,
    ) -> None:
        self._path = Path(path)
        self._journal_path = self._path.with_name(f"{self._path.name}.journal")
        self._rejected_path = self._path.with_name(f"{self._path.name}.rejected.csv")
        self._options = options
        self._account = account
        self._resume = resume
        self._progress = progress
        self._workers = workers
        workers.tell = self._result
        self._started = workers.clock()
        self._counts: Counter[str] = Counter()
        self._ended: list[Ended] = []
        self._under_way = 0
        self.report: ImportReport | None = None
        """What it has come to, once it has ended, however it ended."""

    def stop(self) -> None:
        """Send nothing more; what is under way is finished, and the journal kept."""
        self._workers.stop()

    async def run(self) -> ImportReport:
        """Import the file.

        Raises:
            ValidationError: If the file or an option cannot be used; nothing was sent.
            JournalError: If the journal cannot be used, or the disk fails; what was committed
                to it is safe.
            SendblueError: If no contact can be sent any more; the journal is kept.
        """
        reading = await _in_thread(self._options.read, self._path)
        settings = self._options.settings(reading, self._account)
        journal = Journal.open(
            self._journal_path,
            fingerprint=reading.table.fingerprint,
            settings=settings,
            resume=self._resume,
        )
        with journal:
            if not journal.checked:
                await _in_thread(check, reading, journal, lambda: self._workers.stopped)
            try:
                if journal.checked:
                    await self._send(reading, journal)
            finally:
                report: ImportReport = await _in_thread(self._reported, reading, journal)
                self.report = report
        return report

    async def _send(self, reading: Reading, journal: Journal) -> None:
        self._counts.update(journal.counts())
        del self._counts[OPEN]
        async with aclosing(self._jobs(reading, journal)) as jobs:
            try:
                async for _ in self._workers.results(jobs, lambda job: job):
                    pass
            except JournalError:
                raise
            except BaseException:
                journal.commit([], self._taken())
                raise
        journal.commit([], self._taken())
        self._show(journal)

    async def _jobs(self, reading: Reading, journal: Journal) -> AsyncGenerator[Job[Entry], None]:
        """What is to be sent, each when its intent is on the disk.

        As many are begun in one commit as workers are idle, so that never more are open than
        can be under way.
        """
        waiting: deque[Job[Entry]] = deque()
        pending = self._pending(reading, journal)
        at_end = False
        while not at_end:
            while len(waiting) < self._workers.concurrency - self._under_way:
                try:
                    job = next(pending)
                except StopIteration:
                    at_end = True
                    break
                if job is None:
                    break
                waiting.append(job)
            self._under_way += len(waiting)
            await _in_thread(journal.commit, [job.row.place for job in waiting], self._taken())
            self._show(journal)
            while waiting:
                yield waiting.popleft()

    def _pending(self, reading: Reading, journal: Journal) -> Iterator[Job[Entry] | None]:
        """The entries that are to be sent; those that are not are noted as ended.

        ``None`` stands between them where so many have ended that they should be committed.
        """
        duplicates = Duplicates(journal, self._options.on_duplicate)
        states: dict[int, str] = {}
        for entry in reading.entries():
            if entry.place % _LOOKED_UP_AT_ONCE == 0:
                states = journal.states(entry.place, _LOOKED_UP_AT_ONCE)
            state = states.get(entry.place)
            if len(self._ended) >= _ENDED_AT_MOST:
                yield None
            if entry.problem is not None:
                if state is None:
                    self._end(entry, "rejected", entry.problem.code, entry.problem.reason)
                continue
            assert entry.contact is not None
            contact = duplicates.contact(entry, entry.contact)
            if state not in (None, OPEN, "unknown"):
                continue
            if contact is None:
                self._end(entry, "skipped", "duplicate", "A later row has the same number.")
            else:
                self._counts["unknown"] -= state == "unknown"
                yield Job(entry, contact, doubtful=state is not None)

    def _result(self, result: ContactResult[Entry]) -> None:
        """Note what became of an entry that was sent."""
        self._under_way -= 1
        if result.outcome == "skipped":
            return
        error = result.error
        if error is None:
            self._end(result.row, result.outcome)
        else:
            assert result.contact is not None
            code = f"http_{error.status}" if error.status else "no_answer"
            self._end(result.row, result.outcome, code, reason_of(error, result.contact))

    def _end(self, entry: Entry, outcome: str, code: str = "", reason: str = "") -> None:
        self._counts[outcome] += 1
        self._ended.append(Ended(entry.place, outcome, entry.line, code, reason))

    def _taken(self) -> list[Ended]:
        ended, self._ended = self._ended, []
        return ended

    def _rate(self) -> tuple[float | None, float | None, int]:
        """Requests per second now, at the last refusal, and how many were refused."""
        pace = self._workers.pace
        if isinstance(pace, AdaptivePace):
            return pace.rate, pace.limit, pace.refusals
        return None, None, 0

    def _show(self, journal: Journal) -> None:
        if self._progress is None:
            return
        rate, _, refused = self._rate()
        self._progress(
            ImportProgress(
                entries=journal.entries,
                counts=dict(+self._counts),
                requests_per_second=rate,
                refused=refused,
                seconds=self._workers.clock() - self._started,
            )
        )

    def _reported(self, reading: Reading, journal: Journal) -> ImportReport:
        counts = journal.counts()
        counts.pop(OPEN, None)
        rejected = partial(filter, lambda ended: ended.outcome == "rejected")
        codes = Counter(ended.code for ended in rejected(journal.not_stored()))
        has_rejected = write_rejected(
            self._rejected_path, reading.table, iter(rejected(journal.not_stored()))
        )
        remaining = journal.entries - sum(counts.values())
        rate, limit, refused = self._rate()
        return ImportReport(
            path=self._path,
            finished=journal.checked and remaining == 0,
            entries=journal.entries,
            **counts,
            remaining=remaining,
            codes=dict(codes),
            requests_per_second=rate,
            limit=limit,
            refused=refused,
            seconds=self._workers.clock() - self._started,
            encoding=reading.table.encoding,
            delimiter=reading.table.delimiter,
            unused_columns=reading.columns.unused,
            journal=self._journal_path,
            rejected_path=self._rejected_path if has_rejected else None,
        )


def check(reading: Reading, journal: Journal, stopped: Callable[[], bool]) -> None:
    """Read the file once before anything is sent, and note which number stands where."""
    entries = 0
    for entry in reading.entries():
        if entry.contact is not None:
            journal.note(entry.place, entry.contact.number)
        entries = entry.place + 1
        if entries % _LOOKED_UP_AT_ONCE == 0:
            anyio.from_thread.check_cancelled()
            if stopped():
                return
    journal.finish_check(entries)


def reason_of(error: SendblueError, contact: ContactCreate) -> str:
    """Why a contact was not stored, in words that show nothing of it."""
    words = shortened(str(error))
    values = json.dumps(contact.to_dict(), ensure_ascii=False).casefold()
    fields = [word for word in values.replace('"', " ").split() if len(word) > 2]
    told = words.partition(": ")[2].casefold()
    if any(field in told for field in fields):
        return f"The server answered with {error.status}."
    return words


async def _in_thread(function: Callable[..., Any], *args: Any) -> Any:
    return await anyio.to_thread.run_sync(function, *args)
