"""The first pass over a file, before anything is sent, and what an import would then do."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from attrs import asdict, frozen

from ...exceptions import JournalError
from .._mapping._contact_reader import ContactReader, Entry
from .._results import EntryOutcome
from .._sending._bulk import to_bulk
from .._sending._company import needs_update
from .._sending._options import SendOptions
from ._changes import Changes, PlannedChange
from ._duplicates import Duplicates
from ._journal import Journal
from ._options import ImportOptions
from ._preview import ImportMapping
from ._rejected import write_rejected
from ._report import to_json_value

_SAMPLES = 3
_LINES = 10
_ASK_EVERY = 1_000


def check(
    reader: ContactReader,
    journal: Journal,
    stopped: Callable[[], bool],
    keep: Callable[[list[Entry]], object] = lambda entries: None,
) -> None:
    """Read the file once before anything is sent, and note which entry has which number.

    Args:
        reader: The file.
        journal: Where that is noted.
        stopped: Called now and then; the check ends early when it returns true.
        keep: Called with all entries, many at a time.
    """
    checked = 0
    for entries in reader.batches():
        for entry in entries:
            if entry.contact is not None:
                journal.add_number(entry.index, entry.contact.number)
        keep(entries)
        checked = entries[-1].index + 1
        if stopped():
            return
    journal.finish_check(checked)


@frozen(kw_only=True)
class DryRun:
    """What an import would do.

    Attributes:
        entries: How many entries the file has.
        contacts: How many contacts would be sent.
        requests: With how many requests, if nothing goes wrong.
        requests_per_second: The rate limit at the beginning, or ``None`` without one.
        skipped: How many would not be sent, as a later row has the same number.
        unchanged: How many would not be sent, as the stored contact has every value already.
        changes: What would change in the account, field by field, where only changes are sent.
        codes: How many would be rejected, by code.
        samples: The first request bodies.
        encoding: The encoding that the file was read in, or ``None`` for a workbook.
        delimiter: The separator of its cells, or ``None``.
        sheet: The name of the sheet that was read, in a workbook.
        other_sheets: The other visible sheets that have rows; nothing of them was read.
        hidden_rows: How many rows of the sheet are hidden. They were read as all others.
        unused_columns: The columns that no field of a contact was taken from.
        lines: The first ten lines of the rejected entries, by code.
        unit: What ``lines`` counts: ``"line"``, or ``"row"`` of a sheet.
        mapping: How the file is read, and what is doubtful about that.
        rejected_path: The file of the rows that would be rejected, or ``None`` if there are none,
            or none was named.
    """

    entries: int
    contacts: int
    requests: int
    requests_per_second: float | None
    skipped: int
    unchanged: int = 0
    changes: tuple[PlannedChange, ...] = ()
    codes: Mapping[str, int]
    samples: tuple[dict[str, Any], ...]
    encoding: str | None
    delimiter: str | None
    sheet: str | None = None
    other_sheets: tuple[str, ...] = ()
    hidden_rows: int = 0
    unused_columns: tuple[str, ...]
    lines: Mapping[str, tuple[int, ...]]
    unit: str = "line"
    mapping: ImportMapping
    rejected_path: Path | None = None

    def to_dict(self) -> dict[str, Any]:
        """Convert it to a JSON document."""
        return asdict(self, value_serializer=lambda _, __, value: to_json_value(value))


def dry_run(
    inspect: Callable[[], tuple[ContactReader, ImportMapping]],
    import_options: ImportOptions,
    send_options: SendOptions,
    stopped: Callable[[], bool],
    *,
    checked: Callable[[list[Entry]], object],
    requests_per_second: float | None,
    changes: Changes | None = None,
    rejected: Path | None = None,
) -> DryRun | None:
    """Find out what an import of the file would do; return ``None`` if stopped before that.

    Nothing is sent, and nothing is written but the rejected rows, if a file is named for them.

    Args:
        inspect: Opens the file, and sees how it is read.
        import_options: How it would be read.
        send_options: How its contacts would be sent.
        stopped: Called now and then; the dry run ends early when it returns true.
        checked: Called with all entries, many at a time, as the file is read for the first time.
        requests_per_second: The rate limit at the beginning.
        changes: Knows what would change in the account, or ``None`` if every contact is sent.
        rejected: Where the rows are written that would be rejected, if anywhere.

    Raises:
        ValidationError: If the file cannot be used.
        ConfigurationError: If an option cannot be used.
        JournalError: If the rejected rows cannot be written.
    """
    reader, mapping = inspect()
    codes: Counter[str] = Counter()
    lines: dict[str, list[int]] = {}
    samples: list[dict[str, Any]] = []
    planned: list[PlannedChange] = []
    refused: list[EntryOutcome] = []
    contacts = in_bulk = updates = skipped = unchanged = 0
    with Journal.open(None, fingerprint="", settings={}, resume=False) as journal:
        check(reader, journal, stopped, checked)
        if not journal.checked:
            return None
        duplicates = Duplicates(journal, import_options.on_duplicate)
        for entry in reader.entries():
            if entry.index % _ASK_EVERY == 0 and stopped():
                return None
            if entry.contact is None:
                assert entry.problem is not None
                code, reason = entry.problem.code, entry.problem.reason
                codes[code] += 1
                if codes[code] <= _LINES:
                    lines.setdefault(code, []).append(entry.line)
                refused.append(EntryOutcome(entry.index, "rejected", entry.line, code, reason))
                if len(refused) == _ASK_EVERY:
                    journal.commit([], refused)
                    refused.clear()
                continue
            contact = duplicates.resolve(entry, entry.contact)
            if contact is None:
                skipped += 1
                continue
            if changes is not None:
                change = changes.plan(entry, contact)
                if change is None:
                    unchanged += 1
                    continue
                planned.append(change)
                contact = changes.leave_out_company(contact)
            contacts += 1
            updates += needs_update(contact)
            in_bulk += send_options.bulk and to_bulk(contact) is not None
            if len(samples) < _SAMPLES:
                samples.append(contact.to_dict())
        entries = journal.entries
        journal.commit([], refused)
        is_written = rejected is not None and _write_rejected(rejected, reader, journal)
    return DryRun(
        entries=entries,
        contacts=contacts,
        requests=contacts + updates - in_bulk + math.ceil(in_bulk / send_options.concurrency),
        requests_per_second=requests_per_second,
        skipped=skipped,
        unchanged=unchanged,
        changes=tuple(planned),
        codes=dict(codes),
        samples=tuple(samples),
        encoding=reader.table.encoding,
        delimiter=reader.table.delimiter,
        sheet=reader.table.sheet,
        other_sheets=reader.table.other_sheets,
        hidden_rows=reader.table.hidden_rows,
        unused_columns=reader.columns.unused,
        lines={code: tuple(found) for code, found in lines.items()},
        unit=reader.table.unit,
        mapping=mapping,
        rejected_path=rejected if is_written else None,
    )


def _write_rejected(path: Path, reader: ContactReader, journal: Journal) -> bool:
    reader.table.check_unchanged()
    try:
        return write_rejected(path, reader.table, journal.rejected())
    except OSError as error:
        raise JournalError(
            f"The rejected rows could not be written to {path} ({error})."
        ) from error
