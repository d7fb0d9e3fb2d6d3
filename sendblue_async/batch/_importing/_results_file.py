"""What became of each row, as a file that joins the contacts to where the rows come from."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, Protocol

from attrs import evolve

from ..._files import open_to_replace
from .._mapping._contact_reader import ContactReader, Entry
from .._results import EntryOutcome
from .._sources._csv import escape_formula
from ._journal import Journal

COLUMNS = ("line", "outcome", "number", "contact_id", "code", "reason")
_JSON_LINES = (".jsonl", ".ndjson")
_ASK_EVERY = 1_000


class _Write(Protocol):
    def __call__(self, number: str, result: EntryOutcome, /) -> object: ...


class ResultsStopped(Exception):
    """The results were not written to their end; what was there before is unchanged."""


def write_results(
    path: Path, reader: ContactReader, journal: Journal, stopped: Callable[[], bool]
) -> None:
    """Write a line for each row, in the order of the file: as CSV, or JSON Lines by the name.

    A row that has no outcome yet is ``remaining``. One that went into another row has that one's
    ``contact_id``. Text that a spreadsheet would take for a formula gets an apostrophe in CSV;
    numbers stay as they were sent.

    Args:
        path: The file, which is replaced as a whole.
        reader: Gives the numbers, which the journal does not have.
        journal: Knows what became of each row.
        stopped: Called now and then; nothing is written if it returns true.

    Raises:
        ResultsStopped: If it was stopped.
        ValidationError: If the file of the rows cannot be read any more.
        OSError: If the results cannot be written.
    """
    with open_to_replace(path, like=reader.table.path) as file:
        write = (_json_lines if path.suffix.lower() in _JSON_LINES else _csv)(file)
        for entry, result in _match(reader.entries(), journal.results()):
            if entry.index % _ASK_EVERY == 0 and stopped():
                raise ResultsStopped
            write(entry.contact.number if entry.contact else "", result)


def _match(
    entries: Iterator[Entry], results: Iterator[EntryOutcome]
) -> Iterator[tuple[Entry, EntryOutcome]]:
    following = next(results, None)
    for entry in entries:
        if following is not None and following.index == entry.index:
            yield entry, evolve(following, line=entry.line)
            following = next(results, None)
        else:
            yield entry, EntryOutcome(entry.index, "remaining", entry.line)


def _csv(file: IO[str]) -> _Write:
    writer = csv.writer(file)
    writer.writerow(COLUMNS)

    def write(number: str, result: EntryOutcome, /) -> None:
        words = map(escape_formula, (result.contact_id, result.code, result.reason))
        writer.writerow((result.line, result.outcome, number, *words))

    return write


def _json_lines(file: IO[str]) -> _Write:
    def write(number: str, result: EntryOutcome, /) -> None:
        values = (
            result.line,
            result.outcome,
            number,
            result.contact_id,
            result.code,
            result.reason,
        )
        line = {name: value or None for name, value in zip(COLUMNS, values, strict=True)}
        file.write(json.dumps(line, ensure_ascii=False) + "\n")

    return write
