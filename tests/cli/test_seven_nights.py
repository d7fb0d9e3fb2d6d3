"""One line in a crontab, night after night, whatever the export looks like."""

from __future__ import annotations

import csv
import re
import shlex
import signal
import subprocess
from pathlib import Path

import pytest

from sendblue_async.sandbox import Faults, Sandbox

from .program import PROGRAM, account, run, started

LINE = (
    *("import", "crm.csv", "--update-if-exists", "--resume", "--rate", "2000/s"),
    *("--concurrency", "4", "--results", "results.csv"),
)


def rows(first: int, last: int, name: str) -> list[str]:
    """Rows of so many people with this first name."""
    return [f"+1201555{n:04},{name}" for n in range(first, last)]


A, GROWN = rows(0, 30, "Ada"), rows(0, 60, "Alan")
SHRUNK, CHANGED = rows(10, 25, "Grace"), rows(0, 40, "Kurt")

# What is exported each night, and the exit code of the line. "killed" and "told" are ended on the
# way, by SIGKILL and SIGTERM, and the scheduler starts the same line again.
NIGHTS = {
    "grows and shrinks": [
        (A, 0), (GROWN, 0), (SHRUNK, 0), (SHRUNK, 0), (A, 0), ([], 0), (GROWN, 0),
    ],
    "empty and cut short": [
        (A, 0), (None, 2), (GROWN, 0), ("cut", 1), ([], 0), (A, 0), (A, 0),
    ],
    "killed": [
        (A, 0), (GROWN, "killed"), (SHRUNK, 0), (CHANGED, "told"), (CHANGED, 0), (A, 0), (GROWN, 0),
    ],
}  # fmt: skip


@pytest.mark.parametrize("sequence", NIGHTS)
def test_every_night_the_account_is_what_the_file_says(
    home: dict[str, str], sandbox: Sandbox, sequence: str
) -> None:
    """No night blocks the next one, and each row's line names the contact that the account has."""
    path = Path(home["HOME"], "crm.csv")
    environment = home | account(sandbox)
    expected: dict[str, str] = {}
    for export, code in NIGHTS[sequence]:
        content = CHANGED if export == "cut" else export
        text = "" if content is None else "\n".join(["Phone,First Name", *content]) + "\n"
        # Cut in the middle of the last number.
        path.write_text(text[:-10] if export == "cut" else text)
        whole = content[:-1] if export == "cut" else content or []
        expected |= dict(row.split(",") for row in whole)
        if code in ("killed", "told"):
            sandbox.faults = Faults(latency=0.05)
            before = sandbox.counts["requests"]
            with started(environment, *LINE) as program:
                while sandbox.counts["requests"] < before + 8:
                    assert program.poll() is None
                number = signal.SIGKILL if code == "killed" else signal.SIGTERM
                program.send_signal(number)
                program.communicate(timeout=30)
            assert program.returncode == (-9 if code == "killed" else 143)
            sandbox.faults = Faults()
            code = 0
        done = run(environment, *LINE)
        assert done.code == code, done
        stored = {phone: contact["first_name"] for phone, contact in sandbox.contacts.items()}
        assert stored == expected
        if code == 2:
            continue
        with Path(home["HOME"], "results.csv").open(newline="") as file:
            lines = [*csv.DictReader(file)]
        sent = [line for line in lines if line["outcome"] == "stored"]
        assert {line["number"] for line in sent} == {row.split(",")[0] for row in whole}
        assert len(lines) == len(content or [])
        for line in sent:
            assert line["contact_id"] == sandbox.contacts[line["number"]]["contact_id"]


