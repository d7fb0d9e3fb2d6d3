"""The installed program `sendblue-async`, run as people and scripts run it."""

from __future__ import annotations

import re
import signal
import socket
from pathlib import Path

import pytest

import sendblue_async
from sendblue_async.sandbox import Sandbox

from .program import (
    HOSTILE,
    NUMBER,
    OTHER,
    Run,
    account,
    answering,
    client_of,
    one_document,
    run,
    shown_on_terminal,
    started,
)

ALL_OPTIONS = (
    *("create", NUMBER, "--first-name", "Ada", "--last-name", "Byron King"),
    *("--assigned-to-email", "agent@example.com", "--sendblue-number", "+1 (987) 654-3210"),
    *("--tag", "vip, lead", "--tag", '"a, b"', "--variable", "plan=gold", "--variable", "sum=1=1"),
)
STORED = {
    "phone": NUMBER,
    "first_name": "Ada",
    "last_name": "Byron King",
    "assigned_to_email": "agent@example.com",
    "sendblue_number": "+19876543210",
    "tags": ["vip", "lead", "a, b"],
    "custom_variables": {"plan": "gold", "sum": "1=1"},
}


def test_create_needs_no_account_with_a_sandbox(home: dict[str, str]) -> None:
    """With --sandbox and --json, a create with all options prints one document: the contact."""
    done = run(home, *ALL_OPTIONS, "--update-if-exists", "--sandbox", "--json")
    assert (done.code, done.err) == (0, "")
    document = one_document(done.out)
    assert document["status"] == "OK"
    assert document["contact"].items() >= STORED.items()


def test_create_and_get_speak_to_the_server_of_the_environment(
    home: dict[str, str], sandbox: Sandbox, run_here: Run
) -> None:
    """Every option arrives at the server; people get a line for each field, get prints the same."""
    done = run_here(home | account(sandbox), *ALL_OPTIONS, "--update-if-exists")
    assert (done.code, done.err) == (0, "")
    sent = dict(STORED, number=STORED["phone"], update_if_exists=True)
    del sent["phone"]
    assert [request.json for request in sandbox.requests] == [sent]
    lines = dict(line.rstrip().split(maxsplit=1) for line in done.out.splitlines())
    assert lines["phone"] == NUMBER
    assert lines["last_name"] == "Byron King"
    assert lines["tags"] == "vip, lead, a, b"
    assert lines["custom_variables"] == "plan=gold, sum=1=1"
    assert run_here(home | account(sandbox), "get", "+1 (415) 555-0123") == done


def test_create_sends_nothing_that_was_not_given(
    home: dict[str, str], sandbox: Sandbox, run_here: Run
) -> None:
    """An option that is not given is no key in the request; a long value is printed whole."""
    name = "Ada " * 100 + "."
    done = run_here(home | account(sandbox), "create", "+1 415 555-0123", "--first-name", name)
    assert [request.json for request in sandbox.requests] == [
        {"number": NUMBER, "first_name": name}
    ]
    assert name in done.out


# The second name ends with half of a surrogate pair, as is left of an emoji that was cut in two.
@pytest.mark.parametrize("last_name", ["Byron", "Byron \ud83d"], ids=ascii)
@pytest.mark.parametrize("as_json", [True, False])
def test_text_from_anywhere_steers_no_terminal(
    home: dict[str, str], as_json: bool, last_name: str
) -> None:
    """What a server sends is text: exact as JSON, and for people with its escapes visible."""
    contact = {
        "phone": NUMBER,
        "first_name": HOSTILE,
        "last_name": last_name,
        "custom_variables": {HOSTILE: HOSTILE},
        HOSTILE: HOSTILE,
    }
    with answering({"status": "OK", "contact": contact}) as base_url:
        done = run(home | account(base_url), "get", NUMBER, *["--json"] * as_json)
    assert (done.code, done.err) == (0, "")
    if as_json:
        assert one_document(done.out)["contact"] == contact
    else:
        visible = r"\x1b[31m\x1b]0;title\x07[red]x[/red] [link=a]\u202e\x9b2J\r\x08 :smile: Zoë"
        assert done.out.count(f"{visible} 日本語 עברית 😀") == 5
        assert last_name.replace("\ud83d", r"\ud83d") in done.out


def test_an_error_message_of_a_server_is_printed_safely(home: dict[str, str]) -> None:
    """What a server says about a refusal is shown as text, to people and in a document."""
    for options in ([], ["--json"]):
        with answering({"status": "ERROR", "message": HOSTILE}, status=400) as base_url:
            done = run(home | account(base_url), "get", NUMBER, *options)
        assert done.code == 1
        assert "[red]x[/red]" in (done.out if options else done.err)
        assert not (done.err if options else done.out)


