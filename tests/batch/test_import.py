"""Imports of files: interrupted, resumed, refused, and every row accounted for."""

from __future__ import annotations

import asyncio
import csv
import json
import math
import os
import random
import re
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import anyio
import anyio.to_thread
import pytest
from attrs import evolve

from sendblue_async import (
    AuthenticationError,
    ConfigurationError,
    ImportProgress,
    ImportReport,
    JournalError,
    RateLimiter,
    SendblueClient,
    SendOptions,
    SyncSendblueClient,
    ValidationError,
)
from sendblue_async._clock import SYSTEM_CLOCK
from sendblue_async.batch._importing._duplicates import Duplicates
from sendblue_async.batch._importing._journal import Journal
from sendblue_async.batch._sources._row import Row
from sendblue_async.batch._sources._table import Table
from sendblue_async.sandbox import Faults, Sandbox

from ..client.conftest import make_client
from ..client.servers import echo, reply, running
from ..sync.programs import Programs
from .kills import CONCURRENCY, INVALID, run_killed

pytestmark = pytest.mark.anyio


def number(n: int) -> str:
    """One of many valid numbers."""
    return f"+1201555{n:04}" if n < 10_000 else f"+1202556{n - 10_000:04}"


def written(folder: Path, rows: list[str], name: str = "people.csv") -> Path:
    """A file with these rows."""
    path = folder / name
    path.write_text("\n".join(["number,first_name,tags", *rows]) + "\n", encoding="utf-8")
    return path


def files_in(folder: Path) -> dict[str, bytes]:
    """The files in a folder."""
    return {path.name: path.read_bytes() for path in folder.iterdir()}


@pytest.mark.parametrize("cls", [SendblueClient, SyncSendblueClient])
async def test_a_file_is_imported(
    server: Sandbox, client: SendblueClient, tmp_path: Path, cls: type
) -> None:
    """Both clients import a file, and the report says what became of each row."""
    await client.create_contact(number(1), first_name="Old")
    path = written(
        tmp_path,
        [
            f"{number(1)},New,",
            f"{number(2)},Ada,vip;new",
            "call me,Bob,",
            f"{number(3)},,",
            f"{number(2)},Ada L.,vip",
        ],
    )
    if cls is SendblueClient:
        report = await client.import_contacts(path, rate_limit=1e6)
    else:
        keys = server.api_key, server.api_secret
        with_blocking = SyncSendblueClient(*keys, base_url=server.base_url)
        report = await anyio.to_thread.run_sync(
            lambda: with_blocking.import_contacts(path, rate_limit=1e6)
        )
        await anyio.to_thread.run_sync(with_blocking.close)
    assert report.finished
    counts = (report.created, report.existing, report.rejected, report.skipped, report.stored)
    assert counts == (2, 1, 1, 1, 0)
    assert (report.entries, report.unknown, report.remaining) == (5, 0, 0)
    assert report.codes == {"invalid_number": 1}
    assert report.lines == {"existing": (2,), "unknown": ()}
    assert server.contacts[number(2)]["first_name"] == "Ada L."
    assert server.contacts[number(2)]["tags"] == ["vip", "new"]
    assert server.contacts[number(1)]["first_name"] == "Old"
    assert json.loads(json.dumps(report.to_dict()))["created"] == 2


async def test_rejected_rows_are_mended_and_imported_as_they_are(
    server: Sandbox, client: SendblueClient, tmp_path: Path
) -> None:
    """The file of rejected rows has their columns in their order, and imports once mended."""
    path = tmp_path / "people.csv"
    path.write_text('Note;Phone;First Name\n=1+1;4,41E+11;"Ada\nB."\nx;+12015550123;Cy\n')
    report = await client.import_contacts(path, rate_limit=1e6)
    assert (report.created, report.rejected) == (1, 1)
    rejected = report.rejected_path
    assert rejected is not None
    text = rejected.read_text(encoding="utf-8-sig")
    assert text.startswith("Note;Phone;First Name;line;code;reason\n")
    with rejected.open(encoding="utf-8-sig", newline="") as file:
        [row] = csv.DictReader(file, delimiter=";")
    assert (row["Note"], row["line"], row["code"]) == ("'=1+1", "2", "spreadsheet_number")
    assert row["First Name"] == "Ada\nB."

    assert report.unused_columns == ("Note",)

    rejected.write_text(text.replace("4,41E+11", "'+1 201-555-0124"), encoding="utf-8")
    again = await client.import_contacts(rejected, rate_limit=1e6)
    assert (again.created, again.rejected, again.finished) == (1, 0, True)
    assert again.unused_columns == ("Note",)
    assert server.contacts["+12015550124"]["first_name"] == "Ada\nB."


