"""The import of a file: options in, a bar or lines on the way, counts and exit code out."""

from __future__ import annotations

import asyncio
import contextlib
import json
import math
import shlex
import signal
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from enum import Enum
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import anyio.to_thread
import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from .._pace import AdaptivePace
from ..batch import ImportProgress, ImportReport
from ..exceptions import ValidationError
from ._app import InSandbox, app, command, connected_client
from ._output import print_aside, print_json, print_note

_OUTCOMES = ("created", "stored", "existing", "rejected", "unknown", "skipped", "remaining")
# Seconds between two lines of progress, where there is no bar.
_BETWEEN_LINES = 10.0


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
            "--map", metavar="COLUMN=FIELD", help="Which field a column is; may be given often."
        ),
    ] = None,
    on_duplicate: Annotated[
        OnDuplicate, typer.Option(help="Merge rows with one number, or let the last one win.")
    ] = OnDuplicate.MERGE,
    all_numbers: Annotated[
        bool, typer.Option("--all-numbers", help="Make a contact of each usable number of a row.")
    ] = False,
    encoding: Annotated[str | None, typer.Option(help="The file's encoding.")] = None,
    delimiter: Annotated[
        str | None, typer.Option(help="What stands between cells: comma, semicolon or tab.")
    ] = None,
    concurrency: Annotated[int, typer.Option(min=1, help="Contacts under way at once.")] = 32,
    rate: Annotated[
        str | None,
        typer.Option(metavar="N/s", help="Requests per second at most. Found out by default."),
    ] = None,
    give_up_after: Annotated[
        float, typer.Option(min=0.001, help="Seconds without success after which it ends.")
    ] = 600.0,
    bulk: Annotated[
        bool,
        typer.Option("--bulk", help="Send contacts in bulk requests, where these can carry them."),
    ] = False,
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on with an import that was begun.")
    ] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Check the file, and send nothing.")
    ] = False,
    report: Annotated[
        Path | None, typer.Option(help="Also write the counts into this file, as JSON.")
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
    if dry_run:
        from ..batch._dry_run import dry_run as run_dry

        check = partial(run_dry, file, concurrency=concurrency, bulk=bulk, **options)
        _print_dry_run(await anyio.to_thread.run_sync(check), per_second)
        return
    async with connected_client(sandbox) as client:
        with _progress() as show:
            job = client._import(
                file,
                concurrency=concurrency,
                rate_limit=per_second,
                give_up_after=give_up_after,
                bulk=bulk,
                resume=resume,
                progress=show,
                **options,
            )
            interrupted = _stops_on_ctrl_c(job.stop)
            try:
                await job.run()
            finally:
                if job.report is not None:
                    _print_report(job.report, report)
    if interrupted.is_set():
        words = [word for word in sys.argv[1:] if word != "--resume"]
        print_aside(f"To go on: sendblue-async {shlex.join([*words, '--resume'])}")
        raise typer.Exit(130)
    if job.report is None or job.report.rejected or job.report.unknown or job.report.remaining:
        raise typer.Exit(1)


def _pairs(columns: list[str] | None) -> dict[str, str]:
    # A column's name may have "=" in it; no field has.
    for pair in columns or []:
        if "=" not in pair:
            raise ValidationError(f"--map takes COLUMN=FIELD, not {pair!a}.", field="map")
    return dict(pair.rsplit("=", 1) for pair in columns or [])


def _per_second(rate: str | None) -> float | None:
    if rate is None:
        return None
    with contextlib.suppress(ValueError):
        if 0 < (per_second := float(rate.removesuffix("/s"))) < math.inf:
            return per_second
    raise ValidationError(
        f"--rate is requests per second, such as 50/s, not {rate!a}.", field="rate"
    )


def _stops_on_ctrl_c(stop: Callable[[], None]) -> asyncio.Event:
    """Let the first Ctrl-C finish what is under way; the event tells that it came.

    A second one ends the program as ever.
    """
    interrupted = asyncio.Event()
    loop = asyncio.get_running_loop()
    before = signal.getsignal(signal.SIGINT)

    def interrupt() -> None:
        interrupted.set()
        loop.remove_signal_handler(signal.SIGINT)
        signal.signal(signal.SIGINT, before)
        print_aside("Finishing what is under way; press Ctrl-C again to leave it.")
        stop()

    # Windows has no such handlers; there Ctrl-C cancels what is under way.
    with contextlib.suppress(NotImplementedError):
        loop.add_signal_handler(signal.SIGINT, interrupt)
    return interrupted


@contextmanager
def _progress() -> Iterator[Callable[[ImportProgress], None]]:
    """Shows how far it is: a bar on a terminal, and lines elsewhere."""
    console = Console(stderr=True)
    if not console.is_terminal:
        last = time.monotonic()

        def show_line(now: ImportProgress) -> None:
            nonlocal last
            if time.monotonic() - last >= _BETWEEN_LINES:
                last = time.monotonic()
                print_aside(f"{sum(now.counts.values())} of {now.entries}: {_words(now)}")

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
        task = bar.add_task("import", total=None, words="checking the file")

        def show(now: ImportProgress) -> None:
            done = sum(now.counts.values())
            bar.update(task, total=now.entries, completed=done, words=_words(now))

        yield show


def _words(now: ImportProgress) -> str:
    rate = f"{now.requests_per_second:.0f}/s allowed, " if now.requests_per_second else ""
    failed = now.counts.get("rejected", 0) + now.counts.get("unknown", 0)
    return f"{rate}{now.refused} refused as too many, {failed} errors"


def _duration(seconds: float) -> str:
    """Hours, minutes and seconds, as ``1:02:03``."""
    return str(timedelta(seconds=math.ceil(seconds)))


def _print_report(report: ImportReport, path: Path | None) -> None:
    counts = report.to_dict()
    print_note(f"{report.entries} entries")
    for name in _OUTCOMES:
        if counts[name]:
            print_note(f"{counts[name]:>8} {name}")
    for code, count in sorted(report.codes.items()):
        print_note(f"         {count} {code}")
    if report.limit is not None:
        print_note(f"The server refused requests at {report.limit:.0f} a second.")
    if report.rejected_path is not None:
        print_note(f"Rejected rows are in {report.rejected_path}.")
    if report.unused_columns:
        print_note(f"Columns that were not used: {', '.join(map(ascii, report.unused_columns))}.")
    if path is not None:
        path.write_text(json.dumps(counts, indent=2) + "\n", encoding="utf-8")


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
    rate = per_second or AdaptivePace.FIRST
    takes = f"At {rate:g} a second that takes {_duration(found.requests / rate)}."
    if per_second is None:
        takes += " It begins at that pace, and goes faster until the server refuses."
    print_note(takes)
    for sample in found.samples:
        print_json(sample)
