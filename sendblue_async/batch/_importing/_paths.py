"""Where an import keeps its files."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from ..._files import check_replaceable, is_same_file, is_stream
from ...exceptions import ConfigurationError
from .._sources._file import make_path


def journal_path_of(file: Path | None, given: str | os.PathLike[str] | None = None) -> Path | None:
    """The path of the journal of an import of this file, if it has one."""
    if given is not None:
        return make_path(given, "journal")
    return file and Path(f"{file}.journal")


def rejected_path_of(file: Path | None, given: str | os.PathLike[str] | None = None) -> Path | None:
    """The path of the file of rows that an import of this file rejects, if they are kept."""
    if given is not None:
        return make_path(given, "rejected")
    return file and Path(f"{file}.rejected.csv")


def import_files(
    file: Path | None, journal: Path | None, rejected: Path | None, results: Path | None
) -> tuple[Path, ...]:
    """The file, and all that an import of it may write."""
    logs = [f"{journal}{suffix}" for suffix in ("-wal", "-shm", "-journal") if journal]
    files = (file, journal, *map(Path, logs), rejected, results)
    return tuple(path for path in files if path)


def check_own_file(name: str, path: Path, files: tuple[Path, ...], *, file: Path | None) -> None:
    """Check that a file that was named is none of the others, and no pipe or device.

    Args:
        name: The argument that named it.
        path: The file.
        files: All files of the import.
        file: The one that is imported, if it is one.

    Raises:
        ConfigurationError: If it is.
    """
    others = list(files)
    others.remove(path)
    try:
        if is_stream(path):
            raise ConfigurationError(f"{name} must be a file, and {path} is none.")
        for other in others:
            if is_same_file(path, other):
                use = "the file to import" if other == file else "used for another one"
                raise ConfigurationError(f"{name} must be a file of its own, and {path} is {use}.")
    except OSError as error:
        raise ConfigurationError(
            f"{name} must be a file that can be written, and {path} is none: {error.strerror}."
        ) from error


def check_resume(source: str, journal: Path | None, *, start_over: bool) -> None:
    """Check that there is a journal to resume an import by, and that it is to be kept.

    Raises:
        ConfigurationError: If there is none, or it is not.
    """
    if start_over:
        raise ConfigurationError(
            "resume=True and start_over=True exclude each other: one keeps the journal of the "
            "earlier import, the other replaces it."
        )
    if journal is None:
        raise ConfigurationError(
            f"There is nothing to resume {source} by. Name the journal that was given to the "
            "first run, as in journal='contacts.journal'."
        )


def check_writable(what: str, path: Path) -> None:
    """Check that a file can be written, before there is anything to write.

    Args:
        what: What it is to hold.
        path: The file.

    Raises:
        ConfigurationError: If it cannot.
    """
    try:
        check_replaceable(path)
    except OSError as error:
        raise ConfigurationError(
            f"The {what} cannot be written to {path}: {error.strerror}. Name a file in a "
            "folder that exists and can be written to."
        ) from error


def folder_beside(*paths: Path | None) -> Path:
    """The folder of the first of these that there is, or the one for temporary files."""
    return next((path.parent for path in paths if path), Path(tempfile.gettempdir()))
