"""The command `delete`, and what it asks."""

from __future__ import annotations

import os

import pytest

from sendblue_async.sandbox import Sandbox

from .program import (
    NUMBER,
    OTHER,
    Done,
    Run,
    account,
    client_of,
    one_document,
    run,
    started,
    terminal,
)

QUESTION = f"Delete the contact {NUMBER}? [y/N] "


@pytest.fixture
def environment(home: dict[str, str], sandbox: Sandbox) -> dict[str, str]:
    """The environment of somebody who has two contacts, and nothing else on record."""
    environment = home | account(sandbox)
    with client_of(environment) as client:
        client.create_contacts_bulk([{"number": NUMBER}, {"number": OTHER}])
    sandbox.requests.clear()
    return environment


def answered(environment: dict[str, str], keys: bytes, *arguments: str) -> Done:
    """The program from start to end; these keys are typed when it has asked."""
    with (
        terminal() as (keyboard, screen),
        started(environment, "delete", *arguments, terminal=screen) as program,
    ):
        assert program.stderr is not None
        assert program.stderr.read(len(QUESTION)) == QUESTION
        os.write(keyboard, keys)
        out, err = program.communicate(timeout=40)
    return Done(program.returncode, out, err)


@pytest.mark.parametrize("keys", [b"y\n", b"YES\n", b" Yes \n"])
def test_a_yes_deletes(environment: dict[str, str], sandbox: Sandbox, keys: bytes) -> None:
    """After a yes the contact is gone, that contact alone, and the output is one line."""
    assert answered(environment, keys, "+1 (415) 555-0123") == (0, f"Deleted {NUMBER}.\n", "")
    assert list(sandbox.contacts) == [OTHER]
    assert [request.method for request in sandbox.requests] == ["DELETE"]


# The last ones are an empty line, the key that ends the input, and what is no text.
@pytest.mark.parametrize("keys", [b"n\n", b"No\n", b"yes please\n", b"\n", b"\x04", b"\xffy\n"])
def test_anything_else_deletes_nothing(
    environment: dict[str, str], sandbox: Sandbox, keys: bytes
) -> None:
    """Without a yes nothing is sent, and the exit code is 1."""
    done = answered(environment, keys, NUMBER)
    assert (done.code, done.out, done.err.lstrip("\n")) == (1, "", "Nothing was deleted.\n")
    assert not sandbox.requests
    assert NUMBER in sandbox.contacts


def test_ctrl_c_at_the_question_ends_the_program(
    environment: dict[str, str], sandbox: Sandbox
) -> None:
    """Ctrl-C instead of an answer: nothing is sent, and the program exits with 130 and silence."""
    assert answered(environment, b"\x03", NUMBER) == (130, "", "\n")
    assert not sandbox.requests


@pytest.mark.parametrize("option", ["--yes", "-y"])
def test_yes_beforehand_asks_nothing(
    environment: dict[str, str], sandbox: Sandbox, option: str, run_here: Run
) -> None:
    """With --yes no terminal is needed, and nobody is asked."""
    assert run_here(environment, "delete", option, NUMBER) == (0, f"Deleted {NUMBER}.\n", "")
    assert list(sandbox.contacts) == [OTHER]


def test_a_program_gets_one_document(environment: dict[str, str], sandbox: Sandbox) -> None:
    """With --json the output is the server's answer alone; a question stands beside it."""
    done = run(environment, "delete", "--yes", "--json", NUMBER)
    assert (done.code, one_document(done.out), done.err) == (0, {"status": "OK"}, "")
    with client_of(environment) as client:
        client.create_contact(NUMBER)
    done = answered(environment, b"y\n", "--json", NUMBER)
    assert (done.code, one_document(done.out), done.err) == (0, {"status": "OK"}, "")
    assert list(sandbox.contacts) == [OTHER]


def test_a_contact_that_is_missing_may_be_fine(environment: dict[str, str]) -> None:
    """With --missing-ok a contact that is not there is a success that says so; else an error."""
    missing = "+14155550177"
    done = run(environment, "delete", "--yes", missing)
    assert (done.code, done.out) == (1, "")
    assert "Contact not found" in done.err
    done = run(environment, "delete", "--yes", "--missing-ok", missing)
    assert done == (0, f"There was no contact {missing}.\n", "")
    done = run(environment, "delete", "--yes", "--missing-ok", "--json", missing)
    assert (done.code, one_document(done.out), done.err) == (0, {}, "")
    done = run(environment, "delete", "--yes", "--missing-ok", NUMBER)
    assert done == (0, f"Deleted {NUMBER}.\n", "")


@pytest.mark.parametrize("options", [[], ["--json"]], ids=str)
def test_without_a_terminal_nothing_is_deleted_unasked(
    environment: dict[str, str], sandbox: Sandbox, options: list[str]
) -> None:
    """Where nobody can be asked, --yes is needed; the error says so, and nothing is sent."""
    done = run(environment, "delete", *options, NUMBER)
    assert done.code == 2
    said, empty = (done.out, done.err) if options else (done.err, done.out)
    assert "--yes" in said
    assert (len(said.splitlines()), empty) == (1, "")
    assert not sandbox.requests


def test_what_is_no_number_is_told_before_asking(environment: dict[str, str]) -> None:
    """Nobody is asked about a number that is none."""
    with (
        terminal() as (_, screen),
        started(environment, "delete", "555", terminal=screen) as program,
    ):
        out, err = program.communicate(timeout=40)
    assert (program.returncode, out) == (2, "")
    assert "number must be a phone number" in err
    assert "?" not in err