async def test_what_the_server_refuses_is_rejected_with_its_words(
    server: Sandbox, client: SendblueClient, tmp_path: Path
) -> None:
    """A 400 is that row's alone, and its reason is in the file of rejected rows."""
    server.faults = Faults(refusal_in_200=1)
    path = written(tmp_path, [f"{number(n)},Ada," for n in range(3)])
    report = await client.import_contacts(path, rate_limit=1e6)
    assert (report.rejected, report.finished) == (3, True)
    assert report.codes == {"http_200": 3}
    assert report.rejected_path is not None
    assert "was refused" in report.rejected_path.read_text(encoding="utf-8")


@pytest.mark.parametrize("all_numbers", [False, True])
async def test_several_numbers_in_a_row(
    server: Sandbox, client: SendblueClient, tmp_path: Path, all_numbers: bool
) -> None:
    """The first usable number is taken, or each usable one becomes a contact."""
    path = tmp_path / "google.csv"
    path.write_text(
        "First Name,Phone 1 - Value,Phone 2 - Value\n"
        "Ada,none,+1 201-555-0001 ::: +1 201-555-0002\n"
        "Bob,+12015550003,+12015550004\n"
    )
    report = await client.import_contacts(path, all_numbers=all_numbers, rate_limit=1e6)
    assert {*server.contacts} == {
        "+12015550001",
        "+12015550003",
        *({"+12015550002", "+12015550004"} if all_numbers else set()),
    }
    assert report.entries == report.created == (4 if all_numbers else 2)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"region": "Mars"}, "region"),
        ({"columns": {"Nope": "number"}}, "Nope"),
        ({"columns": {"first_name": "age"}}, "age"),
        ({"on_duplicate": "first"}, "on_duplicate"),
        ({"encoding": "klingon"}, "klingon"),
        ({"delimiter": "::"}, "delimiter"),
    ],
)
async def test_unusable_options_are_refused_before_anything_is_sent(
    server: Sandbox, client: SendblueClient, tmp_path: Path, options: Any, words: str
) -> None:
    """An option that makes no sense is named, and neither a request nor a journal is made."""
    path = written(tmp_path, [f"{number(1)},Ada,"])
    with pytest.raises(ConfigurationError, match=words):
        await client.import_contacts(path, **options)
    assert server.counts["requests"] == 0
    assert files_in(tmp_path) == {"people.csv": path.read_bytes()}


@pytest.mark.parametrize("named", ["results", "rejected"])
async def test_a_file_that_cannot_be_written_is_refused_before_anything_is_sent(
    server: Sandbox, client: SendblueClient, tmp_path: Path, named: Any
) -> None:
    """Not when all has been sent: nobody could resume by the same line."""
    path = written(tmp_path, [f"{number(1)},Ada,", "call me,Bob,"])
    with pytest.raises(ConfigurationError, match="No such file or directory"):
        await client.import_contacts(path, **{named: tmp_path / "missing" / "rows.csv"})
    assert server.counts["requests"] == 0
    assert files_in(tmp_path) == {"people.csv": path.read_bytes()}


async def test_an_import_that_was_begun_is_not_begun_again(
    server: Sandbox, client: SendblueClient, tmp_path: Path
) -> None:
    """A file that was imported and has not changed since sends nothing, resumed or not."""
    path = written(tmp_path, [f"{number(1)},Ada,"])
    report = await client.import_contacts(path, rate_limit=1e6)
    assert not report.was_finished
    before = server.counts["requests"]
    for resume in (False, True):
        report = await client.import_contacts(path, rate_limit=1e6, resume=resume)
        assert (report.finished, report.created, report.was_finished) == (True, 1, True)
    for changed in ({"update_if_exists": True}, {"region": "US"}, {"on_duplicate": "last"}):
        with pytest.raises(JournalError, match=next(iter(changed))):
            await client.import_contacts(path, resume=True, **changed)
    assert server.counts["requests"] == before


