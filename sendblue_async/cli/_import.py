"""The import of a file: options in, a progress bar or lines, counts and exit code out."""

from __future__ import annotations

import shlex
import signal
import sys
from collections.abc import Sequence
from contextlib import ExitStack
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from attrs import asdict

from ..batch import ImportReport, SendOptions
from ..exceptions import ValidationError
from ._app import (
    InSandbox,
    app,
    command,
    open_client,
    parse_number,
    parse_path,
    parse_seconds,
)
from ._help import format_examples
from ._import_arguments import (
    Delimiter,
    NoHeader,
    Sheet,
    add_resume,
    announce_input,
    parse_columns,
    parse_rate,
)
from ._interruption import Interruption
from ._mapping import doubt_error, settle_doubts, show_mapping
from ._output import format_count, format_duration, print_json, print_note, print_stderr
from ._plan import print_plan
from ._progress import show_progress
from ._report_file import check_report, write_report

if TYPE_CHECKING:
    from ..batch import DryRun, ImportJob

_DEFAULTS = SendOptions()
# How many line numbers are shown beside the count of one outcome.
_MAX_LINES_SHOWN = 10
_STANDARD_INPUT = "-"
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


class OnDuplicate(str, Enum):
    """What happens to rows with the same number."""

    MERGE = "merge"
    LAST = "last"


@app.command(
    "import",
    epilog=format_examples(
        "import contacts.csv --region US --dry-run",
        "import contacts.csv --map Name=first_name --update-if-exists",
    ),
)
@command
async def import_(
    file: Annotated[
        Path,
        typer.Argument(
            metavar="FILE",
            parser=parse_path,
            help="File of contacts: CSV, JSON Lines, vCard, or an Excel or OpenDocument workbook, "
            "also compressed with gzip; or - for standard input.",
        ),
    ],
    update_if_exists: Annotated[
        bool, typer.Option("--update-if-exists", help="Update contacts that exist already.")
    ] = False,
    only_changes: Annotated[
        bool,
        typer.Option(
            "--only-changes",
            help="Send only what differs from the account. Needs --update-if-exists.",
        ),
    ] = False,
    region: Annotated[
        str | None,
        typer.Option(
            metavar="COUNTRY",
            help="Country of numbers without +, such as US. Default: they are rejected.",
        ),
    ] = None,
    columns: Annotated[
        list[str] | None,
        typer.Option(
            "--map",
            metavar="COLUMN=FIELD",
            help="The field that a column holds, if its name does not tell. Repeatable.",
        ),
    ] = None,
    on_duplicate: Annotated[
        OnDuplicate,
        typer.Option(
            metavar="merge|last",
            show_default=False,
            help="Merge rows with the same number, or use only the last. Default: merge.",
        ),
    ] = OnDuplicate.MERGE,
    all_numbers: Annotated[
        bool, typer.Option("--all-numbers", help="Create a contact for each number in a row.")
    ] = False,
    format_: Annotated[
        str | None,
        typer.Option(
            "--format",
            metavar="NAME",
            help="csv, jsonl, vcard, xlsx, xls or ods. Default: detected.",
        ),
    ] = None,
    encoding: Annotated[
        str | None, typer.Option(metavar="NAME", help="Encoding, such as utf-8. Default: detected.")
    ] = None,
    delimiter: Delimiter = None,
    no_header: NoHeader = False,
    sheet: Sheet = None,
    concurrency: Annotated[
        int,
        typer.Option(
            metavar="NUMBER",
            parser=parse_number(1),
            show_default=False,
            help=f"Contacts in flight at once. Default: {_DEFAULTS.concurrency}.",
        ),
    ] = _DEFAULTS.concurrency,
    rate: Annotated[
        str | None,
        typer.Option(
            metavar="NUMBER/s",
            help="Requests per second at most. Default: discovered automatically.",
        ),
    ] = None,
    give_up_after: Annotated[
        float,
        typer.Option(
            metavar="SECONDS",
            parser=parse_seconds,
            show_default=False,
            help="End the import after so long without a success. "
            f"Default: {_DEFAULTS.give_up_after:g}.",
        ),
    ] = _DEFAULTS.give_up_after,
    bulk: Annotated[
        bool,
        typer.Option(
            "--bulk",
            help="Send many contacts per request where possible. Not with --update-if-exists.",
        ),
    ] = False,
    yes: Annotated[
        bool, typer.Option("--yes", help="Import also where something is doubtful.")
    ] = False,
    journal: Annotated[
        Path | None,
        typer.Option(
            "--journal",
            metavar="FILE",
            parser=parse_path,
            help="Where the journal is kept. Default: beside the file. Needed to resume an import "
            "of standard input.",
        ),
    ] = None,
    rejected: Annotated[
        Path | None,
        typer.Option(
            "--rejected",
            metavar="FILE",
            parser=parse_path,
            help="Where rejected rows are written. Default: beside the file. Needed to keep those "
            "of standard input.",
        ),
    ] = None,
    resume: Annotated[
        bool, typer.Option("--resume", help="Resume an import that was interrupted.")
    ] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Check the file and send nothing.")
    ] = False,
    report_path: Annotated[
        Path | None,
        typer.Option(
            "--report",
            metavar="FILE",
            parser=parse_path,
            help="Also write the results to this file, as JSON.",
        ),
    ] = None,
    sandbox: InSandbox = False,
) -> None:
    """Import contacts from a file.

    A journal lets --resume continue where an import stopped. Rejected rows are
    written to a file of their own.
    """
    # Only here, as they bring what other commands need not wait for.
    from ..batch import ImportOptions, SendOptions

    import_options = ImportOptions(
        update_if_exists=update_if_exists,
        only_changes=only_changes,
        region=region,
        columns=parse_columns(columns, by_position=no_header),
        on_duplicate=on_duplicate.value,
        all_numbers=all_numbers,
        # They are shown and settled here.
        accept_doubts=True,
        format=format_,
        encoding=encoding,
        delimiter=delimiter,
        sheet=sheet,
        header=not no_header,
    )
    send_options = SendOptions(
        concurrency=concurrency,
        rate_limit=parse_rate(rate),
        give_up_after=give_up_after,
        bulk=bulk,
    )
    if sandbox and resume:
        raise ValidationError(
            "There is nothing to --resume in a --sandbox, which is new each time.",
            field="resume",
        )
    source = str(file) if str(file) == _STANDARD_INPUT else file
    if dry_run:
        async with open_client(sandbox, shows_progress=True) as client:
            job = client.import_job(source, import_options, send_options)
            announce_input(job, keeps=False)
            check_report(report_path, job)
            await _run_dry(job, report_path, discovers_rate=rate is None, yes=yes)
        return
    async with open_client(sandbox, shows_progress=True) as client:
        with ExitStack() as shown:
            progress = shown.enter_context(show_progress())
            job = client.import_job(
                source,
                import_options,
                send_options,
                journal=journal,
                rejected=rejected,
                resume=resume,
                progress=progress,
            )
            if sandbox:
                job.rehearse()
            announce_input(job, keeps=not sandbox)
            check_report(report_path, job)
            if resume and job.journal_path and not job.journal_path.exists():
                print_stderr(
                    f"There is no journal at {job.journal_path}, "
                    "so the import starts from the beginning."
                )

            def stop() -> None:
                job.stop()
                again = (
                    "press Ctrl-C again"
                    if interruption.signal == signal.SIGINT
                    else "send the signal again"
                )
                print_stderr(f"Finishing what is in flight; {again} to stop at once.")

            interruption = Interruption(stop)
            written = False
            try:
                mapping = await job.inspect()
                show_mapping(mapping, job.source_name)
                # What was settled when the import began stays so when it is resumed.
                is_settled = yes or (resume and job.journal_path and job.journal_path.exists())
                if mapping.doubts and not is_settled and not interruption.has_come():
                    settle_doubts(mapping)
                report = await job.run()
            finally:
                shown.close()
                if job.report is not None:
                    if job.report.was_finished and not resume:
                        print_stderr(
                            f"{job.report.source} has not changed since it was imported, so what "
                            "was stored is not sent again. To send all of it, delete "
                            f"{job.journal_path}."
                        )
                    written = _print_result(job.report, report_path)
    interruption.exit_if_interrupted()
    if not written or report.rejected or report.unknown or report.remaining:
        raise typer.Exit(1)


