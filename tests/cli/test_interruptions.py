"""What ends the program from outside: signals, terminals that close, output that nobody takes."""

from __future__ import annotations

import json
import os
import pty
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from sendblue_async.sandbox import Faults, Sandbox

from .program import NUMBER, PROGRAM, Run, account, run, started

IMPORT = ("import", "people.csv", "--rate", "1000/s", "--concurrency", "4")


def written(home: dict[str, str], rows: int) -> Path:
    """A file of so many contacts in the home folder."""
    path = Path(home["HOME"], "people.csv")
    path.write_text("number\n" + "".join(f"+1201555{n:04}\n" for n in range(rows)))
    return path


@pytest.mark.parametrize("loaded", ["attr", "aiohttp", "typer"])
def test_ctrl_c_while_the_program_loads_ends_it_in_silence(
    home: dict[str, str], loaded: str
) -> None:
    """Exit code 130 and no traceback, as soon as anything of this package runs."""
    environment = home | {"PYTHONPROFILEIMPORTTIME": "1"}
    with started(environment, "create", NUMBER, "--sandbox") as program:
        assert program.stderr is not None
        assert any(line.split()[-1:] == [loaded] for line in program.stderr)
        program.send_signal(signal.SIGINT)
        out, err = program.communicate(timeout=30)
    assert (program.returncode, out) == (130, "")
    assert [line for line in err.splitlines() if not line.startswith("import time:")] == []


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_an_import_that_is_told_to_end_finishes_what_is_in_flight(
    home: dict[str, str], sandbox: Sandbox, run_here: Run, number: signal.Signals
) -> None:
    """Service managers and closed terminals get the counts, the report and a journal to resume."""
    path = written(home, 60)
    report = path.with_name("report.json")
    sandbox.faults = Faults(latency=0.1)
    environment = home | account(sandbox)
    with started(environment, *IMPORT, "--report", "report.json") as program:
        while sandbox.counts["requests"] < 8:
            assert program.poll() is None
        program.send_signal(number)
        out, err = program.communicate(timeout=30)
    assert program.returncode == 128 + number
    assert "Ctrl-C" not in err
    assert "send the signal again to stop at once" in err
    assert "To resume: sendblue-async import people.csv" in err
    created = len(sandbox.contacts)
    assert 8 <= created < 60
    assert f"{created:>8} created" in out
    assert json.loads(report.read_text())["remaining"] == 60 - created
    sandbox.faults = Faults()
    assert run_here(environment, *IMPORT, "--resume").code == 0
    assert (len(sandbox.contacts), sandbox.counts["created"]) == (60, 60)


def test_under_nohup_a_closed_terminal_ends_nothing(home: dict[str, str], sandbox: Sandbox) -> None:
    """A signal that whoever started the program had it ignore is still ignored."""
    written(home, 40)
    sandbox.faults = Faults(latency=0.05)
    command = ["nohup", PROGRAM, *IMPORT]
    with subprocess.Popen(
        command,
        cwd=home["HOME"],
        env=home | account(sandbox),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    ) as program:
        while sandbox.counts["requests"] < 8:
            assert program.poll() is None
        program.send_signal(signal.SIGHUP)
        out, _ = program.communicate(timeout=30)
    assert program.returncode == 0
    assert "      40 created" in out


def test_a_terminal_that_closes_loses_nothing(home: dict[str, str], sandbox: Sandbox) -> None:
    """What is in flight is finished, though there is nobody left to tell; the report has it."""
    path = written(home, 60)
    sandbox.faults = Faults(latency=0.1)
    controller, terminal = pty.openpty()
    own = "import fcntl, os, sys, termios; fcntl.ioctl(0, termios.TIOCSCTTY, 0); "
    command = [sys.executable, "-ISc", own + "os.execv(sys.argv[1], sys.argv[1:])", PROGRAM]
    with subprocess.Popen(
        [*command, *IMPORT, "--report", "report.json"],
        cwd=home["HOME"],
        env=home | account(sandbox) | {"TERM": "xterm"},
        stdin=terminal,
        stdout=terminal,
        stderr=terminal,
        start_new_session=True,
    ) as program:
        os.close(terminal)
        while sandbox.counts["requests"] < 8:
            assert program.poll() is None
        os.close(controller)
        assert program.wait(timeout=30) == 128 + signal.SIGHUP
    report = json.loads(path.with_name("report.json").read_text())
    assert report["created"] == len(sandbox.contacts) >= 8
    assert report["remaining"] == 60 - report["created"]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_signal_ends_the_wait_for_an_answer(
    home: dict[str, str], sandbox: Sandbox, number: signal.Signals
) -> None:
    """Where the import asks whether to go ahead, nothing is in flight."""
    path = written(home, 1)
    path.write_text("Mobile,Handy\n+12015550101,+12015550102\n")
    controller, terminal = pty.openpty()
    with subprocess.Popen(
        [PROGRAM, "import", "people.csv"],
        cwd=home["HOME"],
        env=home | account(sandbox) | {"TERM": "xterm"},
        stdin=terminal,
        stdout=terminal,
        stderr=terminal,
    ) as program:
        os.close(terminal)
        shown = b""
        while b"[y/N]" not in shown:
            shown += os.read(controller, 1024)
        program.send_signal(number)
        try:
            assert program.wait(timeout=20) == -number
        finally:
            program.kill()
            os.close(controller)
    assert sandbox.counts["requests"] == 0


