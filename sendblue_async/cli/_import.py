"""The import of a file: options in, a progress bar or lines, counts and exit code out."""

from __future__ import annotations

import asyncio
import signal
from contextlib import AsyncExitStack, ExitStack
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ..batch import ImportReport, SendOptions
from ..exceptions import ConfigurationError, ValidationError
from ._app import (
    AsJson,
    InSandbox,
    app,
    command,
    open_client,
    parse_number,
    parse_output,
    parse_path,
    parse_seconds,
)
from ._errors import exit_to_try_later
from ._help import format_examples
from ._import_arguments import (
    Delimiter,
    NoHeader,
    Sheet,
    announce_input,
    parse_columns,
    parse_rate,
)
from ._import_report import print_dry_run, print_result, print_unchanged
from ._interruption import Interruption
from ._mapping import confirm_doubts, doubt_error, show_mapping
from ._output import print_json, print_stderr
from ._progress import show_progress
from ._report_file import check_report, write_report

if TYPE_CHECKING:
    from ..batch import ImportJob
    from ..client import SendblueClient

_DEFAULTS = SendOptions()
# Seconds that calls in flight have to end after a signal. "docker stop" kills after ten.
_GRACE = 5.0
_STANDARD_INPUT = "-"


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
            help="Country of numbers without +, such as US. Default: that of a country column; "
            "without one, they are rejected.",
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
            parser=parse_output,
            help="Where the journal is kept. Default: beside the file. Needed to resume an import "
            "of standard input.",
        ),
    ] = None,
    rejected: Annotated[
        Path | None,
        typer.Option(
            "--rejected",
            metavar="FILE",
            parser=parse_output,
            help="Where rejected rows are written. Default: beside the file; those of standard "
            "input or of a dry run are only counted.",
        ),
    ] = None,
    results: Annotated[
        Path | None,
        typer.Option(
            "--results",
            metavar="FILE",
            parser=parse_output,
            help="Also write a line for each row: CSV, or JSON Lines if it ends in .jsonl or "
            ".ndjson.",
        ),
    ] = None,
    resume: Annotated[
        bool, typer.Option("--resume", help="Resume an import that was interrupted.")
    ] = False,
    start_over: Annotated[
        bool,
        typer.Option(
            "--start-over",
            help="Send every row, whatever the journal says. For once: in a crontab line, it would "
            "never resume.",
        ),
    ] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Check the file and send nothing.")
    ] = False,
    report_path: Annotated[
        Path | None,
        typer.Option(
            "--report",
            metavar="FILE",
            parser=parse_output,
            help="Also write the counts and how it ended to this file, as JSON.",
        ),
    ] = None,
    as_json: AsJson = False,
    sandbox: InSandbox = False,
) -> None:
    """Import contacts from a file.

    A journal lets --resume continue where an import stopped. Rejected rows are
    written to a file of their own.
    """
    # Only here, as it brings what other commands need not wait for.
    from ..batch import ImportOptions

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

    def make_job(client: SendblueClient, **others: Any) -> ImportJob:
        return client.import_job(
            source,
            import_options,
            send_options,
            journal=journal,
            rejected=rejected,
            results=results,
            **others,
        )

    if dry_run:
        async with open_client(sandbox, shows_progress=True) as client, AsyncExitStack() as stack:
            job = make_job(client, progress=stack.enter_context(show_progress()))
            announce_input(job, keeps=False)
            check_report(report_path, job)
            await _run_dry(
                job, report_path, stack, discovers_rate=rate is None, yes=yes, as_json=as_json
            )
        return
    async with open_client(sandbox, shows_progress=True) as client:
        with exit_to_try_later(as_json=as_json), ExitStack() as shown:
            progress = shown.enter_context(show_progress())
            job = make_job(client, resume=resume, start_over=start_over, progress=progress)
            if sandbox:
                job.rehearse()
            announce_input(job, keeps=not sandbox)
            check_report(report_path, job)
            if resume and job.journal_path and not job.journal_path.exists():
                print_stderr(
                    f"No earlier import was found (journal: {job.journal_path}), so this one "
                    "starts with the first row."
                )

            def stop() -> None:
                job.stop()
                again = (
                    "press Ctrl-C again"
                    if interruption.signal == signal.SIGINT
                    else "send the signal again"
                )
                print_stderr(f"Finishing what is in flight; {again} to stop at once.")
                asyncio.get_running_loop().call_later(_GRACE, running.cancel)

            async def show_and_run() -> ImportReport:
                mapping = await job.inspect()
                show_mapping(mapping, job.source_name)
                if mapping.doubts and not yes and not interruption.has_come():
                    confirm_doubts(mapping)
                return await job.run()

            interruption = Interruption(stop)
            running = asyncio.create_task(show_and_run())
            written = False
            try:
                await running
            except (asyncio.CancelledError, ConfigurationError):
                # Stopped, maybe before the source was read.
                if not interruption.has_come():
                    raise
            finally:
                shown.close()
                if job.report is not None:
                    if job.report.was_finished:
                        print_unchanged(job.report, resume=resume, as_json=as_json)
                    written = print_result(job.report, report_path, as_json=as_json)
    interruption.exit_if_interrupted()
    report = job.report
    if not written or report is None or report.rejected or report.unknown or report.remaining:
        raise typer.Exit(1)


async def _run_dry(
    job: ImportJob,
    report_path: Path | None,
    shown: AsyncExitStack,
    *,
    discovers_rate: bool,
    yes: bool,
    as_json: bool,
) -> None:
    interruption = Interruption(job.stop)
    result = None
    try:
        show_mapping(await job.inspect(), job.source_name)
        result = await job.dry_run()
    except ConfigurationError:
        # Stopped before the source was read.
        if not interruption.has_come():
            raise
    await shown.aclose()
    written = True
    if result is None:
        print_stderr("The file was not checked to its end.")
    else:
        if as_json:
            print_json(result.to_dict())
        else:
            print_dry_run(result, discovers_rate=discovers_rate)
        written = report_path is None or write_report(report_path, result.to_dict(), like=job.path)
    interruption.exit_if_interrupted()
    if result is not None and result.mapping.doubts and not yes:
        raise doubt_error(result.mapping)
    if not written or (result is not None and result.codes):
        raise typer.Exit(1)
