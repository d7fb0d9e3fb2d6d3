"""The installed program `sendblue-async`, run as people and scripts run it."""

from __future__ import annotations

import contextlib
import json
import os
import pty
import re
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from anyio.from_thread import start_blocking_portal

import sendblue_async
from sendblue_async import NotFoundError, RetryPolicy, ServerError, SyncSendblueClient
from sendblue_async.sandbox import Sandbox

PROGRAM = Path(sys.executable).with_name("sendblue-async")
NUMBER = "+14155550123"
OTHER = "+14155550199"
ALL_OPTIONS = (
    *("create", NUMBER, "--first-name", "Ada", "--last-name", "Byron King"),
    *("--assigned-to-email", "agent@example.com", "--sendblue-number", "+1 (987) 654-3210"),
    *("--tag", "vip", "--tag", "a, b", "--variable", "plan=gold", "--variable", "sum=1=1"),
)
STORED = {
    "phone": NUMBER,
    "first_name": "Ada",
    "last_name": "Byron King",
    "assigned_to_email": "agent@example.com",
    "sendblue_number": "+19876543210",
    "tags": ["vip", "a, b"],
    "custom_variables": {"plan": "gold", "sum": "1=1"},
}
# Steers a terminal, is markup to rich, turns the direction of writing, and is plain text.
HOSTILE = (
    "\x1b[31m\x1b]0;title\x07[red]x[/red] [link=a]\u202e\x9b2J\r\b :smile: Zoë 日本語 עברית 😀"
)


class Done(NamedTuple):
    """How a run of the program ended."""

    code: int
    out: str
    err: str


@pytest.fixture
def home(tmp_path: Path) -> dict[str, str]:
    """The environment of somebody who has a home folder and no account."""
    kept = {key: value for key, value in os.environ.items() if key.startswith("COVERAGE")}
    python = os.environ.get("PYTHONPATH", "")
    return kept | {
        "HOME": str(tmp_path),
        "PATH": os.environ["PATH"],
        "PYTHONPATH": python,
        "LC_ALL": "C.UTF-8",
        "PYTHONWARNINGS": "error",
    }


def account(server: Sandbox | str) -> dict[str, str]:
    """The variables that lead the program to a server."""
    base_url = server if isinstance(server, str) else server.base_url
    return {
        "SENDBLUE_API_KEY": "sandbox-key",
        "SENDBLUE_API_SECRET": "sandbox-secret",
        "SENDBLUE_API_BASE_URL": base_url,
    }


def client_of(environment: dict[str, str]) -> SyncSendblueClient:
    """A client of the same server that the program is led to."""
    key, secret, base_url = (environment[name] for name in account(""))
    return SyncSendblueClient(key, secret, base_url=base_url, retry=RetryPolicy(attempts=1))


@contextlib.contextmanager
def started(environment: dict[str, str], *arguments: str) -> Iterator[subprocess.Popen[str]]:
    """The running program, on pipes; it is killed if it outlives the block."""
    # A shell's background job, as which the suite may run, would hand on that it ignores Ctrl-C.
    heed = "import os, signal, sys; signal.signal(signal.SIGINT, signal.SIG_DFL); "
    command = [sys.executable, "-ISc", heed + "os.execv(sys.argv[1], sys.argv[1:])", PROGRAM]
    pipe = subprocess.PIPE
    with subprocess.Popen(
        [*command, *arguments],
        cwd=environment["HOME"],
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=pipe,
        stderr=pipe,
        encoding="utf-8",
    ) as program:
        try:
            yield program
        finally:
            program.kill()


def run(environment: dict[str, str], *arguments: str) -> Done:
    """The program from start to end; it never shows a traceback, or an escape in a pipe."""
    done = subprocess.run(
        [PROGRAM, *arguments],
        cwd=environment["HOME"],
        env=environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        timeout=40,
        encoding="utf-8",
        check=False,
    )
    for text in (done.stdout, done.stderr):
        assert "Traceback" not in text, text
        assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u202a-\u202e]", text), ascii(text)
    return Done(done.returncode, done.stdout, done.stderr)