@pytest.mark.parametrize(
    "arguments",
    [
        ["--help"],
        ["import", "--help"],
        ["--version"],
        ["count"],
        ["export"],
        ["export", "-"],
        ["import", "people.csv", "--dry-run"],
        ["import", "people.csv", "--json"],
    ],
)
@pytest.mark.parametrize("unbuffered", ["", "1"])
def test_output_on_a_full_disk_is_one_sentence(
    home: dict[str, str], sandbox: Sandbox, arguments: list[str], unbuffered: str
) -> None:
    """Whatever was to be printed, the program says why it was not, also in a container."""
    path = written(home, 1)
    with open("/dev/full", "w") as full:
        done = subprocess.run(
            [PROGRAM, *arguments],
            cwd=path.parent,
            env=home | account(sandbox) | {"PYTHONUNBUFFERED": unbuffered},
            stdin=subprocess.DEVNULL,
            stdout=full,
            stderr=subprocess.PIPE,
            encoding="utf-8",
            timeout=40,
            check=False,
        )
    assert done.returncode == 1
    # An import shows first how it reads the file.
    said = done.stderr.splitlines()
    assert said[-1] == "The output cannot be written: No space left on device."
    assert len(said) == 1 or "import" in arguments


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (["--nope"], 2),
        (["get", "555"], 2),
        (["get", "555", "--json"], 2),
        (["get", NUMBER], 1),
        (["import", "people.csv", "--rate", "1000/s"], 1),
        (["count", "-v"], 0),
        (["list"], 0),
    ],
)
def test_an_error_that_cannot_be_told_keeps_its_exit_code(
    home: dict[str, str], sandbox: Sandbox, arguments: list[str], code: int
) -> None:
    """Where standard error is a file on a full disk, a command does what it does elsewhere."""
    path = written(home, 3)
    path.write_text(path.read_text() + "call me\n")
    with open("/dev/full", "w") as full:
        done = subprocess.run(
            [PROGRAM, *arguments],
            cwd=home["HOME"],
            env=home | account(sandbox),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=full,
            timeout=40,
            check=False,
        )
    assert done.returncode == code
    assert len(sandbox.contacts) == (3 if arguments[0] == "import" else 0)


@pytest.mark.parametrize("arguments", [["--help"], ["count"], ["create", "+14155550123"]])
@pytest.mark.parametrize("closed", [(1,), (2,), (0, 1, 2)])
def test_closed_streams_are_no_traceback(
    home: dict[str, str], sandbox: Sandbox, arguments: list[str], closed: tuple[int, ...]
) -> None:
    """A program started without standard streams does its work all the same."""
    script = f"import os, sys; [os.close(n) for n in {closed}]; os.execv(sys.argv[1], sys.argv[1:])"
    done = subprocess.run(
        [sys.executable, "-ISc", script, PROGRAM, *arguments],
        env=home | account(sandbox),
        capture_output=True,
        encoding="utf-8",
        timeout=40,
        check=False,
    )
    assert "Traceback" not in done.stderr
    assert done.returncode in (0, 1)
    assert len(sandbox.contacts) == (arguments[0] == "create")


def test_a_file_name_steers_no_terminal(home: dict[str, str], sandbox: Sandbox) -> None:
    """An escape sequence in it is shown, and not sent to the terminal."""
    path = written(home, 3)
    path.write_text(path.read_text() + "call me\n")
    name = "\x1b]0;title\x07\u202epeople.csv"
    path.rename(path.with_name(name))
    done = run(home | account(sandbox), "import", name, "--rate", "1000/s")
    assert done.code == 1
    assert "\\x1b]0;title\\x07\\u202epeople.csv.rejected.csv" in done.out
