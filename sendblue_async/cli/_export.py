"""The export of the account to a file, or to standard output."""

from __future__ import annotations

import sys
from enum import Enum
from pathlib import Path
from typing import Annotated

import typer

from ..exceptions import ValidationError
from ._app import InSandbox, app, command, open_client, parse_path
from ._help import format_examples
from ._output import format_count, print_stderr


class Format(str, Enum):
    """How an export is written."""

    CSV = "csv"
    JSONL = "jsonl"
    XLSX = "xlsx"


@app.command(
    epilog=format_examples(
        "export contacts.csv",
        "export contacts.xlsx --force",
        "export --format jsonl | gzip > contacts.jsonl.gz",
    ),
)
@command
async def export(
    file: Annotated[
        Path | None,
        typer.Argument(
            metavar="FILE",
            parser=parse_path,
            help="File to write, .csv, .jsonl or .xlsx, or -. Default: standard output.",
        ),
    ] = None,
    format: Annotated[
        Format | None,
        typer.Option(
            metavar="csv|jsonl|xlsx",
            help="Format. Default: as the name of the file says, or csv.",
        ),
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace a file that exists.")] = False,
    sandbox: InSandbox = False,
) -> None:
    """Export all contacts to a file that `import` reads back."""
    if file == Path("-"):
        file = None
    if file is None and format is Format.XLSX and sys.stdout.isatty():
        raise ValidationError("A terminal shows no workbook. Name a FILE.", field="file")
    async with open_client(sandbox) as client:
        report = await client.export_contacts(
            sys.stdout.buffer if file is None else file,
            format=None if format is None else format.value,
            overwrite=force,
        )
    where = "" if file is None else f" to {file}"
    print_stderr(f"Exported {format_count(report.contacts, 'contact')}{where}.")
