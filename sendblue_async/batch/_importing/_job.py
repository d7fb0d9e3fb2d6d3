"""An import from start to finish: the file is checked, journalled, sent and accounted for."""

from __future__ import annotations

import asyncio
import os
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterable, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager, suppress
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any, TypeVar

from ..._event_loop import require_asyncio
from ..._rate_limits import AdaptiveRateLimiter
from ..._threads import run_on_daemon
from ...exceptions import ConfigurationError, JournalError, ValidationError
from .._mapping._contact_reader import ContactReader, Entry
from .._results import ContactResult, EntryOutcome
from .._sending._worker_pool import Job, WorkerPool
from ._check import check
from ._duplicates import Duplicates
from ._files import journal_path_of, rejected_path_of
from ._job_batcher import JobBatcher
from ._journal import Journal
from ._journal_schema import IN_PROGRESS
from ._options import ImportOptions
from ._reasons import describe_error
from ._rejected import write_rejected
from ._report import ImportProgress, ImportReport
from ._spool import Spool

T = TypeVar("T")

# Seconds between two calls of a caller who wants to know how far it is, at the most.
_SHOWN_AFTER = 1.0
_LOOKED_UP_AT_ONCE = 1_000
# Rows that are not sent, one after another, until those that have ended are committed and other
# tasks of the event loop have their turn.
_PASSED_AT_MOST = 250
# One commit for this share of the workers: that is cheap, and leaves the others enough to do.
_SHARE = 0.75
# Seconds that a commit may have taken for the next one to be made where the calls are: less than
# it costs to hand it to another thread, which waits for the interpreter each time. How quick the
# disk is cannot be told there, so that after so many the next is made where the calls are again.
_QUICK = 0.002
_ON_THREAD = 8
# Of rows whose outcome is one of these the report tells the lines, but not of more than so many.
_LISTED = ("existing", "unknown")
_LINES = 1_000


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
        workers: WorkerPool,
        *,
        account: str,
        resume: bool,
        progress: Callable[[ImportProgress], object] | None,
    ) -> None:
        self._path = Path(path)
        self._journal_path = journal_path_of(self._path)
        self._rejected_path = rejected_path_of(self._path)
        self._options = options
        self._account = account
        self._resume = resume
        self._progress = progress
        self._workers = workers
        self._started = workers.clock.monotonic()
        self._counts: Counter[str] = Counter()
        self._ended: list[EntryOutcome] = []
        self._withdrawn: list[int] = []
        self._checked = False
        self._entries = 0
        self._begun = 0
        self._on_thread = 0
        self.report: ImportReport | None = None
        """What it has come to, once it has ended, however it ended."""

    def stop(self) -> None:
        """Send nothing more; what is under way is finished, and the journal kept."""
        self._workers.stop()

    async def run(self) -> ImportReport:
        """Import the file.

        Raises:
            ValidationError: If the file or an option cannot be used; nothing was sent.
            JournalError: If the journal cannot be used, the disk fails, or the file changes
                after contacts were sent; what was committed to the journal is safe. Its
                ``outcome`` is ``"unknown"`` once this run may have sent any.
            SendblueError: If no contact can be sent any more; the journal is kept.
        """
        require_asyncio()
        try:
            return await self._run()
        except ConfigurationError as error:
            if self._begun:
                error.outcome = "unknown"
            raise

    async def _run(self) -> ImportReport:
        reader = await self._in_thread(self._options.read, self._path)
        settings = self._options.settings(reader, self._account)
        journal = Journal.open(
            self._journal_path,
            fingerprint=reader.table.fingerprint,
            settings=settings,
            resume=self._resume,
            clock=self._workers.clock,
        )
        self._workers.since = journal.started_at
        async with AsyncExitStack() as stack:
            stack.enter_context(journal)
            await stack.enter_async_context(self._showing())
            entries = reader.entries
            try:
                if not journal.checked:
                    spool = stack.enter_context(Spool(self._path.parent))
                    await self._in_thread(self._check, reader, journal, spool)
                    entries = spool.entries
                self._checked, self._entries = journal.checked, journal.entries
                if journal.checked:
                    await self._send(reader, entries(), journal)
            except BaseException:
                self.report, _ = await self._in_thread(self._reported, reader, journal)
                raise
            report, trouble = await self._in_thread(self._reported, reader, journal)
            self.report = report
            if trouble is not None:
                raise trouble
        return report

    def _check(self, reader: ContactReader, journal: Journal, spool: Spool) -> None:
        def keep(entries: list[Entry]) -> None:
            spool.write(entries)
            self._entries = entries[-1].index + 1

        check(reader, journal, lambda: self._workers.stopped, keep)
        reader.table.check_unchanged()

    async def _send(
        self, reader: ContactReader, entries: Iterator[Entry], journal: Journal
    ) -> None:
        self._counts.update(journal.counts())
        del self._counts[IN_PROGRESS]
        begin = partial(self._begin, reader, self._pending(entries, journal), journal)
        batcher = JobBatcher(begin, enough=int(self._workers.concurrency * _SHARE) or 1)
        try:
            async with batcher.running():
                await self._workers.run(batcher.pull, self._result)
        except JournalError:
            raise
        except BaseException:
            self._commit_last(journal, batcher.ready)
            raise
        self._commit_last(journal, batcher.ready)
        self._show()

    async def _begin(
        self,
        reader: ContactReader,
        pending: Iterator[Job[Entry] | None],
        journal: Journal,
        count: int,
    ) -> list[Job[Entry]]:
        """The next jobs for so many workers, once their intent is on the disk.

        Begun in one commit are as many as workers are idle, so that never more are open than can
        be under way.
        """
        if self._workers.stopped:
            raise StopAsyncIteration
        begun: list[Job[Entry]] = []
        with self._file_as_it_was():
            for job in islice(pending, count):
                if job is None:
                    await asyncio.sleep(0)
                    break
                begun.append(job)
            else:
                if not begun:
                    raise StopAsyncIteration
            reader.table.check_unchanged()
        self._begun += len(begun)
        try:
            await self._commit(journal, [job.row.index for job in begun])
            self._show()
        except BaseException:
            self._withdraw(begun)
            raise
        return begun

    @contextmanager
    def _file_as_it_was(self) -> Iterator[None]:
        """Say of a file that fails or changes after contacts were sent that they were sent."""
        try:
            yield
        except ValidationError as error:
            if not self._begun:
                raise
            raise JournalError(
                f"{error} What was sent before is in the journal {self._journal_path}."
            ) from error

    async def _commit(self, journal: Journal, begun: list[int]) -> None:
        """Put on the disk what is begun and what has ended; a slow disk seldom holds up others."""
        ended = self._taken()
        if self._on_thread:
            self._on_thread -= 1
            await self._in_thread(journal.commit, begun, ended)
            return
        started = self._workers.clock.monotonic()
        journal.commit(begun, ended)
        if self._workers.clock.monotonic() - started > _QUICK:
            self._on_thread = _ON_THREAD

    def _withdraw(self, jobs: Iterable[Job[Entry]]) -> None:
        """Note that these were not begun, as nobody sends them, unless an earlier run did."""
        jobs = [*jobs]
        self._begun -= len(jobs)
        self._withdrawn += [job.row.index for job in jobs if not job.maybe_applied]

    def _commit_last(self, journal: Journal, unsent: Iterable[Job[Entry]]) -> None:
        self._withdraw(unsent)
        journal.commit([], self._taken(), self._withdrawn)

    def _pending(self, entries: Iterator[Entry], journal: Journal) -> Iterator[Job[Entry] | None]:
        """The entries that are to be sent; those that are not are noted as ended.

        ``None`` stands between them where many are passed over one after another.
        """
        duplicates = Duplicates(journal, self._options.on_duplicate)
        states: dict[int, str] = {}
        passed = 0
        for entry in entries:
            if entry.index % _LOOKED_UP_AT_ONCE == 0:
                states = journal.states(entry.index, _LOOKED_UP_AT_ONCE)
            state = states.get(entry.index)
            if passed == _PASSED_AT_MOST:
                passed = 0
                yield None
            passed += 1
            if entry.problem is not None:
                if state is None:
                    self._end(entry, "rejected", entry.problem.code, entry.problem.reason)
                continue
            assert entry.contact is not None
            contact = duplicates.resolve(entry, entry.contact)
            if state not in (None, IN_PROGRESS, "unknown"):
                continue
            if contact is None:
                self._end(entry, "skipped", *duplicates.explain_skip(entry.contact))
            else:
                self._counts["unknown"] -= state == "unknown"
                passed = 0
                yield Job(entry, contact, maybe_applied=state is not None)

    async def _result(self, result: ContactResult[Entry]) -> None:
        """Note what became of an entry that was sent."""
        if result.outcome == "skipped":
            self._begun -= 1
            self._withdrawn.append(result.row.index)
            return
        error = result.error
        if error is None:
            self._end(result.row, result.outcome)
        else:
            assert result.contact is not None
            code = f"http_{error.status}" if error.status else "no_answer"
            self._end(result.row, result.outcome, code, describe_error(error, result.contact))

    def _end(self, entry: Entry, outcome: str, code: str = "", reason: str = "") -> None:
        self._counts[outcome] += 1
        self._ended.append(EntryOutcome(entry.index, outcome, entry.line, code, reason))

    def _taken(self) -> list[EntryOutcome]:
        ended, self._ended = self._ended, []
        return ended

    @asynccontextmanager
    async def _showing(self) -> AsyncIterator[None]:
        """Meanwhile, tell how far it is even while nothing goes on."""

        async def show() -> None:
            while True:
                await asyncio.sleep(_SHOWN_AFTER)
                self._show()

        task = asyncio.create_task(show())
        try:
            yield
        finally:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task

    def _show(self) -> None:
        if self._progress is None:
            return
        self._progress(
            ImportProgress(
                checked=self._checked,
                waiting=self._workers.circuit_breaker.is_open,
                trouble=self._workers.circuit_breaker.trouble,
                gives_up_in=self._workers.circuit_breaker.gives_up_in,
                entries=self._entries,
                counts=dict(+self._counts),
                requests_per_second=self._workers.rate_limiter.rate,
                throttled=self._workers.rate_limiter.throttled,
                seconds=self._workers.clock.monotonic() - self._started,
            )
        )

    async def _in_thread(self, function: Callable[..., T], *args: Any) -> T:
        """What the function returns; if cancelled, not before it has ended.

        The journal is for one thread at a time, and the check ends when it is told to stop.
        """
        work = run_on_daemon(partial(function, *args), "sendblue-async-import")
        started = asyncio.wrap_future(work)
        try:
            return await asyncio.shield(started)
        except asyncio.CancelledError:
            self.stop()
            while not started.done():
                with suppress(asyncio.CancelledError):
                    await asyncio.wait([started])
            raise

    def _with_rejected(self, reader: ContactReader, journal: Journal, count: int) -> Path | None:
        """The file of the rejected rows, if there are any."""
        if not count:
            return None
        path = self._rejected_path
        # What may have been mended since is not written over, unless there is more to mend.
        if count != journal.rejected_written or not path.exists():
            reader.table.check_unchanged()
            write_rejected(path, reader.table, journal.rejected())
            journal.mark_rejected_written(count)
        return path

    def _reported(
        self, reader: ContactReader, journal: Journal
    ) -> tuple[ImportReport, JournalError | None]:
        """What it has come to, and why the rejected rows are not where they should be."""
        trouble = None
        counts = journal.counts()
        counts.pop(IN_PROGRESS, None)
        codes = Counter(ended.code for ended in journal.rejected() if ended.outcome == "rejected")
        rejected_path = None
        try:
            rejected_path = self._with_rejected(reader, journal, codes.total())
        except (OSError, ValidationError) as error:
            trouble = JournalError(
                f"The rejected rows could not be written into {self._rejected_path} ({error}). "
                "All else is done; resume to have them written."
            )
            trouble.__cause__ = error
        remaining = journal.entries - sum(counts.values())
        limiter = self._workers.rate_limiter
        report = ImportReport(
            path=self._path,
            finished=journal.checked and remaining == 0,
            entries=journal.entries,
            **counts,
            remaining=remaining,
            codes=dict(codes),
            lines={name: journal.lines(name, _LINES) for name in _LISTED},
            unit=reader.table.unit,
            requests_per_second=limiter.rate,
            limit=limiter.limit if isinstance(limiter, AdaptiveRateLimiter) else None,
            throttled=limiter.throttled,
            seconds=self._workers.clock.monotonic() - self._started,
            encoding=reader.table.encoding,
            delimiter=reader.table.delimiter,
            sheet=reader.table.sheet,
            other_sheets=reader.table.other_sheets,
            hidden_rows=reader.table.hidden_rows,
            unused_columns=reader.columns.unused,
            journal=self._journal_path,
            rejected_path=rejected_path,
        )
        return report, trouble