# Exit code, command, what stderr says, and what is changed in the account, if there is one.
FAILURES: dict[str, tuple[int, str, str, dict[str, str] | None]] = {
    "no keys": (2, f"get {NUMBER}", "No api_key: .* SENDBLUE_API_KEY", None),
    "no keys to list with": (
        2,
        "list --all",
        "No api_key: it is not in the .* No api_secret: ",
        None,
    ),
    "no keys to import with": (2, "import people.csv", "No api_key: .* No api_secret: ", None),
    "a proxy that is not supported": (
        2,
        f"get {NUMBER}",
        "^HTTPS_PROXY names a SOCKS proxy",
        {"HTTPS_PROXY": "socks5h://127.0.0.1:9", "SENDBLUE_API_BASE_URL": "https://0.0.0.0:9"},
    ),
    "wrong keys": (1, f"get {NUMBER}", "401: .*Check the API key", {"SENDBLUE_API_KEY": "no"}),
    "no such contact": (1, f"get {NUMBER}", "404: Contact not found", {}),
    "a contact that exists": (1, f"create {OTHER}", "409: .*--update-if-exists", {}),
    "nobody there": (
        *(1, f"get {NUMBER}", "Nothing was sent"),
        {"SENDBLUE_API_BASE_URL": "http://127.0.0.1:1"},
    ),
    "bad number": (2, "create 555 --sandbox", "number must be .*not '555'", None),
    "bad variable": (2, f"create {NUMBER} --sandbox --variable x", "--variable .*'x'", None),
    "bad label": (2, f"update {NUMBER} --variable x", "--variable .*'x'", None),
    "nobody to change": (1, f"update {NUMBER} --opt-out", "404: Contact not found", {}),
    "nothing to change": (2, f"update {NUMBER}", "at least one field", None),
    "given and cleared": (
        *(
            2,
            f"update {NUMBER} --tag vip --clear tags",
            "--tag and --clear tags exclude each other",
        ),
        None,
    ),
    "nothing of that name to clear": (2, f"update {NUMBER} --clear opt_out", "'opt_out'", None),
    "nobody to delete": (1, f"delete --yes {NUMBER}", "404: Contact not found", {}),
    "nobody to count with": (2, "count", "No api_key", None),
    "a limit too high": (2, "list --limit 1001", "--limit.*from 1 to 1000, not '1001'", None),
    "no such order": (2, "list --order up", "--order.*'up'", None),
    "no time": (2, "list --since yesterday", "'yesterday' is not an ISO 8601 ", None),
    "no such day": (2, "list --since 2026-02-30", "--since.*'2026-02-30'", None),
    "all and yet not": (
        *(2, "list --all --limit 5 --offset 0 --order asc --order-by phone"),
        "only with --since; leave out --limit and --offset and --order-by and --order[.]",
        None,
    ),
    "no number": (2, "create", "Missing argument", None),
    "no such option": (2, f"create {NUMBER} --nope", "No such option:? .*--nope", None),
    "no such command": (2, "destroy", "No such command 'destroy'", None),
    "no such dial": (2, "sandbox --fault nope=1", "'nope=1' .*The dials are: latency", None),
    "no such port": (2, "sandbox --port 65536", "6553[56]", None),
    "a file of something else": (1, "sandbox --port 0 --db notes.txt", "notes.txt", None),
}


@pytest.mark.parametrize("failure", FAILURES)
def test_a_failure_is_a_sentence_and_an_exit_code(
    home: dict[str, str], sandbox: Sandbox, failure: str, run_here: Run
) -> None:
    """1 for refused or failed, 2 for wrong usage, and one or two plain sentences on stderr."""
    code, command, message, changes = FAILURES[failure]
    Path(home["HOME"], "notes.txt").write_text("Buy milk. " * 100)
    Path(home["HOME"], "people.csv").write_text(f"number\n{NUMBER}\n")
    with client_of(account(sandbox)) as client:
        client.create_contact(OTHER)
    done = run_here(
        home if changes is None else home | account(sandbox) | changes, *command.split()
    )
    assert (done.code, done.out) == (code, ""), done.err
    # Wrong usage is told together with how to get help.
    lines = [line for line in done.err.splitlines() if not re.match("Usage: |Try |$", line)]
    assert len(lines) == 1, done.err
    assert re.search(message, lines[0]), done.err
    assert not re.search("sandbox-secret|[│|+]$", done.err), done.err


def test_version_and_help(home: dict[str, str]) -> None:
    """--version prints the version, and --help the commands."""
    assert run(home, "--version") == (0, f"sendblue-async {sendblue_async.__version__}\n", "")
    done = run(home, "--help")
    assert (done.code, done.err) == (0, "")
    for name in ("create", "get", "list", "update", "delete", "count", "sandbox"):
        assert re.search(rf"^\W*{name}\s+[A-Z]", done.out, re.MULTILINE)


