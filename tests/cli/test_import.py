"""The command `import`: counts, exit codes, interruption and what is said on the way."""

from __future__ import annotations

import json
import signal
import time
from pathlib import Path

import pytest

from sendblue_async.sandbox import Faults, Sandbox

from .program import account, run, shown_on_terminal, started


def written(home: dict[str, str], rows: list[str]) -> Path:
    """A file of contacts in the home folder."""
    path = Path(home["HOME"], "people.csv")
    path.write_text("\n".join(["Mobile,Vorname,Extra", *rows]) + "\n", encoding="utf-8")
    return path


def numbers(count: int) -> list[str]:
    """So many valid rows."""
    return [f"+1201555{n:04},Ada,x" for n in range(count)]


def test_a_file_is_imported(home: dict[str, str], sandbox: Sandbox) -> None:
    """Counts by outcome, the rejected rows and unused columns are told, and exit code 1."""
    written(home, [*numbers(3), "nobody,Bob,x", "+12015550001,Cy,y"])
    done = run(home | account(sandbox), "import", "people.csv", "--report", "report.json")
    assert done.code == 1
    assert done.out.splitlines() == [
        "5 entries",
        "       3 created",
        "       1 rejected",
        "       1 skipped",
        "         1 invalid_number",
        "Rejected rows are in people.csv.rejected.csv.",
        "Columns that were not used: 'Extra'.",
    ]
    assert sandbox.contacts["+12015550001"]["first_name"] == "Cy"
    report = json.loads(Path(home["HOME"], "report.json").read_text())
    assert (report["created"], report["finished"]) == (3, True)


def test_a_file_without_defects_exits_with_0(home: dict[str, str]) -> None:
    """In the sandbox that the command makes for itself, too."""
    written(home, numbers(2))
    done = run(home, "import", "people.csv", "--sandbox", "--update-if-exists")
    assert (done.code, done.err) == (0, "")
    assert "       2 stored" in done.out


def test_a_dry_run_sends_and_leaves_nothing(home: dict[str, str]) -> None:
    """It needs no account, tells what would be sent, and makes no journal."""
    path = written(home, [*numbers(3), "4.2E+11,Bob,x", "+12015550001,Cy,y"])
    done = run(home, "import", "people.csv", "--dry-run", "--rate", "2/s", "--update-if-exists")
    assert done.code == 0
    assert done.out.splitlines() == [
        "5 entries, read as utf-8",
        "       3 contacts would be sent",
        "       3 requests, if nothing goes wrong",
        "       1 skipped, as a later row has the same number",
        "       1 rejected: spreadsheet_number",
        "Columns that would not be used: 'Extra'.",
        "At 2 a second that takes 0:00:02.",
        '{"number": "+12015550000", "first_name": "Ada", "update_if_exists": true}',
        '{"number": "+12015550002", "first_name": "Ada", "update_if_exists": true}',
        '{"number": "+12015550001", "first_name": "Cy", "update_if_exists": true}',
    ]
    assert [each.name for each in path.parent.iterdir()] == ["people.csv"]


def test_a_dry_run_of_many_rows(home: dict[str, str]) -> None:
    """A file of thousands of rows is checked as a short one is."""
    written(home, numbers(2500))
    done = run(home, "import", "people.csv", "--dry-run", "--bulk", "--concurrency", "100")
    assert (done.code, done.err) == (0, "")
    assert "    2500 contacts would be sent" in done.out
    assert "      25 requests, if nothing goes wrong" in done.out
    assert "At 10 a second that takes 0:00:03. It begins at that pace" in done.out


def test_an_import_in_bulk(home: dict[str, str], sandbox: Sandbox) -> None:
    """``--bulk`` takes fewer requests, and is refused where contacts are to be updated."""
    written(home, numbers(60))
    environment = home | account(sandbox)
    refused = run(environment, "import", "people.csv", "--bulk", "--update-if-exists")
    assert refused.code == 2
    assert "bulk" in refused.err
    done = run(environment, "import", "people.csv", "--bulk")
    assert done.code == 0
    assert "      60 created" in done.out
    assert sandbox.counts["requests"] < 10
    assert len(sandbox.contacts) == 60


