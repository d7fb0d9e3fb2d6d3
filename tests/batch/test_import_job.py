"""An import as a job: run, stopped from anywhere, tried out, and left like any resource."""

from __future__ import annotations

import asyncio
import re
import threading
from pathlib import Path
from typing import Any

import pytest

import sendblue_async
from sendblue_async import (
    ConfigurationError,
    ImportJob,
    ImportOptions,
    ImportProgress,
    SendblueClient,
    SendOptions,
    batch,
)
from sendblue_async.sandbox import Faults, Sandbox

pytestmark = pytest.mark.anyio

ROWS = 300
QUICK = SendOptions(rate_limit=1e6)
SLOW = SendOptions(rate_limit=1e6, concurrency=2)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A file of contacts."""
    path = tmp_path / "people.csv"
    rows = [f"201555{number:04},Ada {number}\n" for number in range(ROWS)]
    path.write_text("number,first_name\n" + "".join(rows))
    return path


def job_of(client: SendblueClient, path: Path, send: SendOptions, **options: Any) -> ImportJob:
    """A job that reads American numbers."""
    return client.import_job(path, ImportOptions(region="US"), send, **options)


async def test_a_job_imports_its_file_once(
    server: Sandbox, client: SendblueClient, path: Path
) -> None:
    """Its report is what ``run`` returned; a second run needs a job of its own."""
    async with job_of(client, path, QUICK) as job:
        assert job.report is None
        report = await job.run()
        assert job.report is report
        with pytest.raises(ConfigurationError, match="make another job"):
            await job.run()
    assert (report.created, report.finished, report.journal) == (ROWS, True, job.journal_path)
    assert len(server.contacts) == ROWS
    again = await job_of(client, path, QUICK, resume=True).run()
    assert (again.created, again.finished) == (ROWS, True)


@pytest.mark.parametrize("from_thread", [False, True])
async def test_stopped_from_anywhere_it_finishes_what_is_in_flight(
    server: Sandbox, client: SendblueClient, path: Path, from_thread: bool
) -> None:
    """Also by another thread, while every call hangs in a wait; the rest can be resumed."""
    server.faults = Faults(latency=0.05)
    stored = asyncio.Event()
    job = job_of(client, path, SLOW, progress=lambda now: stored.set() if now.counts else None)
    running = asyncio.create_task(job.run())
    await stored.wait()
    if from_thread:
        thread = threading.Thread(target=job.stop)
        thread.start()
        thread.join()
    else:
        job.stop()
    report = await running
    assert 0 < report.created < ROWS
    assert (report.finished, report.remaining) == (False, ROWS - report.created)
    assert len(server.contacts) == report.created


async def test_stopped_before_it_runs_it_sends_nothing(
    server: Sandbox, client: SendblueClient, path: Path
) -> None:
    """It ends with nothing read, or with everything remaining."""
    job = job_of(client, path, QUICK)
    job.stop()
    report = await job.run()
    assert (report.created, report.finished) == (0, False)
    assert not server.contacts


async def test_who_leaves_it_finds_the_journal_free(
    server: Sandbox, client: SendblueClient, path: Path
) -> None:
    """Leaving the block stops the import and waits for its end, so that it resumes at once."""
    server.faults = Faults(latency=0.05)
    stored = asyncio.Event()
    job = job_of(client, path, SLOW, progress=lambda now: stored.set() if now.counts else None)
    async with job:
        running = asyncio.create_task(job.run())
        await stored.wait()
    assert job.report is not None
    assert job.report.remaining > 0
    server.faults = Faults()
    report = await job_of(client, path, QUICK, resume=True).run()
    assert (report.created, report.finished) == (ROWS, True)
    assert await running is job.report


async def test_a_dry_run_says_what_would_be_sent(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, path: Path
) -> None:
    """It needs no key, and neither sends nor writes anything."""
    monkeypatch.setenv("HOME", str(tmp_path))
    options = SendOptions(bulk=True, concurrency=100)
    async with SendblueClient(base_url="http://127.0.0.1:1", allow_http=True) as client:
        job = job_of(client, path, options)
        found = await job.dry_run()
        assert found is not None
        assert (found.entries, found.contacts, found.requests) == (ROWS, ROWS, 3)
        assert found.samples[0] == {"number": "+12015550000", "first_name": "Ada 0"}
        assert found.requests_per_second == 20
        limited = await client.import_job(path, None, SendOptions(rate_limit=7)).dry_run()
        assert limited is not None
        assert limited.requests_per_second == 7
        assert {each.name for each in job.files} > {"people.csv", "people.csv.journal"}
        job.stop()
        assert await job.dry_run() is None
    assert [each.name for each in path.parent.iterdir()] == ["people.csv"]


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"import_options": {"region": "US"}}, "import_options must be ImportOptions"),
        ({"send_options": ImportOptions()}, "send_options must be SendOptions"),
        ({"resume": 1}, "resume must be True or False"),
        ({"progress": "bar"}, "progress must be a function"),
        (
            {
                "import_options": ImportOptions(update_if_exists=True),
                "send_options": SendOptions(bulk=True),
            },
            "does not update contacts",
        ),
    ],
)
async def test_what_is_wrong_with_a_job_is_said_before_it_runs(
    client: SendblueClient, wrong: dict[str, Any], words: str
) -> None:
    """Options are checked when the job is made; the file is not even opened."""
    with pytest.raises(ConfigurationError, match=words):
        client.import_job("nowhere.csv", **wrong)


async def test_progress_is_reported_by_the_job(client: SendblueClient, path: Path) -> None:
    """The last report says that all is done, and its seconds count from the start of the run."""
    shown: list[ImportProgress] = []
    job = job_of(client, path, QUICK, progress=shown.append)
    await asyncio.sleep(0.5)
    report = await job.run()
    assert shown[-1].counts == {"created": ROWS}
    first = next(each for each in shown if each.checked)
    assert first.seconds <= report.seconds


async def test_what_progress_raises_in_an_outage_ends_the_import(
    server: Sandbox, client: SendblueClient, path: Path
) -> None:
    """Nothing is committed then that would report it; the rest can be resumed."""
    server.faults = Faults(server_error=1)

    def give_up(progress: ImportProgress) -> None:
        if progress.waiting:
            raise ZeroDivisionError

    job = job_of(client, path, SLOW, progress=give_up)
    async with job:
        running = asyncio.create_task(job.run())
        ended, _ = await asyncio.wait([running], timeout=20)
    assert ended == {running}
    with pytest.raises(ZeroDivisionError):
        await running
    assert job.report is not None
    assert job.report.remaining + job.report.unknown == ROWS
    server.faults = Faults()
    assert (await job_of(client, path, QUICK, resume=True).run()).created == ROWS


async def test_contacts_in_flight_share_bulk_requests(
    server: Sandbox, client: SendblueClient, tmp_path: Path
) -> None:
    """Workers that are idle together use one request: hardly more are made than there must be."""
    path = tmp_path / "many.csv"
    path.write_text("number\n" + "".join(f"201555{number:04}\n" for number in range(2000)))
    seen = server.counts["requests"]
    bulk = SendOptions(bulk=True, concurrency=100, rate_limit=1e6)
    assert (await job_of(client, path, bulk).run()).created == 2000
    assert server.counts["requests"] - seen <= 1.6 * 2000 / 100


@pytest.mark.parametrize("name", batch.__all__)
def test_what_a_batch_takes_and_gives_is_named_by_the_package(name: str) -> None:
    """Nobody has to know which module it comes from."""
    assert name in sendblue_async.__all__
    assert getattr(sendblue_async, name) is getattr(batch, name)


@pytest.mark.parametrize(
    "options",
    [
        {"encoding": "klingon"},
        {"encoding": 8},
        {"delimiter": "pipes"},
        {"delimiter": 1},
        {"sheet": 0},
        {"sheet": True},
        {"sheet": 1.5},
        {"format": "tsv"},
    ],
)
def test_options_are_checked_when_they_are_made(options: dict[str, Any]) -> None:
    """Not only when the file is opened, which may be in the night."""
    (value,) = options.values()
    with pytest.raises(ConfigurationError, match=re.escape(repr(value))):
        ImportOptions(**options)
