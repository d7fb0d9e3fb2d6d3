"""Where an import keeps its files."""

from __future__ import annotations

from pathlib import Path


def journal_path_of(file: Path) -> Path:
    """The path of the journal of an import of this file."""
    return Path(f"{file}.journal")


def rejected_path_of(file: Path) -> Path:
    """The path of the file of rows that an import of this file rejects."""
    return Path(f"{file}.rejected.csv")


def import_files(file: Path) -> tuple[Path, ...]:
    """The file, and all that an import of it may write beside it."""
    journal = journal_path_of(file)
    logs = (Path(f"{journal}{suffix}") for suffix in ("-wal", "-shm", "-journal"))
    return (file, journal, *logs, rejected_path_of(file))