def test_columns_are_mapped(home: dict[str, str], sandbox: Sandbox) -> None:
    """``--map`` says which field a column is, and where it says nothing useful, why not."""
    written(home, numbers(1))
    options = ["--map", "Extra=custom_variables.plan", "--map", "Vorname=last_name"]
    assert run(home | account(sandbox), "import", "people.csv", *options).code == 0
    [contact] = sandbox.contacts.values()
    assert (contact["last_name"], contact["custom_variables"]) == ("Ada", {"plan": "x"})
    for wrong, words in (("Extra", "COLUMN=FIELD"), ("No=number", "'No'"), ("Extra=age", "'age'")):
        done = run(home, "import", "people.csv", "--dry-run", "--map", wrong)
        assert done.code == 2
        assert words in done.err


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["nothing.csv"], "nothing.csv"),
        (["people.csv", "--rate", "fast"], "50/s"),
        (["people.csv", "--rate=-5", "--dry-run"], "50/s"),
        (["people.csv", "--rate", "nan"], "50/s"),
        (["people.csv", "--region", "Mars"], "region"),
        (["people.csv", "--delimiter", "|"], "delimiter"),
    ],
)
def test_what_makes_no_sense_is_a_usage_error(
    home: dict[str, str], sandbox: Sandbox, arguments: list[str], words: str
) -> None:
    """Exit code 2, a sentence, and nothing sent."""
    written(home, numbers(1))
    done = run(home | account(sandbox), "import", *arguments)
    assert (done.code, done.out) == (2, "")
    assert words in done.err
    assert sandbox.counts["requests"] == 0


def test_ctrl_c_finishes_what_is_under_way(home: dict[str, str], sandbox: Sandbox) -> None:
    """The report comes, the command that resumes is printed, exit code 130, and it resumes."""
    written(home, numbers(60))
    sandbox.faults = Faults(latency=0.1)
    environment = home | account(sandbox)
    options = ["import", "people.csv", "--rate", "1000/s", "--concurrency", "4"]
    with started(environment, *options) as program:
        while sandbox.counts["requests"] < 8:
            assert program.poll() is None
        program.send_signal(signal.SIGINT)
        out, err = program.communicate(timeout=30)
    assert program.returncode == 130
    assert "To go on: sendblue-async import people.csv" in err
    assert "--resume" in err
    created = len(sandbox.contacts)
    assert 8 <= created < 60
    assert f"{created:>8} created" in out
    assert f"{60 - created:>8} remaining" in out

    again = run(environment, *options)
    assert again.code == 2
    assert "--resume" in again.err
    sandbox.faults = Faults()
    before = sandbox.counts["requests"]
    done = run(environment, *options, "--resume")
    assert done.code == 0
    assert "      60 created" in done.out
    assert sandbox.counts["requests"] - before == 60 - created


@pytest.mark.parametrize(
    "faults", [Faults(server_error=1), Faults(too_many_requests=1, retry_after="3000")]
)
def test_ctrl_c_in_an_outage_ends_it(
    home: dict[str, str], sandbox: Sandbox, faults: Faults
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
    assert run(environment, "import", "people.csv", "--rate", "1000/s", "--resume").code == 0
    assert len(sandbox.contacts) == 20


def test_a_terminal_gets_a_bar(home: dict[str, str], sandbox: Sandbox) -> None:
    """On a terminal there is a bar with counts, and the report after it."""
    path = written(home, numbers(40))
    environment = home | account(sandbox) | {"TERM": "xterm"}
    code, shown = shown_on_terminal(environment, "import", str(path), "--rate", "500", columns=120)
    assert code == 0
    text = shown.decode()
    assert "40/40" in text
    assert "refused as too many, 0 errors" in text
    assert "40 created" in text