@pytest.mark.parametrize(
    ("variables", "options"),
    [
        ({"LC_ALL": "C"}, []),
        ({"PYTHONIOENCODING": "ascii"}, []),
        ({"PYTHONIOENCODING": "ascii"}, ["--json"]),
    ],
    ids=str,
)
def test_an_output_that_takes_ascii_alone(
    home: dict[str, str], sandbox: Sandbox, variables: dict[str, str], options: list[str]
) -> None:
    """Where the output has no room for a character, it is escaped instead of a crash."""
    name = "Zoë 日本語 😀"
    arguments = ["create", NUMBER, "--first-name", name, *options]
    done = run(home | account(sandbox) | variables, *arguments)
    assert (done.code, done.err) == (0, "")
    assert sandbox.contacts[NUMBER]["first_name"] == name
    if options:
        assert one_document(done.out)["contact"]["first_name"] == name
    assert re.search(r"^first_name\s+Zo", done.out, re.MULTILINE) or options


@pytest.mark.parametrize(
    ("variables", "number"), [({}, NUMBER), ({"NO_COLOR": "1"}, "555")], ids=str
)
def test_a_terminal_gets_colours_unless_they_are_turned_off(
    home: dict[str, str], variables: dict[str, str], number: str
) -> None:
    """A terminal gets styled text, and under NO_COLOR no colour, not even for an error."""
    _, shown = shown_on_terminal(home | variables, "create", number, "--sandbox")
    assert number.encode() in shown
    assert (b"\x1b[" in shown) or variables
    assert not (variables and re.search(rb"\x1b\[[\d;]*[349]\d", shown))


@pytest.mark.parametrize("as_json", [True, False])
def test_a_reader_that_leaves_early_is_no_error_to_show(
    home: dict[str, str], sandbox: Sandbox, as_json: bool
) -> None:
    """When nobody reads its output, as after `| head -0`, the program ends and says nothing."""
    environment = home | account(sandbox)
    with started(environment, "create", NUMBER, *["--json"] * as_json) as program:
        assert program.stdout is not None
        assert program.stderr is not None
        program.stdout.close()
        assert program.stderr.read() == ""
        assert program.wait(timeout=40) in (0, 1)
    assert NUMBER in sandbox.contacts


def test_ctrl_c_ends_a_slow_create(home: dict[str, str]) -> None:
    """Ctrl-C cancels the request, and the program exits with 130 and without a word."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(20)
        base_url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        with started(home | account(base_url), "create", NUMBER) as program:
            connection, _ = listener.accept()
            with connection:
                connection.settimeout(10)
                assert connection.recv(65536).startswith(b"POST ")
                program.send_signal(signal.SIGINT)
                assert connection.recv(65536) == b""
            assert program.communicate(timeout=20) == ("", "")
            assert program.returncode == 130


@pytest.mark.parametrize(
    ("base_url", "arguments", "said"),
    [
        (None, ["create", NUMBER], "Pass --update-if-exists to update it."),
        (None, ["import", "people.csv", "--region", "Mars"], "--region must be the two-letter"),
        (None, ["import", "people.csv", "--bulk", "--update-if-exists"],
         "leave out --bulk or --update-if-exists."),
        (None, ["import", "people.jsonl", "--delimiter", "comma"], "Leave out --delimiter."),
        ("http://api.example", ["count"], "The base URL in SENDBLUE_API_BASE_URL "),
        ("ftp://api.example", ["count"], "The base URL in SENDBLUE_API_BASE_URL must be "),
    ],
)  # fmt: skip
def test_an_error_speaks_of_options(
    home: dict[str, str],
    sandbox: Sandbox,
    tmp_path: Path,
    base_url: str | None,
    arguments: list[str],
    said: str,
) -> None:
    """What to do is said in the terms of the command line, not in those of the library."""
    for name, text in (("people.csv", f"number\n{NUMBER}\n"), ("people.jsonl", '{"number": ""}')):
        (tmp_path / name).write_text(text)
    arguments = [str(tmp_path / each) if "people" in each else each for each in arguments]
    environment = home | account(base_url or sandbox)
    if arguments[0] == "create":
        run(environment, *arguments)
    done = run(environment, *arguments)
    assert said in done.err
    assert not re.search(r"=True|allow_http|update_if_exists|base_url", done.err)


def test_no_connection_is_told_in_one_line(home: dict[str, str]) -> None:
    """To what, why and after how many attempts; no traceback."""
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{holder.getsockname()[1]}"
        done = run(home | account(f"http://{address}"), "get", NUMBER)
    assert (done.code, done.out) == (1, "")
    assert done.err == (
        f"Cannot connect to {address}: connection refused (4 attempts). Nothing was sent.\n"
    )
