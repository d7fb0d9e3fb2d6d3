"""What an import would do, found out from the file alone."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from attrs import frozen

from .._sending._bulk import check_bulk, to_bulk
from ._check import check
from ._duplicates import Duplicates
from ._journal import Journal
from ._options import ImportOptions

_SAMPLES = 3
_ASKED_AFTER = 1_000


@frozen(kw_only=True)
class DryRun:
    """What an import would do.

    Attributes:
        entries: How many entries the file has.
        contacts: How many contacts would be sent.
        requests: With how many requests, if nothing goes wrong.
        skipped: How many would not be, as a later row has the same number.
        codes: How many would be rejected, by why.
        samples: The first request bodies.
        encoding: What the file was read as.
        delimiter: What stands between its cells, or ``None``.
        unused_columns: The columns that no field of a contact was taken from.
    """

    entries: int
    contacts: int
    requests: int
    skipped: int
    codes: Mapping[str, int]
    samples: tuple[dict[str, Any], ...]
    encoding: str
    delimiter: str | None
    unused_columns: tuple[str, ...]


def dry_run(
    path: Path, *, concurrency: int, bulk: bool, stopped: Callable[[], bool], **given: Any
) -> DryRun | None:
    """What an import of the file would do, or ``None`` if it was stopped before that was known.

    Nothing is sent, and nothing is written beside the file.

    Args:
        path: The file.
        concurrency: How many contacts would be under way at once.
        bulk: Whether those go into one request, where it can carry them.
        stopped: Asked now and then whether to stop.
        given: The fields of :class:`ImportOptions`.

    Raises:
        ValidationError: If the file or an option cannot be used.
    """
    options = ImportOptions(**given)
    check_bulk(bulk, options.update_if_exists)
    reader = options.read(path)
    codes: Counter[str] = Counter()
    samples: list[dict[str, Any]] = []
    contacts = in_bulk = skipped = 0
    with Journal.open(None, fingerprint="", settings={}, resume=False) as journal:
        check(reader, journal, stopped)
        if not journal.checked:
            return None
        duplicates = Duplicates(journal, options.on_duplicate)
        for entry in reader.entries():
            if entry.index % _ASKED_AFTER == 0 and stopped():
                return None
            if entry.contact is None:
                codes[entry.problem.code if entry.problem else ""] += 1
                continue
            contact = duplicates.contact(entry, entry.contact)
            if contact is None:
                skipped += 1
                continue
            contacts += 1
            in_bulk += bulk and to_bulk(contact) is not None
            if len(samples) < _SAMPLES:
                samples.append(contact.to_dict())
        entries = journal.entries
    return DryRun(
        entries=entries,
        contacts=contacts,
        requests=contacts - in_bulk + math.ceil(in_bulk / concurrency),
        skipped=skipped,
        codes=dict(codes),
        samples=tuple(samples),
        encoding=reader.table.encoding,
        delimiter=reader.table.delimiter,
        unused_columns=reader.columns.unused,
    )
