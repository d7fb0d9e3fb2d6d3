"""The import of a file: options in, a bar or lines on the way, counts and exit code out."""

from __future__ import annotations

import asyncio
import contextlib
import math
import shlex
import signal
import sys
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from datetime import timedelta
from enum import Enum
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import anyio.to_thread
import typer
from attrs import asdict
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from .._rate_limits import AdaptiveRateLimiter
from ..batch import ImportProgress, ImportReport
from ..batch._importing._files import journal_beside
from ..exceptions import ValidationError
from ._app import InSandbox, app, command, connected_client
from ._interruption import Interruption
from ._output import print_above, print_aside, print_json, print_note
from ._report_file import check_report, write_report

# Lines of the file that are shown beside the count of one outcome.
_LINES_SHOWN = 10
_OUTCOMES = ("created", "stored", "existing", "rejected", "unknown", "skipped", "remaining")
# Seconds between two lines of progress, where there is no bar.
_BETWEEN_LINES = 10.0
# Seconds over which it is measured how many entries end in one.
_MEASURED = 10.0
_CHECKING = "checking the file"


class OnDuplicate(str, Enum):
    """What becomes of rows with one number."""

    MERGE = "merge"
    LAST = "last"


@app.command("import")
@command
async def import_(
    file: Annotated[Path, typer.Argument(help="A file of contacts: CSV, JSON Lines or vCard.")],
    update_if_exists: Annotated[
        bool, typer.Option("--update-if-exists", help="Update contacts that exist.")
    ] = False,
    region: Annotated[
        str | None, typer.Option(help="Region of numbers without +, such as US.")
    ] = None,
    columns: Annotated[
        list[str] | None,
        typer.Option(
            "--map", metavar="COLUMN=FIELD", help="Which field a column holds; repeatable."
        ),
    ] = None,
    on_duplicate: Annotated[
        OnDuplicate, typer.Option(help="Merge rows with the same number, or use the last one only.")
    ] = OnDuplicate.MERGE,
    all_numbers: Annotated[
        bool, typer.Option("--all-numbers", help="Make a contact of each usable number in a row.")
    ] = False,
    encoding: Annotated[
        str | None, typer.Option(help="The file's encoding. Detected by default.")
    ] = None,
    delimiter: Annotated[
        str | None,
        typer.Option(help="Separator of cells: comma, semicolon or tab. Detected by default."),
    ] = None,
    concurrency: Annotated[int, typer.Option(min=1, help="Contacts in flight at once.")] = 32,
    rate: Annotated[
        str | None,
        typer.Option(
            metavar="N/s", help="Requests per second at most. By default the limit is discovered."
        ),
    ] = None,
    give_up_after: Annotated[
        float, typer.Option(min=0.001, help="Seconds without success after which the import ends.")
    ] = 600.0,
    bulk: Annotated[
        bool,
        typer.Option("--bulk", help="Send contacts in bulk requests where possible."),
    ] = False,
    resume: Annotated[
        bool, typer.Option("--resume", help="Resume an import that was interrupted.")
    ] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Check the file, and send nothing.")
    ] = False,
    report: Annotated[
        Path | None, typer.Option(help="Also write the results to this file, as JSON.")
    ] = None,
    sandbox: InSandbox = False,
) -> None:
    """Import a file of contacts, every row accounted for."""
    options: dict[str, Any] = {
        "update_if_exists": update_if_exists,
        "region": region,
        "columns": _pairs(columns),
        "on_duplicate": on_duplicate.value,
        "all_numbers": all_numbers,
        "encoding": encoding,
        "delimiter": delimiter,
    }
    per_second = _per_second(rate)
    check_report(report, file)
    if sandbox and resume:
        raise ValidationError(
            "There is nothing to --resume in a --sandbox, which is new each time.",
            field="resume",
        )
    if dry_run:
        options.update(concurrency=concurrency, bulk=bulk)
        await _run_dry(file, options, per_second, report)
        return
    journal = journal_beside(file)
    if resume and not journal.exists():
        print_aside(f"There is no journal at {journal}, so the import begins anew.")
    async with connected_client(sandbox) as client:
        with ExitStack() as shown:
            job = client._import(
                file,
                concurrency=concurrency,
                rate_limit=per_second,
                give_up_after=give_up_after,
                bulk=bulk,
                resume=resume,
                progress=shown.enter_context(_progress()),
                **options,
            )

            def stop() -> None:
                job.stop()
                print_aside("Finishing what is in flight; press Ctrl-C again to stop at once.")

            interruption = Interruption(stop)
            written = False
            try:
                came_to = await job.run()
            finally:
                shown.close()
                if job.report is not None:
                    written = _print_end(job.report, report, sandbox=sandbox)
    interruption.exit_if_it_came()
    if not written or came_to.rejected or came_to.unknown or came_to.remaining:
        raise typer.Exit(1)


