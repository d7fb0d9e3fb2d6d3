"""The command `import`: counts, exit codes, interruption and what is said on the way."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import stat
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from queue import SimpleQueue
from typing import Any

import pytest

from sendblue_async.batch import DryRun
from sendblue_async.batch._importing import _check, _job
from sendblue_async.sandbox import Faults, Sandbox

from ..batch.workbooks import SUFFIXES, Sheet, write
from .program import PROGRAM, Run, account, run, started


def written(home: dict[str, str], rows: list[str]) -> Path:
    """A file of contacts in the home folder."""
    path = Path(home["HOME"], "people.csv")
    path.write_text("\n".join(["Mobile,Vorname,Extra", *rows]) + "\n", encoding="utf-8")
    return path


def numbers(count: int) -> list[str]:
    """So many valid rows."""
    return [f"+1201555{n:04},Ada,x" for n in range(count)]


def is_checking(path: Path, program: subprocess.Popen[str]) -> bool:
    """Whether the program has made the nameless file beside this one that a check writes to."""
    for link in Path(f"/proc/{program.pid}/fd").iterdir():
        with contextlib.suppress(OSError):
            name = os.readlink(link)
            if name.startswith(str(path.parent)) and name.endswith("(deleted)"):
                return True
    return False


def test_a_file_is_imported(home: dict[str, str], sandbox: Sandbox) -> None:
    """Counts by outcome, the rejected rows and unused columns are told, and exit code 1."""
    written(home, [*numbers(3), "nobody,Bob,x", "+12015550001,Cy,y"])
    done = run(home | account(sandbox), "import", "people.csv", "--report", "report.json")
    assert done.code == 1
    assert done.out.splitlines() == [
        "5 entries",
        "       3 created",
        "       1 rejected",
        "         1 invalid_number",
        "       1 skipped",
        "Rejected rows are in people.csv.rejected.csv.",
    ]
    assert done.mapping.endswith("  Not used: Extra\n")
    assert sandbox.contacts["+12015550001"]["first_name"] == "Cy"
    report = json.loads(Path(home["HOME"], "report.json").read_text())
    assert (report["created"], report["finished"]) == (3, True)


@pytest.mark.parametrize(
    ("count", "shown"), [(1, "line 2"), (11, "lines 2, 3, 4, 5, 6, 7, 8, 9, 10, 11 and more")]
)
def test_the_lines_of_existing_contacts_are_told(
    home: dict[str, str], sandbox: Sandbox, run_here: Run, count: int, shown: str
) -> None:
    """Which rows they were is on the screen, up to ten of them, and in the report."""
    path = written(home, numbers(count))
    assert run_here(home | account(sandbox), "import", "people.csv").code == 0
    path.with_name("people.csv.journal").unlink()
    done = run_here(home | account(sandbox), "import", "people.csv", "--report", "report.json")
    assert done.out.splitlines()[1] == f"{count:>8} existing, {shown}"
    report = json.loads(Path(home["HOME"], "report.json").read_text())
    assert report["lines"] == {"existing": [*range(2, count + 2)], "unknown": []}


def test_a_sandbox_leaves_no_journal(home: dict[str, str], sandbox: Sandbox, run_here: Run) -> None:
    """What was tried in a sandbox can be imported, and tried again whatever that has left."""
    path = written(home, [*numbers(2), "nobody,Bob,x"])
    options = ["import", "people.csv", "--update-if-exists"]
    done = run_here(home, *options, "--sandbox")
    assert (done.code, done.err) == (1, "")
    assert "       2 stored" in done.out
    assert "Rejected rows are in people.csv.sandbox.rejected.csv." in done.out
    tried = path.with_name("people.csv.sandbox.rejected.csv")
    assert {*path.parent.iterdir()} == {path, tried}

    assert run_here(home | account(sandbox), *options).code == 1
    assert len(sandbox.contacts) == 2
    path.with_name("people.csv.journal-wal").write_bytes(b"of a killed import")
    path.with_name("people.csv.rejected.csv").write_text("mended\n")
    tried.unlink()
    before = {each: each.read_bytes() for each in path.parent.iterdir()}
    done = run_here(home, *options, "--sandbox", "--report", "report.json")
    assert (done.code, done.err) == (1, "")
    assert "       2 stored" in done.out
    report = path.with_name("report.json")
    assert json.loads(report.read_text())["journal"] is None
    after = {each: each.read_bytes() for each in path.parent.iterdir()}
    assert after.keys() - before.keys() == {tried, report}
    assert before.items() <= after.items()


@pytest.mark.parametrize(
    "report", ["people.csv.journal", "people.csv.rejected.csv", "people.csv.sandbox.rejected.csv"]
)
def test_a_report_of_a_sandbox_costs_no_file_either(
    home: dict[str, str], run_here: Run, report: str
) -> None:
    """Neither that of an import into the account, nor one that the sandbox writes."""
    path = written(home, ["nobody,Bob,x"])
    path.with_name(report).write_text("kept")
    done = run_here(home, "import", "people.csv", "--sandbox", "--report", report)
    assert (done.code, path.with_name(report).read_text()) == (2, "kept")
    assert f"--report takes a file of its own; {report} is a file that the import uses." in done.err


def test_a_killed_sandbox_leaves_nothing(home: dict[str, str]) -> None:
    """What it kept has no name, so an import into the account begins as if it had not been."""
    path = written(home, numbers(400))
    with started(home, "import", "people.csv", "--sandbox") as program:
        while not is_checking(path, program):
            assert program.poll() is None
        program.kill()
        program.communicate(timeout=20)
    assert [*path.parent.iterdir()] == [path]


def test_a_resumed_import_without_a_journal_begins_anew(
    home: dict[str, str], sandbox: Sandbox, run_here: Run
) -> None:
    """And says so, as there might have been one."""
    written(home, numbers(1))
    options = ["import", "people.csv", "--resume"]
    done = run_here(home | account(sandbox), *options)
    assert (done.code, len(sandbox.contacts)) == (0, 1)
    assert (
        done.err
        == "No earlier import was found (journal: people.csv.journal), so this one starts with the "
        "first row.\n"
    )
    done = run_here(home | account(sandbox), *options)
    assert done.err == ""
    assert "has not changed since it was imported, so what was stored is not sent" in done.out


def test_an_import_that_fails_can_be_gone_on_with(
    home: dict[str, str], sandbox: Sandbox, run_here: Run
) -> None:
    """The counts and the command that resumes come before the error."""
    written(home, numbers(3))
    environment = home | account(sandbox)
    wrong = environment | {"SENDBLUE_API_SECRET": "wrong"}
    done = run_here(wrong, "import", "people.csv", "--rate", "9/s", "--resume")
    assert done.code == 1
    assert done.out.startswith("3 entries\n       3 remaining\n")
    _, way, error = done.err.splitlines()
    assert way == "To resume: sendblue-async import people.csv --rate 9/s --resume"
    assert "401" in error
    done = run_here(environment, *way.split()[3:])
    assert (done.code, done.err, len(sandbox.contacts)) == (0, "", 3)


def test_a_file_whose_name_looks_like_an_option_can_be_resumed(
    home: dict[str, str], sandbox: Sandbox, run_here: Run
) -> None:
    """The command that resumes has its option before the sign that ends the options."""
    written(home, numbers(3)).rename(Path(home["HOME"], "-x.csv"))
    environment = home | account(sandbox)
    done = run_here(environment | {"SENDBLUE_API_SECRET": "wrong"}, "import", "--", "-x.csv")
    way = done.err.splitlines()[0]
    assert way == "To resume: sendblue-async import --resume -- -x.csv"
    done = run_here(environment, *way.split()[3:])
    assert (done.code, done.err, len(sandbox.contacts)) == (0, "", 3)


def test_rejected_rows_that_cannot_be_written_hide_no_counts(
    home: dict[str, str], sandbox: Sandbox, run_here: Run
) -> None:
    """What was sent is told all the same, and resuming writes them."""
    path = written(home, [*numbers(2), "nobody,Bob,x"])
    rejected = path.with_name("people.csv.rejected.csv")
    rejected.mkdir()
    environment = home | account(sandbox)
    done = run_here(environment, "import", "people.csv")
    assert "       2 created" in done.out
    assert "rejected.csv" in done.err
    assert done.code == 1
    rejected.rmdir()
    assert run_here(environment, "import", "people.csv", "--resume").code == 1
    assert "nobody" in rejected.read_text(encoding="utf-8-sig")


@pytest.mark.parametrize("dry", [False, True])
@pytest.mark.parametrize(
    "report",
    [
        "people.csv",
        "./people.csv",
        "link.csv",
        "hard.csv",
        "there/people.csv",
        "people.csv.journal",
        "People.csv.Journal",
        "people.csv.journal-wal",
        "people.csv.journal-shm",
        "people.csv.rejected.csv",
        "there/people.csv.rejected.csv",
    ],
)
def test_a_report_costs_no_file_of_the_import(
    home: dict[str, str], sandbox: Sandbox, run_here: Run, report: str, dry: bool
) -> None:
    """By whatever name, it is refused before anything is read, sent or written."""
    path = written(home, [*numbers(1), "nobody,Bob,x"])
    path.with_name("link.csv").symlink_to(path)
    path.with_name("hard.csv").hardlink_to(path)
    path.with_name("there").symlink_to(path.parent)
    before = {each: each.read_bytes() for each in path.parent.iterdir() if each.is_file()}
    options = ["import", "people.csv", "--report", report, *["--dry-run"] * dry]
    done = run_here(home | account(sandbox), *options)
    assert (done.code, done.out) == (2, "")
    assert "--report takes a file of its own" in done.err
    assert {each: each.read_bytes() for each in path.parent.iterdir() if each.is_file()} == before
    assert sandbox.counts["requests"] == 0


def test_a_report_leaves_the_journal_whole(
    home: dict[str, str], sandbox: Sandbox, run_here: Run
) -> None:
    """A journal that is there already is no report either, and the import can be resumed."""
    path = written(home, [*numbers(2)])
    environment = home | account(sandbox)
    assert run_here(environment, "import", "people.csv").code == 0
    journal = path.with_name("people.csv.journal")
    path.with_name("link.json").symlink_to(journal)
    for report in ("people.csv.journal", "link.json"):
        done = run_here(environment, "import", "people.csv", "--resume", "--report", report)
        assert done.code == 2
    done = run_here(environment, "import", "people.csv", "--resume", "--report", "report.json")
    assert (done.code, done.out.splitlines()[2]) == (0, "       2 created")


@pytest.mark.parametrize("report", ["/dev/stdout", "/dev/fd/1", "stdout"])
def test_a_report_goes_to_a_stream_as_it_is(
    home: dict[str, str], sandbox: Sandbox, report: str
) -> None:
    """Standard output by any name is written to, and not replaced."""
    path = written(home, numbers(1))
    path.with_name("stdout").symlink_to("/dev/stdout")
    done = run(home | account(sandbox), "import", "people.csv", "--report", report)
    assert done.code == 0
    assert json.loads(done.out.partition("{")[1] + done.out.partition("{")[2])["created"] == 1
    assert path.with_name("stdout").is_symlink()


def test_a_report_waits_for_no_reader_of_a_pipe(
    home: dict[str, str], sandbox: Sandbox, run_here: Run
) -> None:
    """Without one it cannot be written; with one, the pipe gets all of it."""
    pipe = written(home, numbers(1)).with_name("pipe")
    os.mkfifo(pipe)
    environment = home | account(sandbox)
    done = run_here(environment, "import", "people.csv", "--report", "pipe")
    assert (done.code, done.out) == (1, "1 entry\n       1 created\n")
    assert "Nobody reads from this pipe." in done.err
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    with open(reader, encoding="utf-8") as report:
        done = run_here(environment, "import", "people.csv", "--report", "pipe")
        assert done.code == 0
        assert json.loads(report.read())["was_finished"] is True


def test_a_report_follows_what_is_in_a_redirected_output(
    home: dict[str, str], sandbox: Sandbox
) -> None:
    """If standard output is a file, the report comes after the counts."""
    path = written(home, numbers(1))
    out = path.with_name("out.txt")
    with out.open("w") as file:
        command = [PROGRAM, "import", "people.csv", "--report", "/dev/stdout"]
        environment = home | account(sandbox)
        subprocess.run(
            command, cwd=path.parent, env=environment, stdout=file, check=True, timeout=40
        )
    text = out.read_text()
    assert text.startswith("1 entry\n       1 created\n")
    assert json.loads(text[text.index("{") :])["created"] == 1


def test_a_report_takes_the_place_of_the_one_before(
    home: dict[str, str], sandbox: Sandbox, run_here: Run
) -> None:
    """It is the new one as a whole, for nobody who could not read the input."""
    path = written(home, numbers(1))
    path.chmod(0o600)
    report = path.with_name("report.json")
    report.write_text("x" * 10_000)
    done = run_here(home | account(sandbox), "import", "people.csv", "--report", "report.json")
    assert done.code == 0
    assert json.loads(report.read_text())["created"] == 1
    assert stat.S_IMODE(report.stat().st_mode) == 0o600
    names = {each.name for each in path.parent.iterdir()}
    assert names == {"people.csv", "people.csv.journal", "report.json"}


@pytest.mark.parametrize("dry", [False, True])
def test_a_report_that_fails_leaves_the_one_before(
    home: dict[str, str], sandbox: Sandbox, dry: bool
) -> None:
    """On a full disk the counts come all the same, then why there is no report; exit code 1."""
    path = written(home, numbers(3))
    report = path.with_name("report.json")
    report.write_text("old")
    # Less than the report has with so many columns, and more than the journal and its log. With -B,
    # as Python would cut what it compiles to that length, too, and leave it so for others.
    limits = "import resource, sys, os; hard = resource.getrlimit(resource.RLIMIT_FSIZE)[1]; "
    limits += "resource.setrlimit(resource.RLIMIT_FSIZE, (230_000, hard)); "
    code = limits + "from sendblue_async.cli import main; main()"
    columns = ",".join(f"{n:05}" for n in range(20_000))
    path.write_text(f"Mobile,{columns}\n+12015550001\n")
    options = ["import", "people.csv", "--report", "report.json", *["--dry-run"] * dry]
    done = subprocess.run(
        [sys.executable, "-Bc", code, *options],
        cwd=path.parent,
        env=home | account(sandbox),
        capture_output=True,
        timeout=40,
        encoding="utf-8",
        check=False,
    )
    assert done.returncode == 1
    assert "could not be written to report.json: File too large." in done.stderr
    assert "1 created" in done.stdout or dry
    assert report.read_text() == "old"
    assert not [each for each in path.parent.iterdir() if each.name.startswith(".")]


def test_a_dry_run_sends_and_leaves_nothing(home: dict[str, str], run_here: Run) -> None:
    """It needs no account, tells what would be sent, and makes no journal."""
    path = written(home, [*numbers(3), "4.2E+11,Bob,x", "+12015550001,Cy,y"])
    done = run_here(
        home, "import", "people.csv", "--dry-run", "--rate", "2/s", "--update-if-exists"
    )
    assert done.code == 1
    assert done.mapping.splitlines() == [
        "Reading people.csv (utf-8, comma, no region):",
        "  number ← Mobile",
        "  first_name ← Vorname",
        "  Not used: Extra",
    ]
    assert done.out.splitlines() == [
        "5 entries, read as utf-8",
        "       3 contacts would be sent",
        "       3 requests, if nothing goes wrong",
        "       1 skipped: a later row has the same number",
        "       1 rejected: spreadsheet_number, line 5",
        "At 2 a second that takes 0:00:02.",
        '{"number": "…0000", "first_name": "Ada", "update_if_exists": true}',
        '{"number": "…0002", "first_name": "Ada", "update_if_exists": true}',
        '{"number": "…0001", "first_name": "Cy", "update_if_exists": true}',
    ]
    assert [each.name for each in path.parent.iterdir()] == ["people.csv"]


def test_a_dry_run_writes_the_rejected_rows_if_a_file_is_named(
    home: dict[str, str], run_here: Run
) -> None:
    """It is named on the screen and in the report, and is that of the import."""
    path = written(home, [*numbers(1), "4.2E+11,=Bob,x", "nobody,Cy,y"])
    options = ["--rejected", "bad.csv", "--report", "report.json"]
    done = run_here(home, "import", "people.csv", "--dry-run", *options)
    assert done.code == 1
    assert "Rows that would be rejected are in bad.csv.\n" in done.out
    report = json.loads(path.with_name("report.json").read_text())
    assert report["rejected_path"] == "bad.csv"
    rows = path.with_name("bad.csv").read_text(encoding="utf-8-sig").splitlines()
    assert rows[0] == "Mobile,Vorname,Extra,line,code,reason"
    assert [row.split(",")[:5] for row in rows[1:]] == [
        ["4.2E+11", "'=Bob", "x", "3", "spreadsheet_number"],
        ["nobody", "Cy", "y", "4", "invalid_number"],
    ]
    done = run_here(home, "import", "people.csv", "--dry-run", "--rejected", "people.csv")
    assert done.code == 2
    assert "--rejected must be a file of its own" in done.err
    assert path.read_text().startswith("Mobile,")


def test_a_dry_run_of_many_rows(home: dict[str, str], run_here: Run) -> None:
    """A file of thousands of rows is checked as a short one is; the report has what was found."""
    path = written(home, numbers(2500))
    options = ["--dry-run", "--bulk", "--concurrency", "100", "--report", "report.json"]
    done = run_here(home, "import", "people.csv", *options)
    assert (done.code, done.err) == (0, "")
    assert "    2500 contacts would be sent" in done.out
    assert "      25 requests, if nothing goes wrong" in done.out
    assert "At 20 a second that takes 0:00:02. The import starts at that rate" in done.out
    report = json.loads(path.with_name("report.json").read_text())
    assert (report["contacts"], report["requests"], report["codes"]) == (2500, 25, {})
    assert report["requests_per_second"] == 20
    assert report["samples"][0] == {"number": "+12015550000", "first_name": "Ada"}


@pytest.mark.parametrize("in_second_pass", [False, True])
@pytest.mark.parametrize("has_handlers", [False, True])
def test_ctrl_c_ends_a_dry_run(
    home: dict[str, str],
    run_here: Run,
    monkeypatch: pytest.MonkeyPatch,
    has_handlers: bool,
    in_second_pass: bool,
) -> None:
    """In either pass over the file, also where Ctrl-C cancels, as on Windows; exit code 130."""
    written(home, numbers(2500))
    look = _check.dry_run
    findings: SimpleQueue[object] = SimpleQueue()

    def press_ctrl_c(
        path: Path,
        import_options: Any,
        send_options: Any,
        stopped: Callable[[], bool],
        **options: Any,
    ) -> DryRun | None:
        asked = 0

        def is_stopped() -> bool:
            nonlocal asked
            asked += 1
            # The first pass asks twice.
            if asked == (3 if in_second_pass else 1):
                signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGINT)
                for _ in range(500):
                    if not stopped():
                        time.sleep(0.01)
            return stopped()

        result = look(path, import_options, send_options, is_stopped, **options)
        findings.put(result)
        return result

    def have_none(*_: object) -> None:
        raise NotImplementedError

    monkeypatch.setattr(_job, "dry_run", press_ctrl_c)
    if not in_second_pass:
        # Without which there is no second pass.
        monkeypatch.delattr(_check, "Duplicates")
    if not has_handlers:
        monkeypatch.setattr(asyncio.SelectorEventLoop, "add_signal_handler", have_none)
    done = run_here(home, "import", "people.csv", "--dry-run", "--report", "report.json")
    assert (done.code, done.out) == (130, "")
    assert done.err == ("The file was not checked to its end.\n" if has_handlers else "")
    assert not Path(home["HOME"], "report.json").exists()
    assert findings.get(timeout=20) is None


def test_an_import_in_bulk(home: dict[str, str], sandbox: Sandbox, run_here: Run) -> None:
    """``--bulk`` takes fewer requests, and is refused where contacts are to be updated."""
    written(home, numbers(60))
    environment = home | account(sandbox)
    refused = run_here(environment, "import", "people.csv", "--bulk", "--update-if-exists")
    assert refused.code == 2
    assert "bulk" in refused.err
    done = run_here(environment, "import", "people.csv", "--bulk")
    assert done.code == 0
    assert "      60 created" in done.out
    assert sandbox.counts["requests"] < 10
    assert len(sandbox.contacts) == 60


def test_columns_are_mapped(home: dict[str, str], sandbox: Sandbox, run_here: Run) -> None:
    """``--map`` says which field a column is."""
    written(home, numbers(1))
    options = ["--map", "Extra=custom_variables.plan", "--map", "Vorname=last_name"]
    assert run_here(home | account(sandbox), "import", "people.csv", *options).code == 0
    [contact] = sandbox.contacts.values()
    assert (contact["last_name"], contact["custom_variables"]) == ("Ada", {"plan": "x"})


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["nothing.csv"], "nothing.csv"),
        (["people.csv", "--rate", "fast"], "50/s"),
        (["people.csv", "--rate=-5", "--dry-run"], "50/s"),
        (["people.csv", "--rate", "nan"], "50/s"),
        (["people.csv", "--region", "Mars"], "region"),
        (["people.csv", "--delimiter", "|"], "delimiter"),
        (["people.csv", "--map", "Extra"], "COLUMN=FIELD"),
        (["people.csv", "--map", "Extra=age"], "'age'"),
        (["people.csv", "--map", "Vorname=tags", "--map", "Extra=tags"], "--map 'Vorname'=tags"),
        (["people.csv", "--map", "Extra=tags", "--map", "Extra=last_name"], "twice"),
        (["people.csv", "--report", "nowhere/report.json"], "nowhere/report.json"),
        (["people.csv", "--report", "people.csv/report.json"], "people.csv/report.json"),
        (["people.csv", "--report", ".", "--dry-run"], "--report"),
        (["people.csv", "--report", "/proc/report.json"], "/proc/report.json"),
        (["people.csv", "--report", "loop"], "loop"),
        (["people.csv", "--sandbox", "--resume"], "--resume"),
        (["people.csv", "--report", "-"], "It must be a file, not standard output."),
        (["people.csv", "--results", "-"], "It must be a file, not standard output."),
        (["people.csv", "--rejected", "-"], "It must be a file, not standard output."),
        (["people.csv", "--journal", "-"], "It must be a file, not standard output."),
        (["./-"], "There is no file "),
        (["pipe"], "pipe is a pipe. Read it as standard input, with - for the file."),
    ],
)
def test_what_makes_no_sense_is_a_usage_error(
    home: dict[str, str], sandbox: Sandbox, run_here: Run, arguments: list[str], words: str
) -> None:
    """Exit code 2, a sentence, and nothing sent."""
    path = written(home, numbers(1))
    path.with_name("loop").symlink_to("loop")
    os.mkfifo(path.with_name("pipe"))
    done = run_here(home | account(sandbox), "import", *arguments)
    assert (done.code, done.out) == (2, "")
    assert words in done.err
    assert sandbox.counts["requests"] == 0


def test_ctrl_c_finishes_what_is_under_way(
    home: dict[str, str], sandbox: Sandbox, run_here: Run
) -> None:
    """The counts come, the command that resumes, and exit code 130, whatever becomes of --report.

    And that command resumes.
    """
    folder = written(home, numbers(60)).with_name("reports")
    folder.mkdir()
    sandbox.faults = Faults(latency=0.1)
    environment = home | account(sandbox)
    options = ["import", "people.csv", "--rate", "1000/s", "--concurrency", "4"]
    with started(environment, *options, "--report", "reports/report.json") as program:
        while sandbox.counts["requests"] < 8:
            assert program.poll() is None
        folder.rmdir()
        program.send_signal(signal.SIGINT)
        out, err = program.communicate(timeout=30)
    assert program.returncode == 130
    assert "To resume: sendblue-async import people.csv" in err
    assert "--report reports/report.json --resume\n" in err
    assert "No such file" in err.splitlines()[-1]
    created = len(sandbox.contacts)
    assert 8 <= created < 60
    assert f"{created:>8} created" in out
    assert f"{60 - created:>8} remaining" in out

    again = run_here(environment, *options)
    assert again.code == 2
    assert "--resume" in again.err
    sandbox.faults = Faults()
    before = sandbox.counts["requests"]
    done = run_here(environment, *options, "--resume")
    assert done.code == 0
    assert "      60 created" in done.out
    assert sandbox.counts["requests"] - before == 60 - created


@pytest.mark.parametrize(
    "faults", [Faults(server_error=1), Faults(too_many_requests=1, retry_after="3000")]
)
def test_ctrl_c_in_an_outage_ends_it(
    home: dict[str, str], sandbox: Sandbox, run_here: Run, faults: Faults
) -> None:
    """A wait for a server that is out of order, or asks for patience, is not waited out."""
    written(home, numbers(20))
    sandbox.faults = faults
    environment = home | account(sandbox)
    with started(environment, "import", "people.csv", "--concurrency", "2") as program:
        while sandbox.counts["requests"] < 1:
            assert program.poll() is None
        time.sleep(1)
        program.send_signal(signal.SIGINT)
        out, err = program.communicate(timeout=20)
    assert (program.returncode, sandbox.contacts) == (130, {})
    assert "--resume" in err
    assert "20 entries" in out
    assert "created" not in out
    sandbox.faults = Faults()
    assert run_here(environment, "import", "people.csv", "--rate", "1000/s", "--resume").code == 0
    assert len(sandbox.contacts) == 20


@pytest.mark.parametrize("in_sandbox", [False, True])
def test_ctrl_c_ends_the_check(home: dict[str, str], sandbox: Sandbox, in_sandbox: bool) -> None:
    """It says that nothing was sent; only a journal that is of use is left."""
    path = written(home, numbers(9999) * 3)
    journal = path.with_name("people.csv.journal")
    options = ["import", "people.csv", *["--sandbox"] * in_sandbox]
    with started(home | account(sandbox), *options) as program:
        while not is_checking(path, program):
            assert program.poll() is None
        program.send_signal(signal.SIGINT)
        out, err = program.communicate(timeout=30)
    assert (program.returncode, out, sandbox.contacts) == (130, "", {})
    assert "The file was not checked to its end; nothing was sent." in err
    assert ("To resume" in err, journal.exists()) == (not in_sandbox, not in_sandbox)


@pytest.mark.parametrize("kind", ["changed", "gone", "full"])
def test_once_contacts_were_sent_the_exit_code_is_1(
    home: dict[str, str], sandbox: Sandbox, kind: str
) -> None:
    """Code 2 says that nothing was sent, whatever happens to the file or the disk meanwhile."""
    path = written(home, numbers(400))
    sandbox.faults = Faults(latency=0.02)
    limits = "import resource, signal, sys; "
    if kind == "full":
        limits += "hard = resource.getrlimit(resource.RLIMIT_FSIZE)[1]; "
        limits += "resource.setrlimit(resource.RLIMIT_FSIZE, (150_000, hard)); "
    code = limits + "from sendblue_async.cli import main; main()"
    options = ["import", "people.csv", "--rate", "9999/s", "--concurrency", "4"]
    with subprocess.Popen(
        [sys.executable, "-Bc", code, *options],
        cwd=path.parent,
        env=home | account(sandbox),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        encoding="utf-8",
    ) as program:
        while len(sandbox.contacts) < 20:
            assert program.poll() is None
            time.sleep(0.005)
        if kind == "changed":
            with path.open("a") as file:
                file.write("+12025550199,Eve,x\n")
        elif kind == "gone":
            path.unlink()
        out, err = program.communicate(timeout=40)
    assert program.returncode == 1
    assert "created" in out
    assert "To resume:" in err
    assert ("journal" if kind == "full" else "has changed while it was imported") in err


def test_before_contacts_are_sent_the_exit_code_is_2(
    home: dict[str, str], sandbox: Sandbox, run_here: Run
) -> None:
    """Also in a run that goes on after others that have sent some."""
    path = written(home, numbers(3))
    environment = home | account(sandbox)
    assert run_here(environment, "import", "people.csv").code == 0
    before = sandbox.counts["requests"]
    done = run_here(environment, "import", "people.csv")
    assert (done.code, "       3 created" in done.out) == (0, True)
    assert "has not changed since it was imported" in done.err
    assert "To send all of it, give --start-over." in done.err
    assert sandbox.counts["requests"] == before
    other = ["--region", "US", "--resume"]
    assert run_here(environment, "import", "people.csv", *other).code == 2
    path.write_text("Mobile\n")
    assert run_here(environment, "import", "people.csv", *other).code == 0
    path.write_text("")
    assert run_here(environment, "import", "people.csv", *other).code == 2
    assert sandbox.counts["requests"] == before


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_a_workbook_is_imported(
    home: dict[str, str], sandbox: Sandbox, run_here: Run, suffix: str
) -> None:
    """What was read of it is told, and what was not; a sheet is given by name or number."""
    write(
        Path(home["HOME"], f"people{suffix}"),
        Sheet([["number", "name"], ["+12015550101", "Ada"], ["+12015550102"]], "Contacts"),
        Sheet([["number"], ["+12015550103"]], "Others", hidden=frozenset({1})),
    )
    checked = run_here(home, "import", f"people{suffix}", "--dry-run", "--sheet", "2")
    assert checked.out.splitlines()[:2] == [
        "1 entry, read from the sheet 'Others'",
        "       1 contact would be sent",
    ]
    assert "Hidden rows, which are imported too: 1." in checked.out
    assert "Sheets that are not read: 'Contacts'. Name one with --sheet." in checked.out
    done = run_here(home | account(sandbox), "import", f"people{suffix}", "--report", "r.json")
    assert done.out.splitlines() == [
        "2 entries",
        "       2 created",
        "Sheets that are not read: 'Others'. Name one with --sheet.",
    ]
    report = json.loads(Path(home["HOME"], "r.json").read_text())
    assert (report["sheet"], report["other_sheets"]) == ("Contacts", ["Others"])
    Path(home["HOME"], f"people{suffix}.journal").unlink()
    again = run_here(home | account(sandbox), "import", f"people{suffix}")
    assert "       2 existing, rows 2, 3" in again.out.splitlines()


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--sheet", "Nobody"), "has no sheet 'Nobody'. Its sheets are 'Sheet'. Give the name"),
        (("--delimiter", "comma"), "which has no delimiter. Leave out --delimiter."),
        (("--encoding", "utf-8"), "which has no encoding. Leave out --encoding."),
    ],
)
def test_options_of_a_workbook_are_told_as_options(
    home: dict[str, str], run_here: Run, options: tuple[str, str], said: str
) -> None:
    """The error speaks of what was typed."""
    write(Path(home["HOME"], "people.xlsx"), Sheet([["number"], ["+12015550101"]]))
    done = run_here(home, "import", "people.xlsx", "--dry-run", *options)
    assert done.code == 2
    assert said in " ".join(done.err.split())
