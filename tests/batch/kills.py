"""An import that is killed again and again, at a server with faults and lagging reads.

From the folder above ``tests``: ``python -m tests.batch.kills --rows 10000 --kills 50 --seed 5``.
"""

from __future__ import annotations

import argparse
import random
import shutil
import signal
import sqlite3
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import Any

from anyio.from_thread import start_blocking_portal
from attrs import evolve, field, frozen

from sendblue_async.sandbox import Faults, Sandbox

from ..sync.programs import Programs

CONCURRENCY = 16

IMPORT = """
    import sys
    from sendblue_async import RetryPolicy, SyncSendblueClient, Timeouts
    path, update, bulk, concurrency = sys.argv[1:]
    client = SyncSendblueClient(
        retry=RetryPolicy(base=0.001, cap=0.01, rate_limit_base=0.001), timeouts=Timeouts(attempt=2)
    )
    report = client.import_contacts(
        path, update_if_exists=update == "True", bulk=bulk == "True", resume=True,
        concurrency=int(concurrency), rate_limit=1e6,
    )
    print(report.created, report.stored, report.existing, report.rejected, report.unknown)
"""
OUTCOMES = ("created", "stored", "existing", "rejected", "unknown")
FAULTS = Faults(
    too_many_requests=0.01,
    reset=0.03,
    server_error=0.03,
    server_error_after_commit=0.03,
    drop_after_commit=0.04,
    short_body=0.02,
    garbage=0.02,
    # Longer than the first look-up waits, and short enough for a run to end.
    read_lag=0.4,
)
# Rows that cannot be sent, which stand between the others.
INVALID = ("nobody,,,,", "12,,,,")


@frozen(kw_only=True)
class Killed:
    """What came of an import that was killed and resumed until it ended.

    Attributes:
        kills: How often it was killed before it had ended.
        open: For each kill, how many rows were begun and had not ended: all that the next run
            could send a second time.
        outcomes: How many rows the last run reported with which outcome.
        expected: The contacts that the file holds: first name and company by number.
        stored: Those that the server has.
        created: How often a contact was created.
        requests: How many requests came.
    """

    kills: int
    open: list[int]
    outcomes: Counter[str]
    expected: dict[str, tuple[str, str | None]] = field(repr=False)
    stored: dict[str, tuple[str, str | None]] = field(repr=False)
    created: int
    requests: int


def number(n: int) -> str:
    """One of many valid numbers."""
    return f"+1{201 + n // 10_000}555{n % 10_000:04}"


def left_open(path: Path) -> int:
    """How many rows a killed import has begun and not ended, as a copy of its journal tells."""
    copies = [Path(f"{path}.copy{end}") for end in (".journal", ".journal-wal")]
    for copy, end in zip(copies, (".journal", ".journal-wal"), strict=True):
        original = Path(f"{path}{end}")
        if original.exists():
            shutil.copy(original, copy)
    connection = sqlite3.connect(copies[0])
    try:
        [(count,)] = connection.execute("SELECT count(*) FROM state WHERE outcome = 0")
        return int(count)
    finally:
        connection.close()
        for copy in copies:
            copy.unlink(missing_ok=True)


def run_killed(
    programs: Programs,
    sandbox: Sandbox,
    *,
    rows: int,
    kills: int,
    seed: int,
    update: bool = False,
    bulk: bool = False,
    read_lag: float | None = None,
) -> Killed:
    """Import so many rows on the sandbox, killed at random points, resumed each time."""
    draw = random.Random(seed)
    # Of three kinds: without a company, with one that a bulk request carries, and with one that an
    # update has to.
    expected = {number(n): (f"n{n}", f"c{n}" if n % 3 else None) for n in range(rows)}
    lines = [
        f"{phone},{name},t{n % 7},{company or ''},{'a@example.com' if n % 3 == 2 else ''}"
        for n, (phone, (name, company)) in enumerate(expected.items())
    ]
    for line in INVALID:
        lines.insert(draw.randrange(rows), line)
    path = programs.folder / "people.csv"
    header = "number,first_name,tags,company_name,assigned_to_email"
    path.write_text("\n".join([header, *lines]) + "\n", encoding="utf-8")
    arguments = [str(path), str(update), str(bulk), str(CONCURRENCY)]
    sandbox.faults = FAULTS if read_lag is None else evolve(FAULTS, read_lag=read_lag)
    killed: list[int] = []
    # Between two kills there are so many requests that the last kill comes before the end. One
    # of a bulk request carries many contacts.
    between = 3 * rows // (2 * kills) // (8 if bulk else 1)
    for _ in range(kills):
        until = sandbox.counts["requests"] + draw.randrange(between)
        with programs.start(IMPORT, arguments=arguments) as program:
            while sandbox.counts["requests"] < until and program.poll() is None:
                time.sleep(0.001)
            time.sleep(draw.random() * 0.02)
            program.send_signal(signal.SIGKILL)
            program.communicate()
        if program.returncode == -signal.SIGKILL:
            # Before its journal is made, nothing is open.
            made = path.with_name("people.csv.journal").exists()
            killed.append(left_open(path) if made else 0)
    with programs.start(IMPORT, arguments=arguments) as program:
        printed, complaints = program.communicate(timeout=300)
    assert complaints == "", complaints
    return Killed(
        kills=len(killed),
        open=killed,
        outcomes=+Counter(dict(zip(OUTCOMES, map(int, printed.split()), strict=True))),
        expected=expected,
        stored={
            phone: (stored["first_name"], stored["company_name"])
            for phone, stored in sandbox.contacts.items()
        },
        created=sandbox.counts["created"],
        requests=sandbox.counts["requests"],
    )


def main() -> None:
    """Run both kinds of create, and print what came of them."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=10_000)
    parser.add_argument("--kills", type=int, default=50)
    parser.add_argument("--seed", type=int, default=5)
    parser.add_argument("--read-lag", type=float, default=FAULTS.read_lag, help="seconds")
    given = parser.parse_args()
    kinds: dict[str, dict[str, Any]] = {
        "plain creates": {},
        "upserts": {"update": True},
        "bulk": {"bulk": True},
    }
    columns = ("", "kills", "open at most", "lost", "doubled", "wrong", "requests", "outcomes")
    print(f"| {' | '.join(columns)} |", "|---" * len(columns) + "|", sep="\n")
    for name, options in kinds.items():
        with (
            tempfile.TemporaryDirectory() as folder,
            start_blocking_portal() as portal,
            portal.wrap_async_context_manager(Sandbox()) as sandbox,
        ):
            programs = Programs(Path(folder), sandbox.base_url)
            found = run_killed(
                programs,
                sandbox,
                rows=given.rows,
                kills=given.kills,
                seed=given.seed,
                read_lag=given.read_lag,
                **options,
            )
        lost = len(found.expected.keys() - found.stored.keys())
        doubled = found.created - len(found.stored)
        wrong = len(found.stored.items() - found.expected.items())
        outcomes = ", ".join(f"{count} {outcome}" for outcome, count in found.outcomes.items())
        print(
            f"| {name} | {found.kills} | {max(found.open)} | {lost} | {doubled} | {wrong} "
            f"| {found.requests} "
            f"| {outcomes} |"
        )


if __name__ == "__main__":
    main()
