"""An import from start to finish: its file is checked, journalled, sent and accounted for."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import AsyncExitStack
from functools import partial
from pathlib import Path
from types import TracebackType

from ..._event_loop import require_asyncio
from ...exceptions import ConfigurationError, JournalError
from .._account import FetchPage, StoredContacts
from .._mapping._contact_reader import ContactReader, Entry
from .._rows import CallersSource, RowsOrFile
from .._sending._options import SendOptions
from .._sending._worker_pool import WorkerPool
from .._sources._file import Reading, make_path
from .._sources._source import make_source
from ._changes import Changes, list_account
from ._check import DryRun, check, dry_run
from ._duplicates import Duplicates
from ._ending import RowFiles, make_report
from ._in_thread import run_in_thread
from ._job_source import JobSource
from ._journal import Journal, is_journal_of
from ._options import ImportOptions
from ._paths import (
    check_own_file,
    check_resume,
    check_writable,
    folder_beside,
    import_files,
    journal_path_of,
    rejected_path_of,
)
from ._preview import ImportMapping, doubt_error
from ._progress import ProgressTicker
from ._queue import JournaledQueue
from ._report import ImportProgress, ImportReport, report_nothing
from ._spool import Spool

if sys.version_info >= (3, 11):
    from typing import Self
else:
    from typing_extensions import Self


class ImportJob:
    """The import of one source, made by :meth:`~sendblue_async.SendblueClient.import_job`.

    Leave it with ``async with``: that stops an import that still runs, and waits for its end.

    Attributes:
        path: The file; ``None`` if the source is none.
        journal_path: Its journal, which :meth:`run` creates; ``None`` if nothing can be resumed,
            as a source that is no file was given no journal.
        rejected_path: Where rejected rows are written; ``None`` if they are only counted.
        files: The file, and all that the import may write.
        report: How it ended, however it ended; ``None`` before, and if no row was read.
    """

    def __init__(
        self,
        source: RowsOrFile | CallersSource,
        import_options: ImportOptions,
        send_options: SendOptions,
        *,
        workers: WorkerPool,
        fetch_page: FetchPage,
        account: Callable[[], str],
        journal: str | os.PathLike[str] | None,
        rejected: str | os.PathLike[str] | None,
        results: str | os.PathLike[str] | None,
        resume: bool,
        start_over: bool,
        progress: Callable[[ImportProgress], object] | None,
    ) -> None:
        self._source = JobSource(
            make_source(source, import_options.row_columns),
            import_options,
            stopped=lambda: workers.stopped,
            stop=workers.stop,
            tell=self._count_row,
            is_begun=lambda mark: resume and is_journal_of(self.journal_path, mark),
        )
        self.path = self._source.path
        self._named_rejected = None if rejected is None else make_path(rejected, "rejected")
        self.journal_path = journal_path_of(self.path, journal)
        self.rejected_path = rejected_path_of(self.path, rejected)
        self._results_path = None if results is None else make_path(results, "results")
        self.files = import_files(
            self.path, self.journal_path, self.rejected_path, self._results_path
        )
        named = {"journal": journal, "rejected": rejected, "results": results}
        for name, given in named.items():
            if given is not None:
                check_own_file(name, Path(given), self.files, file=self.path)
        self._is_told_to_stop = False
        if resume:
            check_resume(self._source.name, self.journal_path, start_over=start_over)
        self.report: ImportReport | None = None
        self._import_options = import_options
        self._send_options = send_options
        self._workers = workers
        self._fetch_page = fetch_page
        self._account = account
        self._resume = resume
        self._start_over = start_over
        self._ticker = ProgressTicker(progress, self._measure, stop=workers.stop)
        self._queue: JournaledQueue | None = None
        self._run_started = 0.0
        self._is_checked = False
        self._listing: StoredContacts | None = None
        self._reading = Reading()
        self._entries = 0
        self._loop: asyncio.AbstractEventLoop | None = None
        self._ended: asyncio.Future[None] | None = None

    @property
    def source_name(self) -> str:
        """The path that it imports, or words such as ``"standard input"``."""
        return self._source.name

    def stop(self) -> None:
        """Send nothing more. Contacts in flight are finished, and the journal is kept.

        It may be called at any time, and on any thread.
        """
        self._is_told_to_stop = True
        loop = self._loop  # which the end of the run takes away meanwhile
        if loop is None:
            self._workers.stop()
        else:
            loop.call_soon_threadsafe(self._workers.stop)

    def rehearse(self) -> None:
        """Keep no journal, and give the rejected rows another file, before the job runs.

        So a trial neither needs nor changes what an import of the file has left beside it.

        :meta private:
        """
        self.journal_path = None
        if self.path is not None and self._named_rejected is None:
            self.rejected_path = Path(f"{self.path}.sandbox.rejected.csv")
            self.files += (self.rejected_path,)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.stop()
        if self._ended is not None:
            await asyncio.wait([self._ended])
        self._source.close()

    async def inspect(self) -> ImportMapping:
        """Find out how the source is read, by its header and its first rows. Nothing is sent.

        The import then needs the file as it is now.

        Raises:
            ValidationError: If the source cannot be used.
            ConfigurationError: If an option cannot be used.
        """
        require_asyncio()
        if not await self._source.load():
            raise ConfigurationError("The import was stopped before its source was read.")
        return (await self._source.inspect())[1]

    @property
    def mapping(self) -> ImportMapping | None:
        """How the source is read, once :meth:`inspect` or :meth:`run` has looked at it."""
        return self._source.inspected[1] if self._source.inspected else None

    async def dry_run(self) -> DryRun | None:
        """Find out what the import would do. Nothing is sent.

        Nothing is written but the rows that would be rejected, if a file was named for them. A key
        is needed only to list the account, for ``only_changes``.

        Returns:
            What it would do; ``None`` if it was stopped before that was known.

        Raises:
            ValidationError: If the source cannot be used.
            ConfigurationError: If an option cannot be used.
            JournalError: If the rejected rows cannot be written.
            SendblueError: If the account cannot be listed.
        """
        require_asyncio()
        if self._named_rejected is not None:
            check_writable("rejected rows", self._named_rejected)
        self._run_started = self._workers.clock.monotonic()
        if not await self._source.load():
            return None
        find_out = partial(
            dry_run,
            self._source.inspect_now,
            self._import_options,
            self._send_options,
            checked=lambda entries: self._count_row(entries[-1].index + 1),
            # Not the one that is discovered while the account is listed.
            requests_per_second=self._workers.rate_limiter.rate,
            rejected=self._named_rejected,
        )
        in_thread = partial(run_in_thread, stop=self._workers.stop)
        if self._import_options.only_changes:
            # A file that cannot be used is refused before the account is listed.
            await self._source.inspect()
        async with AsyncExitStack() as stack:
            await stack.enter_async_context(self._ticker.running())
            changes = await self._find_changes(stack)
            find_out = partial(find_out, lambda: self._workers.stopped, changes=changes)
            self._reading = Reading(passes=2)
            return await in_thread(self._reading.watch, find_out)

    async def run(self) -> ImportReport:
        """Import the source, once.

        Returns:
            How it ended; with rows remaining if it was stopped.

        Raises:
            ValidationError: If the source cannot be used, or fails; nothing was sent.
            ConfigurationError: If an option cannot be used, or this job has run before.
            JournalError: If the journal cannot be used, the disk fails, or the file changes
                after contacts were sent; what was committed to the journal is safe. Its
                ``outcome`` is ``"unknown"`` once this run may have sent any.
            SendblueError: If no contact can be sent any more; the journal is kept.
        """
        require_asyncio()
        if self._ended is not None:
            raise ConfigurationError("This import has run; make another job to resume it.")
        self._run_started = self._workers.clock.monotonic()
        self._loop = asyncio.get_running_loop()
        self._ended = self._loop.create_future()
        try:
            return await self._run()
        except ConfigurationError as error:
            if self._queue is not None and self._queue.begun:
                error.outcome = "unknown"
            raise
        finally:
            self._loop = None
            self._ended.set_result(None)
            self._source.close()

    def _count_row(self, rows: int) -> None:
        self._entries = rows

    async def _run(self) -> ImportReport:
        account = self._account()
        for what, path in ("results", self._results_path), ("rejected rows", self._named_rejected):
            if path is not None:
                check_writable(what, path)
        in_thread = partial(run_in_thread, stop=self._workers.stop)
        async with self._ticker.running():
            is_loaded = await self._source.load()
        if not is_loaded:
            self.report = report_nothing(
                path=self.path,
                source=self._source.name,
                journal=self.journal_path,
                requests_per_second=self._workers.rate_limiter.rate,
                seconds=self._workers.clock.monotonic() - self._run_started,
            )
            return self.report
        reader, mapping = await self._source.inspect()
        if mapping.doubts and not self._import_options.accept_doubts:
            raise doubt_error(mapping)
        journal = Journal.open(
            self.journal_path,
            fingerprint=reader.table.fingerprint,
            settings=self._import_options.settings(reader, account),
            resume=self._resume,
            start_over=self._start_over,
            clock=self._workers.clock,
        )
        self._workers.since = journal.started_at
        async with AsyncExitStack() as stack:
            stack.enter_context(journal)
            await stack.enter_async_context(self._ticker.running())
            entries = reader.entries
            try:
                if not journal.checked:
                    spool = stack.enter_context(Spool(folder_beside(self.journal_path, self.path)))
                    await in_thread(self._check, reader, journal, spool)
                    entries = spool.entries
                self._is_checked, self._entries = journal.checked, journal.entries
                if journal.checked:
                    changes = await self._find_changes(stack)
                    await self._send(reader, entries(), journal, changes)
            except BaseException:
                self.report, _ = await self._report_in_thread(reader, journal)
                raise
            report, trouble = await self._report_in_thread(reader, journal)
            self.report = report
            if trouble is not None:
                raise trouble
        return report

    def _check(self, reader: ContactReader, journal: Journal, spool: Spool) -> None:
        def keep(entries: list[Entry]) -> None:
            spool.write(entries)
            self._count_row(entries[-1].index + 1)

        self._reading.watch(check, reader, journal, lambda: self._workers.stopped, keep)
        reader.table.check_unchanged()

    async def _find_changes(self, stack: AsyncExitStack) -> Changes | None:
        """List the account, if only changes are sent."""
        if not self._import_options.only_changes:
            return None
        self._listing = stored = stack.enter_context(StoredContacts())
        await list_account(self._fetch_page, stored, self._workers, began=self._run_started)
        self._listing = None
        return Changes(stored)

    async def _send(
        self,
        reader: ContactReader,
        entries: Iterator[Entry],
        journal: Journal,
        changes: Changes | None,
    ) -> None:
        self._queue = queue = JournaledQueue(
            entries,
            Duplicates(journal, self._import_options.on_duplicate),
            changes,
            reader.table.check_unchanged,
            journal,
            self._workers,
            on_commit=self._ticker.report,
        )
        async with queue.running():
            await self._workers.run(queue.pull, queue.on_result)
        self._ticker.report()

    def _measure(self) -> ImportProgress:
        breaker, limiter = self._workers.circuit_breaker, self._workers.rate_limiter
        now = self._workers.clock.monotonic()
        return ImportProgress(
            checked=self._is_checked,
            waiting=breaker.is_open,
            trouble=breaker.trouble,
            gives_up_in=breaker.gives_up_in,
            share_read=None if self._is_checked else self._reading.share,
            paused_for=max(0.0, limiter.next_slot_at(now) - now),
            listed=None if self._listing is None else self._listing.kept,
            entries=self._entries,
            counts=dict(+self._queue.counts) if self._queue else {},
            requests_per_second=limiter.rate,
            throttled=limiter.throttled,
            seconds=now - self._run_started,
        )

    async def _report_in_thread(
        self, reader: ContactReader, journal: Journal
    ) -> tuple[ImportReport, JournalError | None]:
        def stop() -> None:
            self._is_told_to_stop = True

        return await run_in_thread(self._make_report, reader, journal, stop=stop)

    def _make_report(
        self, reader: ContactReader, journal: Journal
    ) -> tuple[ImportReport, JournalError | None]:
        """Write the rejected rows and the results; return the report, and why that failed."""
        written = RowFiles(
            reader,
            journal,
            rejected=self.rejected_path,
            results=self._results_path,
            stopped=lambda: self._is_told_to_stop,
            can_resume=self.journal_path is not None,
        )
        written.write()
        report = make_report(
            reader,
            journal,
            written,
            source=self._source.name,
            path=self.path,
            journal_path=self.journal_path,
            limiter=self._workers.rate_limiter,
            seconds=self._workers.clock.monotonic() - self._run_started,
        )
        return report, written.trouble
