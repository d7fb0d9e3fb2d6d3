"""What the journal costs: a file imported, beside the bare client creating the same contacts.

From the folder above: ``python -m benchmarks.imports --rows 100000``.
"""

from __future__ import annotations

import argparse
import asyncio
import csv
import re
import time
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

from .clients import CONCURRENCY
from .processes import measured, serving
from .server import KEYS, answering_at_once, answering_late, sandbox
from .tables import ratio, spread, table

SERVERS = {"sandbox": sandbox, "instant": answering_at_once, "late": answering_late}

# Area codes in use; with any of them, numbers from 2000000 on are valid for libphonenumber.
_AREAS = (201, 212, 303, 312, 404, 415, 503, 512, 602, 617, 702, 713, 773, 818, 917, 949)
_FIRST_NAMES = ("Ada", "Grace", "Alan", "Joan", "Edsger", "Barbara", "Donald", "Radia", "Zoë")
_TAGS = ("vip;lead", "lead;newsletter", "customer;vip")

# A rate limit that nobody has to wait for.
_NO_LIMIT = 1e9
# Rows until buffers have their size; from there on memory is not to grow.
_SETTLED = 10_000


class Moment(NamedTuple):
    """How far an import is.

    Attributes:
        rows: How many rows were sent.
        seconds: Since the import was called.
        cpu: Seconds of processor time since then.
        resident: Bytes of memory that the process has.
    """

    rows: int
    seconds: float
    cpu: float
    resident: int


class Import(NamedTuple):
    """What an import took.

    Attributes:
        checked: When the file had been checked and the sending began.
        settled: When memory was first looked at.
        ended: When it was done.
        peak: The most bytes of memory that the process had between the latter two.
    """

    checked: Moment
    settled: Moment
    ended: Moment
    peak: int

    @property
    def growth(self) -> float:
        """MB that memory grew by at most, once it had settled."""
        return max(0, self.peak - self.settled.resident) / 1e6


class Pass(NamedTuple):
    """What it took to go through all rows: seconds, and seconds of processor time."""

    rows: int
    seconds: float
    cpu: float

    @property
    def rate(self) -> float:
        """Rows a second."""
        return self.rows / self.seconds

    @property
    def cpu_each(self) -> float:
        """Microseconds of processor time per row."""
        return self.cpu / self.rows * 1e6


def write_rows(path: Path, count: int) -> Path:
    """A CSV file with so many contacts, no two of which have the same number."""
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["number", "first_name", "last_name", "tags"])
        for row in range(count):
            block, area = divmod(row, len(_AREAS))
            number = f"+1{_AREAS[area]}{2_000_000 + block}"
            first_name, tags = _FIRST_NAMES[row % len(_FIRST_NAMES)], _TAGS[row % len(_TAGS)]
            writer.writerow([number, first_name, f"Lovelace {row}", tags])
    return path


def import_file(path: Path, base_url: str, concurrency: int, settled: int) -> Import:
    """Import the file, with its journal.

    Args:
        path: The file.
        base_url: The server.
        concurrency: How many contacts are in flight at once.
        settled: How many rows are to be sent until memory is first looked at.

    Raises:
        RuntimeError: If not all rows were stored.
    """
    from sendblue_async import ImportProgress, ImportReport, SendblueClient

    moments: list[Moment] = []

    def moment(rows: int) -> Moment:
        seconds, cpu = time.perf_counter() - started, time.process_time() - started_cpu
        return Moment(rows, seconds, cpu, _memory("VmRSS"))

    def notice(progress: ImportProgress) -> None:
        if not progress.checked:
            return
        rows = sum(progress.counts.values())
        if not moments:
            moments.append(moment(rows))
        elif len(moments) == 1 and rows >= settled:
            moments.append(moment(rows))
            _forget_peak()

    async def run() -> ImportReport:
        async with SendblueClient(base_url=base_url, **KEYS) as client:
            return await client.import_contacts(
                path,
                update_if_exists=True,
                concurrency=concurrency,
                rate_limit=_NO_LIMIT,
                progress=notice,
            )

    started, started_cpu = time.perf_counter(), time.process_time()
    report = asyncio.run(run())
    ended, peak = moment(report.stored), _memory("VmHWM")
    if report.stored != report.entries:
        raise RuntimeError(f"Not every row was stored: {report}")
    checked_at, settled_at = moments
    return Import(checked_at, settled_at, ended, peak)


