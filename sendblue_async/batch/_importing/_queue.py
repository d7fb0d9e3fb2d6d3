"""The queue between a file and the workers, with a journal that knows what they were given."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterable, Iterator
from contextlib import asynccontextmanager, contextmanager
from itertools import islice

from ...exceptions import JournalError, ValidationError
from .._mapping._contact_reader import Entry
from .._results import ContactResult, EntryOutcome
from .._sending._worker_pool import WorkerPool, WorkItem
from ._changes import Changes
from ._duplicates import Duplicates
from ._in_thread import run_in_thread
from ._journal import Journal
from ._journal_schema import IN_PROGRESS
from ._reasons import describe_error
from ._work_batcher import WorkBatcher

_STATES_AT_ONCE = 1_000
# Rows that are not sent, one after another, until those that have ended are committed and other
# tasks of the event loop have their turn.
_MAX_SKIPPED = 250
# Seconds that a commit may have taken for the next one to be made on the event loop. Another thread
# waits for the interpreter each time: with all commits on one, a row costs 20 % more of the
# processor, where 32 contacts are in flight and answers take 30 to 90 ms (``benchmarks.imports
# --server late``). How quick the disk is cannot be told there, so that after so many commits the
# next is made on the event loop again.
_QUICK = 0.002
_ON_THREAD = 8


class JournaledQueue:
    """Gives workers their items once the intents are on the disk, and commits the outcomes.

    Args:
        entries: All entries of the file.
        duplicates: Knows which of them have the same number.
        changes: Knows what would change in the account, or ``None`` to send every contact.
        check_unchanged: Raises if the file is no longer what it was.
        journal: The journal, whose first pass is finished.
        workers: The workers.
        on_commit: Called after each commit.

    Attributes:
        counts: How many entries have which outcome.
        begun: How many were given to workers in this run.
    """

    def __init__(
        self,
        entries: Iterator[Entry],
        duplicates: Duplicates,
        changes: Changes | None,
        check_unchanged: Callable[[], object],
        journal: Journal,
        workers: WorkerPool,
        *,
        on_commit: Callable[[], object],
    ) -> None:
        self.counts = Counter(journal.counts())
        del self.counts[IN_PROGRESS]
        self.begun = 0
        self._duplicates = duplicates
        self._changes = changes
        self._check_unchanged = check_unchanged
        self._journal = journal
        self._workers = workers
        self._on_commit = on_commit
        self._pending = self._find_pending(entries)
        self._outcomes: list[EntryOutcome] = []
        self._withdrawn: list[int] = []
        self._on_thread = 0
        self._batcher = WorkBatcher(self._begin, workers=workers.concurrency)
        self.pull = self._batcher.pull

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Give out items until the end of the block, and commit all outcomes then."""
        try:
            async with self._batcher.running():
                yield
        except JournalError:
            raise
        except BaseException:
            self._commit_last()
            raise
        self._commit_last()

    async def on_result(self, result: ContactResult[Entry]) -> None:
        """Note what became of an entry that a worker had."""
        if result.outcome == "skipped":
            self.begun -= 1
            self._withdrawn.append(result.row.index)
            return
        error = result.error
        if error is None:
            contact_id = result.response.contact.contact_id if result.response else None
            self._end(result.row, result.outcome, contact_id=contact_id or "")
        else:
            assert result.contact is not None
            code = f"http_{error.status}" if error.status else "no_answer"
            self._end(result.row, result.outcome, code, describe_error(error, result.contact))

    async def _begin(self, count: int) -> list[WorkItem[Entry]]:
        """Return the next items for so many workers, once their intents are on the disk.

        One commit begins as many as there are idle workers, so that never more are in progress
        than can be in flight.
        """
        if self._workers.stopped:
            raise StopAsyncIteration
        items: list[WorkItem[Entry]] = []
        with self._explain_change():
            for item in islice(self._pending, count):
                if item is None:
                    await asyncio.sleep(0)
                    break
                items.append(item)
            else:
                if not items:
                    raise StopAsyncIteration
            self._check_unchanged()
        self.begun += len(items)
        try:
            await self._commit([item.row.index for item in items])
            self._on_commit()
        except BaseException:
            self._withdraw(items)
            raise
        return items

    def _find_pending(self, entries: Iterator[Entry]) -> Iterator[WorkItem[Entry] | None]:
        """Iterate over the entries to send, and note the outcomes of all others.

        ``None`` stands between them where many are skipped one after another.
        """
        states: dict[int, str] = {}
        skipped = 0
        for entry in entries:
            if entry.index % _STATES_AT_ONCE == 0:
                states = self._journal.states(entry.index, _STATES_AT_ONCE)
            state = states.get(entry.index)
            if skipped == _MAX_SKIPPED:
                skipped = 0
                yield None
            skipped += 1
            if entry.problem is not None:
                if state is None:
                    self._end(entry, "rejected", entry.problem.code, entry.problem.reason)
                continue
            assert entry.contact is not None
            contact = self._duplicates.resolve(entry, entry.contact)
            if state not in (None, IN_PROGRESS, "unknown"):
                continue
            if contact is None:
                self._end(entry, "skipped", *self._duplicates.explain_skip(entry.contact))
                continue
            # What may have been sent before is sent again: reads may not show yet what it did.
            if self._changes and not state:
                stored = self._changes.find_unchanged(contact)
                if stored is not None:
                    self._end(entry, "unchanged", contact_id=stored.get("contact_id") or "")
                    continue
                contact = self._changes.leave_out_company(contact)
            self.counts["unknown"] -= state == "unknown"
            skipped = 0
            yield WorkItem(entry, contact, maybe_applied=state is not None)

    def _end(
        self, entry: Entry, outcome: str, code: str = "", reason: str = "", contact_id: str = ""
    ) -> None:
        self.counts[outcome] += 1
        self._outcomes.append(
            EntryOutcome(entry.index, outcome, entry.line, code, reason, contact_id)
        )

    @contextmanager
    def _explain_change(self) -> Iterator[None]:
        """If the file fails or changes after contacts were sent, say that they were sent."""
        try:
            yield
        except ValidationError as error:
            if not self.begun:
                raise
            raise JournalError(
                f"{error} What was sent before is in the journal {self._journal.name}."
            ) from error

    async def _commit(self, intents: list[int]) -> None:
        """Put intents and outcomes on the disk; a slow disk seldom holds up other tasks."""
        outcomes = self._take_outcomes()
        if self._on_thread:
            self._on_thread -= 1
            commit = self._journal.commit
            await run_in_thread(commit, intents, outcomes, stop=self._workers.stop)
            return
        started = self._workers.clock.monotonic()
        self._journal.commit(intents, outcomes)
        if self._workers.clock.monotonic() - started > _QUICK:
            self._on_thread = _ON_THREAD

    def _commit_last(self) -> None:
        self._withdraw(self._batcher.ready)
        self._journal.commit([], self._take_outcomes(), self._withdrawn)

    def _withdraw(self, items: Iterable[WorkItem[Entry]]) -> None:
        """Note that no worker gets these, so that only those of an earlier run are in progress."""
        items = [*items]
        self.begun -= len(items)
        self._withdrawn += [item.row.index for item in items if not item.maybe_applied]

    def _take_outcomes(self) -> list[EntryOutcome]:
        outcomes, self._outcomes = self._outcomes, []
        return outcomes
