"""The file that ``--report`` names: checked before a run, written after it."""

from __future__ import annotations

import json
from contextlib import AbstractContextManager
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from .._files import (
    check_replaceable,
    is_same_file,
    is_stream,
    is_unread_pipe,
    open_stream,
    open_to_replace,
)
from ..exceptions import ValidationError
from ._output import print_stderr

if TYPE_CHECKING:
    from ..batch import ImportJob


def check_report(path: Path | None, job: ImportJob) -> None:
    """Check before the run that the report can be written, and replaces no other file."""
    if path is None:
        return
    try:
        for other in job.files:
            if is_same_file(path, other):
                use = "the file to import" if other == job.path else "a file that the import uses"
                named = path if str(path) == str(other) else f"{path} is {other}, which"
                raise ValidationError(
                    f"--report takes a file of its own; {named} is {use}.", field="report"
                )
        if not is_stream(path):
            check_replaceable(path)
    except OSError as error:
        raise ValidationError(
            f"The report cannot be written to {path}: {error.strerror}. Give --report a file in a "
            "folder that exists and can be written to.",
            field="report",
        ) from error


def write_report(path: Path, document: dict[str, Any], *, like: Path | None) -> bool:
    """Write the report, and return whether that succeeded."""
    try:
        opened: AbstractContextManager[IO[str]] = (
            open_stream(path) if is_stream(path) else open_to_replace(path, like=like)
        )
        with opened as file:
            file.write(json.dumps(document, indent=2) + "\n")
    except OSError as error:
        unread = is_unread_pipe(path, error)
        reason = "Nobody reads from this pipe" if unread else error.strerror or error
        print_stderr(
            f"The report could not be written to {path}: {reason}. A report that was there before "
            "is unchanged."
        )
        return False
    return True
