"""The results of an import: a line for each row, whatever happened on the way."""

from __future__ import annotations

import csv
import json
import os
import signal
import stat
import time
import tracemalloc
from pathlib import Path
from typing import Any

import pytest

from sendblue_async import ConfigurationError, JournalError, SendblueClient, SendOptions
from sendblue_async.batch import ImportOptions
from sendblue_async.batch._importing._journal import Journal
from sendblue_async.batch._importing._results_file import ResultsStopped, write_results
from sendblue_async.batch._results import EntryOutcome
from sendblue_async.sandbox import Faults, Sandbox

from ..client.servers import contact, running
from ..sync.programs import Programs
from .kills import number

pytestmark = pytest.mark.anyio

COLUMNS = ["line", "outcome", "number", "contact_id", "code", "reason"]


def read(path: Path) -> list[dict[str, Any]]:
    """The lines of a file of results, with empty text for nothing."""
    with path.open(encoding="utf-8", newline="") as file:
        if path.suffix == ".jsonl":
            lines = [json.loads(line) for line in file]
            assert all(list(line) == COLUMNS for line in lines)
            return [{name: str(value or "") for name, value in line.items()} for line in lines]
        reader = csv.DictReader(file)
        lines = [*reader]
        assert reader.fieldnames == COLUMNS
        return lines


def written(folder: Path, rows: list[str]) -> Path:
    """A file of contacts."""
    path = folder / "people.csv"
    path.write_text("\n".join(["number,first_name", *rows]) + "\n", encoding="utf-8")
    return path


def ids(server: Sandbox) -> dict[str, str]:
    """The identifier of each contact that the server has."""
    return {phone: contact["contact_id"] for phone, contact in server.contacts.items()}


@pytest.mark.parametrize("name", ["results.csv", "results.jsonl", "RESULTS"])
@pytest.mark.parametrize("on_duplicate", ["merge", "last"])
@pytest.mark.parametrize("bulk", [False, True])
async def test_each_row_has_a_line(
    server: Sandbox,
    client: SendblueClient,
    tmp_path: Path,
    name: str,
    on_duplicate: Any,
    bulk: bool,
) -> None:
    """With the identifier of its contact, also where its row went into another one."""
    await client.create_contact(number(8))
    path = written(
        tmp_path,
        [
            f"{number(1)},Ada",
            "call me,Bob",
            f"{number(2)},Eve",
            f"{number(8)},Cy",
            f"{number(1)},A",
        ],
    )
    results = tmp_path / name
    report = await client.import_contacts(
        path, rate_limit=1e6, results=results, on_duplicate=on_duplicate, bulk=bulk
    )
    assert report.results_path == results
    lines = read(results)
    known = ids(server)
    merged = on_duplicate == "merge"
    assert [(line["line"], line["outcome"], line["number"], line["code"]) for line in lines] == [
        ("2", "skipped", number(1), "merged" if merged else "duplicate"),
        ("3", "rejected", "", "invalid_number"),
        ("4", "created", number(2), ""),
        ("5", "existing", number(8), "http_409"),
        ("6", "created", number(1), ""),
    ]
    expected = [known[number(1)], "", known[number(2)], "", known[number(1)]]
    assert [line["contact_id"] for line in lines] == expected
    assert "line 6" in lines[0]["reason"]
    assert stat.S_IMODE(results.stat().st_mode) == stat.S_IMODE(path.stat().st_mode)


async def test_they_are_made_of_the_journal_later(
    server: Sandbox, client: SendblueClient, tmp_path: Path
) -> None:
    """Nobody has to ask for them in the first run."""
    path = written(tmp_path, [f"{number(n)},Ada" for n in range(30)])
    await client.import_contacts(path, rate_limit=1e6, update_if_exists=True)
    before = server.counts["requests"]
    results = tmp_path / "results.csv"
    await client.import_contacts(path, update_if_exists=True, results=results)
    assert server.counts["requests"] == before
    lines = read(results)
    assert {line["number"]: line["contact_id"] for line in lines} == ids(server)
    assert {line["outcome"] for line in lines} == {"stored"}


async def test_an_import_that_fails_says_what_remains(server: Sandbox, tmp_path: Path) -> None:
    """Every row is there all the same, once."""
    path = written(tmp_path, [f"{number(n)},Ada" for n in range(50)])
    results = tmp_path / "results.jsonl"
    async with SendblueClient("sandbox-key", "wrong", base_url=server.base_url) as client:
        with pytest.raises(Exception, match="401"):
            await client.import_contacts(path, rate_limit=1e6, results=results)
    assert [line["outcome"] for line in read(results)] == ["remaining"] * 50


