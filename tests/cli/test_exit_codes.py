"""What an import tells a scheduler: its exit code, and an end in the time that it is given."""

from __future__ import annotations

import json
import signal
import time
from pathlib import Path

import pytest

from sendblue_async.sandbox import Faults, Sandbox

from .program import account, run, started

IMPORT = ("import", "people.csv", "--rate", "1000/s", "--concurrency", "4")


def written(home: dict[str, str], *rows: str) -> Path:
    """A file of contacts in the home folder."""
    path = Path(home["HOME"], "people.csv")
    path.write_text("\n".join(["number,first_name", *rows]) + "\n")
    return path


def numbers(count: int) -> list[str]:
    """So many valid rows."""
    return [f"+1201555{n:04},n{n}" for n in range(count)]


UNAVAILABLE = {"server_error": 1.0}
TOO_MANY = {"too_many_requests": 1.0}


@pytest.mark.parametrize(
    ("rows", "options", "faults", "code"),
    [
        (numbers(3), [], {}, 0),
        ([], [], {}, 0),
        ([*numbers(2), "call me,Bob"], [], {}, 1),
        (numbers(2), ["--region", "XX"], {}, 2),
        (numbers(2), ["--results", "people.csv"], {}, 2),
        (numbers(2), ["--journal", "people.csv"], {}, 2),
        (numbers(2), ["--results", "no/such/folder.csv"], {}, 2),
        (numbers(2), ["--give-up-after", "0.1"], UNAVAILABLE, 75),
        (numbers(2), ["--give-up-after", "0.1"], TOO_MANY, 75),
        (numbers(2), ["--give-up-after", "0.1", "--update-if-exists"], UNAVAILABLE, 75),
    ],
)
def test_exit_codes(
    home: dict[str, str],
    sandbox: Sandbox,
    rows: list[str],
    options: list[str],
    faults: dict[str, float],
    code: int,
) -> None:
    """Each code is that of the table in the documentation."""
    path = written(home, *rows)
    content = path.read_bytes()
    sandbox.faults = Faults(**faults)
    done = run(home | account(sandbox), *IMPORT, *options)
    assert done.code == code, done
    assert path.read_bytes() == content
    if code == 75:
        assert "remaining" in done.out or "unknown" in done.out
        sandbox.faults = Faults()
        assert run(home | account(sandbox), *IMPORT, *options, "--resume").code == 0
        assert len(sandbox.contacts) == 2
    if code == 2:
        assert (sandbox.counts["requests"], done.out) == (0, "")
        assert done.err.count("\n") == 1


def test_no_server_at_all_is_one_to_try_later(home: dict[str, str]) -> None:
    """Nothing was sent, and the next run need not be resumed to send all of it."""
    written(home, *numbers(2))
    environment = home | account("http://127.0.0.1:1")
    done = run(environment, *IMPORT, "--give-up-after", "0.1")
    assert done.code == 75
    assert "2 remaining" in done.out
    written(home, *numbers(3))
    assert run(environment, *IMPORT, "--give-up-after", "0.1").code == 75


def test_refused_keys_are_nothing_to_try_later(home: dict[str, str], sandbox: Sandbox) -> None:
    """Somebody has to set the right ones."""
    written(home, *numbers(2))
    environment = home | account(sandbox) | {"SENDBLUE_API_SECRET": "wrong"}
    assert run(environment, *IMPORT).code == 1


def test_a_second_import_of_the_file_is_one_to_try_later(
    home: dict[str, str], sandbox: Sandbox
) -> None:
    """The first one holds the journal until it has ended, wherever that is."""
    written(home, *numbers(40))
    sandbox.faults = Faults(latency=8.0)
    environment = home | account(sandbox)
    options = (*IMPORT, "--journal", "elsewhere")
    with started(environment, *options) as program:
        while sandbox.counts["requests"] < 4:
            assert program.poll() is None
        done = run(environment, *options)
        assert (done.code, done.out) == (75, "")
        assert "in use by another import. Wait until it has ended" in done.err
        assert program.poll() is None
        sandbox.faults = Faults()
        program.communicate(timeout=60)
    assert program.returncode == 0
    assert sandbox.counts["created"] == 40
    assert {each.name for each in Path(home["HOME"]).iterdir()} == {"people.csv", "elsewhere"}


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGINT])
def test_slow_answers_hold_up_no_end(
    home: dict[str, str], sandbox: Sandbox, number: signal.Signals
) -> None:
    """It ends before "docker stop" kills it; what had no answer is looked up when it resumes."""
    written(home, *numbers(30), "call me,Bob")
    sandbox.faults = Faults(latency=60.0)
    environment = home | account(sandbox)
    options = (*IMPORT, "--report", "report.json", "--results", "results.csv")
    with started(environment, *options) as program:
        while sandbox.counts["requests"] < 4:
            assert program.poll() is None
        began = time.monotonic()
        program.send_signal(number)
        out, err = program.communicate(timeout=30)
        assert time.monotonic() - began < 10
    assert program.returncode == 128 + number
    assert "To resume: sendblue-async import people.csv" in err
    assert "30 remaining" in out or "31 remaining" in out
    report = json.loads(Path(home["HOME"], "report.json").read_text())
    assert report["remaining"] >= 30
    sandbox.faults = Faults()
    done = run(environment, *options, "--resume")
    assert done.code == 1
    assert "30 created" in done.out
    assert sandbox.counts["created"] == 30
    assert len(Path(home["HOME"], "results.csv").read_text().splitlines()) == 32
