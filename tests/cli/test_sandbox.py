"""The command `sandbox`."""

from __future__ import annotations

import contextlib
import signal
import socket
import subprocess
from collections.abc import Iterator

import pytest
from anyio.from_thread import start_blocking_portal

from sendblue_async import NotFoundError, ServerError
from sendblue_async.sandbox import Sandbox

from .program import NUMBER, account, client_of, one_document, run, started


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


@pytest.mark.parametrize(
    ("options", "names"),
    [
        ([], {"first_name", "firstName"}),
        (["--spelling", "both"], {"first_name", "firstName"}),
        (["--spelling", "snake"], {"first_name"}),
        (["--spelling", "camel"], {"firstName"}),
    ],
)
def test_sandbox_spells_names_as_told(
    home: dict[str, str], options: list[str], names: set[str]
) -> None:
    """--spelling says which names the fields of a contact have in answers."""
    with (
        sandbox_command(home, *options, "--json") as printed,
        client_of(one_document(printed)) as client,
    ):
        client.create_contact(NUMBER, first_name="Ada")
        answer = client.request("GET", f"/api/v2/contacts/%2B{NUMBER[1:]}")
    assert answer.data["contact"].keys() & {"first_name", "firstName"} == names


def test_sandbox_says_that_its_port_is_taken(home: dict[str, str]) -> None:
    """A port that somebody else has is a failure; the message names it, and the way to another."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = str(listener.getsockname()[1])
        done = run(home, "sandbox", "--port", port)
    assert (done.code, done.out) == (1, "")
    assert done.err.startswith("Cannot listen on ")
    assert f" port {port}: " in done.err
    assert done.err.endswith(" Choose another port with --port.\n")
    assert len(done.err.splitlines()) == 1
