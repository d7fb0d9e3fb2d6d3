"""What an import prints of how it ended, or a dry run of what it would do."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from ..batch import ImportReport
from ._import_arguments import add_resume
from ._output import format_count, format_duration, print_json, print_note, print_stderr
from ._plan import print_plan
from ._report_file import write_report

if TYPE_CHECKING:
    from ..batch import DryRun

# How many line numbers are shown beside the count of one outcome.
_MAX_LINES_SHOWN = 10
_OUTCOMES = (
    "created",
    "stored",
    "unchanged",
    "existing",
    "rejected",
    "unknown",
    "skipped",
    "remaining",
)


def print_result(report: ImportReport, path: Path | None, *, as_json: bool) -> bool:
    """Print the report and how to resume; return whether the report file, if any, was written."""
    if as_json:
        print_json(report.to_dict())
    elif report.entries or report.finished:
        _print_report(report)
    else:
        print_stderr("The file was not checked to its end; nothing was sent.")
    if not report.finished and report.journal is not None:
        print_stderr(f"To resume: sendblue-async {shlex.join(add_resume(sys.argv[1:]))}")
    return path is None or write_report(path, report.to_dict(), like=report.path)


def print_unchanged(report: ImportReport, *, resume: bool, as_json: bool) -> None:
    """Say that the counts are those of an earlier import, and how to send all of it again.

    Where the import was to be resumed, that is as it should be, and nothing for standard error.
    """
    words = (
        f"{report.source} has not changed since it was imported, so what was stored is not sent "
        "again."
    )
    if not resume:
        print_stderr(f"{words} To send all of it, give --start-over.")
    elif not as_json:
        print_note(words)


def _print_report(report: ImportReport) -> None:
    counts = report.to_dict()
    print_note(format_count(report.entries, "entry"))
    for name in _OUTCOMES:
        if counts[name]:
            print_note(f"{counts[name]:>8} {name}{_format_lines(report, name)}")
        if name == "rejected":
            for code, count in sorted(report.codes.items()):
                print_note(f"         {count} {code}")
    if report.limit is not None:
        print_note(f"The server refused requests at {report.limit:.0f} a second.")
    if report.rejected_path is not None:
        print_note(f"Rejected rows are in {report.rejected_path}.")
    if report.results_path is not None:
        print_note(f"A line for each row is in {report.results_path}.")
    _print_sheets(report)


def _format_lines(report: ImportReport, outcome: str) -> str:
    """List the line numbers, or the first few of many; the report has more."""
    lines = report.lines.get(outcome, ())
    return format_lines(lines, len(lines), report.unit) if lines else ""


def format_lines(lines: Sequence[int], count: int, unit: str) -> str:
    """Format the first line numbers of so many: ``, lines 2, 3 and more``."""
    shown = ", ".join(map(str, lines[:_MAX_LINES_SHOWN]))
    more = " and more" if count > _MAX_LINES_SHOWN else ""
    return f", {unit}{'' if count == 1 else 's'} {shown}{more}"


def _print_sheets(result: ImportReport | DryRun) -> None:
    """Say what is in the workbook beside the rows that are seen in its sheet."""
    if result.hidden_rows:
        print_note(f"Hidden rows, which are imported too: {result.hidden_rows}.")
    if result.other_sheets:
        print_note(
            f"Sheets that are not read: {', '.join(map(repr, result.other_sheets))}. "
            "Name one with --sheet."
        )


def print_dry_run(result: DryRun, *, discovers_rate: bool) -> None:
    origin = f"from the sheet {result.sheet!r}" if result.sheet else f"as {result.encoding}"
    print_note(f"{format_count(result.entries, 'entry')}, read {origin}")
    print_note(f"{format_count(result.contacts, 'contact', 8)} would be sent")
    print_note(f"{format_count(result.requests, 'request', 8)}, if nothing goes wrong")
    if result.unchanged:
        print_note(f"{result.unchanged:>8} unchanged")
    if result.skipped:
        print_note(f"{result.skipped:>8} skipped: a later row has the same number")
    for code, count in sorted(result.codes.items()):
        found = format_lines(result.lines[code], count, result.unit)
        print_note(f"{count:>8} rejected: {code}{found}")
    if result.rejected_path is not None:
        print_note(f"Rows that would be rejected are in {result.rejected_path}.")
    _print_sheets(result)
    rate = result.requests_per_second
    if rate and result.requests:
        takes = f"At {rate:g} a second that takes {format_duration(result.requests / rate)}."
        if discovers_rate:
            takes += " The import starts at that rate and speeds up until the server refuses."
        print_note(takes)
    print_plan(result)
    for sample in () if result.changes else result.samples:
        print_json({**sample, "number": f"…{sample['number'][-4:]}"})
