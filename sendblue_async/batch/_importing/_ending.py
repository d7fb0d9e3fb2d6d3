"""What an import leaves when it ends: rejected rows, a line for each row, and its report."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from pathlib import Path

from ..._rate_limits import AdaptiveRateLimiter, CountingRateLimiter
from ...exceptions import JournalError, ValidationError
from .._mapping._contact_reader import ContactReader
from ._journal import Journal
from ._journal_schema import IN_PROGRESS
from ._rejected import write_more_rejected
from ._report import ImportReport
from ._results_file import ResultsStopped, write_results

# The outcomes whose line numbers the report lists, and how many lines of each at most.
_LISTED = ("existing", "unknown")
_MAX_LINES = 1_000


class RowFiles:
    """Writes what became of the rows, as far as that is wanted and can be done.

    Args:
        rejected: Where the rejected rows are to be, if anywhere.
        results: Where a line for each row is to be, if anywhere.
        reader: The file of the import.
        journal: Knows what became of each row.
        stopped: Whether there is no time to write a line for each row.
        can_resume: Whether a later run can write what this one could not.

    Attributes:
        codes: How many rows were rejected, by code.
        rejected_path: Where the rejected rows are, if there are any.
        results_path: Where the results are, if they were written.
        trouble: Why one of the files could not be written.
    """

    def __init__(
        self,
        reader: ContactReader,
        journal: Journal,
        *,
        rejected: Path | None,
        results: Path | None,
        stopped: Callable[[], bool],
        can_resume: bool,
    ) -> None:
        self._rejected = rejected
        self._results = results
        self._reader = reader
        self._journal = journal
        self._stopped = stopped
        self._way = "; resume to have them written" if can_resume else ""
        self.codes = Counter(one.code for one in journal.rejected() if one.outcome == "rejected")
        self.rejected_path: Path | None = None
        self.results_path: Path | None = None
        self.trouble: JournalError | None = None

    def write(self) -> None:
        """Write both files; a trouble with one does not keep the other from being written."""
        path = self._rejected
        if path and self.codes and self._try(self._write_rejected, "rejected rows", path):
            self.rejected_path = path
        path = self._results
        if path and self._journal.checked and self._try(self._write_results, "results", path):
            self.results_path = path

    def _try(self, write: Callable[[Path], None], what: str, path: Path) -> bool:
        try:
            write(path)
        except ResultsStopped:
            return False
        except (OSError, ValidationError) as error:
            self.trouble = JournalError(
                f"The {what} could not be written to {path} ({error}). All else is done{self._way}."
            )
            self.trouble.__cause__ = error
            return False
        return True

    def _write_rejected(self, path: Path) -> None:
        write_more_rejected(path, self._reader.table, self._journal, self.codes.total())

    def _write_results(self, path: Path) -> None:
        self._reader.table.check_unchanged()
        write_results(path, self._reader, self._journal, self._stopped)


def make_report(
    reader: ContactReader,
    journal: Journal,
    written: RowFiles,
    *,
    source: str,
    path: Path | None,
    journal_path: Path | None,
    limiter: CountingRateLimiter,
    seconds: float,
) -> ImportReport:
    """Make the report of an import that has ended, however it ended.

    Args:
        reader: What it read.
        journal: What became of each row.
        written: The files that were written.
        source: What it read, in words.
        path: The file that it read, if it was one.
        journal_path: The journal, if it is kept.
        limiter: What limited the rate of its requests.
        seconds: How long this run took.
    """
    counts = journal.counts()
    counts.pop(IN_PROGRESS, None)
    remaining = journal.entries - sum(counts.values())
    table = reader.table
    return ImportReport(
        path=path,
        source=source,
        finished=journal.checked and remaining == 0,
        was_finished=journal.was_finished,
        entries=journal.entries,
        **counts,
        remaining=remaining,
        codes=dict(written.codes),
        lines={name: journal.lines(name, _MAX_LINES) for name in _LISTED},
        unit=table.unit,
        requests_per_second=limiter.rate,
        limit=limiter.limit if isinstance(limiter, AdaptiveRateLimiter) else None,
        throttled=limiter.throttled,
        seconds=seconds,
        encoding=table.encoding,
        delimiter=table.delimiter,
        sheet=table.sheet,
        other_sheets=table.other_sheets,
        hidden_rows=table.hidden_rows,
        unused_columns=reader.columns.unused,
        journal=journal_path,
        rejected_path=written.rejected_path,
        results_path=written.results_path,
    )
