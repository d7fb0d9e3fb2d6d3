"""What is told of calls while they run, and of those that fail: to people and to programs."""

from __future__ import annotations

import json
import shlex
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from sendblue_async.sandbox import Faults, Sandbox

from .program import NUMBER, OTHER, PROGRAM, Run, account, client_of, one_document, run, started


@pytest.fixture
def silent() -> Iterator[str]:
    """The base URL of a server that takes connections and never answers."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"


def test_a_server_that_hangs_is_told_after_a_few_seconds(home: dict[str, str], silent: str) -> None:
    """Long before the call gives up, there is a line that says what it waits for."""
    begun = time.monotonic()
    with started(home | account(silent), "create", NUMBER, "--timeout", "40") as program:
        assert program.stderr is not None
        line = program.stderr.readline()
        assert time.monotonic() - begun < 20
    assert line == "Waiting for the server, which has not answered yet.\n"


def test_a_timeout_ends_a_call(home: dict[str, str], silent: str) -> None:
    """It is for the whole call, and the error says that no answer came in it."""
    begun = time.monotonic()
    done = run(home | account(silent), "get", NUMBER, "--timeout", "0.5")
    assert time.monotonic() - begun < 20
    said = "GET /api/v2/contacts/…0123 got no answer in time.\n"
    assert done == (1, "", said)


def test_retries_are_told_only_if_they_take_long_or_are_asked_for(
    home: dict[str, str], sandbox: Sandbox, run_here: Run
) -> None:
    """A quick retry is nothing to people; with -v each request and each retry has a line."""
    for options in ([], ["--verbose"], ["-v"]):
        sandbox.faults = Faults(server_error=0.5)
        sandbox.seed = 0
        told = set()
        for _ in range(6):
            done = run_here(home | account(sandbox), "count", *options)
            told |= {*done.err.splitlines()}
            assert done.out in ("0\n", "")
        lines = [line for line in told if not line.startswith("GET /api/v2/contacts/count was")]
        if options:
            assert any("the next one follows in" in line for line in lines)
            assert any("succeeded after" in line for line in lines)
        else:
            assert lines == []


# Each failure of a command with --json: the exit code, and what the document holds of it.
FAILURES: list[tuple[str, int, dict[str, object]]] = [
    (
        f"get {NUMBER}",
        1,
        {"type": "NotFoundError", "outcome": "rejected", "status": 404, "attempts": 1},
    ),
    (f"create {OTHER}", 1, {"type": "ContactExistsError", "outcome": "rejected", "status": 409}),
    ("create 555", 2, {"type": "ValidationError", "outcome": "not_sent", "status": None}),
    ("create", 2, {"type": "UsageError", "message": "Missing argument 'NUMBER'."}),
    (f"get {NUMBER} --nope", 2, {"type": "UsageError", "outcome": "not_sent"}),
    (f"create {NUMBER} --variable x", 2, {"type": "ValidationError"}),
    ("list --limit 0", 2, {"type": "UsageError", "retryable": False}),
    ("list --all --limit 1", 2, {"type": "ValidationError"}),
    (f"update {NUMBER}", 2, {"type": "ValidationError"}),
    (f"delete {NUMBER}", 2, {"type": "ValidationError"}),
    (f"delete {NUMBER} --yes", 1, {"type": "NotFoundError", "code": None}),
    ("sandbox --fault x=1", 2, {"type": "ValidationError"}),
    ("sandbox --port 0 --db notes.txt", 1, {"type": "OSError"}),
]
FIELDS = [
    *("type", "message", "outcome", "retryable", "status", "attempts"),
    *("retry_after", "request_id", "code"),
]


@pytest.mark.parametrize(("command", "code", "known"), FAILURES, ids=lambda each: str(each)[:30])
def test_with_json_an_error_is_a_document(
    home: dict[str, str],
    sandbox: Sandbox,
    run_here: Run,
    command: str,
    code: int,
    known: dict[str, object],
) -> None:
    """One object on standard output, nothing beside it, and the exit code that people get."""
    Path(home["HOME"], "notes.txt").write_text("Buy milk. " * 100)
    environment = home | account(sandbox)
    with client_of(environment) as client:
        client.create_contact(OTHER)
    plain = run_here(environment, *shlex.split(command))
    done = run_here(environment, *shlex.split(command), "--json")
    assert (done.code, done.err) == (code, "")
    assert plain.code == code
    document = one_document(done.out)
    assert [*document] == ["error"]
    assert [*document["error"]] == FIELDS
    assert document["error"].items() >= known.items()
    assert document["error"]["message"] in plain.err


def test_json_after_two_dashes_is_no_option(home: dict[str, str], run_here: Run) -> None:
    """What stands there is an argument, so that people are told of it."""
    done = run_here(home, "get", "--", "--json")
    assert (done.code, done.out) == (2, "")
    assert "'--json'" in done.err


def test_an_import_prints_its_report_as_a_document(
    home: dict[str, str], sandbox: Sandbox, run_here: Run
) -> None:
    """And a dry run what it would do; what is for people is on standard error."""
    path = Path(home["HOME"], "people.csv")
    path.write_text(f"number\n{NUMBER}\nnobody\n")
    environment = home | account(sandbox)
    done = run_here(environment, "import", "people.csv", "--dry-run", "--json")
    assert done.code == 1
    assert one_document(done.out)["contacts"] == 1
    done = run_here(environment, "import", "people.csv", "--json", "--report", "report.json")
    assert done.code == 1
    document = one_document(done.out)
    assert document == json.loads(path.with_name("report.json").read_text())
    assert (document["created"], document["rejected"], document["finished"]) == (1, 1, True)
    done = run_here(environment, "import", "nothing.csv", "--json")
    assert done.code == 2
    assert "nothing.csv" in one_document(done.out)["error"]["message"]


def test_python_runs_the_program(home: dict[str, str]) -> None:
    """As `python -m sendblue_async`, with the same help and the same exit codes."""
    for arguments in (["--help"], ["create", "--help"], ["get", "555"]):
        done = subprocess.run(
            [sys.executable, "-m", "sendblue_async", *arguments],
            env=home,
            capture_output=True,
            timeout=40,
            encoding="utf-8",
            check=False,
        )
        assert (done.returncode, done.stdout, done.stderr) == run(home, *arguments)


# By shell: what it calls to complete "sendblue-async cre", and what it then has.
SHELLS = {
    "bash": ({"COMP_WORDS": "sendblue-async cre", "COMP_CWORD": "1"}, "create"),
    "zsh": ({"_TYPER_COMPLETE_ARGS": "sendblue-async cre"}, "create"),
    "fish": (
        {
            "_TYPER_COMPLETE_ARGS": "sendblue-async cre",
            "_TYPER_COMPLETE_FISH_ACTION": "get-args",
        },
        "create",
    ),
}


@pytest.mark.parametrize("shell", SHELLS)
def test_a_shell_completes_commands(home: dict[str, str], shell: str) -> None:
    """The script for the shell is printed, and what it calls answers."""
    done = run(home | {"_SENDBLUE_ASYNC_COMPLETE": f"source_{shell}"})
    assert done.code == 0
    assert "_SENDBLUE_ASYNC_COMPLETE=complete_" + shell in done.out
    variables, word = SHELLS[shell]
    completed = subprocess.run(
        [PROGRAM],
        env=home | variables | {"_SENDBLUE_ASYNC_COMPLETE": f"complete_{shell}"},
        capture_output=True,
        timeout=40,
        encoding="utf-8",
        check=True,
    ).stdout
    assert word in completed
    assert "delete" not in completed.replace("change and delete", "")


def test_bash_completes_options(home: dict[str, str]) -> None:
    """One command installs it, and a new shell then completes."""
    subprocess.run(
        ["bash", "-c", f"{PROGRAM} --install-completion bash || {PROGRAM} --install-completion"],
        env=home | {"SHELL": "/bin/bash"},
        capture_output=True,
        timeout=40,
        check=True,
    )
    ask = (
        f"PATH={PROGRAM.parent}:$PATH; source ~/.bashrc; "
        "COMP_WORDS=(sendblue-async import --up); COMP_CWORD=2; "
        "function=$(complete -p sendblue-async | sed 's/.*-F \\([^ ]*\\).*/\\1/'); "
        "$function sendblue-async; echo ${COMPREPLY[@]}"
    )
    done = subprocess.run(
        ["bash", "-c", ask], env=home, capture_output=True, timeout=40, encoding="utf-8", check=True
    )
    assert done.stdout == "--update-if-exists\n"
