"""How far an import is, and how it ended: counts that add up."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from attrs import asdict, frozen

from ..._deprecation import warn_deprecated


@frozen(kw_only=True)
class ImportProgress:
    """How far an import is.

    Attributes:
        checked: Whether the file has been checked; nothing is sent before.
        waiting: Whether the server is unavailable, so that calls wait.
        trouble: Why the last call failed, in one sentence, while calls wait.
        gives_up_in: Seconds after which the import ends if no call succeeds, while calls wait.
        share_read: How much of the file was read, from 0 to 1, before it has been checked; ``None``
            where that is not known, as in a workbook.
        paused_for: Seconds until the rate limit lets the next request go; 0 if it does now.
        listed: How many contacts of the account were listed so far, while that is done for
            ``only_changes``; otherwise ``None``.
        entries: How many entries the file has; before it has been checked, how many were read.
        counts: How many have which outcome.
        requests_per_second: The rate limit now, or ``None`` without one.
        throttled: How many requests the server refused as too many.
        seconds: How long this run has taken.
    """

    checked: bool = True
    waiting: bool = False
    trouble: str | None = None
    gives_up_in: float | None = None
    share_read: float | None = None
    paused_for: float | None = None
    listed: int | None = None
    entries: int
    counts: Mapping[str, int]
    requests_per_second: float | None
    throttled: int
    seconds: float

    @property
    def refused(self) -> int:
        """The former name of ``throttled``."""
        return _warn_refused(self.throttled)


@frozen(kw_only=True)
class ImportReport:
    """How an import ended, or what it had done when it was interrupted.

    Attributes:
        path: The file, or ``None`` if the source was none.
        source: What was imported: the path, or words such as ``"standard input"``.
        finished: Whether every entry has its outcome.
        was_finished: Whether an earlier run had finished it, and neither the file nor the options
            have changed since: then only ``unknown`` rows were sent again.
        entries: How many entries the file has: one for each row that is not blank, or one for
            each usable number of a row where all are used.
        created: Stored by a plain create.
        stored: Stored by an upsert, which cannot tell whether they are new.
        unchanged: Not sent, as the stored contact has every value that would be sent.
        existing: Left alone, as their number exists already.
        rejected: Cannot be sent, or were refused by the server.
        unknown: May have been stored.
        skipped: Not sent, as a later row has the same number.
        remaining: Not yet sent. All counts from ``created`` on add up to ``entries``.
        codes: How many were rejected, by code.
        lines: Under ``"existing"`` and under ``"unknown"``, the lines of the file on which rows
            with that outcome begin, or their row numbers: the first 1,000 of each. The
            rejected ones are in a file of their own.
        unit: What ``lines`` counts: ``"line"``, or ``"row"`` of a sheet or of rows.
        requests_per_second: The rate limit at the end.
        limit: The rate at which the server last answered 429, or ``None`` if it never did.
        throttled: How many requests the server refused as too many.
        seconds: How long this run took.
        encoding: The encoding that the file was read in, or ``None`` for a workbook.
        delimiter: The separator of its cells, or ``None``.
        sheet: The name of the sheet that was read, in a workbook.
        other_sheets: The other visible sheets that have rows; nothing of them was read.
        hidden_rows: How many rows of the sheet are hidden. They were read as all others.
        unused_columns: The columns that no field of a contact was taken from.
        journal: The journal, or ``None`` if there was none to keep.
        rejected_path: The file of rejected rows, or ``None`` if there are none, or none was named
            for a source that is no file.
        results_path: The file with a line for each row, or ``None`` if it was not written.
    """

    path: Path | None
    source: str = ""
    finished: bool
    was_finished: bool = False
    entries: int
    created: int = 0
    stored: int = 0
    unchanged: int = 0
    existing: int = 0
    rejected: int = 0
    unknown: int = 0
    skipped: int = 0
    remaining: int = 0
    codes: Mapping[str, int]
    lines: Mapping[str, tuple[int, ...]]
    unit: str = "line"
    requests_per_second: float | None
    limit: float | None
    throttled: int
    seconds: float
    encoding: str | None
    delimiter: str | None
    sheet: str | None = None
    other_sheets: tuple[str, ...] = ()
    hidden_rows: int = 0
    unused_columns: tuple[str, ...]
    journal: Path | None
    rejected_path: Path | None
    results_path: Path | None = None

    @property
    def refused(self) -> int:
        """The former name of ``throttled``."""
        return _warn_refused(self.throttled)

    def to_dict(self) -> dict[str, Any]:
        """Convert it to a JSON document, in which ``throttled`` also has its former name."""
        document = asdict(self, value_serializer=lambda _, __, value: to_json_value(value))
        return {**document, "refused": self.throttled}


def report_nothing(
    *,
    path: Path | None,
    source: str,
    journal: Path | None,
    requests_per_second: float | None,
    seconds: float,
) -> ImportReport:
    """Make the report of an import that was stopped before its source was read."""
    return ImportReport(
        path=path,
        source=source,
        finished=False,
        entries=0,
        codes={},
        lines={},
        requests_per_second=requests_per_second,
        limit=None,
        throttled=0,
        seconds=seconds,
        encoding=None,
        delimiter=None,
        unused_columns=(),
        journal=journal,
        rejected_path=None,
    )


def to_json_value(value: Any) -> Any:
    """Convert a value of a report to one that JSON has."""
    return os.fspath(value) if isinstance(value, Path) else value


def _warn_refused(throttled: int) -> int:
    warn_deprecated("refused is deprecated, use throttled")
    return throttled