def test_an_export_after_one_that_was_not_finished_is_refused_until_somebody_decides(
    home: dict[str, str], sandbox: Sandbox
) -> None:
    """It says what to do, sends nothing, and goes on with the new export where that is wanted."""
    path = Path(home["HOME"], "crm.csv")
    path.write_text("\n".join(["Phone,First Name", *GROWN]) + "\n")
    environment = home | account(sandbox)
    sandbox.faults = Faults(latency=0.05)
    with started(environment, *LINE) as program:
        while sandbox.counts["requests"] < 8:
            assert program.poll() is None
        program.kill()
    sandbox.faults = Faults()
    path.write_text("\n".join(["Phone,First Name", *CHANGED]) + "\n")
    before = sandbox.counts["requests"]
    done = run(environment, *LINE)
    assert (done.code, sandbox.counts["requests"]) == (2, before)
    assert "not finished" in done.err
    assert "or start over (--start-over), which sends all of those that there are now" in done.err
    # Nobody leaves it in the line by accident.
    done = run(environment, *LINE, "--start-over")
    assert (done.code, sandbox.counts["requests"]) == (2, before)
    assert "--resume and --start-over exclude each other" in done.err
    once = [word for word in LINE if word != "--resume"]
    done = run(environment, *once, "--start-over")
    assert done.code == 0
    assert f"{len(CHANGED)} stored" in done.out
    stored = {phone: contact["first_name"] for phone, contact in sandbox.contacts.items()}
    assert stored.items() >= dict(row.split(",") for row in CHANGED).items()
    before = sandbox.counts["requests"]
    assert run(environment, *LINE).code == 0
    assert sandbox.counts["requests"] == before


def test_to_start_over_every_night_sends_every_row_every_night(
    home: dict[str, str], sandbox: Sandbox
) -> None:
    """Also of an export that has not changed; what is left to do is resumed without it."""
    path = Path(home["HOME"], "crm.csv")
    path.write_text("\n".join(["Phone,First Name", *A]) + "\n")
    environment = home | account(sandbox)
    line = [word for word in LINE if word != "--resume"]
    for night in range(1, 3):
        assert run(environment, *line, "--start-over").code == 0
        assert sandbox.counts["requests"] == night * len(A)
    done = run(environment | {"SENDBLUE_API_SECRET": "mistyped"}, *line, "--start-over")
    assert f"{len(A)} remaining" in done.out
    [way] = [each for each in done.err.splitlines() if each.startswith("To resume:")]
    assert "--start-over" not in way
    done = run(environment, *shlex.split(way)[3:])
    assert (done.code, f"{len(A)} stored" in done.out) == (0, True)


PAGE = Path(__file__).parents[2] / "docs" / "nightly-imports.md"


def test_the_lines_of_the_page_run(home: dict[str, str], sandbox: Sandbox) -> None:
    """As cron and systemd start them: with keys in a file, and hardly any environment."""
    text = PAGE.read_text(encoding="utf-8")
    path = Path(home["HOME"], "crm.csv")
    (line,) = re.findall(r"^(\d+ \d+ \* \* \*)  (/.+)$", text, re.MULTILINE)
    (unit,) = re.findall(r"^ExecStart=(/.+)$", text, re.MULTILINE)
    minute, hour, *_ = line[0].split()
    assert int(minute) < 60
    assert int(hour) < 24
    # In a crontab it would end the command; a unit knows no shell.
    assert "%" not in line[1]
    assert not {*"%$|<>&;\"'"} & {*unit}
    keys = Path(home["HOME"], ".sendblue", "credentials.json")
    keys.parent.mkdir()
    keys.write_text('{"apiKey": "sandbox-key", "apiSecret": "sandbox-secret"}')
    keys.chmod(0o600)
    kept = {name: value for name, value in home.items() if name.startswith("COVERAGE")}
    environment = kept | {
        "HOME": home["HOME"],
        "SHELL": "/bin/sh",
        "PATH": "/usr/bin:/bin",
        "SENDBLUE_API_BASE_URL": sandbox.base_url,
    }

    def placed(command: str) -> str:
        moved = command.replace("/srv/venv/bin/sendblue-async", str(PROGRAM))
        return moved.replace("/srv", home["HOME"])

    for night, command in enumerate((["/bin/sh", "-c", placed(line[1])], placed(unit).split())):
        path.write_text("\n".join(["Phone,First Name", *rows(0, 10 + night, "Ada")]) + "\n")
        done = subprocess.run(
            command, env=environment, capture_output=True, timeout=60, text=True, check=False
        )
        assert done.returncode == 0, done.stderr
        assert len(sandbox.contacts) == 10 + night