async def _run_dry(
    file: Path, options: dict[str, Any], per_second: float | None, report: Path | None
) -> None:
    from ..batch._importing._dry_run import dry_run

    interruption = Interruption(lambda: None)
    run = partial(dry_run, file, stopped=interruption.came, **options)
    try:
        found = await anyio.to_thread.run_sync(run)
    except asyncio.CancelledError:
        # The thread does not hear of it otherwise, and the program would not end before it.
        interruption.signal = signal.SIGINT
        raise
    written = True
    if found is None:
        print_aside("The file was not checked to its end.")
    else:
        _print_dry_run(found, per_second)
        written = report is None or write_report(report, asdict(found), like=file)
    interruption.exit_if_it_came()
    if not written:
        raise typer.Exit(1)


def _pairs(columns: list[str] | None) -> dict[str, str]:
    pairs: dict[str, str] = {}
    for pair in columns or []:
        # A column's name may have "=" in it; no field has.
        column, sign, field = pair.rpartition("=")
        if not sign:
            raise ValidationError(f"--map takes COLUMN=FIELD, not {pair!a}.", field="map")
        if column in pairs:
            raise ValidationError(
                f"--map says twice which field the column {column!a} is.", field="map"
            )
        pairs[column] = field
    return pairs


def _per_second(rate: str | None) -> float | None:
    if rate is None:
        return None
    with contextlib.suppress(ValueError):
        if 0 < (per_second := float(rate.removesuffix("/s"))) < math.inf:
            return per_second
    raise ValidationError(
        f"--rate is requests per second, such as 50/s, not {rate!a}.", field="rate"
    )


@contextmanager
def _progress() -> Iterator[Callable[[ImportProgress], None]]:
    """Shows how far it is: a bar on a terminal, and lines elsewhere."""
    console = Console(stderr=True)
    words = _Words()
    if not console.is_terminal:
        last = 0.0

        def show_line(now: ImportProgress) -> None:
            nonlocal last
            told = f"{now.trouble}; {words(now)}" if now.trouble else words(now)
            if now.seconds - last >= _BETWEEN_LINES:
                last = now.seconds
                done = f"{_done(now)} of {now.entries}" if now.checked else f"{now.entries} read"
                print_aside(f"{done}: {told}")

        yield show_line
        return
    bar = Progress(
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[words]}"),
        TimeRemainingColumn(),
        console=console,
    )
    with bar:
        task = bar.add_task("import", total=None, words=_CHECKING)
        trouble: str | None = None

        def show(now: ImportProgress) -> None:
            nonlocal trouble
            if now.trouble and now.trouble != trouble:
                # Above the bar, which has no room for it.
                print_above(now.trouble, console)
            trouble = now.trouble
            if now.checked:
                bar.update(task, total=now.entries, completed=_done(now), words=words(now))
            else:
                bar.update(task, completed=now.entries, words=words(now))

        yield show


def _done(now: ImportProgress) -> int:
    return sum(now.counts.values())