async def test_an_import_that_is_stopped_leaves_the_results_of_before(
    client: SendblueClient, tmp_path: Path
) -> None:
    """They take time that it may not have; resumed, it writes them."""
    path = written(tmp_path, [f"{number(n)},Ada" for n in range(50)])
    results = tmp_path / "results.csv"
    results.write_text("before")
    options = SendOptions(rate_limit=1e6, concurrency=2)
    job = client.import_job(
        path, None, options, results=results, progress=lambda shown: shown.counts and job.stop()
    )
    report = await job.run()
    assert (report.remaining > 0, report.results_path) == (True, None)
    assert results.read_text() == "before"
    report = await client.import_contacts(path, rate_limit=1e6, results=results, resume=True)
    assert len(read(results)) == 50


IMPORT = """
    import sys
    from sendblue_async import RetryPolicy, SyncSendblueClient
    client = SyncSendblueClient(retry=RetryPolicy(base=0.001, cap=0.01, rate_limit_base=0.001))
    report = client.import_contacts(
        sys.argv[1], resume=True, concurrency=8, rate_limit=1e6, results=sys.argv[2],
    )
    print(report.finished)
"""


@pytest.mark.parametrize("name", ["results.csv", "results.jsonl"])
def test_killed_and_resumed_they_are_complete(
    programs: Programs, sandbox: Sandbox, name: str
) -> None:
    """No row is missing, none is there twice, and the identifiers are the server's."""
    rows = [f"{number(n)},n{n}" for n in range(600)]
    path = written(programs.folder, [*rows[:300], "call me,Bob", *rows[300:], rows[5]])
    results = programs.folder / name
    sandbox.faults = Faults(server_error_after_commit=0.05, drop_after_commit=0.05)
    arguments = [str(path), str(results)]
    for kill in range(4):
        until = 150 * (kill + 1)
        with programs.start(IMPORT, arguments=arguments) as program:
            while sandbox.counts["requests"] < until and program.poll() is None:
                time.sleep(0.001)
            program.send_signal(signal.SIGKILL)
            program.communicate()
        assert not results.exists()
    with programs.start(IMPORT, arguments=arguments) as program:
        assert program.communicate(timeout=100) == ("True\n", "")
    lines = read(results)
    assert [int(line["line"]) for line in lines] == [*range(2, 604)]
    known = ids(sandbox)
    assert len(known) == 600
    assert lines[5]["code"] == "merged"
    for line in lines:
        if line["outcome"] == "rejected":
            assert line["line"] == "302"
        else:
            assert line["contact_id"] == known[line["number"]]
    assert not [each for each in programs.folder.iterdir() if each.name.startswith(".sendblue")]


async def test_a_formula_in_an_answer_is_text(tmp_path: Path) -> None:
    """Neither an identifier nor a server's words are a formula; a number stays one."""
    path = written(tmp_path, [f"{number(1)},Ada"])
    async with (
        running(contact(number(1), contact_id="=1+1")) as web,
        SendblueClient("key-of-test", "secret-of-test", base_url=web.base_url) as client,
    ):
        await client.import_contacts(path, results=tmp_path / "results.csv")
        await client.import_contacts(path, results=tmp_path / "results.jsonl")
    (line,) = read(tmp_path / "results.csv")
    assert (line["number"], line["contact_id"]) == (number(1), "'=1+1")
    (line,) = read(tmp_path / "results.jsonl")
    assert line["contact_id"] == "=1+1"


@pytest.mark.parametrize("contact_id", [None, 7, ["a"], {}, ""])
async def test_an_answer_without_an_identifier_is_stored_all_the_same(
    tmp_path: Path, contact_id: Any
) -> None:
    """The service promises it in lists only."""
    path = written(tmp_path, [f"{number(1)},Ada"])
    results = tmp_path / "results.csv"
    async with (
        running(contact(number(1), contact_id=contact_id)) as web,
        SendblueClient("key-of-test", "secret-of-test", base_url=web.base_url) as client,
    ):
        await client.import_contacts(path, results=results)
    (line,) = read(results)
    assert (line["outcome"], line["contact_id"]) == ("created", "")