def one_document(text: str) -> Any:
    """The one JSON document, on a line of its own, that the text is."""
    assert text.endswith("\n")
    assert text.count("\n") == 1
    return json.loads(text)


@contextlib.contextmanager
def answering(document: object, status: int = 200) -> Iterator[str]:
    """The base URL of a server that answers one request, with this JSON in ASCII."""
    body = json.dumps(document).encode()
    head = f"HTTP/1.1 {status} Fine\r\nConnection: close\r\nContent-Length: {len(body)}\r\n\r\n"

    def serve() -> None:
        connection, _ = listener.accept()
        with connection:
            connection.recv(65536)
            connection.sendall(head.encode() + body)

    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(20)
        thread = threading.Thread(target=serve)
        thread.start()
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        thread.join()


def test_create_needs_no_account_with_a_sandbox(home: dict[str, str]) -> None:
    """With --sandbox and --json, a create with all options prints one document: the contact."""
    done = run(home, *ALL_OPTIONS, "--update-if-exists", "--sandbox", "--json")
    assert (done.code, done.err) == (0, "")
    document = one_document(done.out)
    assert document["status"] == "OK"
    assert document["contact"].items() >= STORED.items()


def test_create_and_get_speak_to_the_server_of_the_environment(
    home: dict[str, str], sandbox: Sandbox
) -> None:
    """Every option arrives at the server; people get a line for each field, get prints the same."""
    done = run(home | account(sandbox), *ALL_OPTIONS, "--update-if-exists")
    assert (done.code, done.err) == (0, "")
    sent = dict(STORED, number=STORED["phone"], update_if_exists=True)
    del sent["phone"]
    assert [request.json for request in sandbox.requests] == [sent]
    lines = dict(line.rstrip().split(maxsplit=1) for line in done.out.splitlines())
    assert lines["phone"] == NUMBER
    assert lines["last_name"] == "Byron King"
    assert lines["tags"] == "vip, a, b"
    assert lines["custom_variables"] == "plan=gold, sum=1=1"
    assert run(home | account(sandbox), "get", "+1 (415) 555-0123") == done


def test_create_sends_nothing_that_was_not_given(home: dict[str, str], sandbox: Sandbox) -> None:
    """An option that is not given is no key in the request; a long value is printed whole."""
    name = "Ada " * 100 + "."
    done = run(home | account(sandbox), "create", "+1 415 555-0123", "--first-name", name)
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
    """What a server says about a refusal is shown as text, and nothing goes to stdout."""
    with answering({"status": "ERROR", "message": HOSTILE}, status=400) as base_url:
        done = run(home | account(base_url), "get", NUMBER, "--json")
    assert (done.code, done.out) == (1, "")
    assert "[red]x[/red]" in done.err


# Exit code, command, what stderr says, and what is changed in the account, if there is one.
FAILURES: dict[str, tuple[int, str, str, dict[str, str] | None]] = {
    "no keys": (2, f"get {NUMBER}", "No api_key: .* SENDBLUE_API_KEY", None),
    "wrong keys": (1, f"get {NUMBER}", "401: .*Check the API key", {"SENDBLUE_API_KEY": "no"}),
    "no such contact": (1, f"get {NUMBER}", "404: Contact not found", {}),
    "a contact that exists": (1, f"create {OTHER}", "409: .*--update-if-exists", {}),
    "nobody there": (
        *(1, f"get {NUMBER}", "Nothing was sent"),
        {"SENDBLUE_API_BASE_URL": "http://127.0.0.1:1"},
    ),
    "bad number": (2, "create 555 --sandbox", "number must be .*not '555'", None),
    "bad variable": (2, f"create {NUMBER} --sandbox --variable x", "--variable .*'x'", None),
    "no number": (2, "create", "Missing argument", None),
    "no such option": (2, f"create {NUMBER} --nope", "No such option:? .*--nope", None),
    "no such command": (2, "destroy", "No such command 'destroy'", None),
    "no such dial": (2, "sandbox --fault nope=1", "'nope=1' .*The dials are: latency", None),
    "no such port": (2, "sandbox --port 65536", "6553[56]", None),
    "a file of something else": (1, "sandbox --port 0 --db notes.txt", "notes.txt", None),
}