def create_each(path: Path, base_url: str, concurrency: int) -> Pass:
    """Create the contacts of the file one by one, with nothing that could resume it."""
    from sendblue_async import ContactCreate, SendblueClient

    def contacts() -> Iterator[ContactCreate]:
        with path.open(encoding="utf-8", newline="") as file:
            for row in csv.DictReader(file):
                yield ContactCreate(
                    number=row["number"],
                    first_name=row["first_name"],
                    last_name=row["last_name"],
                    tags=row["tags"].split(";"),
                    update_if_exists=True,
                )

    async def run() -> int:
        source = contacts()
        async with SendblueClient(base_url=base_url, **KEYS) as client:

            async def work() -> int:
                created = 0
                for contact in source:
                    await client.create_contact(contact)
                    created += 1
                return created

            return sum(await asyncio.gather(*(work() for _ in range(concurrency))))

    started, cpu = time.perf_counter(), time.process_time()
    created = asyncio.run(run())
    return Pass(created, time.perf_counter() - started, time.process_time() - cpu)


def _memory(name: str) -> int:
    """Bytes of memory of this process, now (VmRSS) or at the most (VmHWM); Linux tells them."""
    status = Path("/proc/self/status").read_text(encoding="ascii")
    found = re.search(rf"^{name}:\s+([0-9]+) kB$", status, re.MULTILINE)
    assert found is not None
    return int(found[1]) * 1024


def _forget_peak() -> None:
    """Let VmHWM count from now on."""
    Path("/proc/self/clear_refs").write_text("5", encoding="ascii")


def measure(server_name: str, rows: int, concurrency: int) -> tuple[Import, Pass]:
    """One import and one pass of the bare client, each at a server that knows no contact yet.

    Raises:
        RuntimeError: If a server has not seen as many requests as there are rows.
    """
    server = SERVERS[server_name]
    with TemporaryDirectory() as folder:
        path = write_rows(Path(folder, "contacts.csv"), rows)
        with serving(server) as importing:
            settled = min(_SETTLED, rows // 2)
            imported = measured(import_file, path, importing.base_url, concurrency, settled)
        with serving(server) as creating:
            created = measured(create_each, path, creating.base_url, concurrency)
    for name, count in ("import", importing.counts), ("bare client", creating.counts):
        if count["requests"] != rows:
            raise RuntimeError(f"{rows} rows were {count['requests']} requests of the {name}.")
    return imported, created


def _passes(one: Import) -> dict[str, Pass]:
    """The import as a whole, and its parts."""
    checked, _, ended, _ = one
    return {
        "import, with its journal": Pass(ended.rows, ended.seconds, ended.cpu),
        "of it: checking the file": Pass(ended.rows, checked.seconds, checked.cpu),
        "of it: sending": Pass(
            ended.rows, ended.seconds - checked.seconds, ended.cpu - checked.cpu
        ),
    }


def main() -> None:
    """Measure round by round, and print the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=100_000)
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--concurrency", type=int, default=CONCURRENCY)
    parser.add_argument(
        "--server", choices=SERVERS, default="sandbox", help="instant and late store nothing"
    )
    chosen = parser.parse_args()
    rounds = [measure(chosen.server, chosen.rows, chosen.concurrency) for _ in range(chosen.rounds)]
    imports, bare = [one for one, _ in rounds], [other for _, other in rounds]

    passes = {name: [_passes(one)[name] for one in imports] for name in _passes(imports[0])}
    passes["SendblueClient alone"] = bare
    print(
        f"{chosen.rows:,} rows, {chosen.concurrency} in flight at once, server: {chosen.server}\n"
    )
    rows = [
        [
            name,
            spread([one.rate for one in of_one]),
            spread([one.seconds for one in of_one], ".1f"),
            spread([one.cpu_each for one in of_one]),
        ]
        for name, of_one in passes.items()
    ]
    print(table(["", "rows/s", "seconds", "CPU µs per row"], rows))

    print("Memory of the process that imports:\n")
    moments = {
        f"at row {imports[0].settled.rows:,}": [one.settled.resident for one in imports],
        "most from there on": [one.peak for one in imports],
        "at the end": [one.ended.resident for one in imports],
    }
    rows = [
        [name, spread([size / 1e6 for size in sizes], ".1f")] for name, sizes in moments.items()
    ]
    print(table(["", "MB"], rows))

    whole, _, sending, _ = passes
    rates = {name: [one.rate for one in of_one] for name, of_one in passes.items()}
    against = "rows/s against SendblueClient alone"
    rows = [
        [f"{whole}: {against}", "≥ 0.7 ×", ratio(rates[whole], rates["SendblueClient alone"])],
        [f"{sending}: {against}", "", ratio(rates[sending], rates["SendblueClient alone"])],
        ["growth of memory", "≤ 20 MB", f"{spread([one.growth for one in imports], '.1f')} MB"],
    ]
    print(table(["figure", "goal", "measured"], rows))


if __name__ == "__main__":
    main()
