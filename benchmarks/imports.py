"""What an import costs: files of each format, beside the bare client creating the same contacts.

From the folder above: ``python -m benchmarks.imports --rows 100000 --formats csv vcf``.
"""

from __future__ import annotations

import argparse
import asyncio
import csv
import json
import re
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import IO, NamedTuple

from .clients import CONCURRENCY
from .processes import measured, serving
from .server import KEYS, answering_at_once, answering_late, sandbox
from .tables import ratio, spread, table

SERVERS = {"sandbox": sandbox, "instant": answering_at_once, "late": answering_late}

# Area codes in use; with any of them, numbers from 2000000 on are valid for libphonenumber.
_AREAS = (201, 212, 303, 312, 404, 415, 503, 512, 602, 617, 702, 713, 773, 818, 917, 949)
_FIRST_NAMES = ("Ada", "Grace", "Alan", "Joan", "Edsger", "Barbara", "Donald", "Radia", "Zoë")
_TAGS = ("vip;lead", "lead;newsletter", "customer;vip")

_BARE = "`SendblueClient` alone"

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


class Person(NamedTuple):
    """A contact that is written to a file."""

    number: str
    first_name: str
    last_name: str
    tags: str


def make_people(count: int) -> Iterator[Person]:
    """Make so many contacts, no two of which have the same number."""
    for row in range(count):
        block, area = divmod(row, len(_AREAS))
        number = f"+1{_AREAS[area]}{2_000_000 + block}"
        first_name, tags = _FIRST_NAMES[row % len(_FIRST_NAMES)], _TAGS[row % len(_TAGS)]
        yield Person(number, first_name, f"Lovelace {row}", tags)


def write_rows(path: Path, count: int) -> Path:
    """Write a CSV file with so many contacts."""
    return _write_text(path, count, _write_csv)


def _write_text(path: Path, count: int, write: Callable[[IO[str], Iterator[Person]], None]) -> Path:
    with path.open("w", encoding="utf-8", newline="") as file:
        write(file, make_people(count))
    return path


def _write_csv(file: IO[str], people: Iterator[Person]) -> None:
    writer = csv.writer(file)
    writer.writerow(Person._fields)
    writer.writerows(people)


def _write_json_lines(file: IO[str], people: Iterator[Person]) -> None:
    for person in people:
        fields = {**person._asdict(), "tags": person.tags.split(";")}
        file.write(f"{json.dumps(fields, ensure_ascii=False)}\n")


def _write_vcard(file: IO[str], people: Iterator[Person]) -> None:
    for number, first_name, last_name, tags in people:
        lines = (
            "BEGIN:VCARD",
            "VERSION:3.0",
            f"N:{last_name};{first_name};;;",
            f"FN:{first_name} {last_name}",
            f"TEL;TYPE=CELL:{number}",
            f"CATEGORIES:{tags.replace(';', ',')}",
            "END:VCARD",
        )
        file.write("".join(f"{line}\r\n" for line in lines))


def _write_workbook(path: Path, count: int) -> Path:
    from openpyxl import Workbook

    workbook = Workbook(write_only=True)
    sheet = workbook.create_sheet("Contacts")
    sheet.append(Person._fields)
    for person in make_people(count):
        sheet.append(person)
    workbook.save(path)
    return path


WRITERS: dict[str, Callable[[Path, int], Path]] = {
    "csv": write_rows,
    "jsonl": partial(_write_text, write=_write_json_lines),
    "vcf": partial(_write_text, write=_write_vcard),
    "xlsx": _write_workbook,
}
"""Write a file with so many contacts, by the end of its name."""


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


def measure(
    server_name: str, rows: int, concurrency: int, formats: list[str]
) -> tuple[dict[str, Import], Pass]:
    """An import of each format, and one pass of the bare client, which reads the CSV file.

    Each has a server that knows no contact yet.

    Raises:
        RuntimeError: If a server has not seen as many requests as there are rows.
    """
    server = SERVERS[server_name]
    counts: dict[str, dict[str, int]] = {}
    imports: dict[str, Import] = {}
    with TemporaryDirectory() as folder:
        for name in formats:
            path = WRITERS[name](Path(folder, f"contacts.{name}"), rows)
            with serving(server) as served:
                settled = min(_SETTLED, rows // 2)
                imports[name] = measured(import_file, path, served.base_url, concurrency, settled)
            counts[f"import of .{name}"] = served.counts
        path = write_rows(Path(folder, "bare.csv"), rows)
        with serving(server) as served:
            created = measured(create_each, path, served.base_url, concurrency)
        counts[_BARE] = served.counts
    for name, count in counts.items():
        if count["requests"] != rows:
            raise RuntimeError(f"{rows} rows were {count['requests']} requests: {name}.")
    return imports, created


def _passes(one: Import) -> tuple[Pass, Pass, Pass]:
    """The import as a whole, and its parts: the check of the file, and the sending."""
    checked, _, ended, _ = one
    return (
        Pass(ended.rows, ended.seconds, ended.cpu),
        Pass(ended.rows, checked.seconds, checked.cpu),
        Pass(ended.rows, ended.seconds - checked.seconds, ended.cpu - checked.cpu),
    )


def main() -> None:
    """Measure round by round, and print the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=100_000)
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--concurrency", type=int, default=CONCURRENCY)
    parser.add_argument("--formats", nargs="+", choices=WRITERS, default=list(WRITERS))
    parser.add_argument(
        "--server", choices=SERVERS, default="sandbox", help="instant and late store nothing"
    )
    chosen = parser.parse_args()
    rounds = [
        measure(chosen.server, chosen.rows, chosen.concurrency, chosen.formats)
        for _ in range(chosen.rounds)
    ]
    bare = [other for _, other in rounds]
    imports = {name: [every[name] for every, _ in rounds] for name in chosen.formats}

    print(
        f"{chosen.rows:,} rows, {chosen.concurrency} in flight at once, server: {chosen.server}\n"
    )
    passes: dict[str, list[Pass]] = {}
    for name, of_one in imports.items():
        whole, checks, sendings = zip(*map(_passes, of_one), strict=True)
        passes[f".{name}, with its journal"] = [*whole]
        passes[f".{name}: checking the file"] = [*checks]
        passes[f".{name}: sending"] = [*sendings]
    passes[_BARE] = bare
    rows = [
        [
            name,
            spread([one.rate for one in of_one]),
            spread([one.seconds for one in of_one], ".1f"),
            spread([one.cpu_each for one in of_one]),
            ratio([one.rate for one in of_one], [one.rate for one in bare]),
            ratio([one.cpu_each for one in of_one], [one.cpu_each for one in bare]),
        ]
        for name, of_one in passes.items()
    ]
    head = ["", "rows/s", "seconds", "CPU µs per row", "rows/s of the bare client", "its CPU"]
    print(table(head, rows))
    print("Goal: a .csv file with its journal at 0.7 × the rows/s of the bare client.\n")

    print("Memory of the process that imports, in MB; it is to grow by at most 20:\n")
    rows = [
        [
            f".{name}",
            spread([one.settled.resident / 1e6 for one in of_one], ".1f"),
            spread([one.peak / 1e6 for one in of_one], ".1f"),
            spread([one.growth for one in of_one], ".1f"),
        ]
        for name, of_one in imports.items()
    ]
    settled = min(_SETTLED, chosen.rows // 2)
    print(table(["", f"once {settled:,} rows were sent", "most from there on", "growth"], rows))


if __name__ == "__main__":
    main()
