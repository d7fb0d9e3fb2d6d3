"""The command `export`: to a file, to standard output, and back."""

from __future__ import annotations

import csv
import io
import json
import os
from pathlib import Path

import pytest

from sendblue_async.sandbox import Sandbox

from .program import Run, account, client_of, run


@pytest.fixture
def environment(home: dict[str, str], sandbox: Sandbox) -> dict[str, str]:
    """An account with two contacts."""
    environment = home | account(sandbox)
    with client_of(environment) as client:
        client.create_contact("+12015550001", first_name="Ada", tags=["vip"])
        client.create_contact("+12015550002", first_name="Zoë")
    return environment


def test_a_file_is_exported_once(environment: dict[str, str], run_here: Run) -> None:
    """Not over a file that exists, unless that is asked for."""
    for suffix in ("csv", "jsonl", "xlsx"):
        done = run_here(environment, "export", f"contacts.{suffix}")
        assert (done.code, done.out) == (0, "")
        assert done.err == f"Exported 2 contacts to contacts.{suffix}.\n"
    done = run_here(environment, "export", "contacts.csv")
    assert done.code == 2
    assert done.err == "contacts.csv exists. Name another file, or replace it with --force.\n"
    assert run_here(environment, "export", "contacts.csv", "--force").code == 0
    done = run_here(environment, "export", "contacts.txt")
    assert done.code == 2
    assert done.err.endswith("Let it end in .csv, .jsonl or .xlsx, or give --format.\n")
    done = run_here(environment, "export", "contacts.txt", "--format", "jsonl")
    assert done.code == 0
    lines = Path(environment["HOME"], "contacts.txt").read_text(encoding="utf-8").splitlines()
    assert [json.loads(line)["first_name"] for line in lines] == ["Ada", "Zoë"]


def test_standard_output_has_the_contacts_alone(environment: dict[str, str]) -> None:
    """In UTF-8, whatever the locale is."""
    done = run(environment | {"LC_ALL": "C", "PYTHONIOENCODING": "ascii"}, "export")
    assert (done.code, done.err) == (0, "Exported 2 contacts.\n")
    done = run(environment, "export")
    rows = [*csv.DictReader(io.StringIO(done.out))]
    assert [row["first_name"] for row in rows] == ["Ada", "Zoë"]
    assert [row["number"] for row in rows] == ["+12015550001", "+12015550002"]


def test_an_export_is_imported_without_options(
    environment: dict[str, str], sandbox: Sandbox, run_here: Run
) -> None:
    """It differs in nothing from the account that it came from."""
    assert run_here(environment, "export", "contacts.csv").code == 0
    before = len(sandbox.requests)
    done = run_here(environment, "import", "contacts.csv", "--update-if-exists", "--only-changes")
    assert done.code == 0
    assert "       2 unchanged\n" in done.out
    assert {request.method for request in [*sandbox.requests][before:]} == {"GET"}


def test_an_export_waits_for_no_reader_of_a_pipe(
    environment: dict[str, str], sandbox: Sandbox, run_here: Run
) -> None:
    """Without one it is refused before anything is listed; with one, the pipe gets all of it."""
    pipe = Path(environment["HOME"], "pipe")
    os.mkfifo(pipe)
    before = len(sandbox.requests)
    done = run_here(environment, "export", "pipe", "--format", "csv")
    assert (done.code, done.out) == (2, "")
    assert done.err == "Nobody reads from the pipe pipe. Start its reader first.\n"
    assert len(sandbox.requests) == before
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    with open(reader, encoding="utf-8") as contacts:
        assert run_here(environment, "export", "pipe", "--format", "csv").code == 0
        assert [row["first_name"] for row in csv.DictReader(contacts)] == ["Ada", "Zoë"]