async def test_an_import_that_was_begun_stops_that_of_another_file(
    server: Sandbox, client: SendblueClient, tmp_path: Path
) -> None:
    """It says what to do, and sends nothing; once it is finished, the other file is imported."""
    path = written(tmp_path, [f"{number(n)},Ada," for n in range(40)])
    job = client.import_job(
        path,
        None,
        SendOptions(rate_limit=1e6, concurrency=1),
        progress=lambda shown: job.stop() if shown.counts.get("created", 0) > 5 else None,
    )
    await job.run()
    text, before = path.read_text(), server.counts["requests"]
    path.write_text(text + f"{number(50)},Bob,\n")
    for resume in (False, True):
        with pytest.raises(JournalError, match="not finished") as caught:
            await client.import_contacts(path, resume=resume)
        assert not caught.value.retryable
    assert server.counts["requests"] == before
    path.write_text(text)
    await client.import_contacts(path, rate_limit=1e6, resume=True)
    path.write_text(text + f"{number(50)},Bob,\n")
    report = await client.import_contacts(path, rate_limit=1e6)
    assert (report.created, report.existing, report.finished) == (1, 40, True)


async def test_refused_keys_keep_the_journal(server: Sandbox, tmp_path: Path) -> None:
    """A 401 ends the import, with a report, and it goes on when the keys are right."""
    path = written(tmp_path, [f"{number(n)},Ada," for n in range(100)])
    async with SendblueClient("sandbox-key", "wrong", base_url=server.base_url) as wrong:
        with pytest.raises(AuthenticationError):
            await wrong.import_contacts(path, rate_limit=1e6, concurrency=4)
    assert server.counts["requests"] <= 4
    async with SendblueClient("sandbox-key", "sandbox-secret", base_url=server.base_url) as right:
        report = await right.import_contacts(path, rate_limit=1e6, resume=True)
    assert (report.created, report.finished) == (100, True)


async def test_it_starts_over_where_that_is_wanted(
    server: Sandbox, client: SendblueClient, tmp_path: Path
) -> None:
    """Every row is sent again, in a new journal; resuming at the same time makes no sense."""
    path = tmp_path / "people.csv"
    path.write_text("number\n+12015550101\n+12015550102\n")
    options: dict[str, Any] = {"rate_limit": 1e6, "update_if_exists": True}
    await client.import_contacts(path, **options)
    assert (await client.import_contacts(path, **options)).was_finished
    before = server.counts["requests"]
    report = await client.import_contacts(path, start_over=True, **options)
    assert (report.stored, report.was_finished) == (2, False)
    assert server.counts["requests"] == before + 2
    with pytest.raises(ConfigurationError, match="exclude each other"):
        await client.import_contacts(path, start_over=True, resume=True)
    with pytest.raises(ConfigurationError, match="start_over"):
        await client.import_contacts(path, start_over="no")  # type: ignore[arg-type]


@pytest.mark.parametrize("on_duplicate", ["merge", "last"])
async def test_cancelled_and_resumed_it_loses_and_doubles_nothing(
    server: Sandbox, client: SendblueClient, tmp_path: Path, on_duplicate: Any
) -> None:
    """Cancelled again and again, each row is stored once in the end, and merged rows are whole."""
    rows = [f"{number(n % 150)},n{n},t{n}" for n in range(300)]
    path = written(tmp_path, rows)
    server.faults = Faults(latency=0.01)
    options: dict[str, Any] = {"rate_limit": 1e6, "concurrency": 4, "on_duplicate": on_duplicate}
    runs = 0
    while True:
        runs += 1
        with anyio.move_on_after(0.2):
            report = await client.import_contacts(path, resume=True, **options)
            break
    assert runs > 2
    assert (report.created, report.skipped, report.remaining) == (150, 150, 0)
    assert {*server.contacts} == {number(n) for n in range(150)}
    for n in range(150):
        stored = server.contacts[number(n)]
        assert stored["first_name"] == f"n{n + 150}"
        assert stored["tags"] == ([f"t{n}"] if on_duplicate == "merge" else []) + [f"t{n + 150}"]


