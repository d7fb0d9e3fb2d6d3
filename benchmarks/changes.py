"""What ``only_changes`` costs: requests, time, and memory for each contact of the account.

From the folder above: ``python -m benchmarks.changes --contacts 100000``.
"""

from __future__ import annotations

import argparse
import asyncio
import csv
import resource
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime, timedelta, timezone
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

from .imports import write_rows
from .processes import measured, serving
from .server import HOST, KEYS
from .tables import table

# An account for which buffers have their size; from there on memory is to grow slowly.
_SETTLED = 10_000
# One in so many contacts has changed.
_CHANGED = 100
_NO_LIMIT = 1e9
_FIRST = datetime(2026, 1, 1, tzinfo=timezone.utc)


class Run(NamedTuple):
    """What an import took: seconds, contacts that it sent, and the most memory, in bytes."""

    seconds: float
    stored: int
    peak: int


@asynccontextmanager
async def account(rows: str, database: str) -> AsyncIterator[tuple[str, dict[str, int]]]:
    """A sandbox whose account has the contacts of a file, all but a few as the file has them."""
    from sendblue_async.sandbox import Sandbox

    _fill(rows, database)
    async with Sandbox(HOST, db=database, **KEYS) as running:
        yield running.base_url, running.counts


def _fill(rows: str, database: str) -> None:
    from sendblue_async.sandbox._contact import StoredContact
    from sendblue_async.sandbox._store import SqliteStore

    store = SqliteStore(database)
    store.open()
    with Path(rows).open(encoding="utf-8", newline="") as file, store.exclusive():
        for n, row in enumerate(csv.DictReader(file)):
            store.put(StoredContact(**_make_contact(n, row)))
    store.close()


def _make_contact(n: int, row: dict[str, str]) -> dict[str, Any]:
    return {
        "phone": row["number"],
        "contact_id": f"6f1a3f0e-3d0b-4c5e-9b1a-{n:012}",
        "first_name": row["first_name"],
        "last_name": "Byron" if n % _CHANGED == 0 else row["last_name"],
        "tags": row["tags"].split(";"),
        "created_at": (_FIRST + timedelta(seconds=n)).strftime("%Y-%m-%dT%H:%M:%S.000Z"),
    }


def import_changes(rows: str, base_url: str) -> Run:
    """Import the file, and send only what has changed."""
    from sendblue_async import ImportReport, SendblueClient

    async def run() -> ImportReport:
        async with SendblueClient(base_url=base_url, **KEYS) as client:
            return await client.import_contacts(
                rows, update_if_exists=True, only_changes=True, rate_limit=_NO_LIMIT
            )

    started = time.perf_counter()
    report = asyncio.run(run())
    seconds = time.perf_counter() - started
    if report.stored + report.unchanged != report.entries:
        raise RuntimeError(f"Not every contact is stored: {report}")
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    return Run(seconds, report.stored, peak)


def measure(contacts: int) -> tuple[Run, int]:
    """One import into an account of so many contacts, and how many requests it took."""
    with TemporaryDirectory() as folder:
        rows = str(write_rows(Path(folder, "rows.csv"), contacts))
        with serving(account, rows, str(Path(folder, "account.db"))) as served:
            run = measured(import_changes, rows, served.base_url)
        return run, served.counts["requests"]


def main() -> None:
    """Print how an import into a small and one into a large account went."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--contacts", type=int, default=100_000)
    contacts: int = parser.parse_args().contacts
    head = ["contacts", "sent", "requests", "seconds", "peak MB", "bytes per contact"]
    lines = []
    small, _ = measure(_SETTLED)
    for count in (_SETTLED, contacts):
        run, requests = measure(count)
        each = (run.peak - small.peak) / max(1, count - _SETTLED)
        lines.append(
            [
                f"{count:,}",
                f"{run.stored:,}",
                f"{requests:,}",
                f"{run.seconds:.1f}",
                f"{run.peak / 1e6:.1f}",
                "" if count == _SETTLED else f"{each:.0f}",
            ]
        )
    print(table(head, lines))


if __name__ == "__main__":
    main()