@pytest.mark.parametrize(
    ("argument", "target", "words"),
    [
        ("results", "people.csv", "is the file to import"),
        ("rejected", "people.csv", "is the file to import"),
        ("journal", "people.csv", "is the file to import"),
        ("results", "link.csv", "is the file to import"),
        ("results", "hard.csv", "is the file to import"),
        ("results", "people.csv.journal", "used for another one"),
        ("results", "people.csv.journal-wal", "used for another one"),
        ("results", "people.csv.rejected.csv", "used for another one"),
        ("rejected", "PEOPLE.csv.journal", "used for another one"),
        ("results", "/dev/null", "and /dev/null is none"),
        ("journal", "/dev/stdout", "and /dev/stdout is none"),
        ("rejected", "pipe", "and .*pipe is none"),
        ("results", "nowhere/results.csv", "No such file or directory"),
        ("results", "folder", "Is a directory"),
    ],
)
async def test_no_other_file_is_lost(
    server: Sandbox, client: SendblueClient, tmp_path: Path, argument: str, target: Any, words: str
) -> None:
    """A name that another file has, or none can have, is refused before anything is sent."""
    path = written(tmp_path, [f"{number(1)},Ada"])
    (tmp_path / "link.csv").symlink_to("people.csv")
    os.link(path, tmp_path / "hard.csv")
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "folder").mkdir()
    before = path.read_bytes()
    given = tmp_path / target if isinstance(target, str) and target else target
    with pytest.raises(ConfigurationError, match=words):
        await client.import_contacts(path, **{argument: given})
    assert (path.read_bytes(), server.counts["requests"]) == (before, 0)


async def test_no_file_is_used_twice_where_rows_come_from_no_file(
    server: Sandbox, client: SendblueClient, tmp_path: Path
) -> None:
    """The error does not call any of them the file to import."""
    path = tmp_path / "contacts"
    with pytest.raises(ConfigurationError, match="contacts is used for another one"):
        await client.import_contacts([{"number": number(1)}], journal=path, results=path)
    assert server.counts["requests"] == 0


async def test_a_folder_that_can_only_be_read_is_left_alone(
    server: Sandbox, client: SendblueClient, tmp_path: Path
) -> None:
    """With the other files elsewhere nothing is written beside the export, not even for a while."""
    share, own = tmp_path / "share", tmp_path / "own"
    share.mkdir()
    own.mkdir()
    path = written(share, [f"{number(1)},Ada", "call me,Bob"])
    path.chmod(0o640)
    share.chmod(0o555)
    before = share.stat().st_mtime_ns
    try:
        report = await client.import_contacts(
            path,
            journal=own / "journal",
            rejected=str(own / "rejected.csv"),
            results=own / "results.csv",
        )
    finally:
        share.chmod(0o755)
    assert share.stat().st_mtime_ns == before
    assert {each.name for each in own.iterdir()} == {"journal", "rejected.csv", "results.csv"}
    assert (report.journal, report.rejected_path) == (own / "journal", own / "rejected.csv")
    modes = {each.name: stat.S_IMODE(each.stat().st_mode) for each in own.iterdir()}
    assert modes["journal"] == 0o600
    assert modes["results.csv"] & 0o037 == modes["rejected.csv"] & 0o037 == 0


async def test_a_link_in_the_place_of_the_results_is_not_followed(
    client: SendblueClient, tmp_path: Path
) -> None:
    """The link is replaced, and the file that it led to stays as it is."""
    path = written(tmp_path, [f"{number(1)},Ada"])
    other = tmp_path / "other"
    other.write_text("mine")
    results = tmp_path / "results.csv"
    results.symlink_to(other)
    await client.import_contacts(path, results=results)
    assert (other.read_text(), results.is_symlink()) == ("mine", False)


async def test_results_that_cannot_be_written_hide_nothing(
    server: Sandbox, client: SendblueClient, tmp_path: Path
) -> None:
    """The report is there, the error says what is missing, and the next run writes them."""
    path = written(tmp_path, [f"{number(1)},Ada"])
    folder = tmp_path / "results"
    folder.mkdir()
    job = client.import_job(
        path, results=folder / "r.csv", progress=lambda shown: folder.exists() and folder.rmdir()
    )
    with pytest.raises(JournalError, match="results could not be written"):
        await job.run()
    assert job.report is not None
    assert (job.report.created, job.report.results_path) == (1, None)
    folder.mkdir()
    report = await client.import_contacts(path, results=folder / "r.csv", resume=True)
    assert report.results_path is not None
    assert server.counts["created"] == 1


def test_memory_does_not_grow_with_the_rows(tmp_path: Path) -> None:
    """Neither the entries nor their outcomes are gathered; it ends soon when it is stopped."""
    count = 30_000
    path = written(tmp_path, [f"{number(n)},n{n}" for n in range(count)])
    reader = ImportOptions().read(path)
    with Journal.open(None, fingerprint="", settings={}, resume=False) as journal:
        journal.finish_check(count)
        outcomes = [EntryOutcome(n, "stored", n + 2, contact_id=f"{n:036}") for n in range(count)]
        journal.commit([], outcomes)
        del outcomes
        tracemalloc.start()
        try:
            write_results(tmp_path / "results.csv", reader, journal, lambda: False)
            peak = tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()
        assert peak < 4_000_000
        assert len(read(tmp_path / "results.csv")) == count
        with pytest.raises(ResultsStopped):
            write_results(tmp_path / "later.csv", reader, journal, lambda: True)
    assert not (tmp_path / "later.csv").exists()