class _Words:
    """Says what an import is at, and how many entries a second end lately."""

    def __init__(self) -> None:
        self._lately: deque[tuple[float, int]] = deque()

    def __call__(self, now: ImportProgress) -> str:
        if not now.checked:
            return _CHECKING
        rate = f"{self._achieved(now):.0f}/s, "
        if now.requests_per_second:
            rate += f"{now.requests_per_second:.0f}/s allowed, "
        if now.waiting:
            left = _duration(now.gives_up_in or 0.0).removeprefix("0:")
            rate = f"waiting, gives up in {left}, "
        failed = now.counts.get("rejected", 0) + now.counts.get("unknown", 0)
        return f"{rate}{now.refused} refused as too many, {failed} errors"

    def _achieved(self, now: ImportProgress) -> float:
        self._lately.append((now.seconds, _done(now)))
        while now.seconds - self._lately[0][0] > _MEASURED:
            self._lately.popleft()
        since, then = self._lately[0]
        return (_done(now) - then) / (now.seconds - since) if now.seconds > since else 0.0


def _duration(seconds: float) -> str:
    """Hours, minutes and seconds, as ``1:02:03``."""
    return str(timedelta(seconds=math.ceil(seconds)))


def _print_end(report: ImportReport, path: Path | None, *, sandbox: bool) -> bool:
    """Print what it has come to and how to go on; whether the report was written, if it had to."""
    if report.entries or report.finished:
        _print_report(report)
    else:
        print_aside("The file was not checked to its end; nothing was sent.")
    if sandbox:
        # It tells what is in a sandbox that nobody can get at again, and would stand in the way of
        # an import into the account.
        report.journal.unlink()
    elif not report.finished:
        words = [word for word in sys.argv[1:] if word != "--resume"]
        print_aside(f"To go on: sendblue-async {shlex.join([*words, '--resume'])}")
    return path is None or write_report(path, report.to_dict(), like=report.path)


def _print_report(report: ImportReport) -> None:
    counts = report.to_dict()
    print_note(f"{report.entries} entries")
    for name in _OUTCOMES:
        if counts[name]:
            print_note(f"{counts[name]:>8} {name}{_where(report.lines.get(name, ()))}")
    for code, count in sorted(report.codes.items()):
        print_note(f"         {count} {code}")
    if report.limit is not None:
        print_note(f"The server refused requests at {report.limit:.0f} a second.")
    if report.rejected_path is not None:
        print_note(f"Rejected rows are in {report.rejected_path}.")
    if report.unused_columns:
        print_note(f"Columns that were not used: {', '.join(map(ascii, report.unused_columns))}.")


def _where(lines: tuple[int, ...]) -> str:
    """The lines, or the first few of many; the report has more."""
    if not lines:
        return ""
    shown = ", ".join(map(str, lines[:_LINES_SHOWN]))
    more = " and more" if len(lines) > _LINES_SHOWN else ""
    return f", {'line' if len(lines) == 1 else 'lines'} {shown}{more}"


def _print_dry_run(found: Any, per_second: float | None) -> None:
    print_note(f"{found.entries} entries, read as {found.encoding}")
    print_note(f"{found.contacts:>8} contacts would be sent")
    print_note(f"{found.requests:>8} requests, if nothing goes wrong")
    if found.skipped:
        print_note(f"{found.skipped:>8} skipped, as a later row has the same number")
    for code, count in sorted(found.codes.items()):
        print_note(f"{count:>8} rejected: {code}")
    if found.unused_columns:
        print_note(
            f"Columns that would not be used: {', '.join(map(ascii, found.unused_columns))}."
        )
    rate = per_second or AdaptiveRateLimiter.FIRST
    takes = f"At {rate:g} a second that takes {_duration(found.requests / rate)}."
    if per_second is None:
        takes += " It begins at that rate, and goes faster until the server refuses."
    print_note(takes)
    for sample in found.samples:
        print_json(sample)