async def _run_dry(
    job: ImportJob, report_path: Path | None, *, discovers_rate: bool, yes: bool
) -> None:
    interruption = Interruption(job.stop)
    show_mapping(await job.inspect(), job.source_name)
    result = await job.dry_run()
    written = True
    if result is None:
        print_stderr("The file was not checked to its end.")
    else:
        _print_dry_run(result, discovers_rate=discovers_rate)
        written = report_path is None or write_report(report_path, asdict(result), like=job.path)
    interruption.exit_if_interrupted()
    if result is not None and result.mapping.doubts and not yes:
        raise doubt_error(result.mapping)
    if not written or (result is not None and result.codes):
        raise typer.Exit(1)


def _print_result(report: ImportReport, path: Path | None) -> bool:
    """Print the report and how to resume; return whether the report file, if any, was written."""
    if report.entries or report.finished:
        _print_report(report)
    else:
        print_stderr("The file was not checked to its end; nothing was sent.")
    if not report.finished and report.journal is not None:
        print_stderr(f"To resume: sendblue-async {shlex.join(add_resume(sys.argv[1:]))}")
    return path is None or write_report(path, report.to_dict(), like=report.path)


def _print_report(report: ImportReport) -> None:
    counts = report.to_dict()
    print_note(format_count(report.entries, "entry"))
    for name in _OUTCOMES:
        if counts[name]:
            print_note(f"{counts[name]:>8} {name}{_format_lines(report, name)}")
    for code, count in sorted(report.codes.items()):
        print_note(f"         {count} {code}")
    if report.limit is not None:
        print_note(f"The server refused requests at {report.limit:.0f} a second.")
    if report.rejected_path is not None:
        print_note(f"Rejected rows are in {report.rejected_path}.")
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


def _print_dry_run(result: DryRun, *, discovers_rate: bool) -> None:
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