async def test_progress_is_told(server: Sandbox, client: SendblueClient, tmp_path: Path) -> None:
    """What is told grows up to the counts of the report."""
    path = written(tmp_path, [*(f"{number(n)},Ada," for n in range(60)), "nobody,,"])
    told: list[ImportProgress] = []
    report = await client.import_contacts(path, rate_limit=1e6, concurrency=4, progress=told.append)
    done = [sum(each.counts.values()) for each in told]
    assert done == sorted(done)
    assert done[-1] == report.entries == told[-1].entries == 61
    assert told[-1].counts == {"created": 60, "rejected": 1}


async def test_what_was_never_sent_is_nobodys_later(server: Sandbox, tmp_path: Path) -> None:
    """After an import that ended in a 401, contacts that were there all along are not ours."""
    path = written(tmp_path, [f"{number(n)},Ada," for n in range(30)])
    async with SendblueClient("sandbox-key", "sandbox-secret", base_url=server.base_url) as right:
        for n in range(30):
            await right.create_contact(number(n), first_name="Ada")
        async with SendblueClient("sandbox-key", "wrong", base_url=server.base_url) as wrong:
            with pytest.raises(AuthenticationError):
                await wrong.import_contacts(path, rate_limit=1e6)
        report = await right.import_contacts(path, rate_limit=1e6, resume=True)
    assert (report.existing, report.created) == (30, 0)
    assert report.lines["existing"] == tuple(range(2, 32))


class CancellingLimiter(RateLimiter):
    """Counts the rows that workers begin, and cancels their import at the first."""

    def __init__(self) -> None:
        self.begun = 0
        self.running: asyncio.Task[ImportReport] | None = None

    def reserve_slot(self, now: float, before: float = math.inf) -> float:
        """No request waits."""
        return now

    def next_slot_at(self, now: float) -> float:
        """Each worker asks for it once, before the call."""
        self.begun += 1
        if self.running is not None and self.begun == 1:
            self.running.cancel()
        return now


async def test_nor_is_what_was_ready_when_it_was_cancelled(
    server: Sandbox, client: SendblueClient, tmp_path: Path
) -> None:
    """Only of the few contacts that were in flight it is not known whose they are."""
    rows = 500
    path = written(tmp_path, [f"{number(n)},Ada," for n in range(rows)])
    for first in range(0, rows, 100):
        await client.create_contacts_bulk(
            [{"number": number(n), "first_name": "Ada"} for n in range(first, first + 100)]
        )
    # The intents of all are on the disk; most are for workers that do not come.
    server.faults = Faults(latency=60)
    limiter = CancellingLimiter()
    limiter.running = asyncio.create_task(
        client.import_contacts(path, rate_limit=limiter, concurrency=rows)
    )
    with pytest.raises(asyncio.CancelledError):
        await limiter.running
    assert 0 < limiter.begun < 100
    server.faults = Faults()
    report = await client.import_contacts(path, rate_limit=1e6, resume=True)
    assert (report.created, report.existing) == (limiter.begun, rows - limiter.begun)


async def test_a_file_that_changes_meanwhile_stops_it(
    server: Sandbox, client: SendblueClient, tmp_path: Path
) -> None:
    """Nothing of another file is sent; with the file as it was, the import goes on."""
    path = written(tmp_path, [f"{number(n)},Ada," for n in range(300)])
    before = path.read_bytes()
    server.faults = Faults(latency=0.01)

    def change(progress: ImportProgress) -> None:
        if sum(progress.counts.values()) > 20:
            path.write_text("number,first_name,tags\n+12015559999,Eve,\n")

    # Not a ValidationError, which says that nothing was sent.
    with pytest.raises(JournalError, match="changed while") as caught:
        await client.import_contacts(path, rate_limit=1e6, concurrency=4, progress=change)
    assert caught.value.outcome == "unknown"
    assert str(path.with_name("people.csv.journal")) in str(caught.value)
    assert 20 < len(server.contacts) < 300
    path.write_bytes(before)
    report = await client.import_contacts(path, rate_limit=1e6, resume=True)
    assert (report.created, report.finished) == (300, True)
    assert "+12015559999" not in server.contacts