@pytest.mark.parametrize("failure", FAILURES)
def test_a_failure_is_a_sentence_and_an_exit_code(
    home: dict[str, str], sandbox: Sandbox, failure: str
) -> None:
    """1 for refused or failed, 2 for wrong usage, and one or two plain sentences on stderr."""
    code, command, message, changes = FAILURES[failure]
    Path(home["HOME"], "notes.txt").write_text("Buy milk. " * 100)
    with client_of(account(sandbox)) as client:
        client.create_contact(OTHER)
    done = run(home if changes is None else home | account(sandbox) | changes, *command.split())
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
    for name in ("create", "get", "sandbox"):
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
    controller, terminal = pty.openpty()
    subprocess.run(
        [PROGRAM, "create", number, "--sandbox"],
        env=home | variables | {"TERM": "xterm-256color"},
        stdin=subprocess.DEVNULL,
        stdout=terminal,
        stderr=terminal,
        timeout=40,
        check=False,
    )
    os.close(terminal)
    shown = b""
    # At the end of what a terminal has to say, Linux raises.
    with contextlib.suppress(OSError):
        while piece := os.read(controller, 65536):
            shown += piece
    os.close(controller)
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


@contextlib.contextmanager
def sandbox_command(home: dict[str, str], *options: str) -> Iterator[str]:
    """What a running `sandbox` prints at first; it gets a Ctrl-C, and must exit with 130."""
    with started(home, "sandbox", "--port", "0", *options) as program:
        assert program.stdout is not None
        lines = [program.stdout.readline() for _ in range(1 if "--json" in options else 4)]
        yield "".join(lines)
        program.send_signal(signal.SIGINT)
        assert program.communicate(timeout=20) == ("", "")
        assert program.returncode == 130


def test_sandbox_keeps_its_file_and_heeds_its_seed(home: dict[str, str]) -> None:
    """With --db a contact is there after a restart, and --seed decides what ids there are."""
    options = ["--db", "contacts.db", "--seed", "7", "--json"]
    with sandbox_command(home, *options) as printed, client_of(one_document(printed)) as client:
        first = client.create_contact(NUMBER, first_name="Ada")
    with sandbox_command(home, *options) as printed, client_of(one_document(printed)) as client:
        assert client.get_contact(NUMBER) == first
    ids = []
    for seed in (7, 8):
        with (
            start_blocking_portal() as portal,
            portal.wrap_async_context_manager(Sandbox(seed=seed)) as sandbox,
            client_of(account(sandbox)) as client,
        ):
            ids.append(client.create_contact(NUMBER).contact.contact_id)
    assert ids[0] == first.contact.contact_id != ids[1]


def test_sandbox_prints_lines_for_a_shell_and_fails_on_demand(home: dict[str, str]) -> None:
    """People get lines that a shell can run; --fault turns a dial, and may be given often."""
    faults = ["--fault", "server_error=0.5", "--fault", "server_error_status=501"]
    with sandbox_command(home, *faults) as lines:
        names = " ".join(f'"${name}"' for name in account(""))
        command = ["sh", "-euc", f"{lines}printf '%s\\n' {names}"]
        values = subprocess.run(command, capture_output=True, text=True, env={}, check=True)
        statuses = set()
        with client_of(dict(zip(account(""), values.stdout.split(), strict=True))) as client:
            for _ in range(20):
                with pytest.raises((NotFoundError, ServerError)) as caught:
                    client.get_contact(NUMBER)
                statuses.add(caught.value.status)
    assert statuses == {404, 501}


def test_sandbox_says_that_its_port_is_taken(home: dict[str, str]) -> None:
    """A port that somebody else has is a failure, with the port in the message."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = str(listener.getsockname()[1])
        done = run(home, "sandbox", "--port", port)
    assert (done.code, done.out) == (1, "")
    assert port in done.err
    assert len(done.err.splitlines()) == 1
