"""An export from start to finish: the account is listed page by page into a file."""

from __future__ import annotations

import contextlib
import io
import os
from collections.abc import Iterator
from contextlib import aclosing
from pathlib import Path
from typing import IO, Any

from attrs import frozen

from ..._event_loop import require_asyncio
from ..._files import (
    check_replaceable,
    is_stream,
    is_unread_pipe,
    open_at_once,
    open_to_replace,
)
from ...exceptions import ConfigurationError, ValidationError
from .._account import FetchPage, StoredContacts, list_pages
from .._importing._in_thread import run_in_thread
from ._formats import TEXT_WRITERS, ExportFormat, WorkbookWriter, Writer, choose_format

Target = str | os.PathLike[str] | IO[Any]
"""The name of a file, or an open one."""


@frozen(kw_only=True)
class ExportReport:
    """What an export has written.

    Attributes:
        path: The file, or ``None`` if an open one was given.
        format: How it is written.
        contacts: How many contacts it has.
    """

    path: Path | None
    format: ExportFormat
    contacts: int


async def export_account(
    fetch: FetchPage,
    target: Target,
    *,
    format: str | None,
    overwrite: bool,
) -> ExportReport:
    """Write all contacts of an account; see :meth:`SendblueClient.export_contacts`."""
    require_asyncio()
    path = Path(target) if isinstance(target, (str, os.PathLike)) else None
    chosen = choose_format(path, format)
    with (
        _open(target, path, overwrite=overwrite) as file,
        _make_writer(file, chosen) as writer,
    ):
        contacts = await _write_all(fetch, writer)
    return ExportReport(path=path, format=chosen, contacts=contacts)


async def _write_all(fetch: FetchPage, writer: Writer) -> int:
    count = 0
    with StoredContacts() as seen:
        async with aclosing(list_pages(fetch, seen)) as pages:
            async for page in pages:
                await run_in_thread(writer.write, page, stop=lambda: None)
                count += len(page)
    await run_in_thread(writer.finish, stop=lambda: None)
    return count


@contextlib.contextmanager
def _make_writer(file: IO[Any], format: ExportFormat) -> Iterator[Writer]:
    """Make the writer of a format to an open file, which stays open."""
    is_text = isinstance(file, io.TextIOBase)
    if format == "xlsx":
        # The files of this module are opened as text.
        buffer: Any = getattr(file, "buffer", None) if is_text else file
        if buffer is None:
            raise ConfigurationError("A workbook needs a file that is open for bytes.")
        writer = WorkbookWriter(buffer)
        try:
            yield writer
        finally:
            writer.close()
    elif is_text:
        yield TEXT_WRITERS[format](file)
    else:
        text = io.TextIOWrapper(file, encoding="utf-8", newline="", write_through=True)
        try:
            yield TEXT_WRITERS[format](text)
        finally:
            # Otherwise it would close the file with itself.
            text.detach()


@contextlib.contextmanager
def _open(target: Target, path: Path | None, *, overwrite: bool) -> Iterator[IO[Any]]:
    if path is None:
        if not hasattr(target, "write"):
            raise ValidationError(
                f"target must be the name of a file or an open one, not {type(target).__name__}.",
                field="target",
            )
        yield target  # type: ignore[misc]
        return
    if is_stream(path):
        with _open_stream(path) as stream:
            yield stream
        return
    _check_new(path, overwrite=overwrite)
    try:
        check_replaceable(path)
    except OSError as error:
        raise ValidationError(
            f"{path} cannot be written: {error.strerror}. Name a file in a folder that exists and "
            "can be written to.",
            field="target",
        ) from error
    # The permissions are those of the file that is replaced, or else for the owner alone.
    with open_to_replace(path, like=path) as file:
        yield file
        _check_new(path, overwrite=overwrite)


def _open_stream(path: Path) -> IO[bytes]:
    try:
        return open(path, "ab", opener=open_at_once)
    except OSError as error:
        if not is_unread_pipe(path, error):
            raise
        raise ValidationError(
            f"Nobody reads from the pipe {path}. Start its reader first.", field="target"
        ) from error


def _check_new(path: Path, *, overwrite: bool) -> None:
    if not overwrite and os.path.lexists(path):
        raise ValidationError(
            f"{path} exists. Name another file, or pass overwrite=True to replace it.",
            field="target",
        )