async def test_a_file_that_changes_before_anything_is_sent_is_invalid(
    server: Sandbox, client: SendblueClient, tmp_path: Path
) -> None:
    """As long as nothing was sent, that is what the error says."""
    path = written(tmp_path, [f"{number(n)},Ada," for n in range(300)])

    async def change() -> None:
        # The journal is there as soon as the file was read, and before it is checked.
        while not path.with_name("people.csv.journal").exists():  # noqa: ASYNC110
            await asyncio.sleep(0)
        path.write_text("number,first_name,tags\n+12015559999,Eve,\n")

    changing = asyncio.create_task(change())
    with pytest.raises(ValidationError, match="changed") as caught:
        await client.import_contacts(path, rate_limit=1e6)
    await changing
    assert caught.value.outcome == "not_sent"
    assert server.counts["requests"] == 0


async def test_a_file_that_cannot_be_read_on_is_told_as_one_that_was_sent(
    server: Sandbox, client: SendblueClient, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A resumed import reads it while it sends, and what has gone out is not hidden."""
    # The first 5,000 rows are read before anything is sent.
    path = written(tmp_path, [f"{number(n)},Ada," for n in range(6_000)])
    async with SendblueClient("sandbox-key", "wrong", base_url=server.base_url) as wrong:
        with pytest.raises(AuthenticationError):
            await wrong.import_contacts(path, rate_limit=1e6)
    rows = Table.rows

    def failing(self: Table) -> Iterator[Row]:
        for count, row in enumerate(rows(self)):
            if count == 5_500:
                raise ValidationError("It cannot be read.")
            yield row

    monkeypatch.setattr(Table, "rows", failing)
    with pytest.raises(JournalError, match="cannot be read") as caught:
        await client.import_contacts(path, rate_limit=1e6, resume=True, concurrency=4)
    assert caught.value.outcome == "unknown"
    assert len(server.contacts) > 0


async def test_an_error_of_the_callers_own_stays_what_it_is(
    server: Sandbox, client: SendblueClient, tmp_path: Path
) -> None:
    """Of the errors of ``progress`` nothing is made."""
    path = written(tmp_path, [f"{number(n)},Ada," for n in range(300)])
    theirs = ValidationError("theirs")

    def fail(progress: ImportProgress) -> None:
        if progress.counts:
            raise theirs

    with pytest.raises(ValidationError) as caught:
        await client.import_contacts(path, rate_limit=1e6, concurrency=4, progress=fail)
    assert caught.value is theirs


async def test_rejected_rows_of_a_run_that_ended_before_it_said_so_are_written_once_more(
    server: Sandbox, client: SendblueClient, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Killed between the file and the journal, an import leaves the file as the next one does."""
    path = written(tmp_path, ["nobody,,", f"{number(1)},Ada,"])

    def fail(self: Journal, count: int) -> None:
        raise JournalError("killed")

    with monkeypatch.context() as patch:
        patch.setattr(Journal, "mark_rejected_written", fail)
        with pytest.raises(JournalError, match="killed"):
            await client.import_contacts(path, rate_limit=1e6)
    rejected = path.with_name("people.csv.rejected.csv")
    before = rejected.read_bytes()
    report = await client.import_contacts(path, rate_limit=1e6, resume=True)
    assert (report.created, report.rejected, report.rejected_path) == (1, 1, rejected)
    assert rejected.read_bytes() == before
    assert len(files_in(tmp_path)) == 3


async def test_rejected_rows_are_on_the_disk_before_the_journal_says_so(
    server: Sandbox, client: SendblueClient, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """If a power cut comes in between, they are written again, and not lost."""
    path = written(tmp_path, ["nobody,,"])
    rejected = tmp_path / "people.csv.rejected.csv"
    steps: list[str] = []
    flush, finish = os.fsync, Journal.mark_rejected_written

    def flushed(descriptor: int) -> None:
        flush(descriptor)
        steps.append("flush")

    def finished(self: Journal, count: int) -> None:
        assert "nobody" in rejected.read_text()
        steps.append("reported")
        finish(self, count)

    monkeypatch.setattr(os, "fsync", flushed)
    monkeypatch.setattr(Journal, "mark_rejected_written", finished)
    await client.import_contacts(path, rate_limit=1e6)
    # The file, its folder.
    assert steps == ["flush", "flush", "reported"]


@pytest.mark.parametrize("pause", [0.0, 0.003], ids=["quick disk", "slow disk"])
async def test_cancelled_at_any_moment_it_ends_as_cancelled(
    server: Sandbox,
    client: SendblueClient,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    pause: float,
) -> None:
    """Whatever the journal is doing then, nothing but the cancellation comes out."""
    commit = Journal.commit

    def commit_after_pause(*args: Any) -> None:
        time.sleep(pause)
        commit(*args)

    monkeypatch.setattr(Journal, "commit", commit_after_pause)
    # So slow that it is not done before the last one is cancelled.
    server.faults = Faults(latency=0.1)
    path = written(tmp_path, [f"{number(n)},Ada," for n in range(1200)])
    draw = random.Random(3)
    for _ in range(25):
        task = asyncio.create_task(client.import_contacts(path, rate_limit=1e6, resume=True))
        await asyncio.sleep(draw.random() * 0.15)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
    server.faults = Faults()
    assert (await client.import_contacts(path, rate_limit=1e6, resume=True)).created == 1200
    assert len(server.contacts) == 1200


@pytest.mark.parametrize("disk", ["quick", "slow", "slow once"])
async def test_a_slow_disk_seldom_holds_up_the_event_loop(
    server: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, disk: str
) -> None:
    """Commits are made on another thread once one took long, until the disk is quick again."""
    now = 1000.0
    on_loop: list[bool] = []
    commit = Journal.commit

    def commit_for_long(*args: Any) -> None:
        nonlocal now
        on_loop.append(threading.current_thread() is threading.main_thread())
        if disk == "slow" or (disk == "slow once" and len(on_loop) == 1):
            now += 0.1
        commit(*args)

    monkeypatch.setattr(Journal, "commit", commit_for_long)
    clock = evolve(SYSTEM_CLOCK, monotonic=lambda: now)
    path = written(tmp_path, [f"{number(n)},Ada," for n in range(300)])
    keys = server.api_key, server.api_secret
    async with make_client(clock, *keys, base_url=server.base_url) as client:
        report = await client.import_contacts(path, rate_limit=1e6, concurrency=4)
    assert report.created == 300
    assert len(on_loop) >= 50
    # The last one always is.
    *on_loop, _ = on_loop
    if disk == "quick":
        assert all(on_loop)
    elif disk == "slow":
        assert 0 < sum(on_loop) < len(on_loop) / 4
    else:
        assert on_loop[:2] == [True, False]
        assert all(on_loop[len(on_loop) // 2 :])


async def test_a_caller_whose_progress_fails_gets_that_error_and_loses_nothing(
    server: Sandbox, client: SendblueClient, tmp_path: Path
) -> None:
    """What was begun at that moment, and was not sent, is nobody's."""
    path = written(tmp_path, [f"{number(n)},Ada," for n in range(30)])
    for n in range(30):
        await client.create_contact(number(n), first_name="Ada")

    def fail(progress: ImportProgress) -> None:
        if progress.checked:
            raise BrokenPipeError

    with pytest.raises(BrokenPipeError):
        await client.import_contacts(path, rate_limit=1e6, progress=fail)
    report = await client.import_contacts(path, rate_limit=1e6, resume=True)
    assert (report.existing, report.created) == (30, 0)


async def test_other_tasks_have_their_turn_while_rows_are_passed_over(
    server: Sandbox, client: SendblueClient, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Those that are done already are many when an import is gone on with near its end."""
    path = written(tmp_path, [f"{number(n)},Ada," for n in range(1200)])
    await client.import_contacts(path, rate_limit=1e6)
    turns = 0
    passed: list[int] = []
    look_up = Duplicates.resolve

    async def take_turns() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    def seen(self: Duplicates, *args: Any) -> Any:
        passed.append(turns)
        return look_up(self, *args)

    monkeypatch.setattr(Duplicates, "resolve", seen)
    other = asyncio.create_task(take_turns())
    await client.import_contacts(path, rate_limit=1e6, resume=True)
    other.cancel()
    assert len(passed) == 1200
    assert max(passed.count(turn) for turn in passed) < len(passed) / 2


async def test_an_answer_without_a_contact_stores_nothing(tmp_path: Path) -> None:
    """A row that was answered with 200 and nothing in it is sent again."""
    path = written(tmp_path, [f"{number(0)},Ada,"])
    async with (
        running(reply(200, {}), echo()) as said,
        SendblueClient("key", "secret", base_url=said.base_url) as client,
    ):
        report = await client.import_contacts(path, update_if_exists=True, rate_limit=1e6)
    assert report.stored == 1
    assert len(said.requests) == 2


async def test_rejected_rows_that_cannot_be_written_hide_nothing(
    server: Sandbox, tmp_path: Path
) -> None:
    """It is an error of its own, but not in place of one that ended the import."""
    path = written(tmp_path, ["nobody,,", *(f"{number(n)},Ada," for n in range(9))])
    rejected = tmp_path / "people.csv.rejected.csv"
    rejected.mkdir()
    async with SendblueClient("sandbox-key", "wrong", base_url=server.base_url) as wrong:
        with pytest.raises(AuthenticationError):
            await wrong.import_contacts(path, rate_limit=1e6)
    async with SendblueClient("sandbox-key", "sandbox-secret", base_url=server.base_url) as right:
        with pytest.raises(JournalError, match=r"people\.csv\.rejected\.csv"):
            await right.import_contacts(path, rate_limit=1e6, resume=True)
        rejected.rmdir()
        report = await right.import_contacts(path, rate_limit=1e6, resume=True)
    assert (report.created, report.rejected, report.rejected_path) == (9, 1, rejected)


async def test_mended_rows_are_not_written_over(
    server: Sandbox, client: SendblueClient, tmp_path: Path
) -> None:
    """Resuming what is finished leaves the file of rejected rows as its owner has mended it."""
    path = written(tmp_path, [f"{number(1)},Ada,", "nobody,,"])
    report = await client.import_contacts(path, rate_limit=1e6)
    assert report.rejected_path is not None
    report.rejected_path.write_text("mended")
    again = await client.import_contacts(path, resume=True)
    assert (again.rejected_path, again.rejected) == (report.rejected_path, 1)
    assert report.rejected_path.read_text() == "mended"
    report.rejected_path.unlink()
    await client.import_contacts(path, resume=True)
    assert "nobody" in report.rejected_path.read_text()


async def test_rows_merged_into_a_rejected_one_are_handed_back_with_it(
    server: Sandbox, client: SendblueClient, tmp_path: Path
) -> None:
    """What the server refuses can be mended whole: no row that was merged is missing."""
    path = written(tmp_path, [f"{number(1)},Ada,vip", f"{number(2)},Bob,", f"{number(1)},,lead"])
    server.faults = Faults(refusal_in_200=1)
    report = await client.import_contacts(path, rate_limit=1e6)
    assert (report.rejected, report.skipped, report.codes) == (2, 1, {"http_200": 2})
    assert report.rejected_path is not None
    with report.rejected_path.open(encoding="utf-8-sig", newline="") as file:
        lines = [(row["line"], row["first_name"], row["code"]) for row in csv.DictReader(file)]
    assert lines == [("2", "Ada", "http_200"), ("3", "Bob", "http_200"), ("4", "", "http_200")]


async def test_429s_at_a_fixed_rate_are_counted(
    server: Sandbox, client: SendblueClient, tmp_path: Path
) -> None:
    """The report says how often the server answered 429, and at which rate it was asked."""
    server.faults = Faults(rate_limit=3)
    path = written(tmp_path, [f"{number(n)},Ada," for n in range(9)])
    report = await client.import_contacts(path, rate_limit=200)
    assert report.throttled > 0
    assert (report.requests_per_second, report.created) == (200, 9)


async def test_the_former_name_of_throttled_warns(
    server: Sandbox, client: SendblueClient, tmp_path: Path
) -> None:
    """``refused`` of the report and of progress gives what ``throttled`` does, and names it."""
    server.faults = Faults(rate_limit=3)
    path = written(tmp_path, [f"{number(n)},Ada," for n in range(9)])
    shown: list[ImportProgress] = []
    report = await client.import_contacts(path, rate_limit=200, progress=shown.append)
    for one in (report, shown[-1]):
        with pytest.warns(DeprecationWarning, match="use throttled") as warned:
            assert one.refused == one.throttled
        assert warned[0].filename == __file__
    document = report.to_dict()
    assert document["refused"] == document["throttled"] == report.throttled


async def test_columns_in_another_order_are_another_import(
    client: SendblueClient, tmp_path: Path
) -> None:
    """Which number is tried first decides what a row is, so it may not change on the way."""
    path = tmp_path / "people.csv"
    path.write_text(f"A,B\n{number(1)},{number(2)}\n")
    report = await client.import_contacts(
        path, rate_limit=1e6, columns={"A": "number", "B": "number"}
    )
    assert report.created == 1
    with pytest.raises(JournalError, match="columns"):
        await client.import_contacts(path, columns={"B": "number", "A": "number"}, resume=True)


async def test_progress_is_told_while_nothing_goes_on(
    server: Sandbox, client: SendblueClient, tmp_path: Path
) -> None:
    """In an outage the caller hears that it waits, for what, and for how long at the most."""
    path = written(tmp_path, [f"{number(n)},Ada," for n in range(20)])
    server.faults = Faults(server_error=1)
    told: list[ImportProgress] = []

    def notice(progress: ImportProgress) -> None:
        told.append(progress)
        if progress.waiting:
            server.faults = Faults()

    report = await client.import_contacts(path, rate_limit=1e6, progress=notice)
    assert report.created == 20
    waiting = next(progress for progress in told if progress.waiting)
    assert not waiting.counts
    assert re.fullmatch(
        r"POST /api/v2/contacts was answered with 500: .* \(\d attempts\)", waiting.trouble or ""
    )
    assert waiting.gives_up_in is not None
    assert 590 < waiting.gives_up_in <= 600
    # All is well again at the end.
    assert (told[-1].trouble, told[-1].gives_up_in) == (None, None)


@pytest.mark.timeout(300)
@pytest.mark.parametrize("kind", [{}, {"update": True}, {"bulk": True}], ids=str)
def test_killed_at_any_moment_it_loses_and_doubles_nothing(
    programs: Programs, sandbox: Sandbox, kind: dict[str, bool]
) -> None:
    """SIGKILL at random points under faults: the server has what is valid, and it is so reported.

    Never more are open than there are workers, so that no more can be sent a second time.
    """
    found = run_killed(programs, sandbox, rows=500, kills=4, seed=5, **kind)
    assert found.kills >= 3
    assert 0 < max(found.open) <= CONCURRENCY
    assert found.stored == found.expected
    assert found.created == len(found.stored)
    outcome = "stored" if kind.get("update") else "created"
    assert found.outcomes == {outcome: 500, "rejected": len(INVALID)}


FULL_DISK = """
    import resource, signal, sys
    from sendblue_async import JournalError, SyncSendblueClient
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    # Python would cut what it compiles to that length, too, and leave it so for others.
    sys.dont_write_bytecode = True
    _, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (150_000, hard))
    client = SyncSendblueClient()
    options = {"concurrency": 8, "rate_limit": 1e6, "resume": True}
    try:
        client.import_contacts(sys.argv[1], **options)
    except JournalError as error:
        print("full")
    resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))
    print(client.import_contacts(sys.argv[1], **options).created)
"""


def test_a_full_disk_stops_it_and_loses_nothing(programs: Programs, sandbox: Sandbox) -> None:
    """Where the journal can no longer be written nothing more is sent; with room it goes on."""
    path = written(programs.folder, [f"{number(n)},n{n},t" for n in range(1500)])
    with programs.start(FULL_DISK, arguments=[str(path)]) as program:
        assert program.communicate(timeout=50) == ("full\n1500\n", "")
    assert len(sandbox.contacts) == 1500
    assert sandbox.counts["requests"] <= 1500 + 2 * 8


async def test_the_journal_has_no_number_and_no_name(
    server: Sandbox, client: SendblueClient, tmp_path: Path
) -> None:
    """Numbers, names and keys are not in the journal, also not in the reasons of what failed."""
    rows = [f"{number(n)},Rosalind,secretive" for n in range(40)] * 2
    path = written(tmp_path, [*rows, "+1999,Rosalind,"])
    server.faults = Faults(refusal_in_200=0.5)
    await client.import_contacts(path, rate_limit=1e6)
    content = files_in(tmp_path)["people.csv.journal"]
    for word in ("Rosalind", "secretive", "sandbox-key", "sandbox-secret", "+1999"):
        assert word.encode() not in content
    for n in range(40):
        assert number(n).lstrip("+").encode() not in content
