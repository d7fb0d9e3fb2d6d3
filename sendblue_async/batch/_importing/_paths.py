"""Where an import keeps its files."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

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
    file: Path | None, journal: Path | None, rejected: Path | None
) -> tuple[Path, ...]:
    """The file, and all that an import of it may write."""
    logs = [f"{journal}{suffix}" for suffix in ("-wal", "-shm", "-journal") if journal]
    return tuple(path for path in (file, journal, *map(Path, logs), rejected) if path)


def folder_beside(*paths: Path | None) -> Path:
    """The folder of the first of these that there is, or the one for temporary files."""
    return next((path.parent for path in paths if path), Path(tempfile.gettempdir()))
